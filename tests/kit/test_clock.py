from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from llm_banking.kit.clock import rfc3339, utc_now


def test_now_is_aware_and_in_utc() -> None:
    before = datetime.now(UTC)
    found = utc_now()
    assert before <= found <= datetime.now(UTC)
    assert found.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2024, 2, 29, 12, 0, tzinfo=UTC), "2024-02-29T12:00:00.000Z"),
        (datetime(2024, 1, 1, 1, 30, 5, 999_999, timezone(timedelta(hours=2))), "2023-12-31T23:30:05.999Z"),
        (
            datetime(2024, 6, 30, 20, 15, 0, 7_000, timezone(timedelta(hours=-5, minutes=-30))),
            "2024-07-01T01:45:00.007Z",
        ),
    ],
)
def test_a_time_is_written_in_utc_with_milliseconds(moment: datetime, text: str) -> None:
    assert rfc3339(moment) == text


def test_the_text_reads_back_as_the_same_millisecond() -> None:
    now = utc_now()
    assert datetime.fromisoformat(rfc3339(now)) == now.replace(microsecond=now.microsecond // 1000 * 1000)
