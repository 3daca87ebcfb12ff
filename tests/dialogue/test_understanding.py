"""From readings made by hand to commands: what is proposed in the light of what is open."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from llm_banking.dialogue.commands import (
    Answer,
    Cancel,
    Clarify,
    Confirm,
    CorrectSlot,
    Deny,
    HandOff,
    SetSlot,
    StartFlow,
    Unclear,
)
from llm_banking.dialogue.flow_files import load_flows
from llm_banking.dialogue.tracker import Choice, Filled, Frame, Prompt, Tracker
from llm_banking.dialogue.understanding import Understanding
from llm_banking.nlu.taxonomy import BY_NAME
from tests.dialogue.conftest import MakeReading
from tests.dialogue.test_holdings import HELD

LISTENS = Understanding(load_flows(frozenset(BY_NAME)), HELD, 0.75, date(2026, 11, 21))
ALICE = Filled(kind="person", value=str(uuid4()), label="Alice Johnson", text="Alice Johnson", start=0, end=13, turn=1)
FIFTY = Filled(kind="money", value="50.00 USD", label="$50.00", text="50", start=0, end=2, turn=1)
CHECKING = Filled(
    kind="own_account", value=str(uuid4()), label="Everyday Checking", text="checking", start=0, end=8, turn=1
)
ASKED = Tracker(
    turn=2,
    stack=(Frame(flow="transfer", step="from_where", slots={"destination": ALICE, "amount": FIFTY}),),
    prompt=Prompt(asks="slot", slot="source"),
)
FULL = {"destination": ALICE, "amount": FIFTY, "source": CHECKING}
PENDING = uuid4()
SHOWN = Tracker(
    turn=2,
    stack=(Frame(flow="transfer", step="payee", slots=FULL),),
    prompt=Prompt(asks="approval", pending_id=PENDING),
)
CHOICE = Prompt(asks="choice", slot="destination", choices=(Choice(kind="person", value="x", label="Alice Johnson"),))
OFFERED = ASKED.model_copy(update={"prompt": CHOICE})


def commands(reading: Any, tracker: Tracker) -> list[Any]:
    return [one.command for one in LISTENS.propose(reading, tracker)]


def test_a_yes_names_the_id_that_was_shown(reading: MakeReading) -> None:
    assert commands(reading("yes", ("affirm", 0.99)), SHOWN) == [Confirm(PENDING)]


@pytest.mark.parametrize(
    ("text", "intent", "in_scope", "tracker"),
    [
        ("yes", "affirm", False, SHOWN),
        ("yes", "greeting", True, SHOWN),
        ("yes indeed my friend", "affirm", True, SHOWN),
        ("yes", "affirm", True, ASKED),
        ("yes", "affirm", True, SHOWN.model_copy(update={"prompt": None})),
    ],
)
def test_no_other_yes_is_an_approval(
    reading: MakeReading, text: str, intent: str, in_scope: bool, tracker: Tracker
) -> None:
    found = commands(reading(text, (intent, 0.99), in_scope=in_scope), tracker)
    assert not any(isinstance(one, Confirm) for one in found)


@pytest.mark.parametrize(
    ("text", "intent", "tracker", "command"),
    [
        ("never mind", "cancel", SHOWN, Cancel()),
        ("no", "deny", SHOWN, Deny()),
        ("a person please", "speak_to_agent", SHOWN, HandOff(0.99)),
        ("My card has not arrived", "card_arrival", SHOWN, Answer("card_arrival", 0.99)),
        ("I want to make a transfer", "transfer_funds", SHOWN, Unclear()),
    ],
)
def test_what_is_said_beside_the_slots(
    reading: MakeReading, text: str, intent: str, tracker: Tracker, command: Any
) -> None:
    assert commands(reading(text, (intent, 0.99)), tracker) == [command]


def test_an_empty_slot_is_set_and_a_filled_one_corrected(reading: MakeReading) -> None:
    (found,) = commands(reading("my savings", ("check_balance", 0.9)), ASKED)
    assert isinstance(found, SetSlot)
    assert (found.slot, found.said.text) == ("source", "savings")
    (found,) = commands(reading("no, 60", ("deny", 0.99)), SHOWN)
    assert isinstance(found, CorrectSlot)
    assert (found.slot, found.said.text, found.said.start) == ("amount", "60", 4)


def test_a_choice_is_taken_by_number_or_by_yes_where_it_is_alone(reading: MakeReading) -> None:
    for text in ("yes", "the first one", "1"):
        (found,) = commands(reading(text, ("affirm", 0.99)), OFFERED)
        assert isinstance(found, SetSlot)
        assert (found.slot, found.said.option) == ("destination", 0)


def test_another_request_stands_for_itself_and_the_same_payee_is_a_correction(reading: MakeReading) -> None:
    (other,) = commands(reading("send $20 to Bob Carter", ("transfer_funds", 0.99)), SHOWN)
    assert isinstance(other, StartFlow)
    same = commands(reading("send $20 to Alice Johnson", ("transfer_funds", 0.99)), SHOWN)
    assert {type(one) for one in same} == {CorrectSlot}


def test_outside_a_flow_a_surely_read_payment_begins_one(reading: MakeReading) -> None:
    (found,) = commands(reading("send $20 to Alice", ("transfer_funds", 0.99)), Tracker())
    assert isinstance(found, StartFlow)
    assert [one.text for one in found.said] == ["$20", "Alice"]
    unsure = reading("pay $20 to Alice", ("pay_bill", 0.5), ("transfer_funds", 0.3))
    assert [type(one) for one in commands(unsure, Tracker())] == [StartFlow]
    vague = reading("pay something", ("pay_bill", 0.5), ("card_arrival", 0.3))
    assert [type(one) for one in commands(vague, Tracker())] == [Clarify]
    how = reading("how do I send money", ("transfer_funds", 0.99))
    assert commands(how, Tracker()) == [Answer("transfer_funds", 0.99)]


def test_a_clarifying_question_may_begin_a_flow(reading: MakeReading) -> None:
    asked = Tracker(offered=("pay_bill", "card_arrival"))
    assert commands(reading("the first one", ("deny", 0.3)), asked) == [StartFlow("bill_payment", "pay_bill", 1.0)]


def test_a_frame_of_an_unknown_flow_is_left_to_the_engine(reading: MakeReading) -> None:
    gone = Tracker(turn=1, stack=(Frame(flow="gone", step="x"),))
    assert commands(reading("yes", ("affirm", 0.99)), gone) == [Unclear()]
