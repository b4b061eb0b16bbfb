"""wire.md 4.1, 4.2 and 6: what is refused, with which code and words."""
import json

import harness
import pytest

DENIED = b'{"error":700005,"message":"Authentication failure"}'
MISSING_PARAMETERS = [("setHostname", "newHostname", {}), ("updateSshKeys", "ssh_keys", {}),
                      ("basicShell/cd", "currentDir", {"newDir": "/"}), ("basicShell/cd", "newDir", {"currentDir": "/"}),
                      ("basicShell/exec", "command", {}), ("shellScript/exec", "script", {})]
NOT_BUILT = ["snapshot/create", "snapshot/list", "backup/list", "migrate/getLocations", "migrate/start", "reinstallOS",
             "getRawUsageStats", "getAuditLog", "setPTR", "iso/mount", "ipv6/add", "privateIp/assign", "unsuspend",
             "cloneFromExternalServer", "kiwivm/getNotificationPreferences"]


class TestAuthentication:
    def test_wrong_key_and_wrong_veid_are_the_same_bytes(self, moad, kvm, ovz):
        wrong = "private_" + "A" * 24
        for veid, key in [(kvm.veid, wrong), (9999999, kvm.key), (ovz.veid, kvm.key), ("abc", kvm.key), (0, kvm.key),
                          (-1, kvm.key), ("99999999999999999999", kvm.key), (kvm.veid, "x"), (kvm.veid, kvm.key + "x"),
                          (kvm.veid, kvm.key[:-1]), (kvm.veid, kvm.key.lower() + "A"), (f"{kvm.veid} ", kvm.key),
                          (f"0x{kvm.veid:x}", kvm.key), (kvm.veid, "private_")]:
            answer = moad.call("getServiceInfo", {"veid": veid, "api_key": key})
            assert answer.status == 200 and answer.body == DENIED, (veid, key)
            assert set(answer.headers) == set(kvm.ok("getServiceInfo").headers)

    def test_a_nul_behind_the_key_is_no_key(self, moad, kvm):
        assert moad.call("start", {"veid": kvm.veid, "api_key": kvm.key + "\0"}).body == DENIED
        assert moad.call("start", {"veid": f"{kvm.veid}\0", "api_key": kvm.key}).body == DENIED

    def test_a_replaced_key_is_wrong_at_once(self, moad):
        vps = moad.create("kvm", "key.example.com")
        new = moad.ctl("vps", "key", vps.veid, "--yes")["api_key"]
        assert vps.call("getServiceInfo").body == DENIED
        vps.key = new
        vps.ok("getServiceInfo")

    def test_a_deleted_vps_is_unknown(self, moad):
        vps = moad.create("kvm", "gone.example.com")
        moad.ctl("vps", "delete", vps.veid, "--yes")
        assert vps.call("getServiceInfo").body == DENIED
        moad.ctl("vps", "undelete", vps.veid)
        vps.ok("getServiceInfo")
        moad.ctl("vps", "delete", vps.veid, "--yes", "--now")
        assert vps.call("getServiceInfo").body == DENIED


class TestMissing:
    def test_credentials(self, moad, kvm):
        for params, name in [({}, "veid"), ({"api_key": kvm.key}, "veid"), ({"veid": kvm.veid}, "api_key"),
                             ({"veid": "", "api_key": kvm.key}, "veid"), ({"veid": kvm.veid, "api_key": ""}, "api_key")]:
            answer = moad.call("getServiceInfo", params)
            assert answer.json == {"error": 700001, "message": f"{name} is missing"}
            assert answer.keys == ["error", "message"]

    @pytest.mark.parametrize("call,name,others", MISSING_PARAMETERS)
    def test_parameters(self, kvm, call, name, others):
        assert kvm.call(call, others).json == {"error": 700001, "message": f"{name} is missing"}

    @pytest.mark.parametrize("call,name,others", [row for row in MISSING_PARAMETERS if row[1] != "ssh_keys"])
    def test_empty_ones(self, kvm, call, name, others):
        assert kvm.call(call, {**others, name: ""}).json == {"error": 700001, "message": f"{name} is missing"}


class TestUnknownCalls:
    @pytest.mark.parametrize("name", ["nonsense", "Start", "START", "getserviceinfo", "start2", "snapshot"])
    def test_unknown(self, kvm, name):
        answer = kvm.call(name)
        assert answer.status == 200
        assert answer.json == {"error": 700004, "message": f"Unknown API call: {name}"}

    @pytest.mark.parametrize("name", NOT_BUILT)
    def test_not_built_yet(self, kvm, name):
        assert kvm.call(name).json == {"error": 700004, "message": f"Unknown API call: {name}"}

    @pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v2/start", "/start", "/admin/vps/list", "/node/v1/ping", "/v1/a/b/c",
                                      "/favicon.ico", "/v1/../admin/vps/list", "/v1/%73tart", "/v1/start%00"])
    def test_other_paths(self, moad, path):
        answer = moad.request("GET", path)
        assert answer.status == 200 and answer["error"] == 700004

    def test_a_long_name_is_cut(self, moad):
        answer = moad.request("GET", "/v1/" + "x" * 5000)
        assert answer["error"] == 700004 and len(answer.body) < 300


class TestValues:
    @pytest.mark.parametrize("value", ["-a", "a..b", "a b", "1.2.3.4", "a_b", "ä.de", "a" * 254, "a;reboot", "../a", "$(id)"])
    def test_hostname(self, kvm, value):
        answer = kvm.call("setHostname", {"newHostname": value})
        assert answer["error"] == 700002
        assert answer["message"].startswith("newHostname takes a host name")

    def test_too_long_texts(self, kvm):
        answer = kvm.call("basicShell/cd", {"currentDir": "/" * 5000, "newDir": "/"}, method="POST")
        assert answer["error"] == 700002 and answer["message"].startswith("currentDir takes")


@pytest.fixture
def split(own_moad):
    """One whose node can be away while its api serves."""
    server = own_moad()
    server.start("node").start("api")
    server.add_customer()
    return server


class TestLock:
    LOCKED = "VE is currently locked, try again in a few minutes"
    OPEN = ["getServiceInfo", "getRateLimitStatus", "getAvailableOS", "getSshKeys", "getUsageGraphs"]
    CLOSED = ["start", "stop", "restart", "kill", "getLiveServiceInfo", "resetRootPassword", "setHostname", "updateSshKeys",
              "basicShell/cd", "basicShell/exec", "shellScript/exec"]
    PARAMETERS = {"newHostname": "x.example.com", "ssh_keys": "", "currentDir": "/", "newDir": "/", "command": "id",
                  "script": "id"}

    @pytest.mark.parametrize("kind", ["kvm", "ovz"])
    def test_while_work_is_under_way(self, split, kind):
        vps, other = split.create(kind), split.create(kind, "other.example.com")
        split.stop("node")
        # Queued, and nobody to do it.
        split.run_ctl("vps", "delete", vps.veid, "--yes", "--no-wait")
        for name in self.CLOSED:
            answer = vps.call(name, self.PARAMETERS)
            assert answer.status == 200 and answer["error"] == 788888, name
            self.check_shape(answer)
        for name in self.OPEN:
            vps.ok(name)
        other.ok("getServiceInfo")
        assert other.call("start")["error"] == 700011
        split.start("node")
        harness.wait_until(lambda: vps.call("start")["error"] == 700005, "the work to end and the VPS to be gone")
        split.ctl("vps", "undelete", vps.veid)
        vps.ok("start")

    def check_shape(self, answer):
        data = json.loads(answer.body)
        assert list(data) == ["error", "message", "additionalErrorInfo", "additionalLockingInfo"]
        assert data["message"] == self.LOCKED
        assert isinstance(data["additionalErrorInfo"], str) and data["additionalErrorInfo"]
        info = data["additionalLockingInfo"]
        assert list(info) == ["last_status_update_s_ago", "completed_percent", "friendly_progress_message"]
        assert 0 <= info["last_status_update_s_ago"] < 60 and 0 <= info["completed_percent"] <= 100
        assert isinstance(info["friendly_progress_message"], str) and info["friendly_progress_message"]

    def test_a_second_work_is_refused(self, split):
        vps = split.create("kvm")
        split.stop("node")
        split.run_ctl("vps", "delete", vps.veid, "--yes", "--no-wait")
        done = split.run_ctl("vps", "delete", vps.veid, "--yes", "--no-wait")
        assert done.returncode == 5 and "unfinished work" in done.stderr


class TestNodeAway:
    def test_words_and_code(self, split):
        vps = split.create("kvm")
        split.stop("node")
        answer = vps.call("start")
        assert answer.status == 200
        assert answer.json == {"error": 700011, "message": "Temporarily unavailable, try again in a minute"}
        vps.ok("getServiceInfo")
        assert "down" in split.ctl("node", "list")["nodes"][0]["state"]
        split.start("node")
        vps.ok("start")
        assert split.ctl("node", "list")["nodes"][0]["state"] == "up"


class TestSuspended:
    OPEN = ["getServiceInfo", "getLiveServiceInfo", "getRateLimitStatus", "getAvailableOS", "getSshKeys"]

    @pytest.mark.parametrize("kind", ["kvm", "ovz"])
    def test_power_and_changes_are_refused_and_reading_works(self, moad, kind):
        vps = moad.create(kind, "suspended.example.com")
        moad.ctl("vps", "suspend", vps.veid, "--yes")
        for name in TestLock.CLOSED:
            if name != "getLiveServiceInfo":
                answer = vps.call(name, TestLock.PARAMETERS)
                assert answer.json == {"error": 700006, "message": "VPS is suspended"}, name
        for name in self.OPEN:
            vps.ok(name)
        info = vps.ok("getServiceInfo").json
        assert info["suspended"] is True and info["suspension_count"] == 1
        assert vps.ok("getLiveServiceInfo")["ve_status"] == "stopped"
        moad.ctl("vps", "unsuspend", vps.veid)
        assert vps.ok("getLiveServiceInfo")["ve_status"] == "running"
        assert vps.ok("getServiceInfo")["suspended"] is False

    def test_one_that_was_stopped_stays_so(self, moad):
        vps = moad.create("kvm", "was-stopped.example.com")
        vps.ok("stop")
        moad.ctl("vps", "suspend", vps.veid, "--yes")
        moad.ctl("vps", "unsuspend", vps.veid)
        assert vps.ok("getLiveServiceInfo")["ve_status"] == "stopped"


class TestNothingLeaks:
    def test_no_path_host_or_query_in_any_refusal(self, moad, kvm):
        answers = [kvm.call(name, {"newHostname": "/etc/passwd", "command": ""}) for name in
                   ["setHostname", "basicShell/exec", "nonsense", "reinstallOS"]] + [moad.call("start")]
        for answer in answers:
            for secret in [moad.folder, "sqlite", "postgres", "SELECT", "/work", "node.sock", ".c:"]:
                assert secret not in answer.text
