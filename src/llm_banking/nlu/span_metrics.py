"""Figures that judge spans: exact and overlapping matches by type, F1 for slots, F2 for personal data."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from llm_banking.nlu.span_rows import UNSURE
from llm_banking.nlu.spans import Span

ANY = "any"
"""The row of a table in which the type does not count: a span found as another type is found."""
MICRO = "micro"
"""The row over all types together."""


@dataclass(frozen=True, slots=True)
class SpanScore:
    """How spans of one type were found.

    `found` of the `gold` marked spans were predicted and `right` of the `predicted` spans were marked; in exact
    matching the two are equal.
    """

    gold: int
    predicted: int
    found: int
    right: int

    @property
    def recall(self) -> float:
        """Share of marked spans that were predicted; 0 where none is marked."""
        return self.found / self.gold if self.gold else 0.0

    @property
    def precision(self) -> float:
        """Share of predicted spans that are marked; 0 where none is predicted."""
        return self.right / self.predicted if self.predicted else 0.0

    def f_beta(self, beta: float = 1.0) -> float:
        """F measure in which recall weighs `beta` times as much as precision (van Rijsbergen 1979)."""
        weight = beta * beta
        below = weight * self.precision + self.recall
        return (1 + weight) * self.precision * self.recall / below if below else 0.0

    def as_dict(self) -> dict[str, float]:
        """Counts, precision, recall, F1 and F2."""
        return {
            "gold": self.gold,
            "predicted": self.predicted,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f_beta(1.0),
            "f2": self.f_beta(2.0),
        }


def span_table(
    gold: Sequence[Sequence[Span]],
    predicted: Sequence[Sequence[Span]],
    types: Collection[str],
    *,
    overlap: bool = False,
) -> dict[str, SpanScore]:
    """Scores of each of the `types`, of all together (MICRO), and with types ignored (ANY), over many texts.

    A match has the same type and the same characters or, with `overlap`, one character in common. Spans of other types
    are left out on both sides, and so is a predicted span that touches a mark whose type is unsure.
    """
    pairs = [(_judged(one, (), types), _judged(other, one, types)) for one, other in zip(gold, predicted, strict=True)]
    table = {kind: _score(_only(pairs, kind), overlap=overlap, typed=True) for kind in types}
    table[MICRO] = _score(pairs, overlap=overlap, typed=True)
    table[ANY] = _score(pairs, overlap=overlap, typed=False)
    return table


_Pairs = list[tuple[list[Span], list[Span]]]


def _judged(spans: Sequence[Span], gold: Sequence[Span], types: Collection[str]) -> list[Span]:
    unsure = [one for one in gold if one.type == UNSURE]
    return [span for span in spans if span.type in types and not any(touch(span, one) for one in unsure)]


def _only(pairs: _Pairs, kind: str) -> _Pairs:
    return [([one for one in a if one.type == kind], [one for one in b if one.type == kind]) for a, b in pairs]


def touch(one: Span, other: Span) -> bool:
    """Whether two spans have a character in common."""
    return one.start < other.end and other.start < one.end


def _score(pairs: _Pairs, *, overlap: bool, typed: bool) -> SpanScore:
    def matches(one: Span, other: Span) -> bool:
        if typed and one.type != other.type:
            return False
        return touch(one, other) if overlap else (one.start, one.end) == (other.start, other.end)

    found = right = 0
    for gold, predicted in pairs:
        found += sum(any(matches(one, other) for other in predicted) for one in gold)
        right += sum(any(matches(one, other) for other in gold) for one in predicted)
    return SpanScore(sum(len(gold) for gold, _ in pairs), sum(len(said) for _, said in pairs), found, right)
