"""Deletion: kept for undo, brought back, and gone for good."""
import pytest
from moa import CtlError, eventually


def test_deleted_one_is_kept_and_can_be_brought_back(guest, host):
    guest.run("echo precious >/root/precious; sync")
    before = guest.boot_mark()
    host.moad.ctl("vps", "delete", guest.veid, "--yes")
    assert host.moad.state_of(guest.veid) == "deleted"
    assert guest.call("getServiceInfo")["error"] == 700005, "its key is of no use meanwhile"
    assert str(guest.veid) not in host.disks()
    assert [name for name in host.trash() if name.startswith(f"{guest.veid}-")]
    assert guest.name not in host.domains() + host.containers()
    assert guest.interface not in host.footprint.links() and guest.interface not in str(host.elements())
    with pytest.raises(CtlError):
        host.moad.ctl("vps", "delete", guest.veid, "--yes")
    host.moad.ctl("vps", "undelete", guest.veid)
    guest.wait_booted()
    assert guest.boot_mark() != before
    assert guest.run("cat /root/precious") == "precious\n"
    assert guest.ssh("cat /root/precious") == "precious\n"
    assert host.trash() == []


def test_second_undelete_is_refused(guest, host):
    with pytest.raises(CtlError):
        host.moad.ctl("vps", "undelete", guest.veid)


def test_undo_window_ends(host, guests):
    """With a window of nothing the disk goes by itself."""
    created = host.create("ovz", "tiny")
    host.moad.stop()
    host.moad.change_settings("node", undo_window_s=1)
    host.moad.start()
    try:
        host.moad.ctl("vps", "delete", created["veid"], "--yes")
        eventually("it is purged", lambda: host.moad.state_of(created["veid"]) is None, 300)
        assert host.trash() == []
    finally:
        host.moad.stop()
        host.moad.change_settings("node", undo_window_s=259200)
        host.moad.start()
    for guest in guests.values():
        assert guest.run("echo here") == "here\n"


def test_nothing_is_left_after_delete_now(guests, host):
    for guest in guests.values():
        host.moad.ctl("vps", "delete", guest.veid, "--now", "--yes")
        assert guest.call("getServiceInfo")["error"] == 700005
    assert host.guests_left() == {}
    assert host.moad.ctl("vps", "list")["vps"] == []
