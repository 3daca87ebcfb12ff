"""`evidence`: the parts of the documents that are rendered, from the figures of `bench` and from the code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llm_banking.kit.errors import LlmBankingError
from llm_banking.knowledge.service import Knowledge, load_knowledge
from llm_banking.nlu.taxonomy import BY_NAME, CLINC_TO_INTENT, INTENTS, Category
from llm_banking.proof.bench import RESULTS_FILE


class ReportError(LlmBankingError):
    """The figures or the place for the table are missing; the message says which."""

    code = "NOT_FOUND"


def render_table(document: dict[str, Any]) -> str:
    """A Markdown table with the machine, the date and the sample sizes."""
    machine, sizes = document["machine"], document["sizes"]
    rows = [("model file", f"{sizes['model_bytes'] / 1e6:.1f} MB", sizes["model_version"])]
    if "runtime_environment_mib" in sizes:
        rows.append(("runtime environment", f"{sizes['runtime_environment_mib']:.0f} MiB", "locked, nothing else"))
    rows += _understanding(document["understanding"])
    cold, server = document["cold_start"], document["server"]
    rows += [
        ("`llm-banking nlu read`, whole process", f"{cold['nlu_read_s']['median']:.2f} s", _runs(cold["nlu_read_s"])),
        ("`llm-banking ask`, whole process", f"{cold['ask_s']['median']:.2f} s", _runs(cold["ask_s"])),
        ("server ready, first start", f"{server['ready_on_fresh_data_s']:.1f} s", "makes the database and demo data"),
        ("server ready, later start", f"{server['ready_again_s']:.1f} s", "finds them"),
        ("resident memory, one worker", f"{server['resident_mib_one_worker']:.0f} MiB", "without PostgreSQL and Redis"),
        _latency("`POST /api/v2/chat`", server["chat_ms"]),
        _latency("`POST /health`", server["health_ms"]),
    ]
    lines = ["| what | measured | how |", "|---|---|---|", *(f"| {a} | {b} | {c} |" for a, b, c in rows)]
    lines += ["", f"Measured {document['measured'][:10]} on {machine['cores']} cores of {machine['cpu']} "]
    lines[-1] += (
        f"({machine['system']}, Python {machine['python']}) by `make bench`; `make evidence` writes this table."
    )
    return "\n".join(lines)


def _understanding(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    if "left_out" in figures:
        return [("understanding", "left out", figures["left_out"])]
    inside, everything, taken = figures["restricted_to_77"], figures["all_labels"], figures["read_ms"]
    interval = f"{inside['rows']} rows, 95% interval {inside['accuracy_low']:.4f} to {inside['accuracy_high']:.4f}"
    return [
        ("Banking77 test accuracy, inside the 77", f"{inside['accuracy']:.4f}", interval),
        ("Banking77 test macro-F1, inside the 77", f"{inside['macro_f1']:.4f}", f"{inside['rows']} rows"),
        ("Banking77 test calibration error (ECE)", f"{inside['ece']:.4f}", "15 bins"),
        ("Banking77 test accuracy, all labels compete", f"{everything['accuracy']:.4f}", f"{everything['rows']} rows"),
        (
            "reading one text, one thread",
            f"{taken['p50']:.2f} ms",
            f"p95 {taken['p95']:.2f} ms, p99 {taken['p99']:.2f} ms over {taken['texts']} texts, tokenising included",
        ),
    ]


def _runs(figure: dict[str, float]) -> str:
    return f"median of {figure['runs']}, {figure['min']:.2f} to {figure['max']:.2f} s"


def _latency(name: str, figure: dict[str, float]) -> tuple[str, str, str]:
    return name, f"{figure['p50']:.1f} ms", f"p95 {figure['p95']:.1f} ms, {figure['requests']} requests one by one"


def render_conversation(document: dict[str, Any]) -> str:
    """The recorded conversation, with the intent and the confidence of each reply."""
    lines = []
    for turn in document["server"]["conversation"]:
        lines += [f"> **Customer:** {turn['says']}", ">"]
        lines += [f"> **Assistant** ({turn['intent']}, {turn['confidence']:.0%}): {turn['response']}", ">"]
    return "\n".join(lines[:-1])


def filled(text: str, parts: Mapping[str, str]) -> str:
    """A text with what stands between the marks of each named part replaced. Raises ReportError."""
    for name, rendered in parts.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ReportError(f"The document needs the marks {begin} and {end} once each.")
        head, _, rest = text.partition(begin)
        text = f"{head}{begin}\n{rendered}\n{end}{rest.partition(end)[2]}"
    return text


def measured_parts(document: dict[str, Any]) -> dict[str, str]:
    """What the README takes from the figures."""
    return {"measured": render_table(document), "conversation": render_conversation(document)}


def intent_parts(knowledge: Knowledge) -> dict[str, str]:
    """What docs/03 takes from the code: every intent by category, and how two layers became one."""
    lines = []
    for category in Category:
        ours = [one for one in INTENTS if one.category is category]
        lines += [f"### {category.value}: {len(ours)}", "", "| intent | layer | a customer says |", "|---|---|---|"]
        lines += [f"| `{one.name}` | {one.layer.value} | {knowledge.entry(one.name).ask} |" for one in ours] + [""]
    merged = ["| CLINC150 class | intent | layer |", "|---|---|---|"]
    merged += [f"| `{name}` | `{to}` | {BY_NAME[to].layer.value} |" for name, to in sorted(CLINC_TO_INTENT.items())]
    return {"intents": "\n".join(lines).rstrip(), "merged": "\n".join(merged)}


def write_evidence(results: Path, readme: Path, intents: Path) -> None:
    """Render the figures, the conversation and the intents into their documents. Raises ReportError."""
    source = results / RESULTS_FILE
    if not source.is_file():
        raise ReportError(f"{source} is not there. Run `make bench` first.")
    document = json.loads(source.read_text(encoding="utf-8"))
    knowledge = load_knowledge(frozenset(BY_NAME))
    for path, parts in ((readme, measured_parts(document)), (intents, intent_parts(knowledge))):
        path.write_text(filled(path.read_text(encoding="utf-8"), parts), encoding="utf-8")
