"""moad api and moad node as separate processes: the node is ended at fault points, and another one has to finish its work."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from moa import BUILD  # noqa: E402

LIMIT_S = 600


@pytest.fixture(scope="session", autouse=True)
def needs_moad():
    if not (BUILD / "src/daemon/moad").exists():
        pytest.skip(f"needs moad built in {BUILD}")


def pytest_configure(config):
    config.addinivalue_line("markers", "fault_point: one test is one border at which the node is killed")
    config.addinivalue_line("markers", "limit(seconds): how long the test may take")


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.limit(LIMIT_S))


def pytest_terminal_summary(terminalreporter):
    reports = {outcome: [report for report in terminalreporter.stats.get(outcome, [])
                         if report.when == "call" and "fault_point" in report.keywords] for outcome in ("passed", "failed")}
    tried = sum(map(len, reports.values()))
    if tried:
        terminalreporter.write_line(f"{tried} fault points, {len(reports['passed'])} survived")
