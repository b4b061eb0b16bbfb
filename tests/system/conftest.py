"""Real guests of both types behind the real moad, made once for the session and shared by its tests.

The tests run in the order of their files' numbers: what ends a guest comes last. A test that changes how a guest runs
leaves it running.
"""
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from host import Host, missing  # noqa: E402

# Boots are slow without hardware acceleration; a test that is not done after this hangs.
LIMIT_S = 1500


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(seconds): how long the test may take")


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.limit(LIMIT_S))


@pytest.fixture(scope="session")
def host():
    reason = missing()
    if reason:
        pytest.skip(reason)
    host = Host("system", "mtsys", 79)
    try:
        host.open()
        host.need_template()
        yield host
    finally:
        host.close()


@pytest.fixture(scope="session")
def guests(host):
    """One of each type. They are created at the same time, so that their boots overlap."""
    with ThreadPoolExecutor() as pool:
        created = {vps_type: pool.submit(host.create, vps_type) for vps_type in ("kvm", "ovz")}
        guests = {vps_type: host.guest(job.result()) for vps_type, job in created.items()}
    for guest in guests.values():
        guest.wait_booted()
    return guests


@pytest.fixture(params=["ovz", "kvm"])
def guest(request, guests):
    return guests[request.param]


@pytest.fixture
def container(guests):
    return guests["ovz"]


@pytest.fixture
def machine(guests):
    return guests["kvm"]
