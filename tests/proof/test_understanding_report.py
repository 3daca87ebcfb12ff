from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from llm_banking.proof.aims import aims, at_least, at_most, render_aims
from llm_banking.proof.markdown import interval, measured_with, percent, table
from llm_banking.proof.model_card import card_parts
from llm_banking.proof.pictures import PICTURES, draw_all
from llm_banking.proof.report import ReportError, filled
from llm_banking.proof.understanding import RESULTS_FILE
from llm_banking.proof.understanding_report import page_parts, write_understanding
from tests.proof.made_up import made_up_results

DOCS = Path(__file__).parents[2] / "docs"
RESULTS = DOCS.parent / "results"
PAGE, CARD = DOCS / "04-understanding.md", DOCS / "model-card.md"
SECTIONS = (
    "official",
    "operational",
    "sets",
    "speed",
    "robustness",
    "out_of_scope",
    "spans",
    "requests",
    "leave_intents_out",
    "reading_speed",
)


@pytest.mark.parametrize(
    ("aim", "met", "wanted", "shown"),
    [
        (at_least("", 0.946, 0.946, "%", ""), True, "≥ 94.6%", "94.60%"),
        (at_least("", 0.946, 0.94599, "%", ""), False, "≥ 94.6%", "94.599%"),
        (at_least("", 0.946, None, "%", ""), False, "≥ 94.6%", ""),
        (at_most("", 0.015, 0.01502, "", ""), False, "≤ 0.015", "0.01502"),
        (at_most("", 0.015, 0.0123, "", ""), True, "≤ 0.015", "0.0123"),
        (at_most("", 8, 8.001, " ms", ""), False, "≤ 8 ms", "8.001 ms"),
        (at_most("", 3, 2.999, " ms", ""), True, "≤ 3 ms", "3.00 ms"),
    ],
)
def test_an_aim_is_shown_so_that_one_sees_whether_it_is_met(aim, met: bool, wanted: str, shown: str) -> None:
    assert (aim.met, aim.wanted, aim.shown) == (met, wanted, shown)


def test_every_aim_is_found_in_results_that_have_everything() -> None:
    found = aims(made_up_results())
    assert [aim.what for aim in found if aim.measured is None] == []
    assert len(found) == 18
    by_name = {aim.what: aim for aim in found}
    assert by_name["lost from fp32 to int8"].measured == pytest.approx(0.1)
    assert by_name["prediction sets, off their promise, test"].measured == pytest.approx(0.2)
    assert by_name["value of dates"].shown == "92.50%"
    assert not by_name["value of dates"].met
    assert by_name["both of two requests"].met


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_that_was_left_out_says_so_and_shows_no_picture(name: str) -> None:
    document = {**made_up_results(), name: {"left_out": "it rained"}}
    whole, without = page_parts(made_up_results()), page_parts(document)
    changed = {part for part in whole if whole[part] != without[part]} - {"understanding-aims"}
    assert changed
    assert any("Not measured: it rained." in without[part] for part in changed)
    shown = set(re.findall(r"\(pictures/([^)]+)\)", "\n".join(without.values())))
    assert shown == {picture for picture, (needs, _) in PICTURES.items() if needs != name}
    assert shown == set(draw_all(document))
    del document[name]
    assert page_parts({**document, name: {"left_out": "it rained"}}) == without


def test_a_page_without_the_marked_sets_says_which_are_absent() -> None:
    document = made_up_results()
    document["spans"] = {**document["spans"], "slots": {}, "absent": {"nlupp": "nlupp.jsonl is not here"}}
    assert page_parts(document)["understanding-slots"] == "Not measured: nlupp.jsonl is not here."


def test_a_section_that_the_file_never_had_is_not_measured() -> None:
    document = made_up_results()
    del document["spans"]
    assert page_parts(document)["understanding-slots"].startswith("Not measured")
    assert "| slots, span F1 | ≥ 88% | not measured | - |  |" in render_aims(document)


def test_every_part_shows_the_figures() -> None:
    document = made_up_results()
    parts = page_parts(document)
    assert [name for name, part in parts.items() if "ot measured" in part] == []
    assert "| date | 50 | 90.0% | 88.0% | 89.1% | 89.1% | 92.5% | 92.5% |" in parts["understanding-slots"]
    assert "| multidogo_finance | person | 50 | 88.4% |" in parts["understanding-personal-data"]
    assert "iban" not in parts["understanding-personal-data"], "a type that the set does not mark has no figure"
    document["official"]["inside_77"]["per_intent"]["card_arrival"]["f1"] = 0.123
    document["speed"]["read_ms"]["p99"] = 7.89
    document["requests"]["single_requests"]["held-out rows"]["share"] = 0.5
    document["official"]["inside_77"]["accuracy"] = 0.9999
    again = page_parts(document)
    assert "12.3%" in again["understanding-official"]
    assert "7.89 ms" in again["understanding-speed"]
    assert "50.0%" in again["understanding-requests"]
    published = again["understanding-published"].splitlines()
    assert "this model, 22.9 MB" in published[2], "the best stands first"
    assert "99.99%" in published[2]
    for name in ("understanding-official", "understanding-speed", "understanding-requests", "understanding-published"):
        assert again[name] != parts[name]


def test_a_rehearsal_is_said_to_be_one() -> None:
    document = made_up_results()
    assert "Rehearsal" not in measured_with(document)
    document["rehearsal"] = True
    assert "Rehearsal" in measured_with(document)
    assert "Rehearsal" in page_parts(document)["understanding-measured"]
    assert "Rehearsal" in card_parts(document)["card-figures"]


def test_the_card_shows_the_manifests_account() -> None:
    parts = card_parts(made_up_results())
    assert "nlu-imagined" in parts["card-model"]
    assert "| A set | CC-BY-4.0 | somebody |" in parts["card-data"]
    assert "16000 for train" in parts["card-data"]
    assert "| `sets.coverage` | 0.95 |" in parts["card-thresholds"]
    assert "| `scope_terms[0].weight` | 2 |" in parts["card-thresholds"]
    assert "20 minutes on 2 threads and 4.0 GiB" in parts["card-training"]
    assert "| `learning_rate` | 0.0001 |" in parts["card-training"]


def test_the_pieces_of_markdown() -> None:
    assert table(("a", "b"), [("x", "1")], 1) == "| a | b |\n|---|--:|\n| x | 1 |"
    assert (percent(0.12345), percent(None)) == ("12.3%", "-")
    assert interval({"accuracy": 0.5, "accuracy_low": 0.4, "accuracy_high": 0.6}) == "50.0% (40.0% to 60.0%)"


def test_writing_fills_both_documents_and_replaces_the_pictures(tmp_path: Path) -> None:
    page, card = tmp_path / "page.md", tmp_path / "card.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    card.write_text(CARD.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(ReportError, match="nlu report"):
        write_understanding(tmp_path, page, card)
    results = tmp_path / RESULTS_FILE
    results.write_text(json.dumps(made_up_results()), encoding="utf-8")
    other = tmp_path / "pictures" / "other.png"
    other.parent.mkdir()
    other.write_text("not ours", encoding="utf-8")
    write_understanding(tmp_path, page, card)
    assert "an imagined processor" in page.read_text(encoding="utf-8")
    assert "nlu-imagined" in card.read_text(encoding="utf-8")
    assert {path.name for path in other.parent.iterdir()} == {"other.png", *PICTURES}
    results.write_text(json.dumps({**made_up_results(), "speed": {"left_out": "busy"}}), encoding="utf-8")
    write_understanding(tmp_path, page, card)
    assert not (other.parent / "latency.svg").exists()
    assert other.exists()


def test_the_page_the_card_and_the_pictures_are_those_of_the_stored_results() -> None:
    document = json.loads((RESULTS / RESULTS_FILE).read_text(encoding="utf-8"))
    for path, parts in ((PAGE, page_parts(document)), (CARD, card_parts(document))):
        text = path.read_text(encoding="utf-8")
        assert filled(text, parts) == text, "run: llm-banking evidence"
        marked = re.findall(r"<!-- ([\w-]+): begin -->", text)
        assert sorted(marked) == sorted(parts), "every marked part is rendered"
    for name, svg in draw_all(document).items():
        assert (DOCS / "pictures" / name).read_text(encoding="utf-8") == svg, f"{name}: run: llm-banking evidence"
    document["official"]["inside_77"]["accuracy"] += 0.01
    assert filled(PAGE.read_text(encoding="utf-8"), page_parts(document)) != PAGE.read_text(encoding="utf-8")


def test_no_figure_is_typed_by_hand() -> None:
    """Outside of the rendered parts the documents hold no measured share: no percentage below the aims' own words."""
    for path in (PAGE, CARD):
        text = re.sub(
            r"<!-- ([\w-]+): begin -->.*?<!-- \1: end -->", "", path.read_text(encoding="utf-8"), flags=re.DOTALL
        )
        assert re.findall(r"\b0\.\d+|\d+\.\d+%|\d+ ms\b|\d+(?:\.\d+)? MB", text) == []


def test_the_results_were_measured_with_the_shipped_model() -> None:
    document = json.loads((RESULTS / RESULTS_FILE).read_text(encoding="utf-8"))
    manifest = json.loads((DOCS.parent / "src/llm_banking/nlu/artifacts/manifest.json").read_text(encoding="utf-8"))
    assert document["model"]["version"] == manifest["version"]
    assert not document["rehearsal"]
