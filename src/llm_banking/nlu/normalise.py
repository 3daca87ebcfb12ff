"""One form for the many ways to type the same characters, with the way back to what was typed.

Full-width and ornamental letters, zero-width characters, look-alike letters of other alphabets, emoji, stretched
words, odd quotes, dashes and spaces: the model was taught none of them. Spelling is `repair`'s business.

Sources: Unicode Standard Annex 15 (NFKC), Unicode Technical Standard 39 (confusable letters).
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product

from llm_banking.nlu.words import words


@dataclass(frozen=True, slots=True)
class Normalised:
    """A text as the model reads it. Character i of `text` stands for original characters offsets[i] to ends[i]."""

    text: str
    offsets: Sequence[int] = field(repr=False)
    ends: Sequence[int] = field(repr=False)

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """Where characters `start` up to, not including, `end` stand in the original. Raises ValueError outside."""
        if not 0 <= start <= end <= len(self.text):
            raise ValueError(f"no span {start} to {end} in a text of {len(self.text)} characters")
        if start == end:
            place = self.offsets[start] if start < len(self.text) else (self.ends[-1] if self.text else 0)
            return place, place
        return self.offsets[start], self.ends[end - 1]

    def span_of(self, start: int, end: int) -> tuple[int, int]:
        """The characters of `text` that stand wholly for the original's `start` up to, not including, `end`."""
        first = bisect_left(self.offsets, start)
        return first, max(first, bisect_right(self.ends, end))

    def then(self, change: Callable[[str], Normalised]) -> Normalised:
        """The text changed further; spans of the result lead back to the first original."""
        after = change(self.text)
        if after.text == self.text:
            return self
        return Normalised(
            after.text,
            [self.offsets[place] for place in after.offsets],
            [self.ends[place - 1] for place in after.ends],
        )


Piece = tuple[str, int, int]
"""What stands for the original characters from, and up to, two places."""


def untouched(text: str) -> Normalised:
    """The text standing for itself."""
    return Normalised(text, range(len(text)), range(1, len(text) + 1))


def assembled(pieces: Iterable[Piece]) -> Normalised:
    """Pieces in order as one text. Every character of a piece stands for all that the piece stands for."""
    text: list[str] = []
    offsets: list[int] = []
    ends: list[int] = []
    for piece, start, end in pieces:
        text.append(piece)
        offsets += [start] * len(piece)
        ends += [end] * len(piece)
    return Normalised("".join(text), offsets, ends)


def replaced(text: str, pattern: re.Pattern[str], change: Callable[[re.Match[str]], list[Piece] | None]) -> Normalised:
    """`re.sub` that keeps the way back; None leaves a match as it is."""
    parts: list[str] = []
    offsets: list[int] = []
    ends: list[int] = []
    reached = 0
    for match in pattern.finditer(text):
        new = change(match)
        if new is None:
            continue
        parts.append(text[reached : match.start()])
        offsets.extend(range(reached, match.start()))
        ends.extend(range(reached + 1, match.start() + 1))
        made = assembled(new)
        parts.append(made.text)
        offsets.extend(made.offsets)
        ends.extend(made.ends)
        reached = match.end()
    if not reached:
        return untouched(text)
    parts.append(text[reached:])
    offsets.extend(range(reached, len(text)))
    ends.extend(range(reached + 1, len(text) + 1))
    return Normalised("".join(parts), offsets, ends)


_PLAIN: dict[str, str] = (
    dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4\u0060\u02bc\u02b9", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2022", "-")
    | dict.fromkeys("\u2122\u2120\u00ae\u00a9\u2800\u2028\u2029", " ")
    | {"\u2044": "/"}
    | dict(
        zip(
            "\u1d00\u0299\u1d04\u1d05\u1d07\ua730\u0262\u029c\u026a\u1d0a\u1d0b\u029f\u1d0d\u0274\u1d0f\u1d18"
            "\u0280\ua731\u1d1b\u1d1c\u1d20\u1d21\u028f\u1d22",
            "abcdefghijklmnoprstuvwyz",
            strict=True,
        )
    )
    | {chr(first + at): chr(ord("A") + at) for first in (0x1F150, 0x1F170) for at in range(26)}
)
"""Quotes, dashes, marks of ownership, small capitals, and white letters on black."""

_LATIN_FOR: dict[str, str] = {
    stranger: latin
    for latin, strangers in {
        "a": "\u0430\u03b1", "b": "\u0432\u03b2", "c": "\u0441\u03f2\u03c2", "d": "\u0501", "e": "\u0435\u03b5",
        "h": "\u043d\u04bb", "i": "\u0456\u03b9", "j": "\u0458", "k": "\u043a\u03ba", "l": "\u04cf",
        "m": "\u043c", "n": "\u03b7", "o": "\u043e\u03bf", "p": "\u0440\u03c1", "q": "\u051b", "s": "\u0455",
        "t": "\u0442\u03c4", "u": "\u03c5\u03bc", "v": "\u03bd", "w": "\u051d\u03c9", "x": "\u0445\u03c7",
        "y": "\u0443\u03b3", "A": "\u0410\u0391", "B": "\u0412\u0392", "C": "\u0421\u03f9", "E": "\u0415\u0395",
        "H": "\u041d\u0397", "I": "\u0406\u0399", "J": "\u0408", "K": "\u041a\u039a", "M": "\u041c\u039c",
        "N": "\u039d", "O": "\u041e\u039f", "P": "\u0420\u03a1", "S": "\u0405", "T": "\u0422\u03a4",
        "X": "\u0425\u03a7", "Y": "\u0423\u03a5", "Z": "\u0396",
    }.items()
    for stranger in strangers
}  # fmt: skip
"""Cyrillic and Greek letters and the Latin ones that they pass for."""

_EMOJI = re.compile("[\u231a\u231b\u2328\u23cf-\u23ff\u2600-\u27bf\u2b05-\u2b55\U0001f000-\U0001faff]")
_SHOWN_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2")
"""Signs of Arabic and Syriac script that Unicode counts as format characters and that show."""
_FILLERS = frozenset("\u034f\u115f\u1160\u3164\uffa0\u17b4\u17b5")
_JOINERS = frozenset("\u200c\u200d")

_ODD = re.compile(r"[ -~]?[^\x00-\x7e]+|[\x00-\x08\x0e-\x1f\x7f`]")
_THRICE = re.compile(r"([A-Za-z!?.,])\1\1")
_ODD_SPACE = re.compile(r"\A\s+|\s+\Z|\s{2,}|[^\S \n]")
_FOREIGN = re.compile(r"[^\W\d_]*[\u0370-\u03ff\u0400-\u052f][^\W\d_]*")
_FOREIGN_LETTER = re.compile(r"[\u0370-\u03ff\u0400-\u052f]")
_STRETCHED = re.compile(
    r"(?<![^\s(\"'.,!?;:-])(?=[a-z']*?([a-z])\1\1)[a-z']+(?![^\s.,!?;:)\"'-])|([!?])\2{2,}|\.{4,}|,{3,}", re.IGNORECASE
)
_RUN = re.compile(r"([a-z])\1\1+|.", re.IGNORECASE | re.DOTALL)
_CHUNK = re.compile(r"\S+")
_MOST_RUNS = 3
_MOST_PASSES = 8


def normalise(text: str) -> Normalised:
    """The text as the model is to read it; idempotent, and defined for every str.

    Numbers, currency signs and letters of other alphabets in words of their own stay what they are. A text of
    nothing but what would go (emoji alone) stays as it is, so that there is always something to read.
    """
    if _tidy(text):
        return untouched(text)
    before = untouched(text)
    for _ in range(_MOST_PASSES):
        after = before.then(_characters).then(_latin_letters).then(_spaces).then(_unstretched)
        if after.text == before.text:
            break
        before = after
    return before if before.text else untouched(text)


def _tidy(text: str) -> bool:
    """Whether a text surely has nothing to change: the usual case, so it comes cheap."""
    return (
        text.isascii()
        and text.isprintable()
        and "  " not in text
        and "`" not in text
        and text[:1] != " "
        and text[-1:] != " "
        and not _THRICE.search(text.lower())
    )


def _characters(text: str) -> Normalised:
    """Each visible character in its plain form, what is invisible or ornament gone."""

    def plain(match: re.Match[str]) -> list[Piece] | None:
        shown = [at for at in range(*match.span()) if not _hidden(text, at)]
        pieces: list[Piece] = []
        first = 0
        while first < len(shown):
            end = first + 1
            while end < len(shown) and unicodedata.category(text[shown[end]])[0] == "M":
                end += 1
            cluster = "".join(text[at] for at in shown[first:end])
            pieces.append((_cluster(cluster), shown[first], shown[end - 1] + 1))
            first = end
        same = "".join(piece for piece, _, _ in pieces) == match.group()
        return None if same else pieces

    return replaced(text, _ODD, plain)


def _hidden(text: str, at: int) -> bool:
    one = text[at]
    if one < "\x7f":
        return one < " " and not one.isspace()
    if one in _JOINERS and 0 < at < len(text) - 1:
        # In Persian and Indic words a joiner is spelling.
        return not all("\u0590" <= beside < "\u2000" for beside in (text[at - 1], text[at + 1]))
    if one in _FILLERS or "\ufe00" <= one <= "\ufe0f" or "\U000e0000" <= one <= "\U000e01ef":
        return True
    kind = unicodedata.category(one)
    return (kind == "Cf" and one not in _SHOWN_FORMATS) or (kind == "Cc" and not one.isspace())


@lru_cache(maxsize=4096)
def _cluster(cluster: str) -> str:
    """A character and the marks on it, in plain form."""
    base = _plain(cluster[0])
    if len(cluster) == 1:
        return base
    whole = unicodedata.normalize("NFC", base + cluster[1:])
    if base and base[0] < "\u0250":
        # Latin letters are composed by now: what is left strikes through, encircles or piles up.
        return "".join(one for one in whole if unicodedata.category(one)[0] != "M")
    return whole


def _plain(one: str) -> str:
    if one < "\x7f" and one != "`":
        return one
    if one in _PLAIN:
        return _PLAIN[one]
    if one in _LATIN_FOR:
        return one
    kind, _, rest = unicodedata.decomposition(one).partition(" ")
    if rest and kind.startswith("<"):
        return _compatible(one, kind)
    if _EMOJI.match(one):
        return " "
    return unicodedata.normalize("NFC", one)


def _compatible(one: str, kind: str) -> str:
    """The compatibility form, unless it changes a number or currency (5\u00b2 is not 52, 2\u00bd not 21/2)."""
    plain = unicodedata.normalize("NFKC", one)
    if kind == "<fraction>" or (kind in {"<super>", "<sub>", "<circle>"} and any(map(str.isdigit, plain))):
        return one
    if (unicodedata.category(one) == "Sc" and kind != "<wide>") or (plain[0] == " " and len(plain) > 1):
        return one
    return plain


def _latin_letters(text: str) -> Normalised:
    """Letters of other alphabets that pass for Latin ones in a Latin word, as Latin letters."""
    strangers = _FOREIGN_LETTER.findall(text)
    if not strangers:
        return untouched(text)
    genuine = any(one not in _LATIN_FOR for one in strangers)

    def latin(match: re.Match[str]) -> list[Piece] | None:
        word = match.group()
        new = "".join(_LATIN_FOR.get(letter, letter) for letter in word)
        if _FOREIGN_LETTER.search(new):
            return None
        alone = all(map(_FOREIGN_LETTER.match, word))
        if alone and (genuine or new.lower() not in words()):
            return None
        return [(letter, match.start() + at, match.start() + at + 1) for at, letter in enumerate(new)]

    return replaced(text, _FOREIGN, latin)


def _spaces(text: str) -> Normalised:
    """Single spaces, or line breaks where there was one, and none at the ends."""

    def single(match: re.Match[str]) -> list[Piece]:
        if match.start() == 0 or match.end() == len(text):
            return [("", *match.span())]
        return [("\n" if "\n" in match.group() else " ", *match.span())]

    return replaced(text, _ODD_SPACE, single)


def _unstretched(text: str) -> Normalised:
    """Words said with stretched letters in their usual spelling; !!!! as !. Addresses and numbers stay."""
    if not _THRICE.search(text.lower()):
        return untouched(text)
    addresses = [chunk.span() for chunk in _CHUNK.finditer(text) if _is_address(chunk.group())]

    def shorter(match: re.Match[str]) -> list[Piece] | None:
        if any(start <= match.start() < end for start, end in addresses):
            return None
        said = match.group()
        if not said[0].isalpha() and said[0] != "'":
            return [("..." if said[0] == "." else said[0], *match.span())]
        runs = [run.span() for run in _RUN.finditer(said)]
        if len(runs) == 1:
            return None
        pieces: list[Piece] = []
        for (start, end), letters in zip(runs, _spelling(said, runs), strict=True):
            pieces.append((letters, match.start() + start, match.start() + end))
        return pieces

    return replaced(text, _STRETCHED, shorter)


def _is_address(chunk: str) -> bool:
    return "@" in chunk or "/" in chunk or chunk[:4].lower() == "www."


def _spelling(said: str, runs: list[tuple[int, int]]) -> list[str]:
    """Each run of a stretched word cut to one letter, or to two where that makes the commoner word."""
    cut = [said[start:end] if end - start < 3 else said[start] for start, end in runs]
    long = [place for place, (start, end) in enumerate(runs) if end - start >= 3]
    if len(long) > _MOST_RUNS:
        return cut
    choices: list[list[str]] = []
    for sizes in product((1, 2), repeat=len(long)):
        choice = list(cut)
        for place, size in zip(long, sizes, strict=True):
            start = runs[place][0]
            choice[place] = said[start : start + size]
        choices.append(choice)
    return max(choices, key=lambda choice: words().get("".join(choice).lower(), 0))
