"""When a person comes, what that person reads, and what takes a conversation back: the rules, without a database."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_banking.dialogue.commands import Answer, Clarify, HandOff, Unclear, accepts_person
from llm_banking.dialogue.flow_files import load_flows
from llm_banking.dialogue.handoff_rules import HandoffRules, load_handoff_rules, wants_the_assistant
from llm_banking.dialogue.handoff_summary import MAX_MESSAGES, MAX_QUOTED_CHARS, masked, summary_of
from llm_banking.dialogue.tracker import Event, Filled, Frame, Prompt, Shown, Tracker
from llm_banking.dialogue.wording import BACK
from llm_banking.kit.clock import utc_now
from llm_banking.kit.errors import ConfigurationError
from llm_banking.nlu.personal_data import passes_luhn
from llm_banking.nlu.taxonomy import BY_NAME
from tests.dialogue.conftest import MakeReading

INTENTS = frozenset(BY_NAME)
FLOWS = load_flows(INTENTS)
RULES = HandoffRules(frozenset({"report_fraud"}), 6, 10)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("always: []", "not_understood_in_a_row"),
        ("always: [dragons]\nnot_understood_in_a_row: 6\nopen_at_most: 1", "dragons"),
        ("always: []\nnot_understood_in_a_row: 3", "greater than 3"),
        ("always: []\nnot_understood_in_a_row: 6\nnever: []", "never"),
        ("always: [", "cannot be used"),
        ("", "cannot be used"),
    ],
)
def test_rules_that_cannot_work_stop_the_start(text: str, what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        load_handoff_rules(INTENTS, text)


def test_the_shipped_rules_name_intents_that_there_are() -> None:
    assert load_handoff_rules(INTENTS).always == {"report_fraud", "lost_or_stolen_phone"}


def test_the_reason_follows_from_the_commands() -> None:
    assert RULES.reason([Answer("check_balance", 1.0), Clarify(("report_fraud",), 0.3), Unclear()]) is None
    assert RULES.reason([Answer("report_fraud", 1.0)]) == "policy"
    assert RULES.reason([Answer("report_fraud", 1.0), Answer("speak_to_agent", 1.0)]) == "request"
    assert RULES.reason([HandOff(1.0)]) == "request"
    assert RULES.reason([HandOff(1.0, "failure")]) == "failure"


@pytest.mark.parametrize(("text", "taken"), [("yes", True), ("OK", True), ("yes?", False), ("yes, but how?", False)])
def test_a_person_who_was_offered_comes_by_a_bare_yes_alone(reading: MakeReading, text: str, *, taken: bool) -> None:
    said = reading(text, ("affirm", 0.9))
    assert (accepts_person(said, Tracker(prompt=Prompt(asks="person"))) is not None) is taken
    for prompt in (None, Prompt(asks="slot"), Prompt(asks="approval", pending_id=uuid4())):
        assert accepts_person(said, Tracker(prompt=prompt)) is None


@pytest.mark.parametrize(
    "text",
    [
        *(
            BACK,
            "back to the bot",
            "Take me back to the assistant!",
            "please go back to the chatbot",
            "return to the bot",
        ),
        *("I want to go back to the assistant.", "I don\u2019t need a person any more", "continue with the assistant"),
    ],
)
def test_plain_words_take_a_conversation_back(text: str) -> None:
    assert wants_the_assistant(text)


@pytest.mark.parametrize(
    "text",
    [
        *("yes", "back", "I do not want to go back to the assistant", "the bot was no help", "assistant", "hello bot"),
        *("back to the assistant, or shall I wait?", "back to the account", "back to the bot " * 9),
    ],
)
def test_other_words_do_not(text: str) -> None:
    assert not wants_the_assistant(text)


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("my card 4111 1111 1111 1111 fails", "my card [card ending 1111] fails"),
        ("from GB82 WEST 1234 5698 7654 32 please", "from [iban ending 4 32] please"),
        ("my ssn is 219-09-9999", "my ssn is [ssn]"),
        ("account 123456789012", "account [number ending 9012]"),
        ("my PIN is 4821, ok", "my PIN is [hidden], ok"),
        ("password: hunter", "password: [hidden]"),
        ("the one-time code 993817 does not work", "the one-time code [hidden] does not work"),
        ("send 50 to Alice on 2026-11-30, or 1,250.00", "send 50 to Alice on 2026-11-30, or 1,250.00"),
    ],
)
def test_secrets_are_masked_and_the_rest_stays(text: str, reads: str) -> None:
    assert masked(text).replace(" , ", ", ") == reads


@given(st.integers(10**14, 10**15 - 1), st.sampled_from(["", " ", "-"]), st.text(max_size=40), st.text(max_size=40))
def test_no_card_number_gets_through(stem: int, between: str, before: str, after: str) -> None:
    number = next(f"{stem}{digit}" for digit in range(10) if passes_luhn(f"{stem}{digit}"))
    written = between.join(number[at : at + 4] for at in range(0, 16, 4))
    assert written not in masked(f"{before} {written} {after}")


def a_tracker() -> Tracker:
    said = {"text": "50", "start": 0, "end": 2, "turn": 1}
    shown = Shown(id=uuid4(), kind="own_transfer", summary="Move $50.00", expires_at=utc_now() + timedelta(minutes=5))
    slots = {"amount": Filled(kind="money", value="50.00 USD", label="$50.00", **said)}
    stack = (Frame(flow="bill_payment", step="x"), Frame(flow="transfer", step="x", slots=slots, pending=shown))
    happened = ("approved", "refused", "refused", "not_understood", "asked")
    return Tracker(stack=stack, events=tuple(Event(turn=1, what=one) for one in happened))


def test_a_summary_tells_what_was_said_stopped_and_tried() -> None:
    messages = [f"message {number}" for number in range(7)]
    assert summary_of("Zoe Quill", "failure", messages, a_tracker(), FLOWS).splitlines() == [
        "Zoe Quill was not understood several times in a row.",
        *(f"Wrote: “message {number}”" for number in range(2, 7)),
        "Stopped: transfer (amount $50.00; shown for approval, then voided).",
        "Stopped: bill payment (nothing said of it yet; not yet shown for approval).",
        "Before: approved and executed (1), refused by a rule (2), not understood (1).",
    ]


@given(st.lists(st.text(max_size=4_000), min_size=1, max_size=9))
def test_a_summary_has_a_bounded_length(messages: list[str]) -> None:
    found = summary_of("Zoe Quill", "request", messages, Tracker(), FLOWS)
    assert len(found) <= 50 + MAX_MESSAGES * (MAX_QUOTED_CHARS + 20)
