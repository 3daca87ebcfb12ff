"""Times of day as "HH:MM": "5pm", "17:30", "noon", "half past five", "25 to 7 p.m.", "9 05 in the morning".

An hour from 1 to 11 without am, pm or a part of the day is taken as it is written: "at 5" is 05:00.
"""

from __future__ import annotations

import re

from llm_banking.nlu.slots import lexicon
from llm_banking.nlu.slots.amounts import after_verb
from llm_banking.nlu.slots.lexicon import word_set
from llm_banking.nlu.slots.numbers import read_number
from llm_banking.nlu.slots.tokens import Found, Words

Clock = tuple[int, int, int]
"""Hour, minute, and the index of the token after them."""

_NAMED = {"noon": "12:00", "midday": "12:00", "midnight": "00:00"}
_PARTS = {
    "am": "am",
    "a.m": "am",
    "a.m.": "am",
    "morning": "am",
    "pm": "pm",
    "p.m": "pm",
    "p.m.": "pm",
    "afternoon": "pm",
    "evening": "pm",
    "night": "night",
    "tonight": "night",
}
_FRACTIONS = {"half": 30, "quarter": 15}
_FOLLOWERS = lexicon.FOLLOWERS | word_set("sharp ok okay it we i so but is")
_DOTTED = re.compile(r"([0-9]{1,2})\.([0-9]{2})")


def read_time(words: Words, index: int) -> Found | None:
    """The time of day that starts at a token."""
    low = words.low(index)
    if low in _NAMED and words.alone(index, index + 1):
        return Found("time", _NAMED[low], index, index + 1)
    for reader in (_past_or_to, _clock, _spaced, _hour):
        found = reader(words, index)
        if found:
            hour, minute, end = found
            if not words.alone(index, end):
                return None
            return Found("time", f"{hour:02d}:{minute:02d}", index, end)
    return None


def _part(words: Words, index: int) -> tuple[str, int]:
    """The part of the day that follows and the index after it; empty where none does."""
    for phrase in ("in the", "at", "in"):
        after = words.match(index, phrase)
        if after > index and words.low(after) in ("morning", "afternoon", "evening", "night"):
            return _PARTS[words.low(after)], after + 1
    low = words.low(index)
    return (_PARTS[low], index + 1) if low in _PARTS else ("", index)


def _on_clock(hour: int, minute: int, part: str, end: int) -> Clock | None:
    """The hour in 24 hours; None where it is no time. At night, hours up to five are after midnight."""
    if not (0 <= hour <= 24 and 0 <= minute < 60) or (hour == 24 and minute):
        return None
    late = part == "pm" or (part == "night" and hour > 5)
    if late and hour < 12:
        hour += 12
    elif part in ("am", "night") and hour == 12:
        hour = 0
    return hour % 24, minute, end


def _small(words: Words, index: int, most: int) -> tuple[int, int] | None:
    """A whole number up to `most` and the index after it."""
    number = read_number(words, index)
    if number is None or number.whole is None or number.whole > most or words.low(index) in ("a", "an"):
        return None
    return number.whole, number.end


def _past_or_to(words: Words, index: int) -> Clock | None:
    """Read "half past five", "quarter to 6", "25 to 7 p.m."; after a verb of payment "5 to 8" is no time."""
    at = words.skip(index, "a")
    if words.low(at) in _FRACTIONS:
        minute, at = _FRACTIONS[words.low(at)], at + 1
    else:
        found = _small(words, index, 29)
        if found is None:
            return None
        minute, at = found[0], words.skip(found[1], "minutes", "mins")
    side = words.low(at)
    hour = _small(words, at + 1, 24) if side in ("past", "to", "after") else None
    if hour is None or words.low(hour[1]) in ("%", "$", "€", "£", ":"):
        return None
    part, end = _part(words, hour[1])
    if side != "past" and not part and not _is_time(words, index, minute, end):
        return None
    if side == "past":
        return _on_clock(hour[0], minute, part, end)
    hour_before = hour[0] - 1 if side == "to" else hour[0]
    return _on_clock(hour_before % 24, (60 - minute) if side == "to" else minute, part, end)


def _is_time(words: Words, index: int, minute: int, end: int) -> bool:
    """Whether "20 to 2" is a time: round minutes, nothing paid, nothing counted."""
    if minute % 5 or not minute or after_verb(words, index, lexicon.MONEY_VERBS):
        return False
    follows = words.ends(end) or words.low(end) in _FOLLOWERS or words.low(end) in ("will", "the")
    return follows and words.low(index - 1) not in ("from", "between")


def _clock(words: Words, index: int) -> Clock | None:
    """Read "17:30", "5:30 pm", "5.30pm"."""
    dotted = _DOTTED.fullmatch(words.low(index))
    if words.kind(index) == "clock":
        hour, minute = (int(part) for part in words.low(index).split(":"))
    elif dotted and words.low(index + 1) in ("am", "pm", "a.m", "p.m", "a.m.", "p.m."):
        hour, minute = int(dotted[1]), int(dotted[2])
    else:
        return None
    part, end = _part(words, index + 1)
    return _on_clock(hour, minute, part, end)


def _spaced(words: Words, index: int) -> Clock | None:
    """Read "9 05 in the morning": hour and minute with a space, only where a part of the day follows."""
    hour, minute = words.digits(index), words.digits(index + 1)
    if not 0 < len(hour) <= 2 or len(minute) != 2:
        return None
    part, end = _part(words, index + 2)
    return _on_clock(int(hour), int(minute), part, end) if part else None


def _hour(words: Words, index: int) -> Clock | None:
    """Read "5pm", "10 o'clock", "five in the evening"; a bare hour only after "at" or words like "any time before"."""
    found = _small(words, index, 24)
    if found is None:
        return None
    hour, at = found
    clock = words.skip(at, "o'clock", "oclock")
    part, end = _part(words, clock)
    if part or clock > at:
        return _on_clock(hour, 0, part, end)
    follows = words.ends(at) or words.low(at) in _FOLLOWERS
    return _on_clock(hour, 0, "", at) if follows and _awaits_hour(words, index) else None


def _awaits_hour(words: Words, index: int) -> bool:
    """Whether the words before a bare number ask for an hour."""
    last, before = words.low(index - 1), words.low(index - 2)
    if last == "at":
        return True
    if last == "than":
        return before in ("later", "earlier", "sooner")
    return last in ("before", "after", "around", "until") and before in ("time", "anytime")
