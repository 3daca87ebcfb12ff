"""Pages of rows, as every list has them."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from fastapi import Query

from llm_banking.api.envelope import Model
from llm_banking.kit.paging import CURSOR_PATTERN, MAX_PAGE_ROWS

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_ROWS)]
Cursor = Annotated[str | None, Query(pattern=CURSOR_PATTERN)]

T = TypeVar("T")


class Page(Model, Generic[T]):
    """Rows, and where the next page begins (null on the last)."""

    items: list[T]
    next_cursor: str | None
