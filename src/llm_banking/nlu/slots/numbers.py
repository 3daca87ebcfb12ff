"""Numbers as customers write them: "1,200.50", "2k", "two hundred and fifty", "a thousand", "half a million"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from llm_banking.nlu.slots.lexicon import word_list, word_set
from llm_banking.nlu.slots.tokens import Words

MAX_DIGITS = 15
MAX_WORDS = 24

_UNITS = dict(zip(word_list("one two three four five six seven eight nine"), range(1, 10), strict=True))
_TEENS = dict(
    zip(
        word_list("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"),
        range(10, 20),
        strict=True,
    )
)
_TENS = dict(zip(word_list("twenty thirty forty fifty sixty seventy eighty ninety"), range(20, 100, 10), strict=True))
_TENS["fourty"] = 40
_SCALES = {
    "thousand": 3,
    "grand": 3,
    "lakh": 5,
    "million": 6,
    "mil": 6,
    "crore": 7,
    "billion": 9,
    "bn": 9,
    "trillion": 12,
}
_SUFFIXES = {"k": 3, "m": 6, "mn": 6, "bn": 9, "b": 9}
"""Powers of ten that stand directly after digits."""
_ORDINALS = dict(
    zip(
        word_list(
            "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
            "fifteenth sixteenth seventeenth eighteenth nineteenth"
        ),
        range(1, 20),
        strict=True,
    )
) | {"twentieth": 20, "thirtieth": 30}
_NEXT = {
    "start": {"zero", "unit", "teen", "tens", "digits"},
    "zero": set[str](),
    "unit": {"hundred", "scale"},
    "teen": {"hundred", "scale"},
    "tens": {"unit", "hundred", "scale"},
    "hundred": {"unit", "teen", "tens", "scale"},
    "scale": {"unit", "teen", "tens", "digits"},
    "digits": {"hundred", "scale"},
}
"""Which kind of number word may follow which."""
_BARE_SCALE_AFTER = word_set("send transfer pay move wire withdraw deposit give lend for to me him her them")
_NUMERAL = re.compile(r"[0-9]+(?:\.[0-9]+)?|[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"([0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+),([0-9]{2})")


@dataclass(frozen=True, slots=True)
class Number:
    """A number and the index of the token after it."""

    value: Decimal
    end: int

    @property
    def whole(self) -> int | None:
        """The number as an integer; None where it has a fraction."""
        return int(self.value) if self.value == self.value.to_integral_value() else None


def numeral(text: str) -> Decimal | None:
    """Digits with comma groups and a decimal point, or a decimal comma with two digits; None for any other shape."""
    if sum(character.isdigit() for character in text) > MAX_DIGITS:
        return None
    if _NUMERAL.fullmatch(text):
        return Decimal(text.replace(",", ""))
    parts = _DECIMAL_COMMA.fullmatch(text)
    return Decimal(f"{parts[1].replace('.', '')}.{parts[2]}") if parts else None


def _atom(words: Words, index: int) -> tuple[str, Decimal] | None:
    """The kind and value of one number word or numeral; for a scale the value is its power of ten."""
    low = words.low(index)
    if words.kind(index) == "number":
        value = numeral(low)
        return None if value is None else ("digits", value)
    if low in _SUFFIXES and words.touches(index) and words.kind(index - 1) == "number":
        return "scale", Decimal(_SUFFIXES[low])
    for kind, table in (("unit", _UNITS), ("teen", _TEENS), ("tens", _TENS), ("scale", _SCALES)):
        if low in table:
            return kind, Decimal(table[low])
    if low == "hundred":
        return "hundred", Decimal(100)
    return ("zero", Decimal(0)) if low == "zero" else None


class _Sum:
    """The number read so far: closed groups in `total`, the open one in `group`."""

    def __init__(self) -> None:
        self.total = Decimal(0)
        self.group: Decimal | None = None
        self.last = "start"
        self.power = Decimal(99)

    def add(self, kind: str, value: Decimal) -> bool:
        """Take one more number word; False, and nothing changed, where it cannot continue the number."""
        if kind not in _NEXT[self.last]:
            return False
        if kind == "hundred":
            if self.group is None or self.group >= 100:
                return False
            self.group *= value
        elif kind == "scale":
            if self.group is None or value >= self.power:
                return False
            self.total += self.group.scaleb(int(value))
            self.group, self.power = None, value
        elif kind == "digits" and self.last == "scale" and value >= Decimal(10) ** int(self.power):
            return False
        else:
            self.group = (self.group or Decimal(0)) + value
        self.last = kind
        return True

    @property
    def value(self) -> Decimal:
        return self.total + (self.group or Decimal(0))


def read_number(words: Words, index: int) -> Number | None:
    """The longest number that starts at a token. Values are exact; None where no number starts there."""
    low = words.low(index)
    if low == "half":
        scale = _atom(words, index + 2) if words.low(index + 1) == "a" else None
        return Number(Decimal("0.5").scaleb(int(scale[1])), index + 3) if scale and scale[0] == "scale" else None
    state, at = _Sum(), index
    first = _atom(words, index)
    if low in ("a", "an"):
        first, at = _atom(words, index + 1), index + 1
        if first is None or first[0] not in ("hundred", "scale"):
            return None
        state.add("unit", Decimal(1))
    elif first and first[0] in ("hundred", "scale"):
        if index and words.low(index - 1) not in _BARE_SCALE_AFTER:
            return None
        state.add("unit", Decimal(1))
    elif first is None:
        return None
    at = _continue(words, at, state)
    at = _fraction(words, at, state)
    return Number(state.value, at)


def _continue(words: Words, at: int, state: _Sum) -> int:
    """Take number words from `at` on; the index after the last one taken."""
    for _ in range(MAX_WORDS):
        here = at
        if (state.last in ("hundred", "scale") and words.low(here) == "and") or (
            words.low(here) == "-" and state.last != "digits" and words.touches(here) and words.touches(here + 1)
        ):
            here += 1
        atom = _atom(words, here)
        if atom is None or (here > at and atom[0] not in ("unit", "teen", "tens", "hundred", "scale")):
            return at
        if not state.add(*atom):
            return at
        at = here + 1
    return at


def _fraction(words: Words, at: int, state: _Sum) -> int:
    """Take "and a half" or "point five" and a scale after it."""
    group = state.group
    if group is None or state.last not in ("unit", "teen", "tens", "digits", "zero"):
        return at
    half = words.match(at, "and a half")
    end = at
    if half > at and group == group.to_integral_value():
        state.group, end = group + Decimal("0.5"), half
    elif words.low(at) == "point":
        places = ""
        while len(places) < 4 and words.low(at + 1 + len(places)) in _UNITS | {"zero": 0}:
            places += str((_UNITS | {"zero": 0})[words.low(at + 1 + len(places))])
        if not places:
            return at
        state.group, end = group + Decimal(f"0.{places}"), at + 1 + len(places)
    if end > at:
        state.last = "unit"
        scale = _atom(words, end)
        if scale and scale[0] == "scale" and state.add(*scale):
            end += 1
    return end


def read_ordinal(words: Words, index: int) -> tuple[int, int, bool] | None:
    """Read "5th", "fifth", "twenty-first": its value, the index after it, and whether it is written in digits."""
    low = words.low(index)
    if words.kind(index) == "number":
        suffixed = words.low(index + 1) in ("st", "nd", "rd", "th") and words.touches(index + 1)
        return (int(low), index + 2, True) if suffixed and 0 < len(words.digits(index)) < 4 else None
    if low in _ORDINALS:
        return _ORDINALS[low], index + 1, False
    if low in _TENS:
        unit = index + 2 if words.low(index + 1) == "-" else index + 1
        value = _ORDINALS.get(words.low(unit), 99)
        return (_TENS[low] + value, unit + 1, False) if value < 10 else None
    return None
