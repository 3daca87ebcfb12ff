"""The leave-intents-out runs as one table, beside what was published for Banking77 under the same protocol."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llm_banking.kit.errors import LlmBankingError

RESULTS_FILE = "leave-intents-out.json"
FIGURES = ("known_f1", "unknown_f1", "accuracy")
PUBLISHED: dict[str, dict[str, float]] = {
    "25": {"known_f1": 0.784, "unknown_f1": 0.899},
    "50": {"known_f1": 0.849, "unknown_f1": 0.839},
    "75": {"known_f1": 0.887, "unknown_f1": 0.731},
}
"""The best of the ADB line of work (Zhang et al. 2021 and after) on Banking77, by percentage of known intents."""


class DrawsMissingError(LlmBankingError):
    """No draw was run, or draws were run under different settings; the message says which files."""

    code = "DATA_MISSING"


def write_summary(draws: Path, out: Path) -> Path:
    """Write what `summarise_draws` makes of a folder into `out`; returns the file. Raises DrawsMissingError."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / RESULTS_FILE
    path.write_text(json.dumps(summarise_draws(draws), indent=1) + "\n", encoding="utf-8")
    return path


def summarise_draws(out_dir: Path) -> dict[str, Any]:
    """Mean and standard deviation over the draws, by percentage of known intents, with the published figures.

    Reads the files that `run_leave_intents_out` wrote. Raises DrawsMissingError.
    """
    draws = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(out_dir.glob("known-*-draw-*.json"))]
    if not draws:
        raise DrawsMissingError(f"{out_dir} holds no draws. Run the leave-intents-out measurement first.")
    if any(draw["settings"] != draws[0]["settings"] for draw in draws):
        raise DrawsMissingError(f"{out_dir} mixes draws of different settings. Run it again into an empty folder.")
    table = {}
    for share in sorted({draw["share"] for draw in draws}):
        mine = [draw for draw in draws if draw["share"] == share]
        row: dict[str, Any] = {"draws": len(mine)}
        for name in FIGURES:
            row[name] = _spread([draw[name] for draw in mine])
        row["auroc"] = {name: _spread([draw["auroc"][name] for draw in mine]) for name in mine[0]["auroc"]}
        percent = f"{round(share * 100)}"
        row["published"] = PUBLISHED.get(percent, {})
        table[percent] = row
    return {"settings": draws[0]["settings"], "known_percent": table}


def _spread(values: Sequence[float]) -> dict[str, float]:
    """Mean and sample standard deviation, the latter 0 for a single draw."""
    return {"mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0}


def draws_table(summary: dict[str, Any]) -> str:
    """The summary as Markdown, published figures in brackets."""
    lines = ["| known | draws | known macro-F1 | unknown F1 | accuracy | AUROC |", "|---|---|---|---|---|---|"]
    for percent, row in summary["known_percent"].items():
        cells = []
        for name in FIGURES:
            published = row["published"].get(name)
            beside = f" ({published * 100:.1f})" if published is not None else ""
            cells.append(f"{row[name]['mean'] * 100:.1f} ± {row[name]['sd'] * 100:.1f}{beside}")
        auroc = row["auroc"]["combined"]
        lines.append(f"| {percent}% | {row['draws']} | {' | '.join(cells)} | {auroc['mean']:.3f} ± {auroc['sd']:.3f} |")
    return "\n".join(lines) + "\n"
