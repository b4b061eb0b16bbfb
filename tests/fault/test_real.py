"""The works of a VPS's life on real containers: whatever the moment of the node's death, at the end the VPS is whole or gone,
and no disk, mount, loop device, container, interface, rule, address or row is left over."""
import contextlib
import os
from pathlib import Path

import pytest
from host import TEMPLATE, Host, missing, run
from moa import eventually, points_of, work_kinds

KINDS = work_kinds()


def points():
    # Going back from the last step that can fail passes all borders of the way back; the shorter ways are part of it.
    last = {"vps_create": ["start"], "vps_delete": [], "vps_undelete": ["start"]}
    return [point for kind, can_fail in last.items() for point in points_of(kind, KINDS[kind], can_fail)]


class Separate(Host):
    """The same host, its api and node started apart."""

    def open(self):
        self.moad.start("node").start("api")
        self.place()


@pytest.fixture(scope="module")
def host():
    reason = missing()
    if reason:
        pytest.skip(reason)
    host = Separate("fault", "mtflt", 80, pool_size="12G", hypervisors=("ovz",))
    try:
        host.open()
        need_ovz_template(host)
        host.moad.end_node()
        yield host
        host.moad.end_node()
        host.moad.start("node")
    finally:
        host.close()


@pytest.fixture(autouse=True)
def no_node_runs_on(host):
    """Whatever became of a test, the next one starts without a node and without VPSs."""
    yield
    host.moad.end_node()
    if host.moad.ctl("vps", "list")["vps"]:
        host.moad.start("node")
        host.delete_all()
        host.moad.end_node()


def need_ovz_template(host):
    """As Host.need_template, without a supervisor."""
    if host.templates and (Path(host.templates) / TEMPLATE / "manifest.json").exists():
        host.moad.end_node()
        run("cp", "--reflink=auto", "--sparse=always", "-r", Path(host.templates) / TEMPLATE,
            host.moad.state / "pool/templates")
        host.moad.start("node")
    else:
        host.moad.run_work("template", "build", TEMPLATE, "--type", "ovz", ceiling_s=1800)


def create(host, *words):
    return host.moad.ctl(*host.order("ovz", "tiny"), *words)


def set_off(host, kind, veid):
    if kind == "vps_create":
        return create(host, "--no-wait")
    if kind == "vps_delete":
        return host.moad.ctl("vps", "delete", veid, "--yes", "--no-wait")
    return host.moad.ctl("vps", "undelete", veid, "--no-wait")


def prepare(host, kind):
    """A VPS with something on its disk; None for create."""
    if kind == "vps_create":
        return None
    host.moad.start("node")
    guest = host.guest(create(host))
    guest.run("echo precious >/root/proof; sync")
    if kind == "vps_undelete":
        host.moad.ctl("vps", "delete", guest.veid, "--yes")
    host.moad.end_node()
    return guest


def check_whole(host, guest):
    assert host.moad.state_of(guest.veid) == "active"
    assert host.moad.power_of(guest.veid) == "running"
    assert guest.run("echo alive") == "alive\n"
    assert host.disks() == [str(guest.veid)] and host.trash() == [] == host.temporary()
    assert host.containers() == [guest.name]


def check_deleted(host, guest):
    assert host.moad.state_of(guest.veid) == "deleted"
    assert host.disks() == [] == host.temporary() and len(host.trash()) == 1
    left = host.guests_left()
    assert set(left) == {"trash", "addresses"}, left


def check_gone(host, veid):
    assert host.moad.state_of(veid) is None
    assert host.guests_left() == {}


@pytest.mark.fault_point
@pytest.mark.parametrize("point, expected", [pytest.param(*point, id=point[0]) for point in points()])
def test_border(host, point, expected):
    kind = point.split(":")[0]
    guest = prepare(host, kind)
    given = host.moad.die_at(point, lambda: set_off(host, kind, guest and guest.veid))
    host.moad.finish(given["work"], expected)
    if kind == "vps_create":
        guest = host.guest(given)
    if kind == "vps_create" and expected == "failed":
        check_gone(host, guest.veid)
    elif kind == "vps_delete":
        check_deleted(host, guest)
        host.moad.ctl("vps", "undelete", guest.veid)
    elif kind == "vps_undelete" and expected == "failed":
        check_deleted(host, guest)
        host.moad.ctl("vps", "undelete", guest.veid)
    if host.moad.state_of(guest.veid):
        check_whole(host, guest)
        if kind != "vps_create":
            assert guest.run("cat /root/proof") == "precious\n"
        host.moad.ctl("vps", "delete", guest.veid, "--now", "--yes")
    check_gone(host, guest.veid)
    host.moad.end_node()


def fill(host):
    """A file that takes all that is left of the pool."""
    path = host.moad.state / "pool/filler"
    space = os.statvfs(path.parent)
    filler = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.posix_fallocate(filler, 0, max(4096, space.f_bavail * space.f_frsize * 9 // 10))
    for size in (1 << 20, 1 << 12):
        with contextlib.suppress(OSError):
            while True:
                os.write(filler, bytes(size))
    os.close(filler)
    return path


@pytest.mark.parametrize("point", ["vps_create:disk:before", "vps_create:disk:after", "vps_create:prepare:after"])
def test_pool_that_fills_up_in_the_middle(host, point):
    """The node dies, the pool is full when the next one goes on: it ends as an error and nothing is left."""
    given = host.moad.die_at(point, lambda: create(host, "--no-wait"))
    filler = fill(host)
    try:
        host.moad.start("node")
        record = host.moad.wait_work(given["work"])
    finally:
        filler.unlink()
    if record["state"] == "done":  # it needed no further block; then it is whole
        check_whole(host, host.guest(given))
        host.moad.ctl("vps", "delete", given["veid"], "--now", "--yes")
    else:
        assert record["work_error"]
    check_gone(host, given["veid"])
    host.moad.end_node()


def test_container_that_stopped_while_no_node_ran(host):
    """Nobody saw it stop; the next node lets go of its disk all the same."""
    host.moad.start("node")
    guest = host.guest(create(host)).wait_booted()
    guest.call.ok("shellScript/exec", script="while [ ! -e /root/go ]; do sleep 0.1; done; systemctl poweroff")
    guest.run("(sleep 3; touch /root/go) >/dev/null 2>&1 &")
    host.moad.end_node()
    eventually("it has stopped", lambda: guest.interface not in host.footprint.links(), 300)
    host.moad.start("node")
    eventually("its disk is unmounted", lambda: not [path for path in host.footprint.mounts() if "/node/mnt/" in path], 120)
    host.moad.ctl("vps", "delete", guest.veid, "--now", "--yes")
    check_gone(host, guest.veid)
    host.moad.end_node()
