"""What follows from readings: a small reader by key words stands in for the model."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from llm_banking.nlu.artifact import EMBEDDING_SIZE
from llm_banking.nlu.clauses import candidate_clauses
from llm_banking.nlu.reader import Candidate, Reading
from llm_banking.nlu.requests import Examined, Request, SplitPolicy, boundaries, read_requests, stretches_of
from llm_banking.nlu.slots import find_slots
from llm_banking.nlu.taxonomy import LABELS

KEYS = {
    "balance": "check_balance",
    "pay": "pay_bill",
    "due": "bill_due_date",
    "transfer": "transfer_funds",
    "send": "transfer_funds",
    "stolen": "lost_or_stolen_card",
    "twice": "transaction_charged_twice",
    "money back": "request_refund",
    "statement": "get_statement",
    "hello": "greeting",
    "weather": "out_of_scope",
    "yes": "affirm",
    "help": "help",
}
POLICY = SplitPolicy(0.5, 0.35, {"bias": -0.5, "confidence_left * confidence_right": 2.0, "alike": -9.0})


class KeyReader:
    """The intent of the first key word; unsure where there is none. Counts its runs."""

    def __init__(self) -> None:
        self.read_texts: list[str] = []

    def __call__(self, text: str) -> Reading:
        self.read_texts.append(text)
        found = [intent for key, intent in KEYS.items() if key in text.casefold()]
        found.sort(
            key=lambda intent: text.casefold().index(
                next(k for k, v in KEYS.items() if v == intent and k in text.casefold())
            )
        )
        intent, confidence = (found[0], 0.9) if found else ("card_arrival", 0.1)
        embedding = np.zeros(EMBEDDING_SIZE, dtype=np.float32)
        embedding[LABELS.index(intent)] = 1.0
        return Reading(
            text=text,
            intent="card_arrival" if intent == "out_of_scope" else intent,
            confidence=confidence,
            in_scope=intent != "out_of_scope",
            in_scope_score=0.01 if intent == "out_of_scope" else 0.99,
            alternatives=(Candidate(intent, confidence),),
            options=(intent,),
            slots=find_slots(text, today=date(2026, 11, 21)),
            pii=(),
            model_version="by key words",
            embedding=embedding,
        )


@pytest.fixture
def read() -> KeyReader:
    return KeyReader()


def requests_of(text: str, read: KeyReader, policy: SplitPolicy | None = POLICY) -> tuple[Request, ...]:
    return read_requests(examined(text, read), policy)


def examined(text: str, read: KeyReader) -> Examined:
    return Examined(read(text), candidate_clauses(text), lambda start, end: read(text[start:end]))


def intents(found: tuple[Request, ...]) -> list[str]:
    return [one.intent for one in found]


def said(request: Request) -> dict[str, str]:
    return {slot.name: slot.text for slot in request.slots}


def test_two_requests_come_in_order_with_their_slots_and_offsets_into_the_message(read: KeyReader) -> None:
    text = "Hi, pay the electricity bill and tell me the balance of my savings!"
    found = requests_of(text, read)
    assert intents(found) == ["pay_bill", "check_balance"]
    assert [one.text for one in found] == ["pay the electricity bill", "tell me the balance of my savings!"]
    assert [said(one) for one in found] == [{"bill_type": "electricity bill"}, {"account": "savings"}]
    for one in found:
        assert text[one.start : one.end] == one.text
        assert all(text[slot.start : slot.end] == slot.text for slot in one.slots)


def test_a_message_without_a_place_to_cut_is_read_once_and_is_its_reading(read: KeyReader) -> None:
    text = "what is my checking balance"
    (one,) = requests_of(text, read)
    whole = read(text)
    assert read.read_texts == [text, text], "read once as a message, and once here"
    assert (one.text, one.start, one.end) == (text, 0, len(text))
    assert (one.intent, one.confidence, one.slots) == (whole.intent, whole.confidence, whole.slots)
    assert one.alternatives == whole.alternatives


def test_only_stretches_that_are_named_beforehand_are_read_apart(read: KeyReader) -> None:
    text = "pay the rent. what is my balance? transfer it. send a statement. what is due?"
    message = examined(text, read)
    read.read_texts.clear()
    read_requests(message, POLICY)
    named = [text[start:end] for start, end in stretches_of(candidate_clauses(text))]
    assert len(named) == len(set(named))
    assert set(read.read_texts) <= set(named)
    assert stretches_of(candidate_clauses("what is my balance")) == ()


def test_without_a_policy_no_message_is_cut(read: KeyReader) -> None:
    assert intents(requests_of("pay the rent and show my balance", read, None)) == ["pay_bill"]
    assert len(read.read_texts) == 1


def test_the_threshold_decides(read: KeyReader) -> None:
    text = "pay the rent and show my balance"
    (boundary,) = boundaries(examined(text, read), POLICY)
    chance = POLICY.probability(boundary.features)
    for minimum, requests in ((chance - 0.01, 2), (chance + 0.01, 1)):
        assert len(requests_of(text, read, SplitPolicy(minimum, 0.35, POLICY.weights))) == requests


@pytest.mark.parametrize(
    "text",
    [
        "pay the rent and then have a nice weekend",
        "what is my balance, and how is the weather",
        "pay the rent and pay it today",
        "my card was stolen and I cannot find my bag",
        "show my balance and help me please",
        "yes, pay the rent",
        "I was charged twice and I want my money back",
        "transfer 50 from checking and savings",
        "send 20 dollars to mom and dad",
    ],
)
def test_one_request_in_several_clauses_stays_whole(read: KeyReader, text: str) -> None:
    (one,) = requests_of(text, read)
    assert (one.text, one.intent) == (text, read(text).intent)


@pytest.mark.parametrize(
    ("text", "intent", "slots"),
    [
        (
            "pay the electricity bill and the water bill",
            "pay_bill",
            [{"bill_type": "electricity bill"}, {"bill_type": "water bill"}],
        ),
        (
            "transfer 50 to Alice and 30 to Bob",
            "transfer_funds",
            [{"amount": "50", "payee": "Alice"}, {"amount": "30", "payee": "Bob"}],
        ),
        (
            "pay the gas bill and pay the phone bill",
            "pay_bill",
            [{"bill_type": "gas bill"}, {"bill_type": "phone bill"}],
        ),
        (
            "when is the gas bill due and the phone bill",
            "bill_due_date",
            [{"bill_type": "gas bill"}, {"bill_type": "phone bill"}],
        ),
    ],
)
def test_a_verb_said_once_is_carried_over(read: KeyReader, text: str, intent: str, slots: list[dict[str, str]]) -> None:
    found = requests_of(text, read)
    assert intents(found) == [intent, intent]
    assert [said(one) for one in found] == slots
    amounts = [slot.value["amount"] for one in found for slot in one.slots if slot.name == "amount"]
    assert amounts in ([], ["50.00", "30.00"])


def test_an_answer_to_a_question_counts_before_another_request_only(read: KeyReader) -> None:
    assert intents(requests_of("Yes. And show my balance", read)) == ["affirm", "check_balance"]
    assert intents(requests_of("show my balance. yes", read)) == ["check_balance"]


def test_help_with_a_matter_of_its_own_is_a_request(read: KeyReader) -> None:
    assert intents(requests_of("show my balance. also help me with my card", read)) == ["check_balance", "help"]
    assert intents(requests_of("show my balance. also help me with this", read)) == ["check_balance"]


def test_three_requests_are_found(read: KeyReader) -> None:
    found = requests_of("1. pay the rent\n2. show my balance\n3. send me a statement", read)
    assert len(found) == 3
    assert intents(found)[:2] == ["pay_bill", "check_balance"]


def test_a_clause_that_says_nothing_goes_with_its_neighbour(read: KeyReader) -> None:
    text = "I got paid today. what is my balance, and send me a statement"
    found = requests_of("the cat sat there. show my balance. also my statement", read)
    assert [one.text for one in found] == ["the cat sat there. show my balance.", "my statement"]
    assert len(requests_of(text, read)) >= 1


def test_a_policy_survives_the_manifest() -> None:
    again = SplitPolicy.from_calibration({"temperature": 1.0, **POLICY.as_calibration()})
    assert again == POLICY
    assert SplitPolicy.from_calibration({"temperature": 1.0}) is None


def test_a_request_is_documented_json(read: KeyReader) -> None:
    (one,) = requests_of("pay 20 dollars", read)
    shown = one.as_dict()
    assert (shown["text"], shown["start"], shown["end"], shown["intent"]) == ("pay 20 dollars", 0, 14, "pay_bill")
    assert shown["slots"][0]["value"] == {"amount": "20.00", "currency": "USD"}
    assert set(shown) == {
        *("text", "start", "end", "intent", "confidence", "in_scope", "in_scope_score", "alternatives"),
        *("options", "slots"),
    }
