"""The harness judges rightly, sees limits that do not hold, and finds that ours do."""

from __future__ import annotations

import json

import pytest

from llm_banking.kit.rate_limits import Limit
from llm_banking.proof import rate_limits
from llm_banking.proof.rate_limits import LIMITS, ROLES, SCENARIOS, Tally, bound, judge, run_scenario, shown
from llm_banking.settings import RateLimits

FEW = Limit(requests=1, window_s=3_600, burst_requests=3)


def test_the_bound_is_burst_and_rate_and_what_a_scenario_may_cost() -> None:
    limit = Limit(requests=60, window_s=60, burst_requests=10)
    for name, closes, most in (
        ("steady", False, 10 + 12),
        ("redis_flushed", False, 20 + 12),
        ("redis_stopped", False, 20 + 12 + 4),
        ("redis_stopped", True, 10 + 12),
        ("redis_killed", False, 30 + 12 + 4),
        ("redis_killed", True, 20 + 12),
    ):
        assert bound(limit, SCENARIOS[name], 12.9, 4.0, closes=closes) == most, name


def test_one_request_too_many_does_not_hold() -> None:
    tally = Tally()
    most = bound(LIMITS["chat"], SCENARIOS["steady"], 6.0, 0.0, closes=False)
    talker = next(role for role in ROLES if ("chat", "chat") in role.buckets)
    for _ in range(most):
        tally.add(talker, 200, b"", 0.0, 1.0)
    tally.add(talker, 429, b"", 0.0, 1.0)
    tally.add(talker, 503, b"RATE_LIMIT_UNAVAILABLE", 0.0, 1.0)
    rows = {row["bucket"]: row for row in judge(SCENARIOS["steady"], tally, 6.0, 0.0)}
    assert (rows["chat"]["holds"], rows["chat"]["undershoot_percent"]) == (True, 0)
    assert (rows["chat"]["refused_429"], rows["chat"]["closed_503"]) == (1, 1)
    tally.add(talker, 422, b"", 0.0, 1.0)
    rows = {row["bucket"]: row for row in judge(SCENARIOS["steady"], tally, 6.0, 0.0)}
    assert not rows["chat"]["holds"]
    assert "chat                     56 of     55 DOES NOT HOLD" in shown(
        {"scenarios": [{"scenario": "steady", "buckets": [rows["chat"]]}]}
    )


def test_the_limits_that_are_driven_are_limits_of_the_product() -> None:
    ours = RateLimits()
    for name in ("anonymous", "chat", "admin"):
        assert LIMITS[name] == getattr(ours, name)
    assert set(LIMITS) <= set(RateLimits.model_fields)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(SCENARIOS))
def test_the_limits_hold_whatever_happens_to_redis(name: str) -> None:
    found = run_scenario(name, 3.0, 32)
    assert found["holds"], json.dumps(found, indent=1)
    assert all(row["admitted"] > 0 for row in found["buckets"])


@pytest.mark.slow
def test_the_harness_sees_a_server_that_admits_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: limits are judged that the server does not know."""
    monkeypatch.setattr(rate_limits, "LIMITS", dict.fromkeys(LIMITS, FEW))
    found = run_scenario("steady", 3.0, 32)
    assert not found["holds"]
    assert [row["bucket"] for row in found["buckets"] if not row["holds"]]
