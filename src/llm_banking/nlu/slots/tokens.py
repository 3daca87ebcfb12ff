"""The words, numerals and signs of one text, with where each stands: what every slot reader reads."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any, Literal

from llm_banking.nlu.slots.lexicon import word_set

Prefer = Literal["future", "past"]

_TOKEN = re.compile(
    r"""
    (?P<url>(?:https?://|www\.)\S++
      | (?:[A-Za-z0-9-]{1,63}+\.){1,6}(?:com|org|net|info|biz|io|gov|edu|co\.uk)\b(?![@.]?\w)(?:[/?]\S*+)?)
    | (?P<email>[A-Za-z0-9._%+\-]{1,64}+@[A-Za-z0-9\-]{1,63}+(?:\.[A-Za-z0-9\-]{1,63}+){1,6}+)
    | (?P<iso>[0-9]{4}-[0-9]{2}-[0-9]{2})(?![0-9\-])
    | (?P<slash>[0-9]{1,2}(?P<divider>[/\-.])[0-9]{1,2}(?P=divider)(?:[0-9]{4}|[0-9]{2})
      | [0-9]{1,2}/[0-9]{1,2})(?![0-9/\-]|\.[0-9])
    | (?P<clock>[0-9]{1,2}:[0-9]{2})(?![0-9:])
    | (?P<number>[0-9]++(?:[.,][0-9]++)*+)
    | (?P<clitic>['\u2019]s\b)
    | (?P<word>[ap]\.m\b\.? | [^\W\d_]++(?:['\u2019](?!s\b)[^\W\d_]++)*+)
    | (?P<sign>\S)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_TOLD = word_set(
    "spent paid was were did had bought received sent charged since ago show list transferred made happened went "
    "started lost withdrew withdrawn deposited declined earned arrived history dispute disputed fraud fraudulent"
)
"""Words that tell of the past or ask for it."""
_HINTED = word_set("transactions transaction statement statements last previous been has")
"""Words that do so where no payment is asked for."""
_ASKED = word_set("send transfer pay move wire")
_PLANNED = word_set("will schedule scheduled upcoming due remind appointment next tomorrow later")


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of the text. `low` is its lower-case form; `kind` names the group of the pattern that took it."""

    text: str
    low: str
    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Found:
    """A slot seen at tokens `first` up to, not including, `end`."""

    name: str
    value: Any
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Words:
    """A text cut into tokens, with what its words are read against.

    `today` is the customer's date, `currency` the ISO 4217 code of amounts said without one. `prefer` says where a
    date without a year or week is looked for. `shouted` is set where no letter is in lower case.
    """

    source: str
    today: date
    currency: str
    prefer: Prefer
    tokens: tuple[Token, ...]
    shouted: bool
    lows: frozenset[str] = field(repr=False)

    def low(self, index: int) -> str:
        """The lower-case form of a token; empty outside the text."""
        return self.tokens[index].low if 0 <= index < len(self.tokens) else ""

    def kind(self, index: int) -> str:
        """What a token is; empty outside the text."""
        return self.tokens[index].kind if 0 <= index < len(self.tokens) else ""

    def digits(self, index: int) -> str:
        """A token that is ASCII digits and nothing else; empty for any other."""
        return self.low(index) if self.kind(index) == "number" and self.low(index).isdigit() else ""

    def touches(self, index: int) -> bool:
        """Whether a token follows the one before it without a space."""
        return 0 < index < len(self.tokens) and self.tokens[index - 1].end == self.tokens[index].start

    def span(self, first: int, end: int) -> tuple[int, int]:
        """Where tokens `first` up to `end` stand in the text, in characters."""
        return self.tokens[first].start, self.tokens[end - 1].end

    def match(self, index: int, phrase: str) -> int:
        """The index after a phrase of space-separated lower-case words, or `index` where it does not stand there."""
        words = _phrase(phrase)
        if self.low(index) == words[0] and all(self.low(index + offset) == word for offset, word in enumerate(words)):
            return index + len(words)
        return index

    def skip(self, index: int, *words: str) -> int:
        """The index after one of the words, or `index` where none stands there."""
        return index + 1 if self.low(index) in words and index < len(self.tokens) else index

    def ends(self, index: int) -> bool:
        """Whether a clause ends before this token: the text is over or punctuation follows."""
        return index >= len(self.tokens) or self.tokens[index].low in CLOSERS

    def alone(self, first: int, end: int) -> bool:
        """Whether no letter, digit or underscore touches the tokens from either side."""
        start, stop = self.span(first, end)
        before, after = self.source[start - 1 : start], self.source[stop : stop + 1]
        return not (before.isalnum() or before == "_" or after.isalnum() or after == "_")


@cache
def _phrase(text: str) -> tuple[str, ...]:
    """The words of a phrase of this program, cut once."""
    return tuple(text.split(" "))


CLOSERS = frozenset('.,;:!?)]}"\u201d\u2026')
WORD_GROUPS = {"clitic": "word"}


def cut(text: str, today: date, currency: str, prefer: Prefer | None = None) -> Words:
    """Cut a text into tokens in time linear in its length.

    With `prefer` None, a text that only tells of the past or asks for history looks back, any other looks forward.
    """
    tokens = []
    for one in _TOKEN.finditer(text):
        kind = one.lastgroup or "sign"
        tokens.append(
            Token(one[0], one[0].lower().replace("\u2019", "'"), WORD_GROUPS.get(kind, kind), one.start(), one.end())
        )
    lows = frozenset(token.low for token in tokens)
    told = bool(lows & _TOLD) or (bool(lows & _HINTED) and not lows & _ASKED)
    direction: Prefer = prefer or ("past" if told and not lows & _PLANNED else "future")
    return Words(text, today, currency, direction, tuple(tokens), text.isupper(), lows)
