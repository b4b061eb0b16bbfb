"""The processes: brought back when killed, ended in order, certificates read again, nothing left behind."""
import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import urllib.parse

import harness
import pytest


@pytest.fixture
def served(own_moad):
    server = own_moad().start()
    server.add_customer()
    vps = server.create("kvm")
    return server, vps


def certificate(server):
    return ssl.get_server_certificate(("127.0.0.1", server.https_port))


def answers(vps, name="getServiceInfo"):
    with contextlib.suppress(OSError):
        return vps.call(name)["error"] == 0
    return False


class TestKilled:
    def test_the_api_comes_back(self, served):
        server, vps = served
        for _ in range(2):
            before = server.supervisor.children()["api"]
            os.kill(before, signal.SIGKILL)
            harness.wait_until(lambda: answers(vps), "the api to serve again")
            after = server.supervisor.children()["api"]
            assert after != before
        vps.ok("getLiveServiceInfo")
        assert "was ended by signal 9" in server.log()

    def test_no_connection_is_refused_meanwhile(self, served):
        """The supervisor holds the sockets: whoever connects waits for the new one."""
        server, vps = served
        os.kill(server.supervisor.children()["api"], signal.SIGKILL)
        with socket.create_connection(("127.0.0.1", server.http_port), timeout=20) as peer:
            query = urllib.parse.urlencode(vps.credentials)
            peer.sendall(f"GET /v1/getServiceInfo?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            data = harness.read_all(peer)
        # Taken by the old one in its last moment, or answered by the new one.
        assert data == b"" or b'"error":0' in data
        harness.wait_until(lambda: answers(vps), "the api to serve again")

    def test_the_node_comes_back(self, served):
        server, vps = served
        os.kill(server.supervisor.children()["node"], signal.SIGKILL)
        vps.ok("getServiceInfo")
        harness.wait_until(lambda: answers(vps, "start"), "the node to serve again")
        assert vps.ok("getLiveServiceInfo")["ve_status"] == "running"

    def test_both_at_once(self, served):
        server, vps = served
        for pid in server.supervisor.children().values():
            os.kill(pid, signal.SIGKILL)
        harness.wait_until(lambda: answers(vps, "start"), "both to serve again")

    def test_children_follow_a_killed_supervisor_and_the_next_one_takes_over(self, served):
        server, vps = served
        children = server.supervisor.children()
        server.kill()
        assert not any(harness.is_alive(pid) for pid in children.values())
        server.start()
        vps.ok("start")


class TestEnd:
    def test_in_order(self, served):
        server, _ = served
        children = server.supervisor.children()
        assert server.stop() == 0
        assert not any(harness.is_alive(pid) for pid in children.values())
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", server.http_port), timeout=2)

    def test_requests_under_way_are_answered(self, served):
        """SIGTERM while calls wait for the node: each gets its answer."""
        server, vps = served
        node = server.supervisor.children()["node"]
        results = []
        os.kill(node, signal.SIGSTOP)
        try:
            threads = [threading.Thread(target=lambda: results.append(answers(vps, "getLiveServiceInfo"))) for _ in range(5)]
            for thread in threads:
                thread.start()
            harness.wait_until(lambda: self.established(server) >= 5, "the calls to be under way")
            os.kill(server.supervisor.children()["api"], signal.SIGTERM)
        finally:
            os.kill(node, signal.SIGCONT)
        for thread in threads:
            thread.join()
        assert results == [True] * 5

    def established(self, server):
        """Connections of the api's port that are open, as the kernel lists them (state 01)."""
        with open("/proc/net/tcp", encoding="ascii") as file:
            rows = [line.split() for line in file][1:]
        return sum(row[1].endswith(f":{server.http_port:04X}") and row[3] == "01" for row in rows)

    def test_sockets_are_taken_over_from_a_dead_one(self, served):
        server, vps = served
        server.kill()
        assert os.path.exists(server.socket_path)
        server.start()
        vps.ok("getServiceInfo")
        server.ctl("vps", "list")

    def test_a_second_node_on_one_state_is_refused(self, served):
        server, vps = served
        done = subprocess.run([harness.MOAD, "-c", server.settings_path, "node"], capture_output=True, text=True, timeout=30,
                              check=False)
        assert done.returncode == 1 and "another moad node" in done.stderr
        vps.ok("start")


class TestCertificate:
    def new_certificate(self, server):
        paths = [os.path.join(server.state_dir, "tls", name) for name in ("cert.pem", "key.pem")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=renewed.example.com", "-out", paths[0] + ".new", "-keyout", paths[1] + ".new"],
                       check=True, capture_output=True, timeout=30)
        for path in paths:
            owner = os.stat(path)
            os.chown(path + ".new", owner.st_uid, owner.st_gid)
            os.rename(path + ".new", path)

    def test_a_renewed_one_is_used_after_sighup(self, served):
        server, vps = served
        before = certificate(server)
        self.new_certificate(server)
        assert certificate(server) == before
        with contextlib.closing(server.connect(tls=True)) as open_before:
            open_before.connect()
            server.supervisor.signal(signal.SIGHUP)
            harness.wait_until(lambda: certificate(server) != before, "the new certificate")
            open_before.request("GET", "/v1/getServiceInfo?" + urllib.parse.urlencode(vps.credentials))
            assert json.loads(open_before.getresponse().read())["error"] == 0
        vps.ok("getServiceInfo", tls=True)

    def test_a_broken_one_changes_nothing(self, served):
        server, vps = served
        before = certificate(server)
        path = os.path.join(server.state_dir, "tls/cert.pem")
        with open(path, "w", encoding="ascii") as file:
            file.write("nonsense\n")
        server.supervisor.signal(signal.SIGHUP)
        harness.wait_until(lambda: "stays as it was" in server.log(), "the log to say so")
        assert certificate(server) == before
        vps.ok("getServiceInfo", tls=True)

    def test_it_survives_a_restart(self, served):
        server, _ = served
        before = certificate(server)
        server.stop()
        server.start()
        assert certificate(server) == before

    def test_its_key_is_the_apis_alone(self, served):
        server, _ = served
        status = os.stat(os.path.join(server.state_dir, "tls/key.pem"))
        assert status.st_mode & 0o077 == 0 and status.st_uid == 65534


class TestSettings:
    def check(self, tmp_path, text):
        path = tmp_path / "moad.conf"
        path.write_text(text)
        return subprocess.run([harness.MOAD, "-c", str(path), "check-config"], capture_output=True, text=True, timeout=20,
                              check=False)

    @pytest.mark.parametrize("text,words", [
        ("[api]\nnonsense = 1\n", "there is no setting nonsense"), ("[nonsense]\nhttp = 1\n", "there is no setting"),
        ("[api]\nworkers = many\n", "takes a whole number"), ("[node]\npool_size = big\n", "takes a size"),
        ("[node]\nnat = maybe\n", "takes yes or no"), ("[node]\nhypervisor = xen\n", "real or sim"),
        ("[moad]\nstate_dir = relative\n", "absolute"), ("[api\n", "line 1"), ("[node]\nname_prefix = Too_Long_Prefix\n", "name_prefix"),
    ])
    def test_wrong_ones_are_named(self, tmp_path, text, words):
        done = self.check(tmp_path, text)
        assert done.returncode == 2 and words in done.stderr

    def test_good_ones(self, tmp_path):
        done = self.check(tmp_path, "; a comment\n[api]\nhttp = 127.0.0.1:1\n[node]\nnat = no\npool_size = 20G\n")
        assert done.returncode == 0

    def test_a_missing_file(self):
        done = subprocess.run([harness.MOAD, "-c", "/nonexistent", "check-config"], capture_output=True, text=True, timeout=20,
                              check=False)
        assert done.returncode == 2 and "/nonexistent" in done.stderr

    def test_usage(self):
        for arguments, status in [(["--help"], 0), (["--version"], 0), (["nonsense"], 2), (["--nonsense"], 2), (["api", "x"], 2)]:
            done = subprocess.run([harness.MOAD, *arguments], capture_output=True, text=True, timeout=20, check=False)
            assert done.returncode == status

    def test_listening_nowhere(self, own_moad):
        server = own_moad({"api": {"https": ""}}).start()
        server.ctl("plan", "list")
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", server.https_port), timeout=2)

    def test_a_port_in_use_is_said(self, own_moad, served):
        server, _ = served
        other = own_moad({"api": {"http": f"127.0.0.1:{server.http_port}"}})
        with pytest.raises(AssertionError, match="did not come up"):
            other.start()
        assert "http" in other.log() and "in use" in other.log().lower()
