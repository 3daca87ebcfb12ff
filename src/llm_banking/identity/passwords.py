"""Which passwords may be set: length counts, composition does not (ASVS 5.0, V6.2; NIST SP 800-63B-4, 3.1.1)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
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
    """Cut the text so that the fewest characters remain. `known` words are the owner's: they make no phrase."""
    plain = text.translate(_PLAIN)
    words = common_words() | known
    longest = max(map(len, words))
    cuts: list[_Cut | None] = [_Cut(), *[None] * len(text)]
    for at in range(len(text)):
        cut = cuts[at]
        if cut is None:
            continue
        ends = [(at + 1, cut.with_own(text[at]))]
        ends += [(end, cut) for end in _run_ends(text, at)]
        for form in (text, plain):
            ends += [(at + len(word), cut.with_word(word, known)) for word in _words_at(form, at, words, longest)]
        for end, candidate in ends:
            held = cuts[end]
            if held is None or candidate.size < held.size:
                cuts[end] = candidate
    best = cuts[-1] or _Cut()
    return len(best.own) < _OWN_CHARACTERS and len(best.words) <= _MAX_PARTS


@dataclass(frozen=True, slots=True)
class _Cut:
    """How the text so far was cut: characters that are in no common part, and the common words."""

    own: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()

    @property
    def size(self) -> tuple[int, int]:
        return len(self.own), len(self.words)

    def with_own(self, character: str) -> _Cut:
        return _Cut(self.own | ({character} - _SEPARATORS), self.words)

    def with_word(self, word: str, known: frozenset[str]) -> _Cut:
        return _Cut(self.own, self.words | ({word} - known))


def _words_at(text: str, at: int, words: frozenset[str], longest: int) -> list[str]:
    sizes = range(_MIN_RUN, min(longest, len(text) - at) + 1)
    return [text[at : at + size] for size in sizes if text[at : at + size] in words]


def _run_ends(text: str, at: int) -> set[int]:
    """Where a run that begins here ends, at its longest and one before: the next word may begin with its last."""
    size = _run_at(text, at)
    return {end for end in (at + size, at + size - 1) if end > at and size}


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
