"""The understanding page and the model card: their measured parts, rendered from the results file alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llm_banking.proof.aims import render_aims
from llm_banking.proof.leave_intents_out import draws_table
from llm_banking.proof.markdown import (
    NOTHING,
    PICTURE_FOLDER,
    Document,
    folded,
    interval,
    measured_with,
    percent,
    section,
    table,
)
from llm_banking.proof.model_card import card_parts
from llm_banking.proof.out_of_scope import out_of_scope_table
from llm_banking.proof.pictures import PICTURES, draw_all
from llm_banking.proof.report import ReportError, filled
from llm_banking.proof.robustness import RobustnessRow, render
from llm_banking.proof.understanding import RESULTS_FILE

PUBLISHED = (
    ("SPACE-3, dialogue pre-training, 110 M parameters (He et al. 2022)", 0.9494),
    ("ConvFiT (Vulić et al. 2021)", 0.9416),
    ("RoBERTa-base, fine-tuned", 0.9351),
    ("bge-small and a linear SVC", 0.9308),
    ("Qwen3-8B with QLoRA", 0.9185),
)
"""Accuracies on Banking77's official test after training on all of its training rows, as their authors state them."""


def render_published(document: Document) -> str:
    """Our accuracy on Banking77 among the published ones."""

    def body(official: Any) -> str:
        inside = official["inside_77"]
        name = f"**this model, {document['model']['bytes'] / 1e6:.1f} MB**"
        rows = [*PUBLISHED, (name, inside["accuracy"])]
        ordered = sorted(rows, key=lambda row: -row[1])
        return table(("model", "accuracy"), [(name, f"{100 * value:.2f}%") for name, value in ordered], 1)

    return section(document, "official", body)


def render_official(document: Document) -> str:
    """Banking77: both ways of scoring, and every intent on request."""

    def body(official: Any) -> str:
        head = ("", "texts", "accuracy (95% interval)", "macro-F1", "ECE")
        both = (("inside the 77", official["inside_77"]), ("all labels compete", official["all_labels"]))
        rows = [
            (name, str(one["rows"]), interval(one), f"{one['macro_f1']:.4f}", f"{one['ece']:.4f}") for name, one in both
        ]
        worst = sorted(official["inside_77"]["per_intent"].items(), key=lambda item: (item[1]["f1"], item[0]))
        intents = [
            (f"`{name}`", f"{one['rows']:.0f}", *(percent(one[key]) for key in ("precision", "recall", "f1")))
            for name, one in worst
        ]
        every = table(("intent", "texts", "precision", "recall", "F1"), intents, 1)
        return table(head, rows, 1) + "\n\n" + folded("Every intent, hardest first", every)

    return section(document, "official", body)


def render_confusions(document: Document) -> str:
    """The worst pairs as a picture."""
    return section(document, "official", lambda _: "", "confusions.svg").rstrip()


def render_reliability(document: Document) -> str:
    """The reliability diagram."""
    return section(document, "official", lambda _: "", "reliability.svg").rstrip()


def render_abstention(document: Document) -> str:
    """What the shipped policy answers, asks about and refuses, by layer."""

    def row(name: str, policy: Mapping[str, Any]) -> tuple[str, ...]:
        return (
            name,
            str(policy["rows"]),
            interval(policy, "coverage"),
            NOTHING if policy["answers"]["accuracy"] is None else interval(policy["answers"]),
            percent(policy["asked"]),
            percent(policy["refused"]),
            percent(policy["coverage_at_97_right"]),
        )

    def body(official: Any) -> str:
        rows = [row("Banking77 test", official["abstention"])]
        if "left_out" not in document["operational"]:
            rows.append(row("operational, held out", document["operational"]["abstention"]))
        head = ("texts of", "number", "answered", "right among them", "asked", "refused", "could answer at 97% right")
        return table(head, rows, 1)

    return section(document, "official", body, "risk-coverage.svg")


def render_sets(document: Document) -> str:
    """Coverage of the prediction sets beside their promise."""

    def body(sets: Any) -> str:
        rows = []
        if "official" in sets:
            one = sets["official"]
            rows.append(
                ("Banking77 test, as shipped", str(one["rows"]), percent(one["target"]), interval(one, "covered"))
            )
        if "held_out" in sets:
            one = sets["held_out"]
            for name in ("all", "support", "operational"):
                found = f"{percent(one[name]['covered'])} ± {percent(one[name]['spread'])}"
                title = f"held-out rows, {name}, mean of {one['splits']} halvings"
                rows.append((title, str(one["rows"]), percent(one["target"]), found))
        return table(("texts", "number", "promised", "meant intent is in the set"), rows, 1)

    return section(document, "sets", body)


def render_operational(document: Document) -> str:
    """The operational layer: all of it, and every intent on request."""

    def body(layer: Any) -> str:
        lowest = layer["lowest"]
        said = (
            f"{interval(layer)} of {layer['rows']} texts of {layer['intents']} intents, macro-F1 "
            f"{layer['macro_f1']:.4f}. The lowest is `{lowest['intent']}` with {interval(lowest)} of "
            f"{lowest['rows']}; the rarest has {layer['fewest_rows']} texts."
        )
        ordered = sorted(layer["per_intent"].items(), key=lambda item: (item[1]["accuracy"], item[0]))
        rows = [
            (f"`{name}`", str(one["rows"]), interval(one), percent(one["precision"]), percent(one["answered"]))
            for name, one in ordered
        ]
        every = table(("intent", "texts", "read right (95% interval)", "precision", "answered"), rows, 1)
        return said + "\n\n" + folded("Every operational intent, hardest first", every)

    return section(document, "operational", body, "operational.svg")


def render_slots(document: Document) -> str:
    """Slots by type over both sets: spans and values."""

    def body(figures: Any) -> str:
        if "overall" not in figures["slots"]:
            return "Not measured: " + "; ".join(figures["absent"].values()) + "."
        overall = figures["slots"]["overall"]
        rows = []
        for kind, exact in overall["exact"].items():
            value = overall["value_accuracy"].get(kind, {"accuracy": None, "gold": 0})
            ahead = overall["value_accuracy_ahead"].get(kind, {"accuracy": None})
            touching = overall["overlap"][kind]["f1"]
            scores = (percent(exact[name]) for name in ("precision", "recall", "f1"))
            rows.append(
                (
                    kind.lower(),
                    str(exact["gold"]),
                    *scores,
                    percent(touching),
                    percent(value["accuracy"]),
                    percent(ahead["accuracy"]),
                )
            )
        head = ("type", "marked", "precision", "recall", "F1", "F1, touching", "value right", "value right, ahead")
        return table(head, rows, 1)

    return section(document, "spans", body)


def render_personal_data(document: Document) -> str:
    """Personal data by set and type that it marks: F2, which counts a miss as worse than a false alarm."""

    def body(figures: Any) -> str:
        rows = []
        for source, found in figures["personal_data"].items():
            for kind, exact in found["exact"].items():
                if not exact["gold"]:
                    continue
                touching = found["overlap"][kind]
                rows.append(
                    (
                        source,
                        kind.lower(),
                        str(exact["gold"]),
                        percent(exact["f2"]),
                        percent(touching["f2"]),
                        percent(touching["recall"]),
                    )
                )
        return table(("set", "type", "marked", "F2", "F2, touching", "found at all"), rows, 2)

    return section(document, "spans", body)


def render_requests(document: Document) -> str:
    """Two requests in one message, and single ones that were cut."""

    def cell(entry: Mapping[str, float]) -> str:
        return f"{percent(entry['share'])} ({percent(entry['low'])} to {percent(entry['high'])})"

    def body(figures: Any) -> str:
        two = [
            (source, str(one["rows"]), *(cell(one[name]) for name in ("exact_set", "ordered", "count")))
            for source, one in figures["two_requests"].items()
        ]
        single = [(source, str(one["rows"]), cell(one)) for source, one in figures["single_requests"].items()]
        return "\n\n".join(
            (
                table(("messages of two requests", "number", "both intents", "in their order", "two found"), two, 1),
                table(("messages of one request", "number", "cut by mistake"), single, 1),
            )
        )

    return section(document, "requests", body)


def render_speed(document: Document) -> str:
    """Time of one reading, throughput, and memory."""

    def body(speed: Any) -> str:
        taken, batch = speed["read_ms"], speed["batch"]
        memory = speed["resident_mib"]
        rows = [
            ("one text, one thread, p50", f"{taken['p50']:.2f} ms", f"{taken['texts']} texts"),
            ("mean processor time", f"{speed['cpu_ms']:.2f} ms", "what other work on the machine does not lengthen"),
            ("p95", f"{taken['p95']:.2f} ms", ""),
            ("p99", f"{taken['p99']:.2f} ms", f"slowest {taken['max']:.1f} ms"),
            ("many texts at once", f"{batch['texts_per_s']:.0f} a second", f"{batch['cores']} cores"),
            (
                "resident memory",
                NOTHING if memory is None else f"{memory:.0f} MiB",
                "a process that reads, nothing else",
            ),
            ("model file", f"{speed['model_bytes'] / 1e6:.1f} MB", ""),
        ]
        return table(("what", "measured", "how"), rows)

    return section(document, "speed", body, "latency.svg")


def render_others(document: Document) -> str:
    """Other pipelines beside ours, timed in one run; what is not installed says so."""

    def body(stored: Any) -> str:
        timed = {name: one for name, one in stored["others"].items() if isinstance(one, Mapping)}
        said = [f"{name}: {one}" for name, one in stored["others"].items() if isinstance(one, str)]
        rows = [
            (name.replace("_", " "), *(f"{one[key]:.2f}" for key in ("p50_ms", "p95_ms", "p99_ms", "cpu_p50_ms")))
            for name, one in timed.items()
        ]
        head = ("pipeline", "p50, ms", "p95, ms", "p99, ms", "processor time p50, ms")
        return "\n\n".join([*([table(head, rows, 1)] if rows else []), *said])

    return section(document, "reading_speed", body)


def render_robustness(document: Document) -> str:
    """The perturbation table."""
    return section(
        document, "robustness", lambda one: render([RobustnessRow(**row) for row in one["table"]]), "robustness.svg"
    )


def page_parts(document: Document) -> dict[str, str]:
    """What the understanding page takes from the results."""
    return {
        "understanding-measured": measured_with(document),
        "understanding-aims": render_aims(document),
        "understanding-published": render_published(document),
        "understanding-official": render_official(document),
        "understanding-confusions": render_confusions(document),
        "understanding-operational": render_operational(document),
        "understanding-reliability": render_reliability(document),
        "understanding-abstention": render_abstention(document),
        "understanding-sets": render_sets(document),
        "understanding-scope": section(document, "out_of_scope", lambda one: out_of_scope_table(one).rstrip()),
        "understanding-open-set": section(document, "leave_intents_out", lambda one: draws_table(one).rstrip()),
        "understanding-slots": render_slots(document),
        "understanding-personal-data": render_personal_data(document),
        "understanding-requests": render_requests(document),
        "understanding-robustness": render_robustness(document),
        "understanding-speed": render_speed(document),
        "understanding-others": render_others(document),
    }


def write_understanding(results: Path, page: Path, card: Path) -> None:
    """Render the stored figures into the page, its pictures beside it, and the model card. Raises ReportError.

    Nothing is measured and no data folder is needed; drawing raises PictureError where matplotlib is absent.
    """
    source = results / RESULTS_FILE
    if not source.is_file():
        raise ReportError(f"{source} is not there. Run `llm-banking nlu report` first.")
    document = json.loads(source.read_text(encoding="utf-8"))
    drawn = draw_all(document)
    for path, parts in ((page, page_parts(document)), (card, card_parts(document))):
        path.write_text(filled(path.read_text(encoding="utf-8"), parts), encoding="utf-8")
    folder = page.parent / PICTURE_FOLDER
    folder.mkdir(exist_ok=True)
    for name in PICTURES:
        (folder / name).unlink(missing_ok=True)
    for name, svg in drawn.items():
        (folder / name).write_text(svg, encoding="utf-8")
