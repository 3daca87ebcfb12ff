"""Cursors: every one of the form is a place, and no other text is."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_banking.kit.paging import CURSOR_PATTERN, CursorInvalidError, decode_cursor, encode_cursor

TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - its own zone


@given(st.from_regex(CURSOR_PATTERN, fullmatch=True))
def test_every_cursor_of_the_form_is_a_place(cursor: str) -> None:
    assert encode_cursor(*decode_cursor(cursor)) == cursor


@given(TIMES, st.uuids(), TIMES, st.uuids())
def test_cursors_of_one_time_and_id_are_in_their_order(at: datetime, one: UUID, later: datetime, other: UUID) -> None:
    assert decode_cursor(encode_cursor(at, one)) == (at, one)
    in_order = encode_cursor(at, one) < encode_cursor(later, other)
    assert in_order == ((at, one.hex) < (later, other.hex))


@pytest.mark.parametrize(
    "text", ["", "abc", "OTk5OTl8Nw==", f"{0:016d}-{0:031x}", f"{0:016d}-{0:032x}\n", f"-{0:015d}-{0:032x}"]
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(CursorInvalidError):
        decode_cursor(text)
