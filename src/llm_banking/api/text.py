"""Text and whole numbers as every body uses them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

MAX_MESSAGE_CHARS = 4_000
_CONTROLS = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
"""Category Cc but for tab, line feed and carriage return."""
_SPACES = r"\t\n\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_UNSEEN = (
    r"\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Format characters and those that are drawn as nothing (Unicode: Cf, Default_Ignorable_Code_Point)."""
TEXT_PATTERN = f"^[^{_CONTROLS}]*[^{_CONTROLS}{_SPACES}{_UNSEEN}][^{_CONTROLS}]*$"
"""What `_clean` takes, for the schema: Python and ECMA-262 read it alike."""
_CONTROL = re.compile(f"[{_CONTROLS}]")
_VISIBLE = re.compile(f"[^{_CONTROLS}{_SPACES}{_UNSEEN}]")


def _clean(text: str) -> str:
    """Refuse control characters and text in which nothing can be seen."""
    if _CONTROL.search(text):
        raise PydanticCustomError("control_characters", "holds control characters")
    if not _VISIBLE.search(text):
        raise PydanticCustomError("invisible_text", "needs a visible character")
    return text


def whole_number(value: object) -> object:
    """JSON has one kind of number, so 7.0 is whole (JSON Schema, 6.1.1); Python counts true as 1, JSON does not."""
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "must be a whole number")
    return int(value) if isinstance(value, float) and value.is_integer() else value


_SHOWN = Field(json_schema_extra={"pattern": TEXT_PATTERN})
MessageText = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_MESSAGE_CHARS), AfterValidator(_clean), _SHOWN
]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_clean), _SHOWN]
CustomerRef = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
