from __future__ import annotations

import json
from pathlib import Path

import pytest

from llm_banking.nlu.evaluation import evaluate_rows
from llm_banking.nlu.reader import Reader
from llm_banking.nlu.taxonomy import INTENTS, LABELS, OUT_OF_SCOPE, SUPPORT_INTENTS
from llm_banking.proof.sections import further_sections, out_of_scope, requests, senses_of, spans
from llm_banking.proof.understanding import (
    RESULTS_FILE,
    WARM_UP,
    Material,
    evenly,
    judge,
    material_of,
    official,
    operational,
    probabilities,
    resident_of_a_reading_process,
    robustness,
    run_understanding,
    sets,
    speed,
    stored,
)

SUPPORT = [
    ("My card has not arrived yet, where is it?", "card_arrival"),
    ("The machine swallowed my card", "card_swallowed"),
    ("Why is my transfer still pending?", "pending_transfer"),
    ("somebody stole my card", "lost_or_stolen_card"),
    ("I forgot my passcode", "passcode_forgotten"),
]
OPERATIONAL = [
    ("What is my account balance?", "check_balance"),
    ("Freeze my account please", "freeze_account"),
    ("Send 20 dollars to my brother", "transfer_funds"),
    ("What is my routing number?", "routing_number"),
]
HELD_OUT = [*SUPPORT, *OPERATIONAL, ("Tell me a joke about cats", OUT_OF_SCOPE)]


def test_what_is_judged_is_what_the_product_reads(reader: Reader) -> None:
    judged = judge(reader, HELD_OUT)
    found = probabilities(reader, [text for text, _ in HELD_OUT])
    for place, (text, label) in enumerate(HELD_OUT):
        reading = reader.read(text)
        assert judged.meant[place] == label
        assert judged.read_as[place] == reading.intent == LABELS[int(found[place].argmax())]
        assert found[place].max() == pytest.approx(reading.confidence)
        assert bool(judged.in_scope[place]) == reading.in_scope
    assert found.shape == (len(HELD_OUT), len(INTENTS))
    assert found.sum(axis=1) == pytest.approx(1.0)


def test_the_scores_inside_the_77_are_those_of_the_evaluation_command(reader: Reader) -> None:
    rows = [*SUPPORT, ("The machine swallowed my card", "card_arrival")]  # one label is wrong, so that it can miss
    found = official(reader, rows)
    texts, labels = zip(*rows, strict=True)
    for name, restrict in (("inside_77", True), ("all_labels", False)):
        scored = evaluate_rows(reader, texts, labels, restrict_to_support=restrict)
        for key in ("rows", "accuracy", "accuracy_low", "macro_f1", "ece"):
            assert found[name][key] == pytest.approx(scored[key]), key
    assert found["inside_77"]["accuracy"] == pytest.approx(5 / 6)
    assert found["abstention"]["threshold"] == reader.artifact.answer_confidence
    assert found["worst_pairs"] == [{"meant": "card_arrival", "read_as": "card_swallowed", "rows": 1, "share": 0.5}]


def test_operational_intents_are_judged_among_all(reader: Reader) -> None:
    found = operational(reader, [*SUPPORT, *OPERATIONAL, ("The machine swallowed my card", "check_balance")])
    assert found["rows"] == 5
    assert found["accuracy"] == pytest.approx(4 / 5)
    assert found["lowest"]["intent"] == "check_balance"
    assert "left_out" in operational(reader, SUPPORT)


def test_robustness_takes_rows_of_every_label(reader: Reader) -> None:
    found = robustness(reader, [*SUPPORT, *OPERATIONAL])
    assert found["rows"] == found["of"] == 9
    assert {row["perturbation"] for row in found["table"]} >= {"typos", "upper case", "ramble around"}
    many = [(str(place), f"label {place % 7}") for place in range(700)]
    taken = evenly(many, 70)
    assert len(taken) == len(set(taken)) == 70
    assert all(sum(label == f"label {one}" for _, label in taken) == 10 for one in range(7))
    assert sorted(evenly(many, 1000)) == sorted(many)


def test_sets_are_judged_where_the_model_has_them(reader: Reader) -> None:
    material = Material(SUPPORT, HELD_OUT)
    found = sets(reader, material)
    assert found["official"]["rows"] == 5
    assert found["official"]["covered"] == 1.0
    assert found["held_out"]["rows"] == 9
    assert "left_out" in sets(reader, Material([], []))


def test_slots_are_judged_on_the_sets_that_are_there(reader: Reader, tmp_path: Path) -> None:
    assert "left_out" in spans(senses_of(reader), tmp_path)
    (tmp_path / "nlupp").mkdir()
    text = "how much did I spend on 4th may, more than 20 pounds?"
    row = {
        "text": text,
        "fold": 9,
        "slots": {"amount_of_money": {"span": [43, 52], "value": {"amount": 20, "currency": "GBP"}}},
    }
    assert text[43:52] == "20 pounds"
    (tmp_path / "nlupp" / "banking_folds0-9.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    found = spans(senses_of(reader), tmp_path)
    assert found["slots"]["overall"]["exact"]["AMOUNT"]["recall"] == 1.0
    assert set(found["absent"]) == {"sgd_banks", "multidogo_finance", "presidio_research"}


def test_strangers_and_several_requests_are_judged_where_the_model_can(reader: Reader, tmp_path: Path) -> None:
    able = senses_of(reader)
    ours = [*SUPPORT, *OPERATIONAL]
    texts = [text for text, _ in ours]
    assert "left_out" in out_of_scope(able, [], tmp_path)
    assert "left_out" in requests(able, [], tmp_path)
    found = out_of_scope(able, texts, tmp_path)
    assert {"ours", "near: written, taught topics", "near: written, untaught topics"} <= set(found["rows"])
    assert found["scores"]["reject_odds"]["near: written, taught topics"]["auroc"] > 0.5
    assert requests(able, ours, tmp_path)["two_requests"]["all held"]["rows"] > 100


def test_speed_is_taken_on_texts_that_were_not_read_before(reader: Reader) -> None:
    texts = [f"Where is card number {place}?" for place in range(WARM_UP + 12)]
    found = speed(reader, texts)
    assert found["read_ms"]["texts"] == found["batch"]["texts"] == 12
    assert 0 < found["read_ms"]["p50"] <= found["read_ms"]["p99"] <= found["read_ms"]["max"]
    assert 0 < found["cpu_ms"] < found["read_ms"]["max"]
    assert found["model_bytes"] == reader.artifact.manifest["bytes"]
    assert "left_out" in speed(reader, texts[:WARM_UP])
    memory = resident_of_a_reading_process(reader.artifact.folder)
    assert memory is None or 30 < memory < 400


def test_a_run_writes_every_section_or_why_not(reader: Reader, tmp_path: Path) -> None:
    (tmp_path / "leave-intents-out.json").write_text('{"known_percent": {}}', encoding="utf-8")
    material = Material([], HELD_OUT)
    further = further_sections(senses_of(reader), [], tmp_path)
    document = run_understanding(reader, material, tmp_path, {**further, "robustness": lambda: {"table": []}})
    assert json.loads((tmp_path / RESULTS_FILE).read_text(encoding="utf-8")) == document
    assert document["model"]["version"] == reader.artifact.version
    assert document["rehearsal"] is False
    for name in ("speed", "official", "reading_speed", "spans", "requests", "out_of_scope"):
        assert document[name]["left_out"], name
    assert document["leave_intents_out"] == {"known_percent": {}}
    assert document["operational"]["rows"] == 4


def test_a_run_that_fails_writes_nothing(reader: Reader, tmp_path: Path) -> None:
    def fails() -> dict[str, object]:
        raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        run_understanding(reader, Material([], []), tmp_path, {"operational": fails})
    assert not (tmp_path / RESULTS_FILE).exists()


def test_a_rehearsal_leaves_the_test_file_closed(tmp_path: Path) -> None:
    (tmp_path / "banking77").mkdir()
    test = tmp_path / "banking77" / "test.csv"
    test.write_bytes(b"\xff not to be read")
    rehearsed = material_of(tmp_path, HELD_OUT, rehearsal=True)
    assert rehearsed.rehearsal
    assert rehearsed.official == SUPPORT
    assert {label for _, label in rehearsed.official} <= set(SUPPORT_INTENTS)
    assert all(label != OUT_OF_SCOPE for _, label in rehearsed.ours)
    test.write_text("text,category\nwhere is my card,card_arrival\n", encoding="utf-8")
    assert material_of(tmp_path, HELD_OUT).official == [("where is my card", "card_arrival")]
    test.unlink()
    assert material_of(tmp_path, HELD_OUT).official == []


def test_stored_figures_are_read_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    assert stored(path) == {"left_out": "figures.json is not in the results folder"}
    path.write_text('{"a": 1}', encoding="utf-8")
    assert stored(path) == {"a": 1}
