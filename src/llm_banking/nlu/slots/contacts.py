"""E-mail addresses and telephone numbers."""

from __future__ import annotations

import re

from llm_banking.nlu.slots.lexicon import word_set
from llm_banking.nlu.slots.tokens import Found, Words

MIN_DIGITS, MAX_DIGITS = 7, 15
"""Digits of a telephone number, country code included (ITU-T E.164 allows 15)."""

_INTERNATIONAL = re.compile(r"\+[0-9](?:[ .\-()]{0,2}[0-9]){6,14}+(?![0-9])")
_NATIONAL = re.compile(
    r"(?:1[ .\-])?(?:\([0-9]{3}\) ?|[0-9]{3}[ .\-])[0-9]{3}[ .\-][0-9]{4}(?![0-9]|[ .\-][0-9])"
    r"|[0-9]{3}-[0-9]{4}(?![0-9]|[ .\-][0-9])"
    r"|0[0-9]{3,4} [0-9]{3} ?[0-9]{3,4}(?![0-9]|[ .\-][0-9])"
)
_UNBROKEN = re.compile(r"[0-9]{7,15}(?![0-9])")
_CUES = word_set("phone telephone mobile cell cellphone call text whatsapp tel ring sms dial")
CUE_REACH = 5


def read_contact(words: Words, index: int) -> Found | None:
    """The e-mail address (lower case) or telephone number (digits, with + where written) that starts at a token."""
    if words.kind(index) == "email":
        return Found("email", words.low(index), index, index + 1)
    if words.low(index) not in ("+", "(") and words.kind(index) != "number":
        return None
    start = words.tokens[index].start
    if start and (words.source[start - 1].isalnum() or words.source[start - 1] in "-.+*#/$€£"):
        return None
    match = _INTERNATIONAL.match(words.source, start) or _NATIONAL.match(words.source, start)
    cue = any(words.low(at) in _CUES for at in range(max(index - CUE_REACH, 0), index))
    match = match or (_UNBROKEN.match(words.source, start) if cue else None)
    end = _token_after(words, index, match.end()) if match else None
    if match is None or end is None or not words.alone(index, end):
        return None
    digits = "".join(character for character in match[0] if character.isdigit())
    if not MIN_DIGITS <= len(digits) <= MAX_DIGITS:
        return None
    return Found("phone", ("+" if match[0][0] == "+" else "") + digits, index, end)


def _token_after(words: Words, index: int, stop: int) -> int | None:
    """The index after the token that ends at a character; None where `stop` is inside a token."""
    while index < len(words.tokens) and words.tokens[index].end < stop:
        index += 1
    return index + 1 if index < len(words.tokens) and words.tokens[index].end == stop else None
