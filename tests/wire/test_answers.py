"""wire.md 3 and 5: keys, their order and their types, on both types of VPS."""
import base64
import json
import re
import struct
import time

import pytest
import shapes
from shapes import INT, STR

# wire.md 3.1, rec: what a client saw in 2025; newer and older keys may stand between, its own keep their order.
RECORDED = json.loads(
    '{"vm_type":"kvm","hostname":"test-hostname","node_alias":"v6617","node_location_id":"USCA_1","node_location":"US, '
    'California","node_datacenter":"x","location_ipv6_ready":true,"plan":"x","plan_monthly_data":2147483648000,'
    '"monthly_data_multiplier":1,"plan_disk":44023414784,"plan_ram":2168455168,"plan_swap":0,"plan_max_ipv6s":1,'
    '"os":"ubuntu-24.04-x86_64","email":"test@example.com","data_counter":611537718433,"data_next_reset":1757518033,'
    '"ip_addresses":["192.0.2.1","2001:db8::1"],"ipv6_sit_tunnel_endpoint":"192.0.2.2","private_ip_addresses":[],'
    '"ip_nullroutes":[],"iso1":"","iso2":"","available_isos":["debian-12.0.0-amd64-netinst.iso"],'
    '"plan_private_network_available":false,"location_private_network_available":true,"rdns_api_available":true,'
    '"ptr":{"192.0.2.1":"test-hostname","2001:db8::1":""},"suspended":false,"policy_violation":false,"suspension_count":0,'
    '"total_abuse_points":0,"max_abuse_points":1200,"free_ip_replacement_interval":-100,"error":0}')


@pytest.fixture
def running(vps):
    vps.ok("start")
    return vps


def kind_of(vps):
    return vps.ok("getServiceInfo")["vm_type"]


class TestServiceInfo:
    def test_shape(self, vps):
        shapes.check(vps.ok("getServiceInfo"), shapes.GET_SERVICE_INFO)

    def test_recorded_keys_keep_their_order_and_types(self, kvm):
        answer = kvm.ok("getServiceInfo")
        recorded = [key for key in RECORDED if key != "ipv6_sit_tunnel_endpoint"]
        assert [key for key in answer.keys if key in RECORDED] == recorded
        assert [shapes.type_of(answer[key]) for key in recorded] == [shapes.type_of(RECORDED[key]) for key in recorded]

    def test_node_ip_is_the_fourth_colon_field(self, vps):
        answer = vps.ok("getServiceInfo")
        field = answer.text.split(":")[3]
        assert re.match(r'"(\d+\.\d+\.\d+\.\d+)"', field)[1] == answer["node_ip"]

    def test_values(self, moad, vps):
        answer = vps.ok("getServiceInfo").json
        assert answer["plan"] == "kvmv5-40g-2048m"
        assert answer["plan_disk"] == 41 << 30 and answer["plan_ram"] == 2 << 30 and answer["plan_swap"] == 1 << 30
        assert answer["plan_monthly_data"] == 2 << 40
        assert answer["os"] == "debian-12-x86_64"
        assert answer["email"] == "customer@example.com"
        assert answer["ip_addresses"] == [vps.ip]
        assert answer["ip_nullroutes"] == []
        assert answer["ptr"] == {vps.ip: None}
        assert answer["suspended"] is False
        assert answer["node_alias"] == moad.ctl("node", "list")["nodes"][0]["alias"]

    def test_the_month_ends_within_a_month(self, vps):
        left_s = vps.ok("getServiceInfo")["data_next_reset"] - time.time()
        assert 27 * 86400 < left_s <= 31 * 86400

    def test_nothing_is_null_but_ptr(self, running):
        for name in ["getServiceInfo", "getLiveServiceInfo", "getAvailableOS", "getSshKeys"]:
            text = running.ok(name).text
            assert ":null" not in re.sub(r'"ptr":\{[^}]*\}', "", text)

    def test_it_answers_while_the_guest_is_stopped(self, vps):
        vps.ok("stop")
        vps.ok("getServiceInfo")


class TestLiveServiceInfo:
    def test_shape(self, running):
        answer = running.ok("getLiveServiceInfo")
        shapes.check(answer, shapes.LIVE[answer["vm_type"]])
        assert answer.text.endswith(f',"error":0,"veid":{running.veid}}}')

    def test_holds_the_whole_service_info(self, running):
        service, live = running.ok("getServiceInfo").json, running.ok("getLiveServiceInfo").json
        assert {key: live[key] for key in service} == service

    def test_stopped_has_no_ssh_port(self, vps):
        vps.ok("stop")
        answer = vps.ok("getLiveServiceInfo")
        shape = dict(shapes.LIVE[answer["vm_type"]])
        del shape["ssh_port"]
        shapes.check(answer, shape)
        assert answer["ve_status"] == "stopped"
        vps.ok("start")

    def test_running_values(self, running):
        answer = running.ok("getLiveServiceInfo").json
        hostname = running.ok("getServiceInfo")["hostname"]
        assert answer["ve_status"] == "running"
        assert answer["ssh_port"] == running.ssh_port <= 32767
        assert answer["ve_disk_quota_gb"] == "41"
        assert answer["is_cpu_throttled"] == answer["is_disk_throttled"] == ""
        assert answer["live_hostname"] == hostname
        assert re.fullmatch(r"\d+\.\d\d \d+\.\d\d \d+\.\d\d \d+/\d+ \d+", answer["load_average"])
        assert re.fullmatch(r"02(:[0-9a-f]{2}){5}", answer["ve_mac1"])
        assert answer["mem_available_kb"] > 0
        assert answer["swap_total_kb"] >= 0 and answer["swap_available_kb"] >= 0

    def test_screenshot_is_a_png(self, kvm):
        kvm.ok("start")
        png = base64.b64decode(kvm.ok("getLiveServiceInfo")["screendump_png_base64"], validate=True)
        assert png.startswith(b"\x89PNG\r\n\x1a\n")
        width, height = struct.unpack(">II", png[16:24])
        assert width > 0 and height > 0

    def test_ovz_status_and_quota(self, ovz):
        ovz.ok("start")
        answer = ovz.ok("getLiveServiceInfo").json
        assert list(answer["vz_status"]) == shapes.VZ_STATUS
        assert list(answer["vz_quota"]) == shapes.VZ_QUOTA
        status = answer["vz_status"]
        assert status["status"] == "running"
        assert int(status["nproc"]) > 0 and int(status["oomguarpages"]) > 0
        assert re.fullmatch(r"\d+\.\d\d/\d+\.\d\d/\d+\.\d\d", status["load_average"])
        assert int(answer["vz_quota"]["softlimit_kb"]) == (41 << 20)

    def test_ovz_stopped_has_dashes(self, ovz):
        ovz.ok("stop")
        answer = ovz.ok("getLiveServiceInfo").json
        assert list(answer["vz_status"]) == shapes.VZ_STATUS
        assert answer["vz_status"]["status"] == "stopped"
        assert answer["vz_status"]["nproc"] == "0"
        assert answer["vz_status"]["oomguarpages"] == answer["vz_status"]["swappages"] == "-"
        assert answer["vz_quota"]["occupied_kb"] == "-"
        ovz.ok("start")


class TestSmallOnes:
    @pytest.mark.parametrize("name", ["stop", "start", "restart", "kill"])
    def test_power(self, vps, name):
        answer = vps.ok(name)
        expected = {"error": 0, "is_mounted": 1} if name == "start" and kind_of(vps) == "ovz" else {"error": 0}
        assert answer.json == expected and answer.keys[0] == "error"

    def test_starting_twice_and_stopping_twice_succeed(self, vps):
        for name in ["start", "start", "stop", "stop", "kill", "restart", "restart"]:
            assert vps.ok(name)["error"] == 0
        assert vps.ok("getLiveServiceInfo")["ve_status"] == "running"

    def test_state_follows_power(self, vps):
        for name, state in [("stop", "stopped"), ("start", "running"), ("kill", "stopped"), ("restart", "running")]:
            vps.ok(name)
            assert vps.ok("getLiveServiceInfo")["ve_status"] == state

    def test_available_os(self, vps):
        answer = vps.ok("getAvailableOS")
        shapes.check(answer, {"error": INT, "installed": STR, "templates": shapes.TEXTS})
        assert answer["templates"] == sorted(answer["templates"])
        assert answer["installed"] in answer["templates"]

    def test_password(self, running):
        first, second = running.ok("resetRootPassword"), running.ok("resetRootPassword")
        shapes.check(first, {"error": INT, "password": STR})
        assert re.fullmatch("[A-Za-z0-9]{12}", first["password"])
        assert first["password"] != second["password"]

    def test_usage_graphs(self, vps):
        assert vps.ok("getUsageGraphs").body == b'{"error":0}'

    def test_rate_limit_status(self, vps):
        shapes.check(vps.ok("getRateLimitStatus"),
                     {"remaining_points_15min": INT, "remaining_points_24h": INT, "error": INT})

    def test_hostname(self, running):
        before = running.ok("getServiceInfo")["hostname"]
        assert running.ok("setHostname", {"newHostname": "new-name.example.com"}).body == b'{"error":0}'
        assert running.ok("getServiceInfo")["hostname"] == "new-name.example.com"
        assert running.ok("getLiveServiceInfo")["live_hostname"] == "new-name.example.com"
        running.ok("setHostname", {"newHostname": before})

    def test_hostname_of_a_stopped_one(self, vps):
        before = vps.ok("getServiceInfo")["hostname"]
        vps.ok("stop")
        vps.ok("setHostname", {"newHostname": "while-stopped.example.com"})
        vps.ok("start")
        assert vps.ok("getLiveServiceInfo")["live_hostname"] == "while-stopped.example.com"
        vps.ok("setHostname", {"newHostname": before})


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA"


class TestSshKeys:
    def test_shape(self, vps):
        shapes.check(vps.ok("getSshKeys"), shapes.GET_SSH_KEYS)

    def test_several_and_shortened(self, vps):
        keys = f"{KEY} one\n{OTHER_KEY} two"
        untidy = f"\r\n{KEY} one\r\n\n{OTHER_KEY} two\n"
        assert vps.ok("updateSshKeys", {"ssh_keys": untidy}, method="POST").body == b'{"error":0}'
        answer = vps.ok("getSshKeys").json
        assert answer["ssh_keys_veid"] == answer["ssh_keys_preferred"] == keys
        assert answer["ssh_keys_user"] == ""
        short = answer["shortened_ssh_keys_veid"].split("\n")
        assert len(short) == 2 and all(len(line) < len(KEY) and line.startswith("ssh-ed25519 ") for line in short)
        vps.ok("updateSshKeys", {"ssh_keys": ""})
        assert vps.ok("getSshKeys")["ssh_keys_preferred"] == ""

    @pytest.mark.parametrize("keys", ["nonsense", "ssh-ed25519 AAAA", f"command=\"x\" {KEY}", f"{KEY}\nbad"])
    def test_bad_ones_are_refused_and_change_nothing(self, vps, keys):
        before = vps.ok("getSshKeys").body
        answer = vps.call("updateSshKeys", {"ssh_keys": keys}, method="POST")
        assert answer["error"] == 700002
        assert vps.ok("getSshKeys").body == before

    def test_comments_become_printable(self, vps):
        vps.ok("updateSshKeys", {"ssh_keys": f"{KEY} a\x1bb ä\x07"})
        assert vps.ok("getSshKeys")["ssh_keys_veid"] == f"{KEY} a?b ??"
        vps.ok("updateSshKeys", {"ssh_keys": ""})

    def test_the_accounts_count_until_there_are_own(self, moad):
        moad.ctl("account", "add", "keys@example.com", "--ssh-keys", f"{KEY} account")
        vps = moad.create("ovz", "keys.example.com", email="keys@example.com")
        answer = vps.ok("getSshKeys").json
        assert answer["ssh_keys_user"] == answer["ssh_keys_preferred"] == f"{KEY} account"
        vps.ok("updateSshKeys", {"ssh_keys": f"{KEY} own"})
        answer = vps.ok("getSshKeys").json
        assert answer["ssh_keys_user"] == f"{KEY} account" and answer["ssh_keys_preferred"] == f"{KEY} own"


class TestShell:
    def test_output_and_exit_status(self, running):
        answer = running.call("basicShell/exec", {"command": "whoami"})
        assert answer.body == b'{"error":0,"message":"root\\n"}'
        assert running.call("basicShell/exec", {"command": "false"}).body == b'{"error":1,"message":""}'

    def test_cd(self, running):
        answer = running.ok("basicShell/cd", {"currentDir": "/root", "newDir": "/tmp"})
        assert answer.body == b'{"error":0,"pwd":"\\/tmp"}'
        assert running.ok("basicShell/cd", {"currentDir": "/var", "newDir": "log"})["pwd"] == "/var/log"

    def test_script(self, running):
        answer = running.ok("shellScript/exec", {"script": "#!/bin/sh\necho hello\n"}, method="POST")
        shapes.check(answer, {"error": INT, "log": STR, "output_stream_id": STR})
        assert re.fullmatch(r"/[a-zA-Z0-9/._-]+", answer["log"])
        assert answer["output_stream_id"] in answer["log"]

    def test_stopped(self, vps):
        vps.ok("stop")
        for name, params in [("basicShell/exec", {"command": "id"}), ("shellScript/exec", {"script": "id"}),
                             ("basicShell/cd", {"currentDir": "/", "newDir": "tmp"}), ("resetRootPassword", {})]:
            answer = vps.call(name, params)
            assert answer["error"] == 700000 and answer["message"] == "VPS is not running"
        vps.ok("start")
