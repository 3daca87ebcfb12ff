from __future__ import annotations

import random

import pytest

from llm_banking.proof import access_cost
from llm_banking.proof.access_cost import UnexpectedAnswerError, route_times, sign_in_times


@pytest.mark.slow
def test_sign_ins_under_both_kinds_of_names_are_timed_and_compared() -> None:
    found = sign_in_times(16)
    assert found["tries"] == 16
    assert 0 < found["p_value"] <= 1
    assert min(found["known_ms"], found["unknown_ms"]) > 0


@pytest.mark.slow
def test_a_route_is_timed_with_its_checks_and_bare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_cost, "WARM_UP_ROUNDS", 2)
    found = route_times(20)
    assert found["rounds"] == 20
    assert min(found["checked_ms"], found["bare_ms"]) > 0
    assert found["added_share"] == pytest.approx(found["added_ms"] / found["bare_ms"])


def test_the_comparison_sees_a_server_that_tells_names_apart() -> None:
    """Planted: half a millisecond more under names that somebody has."""
    rng = random.Random(3)  # noqa: S311 - made-up times
    unknown = [rng.gauss(40, 3) for _ in range(1_000)]
    assert access_cost.told_apart([rng.gauss(40.5, 3) for _ in range(1_000)], unknown) < 0.01
    assert access_cost.told_apart([rng.gauss(40, 3) for _ in range(1_000)], unknown) > 0.01


def test_another_answer_than_the_measured_one_is_no_figure() -> None:
    with pytest.raises(UnexpectedAnswerError, match="answered 429 where 401"):
        access_cost._expect(401, 429)
