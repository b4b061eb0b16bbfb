"""Every kind of work, killed at every border of its steps, on a simulated node: the store's side of each work."""
import itertools

import pytest
from harness import Folder
from moa import Moad, points_of, work_kinds

TEMPLATE = "debian-12-x86_64"
KINDS = work_kinds()
# A node that only simulates refuses to touch templates, so their first step is the one that fails.
REFUSED = {"template_build", "template_import", "template_remove"}


def points():
    for kind, steps in KINDS.items():
        if kind in REFUSED:
            first = steps[0][0]
            yield from ((f"{kind}:{first}:{side}", "failed") for side in ("before", "undo-before", "undo-after"))
        else:
            yield from points_of(kind, steps)


class Simulated:
    def __init__(self, base):
        self.moad = Moad(base, {})
        self.moad.start("node").start("api")
        self.moad.ctl("account", "add", "a@example.com")
        self.moad.ctl("plan", "set", "p", "--disk", "1G", "--ram", "64M")
        self.moad.end_node()
        self.numbers = itertools.count()

    def create(self, *words):
        return self.moad.ctl("vps", "create", "--type", "ovz", "--plan", "p", "--account", "a@example.com", "--os", TEMPLATE,
                             "--hostname", f"h{next(self.numbers)}.example.com", *words)

    def used(self):
        return [pool["used"] for pool in self.moad.ctl("pool", "list")["pools"]]


@pytest.fixture(scope="module")
def simulated(needs_moad):
    folder = Folder()
    simulated = Simulated(folder.path)
    yield simulated
    simulated.moad.close()
    folder.remove()


@pytest.fixture(autouse=True)
def no_node_runs_on(simulated):
    """Whatever became of a test, the next one starts without a node."""
    yield
    simulated.moad.end_node()


# ---- a kind: what is there before, what sets it off, and what must be afterwards ----

def prepare(simulated, kind):
    """The VPS the work is about, or None."""
    if kind not in ("vps_delete", "vps_undelete"):
        return None
    simulated.moad.start("node")
    veid = simulated.create()["veid"]
    if kind == "vps_undelete":
        simulated.moad.ctl("vps", "delete", veid, "--yes")
    simulated.moad.end_node()
    return veid


def set_off(simulated, kind, veid, now):
    ctl = simulated.moad.ctl
    if kind == "vps_create":
        return simulated.create("--no-wait")
    if kind == "vps_delete":
        return ctl("vps", "delete", veid, "--yes", "--no-wait", *(["--now"] if now else []))
    if kind == "vps_undelete":
        return ctl("vps", "undelete", veid, "--no-wait")
    if kind == "template_build":
        return ctl("template", "build", TEMPLATE, "--no-wait")
    if kind == "template_import":
        return ctl("template", "import", "new", "/etc/passwd", "--type", "ovz", "--sha256", "0" * 64, "--no-wait")
    if kind == "template_remove":
        return ctl("template", "remove", TEMPLATE, "--yes", "--no-wait")
    raise AssertionError(f"no scenario for the kind {kind}: add one here")


def check_end(simulated, kind, veid, now, expected, before):
    """Whole or gone."""
    moad = simulated.moad
    state = moad.state_of(veid) if veid else None
    if kind == "vps_create":
        assert state == ("active" if expected == "done" else None)
        if expected == "failed":
            assert simulated.used() == before
    elif kind == "vps_delete" and expected == "done":
        assert state == (None if now else "deleted")
    elif kind == "vps_undelete":
        assert state == ("active" if expected == "done" else "deleted")
        assert moad.power_of(veid) == ("running" if expected == "done" else "stopped")
    elif kind in REFUSED:
        assert [entry["name"] for entry in moad.ctl("template", "list")["templates"]].count(TEMPLATE) == 2
    # Whatever became of it, the VPS is not locked: it can be deleted for good.
    if state:
        moad.ctl("vps", "delete", veid, "--now", "--yes")
        assert moad.state_of(veid) is None


@pytest.mark.fault_point
@pytest.mark.parametrize("point, expected, now", [
    pytest.param(point, expected, now, id=point + ("-now" if now else ""))
    for point, expected in points() for now in ((False, True) if point.startswith("vps_delete") else (False,))])
def test_border(simulated, point, expected, now):
    kind = point.split(":")[0]
    veid = prepare(simulated, kind)
    before = simulated.used()
    given = simulated.moad.die_at(point, lambda: set_off(simulated, kind, veid, now))
    simulated.moad.finish(given["work"], expected)
    check_end(simulated, kind, veid or given.get("veid"), now, expected, before)
    simulated.moad.end_node()


def test_every_kind_has_borders():
    assert KINDS and all(KINDS.values())
    assert {"vps_create", "vps_delete", "vps_undelete"} <= set(KINDS)
