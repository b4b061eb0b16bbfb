"""The wire tests' moad: one a store, on simulated guests, with a VPS of each type. Budgets are wide here; tests of limits start their
own."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
import harness  # noqa: E402


class Stores:
    """Fresh stores of one kind."""

    def __init__(self, kind):
        self.kind = kind
        self.folder = harness.Folder()
        self.postgres = harness.Postgres(os.path.join(self.folder.path, "pg")) if kind == "postgresql" else None

    def new_url(self):
        return self.postgres.new_url() if self.postgres else ""

    def close(self):
        if self.postgres and not self.postgres.missing:
            self.postgres.stop()
        self.folder.remove()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def stores(request):
    stores = Stores(request.param)
    if stores.postgres and stores.postgres.missing:
        reason = stores.postgres.missing
        stores.close()
        pytest.skip(reason)
    yield stores
    stores.close()


@pytest.fixture(scope="session")
def moad(stores):
    with harness.Moad(stores.new_url()) as server:
        server.start()
        server.add_customer()
        yield server


@pytest.fixture(scope="session")
def kvm(moad):
    return moad.create("kvm", "kvm.example.com")


@pytest.fixture(scope="session")
def ovz(moad):
    return moad.create("ovz", "ovz.example.com")


@pytest.fixture(scope="session", params=["kvm", "ovz"])
def vps(request, kvm, ovz):
    """Both types, one after the other."""
    return {"kvm": kvm, "ovz": ovz}[request.param]


@pytest.fixture
def own_moad(stores):
    """Makes a moad for one test: own_moad(settings) is not started yet."""
    made = []

    def make(settings=None, **options):
        server = harness.Moad(stores.new_url(), settings, **options)
        made.append(server)
        return server

    yield make
    for server in reversed(made):
        server.close()
