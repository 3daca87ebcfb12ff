"""Where in a long message the request stands.

The model reads MAX_TOKENS tokens at once and was taught single requests. A message that is longer, or that wraps a
request in a story, an e-mail or another program's prompt, is cut into pieces; each is read alone, and the one that
asks most surely for something a bank does is what the message means. Chat and strangers' text have no vote.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_banking.nlu.metrics import softmax
from llm_banking.nlu.slots.lexicon import word_set
from llm_banking.nlu.taxonomy import CONVERSATIONAL, LABELS

Read = Callable[[str], NDArray[np.floating[Any]]]
"""Logits of one text, in the order of LABELS."""

MOST_PIECES = 40
"""Pieces that a message is first cut into. Each is short: all together cost about what the whole text would."""
MOST_WORDS = 24
"""A piece without a full stop is cut after so many words, at a connective where there is one."""
SURE = 0.7
"""At this probability of one banking request the reading of a whole text stands."""
_MARGIN_WORDS = 10
_WINDOWS = (10, 16, 24)
"""Lengths, in words, of the windows laid over a part that no full stop bounds; each moves by half its length."""

_END = re.compile(r"(?<=[.?!;\u2026])[\"')\]]*\s+|\s*\n\s*|\s+(?=[>#\[<])")
_WORD = re.compile(r"\S+")
_CONNECTIVES = word_set("and but so because anyway also then although while however plus now i my we can could")
_QUIET = np.array([label in CONVERSATIONAL for label in LABELS[:-1]])

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Focus:
    """The part of a text to read instead of all of it, `text[start:end]`, with the logits it got and its score.

    `score` is the probability that this part asks for something a bank does: 0 for a stranger's text and small talk.
    `runs` is how often the model was asked.
    """

    start: int
    end: int
    score: float
    runs: int
    logits: NDArray[np.floating[Any]] = field(repr=False, compare=False)


def focus(text: str, read: Read, *, temperature: float = 1.0, closer: bool = True) -> Focus:
    """The part of a long text that is worth reading.

    `text` has at least one visible character; `read` is called about MOST_PIECES times, and with `closer` some fifteen
    times more where there are no full stops to tell where the request begins. Where no part asks for anything of a
    bank, the one that comes nearest is returned: its own scores say that it is not ours.
    """
    spans, bounded = pieces(text)
    first = [
        (request_chance(logits := read(text[start:end]), temperature), (start, end), logits) for start, end in spans
    ]
    best = max(range(len(first)), key=lambda at: first[at][0])
    runs = len(first)
    chosen = first[best]
    if closer and not bounded[best]:
        windows = [
            (request_chance(logits := read(text[start:end]), temperature, sure=True), (start, end), logits)
            for start, end in _windows(text, *chosen[1])
        ]
        runs += len(windows)
        chosen = max(windows, key=lambda one: one[0])
    score, (start, end), logits = chosen
    return Focus(start, end, score, runs, logits)


def second_look(
    text: str, whole: NDArray[np.floating[Any]], read: Read, *, temperature: float = 1.0, sure: float = SURE
) -> Focus | None:
    """The part to read instead of a text that fits the model but was read without conviction; None to keep `whole`.

    `whole` holds the logits of all of the text. The model is asked again only where they name no banking request with
    the probability `sure` and the text has several sentences, and a part wins only by naming one more surely.
    """
    before = request_chance(whole, temperature, sure=True)
    if before >= sure or len(pieces(text)[0]) < 2:
        return None
    part = focus(text, read, temperature=temperature, closer=False)
    return part if request_chance(part.logits, temperature, sure=True) > before else None


def request_chance(logits: NDArray[np.floating[Any]], temperature: float = 1.0, *, sure: bool = False) -> float:
    """How likely logits mean a banking request rather than chat or a stranger's text; `sure`: that very request."""
    chances = softmax(logits / temperature)[:-1][~_QUIET]
    return float(chances.max() if sure else chances.sum())


def pieces(text: str, most: int = MOST_PIECES) -> tuple[list[Span], list[bool]]:
    """The sentences of a text, and for each whether it is bounded by full stops or lines rather than cut.

    Long sentences are cut, and the shortest neighbours joined until there are at most `most`.
    """
    spans: list[Span] = []
    bounded: list[bool] = []
    start = 0
    for end, following in [*(gap.span() for gap in _END.finditer(text)), (len(text), len(text))]:
        if text[start:end].strip():
            parts = _cut(text, start, end)
            spans += parts
            bounded += [len(parts) == 1] * len(parts)
        start = following
    while len(spans) > most:
        lengths = [spans[at + 1][1] - spans[at][0] for at in range(len(spans) - 1)]
        at = lengths.index(min(lengths))
        spans[at : at + 2] = [(spans[at][0], spans[at + 1][1])]
        bounded[at : at + 2] = [bounded[at] and bounded[at + 1]]
    return spans, bounded


def _cut(text: str, start: int, end: int) -> list[Span]:
    """A sentence in parts of at most MOST_WORDS words."""
    found = [(word.start(), word.end(), word.group().lower()) for word in _WORD.finditer(text, start, end)]
    spans: list[Span] = []
    while len(found) > MOST_WORDS:
        places = [at for at in range(MOST_WORDS // 2, MOST_WORDS) if found[at][2] in _CONNECTIVES]
        at = places[-1] if places else MOST_WORDS
        spans.append((found[0][0], found[at - 1][1]))
        found = found[at:]
    return [*spans, (found[0][0], found[-1][1])]


def _windows(text: str, start: int, end: int) -> list[Span]:
    """A part and its surroundings, by windows of several lengths; the part itself comes first."""
    words = [word.span() for word in _WORD.finditer(text)]
    first = next(at for at, word in enumerate(words) if word[1] > start)
    last = next(at for at in range(len(words) - 1, -1, -1) if words[at][0] < end)
    first, last = max(0, first - _MARGIN_WORDS), min(len(words) - 1, last + _MARGIN_WORDS)
    spans = [(start, end)]
    for size in _WINDOWS:
        starts = range(first, max(first, last - size // 2) + 1, size // 2)
        spans += [(words[at][0], words[min(at + size - 1, last)][1]) for at in starts]
    return list(dict.fromkeys(spans))
