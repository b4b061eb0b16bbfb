"""The operator's command: tables, JSON, words and exit statuses."""
import csv
import io
import json
import os
import re
import subprocess

import harness
import pytest

OK, FAILED, USAGE, UNREACHABLE, NOT_FOUND, LOCKED = range(6)
HEADER = "VEID,VM_TYPE,HOSTNAME,PRIMARY_IP,IS_TERMINATED,IS_2FA_ENABLED,API_KEY"


def refused(moad, status, words, *arguments):
    done = moad.run_ctl(*arguments)
    assert done.returncode == status, done
    assert words in done.stderr, done.stderr
    assert done.stdout == "" or status == USAGE
    return done.stderr


class TestHelp:
    def test_overview_names_every_verb(self, moad):
        done = moad.run_ctl("--help")
        assert done.returncode == OK
        for verb in ["vps create", "vps delete", "template build", "export-keys", "doctor", "pool set", "account add"]:
            assert f"  {verb} " in done.stdout

    def test_noun_and_verb(self, moad):
        noun = moad.run_ctl("vps", "--help")
        assert noun.returncode == OK and "vps create" in noun.stdout
        verb = moad.run_ctl("vps", "create", "--help")
        assert verb.returncode == OK
        for option in ["--type", "--plan", "--account", "--os", "--hostname", "--ssh-keys", "--stopped"]:
            assert option in verb.stdout

    def test_version(self, moad):
        assert re.match(r"moactl \d+\.\d+", moad.run_ctl("--version").stdout)

    def test_help_needs_no_daemon(self):
        done = subprocess.run([harness.MOACTL, "--socket", "/nonexistent", "plan", "set", "--help"], capture_output=True,
                              text=True, timeout=20, check=False)
        assert done.returncode == OK and "--disk" in done.stdout


class TestUsage:
    def test_nothing(self, moad):
        assert moad.run_ctl().returncode == USAGE

    @pytest.mark.parametrize("arguments", [["nonsense"], ["vps", "nonsense"], ["--nonsense"], ["vps", "list", "--nonsense"],
                                           ["vps", "list", "extra"], ["vps", "show"], ["vps", "create", "--type"],
                                           ["vps", "show", "1", "2"], ["vps"], ["-x"]])
    def test_wrong_words(self, moad, arguments):
        done = moad.run_ctl(*arguments)
        assert done.returncode == USAGE
        assert done.stderr or done.stdout

    def test_an_option_twice(self, moad):
        refused(moad, USAGE, "given twice", "vps", "list", "--account", "a@b.c", "--account", "d@e.f")

    def test_missing_ones_say_what_they_take(self, moad):
        assert "--ram" in refused(moad, USAGE, "missing", "plan", "set", "x", "--disk", "10G")
        refused(moad, USAGE, "kvm or ovz", "vps", "create")

    @pytest.mark.parametrize("arguments,words", [
        (["account", "add", "no-address"], "email takes an email address"),
        (["plan", "set", "bad name", "--disk", "10G", "--ram", "1G"], "name takes a name"),
        (["plan", "set", "p", "--disk", "1", "--ram", "1G"], "disk takes a size"),
        (["plan", "set", "p", "--disk", "10X", "--ram", "1G"], "disk takes a size"),
        (["location", "set", "lower", "--name", "x"], "id takes a location"),
        (["vps", "show", "abc"], "veid takes a whole number"),
        (["node", "set", "n", "--location", "HOME_1", "--ip", "::1"], "ip takes an IPv4 address"),
    ])
    def test_bad_values(self, moad, arguments, words):
        refused(moad, USAGE, words, *arguments)


class TestErrors:
    def test_no_daemon(self):
        done = subprocess.run([harness.MOACTL, "--socket", "/nonexistent/admin.sock", "vps", "list"], capture_output=True,
                              text=True, timeout=20, check=False)
        assert done.returncode == UNREACHABLE and "Does it run" in done.stderr

    def test_socket_from_the_environment(self, moad):
        done = subprocess.run([harness.MOACTL, "plan", "list"], capture_output=True, text=True, timeout=20, check=False,
                              env={"MOA_ADMIN_SOCKET": moad.socket_path})
        assert done.returncode == OK

    def test_unknown_things_and_how_to_make_them(self, moad, kvm):
        create = ["vps", "create", "--type", "kvm", "--os", "debian-12-x86_64", "--hostname", "a.b"]
        refused(moad, NOT_FOUND, "There is no VPS 999", "vps", "show", "999")
        refused(moad, NOT_FOUND, "moactl account add", *create, "--plan", "kvmv5-40g-2048m", "--account", "nobody@x.y")
        refused(moad, NOT_FOUND, "moactl plan set", *create, "--plan", "none", "--account", "customer@example.com")
        refused(moad, NOT_FOUND, "debian-12-x86_64", "vps", "create", "--type", "kvm", "--os", "windows", "--hostname", "a.b",
                "--plan", "kvmv5-40g-2048m", "--account", "customer@example.com")
        refused(moad, NOT_FOUND, "There is no work", "work", "show", "999999")
        refused(moad, NOT_FOUND, "", "plan", "remove", "none", "--yes")

    def test_what_is_in_use_stays(self, moad, kvm):
        refused(moad, FAILED, "", "plan", "remove", "kvmv5-40g-2048m", "--yes")
        refused(moad, FAILED, "", "account", "remove", "customer@example.com", "--yes")
        refused(moad, FAILED, "", "location", "remove", "HOME_1", "--yes")
        refused(moad, FAILED, "", "node", "remove", "node1", "--yes")
        refused(moad, FAILED, "", "pool", "remove", "node1-nat", "--yes")
        kvm.ok("getServiceInfo")

    def test_what_exists_is_not_added_twice(self, moad):
        assert refused(moad, FAILED, "", "account", "add", "Customer@Example.com").strip()

    def test_json_errors_go_to_standard_error(self, moad):
        done = moad.run_ctl("--json", "vps", "show", "999")
        assert done.returncode == NOT_FOUND and done.stdout == ""


class TestConfirmation:
    @pytest.mark.parametrize("arguments", [["vps", "delete"], ["vps", "key"], ["vps", "suspend"], ["vps", "kill"]])
    def test_nobody_to_ask(self, moad, kvm, arguments):
        done = moad.run_ctl(*arguments, kvm.veid)
        assert done.returncode == USAGE and "--yes" in done.stderr
        kvm.ok("getServiceInfo")

    @pytest.mark.parametrize("word,status", [(b"n\n", USAGE), (b"\n", USAGE), (b"y\n", OK)])
    def test_asked_on_a_terminal(self, moad, word, status):
        name = f"asked{len(word)}{word[0]}@example.com"
        moad.ctl("account", "add", name)
        ours, theirs = os.openpty()
        try:
            os.write(ours, word)
            done = moad.run_ctl("account", "remove", name, stdin=theirs)
        finally:
            os.close(ours)
            os.close(theirs)
        assert done.returncode == status and "Go on?" in done.stderr
        there = name in [account["email"] for account in moad.ctl("account", "list")["accounts"]]
        assert there == (status != OK)


class TestTables:
    def test_list_of_vps(self, moad, kvm, ovz):
        lines = moad.run_ctl("vps", "list").stdout.splitlines()
        assert lines[0].split() == ["VEID", "TYPE", "HOSTNAME", "IP", "PLAN", "NODE", "ACCOUNT", "OS", "SSH", "PORT", "STATE"]
        row = next(line for line in lines if line.lstrip().startswith(str(kvm.veid)))
        assert row.split() == [str(kvm.veid), "kvm", "kvm.example.com", kvm.ip, "kvmv5-40g-2048m", "node1",
                               "customer@example.com", "debian-12-x86_64", str(kvm.ssh_port), "active"]
        assert len({line.index("kvm.example.com") for line in lines if "kvm.example.com" in line}) == 1

    def test_columns_stand_below_each_other(self, moad):
        moad.ctl("plan", "set", "a-plan-with-a-rather-long-name", "--disk", "1T", "--ram", "64G")
        lines = moad.run_ctl("plan", "list").stdout.splitlines()
        assert len({len(line) for line in lines}) == 1
        assert "1.0 TiB" in lines[1] or any("1.0 TiB" in line for line in lines)
        moad.ctl("plan", "remove", "a-plan-with-a-rather-long-name", "--yes")

    def test_an_empty_list_says_so(self, moad):
        assert moad.run_ctl("work", "list").stdout == "No works.\n"

    def test_only_one_account(self, moad, kvm):
        assert moad.ctl("vps", "list", "--account", "nobody@example.com")["vps"] == []
        assert kvm.veid in [vps["veid"] for vps in moad.ctl("vps", "list", "--account", "customer@example.com")["vps"]]

    def test_show(self, moad, ovz):
        text = moad.run_ctl("vps", "show", ovz.veid).stdout
        fields = dict(line.split(None, 1) for line in text.splitlines())
        assert fields["veid"] == str(ovz.veid) and fields["hostname"] == "ovz.example.com" and fields["disk"] == "41 GiB"
        assert fields["power"] in ("running", "stopped")
        shown = moad.ctl("vps", "show", ovz.veid)
        assert list(shown)[:4] == ["error", "veid", "type", "state"] and shown["ip_addresses"] == [ovz.ip]

    def test_done_is_said(self, moad):
        assert moad.run_ctl("location", "set", "DEDE_1", "--name", "DE, Berlin").stdout == "Done.\n"
        entry = next(row for row in moad.ctl("location", "list")["locations"] if row["id"] == "DEDE_1")
        assert entry["name"] == "DE, Berlin" and entry["datacenter"] == "DE, Berlin" and entry["ipv6_ready"] is False
        assert moad.run_ctl("location", "remove", "DEDE_1", "--yes").returncode == OK

    def test_a_name_does_not_drive_the_terminal(self, moad):
        moad.ctl("location", "set", "EVIL_1", "--name", "a\x1b[2Jb\nc")
        text = moad.run_ctl("location", "list").stdout
        assert "\x1b" not in text and "EVIL_1  a?[2Jb?c" in text
        moad.ctl("location", "remove", "EVIL_1", "--yes")

    def test_global_options_before_and_after(self, moad):
        for arguments in [["--json", "plan", "list"], ["plan", "list", "--json"], ["plan", "--json", "list"]]:
            done = moad.run_ctl(*arguments)
            if arguments[1] != "--json":
                assert json.loads(done.stdout)["error"] == 0


class TestLife:
    @pytest.mark.parametrize("kind", ["kvm", "ovz"])
    def test_create_prints_everything_once(self, moad, kind):
        done = moad.run_ctl("vps", "create", "--type", kind, "--plan", "kvmv5-40g-2048m", "--account", "customer@example.com",
                            "--os", "ubuntu-24.04-x86_64", "--hostname", "life.example.com")
        assert done.returncode == OK, done.stderr
        fields = dict(line.split(None, 1) for line in done.stdout.splitlines())
        assert re.fullmatch("private_[A-Za-z0-9]{24}", fields["api_key"])
        assert re.fullmatch("[A-Za-z0-9]{12}", fields["root_password"])
        veid = fields["veid"]
        assert moad.ctl("vps", "show", veid)["power"] == "running"
        assert "%" in done.stderr or done.stderr == ""
        moad.ctl("vps", "stop", veid)
        assert moad.ctl("vps", "show", veid)["power"] == "stopped"
        moad.ctl("vps", "start", veid)
        moad.ctl("vps", "restart", veid)
        moad.ctl("vps", "kill", veid, "--yes")
        moad.ctl("vps", "delete", veid, "--yes")
        shown = moad.ctl("vps", "show", veid)
        assert shown["state"] == "deleted" and shown["purge_at"] > shown["created"]
        refused(moad, FAILED, "--now", "vps", "delete", veid, "--yes")
        moad.ctl("vps", "undelete", veid)
        assert moad.ctl("vps", "show", veid)["state"] == "active"
        refused(moad, FAILED, "not deleted", "vps", "undelete", veid)
        moad.ctl("vps", "delete", veid, "--yes", "--now")
        refused(moad, NOT_FOUND, "There is no VPS", "vps", "show", veid)

    def test_created_stopped(self, moad):
        vps = moad.create("kvm", "stopped.example.com", "--stopped")
        assert vps.ok("getLiveServiceInfo")["ve_status"] == "stopped"

    def test_keys_from_a_file(self, moad, tmp_path):
        key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f file"
        path = tmp_path / "keys"
        path.write_text(key + "\n")
        vps = moad.create("ovz", "file.example.com", "--ssh-keys", f"@{path}")
        assert vps.ok("getSshKeys")["ssh_keys_veid"] == key
        refused(moad, USAGE, "cannot be read", "account", "add", "x@y.z", "--ssh-keys", f"@{path}.none")

    def test_addresses_and_ports_are_given_once(self, moad):
        several = [moad.create("kvm", f"n{i}.example.com", "--stopped") for i in range(5)]
        assert len({vps.ip for vps in several}) == len({vps.ssh_port for vps in several}) == 5
        assert all(1024 <= vps.ssh_port <= 32767 for vps in several)

    def test_two_creations_at_once(self, moad):
        command = [harness.MOACTL, "--socket", moad.socket_path, "--json", "vps", "create", "--type", "kvm", "--plan",
                   "kvmv5-40g-2048m", "--account", "customer@example.com", "--os", "debian-12-x86_64", "--hostname", "a.b.c"]
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(6)]
        created = [json.loads(one.communicate(timeout=60)[0]) for one in running]
        assert all(one.returncode == OK for one in running)
        for key in ["veid", "ip", "ssh_port", "api_key"]:
            assert len({one[key] for one in created}) == 6

    def test_no_wait(self, moad):
        vps = moad.create("kvm", "no-wait.example.com")
        work = moad.ctl("vps", "delete", vps.veid, "--yes", "--no-wait")["work"]
        harness.wait_until(lambda: moad.ctl("work", "show", work)["state"] == "done", "the work to end")
        assert work in [entry["id"] for entry in moad.ctl("work", "list", "--all")["works"]]

    def test_templates_of_a_simulation(self, moad):
        done = moad.run_ctl("template", "build", "debian-12-x86_64")
        assert done.returncode == FAILED and "simulates" in done.stderr
        assert len(moad.ctl("template", "list")["templates"]) == 4

    def test_doctor(self, moad):
        done = moad.run_ctl("doctor")
        assert done.returncode == OK and "simulated" in done.stdout

    def test_pools(self, own_moad):
        with own_moad().start() as server:
            server.add_customer()
            server.ctl("pool", "remove", "node1-nat", "--yes")
            server.ctl("pool", "set", "tiny", "--node", "node1", "--cidr", "192.0.2.0/29", "--gateway", "192.0.2.1", "--first",
                       "192.0.2.2", "--last", "192.0.2.3")
            first, second = server.create("kvm"), server.create("ovz")
            assert (first.ip, second.ip) == ("192.0.2.2", "192.0.2.3")
            pool = server.ctl("pool", "list")["pools"][0]
            assert (pool["used"], pool["total"], pool["range"]) == (2, 2, "192.0.2.2-192.0.2.3")
            refused(server, FAILED, "address", "vps", "create", "--type", "kvm", "--plan", "kvmv5-40g-2048m", "--account",
                    "customer@example.com", "--os", "debian-12-x86_64", "--hostname", "full.example.com")
            assert len(server.ctl("vps", "list")["vps"]) == 2
            server.ctl("vps", "delete", first.veid, "--yes", "--now")
            assert server.create("kvm").ip == "192.0.2.2"


class TestExportKeys:
    def test_csv(self, moad, kvm, ovz):
        done = moad.run_ctl("export-keys")
        assert done.returncode == OK
        assert done.stdout.splitlines()[0] == HEADER
        rows = {row["VEID"]: row for row in csv.DictReader(io.StringIO(done.stdout))}
        row = rows[str(kvm.veid)]
        assert (row["VM_TYPE"], row["HOSTNAME"], row["PRIMARY_IP"], row["IS_TERMINATED"], row["IS_2FA_ENABLED"]) == (
            "kvm", "kvm.example.com", kvm.ip, "0", "0")
        assert re.fullmatch("private_[A-Za-z0-9]{24}", row["API_KEY"])
        assert moad.call("getServiceInfo", {"veid": kvm.veid, "api_key": row["API_KEY"]})["error"] == 0
        kvm.ok("getServiceInfo")

    def test_of_one_account(self, moad, kvm):
        assert moad.run_ctl("export-keys", "--account", "nobody@example.com").stdout == HEADER + "\n"
