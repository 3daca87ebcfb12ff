"""Flows that cannot work are refused at start-up, with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_banking.dialogue.flow_files import FlowInvalidError, load_flows
from llm_banking.nlu.taxonomy import BY_NAME

INTENTS = frozenset(BY_NAME)
GOOD = """\
flow: gift
title: gift
starts_on: [transfer_funds]
slots:
  destination: {type: payee, takes: [person, biller, own_account]}
  amount: {type: money}
  source: {type: own_account, accounts: [checking], differs_from: destination}
  day: {type: date, optional: true}
steps:
  - {step: where, collect: destination, question: Where to now, next: much}
  - {step: much, collect: amount, question: How much now, next: source}
  - {step: source, collect: source, question: From where now, next: kind}
  - step: kind
    branch:
      - {when: {slot: destination, is: own_account}, next: own}
    otherwise: person
  - {step: own, end: own_transfer}
  - {step: person, end: payee_transfer}
"""


def load(folder: Path, text: str, name: str = "gift.yml") -> object:
    (folder / name).write_text(text, encoding="utf-8")
    return load_flows(INTENTS, folder)


def test_the_shipped_flows_are_sound() -> None:
    found = load_flows(INTENTS)
    cards = {"card_stop", "card_unfreeze", "card_activate", "card_replace"}
    others = {"dispute", "cancel_schedule", "card_limits", "loan_application"}
    assert set(found.by_name) == {"transfer", "bill_payment", *cards, *others}
    assert found.by_intent["transfer_funds"].name == "transfer"


def test_a_good_flow_is_taken(tmp_path: Path) -> None:
    load(tmp_path, GOOD)


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        ("starts_on: [transfer_funds]", "starts_on: [teleport]", 1, "unknown intent 'teleport'"),
        ("amount: {type: money}", "amount: {type: gold}", 6, "unknown type 'gold'"),
        ("amount: {type: money}", "amount: {type: money, most: 5}", 6, "unknown field 'most'"),
        ("amount: {type: money}", "amount: {type: money, takes: [person]}", 6, "cannot take 'person'"),
        ("accounts: [checking]", "accounts: [piggy_bank]", 7, "unknown kind of account 'piggy_bank'"),
        ("differs_from: destination", "differs_from: nowhere", 5, "unknown slot 'nowhere'"),
        ("next: much}", "next: nowhere}", 10, "unknown step 'nowhere'"),
        (
            "collect: amount, question: How much now,",
            "collect: weight, question: How much now,",
            11,
            "unknown slot 'weight'",
        ),
        ("question: How much now, ", "", 11, "has no 'question'"),
        ("question: How much now", "question: ' '", 11, "'question' is not a text"),
        ("collect: amount, question", "collect: amount, end: own_transfer, question", 11, "one of 'collect'"),
        ("end: own_transfer", "end: rob_the_bank", 17, "unknown action 'rob_the_bank'"),
        ("next: kind}", "next: where}", 12, "leads back to 'where'"),
        ("is: own_account}, next: own", "is: own_account}, next: person", 17, "'own' is never reached"),
        ("next: much}", "next: own}", 17, "'amount' was not asked for"),
        ("is: own_account", "is: money", 15, "never is 'money'"),
        ("when: {slot: destination", "when: {slot: nothing", 15, "unknown slot 'nothing'"),
        ("step: person", "step: own", 18, "'own' stands twice"),
        ("title: gift", "title: gift\ntitle: gift", 1, "not readable"),
        ("optional: true", "optional: maybe", 8, "true or false"),
        ("steps:\n", "steps: []\nothers:\n", 1, "unknown field 'others'"),
    ],
)
def test_what_cannot_work_is_named_with_its_line(tmp_path: Path, old: str, new: str, line: int, problem: str) -> None:
    assert old in GOOD
    with pytest.raises(FlowInvalidError) as caught:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert caught.value.message.startswith(f"gift.yml:{line}: ")
    assert problem in caught.value.message


def test_two_flows_do_not_start_on_one_intent_or_share_a_name(tmp_path: Path) -> None:
    load(tmp_path, GOOD)
    with pytest.raises(FlowInvalidError, match="'transfer_funds' already starts"):
        load(tmp_path, GOOD.replace("flow: gift", "flow: other"), "other.yml")
    with pytest.raises(FlowInvalidError, match="another flow named 'gift'"):
        load(tmp_path, GOOD.replace("transfer_funds", "pay_bill"), "other.yml")


@pytest.mark.parametrize("text", ["", "- a\n", "flow: [", "5", "flow: gift\n"])
def test_what_is_no_flow_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(FlowInvalidError, match=r"gift\.yml:"):
        load(tmp_path, text)
