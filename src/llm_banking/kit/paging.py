"""Places in an order by (time, id), as the text that a page's `next_cursor` is."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

from llm_banking.kit.errors import LlmBankingError

MAX_PAGE_ROWS = 100
CURSOR_PATTERN = "^[0-9]{16}-[0-9a-f]{32}$"
"""Every text of this form is a place in the order, so that a client can tell a cursor from what is none."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class CursorInvalidError(LlmBankingError):
    """A page cursor that this server did not give out."""

    code = "INVALID_REQUEST"


def encode_cursor(moment: datetime, row_id: UUID) -> str:
    """Text for the place after a row in (time, id) order: microseconds since 1970, and the id."""
    return f"{(moment - _EPOCH) // timedelta(microseconds=1):016d}-{row_id.hex}"


def decode_cursor(cursor: str) -> tuple[datetime, UUID]:
    """The place that a cursor of the form CURSOR_PATTERN names. Raises CursorInvalidError."""
    if re.fullmatch(CURSOR_PATTERN, cursor) is None:
        raise CursorInvalidError("The cursor is not one of ours. Use next_cursor of the page before.")
    return _EPOCH + timedelta(microseconds=int(cursor[:16])), UUID(cursor[17:])
