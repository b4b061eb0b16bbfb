"""A pytest plugin: hands each test's outcome to check as it ends, and gives each a time limit.

@pytest.mark.limit(SECONDS) sets another limit than the usual minute; set-up and tear-down are inside it."""
import os
import signal

import pytest
import results

USUAL_LIMIT_S = 60
RECORDS = os.environ["MOA_CHECK_RECORDS"]


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(seconds): how long the test may take")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    mark = item.get_closest_marker("limit")
    limit_s = mark.args[0] if mark else USUAL_LIMIT_S

    def end(_number, _frame):
        # Again in a while, should the tear-down hang as well.
        signal.alarm(limit_s)
        pytest.fail(f"did not end within {limit_s} s")

    signal.signal(signal.SIGALRM, end)
    signal.alarm(limit_s)
    yield
    signal.alarm(0)


def reason_of(report):
    if report.skipped and isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    return crash.message if crash else str(report.longrepr)


class Outcomes:
    """A test is what its call says, unless its set-up or tear-down went wrong."""

    def __init__(self):
        self.seconds = 0.0
        self.record = None

    def take(self, report):
        self.seconds += report.duration
        if report.when == "call" or not report.passed:
            if not self.record or self.record["outcome"] != results.FAILED:
                self.record = {"name": report.nodeid, "outcome": report.outcome,
                               "reason": "" if report.passed else reason_of(report),
                               "output": str(report.longreprtext) if report.failed else ""}
        if report.when == "teardown" and self.record:
            results.append_record(RECORDS, seconds=self.seconds, **self.record)


open_tests = {}


def pytest_runtest_logreport(report):
    outcomes = open_tests.setdefault(report.nodeid, Outcomes())
    outcomes.take(report)
    if report.when == "teardown":
        del open_tests[report.nodeid]


def pytest_collectreport(report):
    if report.failed:
        results.append_record(RECORDS, name=report.nodeid or "collection", outcome=results.FAILED, seconds=0.0,
                              reason="cannot be collected", output=str(report.longreprtext))
