"""Personal data in one text: numbers with a check digit or a strict form by rule, everything else by the token head.

What a rule finds is kept over what the head says of the same characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from llm_banking.nlu.slots import MAX_CHARACTERS, Slot
from llm_banking.nlu.spans import Span

FORMAT_SCORE = 0.9
"""Score of what has the form of personal data but no check digit."""

_IBAN_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?=[ -]?[A-Za-z0-9])")
_IBAN_GROUP = re.compile(r"[ -]?[A-Za-z0-9]{1,30}+")
_CARD_START = re.compile(r"(?<![A-Za-z0-9.,$€£+-])[0-9]{3,19}+")
_CARD_GROUP = re.compile(r"[ -][0-9]{2,6}+")
_SSN = re.compile(r"(?<![0-9-])(?!000|666|9)[0-9]{3}([- ])(?!00)[0-9]{2}\1(?!0000)[0-9]{4}(?![0-9]|-[0-9])")
_ROUTING = re.compile(r"\b(?:routing|aba|rtn)\b[^0-9\n]{0,30}([0-9]{9})(?![0-9])", re.IGNORECASE)
_BIRTH = re.compile(r"\b(?:born|birth|birthday|birthdate|dob|d\.o\.b)\b", re.IGNORECASE)
_BIRTH_REACH = 30
_ROUTING_WEIGHTS = (3, 7, 1) * 3


@dataclass(frozen=True, slots=True)
class PersonalData:
    """Characters `start` up to, not including, `end` of a text that are personal data of a type.

    The types are those of the token head and EMAIL, IBAN, ROUTING_NUMBER and DATE_OF_BIRTH. `score` is 1 for what
    passes a check digit or a strict form, FORMAT_SCORE for other forms, and the head's probability for the rest.
    """

    type: str
    start: int
    end: int
    score: float


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1)."""
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    total = sum(int(digit) for digit in digits[-1::-2]) + sum(one - 9 if one > 9 else one for one in doubled)
    return total % 10 == 0 and len(set(digits)) > 1


def passes_mod97(iban: str) -> bool:
    """Whether an IBAN without separators has the right check digits (ISO 13616, MOD 97-10)."""
    moved = iban[4:] + iban[:4]
    return 15 <= len(iban) <= 34 and int("".join(str(int(one, 36)) for one in moved)) % 97 == 1


def passes_aba(digits: str) -> bool:
    """Whether nine digits are a US routing number: a Federal Reserve prefix and a right check digit (ABA)."""
    prefix = int(digits[:2])
    known = prefix <= 12 or 21 <= prefix <= 32 or 61 <= prefix <= 72 or prefix == 80
    return known and sum(int(digit) * weight for digit, weight in zip(digits, _ROUTING_WEIGHTS, strict=True)) % 10 == 0


def _checked(
    text: str, start: re.Pattern[str], group: re.Pattern[str], most: int, passes: Callable[[str], bool]
) -> Iterator[tuple[int, int]]:
    """The longest run of groups from each start that passes its check, in characters."""
    after = 0
    for first in start.finditer(text):
        if first.start() < after:
            continue
        ends = [first.end()]
        while (following := group.match(text, ends[-1])) and following.end() - first.start() <= most:
            ends.append(following.end())
        for end in reversed(ends):
            compact = re.sub(r"[ -]", "", text[first.start() : end])
            if not text[end : end + 1].isalnum() and passes(compact):
                after = end
                yield first.start(), end
                break


def _exact(text: str) -> Iterator[PersonalData]:
    """What a check digit or a strict form makes sure."""
    for start, end in _checked(text, _IBAN_START, _IBAN_GROUP, 42, passes_mod97):
        yield PersonalData("IBAN", start, end, 1.0)
    for start, end in _checked(
        text, _CARD_START, _CARD_GROUP, 25, lambda one: 13 <= len(one) <= 19 and passes_luhn(one)
    ):
        yield PersonalData("CARD", start, end, 1.0)
    for match in _SSN.finditer(text):
        yield PersonalData("SSN", match.start(), match.end(), 1.0)
    for match in _ROUTING.finditer(text):
        if passes_aba(match[1]):
            yield PersonalData("ROUTING_NUMBER", match.start(1), match.end(1), 1.0)


_SLOT_TYPES = {"email": ("EMAIL", 1.0), "phone": ("PHONE", FORMAT_SCORE)}


def find_personal_data(text: str, spans: Sequence[Span], slots: Sequence[Slot]) -> tuple[PersonalData, ...]:
    """The personal data of a text, in order; it never overlaps. Reads MAX_CHARACTERS characters; never raises.

    `spans` are the token head's and `slots` the rules'. Of what overlaps, a check digit comes before an e-mail address
    or telephone number by rule, that before the head, and the head before a date by rule. Amounts, times and periods
    are none. A date near a word of birth is DATE_OF_BIRTH.
    """
    text = text[:MAX_CHARACTERS]
    found = list(_exact(text))
    found += [
        PersonalData(_SLOT_TYPES[one.name][0], one.start, one.end, _SLOT_TYPES[one.name][1])
        for one in slots
        if one.name in _SLOT_TYPES
    ]
    ranked = sorted((one for one in spans if one.type not in ("AMOUNT", "TIME", "PERIOD")), key=lambda one: -one.score)
    found += [PersonalData(one.type, one.start, one.end, one.score) for one in ranked]
    found += [PersonalData("DATE", one.start, one.end, FORMAT_SCORE) for one in slots if one.name == "date"]
    kept: list[PersonalData] = []
    for one in found:
        if all(one.end <= other.start or other.end <= one.start for other in kept):
            kept.append(_with_birth(text, one) if one.type == "DATE" else one)
    return tuple(sorted(kept, key=lambda one: one.start))


def _with_birth(text: str, one: PersonalData) -> PersonalData:
    born = _BIRTH.search(text, max(one.start - _BIRTH_REACH, 0), one.start)
    return PersonalData("DATE_OF_BIRTH", one.start, one.end, one.score) if born else one
