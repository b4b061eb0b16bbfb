"""A guest that takes all it can get only hurts itself."""
import os
from pathlib import Path

from moa import eventually


def test_memory_of_a_container_is_limited(container):
    mark = container.boot_mark()
    container.run("ulimit -c 0; python3 -c \"x = b'a' * (2 << 30)\" 2>/dev/null", status=137)
    assert container.boot_mark() == mark and container.is_booted()
    assert Path("/proc/meminfo").exists()


def test_processes_of_a_container_are_limited(container, host):
    """A fork bomb, held at the plan's 256."""
    container.call.ok("shellScript/exec", script="for i in $(seq 600); do sleep 1000 & done; wait")

    def at_limit():
        live = container.call.ok("getLiveServiceInfo", timeout_s=20)
        return int(live["vz_status"]["nproc"]) >= 250

    eventually("the limit is reached", at_limit, 300, 0.5)
    tasks = sum(1 for where in host.footprint.processes().values() if "moa.guest" in where)
    assert tasks <= 256 + 8
    # Nothing can be started inside now, which is told in words; from outside it can be ended.
    answer = container.call("basicShell/exec", command="echo free")
    assert answer["error"] != 0 or answer["message"] == "free\n"
    container.call.ok("kill")
    container.call.ok("start")
    container.wait_booted()


def test_disk_of_a_container_is_limited(container, host):
    container.run("dd if=/dev/zero of=/root/full bs=1M 2>/dev/null", status=1)
    free = os.statvfs(host.moad.state / "pool")
    assert free.f_bavail * free.f_frsize > 1 << 30, "the pool has room for others"
    live = container.call.ok("getLiveServiceInfo", timeout_s=20)
    assert int(live["vz_quota"]["occupied_kb"]) <= int(live["vz_quota"]["softlimit_kb"])
    container.run("rm /root/full; sync; echo back >/root/proof; cat /root/proof")


def test_full_disk_of_a_machine_hurts_nobody_else(machine, container):
    machine.run("dd if=/dev/zero of=/root/full bs=1M count=200 conv=fsync 2>/dev/null")
    machine.run("fallocate -l 100G /root/more 2>/dev/null", status=1)
    machine.run("rm -f /root/full /root/more")
    assert container.run("echo here") == "here\n"
