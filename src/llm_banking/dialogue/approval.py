"""What counts as a yes to money: one of a closed list of whole messages, and nothing that a model says about it."""

from __future__ import annotations

import re
import unicodedata

MAX_CHARS = 40
_YES = frozenset(
    {
        *("yes", "y", "yep", "yeah", "yup", "ok", "okay", "sure", "confirm", "confirmed", "approve", "approved"),
        *("yes please", "yes confirm", "yes i confirm", "i confirm", "i approve", "yes approve", "yes i approve"),
        *("go ahead", "yes go ahead", "sure go ahead", "ok go ahead", "okay go ahead", "please go ahead"),
        *("do it", "yes do it", "please do", "yes send it", "yes pay it", "yes correct", "yes that's right"),
        *("that's right", "correct", "yes that is right", "yes that's correct", "that's correct"),
    }
)


def is_bare_yes(text: str) -> bool:
    """Whether a message is a yes and nothing else: a question mark, a further word or an odd letter make it none."""
    if len(text) > MAX_CHARS:
        return False
    plain = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    return " ".join(re.sub(r"[.,!]", " ", plain).split()) in _YES
