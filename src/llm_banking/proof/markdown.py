"""The pieces that rendered documents are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]

NOTHING = "-"
"""Stands where there is no figure."""
PICTURE_FOLDER = "pictures"
_ALTS = {
    "reliability.svg": "Reliability diagram: accuracy against confidence in bins, with the texts in each bin below",
    "risk-coverage.svg": "Share wrong among the answered against the share answered, with the shipped policy marked",
    "confusions.svg": "The intents most often taken for one another, with the number of texts",
    "latency.svg": "Texts by the time that one reading took, with p50, p95 and p99",
    "operational.svg": "The operational intents read worst, with 95% intervals",
    "robustness.svg": "Accuracy lost under each perturbation, with 95% intervals",
}


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: int | None = None) -> str:
    """A Markdown table; columns from number `right` on hold figures and are set flush right."""
    marks = ["---" if right is None or place < right else "--:" for place in range(len(head))]
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join(marks)}|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def percent(value: float | None, digits: int = 1) -> str:
    """A share in percent, or a dash where there is none."""
    return NOTHING if value is None else f"{100 * value:.{digits}f}%"


def interval(entry: Mapping[str, Any], name: str = "accuracy") -> str:
    """A share with its 95% interval, in percent."""
    return f"{percent(entry[name])} ({percent(entry[f'{name}_low'])} to {percent(entry[f'{name}_high'])})"


def section(document: Document, name: str, body: Callable[[Any], str], *pictures: str) -> str:
    """A section's pictures and what `body` makes of its figures, or why it was not measured."""
    found = document.get(name, {"left_out": "this results file does not have it"})
    if "left_out" in found:
        return f"Not measured: {found['left_out']}."
    shown = [f"![{_ALTS[picture]}]({PICTURE_FOLDER}/{picture})\n" for picture in pictures]
    return "\n".join([*shown, body(found)])


def folded(title: str, body: str) -> str:
    """A part that a page shows on request."""
    return f"<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>"


def measured_with(document: Document) -> str:
    """With what, when and where the figures of the results file were taken."""
    machine = document["machine"]
    said = (
        f"Model {document['model']['version']}, measured {document['measured'][:10]} on {machine['cores']} cores of "
        f"{machine['cpu']} ({machine['system']}, Python {machine['python']}, onnxruntime {machine['onnxruntime']}; "
        f"load before the start {machine['load_before']}) by `llm-banking nlu report` in {document['seconds']:.0f} s."
    )
    if document["rehearsal"]:
        said += "\n\n**Rehearsal: held-out rows stand in for Banking77's test file, which was not opened.**"
    return said
