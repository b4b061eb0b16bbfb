"""Start, stop, restart, kill; what a guest does to itself; suspension."""
import os

import pytest
from moa import eventually


def test_start_of_a_running_one_changes_nothing(guest):
    mark = guest.boot_mark()
    guest.call.ok("start")
    assert guest.boot_mark() == mark


def test_restart_keeps_disk_and_name(guest):
    guest.run("echo kept >/root/kept; sync")
    before, name = guest.boot_mark(), guest.run("hostname")
    assert list(guest.call.ok("restart", timeout_s=300))[0] == "error"
    guest.wait_booted()
    assert guest.boot_mark() != before
    assert guest.run("cat /root/kept; hostname") == "kept\n" + name
    assert guest.info()["hostname"] + "\n" == name


def is_held(guest):
    """Whether anything of the host still holds it."""
    found = guest.host.footprint
    return [path for path in found.mounts() if path.endswith(f"/mnt/{guest.veid}")] + \
        [name for name in found.links() if name == guest.interface]


def check_stopped(guest):
    assert guest.host.moad.power_of(guest.veid) == "stopped"
    eventually("nothing holds it", lambda: not is_held(guest), 60)
    live = guest.call.ok("getLiveServiceInfo", timeout_s=20)
    assert live["ve_status"] == "stopped" and "ssh_port" not in live
    assert live["live_hostname"] == "" and live["load_average"] == ""
    if live["vm_type"] == "kvm":
        assert live["screendump_png_base64"] == ""
    else:
        status = live["vz_status"]
        assert (status["status"], status["nproc"], status["oomguarpages"], status["swappages"]) == ("stopped", "0", "-", "-")
        assert live["vz_quota"]["occupied_kb"] == "-"
    for call, parameters in (("basicShell/exec", {"command": "true"}), ("resetRootPassword", {}),
                             ("basicShell/cd", {"currentDir": "/", "newDir": "etc"}), ("shellScript/exec", {"script": "true"})):
        assert guest.call(call, **parameters)["error"] == 700000, call


def test_stop_and_start(guest):
    before = guest.boot_mark()
    guest.call.ok("stop", timeout_s=300)
    check_stopped(guest)
    guest.call.ok("stop")
    guest.call.ok("kill")
    guest.call.ok("setHostname", newHostname=f"slept-{guest.veid}.example.org")
    answer = guest.call.ok("start", timeout_s=300)
    assert list(answer)[0] == "error"
    guest.wait_booted()
    assert guest.boot_mark() != before
    assert guest.info()["hostname"] == f"slept-{guest.veid}.example.org"


def test_name_recorded_while_stopped_can_be_set_inside(guest):
    """A guest's own name is only changed while it runs; the same call then brings both together."""
    guest.call.ok("setHostname", newHostname=f"slept-{guest.veid}.example.org")
    assert guest.run("hostname") == f"slept-{guest.veid}.example.org\n"


def test_power_off_from_inside_is_noticed(container):
    container.call("shellScript/exec", script="systemctl poweroff")
    eventually("it has stopped", lambda: container.host.moad.power_of(container.veid) == "stopped", 300, 0.5)
    check_stopped(container)
    container.call.ok("start")
    container.wait_booted()


def test_reboot_from_inside_comes_back(guest):
    before = guest.boot_mark()
    guest.call("shellScript/exec", script="systemctl reboot")

    def is_back():
        answer = guest.call("basicShell/exec", command="cat /proc/sys/kernel/random/boot_id; cut -d' ' -f22 /proc/1/stat")
        return answer["error"] == 0 and answer["message"] != before

    eventually("it is back", is_back, 900, 1)
    guest.wait_booted()
    guest.run(f"ping -c 1 -W 20 {guest.host.gateway}")


def test_kill_of_a_container(container):
    container.call.ok("kill")
    check_stopped(container)
    container.call.ok("kill")
    container.call.ok("start")
    container.wait_booted()


@pytest.mark.parametrize("vps_type", ["ovz"])
def test_suspension(guests, host, vps_type):
    guest = guests[vps_type]
    host.moad.ctl("vps", "suspend", guest.veid, "--yes")
    assert host.moad.state_of(guest.veid) == "suspended"
    assert guest.info()["suspended"] is True
    for call in ("start", "restart"):
        assert guest.call(call)["error"] == 700006
    eventually("nothing holds it", lambda: not is_held(guest), 60)
    host.moad.ctl("vps", "unsuspend", guest.veid)
    assert guest.info()["suspended"] is False
    guest.wait_booted()


def test_doctor_finds_nothing_wrong(host, guests):
    checks = host.moad.ctl("doctor")["checks"]
    assert {check["name"] for check in checks} >= {"store", "pool", "kvm", "kvm guest", "ovz", "ovz guest"}
    assert [check for check in checks if check["state"] != "ok"] == [] or \
        all(check["state"] == "warning" and "emulation" in check["says"] for check in checks if check["state"] != "ok")
    assert host.domains() and all("doctor" not in name for name in host.domains())
    assert not [name for name in os.listdir(host.moad.state / "node") if "doctor" in name]
