"""wire.md 4.3: points of a VPS and guesses of a source, alone and over several api processes."""
import re
import time

import harness
import pytest

WORDS = r"Rate limit exceeded: too many requests, try again in (\d+) seconds"


def await_room_in_the_quarter(seconds=45):
    """Windows turn with the clock's quarters of an hour: a test that counts must not run across one."""
    left_s = 900 - time.time() % 900
    if left_s < seconds:
        time.sleep(left_s + 0.1)


@pytest.fixture
def tight(own_moad):
    await_room_in_the_quarter()
    server = own_moad({"api": {"points_15min": 20, "points_24h": 1000, "guesses_15min": 5}}).start()
    server.add_customer()
    return server


def check_refusal(answer):
    assert answer.status == 429
    data = answer.json
    assert list(data) == ["error", "message"] and data["error"] == 700007
    wait_s = int(re.fullmatch(WORDS, data["message"])[1])
    assert 0 < wait_s <= 900
    assert int(answer.headers["retry-after"]) == wait_s
    assert answer.headers["content-type"] == "text/plain;charset=UTF-8"


class TestPoints:
    @pytest.mark.limit(130)
    def test_the_budget_is_spent_and_refused(self, tight):
        vps, other = tight.create("kvm"), tight.create("ovz")
        assert vps.ok("getRateLimitStatus").json == {"remaining_points_15min": 20, "remaining_points_24h": 1000, "error": 0}
        for _ in range(3):
            vps.ok("start")
        for _ in range(5):
            vps.ok("getServiceInfo")
        assert vps.ok("getRateLimitStatus")["remaining_points_15min"] == 0
        check_refusal(vps.call("getServiceInfo"))
        check_refusal(vps.call("start", method="POST"))
        assert vps.ok("getRateLimitStatus").json == {"remaining_points_15min": 0, "remaining_points_24h": 980, "error": 0}
        other.ok("getServiceInfo")

    @pytest.mark.limit(130)
    def test_what_does_not_fit_costs_nothing(self, tight):
        vps = tight.create("kvm")
        for _ in range(17):
            vps.ok("getServiceInfo")
        check_refusal(vps.call("start"))
        for _ in range(3):
            vps.ok("getServiceInfo")

    @pytest.mark.limit(130)
    def test_the_day_has_a_budget_too(self, own_moad):
        await_room_in_the_quarter()
        with own_moad({"api": {"points_15min": 1000, "points_24h": 3}}).start() as server:
            server.add_customer()
            vps = server.create("kvm")
            for _ in range(3):
                vps.ok("getServiceInfo")
            answer = vps.call("getServiceInfo")
            assert answer.status == 429 and 0 < int(answer.headers["retry-after"]) <= 86400

    @pytest.mark.limit(130)
    def test_a_restart_forgets_nothing(self, tight):
        vps = tight.create("kvm")
        for _ in range(7):
            vps.ok("getServiceInfo")
        tight.stop()
        tight.start()
        assert vps.ok("getRateLimitStatus")["remaining_points_15min"] == 13


class TestGuesses:
    @pytest.mark.limit(130)
    def test_bounded_by_source(self, tight):
        vps = tight.create("kvm")
        for i in range(5):
            answer = tight.call("getServiceInfo", {"veid": 1000001 + i, "api_key": f"private_{i}"}, source="127.0.0.2")
            assert answer["error"] == 700005
        check_refusal(tight.call("getServiceInfo", {"veid": 5, "api_key": "private_x"}, source="127.0.0.2"))
        # The right key from there gets no answer that tells it apart, and nobody else is hurt.
        check_refusal(vps.call("getServiceInfo", source="127.0.0.2"))
        vps.ok("getServiceInfo", source="127.0.0.3")
        assert vps.ok("getRateLimitStatus")["remaining_points_15min"] == 19

    @pytest.mark.limit(130)
    def test_missing_parameters_and_unknown_calls_are_no_guesses(self, tight):
        vps = tight.create("kvm")
        for _ in range(10):
            assert tight.call("getServiceInfo", source="127.0.0.4")["error"] == 700001
            assert tight.call("nonsense", source="127.0.0.4")["error"] == 700004
        vps.ok("getServiceInfo", source="127.0.0.4")


class TestSeveralProcesses:
    @pytest.mark.limit(130)
    def test_they_agree(self, own_moad, stores):
        """Two api processes on one store: what one sees spent the other refuses soon."""
        await_room_in_the_quarter(90)
        settings = {"api": {"points_15min": 30, "points_24h": 1000, "guesses_15min": 5}}
        url = stores.new_url()
        first = harness.Moad(url, settings)
        try:
            first.start()
            first.add_customer()
            vps = first.create("kvm")
            second = harness.Moad(url or f"sqlite:{first.state_dir}/store/moa.db", settings, folder=first.folder)
            first.processes["second"] = harness.Process("api", second.settings_path, second.log_path)
            twin = harness.Vps(second, {"veid": vps.veid, "api_key": vps.key, "root_password": "", "ip": "", "ssh_port": 0})
            for _ in range(10):
                vps.ok("getServiceInfo")
            for _ in range(10):
                twin.ok("getServiceInfo")
            for one in (vps, twin):
                harness.wait_until(lambda one=one: one.ok("getRateLimitStatus")["remaining_points_15min"] == 10,
                                   "both to know what both have spent", 5)
            for _ in range(10):
                vps.ok("getServiceInfo")
            harness.wait_until(lambda: twin.ok("getRateLimitStatus")["remaining_points_15min"] == 0,
                               "the second to know that all is spent", 5)
            harness.wait_until(lambda: twin.call("getServiceInfo").status == 429, "the second to refuse", 5)
            self.check_guesses(first, second)
        finally:
            first.close()

    def check_guesses(self, first, second):
        """A source that guesses here and there gets its bound over both."""
        wrong = {"veid": 1, "api_key": "private_x"}

        def refused():
            answers = [server.call("start", wrong, source="127.0.0.5") for server in (first, second)]
            return all(answer.status == 429 for answer in answers)

        harness.wait_until(refused, "both to refuse the source", 10)
