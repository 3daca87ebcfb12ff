"""The model card's measured parts: what was trained, on what, how well it does, and what it took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llm_banking.proof.aims import render_aims
from llm_banking.proof.markdown import Document, folded, measured_with, table


def card_parts(document: Document) -> dict[str, str]:
    """What the model card takes from the results, which hold the manifest's account of the training."""
    model = document["model"]
    return {
        "card-model": render_model(model),
        "card-data": render_data(model),
        "card-figures": f"{render_aims(document)}\n\n{measured_with(document)}",
        "card-thresholds": render_thresholds(model),
        "card-training": render_training(model),
    }


def render_model(model: Mapping[str, Any]) -> str:
    """Name, date, size and licence."""
    rows = [
        ("version", model["version"]),
        ("made", model["created"][:10]),
        ("size", f"{model['bytes'] / 1e6:.1f} MB, int8, ONNX"),
        ("licence", model["licence"]),
    ]
    return table(("", ""), rows)


def render_data(model: Mapping[str, Any]) -> str:
    """What the weights come from, with licences, and the number of rows."""
    rows = [(one["name"], one["licence"], one["by"]) for one in model["sources"]]
    counts = ", ".join(f"{count} for {name.replace('_', ' ')}" for name, count in model["rows"].items())
    return table(("source", "licence", "by"), rows) + f"\n\nRows: {counts}."


def render_thresholds(model: Mapping[str, Any]) -> str:
    """Every number of the manifest's calibration that stands alone, and those of its tables by their path."""
    return table(("threshold", "value"), [(f"`{name}`", value) for name, value in _leaves(model["calibration"])], 1)


def _leaves(entry: Any, path: str = "") -> list[tuple[str, str]]:
    if isinstance(entry, Mapping):
        parts = [(f"{path}.{name}" if path else str(name), value) for name, value in entry.items()]
    elif isinstance(entry, list):
        parts = [(f"{path}[{place}]", value) for place, value in enumerate(entry)]
    else:
        return [(path, f"{entry:.4g}" if isinstance(entry, float) else str(entry))]
    return [leaf for name, value in parts for leaf in _leaves(value, name)]


def render_training(model: Mapping[str, Any]) -> str:
    """Time and memory of the run that made the model, and its recipe on request."""
    run = model["training"]
    said = (
        f"The shipped file took {run['seconds'] / 60:.0f} minutes on {run['threads']} threads and "
        f"{run['peak_rss_mib'] / 1024:.1f} GiB of memory at its peak."
    )
    recipe = table(("choice", "value"), [(f"`{name}`", value) for name, value in _leaves(model["recipe"])], 1)
    return f"{said}\n\n{folded('The recipe', recipe)}"
