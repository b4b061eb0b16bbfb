"""Commands, scripts, passwords, keys and names: the calls that reach into a running guest."""
import base64
import random
import string

import pytest
from moa import eventually


# ---- basicShell ----

def test_exec_gives_exit_status_and_output(guest):
    assert guest.call("basicShell/exec", command="echo to the operator >&2; exit 7") == {
        "error": 7, "message": "to the operator\n"}


def test_exec_keeps_newlines_at_the_end(guest):
    assert guest.run("printf 'a\\n\\n\\n'") == "a\n\n\n"
    assert guest.run("true") == ""


def test_exec_of_what_is_no_text(guest):
    answer = guest.call.raw("basicShell/exec", command="printf 'a\\0b\\377\\303\\251\\033[0m'; head -c 4096 /dev/urandom")
    assert answer.status == 200 and answer.body.isascii()
    message = answer["message"]
    assert message.startswith("a\0b") and "é\x1b[0m" in message


def test_exec_runs_as_root_in_its_home(guest):
    assert guest.run("id -un; pwd; echo $HOME") == "root\n/root\n/root\n"


def test_exec_of_endless_output_is_bounded(guest):
    answer = guest.call("basicShell/exec", command="yes")
    assert answer["error"] != 0
    assert len(answer["message"]) <= 1 << 20
    eventually("`yes` is gone", lambda: guest.run("pgrep -x yes; true") == "", 60)


def test_exec_is_killed_after_its_time(guest):
    answer = guest.call("basicShell/exec", command="sleep 1000")
    assert answer["error"] == 700010 and "30 seconds" in answer["message"]
    eventually("`sleep` is gone", lambda: guest.run("pgrep -x sleep; true") == "", 60)


def test_exec_of_a_megabyte(guest):
    filler = "".join(random.Random(1).choices(string.ascii_letters, k=2**20 - 40))
    assert guest.run(f"x={filler}; echo ${{#x}}") == f"{len(filler)}\n"


def test_exec_of_more_is_refused(guest):
    answer = guest.call("basicShell/exec", command="#" * (2**20 + 1))
    assert answer["error"] == 700002 and "command" in answer["message"]


@pytest.mark.parametrize("command, output", [
    ("echo '\"' \"'\"", "\" '\n"),
    ("echo a\necho b", "a\nb\n"),
    ("echo $(echo '$HOME') `echo b`; echo '\\n'", "$HOME b\n\\n\n"),
    ("echo '../../etc/passwd' '%s' '%00'", "../../etc/passwd %s %00\n"),
    ("echo 'ünïcödé 漢字'", "ünïcödé 漢字\n"),
])
def test_exec_takes_a_command_as_it_is(guest, command, output):
    assert guest.run(command) == output


def test_exec_refuses_a_nul(guest):
    answer = guest.call("basicShell/exec", command="echo a\0echo b")
    assert answer["error"] == 700002, answer


def test_commands_run_beside_each_other(guest):
    """Ten at once, each with an answer of its own."""
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda i: guest.run(f"cat /proc/uptime >/dev/null; echo {i}"), range(10)))
    assert answers == [f"{i}\n" for i in range(10)]


def test_cd(guest):
    assert guest.call.ok("basicShell/cd", currentDir="/usr", newDir="share")["pwd"] == "/usr/share"
    assert guest.call.ok("basicShell/cd", currentDir="/usr/share", newDir="../../etc")["pwd"] == "/etc"
    guest.run("mkdir -p \"/root/it's \\\"a\\\" \n folder\"")
    assert guest.call.ok("basicShell/cd", currentDir="/root", newDir="it's \"a\" \n folder")["pwd"] == \
        "/root/it's \"a\" \n folder"


@pytest.mark.parametrize("folder", ["/nowhere", "/etc/passwd", "$(touch /root/pwned)", "; touch /root/pwned", "-x", "a" * 4096])
def test_cd_to_what_is_no_folder(guest, folder):
    answer = guest.call("basicShell/cd", currentDir="/root", newDir=folder)
    assert answer["error"] == 722103 and answer["message"]
    guest.run("test -e /root/pwned", status=1)


# ---- shellScript ----

def log_of(guest, script):
    answer = guest.call.ok("shellScript/exec", script=script)
    assert answer["output_stream_id"]
    return answer["log"]


def test_script_is_detached_and_its_log_can_be_read(guest):
    log = log_of(guest, "echo begin\nwhile [ ! -e /root/go-on ]; do sleep 0.2; done\necho end >&2\n")
    eventually("the script has begun", lambda: guest.run(f"cat {log}") == "begin\n", 120, 0.5)
    guest.run("touch /root/go-on")
    eventually("the script has ended", lambda: guest.run(f"cat {log}") == "begin\nend\n", 120, 0.5)
    guest.run("rm /root/go-on")


def test_script_with_an_interpreter_of_its_own(guest):
    log = log_of(guest, "#!/usr/bin/python3\nprint(6 * 7)\n")
    eventually("it has run", lambda: guest.run(f"cat {log}") == "42\n", 120, 0.5)


def test_script_of_a_megabyte(guest):
    log = log_of(guest, "echo big\n" + "#" * (2**20 - 100) + "\necho end\n")
    eventually("it has run", lambda: guest.run(f"cat {log}") == "big\nend\n", 120, 0.5)


# ---- password, keys, name ----

def test_reset_root_password(guest):
    before = guest.created["root_password"]
    password = guest.call.ok("resetRootPassword")["password"]
    assert len(password) == 12 and password.isalnum() and password != before
    assert guest.ssh("id -u", password=password) == "0\n"
    assert guest.refuses(before)


def make_key(comment):
    seed = random.randbytes(32)
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0 " + seed
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} {comment}"


def test_ssh_keys(guest, host):
    of_account = host.key.with_suffix(".pub").read_text().strip()
    own = [make_key("first"), make_key("second")]
    guest.call.ok("updateSshKeys", ssh_keys="\n".join(own))
    keys = guest.call.ok("getSshKeys")
    assert keys["ssh_keys_veid"] == keys["ssh_keys_preferred"] == "\n".join(own)
    assert keys["ssh_keys_user"] == of_account
    assert "first" in keys["shortened_ssh_keys_veid"] and len(keys["shortened_ssh_keys_veid"]) < len("\n".join(own))
    assert guest.call("updateSshKeys", ssh_keys="not a key")["error"] == 700002
    guest.call.ok("updateSshKeys", ssh_keys="")
    keys = guest.call.ok("getSshKeys")
    assert keys["ssh_keys_veid"] == "" and keys["ssh_keys_preferred"] == of_account


@pytest.mark.parametrize("name", ["", "-a", "a b", "a;reboot", "a\nb", "../a", "a'b", 'a"b', "a" * 64 + ".example.com", "$(id)",
                                  "a..b", "a.example.com\0", "x" * 2**20])
def test_bad_host_names_are_refused(guest, name):
    before = guest.info()["hostname"]
    assert guest.call("setHostname", newHostname=name)["error"] in (700001, 700002)
    assert guest.info()["hostname"] == before == guest.run("hostname").strip()
    assert guest.is_booted()


def test_host_name_is_set_inside(guest):
    guest.call.ok("setHostname", newHostname=f"new-{guest.veid}.example.org")
    assert guest.info()["hostname"] == f"new-{guest.veid}.example.org"
    assert guest.run("hostname; cat /etc/hostname") == f"new-{guest.veid}.example.org\n" * 2
    assert guest.run(f"getent hosts new-{guest.veid}").split()[0] == "127.0.1.1"


# ---- live figures ----

def test_live_info_of_a_machine(machine):
    live = machine.call.ok("getLiveServiceInfo", timeout_s=20)
    assert list(live)[0] == "vm_type" and list(live)[-2:] == ["error", "veid"] and live["veid"] == machine.veid
    assert live["ve_status"] == "running" and live["ve_disk_quota_gb"] == "3" and live["ssh_port"] == machine.ssh_port
    assert live["live_hostname"] == machine.run("hostname").strip()
    assert len(live["load_average"].split()) == 5
    assert 0 < live["mem_available_kb"] < 512 * 1024
    assert live["swap_total_kb"] == live["swap_available_kb"] == 0


def png_rows(data):
    """Checks a PNG, and gives its width, height and bytes a row as decoded."""
    import struct
    import zlib
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, pixels, header = 8, b"", None
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack(">I", data[at + 8 + length:at + 12 + length])[0]
        at += 12 + length
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            pixels += body
    assert kind == b"IEND" and at == len(data)
    width, height, depth, colour, *_ = header
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    rows = zlib.decompress(pixels)
    assert len(rows) == height * (1 + (width * channels * depth + 7) // 8)
    return width, height, rows


def test_screen_of_a_machine(machine):
    live = machine.call.ok("getLiveServiceInfo", timeout_s=20)
    width, height, rows = png_rows(base64.b64decode(live["screendump_png_base64"], validate=True))
    assert (width, height) in ((720, 400), (640, 480), (1024, 768), (1280, 800), (800, 600))
    assert len(set(rows)) > 2, "a console with text is not all of one colour"


def test_live_info_of_a_container(container):
    live = container.call.ok("getLiveServiceInfo", timeout_s=20)
    status, quota = live["vz_status"], live["vz_quota"]
    assert all(isinstance(value, str) for value in [*status.values(), *quota.values()])
    assert status["status"] == "running" and int(status["nproc"]) >= 5 and int(status["nproc_b"]) == 256
    assert 0 < int(status["oomguarpages"]) * 4096 < 512 << 20
    assert status["hostname"] == container.run("hostname").strip()
    assert len(status["load_average"].split("/")) == 3
    assert int(quota["softlimit_kb"]) == 3 << 20 and 0 < int(quota["occupied_inodes"]) < int(quota["softlimit_inodes"])
    assert live["ssh_port"] == container.ssh_port and live["ve_status"] == "running"


def used_disk(guest):
    live = guest.call.ok("getLiveServiceInfo", timeout_s=20)
    return live["ve_used_disk_space_b"], int(live.get("vz_quota", {}).get("occupied_kb", 0)) * 1024


def test_disk_in_use_follows_what_is_written(guest):
    before = used_disk(guest)
    guest.run("dd if=/dev/urandom of=/root/written bs=1M count=64 conv=fsync status=none")
    after = used_disk(guest)
    assert after[0] - before[0] > 60 << 20
    if guest.type == "ovz":
        assert after[1] - before[1] > 60 << 20
    guest.run("rm /root/written; sync; fstrim / 2>/dev/null; true")


def test_memory_in_use_follows_what_is_taken(guest):
    hold = "import time\nx = b'a' * (120 << 20)\nopen('/root/held', 'w')\ntime.sleep(3600)"
    before = guest.call.ok("getLiveServiceInfo", timeout_s=20)["mem_available_kb"]
    guest.call.ok("shellScript/exec", script=f"#!/usr/bin/python3\n{hold}\n")
    eventually("the memory is taken", lambda: guest.call("basicShell/exec", command="test -e /root/held")["error"] == 0, 300, 1)
    after = guest.call.ok("getLiveServiceInfo", timeout_s=20)["mem_available_kb"]
    guest.run("pkill -f moa-script-; rm /root/held")
    assert before - after > 80 << 10


def test_load_follows_what_runs(guest):
    """The load is a moving average: it is awaited, not looked at once."""
    guest.call.ok("shellScript/exec", script="for i in 1 2 3; do timeout 300 sh -c 'while :; do :; done' & done; wait")

    def load():
        live = guest.call.ok("getLiveServiceInfo", timeout_s=20)
        return float(live["load_average"].split()[0]) if live["load_average"] else 0.0

    eventually("the load has risen", lambda: load() > 0.7, 280, 2)
    guest.run("pkill timeout; true")
