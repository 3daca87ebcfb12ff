"""Which passwords may be set: length counts, composition does not (ASVS 5.0, V6.2; NIST SP 800-63B-4, 3.1.1)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from llm_banking.identity.errors import PasswordRefusedError

MIN_LENGTH = 15
MIN_LENGTH_WITH_SECOND_FACTOR = 8
MAX_LENGTH = 128
"""Characters (code points) after normalisation."""

PRODUCT_WORDS = ("llm", "banking", "bank", "llmbanking", "assistant")

_OWN_CHARACTERS = 4
"""A password that is made of common parts needs this many more characters that are not."""
_MAX_PARTS = 3
"""More different common words than this are a phrase, and may be used."""
_MIN_RUN = 3
_MIN_CONTEXT_CHARACTERS = 3
_LONGEST_COMMON_NUMBER = 8
"""Digits of a date; longer numbers that are no walk and no repetition count as characters of their own."""
_SEPARATORS = frozenset(" -_./,;:")
_PLAIN = str.maketrans("@4301!$578", "aaeoiisstb")
_ROWS = (
    "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "azertyuiop", "qsdfghjklm", "wxcvbn",
    "1234567890", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "1q2w3e4r5t6y7u8i9o0p", "qazwsxedcrfvtgbyhnujmikolp",
    "!@#$%^&*()_+", "!\"§$%&/()=?", "741852963", "147258369", "789456123", "abcdefghijklmnopqrstuvwxyz", "9876543210",
)  # fmt: skip
"""Rows, columns and diagonals of keyboards, and the two sequences that everybody knows."""


def normalised(password: str) -> str:
    """The form that is counted and hashed: NFKC, so that every keyboard's way to write it gives the same password."""
    return unicodedata.normalize("NFKC", password)


def check_new_password(password: str, *, has_second_factor: bool, context: Iterable[str]) -> str:
    """The normalised password, if it may be set. `context` are texts that others know of its owner.

    Raises PasswordRefusedError that names the rule and nothing of the password.
    """
    found = normalised(password)
    least = MIN_LENGTH_WITH_SECOND_FACTOR if has_second_factor else MIN_LENGTH
    if not least <= len(found) <= MAX_LENGTH:
        raise PasswordRefusedError(
            f"The password needs {least} to {MAX_LENGTH} characters, of any kind. A phrase of several words is good."
        )
    if is_common(found, context=context):
        raise PasswordRefusedError(
            "The password is one that is tried first: it is built of common words, names known from your account, "
            "years, repetitions or neighbouring keys. Take a phrase of several words of your own."
        )
    return found


def is_common(password: str, *, context: Iterable[str] = ()) -> bool:
    """Whether a password is little more than common words, years, repetitions, keyboard walks or its owner's names.

    It is cut into such parts, letters in any case and the usual substitutions undone ("P@ssw0rd"). It is common if
    fewer than 4 different characters remain and at most 3 different words were found: four words in one's own order
    may stand, a word with a year may not. Repetition is undone first; what is repeated must be long enough itself.
    """
    text = password.casefold()
    unit = _unit(text)
    if len(unit) < min(len(text), MIN_LENGTH_WITH_SECOND_FACTOR):
        return True
    return _little_is_own(unit, _context_words(context))


@cache
def common_words() -> frozenset[str]:
    """The words of the shipped list, which was written for this product. Casefolded."""
    text = (files("llm_banking.identity") / "data" / "common_words.txt").read_text(encoding="utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


def _context_words(context: Iterable[str]) -> frozenset[str]:
    found = set(PRODUCT_WORDS)
    for text in context:
        plain = normalised(text).casefold()
        parts = "".join(character if character.isalnum() else " " for character in plain).split()
        found |= {part for part in [*parts, "".join(parts)] if len(part) >= _MIN_CONTEXT_CHARACTERS}
    return frozenset(found)


def _unit(text: str) -> str:
    """What a text repeats from its beginning to its end; itself if it repeats nothing."""
    size = (text + text).find(text, 1)
    return text[:size]


def _little_is_own(text: str, known: frozenset[str]) -> bool:
    """`known` words are the owner's: a phrase of them alone is never a phrase of one's own."""
    steps = _cut(text, common_words() | known)
    own: set[str] = set()
    parts: set[str] = set()
    at = 0
    while at < len(text):
        size, word = steps[at]
        if word:
            parts |= {word} - known
        elif not size:
            own |= {text[at]} - _SEPARATORS
        at += max(size, 1)
    return len(own) < _OWN_CHARACTERS and len(parts) <= _MAX_PARTS


def _cut(text: str, words: frozenset[str]) -> list[tuple[int, str]]:
    """How to go on from each place so that the fewest characters are left over, then by the fewest parts.

    A step is (characters, word): a word, a run without a word, or 0 characters where the place's own is left over.
    """
    plain = text.translate(_PLAIN)
    longest = max(map(len, words))
    costs: list[tuple[int, int]] = [(0, 0)] * (len(text) + 1)
    steps: list[tuple[int, str]] = [(0, "")] * len(text)
    for at in range(len(text) - 1, -1, -1):
        left_over, parts = costs[at + 1]
        best = ((left_over + (text[at] not in _SEPARATORS), parts), (0, ""))
        run = _run_at(text, at)
        ways = [(costs[at + run], (run, ""))] if run else []
        for size in range(_MIN_RUN, min(longest, len(text) - at) + 1):
            for form in {text[at : at + size], plain[at : at + size]} & words:
                after = costs[at + size]
                ways.append(((after[0], after[1] + 1), (size, form)))
        costs[at], steps[at] = min([best, *ways])
    return steps


def _run_at(text: str, at: int) -> int:
    """Characters from here on that are one character again and again, neighbours on a keyboard, or digits."""
    return max(_repeated_at(text, at), _walk_at(text, at), _digits_at(text, at))


def _repeated_at(text: str, at: int) -> int:
    size = len(text[at:]) - len(text[at:].lstrip(text[at]))
    return size if size >= _MIN_RUN else 0


def _walk_at(text: str, at: int) -> int:
    best = 0
    for row in _rows():
        size = best
        while size < len(text) - at and text[at : at + size + 1] in row:
            size += 1
        best = max(best, size)
    return best if best >= _MIN_RUN else 0


@cache
def _rows() -> tuple[str, ...]:
    return tuple(line * 2 for row in _ROWS for line in (row, row[::-1]))


def _digits_at(text: str, at: int) -> int:
    """Years, dates, house numbers: they add little of their own beside a word."""
    size = 0
    while at + size < len(text) and text[at + size].isdecimal():
        size += 1
    return size if size <= _LONGEST_COMMON_NUMBER else 0
