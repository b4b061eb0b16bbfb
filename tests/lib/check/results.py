"""What every part of check hands in: tests with their outcome, counted one by one and told about as they end."""
import json
import os
import sys
import time

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
OUTPUT_LINES = 60


class Results:
    def __init__(self):
        self.tests = []
        self.started = time.monotonic()

    def add(self, name, outcome, seconds=0.0, reason="", output=""):
        self.tests.append({"name": name, "outcome": outcome, "seconds": seconds, "reason": reason, "output": output})

    def count(self, outcome, since=0):
        return sum(test["outcome"] == outcome for test in self.tests[since:])

    def heading(self, text):
        say(f"\n== {text} ({elapsed(time.monotonic() - self.started)} so far)")

    def line(self, name, since, seconds):
        """One line for the tests of a program or file, and what those that failed had to say."""
        new = self.tests[since:]
        counts = ", ".join(f"{self.count(outcome, since)} {outcome}" for outcome in (PASSED, FAILED, SKIPPED)
                           if self.count(outcome, since))
        mark = "FAIL" if self.count(FAILED, since) else "ok  " if self.count(PASSED, since) else "skip"
        say(f"{mark} {name:<44} {counts or 'no test'}, {seconds:.1f} s")
        for test in new:
            if test["outcome"] == FAILED:
                tell_failure(test)

    def report(self):
        """The end of check's output; returns the exit status."""
        failed = [test for test in self.tests if test["outcome"] == FAILED]
        skipped = [test for test in self.tests if test["outcome"] == SKIPPED]
        say(f"\n== result ({elapsed(time.monotonic() - self.started)})")
        for test in failed:
            say(f"FAILED  {test['name']}: {first_line(test['reason'])}")
        for test in skipped:
            say(f"SKIPPED {test['name']}: {first_line(test['reason']) or 'no reason given'}")
        say(f"{self.count(PASSED)} passed, {len(failed)} failed, {len(skipped)} skipped")
        return 1 if failed or not self.tests else 0


def tell_failure(test):
    say(f"     FAILED {test['name']}: {first_line(test['reason'])}")
    lines = test["output"].rstrip().splitlines()
    if len(lines) > OUTPUT_LINES:
        say(f"     | … {len(lines) - OUTPUT_LINES} lines before")
    for line in lines[-OUTPUT_LINES:]:
        say(f"     | {line}")


def first_line(text):
    lines = text.strip().splitlines()
    return lines[0] if lines else ""


def elapsed(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def say(text):
    # Tests' output may hold anything.
    sys.stdout.write(text.encode("utf-8", "replace").decode("utf-8") + "\n")
    sys.stdout.flush()


def append_record(path, **record):
    """For test programs that run beside check: one line of JSON a test."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
        file.flush()


def read_records(path, offset):
    """The records from this byte on, and where the next ones will begin."""
    if not os.path.exists(path):
        return [], offset
    with open(path, "rb") as file:
        file.seek(offset)
        whole, end, _ = file.read().rpartition(b"\n")
    return [json.loads(line) for line in whole.splitlines()], offset + len(whole) + len(end)
