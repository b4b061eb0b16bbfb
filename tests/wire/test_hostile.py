"""What a client sends to break things: it gets an orderly refusal, and the next client its answer."""
import contextlib
import json
import os
import socket
import threading
import urllib.parse

import pytest

MIB = 1 << 20
EVIL = ["a'; DROP TABLE vps; --", 'a"b', "a\nb", "a\r\nX-Evil: 1", "../../etc/passwd", "%00", "\0", "a\0b", "$(reboot)", "`id`",
        "<script>", "{{7*7}}", "\ud7ff\ue000", "‮", "%s%n%p", "A" * 10000, " ", "🙂" * 500]


def post(server, name, body, content_type="application/x-www-form-urlencoded"):
    return server.request("POST", f"/v1/{name}", body=body, headers={"Content-Type": content_type})


@pytest.fixture(autouse=True)
def still_serves(moad, kvm):
    """After each of these everybody else is served as before, by the same process."""
    before = moad.supervisor.children()
    yield
    assert kvm.ok("getServiceInfo")["hostname"] == "kvm.example.com"
    assert moad.supervisor.children() == before


class TestValues:
    def test_a_host_name_of_a_megabyte(self, kvm):
        answer = kvm.call("setHostname", {"newHostname": "a" * MIB}, method="POST")
        assert answer["error"] == 700002 and len(answer.body) < 300

    @pytest.mark.parametrize("value", EVIL, ids=range(len(EVIL)))
    def test_host_names(self, kvm, value):
        answer = kvm.call("setHostname", {"newHostname": value}, method="POST")
        assert answer.status == 200 and answer["error"] in (700001, 700002)
        assert "x-evil" not in answer.headers

    @pytest.mark.parametrize("value", EVIL, ids=range(len(EVIL)))
    def test_commands_go_in_and_out_as_they_are(self, kvm, value):
        kvm.ok("start")
        answer = kvm.call("basicShell/exec", {"command": value}, method="POST")
        if "\0" in value:
            assert answer["error"] == 700002
        else:
            assert answer["message"] == value

    @pytest.mark.parametrize("value", EVIL, ids=range(len(EVIL)))
    def test_credentials(self, moad, kvm, value):
        for params in [{"veid": value, "api_key": kvm.key}, {"veid": kvm.veid, "api_key": value}]:
            answer = moad.call("getServiceInfo", params, method="POST")
            assert answer.status == 200 and answer["error"] == 700005

    def test_a_command_of_a_megabyte(self, kvm):
        kvm.ok("start")
        command = "x" * MIB
        assert kvm.call("basicShell/exec", {"command": command}, method="POST")["message"] == command
        assert kvm.call("basicShell/exec", {"command": command + "x"}, method="POST")["error"] == 700002

    def test_a_script_of_a_megabyte_of_escapes(self, kvm):
        kvm.ok("start")
        # Three bytes each in the form, six in the node protocol's JSON.
        answer = kvm.call("shellScript/exec", {"script": "\x01" * (600 << 10)}, method="POST")
        assert answer["error"] == 0

    def test_invalid_utf8_everywhere(self, moad, kvm):
        body = f"veid={kvm.veid}&api_key={kvm.key}&newHostname=%ff%fe&%ff=%c0&command=%80"
        assert post(moad, "setHostname", body)["error"] == 700002
        data = b"GET /v1/\xff\xfe?\xff=\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert moad.raw(data).startswith(b"HTTP/1.1 ")

    def test_bad_escapes(self, moad, kvm):
        body = f"veid={kvm.veid}&api_key={kvm.key}&newHostname=%&x=%2&y=%zz&=&&%00=1"
        assert post(moad, "setHostname", body)["error"] == 700002


class TestCounts:
    @pytest.mark.parametrize("way", ["query", "form", "multipart", "json"])
    def test_ten_thousand_parameters(self, moad, kvm, way):
        params = {**{f"p{i}": "v" for i in range(10000)}, **kvm.credentials}
        if way == "query":
            answer = moad.request("GET", "/v1/getServiceInfo?" + urllib.parse.urlencode(params))
        elif way == "form":
            answer = post(moad, "getServiceInfo", urllib.parse.urlencode(params))
        elif way == "multipart":
            parts = "".join(f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                            for name, value in params.items())
            answer = post(moad, "getServiceInfo", f"{parts}--B--\r\n", "multipart/form-data; boundary=B")
        else:
            answer = post(moad, "getServiceInfo", json.dumps(params), "application/json")
        # Refused as a whole, or what is too many is not looked at; never a crash, never half of an answer.
        assert answer.status in (400, 413, 414, 431) or answer["error"] in (0, 700001, 700002)

    def test_deep_json(self, moad, kvm):
        query = urllib.parse.urlencode(kvm.credentials)
        for text in ["[" * 100000, '{"a":' * 100000, '{"veid":' + "[" * 50000 + "]" * 50000 + "}"]:
            answer = post(moad, f"getServiceInfo?{query}", text, "application/json")
            assert answer["error"] == 700002

    def test_json_of_other_types(self, moad, kvm):
        for veid in [None, True, 1.5, [kvm.veid], {"a": kvm.veid}, kvm.veid * 1.0, str(kvm.veid) + "\0"]:
            answer = post(moad, "getServiceInfo", json.dumps({"veid": veid, "api_key": kvm.key}), "application/json")
            assert answer["error"] in (700001, 700005)

    def test_a_body_over_the_limit(self, moad):
        answer = post(moad, "getServiceInfo", b"x=" + b"y" * (4 * MIB))
        assert answer.status == 413

    def test_a_header_over_the_limit(self, moad):
        for data in [b"GET /v1/start?" + b"x" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"GET /v1/start HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100000 + b"\r\n\r\n",
                     b"GET /v1/start HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20000 + b"\r\n"]:
            answer = moad.raw(data)
            assert answer == b"" or answer.split(b" ")[1] in (b"400", b"413", b"414", b"431")


class TestProtocol:
    NONSENSE = [b"\0" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 500,
                b"POST /v1/start HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                b"POST /v1/start HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
                b"POST /v1/start HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
                b"POST /v1/start HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                b"POST /v1/start HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n",
                b"GET /v1/start\0 HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /v1/start HTTP/1.1\r\nHo st: x\r\n\r\n",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
                b"CONNECT localhost:22 HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(2000)]

    @pytest.mark.parametrize("data", NONSENSE, ids=range(len(NONSENSE)))
    def test_nonsense(self, moad, data):
        # With an end to it, so that the server has to judge.
        answer = moad.raw(data + b"\r\nConnection: close\r\n\r\n\r\n")
        assert answer == b"" or answer.startswith(b"HTTP/1.")
        assert b'"error":0' not in answer

    def test_half_requests(self, moad):
        for data in [b"", b"G", b"GET /v1/start HTTP/1.1\r\nHost", b"POST /v1/start HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab"]:
            moad.leave(data)

    def test_a_client_that_leaves_while_a_call_runs(self, moad, kvm):
        data = f"GET /v1/restart?{urllib.parse.urlencode(kvm.credentials)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", moad.http_port)) as peer:
                peer.sendall(data)

    def test_many_at_once(self, moad, kvm):
        """More than there are workers, all waiting for the node."""
        answers = []

        def ask():
            answers.append(kvm.call("getLiveServiceInfo")["error"])

        threads = [threading.Thread(target=ask) for _ in range(80)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [0] * 80

    def test_idle_connections_hurt_nobody(self, moad, kvm):
        with contextlib.ExitStack() as stack:
            for _ in range(100):
                stack.enter_context(socket.create_connection(("127.0.0.1", moad.http_port)))
            kvm.ok("getServiceInfo")


class TestOtherDoors:
    def test_the_admin_socket_is_roots(self, moad):
        status = os.stat(moad.socket_path)
        assert status.st_mode & 0o077 == 0

    def test_the_node_socket_is_not_everybodys(self, moad):
        assert os.stat(os.path.join(moad.run_dir, "node.sock")).st_mode & 0o007 == 0

    @pytest.mark.parametrize("name", ["admin.sock", "node.sock"])
    def test_another_user_gets_in_nowhere(self, moad, name):
        """Even with the file opened to all, the peer's uid is looked at."""
        path = os.path.join(moad.run_dir, name)
        before = os.stat(path).st_mode
        os.chmod(path, 0o777)
        try:
            answer = self.ask_as(path, 12345)
        finally:
            os.chmod(path, before & 0o777)
        assert b"denied" in answer and b"vps" not in answer

    def ask_as(self, path, uid):
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            with contextlib.suppress(Exception):
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)
                peer = socket.socket(socket.AF_UNIX)
                peer.settimeout(10)
                peer.connect(path)
                door = "/admin/vps/list" if path.endswith("admin.sock") else "/node/v1/ping"
                peer.sendall(f"POST {door} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
                             "Connection: close\r\n\r\n{}".encode())
                while chunk := peer.recv(65536):
                    os.write(write_end, chunk)
                status = 0
            os._exit(status)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as file:
            data = file.read()
        assert os.waitpid(child, 0)[1] == 0
        return data

    def test_the_api_process_is_not_root(self, moad):
        pid = moad.supervisor.children()["api"]
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            fields = dict(line.split(":", 1) for line in file)
        assert set(fields["Uid"].split()) == {"65534"} and "0" not in fields["Gid"].split()
        assert int(fields["CapEff"], 16) == 0

    def test_keys_are_nowhere_in_the_clear(self, moad, kvm):
        assert kvm.key not in moad.log() and kvm.password not in moad.log()
        for folder, _, names in os.walk(moad.state_dir):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    data = file.read()
                assert kvm.key.encode() not in data and kvm.password.encode() not in data
