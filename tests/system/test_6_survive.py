"""What a host must live through: killed processes, libvirtd away, full disks, two orders at once, hostile guests."""
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from moa import CtlError, eventually

UNAVAILABLE = 700011


# ---- kill -9 ----

@pytest.mark.parametrize("word", ["api", "node"])
def test_guests_do_not_notice_that_a_process_is_killed(guests, host, word):
    marks = {name: guest.boot_mark() for name, guest in guests.items()}
    guests["ovz"].call.ok("shellScript/exec", script="echo started >/root/before; sleep infinity")
    for _ in range(3):
        host.moad.kill_child(word)
        for name, guest in guests.items():
            assert guest.boot_mark() == marks[name]
            assert host.moad.power_of(guest.veid) == "running"
    guests["ovz"].run("pkill -f moa-script-; true")


def test_whole_moad_killed(guests, host):
    """The supervisor's children end with it; the next supervisor finds everything as it is."""
    marks = {name: guest.boot_mark() for name, guest in guests.items()}
    host.moad.kill()
    host.moad.start()
    for name, guest in guests.items():
        assert guest.boot_mark() == marks[name]


def test_node_killed_while_it_runs_commands(guests, host):
    """The caller gets a clean error; nothing stays behind inside."""
    marks = {name: guest.boot_mark() for name, guest in guests.items()}
    with ThreadPoolExecutor() as pool:
        under_way = [pool.submit(guest.call, "basicShell/exec", command="touch /root/begun; sleep 25; echo done")
                     for guest in guests.values()]
        for guest in guests.values():
            eventually("it has begun", lambda: guest.ssh("test -e /root/begun", check=False).returncode == 0, 120, 0.5)
        host.moad.kill_child("node")
        for answer in under_way:
            assert answer.result()["error"] in (UNAVAILABLE, 700010), answer.result()
    for name, guest in guests.items():
        assert guest.run("rm /root/begun; echo here") == "here\n"
        assert guest.boot_mark() == marks[name]


def test_node_killed_in_the_middle_of_a_stop_and_a_start(container, host):
    for call in ("stop", "start", "restart"):
        with ThreadPoolExecutor() as pool:
            answer = pool.submit(container.call, call, timeout_s=300)
            time.sleep(0.3)
            host.moad.kill_child("node")
            answer.result()
        # Whatever it got to, the same call again brings it about.
        container.call.ok(call, timeout_s=300)
        assert host.moad.power_of(container.veid) == ("stopped" if call == "stop" else "running")
    container.wait_booted()


@pytest.mark.parametrize("moment_ms", [0, 15, 40, 80, 150, 300, 600, 1200])
def test_node_killed_while_creating(host, guests, moment_ms):
    """Whole or gone, whatever the moment."""
    others = {name: guest.boot_mark() for name, guest in guests.items()}
    created = host.create_no_wait("ovz", "tiny")
    time.sleep(moment_ms / 1000)
    host.moad.kill_child("node")
    record = host.moad.wait_work(created["work"])
    state = host.moad.state_of(created["veid"])
    assert (record["state"], state) in (("done", "active"), ("failed", None)), record
    if state:
        assert host.guest(created).run("echo whole") == "whole\n"
        host.moad.ctl("vps", "delete", created["veid"], "--now", "--yes")
    check_nothing_of(host, created["veid"])
    assert {name: guest.boot_mark() for name, guest in guests.items()} == others


def check_nothing_of(host, veid):
    name = f"{host.prefix}-{veid}"
    assert host.moad.state_of(veid) is None
    assert str(veid) not in host.disks() and host.trash() == [] == host.temporary()
    assert name not in host.containers() and name not in host.domains()
    assert not [path for path in host.footprint.mounts() if path.endswith(f"/{veid}")]
    assert f"{host.prefix}{veid}" not in host.footprint.links()
    assert str(veid) not in str(host.elements())
    assert not [group for group in host.footprint.cgroups() if group.endswith(f"/{name}")]


# ---- libvirtd away ----

def test_libvirtd_stopped_and_started(guests, host):
    machine, container = guests["kvm"], guests["ovz"]
    mark = machine.boot_mark()
    host.libvirtd("halt")
    try:
        for call, parameters in (("getLiveServiceInfo", {}), ("basicShell/exec", {"command": "true"}), ("restart", {}),
                                 ("resetRootPassword", {}), ("start", {}), ("stop", {}), ("kill", {})):
            answer = machine.call(call, timeout_s=25, **parameters)
            assert answer["error"] == UNAVAILABLE, (call, answer)
            assert "libvirt" not in answer["message"] and "/" not in answer["message"]
        assert machine.info()["vm_type"] == "kvm"
        assert container.run("echo works") == "works\n"
        container.call.ok("getLiveServiceInfo")
    finally:
        host.libvirtd("resume")

    def answers():
        return machine.call("basicShell/exec", command="true")["error"] == 0

    eventually("the machine answers again", answers, 300, 0.5)
    assert machine.boot_mark() == mark
    assert machine.call.ok("getLiveServiceInfo")["ve_status"] == "running"


def test_moad_starts_without_libvirtd(guests, host):
    """Containers work at once; machines as soon as libvirtd is back."""
    machine, container = guests["kvm"], guests["ovz"]
    mark = machine.boot_mark()
    host.libvirtd("halt")
    try:
        host.moad.kill_child("node")
        assert container.run("echo works") == "works\n"
        assert machine.call("basicShell/exec", timeout_s=25, command="true")["error"] == UNAVAILABLE
    finally:
        host.libvirtd("resume")
    eventually("the machine answers", lambda: machine.call("basicShell/exec", command="true")["error"] == 0, 300, 0.5)
    assert machine.boot_mark() == mark


# ---- full disk ----

def test_full_pool_while_creating(host, guests):
    before = host.moad.ctl("pool", "list")["pools"], host.moad.ctl("vps", "list")["vps"]
    loops, disks = host.footprint.loops(), host.disks()
    filler = host.moad.state / "pool/filler"
    space = os.statvfs(filler.parent)
    with open(filler, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize - (1 << 30))
    try:
        for vps_type in ("ovz", "kvm"):
            with pytest.raises(CtlError) as refused:
                host.create(vps_type)
            assert "room" in refused.value.text and "/" not in refused.value.text.split("undone:")[-1]
    finally:
        filler.unlink()
    assert (host.moad.ctl("pool", "list")["pools"], host.moad.ctl("vps", "list")["vps"]) == before
    assert host.footprint.loops() == loops and host.disks() == disks and host.temporary() == []
    for guest in guests.values():
        assert guest.run("echo here") == "here\n"


# ---- two at once ----

def test_many_orders_at_once(host, guests):
    """Each gets an address, a port, a number and a key of its own."""
    with ThreadPoolExecutor(4) as pool:
        created = list(pool.map(lambda _: host.create("ovz", "tiny"), range(4)))
    try:
        for what in ("veid", "ip", "ssh_port", "api_key", "root_password"):
            assert len({order[what] for order in created}) == 4, what
        assert guests["ovz"].ip not in {order["ip"] for order in created}
        for order in created:
            assert host.guest(order).run("hostname") == "ovz.example.com\n"
            assert host.guest(order).info()["ip_addresses"] == [order["ip"]]
        # A key is good for its own VPS alone.
        stranger = host.moad.client({**created[0], "veid": created[1]["veid"]})
        assert stranger("basicShell/exec", command="true")["error"] == 700005
    finally:
        for order in created:
            host.moad.ctl("vps", "delete", order["veid"], "--now", "--yes")
    for order in created:
        check_nothing_of(host, order["veid"])


@pytest.mark.parametrize("name", ["", "-a", "a b", "a;b", "../../etc", "a'b", 'a"b', "a\nb", "$(id)", "a" * 64 + ".com",
                                  "x" * 10**5])
def test_hostile_names_are_refused_when_ordering(host, guests, name):
    before = host.moad.ctl("vps", "list")["vps"]
    with pytest.raises(CtlError):
        host.moad.ctl("vps", "create", "--type", "ovz", "--plan", "tiny", "--account", "customer@example.com",
                      "--os", "debian-12-x86_64", f"--hostname={name}")
    with pytest.raises(CtlError):
        host.moad.ctl("vps", "create", "--type", "ovz", "--plan", "tiny", "--account", "customer@example.com",
                      f"--os=../{name}", "--hostname", "a.example.com")
    assert host.moad.ctl("vps", "list")["vps"] == before


# ---- hostile agents ----

AGENT = r"""
import json, os, sys
kind = sys.argv[1]
port = os.open('/dev/virtio-ports/org.qemu.guest_agent.0', os.O_RDWR)
open('/run/evil', 'w').write(str(os.getpid()))
while True:
    asked = b''
    while b'\n' not in asked and b'}' not in asked:
        asked += os.read(port, 65536)
    if kind == 'never':
        continue
    elif kind == 'garbage':
        os.write(port, os.urandom(4000) + b'\n{"return": nonsense}\n')
    elif kind == 'wrong':
        os.write(port, b'{"return": [{"pid": "x", "exited": 7, "exitcode": {}}]}\n')
    elif kind == 'deep':
        os.write(port, b'{"return": ' + b'[' * 200000 + b'\n')
    elif kind == 'big':
        os.write(port, b'{"return": "')
        for _ in range(100):
            os.write(port, b'A' * (1 << 20))
        os.write(port, b'"}\n')
"""


@pytest.fixture(params=["never", "garbage", "wrong", "deep", "big"])
def evil(request, machine):
    """The machine with that agent in place of its own; SSH still works."""
    machine.ssh("cat >/root/evil.py <<'EOF'\n" + AGENT + "\nEOF\n")
    machine.ssh("systemctl stop qemu-guest-agent; rm -f /run/evil; "
                f"systemd-run --quiet --unit=evil python3 /root/evil.py {request.param}")
    eventually("the evil agent serves", lambda: machine.ssh("test -s /run/evil", check=False).returncode == 0, 120, 0.5)
    yield machine
    machine.ssh("systemctl stop evil; systemctl reset-failed; systemctl start qemu-guest-agent")
    eventually("the agent is back", lambda: machine.call("basicShell/exec", command="true")["error"] == 0, 300, 1)


def test_evil_agent_only_hurts_its_own(evil, container, host):
    """Its calls end within their bounds with clean errors; another guest's calls go on meanwhile."""
    with ThreadPoolExecutor() as pool:
        live = pool.submit(evil.call, "getLiveServiceInfo", timeout_s=20)
        command = pool.submit(evil.call, "basicShell/exec", timeout_s=60, command="echo x")
        password = pool.submit(evil.call, "resetRootPassword", timeout_s=60)
        neighbours = [container.run(f"echo {i}") for i in range(10)]
    assert neighbours == [f"{i}\n" for i in range(10)]
    shown = live.result()
    assert shown["error"] == 0 and shown["ve_status"] in ("starting", "running") and shown["screendump_png_base64"]
    assert shown["load_average"] == "" or shown["load_average"].isascii()
    for answer in (command.result(), password.result()):
        assert answer["error"] in (700010, UNAVAILABLE, 700012, 700099), answer
        assert "/" not in answer["message"] and "libvirt" not in answer["message"]
    assert container.call.ok("getLiveServiceInfo", timeout_s=20)["ve_status"] == "running"


def test_agent_is_well_again(machine):
    assert machine.run("echo well") == "well\n"


def test_container_that_answers_nothing(container):
    """Frozen from inside as far as its root can: the shell is gone."""
    container.run("cp /bin/sh /root/sh; mv /bin/dash /root/dash")
    try:
        answer = container.call("basicShell/exec", timeout_s=60, command="true")
        assert answer["error"] != 0 and "/" not in answer["message"].replace("/bin/sh", ""), answer
        live = container.call.ok("getLiveServiceInfo", timeout_s=20)
        assert int(live["vz_status"]["nproc"]) > 0
    finally:
        container.ssh("/root/sh -c 'cp -a /root/dash /bin/dash || mv /root/dash /bin/dash'", check=False)
    container.run("rm -f /root/sh /root/dash; true")


def test_files_inside_are_not_followed_outside(container, host):
    """A container's root puts links where the node writes at the next start; nothing on the host changes."""
    outside = host.base / "outside"
    outside.write_text("untouched")
    os.chmod(outside, 0o666)
    container.run(f"rm -rf /var/lib/cloud/seed; ln -s {host.base} /var/lib/cloud/seed; "
                  f"rm -f /etc/hostname; ln -s {outside} /etc/hostname")
    container.call("restart", timeout_s=300)
    assert outside.read_text() == "untouched"
    assert not (host.base / "nocloud").exists()
    container.call.ok("start")
    container.run("rm -f /var/lib/cloud/seed /etc/hostname; hostname >/etc/hostname")
    container.call.ok("restart", timeout_s=300)
    container.wait_booted()
