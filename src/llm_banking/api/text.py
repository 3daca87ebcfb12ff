"""Text fields as every body uses them."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

MAX_MESSAGE_CHARS = 4_000
_ALLOWED_CONTROLS = frozenset("\n\r\t")


def _clean(text: str) -> str:
    """Refuse control characters and text in which nothing can be seen."""
    if any(unicodedata.category(one) == "Cc" and one not in _ALLOWED_CONTROLS for one in text):
        raise PydanticCustomError("control_characters", "holds control characters")
    if not any(one.isprintable() and not one.isspace() for one in text):
        raise PydanticCustomError("invisible_text", "needs a visible character")
    return text


MessageText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_MESSAGE_CHARS), AfterValidator(_clean)]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_clean)]
CustomerRef = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
