"""What the model is to reach, and how far the measured one got."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llm_banking.proof.markdown import NOTHING, Document, table

TYPOS = ("typos", "1 in 10 words")
"""The perturbation that has an aim."""


@dataclass(frozen=True, slots=True)
class Aim:
    """One aim: a bound on a figure, and the figure; None where it was not measured.

    `unit` says how it is shown: "%" for a share, or what stands behind the number.
    """

    what: str
    bound: float
    at_most: bool
    measured: float | None
    unit: str
    how: str

    @property
    def met(self) -> bool:
        """Whether it was measured and lies within the bound."""
        if self.measured is None:
            return False
        return self.measured <= self.bound if self.at_most else self.measured >= self.bound

    @property
    def wanted(self) -> str:
        """The bound in words."""
        return f"{'≤' if self.at_most else '≥'} {self._plain(self.bound)}"

    @property
    def shown(self) -> str:
        """The figure with its unit, in as many digits as tell it from a bound that it misses; empty without one."""
        if self.measured is None:
            return ""
        scale = 100 if self.unit == "%" else 1
        for digits in range(2 if self.unit else 4, 12):
            rounded = round(scale * self.measured, digits)
            inside = rounded <= scale * self.bound if self.at_most else rounded >= scale * self.bound
            if inside == self.met:
                break
        return f"{rounded:.{digits}f}{self.unit}"

    def _plain(self, value: float) -> str:
        return f"{100 * value:g}%" if self.unit == "%" else f"{value:g}{self.unit}"


def at_least(what: str, bound: float, measured: float | None, unit: str, how: str) -> Aim:
    """An aim that is met from `bound` on."""
    return Aim(what, bound, at_most=False, measured=measured, unit=unit, how=how)


def at_most(what: str, bound: float, measured: float | None, unit: str, how: str) -> Aim:
    """An aim that is met up to `bound`."""
    return Aim(what, bound, at_most=True, measured=measured, unit=unit, how=how)


def found(document: Document, *path: str) -> Any:
    """What lies at a path of the results; None where any step of it is absent."""
    here: Any = document
    for step in path:
        if not isinstance(here, Mapping) or step not in here:
            return None
        here = here[step]
    return here


def render_aims(document: Document) -> str:
    """Every aim beside what was measured."""
    rows = []
    for aim in aims(document):
        if aim.measured is None:
            rows.append((aim.what, aim.wanted, "not measured", NOTHING, ""))
        else:
            rows.append((aim.what, aim.wanted, aim.shown, "yes" if aim.met else "no", aim.how))
    return table(("what", "aim", "measured", "met", "how"), rows)


def aims(document: Document) -> list[Aim]:
    """Every aim, in the order of the page."""
    return [*_intents(document), *_doubt(document), *_spans(document), *_rest(document)]


def _intents(document: Document) -> Iterator[Aim]:
    official, layer = ("official", "inside_77"), ("operational",)
    stands_in = ", held out: a rehearsal" if found(document, "rehearsal") else ""
    how = f"{found(document, *official, 'rows')} texts{stands_in}"
    held = found(document, *layer, "rows")
    yield at_least("Banking77, inside the 77", 0.946, found(document, *official, "accuracy"), "%", how)
    everything = found(document, "official", "all_labels", "accuracy")
    yield at_least("Banking77, all labels compete", 0.93, everything, "%", how)
    yield at_most("calibration error (ECE), inside the 77", 0.015, found(document, *official, "ece"), "", "15 bins")
    whole, small = (found(document, "model", "metrics", "int8", name) for name in ("fp32_accuracy", "int8_accuracy"))
    lost = None if whole is None or small is None else 100 * (whole - small)
    yield at_most("lost from fp32 to int8", 0.2, lost, " points", "rows held out of training")
    yield at_least("operational intents", 0.97, found(document, *layer, "accuracy"), "%", f"{held} held-out texts")
    lowest = found(document, *layer, "lowest") or {}
    name = f"`{lowest['intent']}`, {lowest['rows']} texts" if lowest else ""
    yield at_least("the lowest operational intent", 0.9, lowest.get("accuracy"), "%", name)


def _doubt(document: Document) -> Iterator[Aim]:
    policy = ("official", "abstention")
    rows = found(document, *policy, "rows")
    threshold = found(document, *policy, "threshold")
    how = "" if threshold is None else f"{rows} texts, answered from confidence {threshold:.3f}"
    yield at_least("right among the answered", 0.97, found(document, *policy, "answers", "accuracy"), "%", how)
    yield at_least("answered", 0.93, found(document, *policy, "coverage"), "%", how)
    for what, path, covered in (
        ("prediction sets, off their promise, test", ("sets", "official"), ("covered",)),
        ("prediction sets, off their promise, held out", ("sets", "held_out"), ("all", "covered")),
    ):
        target, share = found(document, *path, "target"), found(document, *path, *covered)
        off = None if target is None or share is None else 100 * abs(share - target)
        yield at_most(what, 1.0, off, " points", f"{found(document, *path, 'rows') or 0} texts")


def _spans(document: Document) -> Iterator[Aim]:
    overall = ("spans", "slots", "overall")
    rows = found(document, *overall, "rows")
    how = f"{rows} texts of NLU++ and SGD"
    yield at_least("slots, span F1", 0.88, found(document, *overall, "exact", "micro", "f1"), "%", how)
    for kind in ("AMOUNT", "DATE"):
        value = found(document, *overall, "value_accuracy", kind) or {}
        how = f"{value.get('gold', 0)} values"
        yield at_least(f"value of {kind.lower()}s", 0.93, value.get("accuracy"), "%", how)


def _rest(document: Document) -> Iterator[Aim]:
    pairs = found(document, "requests", "two_requests", "all held") or {}
    exact = found(pairs, "exact_set", "share")
    yield at_least("both of two requests", 0.85, exact, "%", f"{pairs.get('rows', 0)} messages")
    spoiled = found(document, "robustness", "table") or []
    typos: Mapping[str, Any] = next((row for row in spoiled if (row["perturbation"], row["strength"]) == TYPOS), {})
    how = f"{typos.get('rows', 0)} held-out texts"
    yield at_most("lost to one typo in ten words", 1.5, typos.get("lost_points"), " points", how)
    taken = ("speed", "read_ms")
    how = f"{found(document, *taken, 'texts') or 0} texts, one thread"
    yield at_most("one reading, p50", 3, found(document, *taken, "p50"), " ms", how)
    yield at_most("one reading, p99", 8, found(document, *taken, "p99"), " ms", how)
    size = found(document, "model", "bytes")
    yield at_most("model file", 25, None if size is None else size / 1e6, " MB", "")
