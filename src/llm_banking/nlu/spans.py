"""From the token head's scores to spans of a text: people, organisations, addresses, numbers, dates, money.

The head scores every word piece with the tags of TAGS (begin, inside, outside; Ramshaw and Marcus 1995). A word is one
unit: the scores of its pieces are averaged, so a span never starts or stops inside a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_banking.nlu.metrics import Floats, softmax

SPAN_TYPES = (
    "PERSON",
    "ORGANIZATION",
    "ADDRESS",
    "LOCATION",
    "CARD",
    "ACCOUNT",
    "SSN",
    "PHONE",
    "AMOUNT",
    "DATE",
    "TIME",
    "PERIOD",
)
"""What the head reads. E-mail addresses, IBANs and the like have an exact form and are left to rules."""
TAGS = ("O", *(f"{place}-{name}" for name in SPAN_TYPES for place in "BI"))
"""Tag 0 is "outside"; type number n begins with tag 2n + 1 and goes on with 2n + 2."""

_TRIMMED = frozenset(" \t\r\n.,;:!?\"'`\u2018\u2019\u201c\u201d\u2026")
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_NEVER = -1e9


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` up to, not including, `end` of a text, with the probability that they are of the type."""

    start: int
    end: int
    type: str
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Word:
    """Word pieces `first` up to, not including, `last`, and the characters that they cover."""

    first: int
    last: int
    start: int
    end: int


def words_of(word_ids: Sequence[int | None], offsets: Sequence[tuple[int, int]]) -> tuple[Word, ...]:
    """The words of a tokenised text, from what the tokenizer says of each piece; special pieces belong to none."""
    words: list[Word] = []
    last: int | None = None
    for piece, word in enumerate(word_ids):
        if word is None:
            last = None
            continue
        start, end = offsets[piece]
        if word == last:
            words[-1] = Word(words[-1].first, piece + 1, words[-1].start, end)
        else:
            words.append(Word(piece, piece + 1, start, end))
        last = word
    return tuple(words)


def pieces_within(offsets: Sequence[tuple[int, int]], span: tuple[int, int]) -> list[int]:
    """The word pieces that lie within the characters of a span; the special ones, which cover none, do not."""
    return [at for at, (start, end) in enumerate(offsets) if span[0] <= start < end <= span[1]]


def word_scores(logits: NDArray[np.floating[Any]], words: Sequence[Word]) -> Floats:
    """Mean of the piece scores of each word: (words, tags)."""
    if not words:
        return np.zeros((0, logits.shape[-1]))
    return np.stack([logits[word.first : word.last].astype(np.float64).mean(axis=0) for word in words])


def _transitions() -> Floats:
    """0 where a tag may follow another, _NEVER where it may not: an inside tag follows only its own type."""
    allowed = np.zeros((len(TAGS), len(TAGS)))
    for tag in range(2, len(TAGS), 2):
        allowed[:, tag] = _NEVER
        allowed[[tag - 1, tag], tag] = 0.0
    return allowed


_TRANSITIONS = _transitions()


def best_tags(scores: Floats) -> list[int]:
    """The likeliest tag sequence in which every span begins with its begin tag (Viterbi 1967)."""
    if not len(scores):
        return []
    greedy = scores.argmax(axis=1)
    before = np.concatenate([[0], greedy[:-1]])
    if (_TRANSITIONS[before, greedy] == 0).all():
        return [int(tag) for tag in greedy]
    reached = scores[0] + _TRANSITIONS[0]
    came = np.zeros(scores.shape, dtype=np.int64)
    for at in range(1, len(scores)):
        ways = reached[:, None] + _TRANSITIONS
        came[at] = ways.argmax(axis=0)
        reached = ways.max(axis=0) + scores[at]
    tags = [int(reached.argmax())]
    for at in range(len(scores) - 1, 0, -1):
        tags.append(int(came[at, tags[-1]]))
    return tags[::-1]


def decode_spans(
    text: str,
    logits: NDArray[np.floating[Any]],
    word_ids: Sequence[int | None],
    offsets: Sequence[tuple[int, int]],
) -> tuple[Span, ...]:
    """The spans of one text in order; they never overlap and hold no white space or closing marks at their ends.

    `logits` has one row a word piece (pieces, tags), special pieces included; `word_ids` and `offsets` are the
    tokenizer's, in characters of `text`. A span's score is the mean probability of its type over its words.
    """
    words = words_of(word_ids, offsets)
    scores = word_scores(logits, words)
    chances = softmax(scores) if len(scores) else scores
    spans: list[Span] = []
    for first, last, kind in _runs(best_tags(scores)):
        start, end = trimmed(text, words[first].start, words[last - 1].end)
        if start < end:
            score = float(chances[first:last, 2 * kind + 1 : 2 * kind + 3].sum(axis=1).mean())
            spans.append(Span(start, end, SPAN_TYPES[kind], score))
    return tuple(spans)


def _runs(tags: Sequence[int]) -> list[tuple[int, int, int]]:
    """(first word, word after the last, number of the type) of every span in a valid tag sequence."""
    runs: list[tuple[int, int, int]] = []
    for at, tag in enumerate(tags):
        if tag % 2:
            runs.append((at, at + 1, (tag - 1) // 2))
        elif tag:
            runs[-1] = (runs[-1][0], at + 1, runs[-1][2])
    return runs


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The same characters without space and marks at either end, and without an unpaired bracket."""
    while start < end and text[start] in _TRIMMED:
        start += 1
    while start < end:
        last = text[end - 1]
        unpaired = last in _BRACKETS and text.count(_BRACKETS[last], start, end) < text.count(last, start, end)
        if last not in _TRIMMED and not unpaired:
            break
        end -= 1
    if start < end and text[start] in "([{" and not any(text[at] in _BRACKETS for at in range(start, end)):
        start += 1
    return start, end
