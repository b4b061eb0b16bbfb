"""What tests of real guests and of works need beyond harness.py: calls that carry anything, an operator's command that may fail,
processes killed one by one, and waiting that is patient with a busy machine."""
import json
import re
import signal
import time
from pathlib import Path

import harness
from harness import BUILD, ROOT

ROOT, BUILD = Path(ROOT), Path(BUILD).resolve()


class Hanging(AssertionError):
    """Something awaited did not come, long after it should have."""


def eventually(what, probe, ceiling_s=600.0, every_s=0.1):
    """Asks PROBE until it gives something true, and returns that."""
    end = time.monotonic() + ceiling_s
    while not (found := probe()):
        if time.monotonic() > end:
            raise Hanging(f"{what} did not come about in {ceiling_s:.0f} s")
        time.sleep(every_s)
    return found


class CtlError(Exception):
    def __init__(self, code, text):
        super().__init__(f"exit {code}: {text}")
        self.code, self.text = code, text


class Client:
    """A KiwiVM client of one VPS, by POST, so that parameters may be long."""

    def __init__(self, server, veid, key):
        self.server, self.credentials = server, {"veid": veid, "api_key": key}

    def raw(self, call, timeout_s=120, **parameters):
        return self.server.call(call, {**self.credentials, **parameters}, method="POST", timeout=timeout_s)

    def __call__(self, call, timeout_s=120, **parameters):
        """The answer, whatever its `error`."""
        answer = self.raw(call, timeout_s, **parameters)
        assert answer.status == 200, answer
        return answer.json

    def ok(self, call, timeout_s=120, **parameters):
        answer = self(call, timeout_s, **parameters)
        assert answer["error"] == 0, f"{call}: {str(answer)[:400]}"
        return answer


class Moad(harness.Moad):
    """A moad whose processes are killed and whose works are followed."""

    def __init__(self, base, settings):
        self.settings = settings
        super().__init__(settings=settings, folder=str(base))
        self.state = Path(self.state_dir)
        self.state.mkdir(exist_ok=True)

    def change_settings(self, section, **values):
        """For the next start."""
        self.settings.setdefault(section, {}).update(values)
        self.write_settings("", self.settings)

    def log_tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])

    # ---- processes ----

    def child(self, word):
        """The pid of the supervisor's process WORD, or None."""
        return self.supervisor.children().get(word)

    def kill_child(self, word):
        """kill -9, and waits until the supervisor has brought another one up."""
        old = eventually(f"moad {word} runs", lambda: self.child(word))
        harness.send_signal(old)
        eventually(f"a new moad {word}", lambda: self.child(word) not in (None, old), 120, 0.02)
        eventually("moad is up", self.is_up, 180, 0.05)

    def is_up(self):
        done = self.run_ctl("node", "list", "--json")
        return done.returncode == 0 and any(node["state"] == "up" for node in json.loads(done.stdout)["nodes"])

    def die_at(self, point, trigger):
        """Runs a node with that fault point, TRIGGERs a work, and waits for the node's death. What TRIGGER gave."""
        self.start("node", {"MOA_FAULT": point})
        given = trigger()
        assert self.await_death("node") == -signal.SIGKILL, f"{point} was not reached:\n{self.log_tail()}"
        return given

    def finish(self, work, expected):
        """Another node takes the work to its end."""
        self.start("node")
        record = self.wait_work(work)
        assert record["state"] == expected, (record, self.log_tail())

    def end_node(self):
        if "node" in self.processes:
            assert self.stop("node") == 0

    # ---- the operator ----

    def ctl(self, *words):
        """moactl --json; raises CtlError when it fails."""
        done = self.run_ctl(*words, "--json")
        if done.returncode:
            raise CtlError(done.returncode, done.stderr + done.stdout)
        return json.loads(done.stdout)

    def client(self, created):
        """For what `vps create` printed."""
        return Client(self, created["veid"], created["api_key"])

    def state_of(self, veid):
        """active, creating, …; None when there is no such VPS."""
        return next((vps["state"] for vps in self.ctl("vps", "list")["vps"] if vps["veid"] == veid), None)

    def power_of(self, veid):
        return self.ctl("vps", "show", veid)["power"]

    def wait_work(self, work, ceiling_s=600):
        """Until it ended; its last record."""

        def ended():
            shown = self.run_ctl("work", "show", work, "--json")
            record = json.loads(shown.stdout) if shown.returncode == 0 else {}
            return record if record.get("state") in ("done", "failed") else None

        return eventually(f"work {work} ends", ended, ceiling_s, 0.05)

    def run_work(self, *words, ceiling_s=600):
        """A command that queues work, and that work's end: for what takes longer than moactl is given in tests."""
        given = self.ctl(*words, "--no-wait")
        record = self.wait_work(given["work"], ceiling_s)
        if record["state"] != "done":
            raise CtlError(1, f"it failed and was undone: {record['work_error']}")
        return given


def work_kinds():
    """{kind: [(step, has_undo)]} as the sources declare them, so that a new kind or step cannot be forgotten."""
    kinds = {}
    for source in sorted((ROOT / "src/core").glob("kinds_*.c")):
        text = source.read_text()
        tables = {
            name: re.findall(r'\{\s*"(\w+)",\s*\d+,\s*"[^"]*",\s*\w+,\s*(\w+)\s*\}', body)
            for name, body in re.findall(r"struct work_step (\w+)\[\] = \{(.*?)\n\};", text, re.S)
        }
        for kind, table in re.findall(r'struct work_kind \w+ = \{\s*"(\w+)",\s*(\w+)', text):
            kinds[kind] = [(step, undo != "NULL") for step, undo in tables[table]]
    return kinds


def points_of(kind, steps, can_fail=None):
    """(MOA_FAULT, how the work ends) for every border of the kind's steps, forward and on the way back from a failure."""
    points = [(f"{kind}:{step}:{side}", "done") for step, _ in steps for side in ("before", "after")]
    names = [step for step, _ in steps]
    for failing in names if can_fail is None else can_fail:
        for step in names[:names.index(failing) + 1]:
            points += [(f"{kind}:{failing}:fail,{kind}:{step}:undo-{side}", "failed") for side in ("before", "after")]
    return points
