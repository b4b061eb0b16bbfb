"""wire.md 1: every way a client sends a call, and the bytes of what it gets back."""
import contextlib
import http.client
import json
import socket
import ssl
import urllib.parse

import pytest

SERVICE = "getServiceInfo"


def form(params):
    return urllib.parse.urlencode(params)


def multipart(params, boundary="------------------------d74496d66958873e"):
    """As PHP's cURL sends an array."""
    parts = "".join(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                    for name, value in params.items())
    return f"{parts}--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


class TestWays:
    def test_get(self, kvm):
        assert kvm.ok(SERVICE)["hostname"] == "kvm.example.com"

    def test_post_form(self, kvm):
        assert kvm.ok(SERVICE, method="POST")["hostname"] == "kvm.example.com"

    def test_form_with_charset(self, moad, kvm):
        answer = moad.request("POST", f"/v1/{SERVICE}", body=form(kvm.credentials),
                              headers={"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"})
        assert answer["error"] == 0

    def test_multipart(self, moad, kvm):
        body, content_type = multipart(kvm.credentials)
        answer = moad.request("POST", f"/v1/{SERVICE}", body=body, headers={"Content-Type": content_type})
        assert answer["hostname"] == "kvm.example.com"

    def test_multipart_value_of_several_lines(self, moad, kvm):
        command = "echo one\necho \"two\"; --x\r\n"
        body, content_type = multipart({**kvm.credentials, "command": command})
        kvm.ok("start")
        answer = moad.request("POST", "/v1/basicShell/exec", body=body, headers={"Content-Type": content_type})
        assert answer["message"] == command

    def test_query_in_post_with_empty_body(self, moad, kvm):
        answer = moad.request("POST", f"/v1/{SERVICE}?{form(kvm.credentials)}", body="",
                              headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert answer["error"] == 0

    def test_query_in_post_without_any_body(self, moad, kvm):
        data = f"POST /v1/{SERVICE}?{form(kvm.credentials)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" \
               "Content-Length: 0\r\n\r\n"
        assert b'"error":0' in moad.raw(data.encode())

    def test_get_with_json_content_type_and_no_body(self, moad, kvm):
        answer = moad.request("GET", f"/v1/{SERVICE}?{form(kvm.credentials)}", headers={"Content-Type": "application/json"})
        assert answer["error"] == 0

    def test_json_body(self, moad, kvm):
        answer = moad.request("POST", f"/v1/{SERVICE}", body=json.dumps({"veid": kvm.veid, "api_key": kvm.key}),
                              headers={"Content-Type": "application/json"})
        assert answer["error"] == 0

    def test_json_body_with_charset_and_text_veid(self, moad, kvm):
        answer = moad.request("POST", f"/v1/{SERVICE}", body=json.dumps(kvm.credentials),
                              headers={"Content-Type": "application/json; charset=utf-8"})
        assert answer["error"] == 0

    @pytest.mark.parametrize("body", ["{", "[]", "5", '"x"', '{"veid":1} x', '{"veid":1,"veid":2}'])
    def test_bad_json_body(self, moad, kvm, body):
        answer = moad.request("POST", f"/v1/{SERVICE}?{form(kvm.credentials)}", body=body,
                              headers={"Content-Type": "application/json"})
        assert answer.status == 200 and answer["error"] == 700002

    def test_changing_call_by_get(self, kvm):
        kvm.ok("setHostname", {"newHostname": "by-get.example.com"})
        assert kvm.ok(SERVICE)["hostname"] == "by-get.example.com"
        kvm.ok("setHostname", {"newHostname": "kvm.example.com"}, method="POST")

    def test_https(self, kvm):
        assert kvm.ok(SERVICE, tls=True)["hostname"] == "kvm.example.com"
        assert kvm.ok(SERVICE, tls=True, method="POST")["hostname"] == "kvm.example.com"

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_tls_versions(self, moad, version):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        with socket.create_connection(("127.0.0.1", moad.https_port), timeout=10) as peer:
            with context.wrap_socket(peer) as secure:
                secure.sendall(b"GET /v1/start HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert secure.recv(20).startswith(b"HTTP/1.1 200")

    def test_old_tls_is_refused(self, moad):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", moad.https_port), timeout=10) as peer:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                context.wrap_socket(peer).close()


class TestMerging:
    def test_body_wins_over_query(self, moad, kvm):
        answer = moad.request("POST", f"/v1/{SERVICE}?veid=1&api_key=wrong", body=form(kvm.credentials),
                              headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert answer["error"] == 0
        answer = moad.request("POST", f"/v1/{SERVICE}?{form(kvm.credentials)}", body="api_key=wrong",
                              headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert answer["error"] == 700005

    def test_multipart_and_json_bodies_win_too(self, moad, kvm):
        body, content_type = multipart(kvm.credentials)
        for text, kind in [(body, content_type), (json.dumps(kvm.credentials), "application/json")]:
            answer = moad.request("POST", f"/v1/{SERVICE}?veid=1&api_key=wrong", body=text, headers={"Content-Type": kind})
            assert answer["error"] == 0

    def test_query_and_body_merge(self, moad, kvm):
        answer = moad.request("POST", f"/v1/{SERVICE}?veid={kvm.veid}", body=f"api_key={kvm.key}",
                              headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert answer["error"] == 0

    def test_last_of_a_kind_wins(self, moad, kvm):
        assert moad.request("GET", f"/v1/{SERVICE}?api_key=wrong&{form(kvm.credentials)}")["error"] == 0

    def test_unknown_parameters_are_ignored(self, kvm):
        kvm.ok(SERVICE, {"x": "y", "ip": "", "callback": "alert(1)", "VEIDS": "7", "": "z"})


class TestPaths:
    @pytest.mark.parametrize("path", ["/v1/{}", "//v1/{}", "///v1/{}", "/v1//{}", "/v1/{}/", "//v1/{}/"])
    def test_slashes(self, moad, kvm, path):
        assert moad.request("GET", f"{path.format(SERVICE)}?{form(kvm.credentials)}")["error"] == 0

    @pytest.mark.parametrize("path", ["/v1/{}&", "//v1/{}&", "/v1/{}/&"])
    def test_ampersand_in_the_path(self, moad, kvm, path):
        assert moad.request("GET", f"{path.format(SERVICE)}{form(kvm.credentials)}")["error"] == 0

    def test_ampersand_in_the_path_is_decoded(self, moad, kvm):
        kvm.ok("start")
        query = form({**kvm.credentials, "command": "echo a b&c=d%+/ä"})
        assert moad.request("GET", f"/v1/basicShell/exec&{query}")["message"] == "echo a b&c=d%+/ä"

    def test_ampersand_and_question_mark(self, moad, kvm):
        assert moad.request("GET", f"/v1/{SERVICE}&veid={kvm.veid}?api_key={kvm.key}")["error"] == 0

    def test_absolute_form(self, moad, kvm):
        data = f"GET http://localhost/v1/{SERVICE}?{form(kvm.credentials)} HTTP/1.1\r\nHost: localhost\r\n" \
               "Connection: close\r\n\r\n"
        assert b'"error":0' in moad.raw(data.encode())


class TestNames:
    @pytest.mark.parametrize("name", ["newHostname", "NewHostname", "newhostname", "new_hostname", "NEW_HOST_NAME"])
    def test_case_and_underscores(self, kvm, name):
        kvm.ok("setHostname", {name: "tolerant.example.com"})
        assert kvm.ok(SERVICE)["hostname"] == "tolerant.example.com"
        kvm.ok("setHostname", {"newHostname": "kvm.example.com"})

    def test_credentials_too(self, moad, kvm):
        assert moad.call(SERVICE, {"VEID": kvm.veid, "apiKey": kvm.key})["error"] == 0

    def test_ssh_keys(self, kvm):
        key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@home"
        kvm.ok("updateSshKeys", {"sshKeys": key})
        assert kvm.ok("getSshKeys")["ssh_keys_veid"] == key
        kvm.ok("updateSshKeys", {"ssh_keys": ""})
        assert kvm.ok("getSshKeys")["ssh_keys_veid"] == ""

    def test_a_hyphen_is_no_underscore(self, kvm):
        assert kvm.call("setHostname", {"new-hostname": "x.y"})["error"] == 700001


class TestAnswer:
    def test_content_type(self, moad, kvm):
        for answer in [kvm.ok(SERVICE), moad.call("nonsense"), moad.call(SERVICE)]:
            assert answer.status == 200
            assert answer.headers["content-type"] == "text/plain;charset=UTF-8"
            assert int(answer.headers["content-length"]) == len(answer.body)

    def test_one_line_without_spaces_between(self, kvm):
        for name in [SERVICE, "getAvailableOS", "getSshKeys", "getRateLimitStatus"]:
            answer = kvm.ok(name)
            assert answer.text == json.dumps(answer.json, separators=(",", ":")).replace("/", "\\/")

    def test_escapes(self, kvm):
        kvm.ok("start")
        answer = kvm.call("basicShell/exec", {"command": "/ä€😀\"\\\n\t\x01\x7f"})
        assert answer.body == b'{"error":0,"message":"\\/\\u00e4\\u20ac\\ud83d\\ude00\\"\\\\\\n\\t\\u0001\x7f"}'

    def test_what_is_no_utf8_stays_json(self, moad, kvm):
        kvm.ok("start")
        body = form(kvm.credentials) + "&command=a%ff%c0%af%ed%a0%80b"
        answer = moad.request("POST", "/v1/basicShell/exec", body=body,
                              headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert answer["message"] == "a" + "\ufffd" * 6 + "b"

    def test_keep_alive(self, moad, kvm):
        with contextlib.closing(moad.connect()) as connection:
            connection.connect()
            port = connection.sock.getsockname()[1]
            for _ in range(20):
                connection.request("GET", f"/v1/{SERVICE}?{form(kvm.credentials)}")
                assert json.loads(connection.getresponse().read())["error"] == 0
                assert connection.sock.getsockname()[1] == port

    def test_keep_alive_over_calls_that_wait(self, moad, kvm):
        with contextlib.closing(moad.connect(tls=True)) as connection:
            for name in ["start", "getLiveServiceInfo", SERVICE, "stop", "start"]:
                connection.request("POST", f"/v1/{name}", body=form(kvm.credentials),
                                   headers={"Content-Type": "application/x-www-form-urlencoded"})
                assert json.loads(connection.getresponse().read())["error"] == 0

    def test_pipelined_requests_are_answered_in_order(self, moad, kvm):
        one = f"GET /v1/{{}}?{form(kvm.credentials)} HTTP/1.1\r\nHost: x\r\nConnection: {{}}\r\n\r\n"
        names = [SERVICE, "getLiveServiceInfo", "getRateLimitStatus", "nonsense"]
        ways = ["keep-alive"] * 3 + ["close"]
        data = moad.raw("".join(map(one.format, names, ways)).encode())
        bodies = [part.split(b"\r\n\r\n", 1)[1] for part in data.split(b"HTTP/1.1 200")[1:]]
        assert [json.loads(body).get("veid") for body in bodies] == [None, kvm.veid, None, None]
        assert json.loads(bodies[3])["error"] == 700004

    def test_http_1_0(self, moad, kvm):
        data = moad.raw(f"GET /v1/{SERVICE}?{form(kvm.credentials)} HTTP/1.0\r\n\r\n".encode())
        assert data.startswith(b"HTTP/1.") and b'"error":0' in data

    def test_head_has_no_body(self, moad, kvm):
        with contextlib.closing(moad.connect()) as connection:
            connection.request("HEAD", f"/v1/{SERVICE}?{form(kvm.credentials)}")
            assert connection.getresponse().read() == b""

    def test_chunked_body(self, moad, kvm):
        with contextlib.closing(moad.connect()) as connection:
            chunks = [piece.encode() for piece in (f"veid={kvm.veid}&api_", f"key={kvm.key}")]
            connection.request("POST", f"/v1/{SERVICE}", body=iter(chunks), encode_chunked=True,
                               headers={"Content-Type": "application/x-www-form-urlencoded", "Transfer-Encoding": "chunked"})
            assert json.loads(connection.getresponse().read())["error"] == 0

    def test_plain_http_on_the_tls_port_is_refused(self, moad):
        connection = http.client.HTTPConnection("127.0.0.1", moad.https_port, timeout=10)
        with contextlib.closing(connection), pytest.raises((http.client.HTTPException, OSError)):
            connection.request("GET", "/v1/start")
            connection.getresponse()
