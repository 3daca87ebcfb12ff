"""Questions about the operation in work: which are some, and what the answers rest on."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from llm_banking.banking.fees import Fee, FeeSchedule, load_fees
from llm_banking.dialogue.about import Terms, answer, moves_money, topic_of
from llm_banking.dialogue.flow_files import End, load_flows
from llm_banking.dialogue.tracker import Choice, Filled, Frame
from llm_banking.kit.money import Money
from llm_banking.knowledge.service import Knowledge
from llm_banking.nlu.taxonomy import BY_NAME
from llm_banking.operations.drafts import Kind
from llm_banking.operations.payment import Payer, Payment, Receiver
from llm_banking.operations.policy import load_policy

FLOWS = load_flows(frozenset(BY_NAME)).by_name
FLOW = FLOWS["transfer"]
FROZEN = Payment(
    id="1",
    user_id="2",
    kind=Kind.PAYEE_TRANSFER,
    payer=Payer("3", "Everyday Checking", "4144", "Zoe Quill"),
    receiver=Receiver("Alice Johnson", "1234", None, "4"),
    amount_minor=5000,
    fee_minor=150,
    currency="USD",
    note=None,
)


def framed(kind: str | None = None) -> Frame:
    told = {"kind": kind, "value": "x", "label": "x", "text": "x", "start": 0, "end": 1, "turn": 1}
    return Frame.model_validate({"flow": "transfer", "step": "x", "slots": {"destination": told} if kind else {}})


@pytest.fixture(name="terms")
def terms_(knowledge: Knowledge) -> Terms:
    return Terms(load_policy(), load_fees(), knowledge.facts, {"USD"})


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("what's the fee?", "fee"),
        ("What\u2019s the fee for this transfer?", "fee"),
        ("is it free?", "fee"),
        ("how much will it cost me?", "fee"),
        ("any fees", "fee"),
        ("will I be charged extra?", "fee"),
        ("how long does it take?", "time"),
        ("when will she get it?", "time"),
        ("is it instant?", "time"),
        ("how many days?", "time"),
        ("will it be there today?", "time"),
        ("is there a limit?", "limit"),
        ("how much can I send at most?", "limit"),
        ("to whom?", "so_far"),
        ("which account is it from?", "so_far"),
        ("how much was it?", "so_far"),
        ("repeat that please", "so_far"),
        ("is that right?", "so_far"),
        ("who are you?", None),
        ("who can see my account?", None),
        ("where is the nearest atm?", None),
        ("what is the fee for a card abroad?", None),
        ("what is the fee for my account?", None),
        ("how long does a refund take?", None),
        ("how long does card delivery take?", None),
        ("what is my credit limit?", None),
        ("when is my loan due?", None),
        ("free", None),
        ("the fee", None),
        ("send 50 to Alice", None),
        ("yes", None),
        ("when " + "will it arrive " * 10, None),
    ],
)
def test_a_question_is_about_this_only_where_every_word_is(text: str, topic: str | None) -> None:
    assert topic_of(text) == topic


def test_the_fee_is_what_was_frozen(terms: Terms) -> None:
    assert answer("fee", FLOW, framed(), FROZEN, terms) == "The fee for this is $1.50, so that you pay $51.50 in all."
    assert answer("fee", FLOW, framed(), replace(FROZEN, fee_minor=0), terms) == "There is no fee for this."


def test_before_it_is_frozen_the_fee_is_that_of_the_policy(terms: Terms) -> None:
    assert answer("fee", FLOW, framed(), None, terms) == "There is no fee for this transfer."
    dear = Fee(Decimal(0), {"USD": Money(150, "USD")})
    costly = replace(terms, fees=FeeSchedule({**terms.fees.fees, Kind.PAYEE_TRANSFER: dear}))
    assert answer("fee", FLOW, framed("person"), None, costly) == "The fee for this transfer is $1.50."
    assert answer("fee", FLOW, framed("own_account"), None, costly) == "There is no fee for this transfer."
    assert "depends on where the money goes" in answer("fee", FLOW, framed(), None, costly)


def test_a_fee_that_is_a_share_is_told_once_the_amount_is_known(terms: Terms) -> None:
    shared = replace(terms, fees=FeeSchedule({**terms.fees.fees, Kind.PAYEE_TRANSFER: Fee(Decimal(2), {})}))
    assert "a share of the amount" in answer("fee", FLOW, framed("person"), None, shared)
    frame = framed("person")
    amount = Filled(**Choice.of_money(Money(5000, "USD")).model_dump(), text="50", start=0, end=2, turn=1)
    frame = frame.model_copy(update={"slots": {**frame.slots, "amount": amount}})
    assert answer("fee", FLOW, frame, None, shared) == "The fee for this transfer is $1.00."


def test_how_long_it_takes_follows_from_where_it_goes(terms: Terms) -> None:
    kinds = ("own_account", "person", "biller")
    own, person, biller = (answer("time", FLOW, framed(one), None, terms) for one in kinds)
    assert "own accounts" in own
    assert "1 to 3 business days" in person
    assert "2 to 4 business days" in biller
    for part in (own, person, biller):
        assert part in answer("time", FLOW, framed(), None, terms)
    here = replace(FROZEN, receiver=replace(FROZEN.receiver, account_id="5"))
    assert "business day" not in answer("time", FLOW, framed(), here, terms)


def test_the_limits_are_those_of_the_policy(terms: Terms) -> None:
    told = answer("limit", FLOW, framed(), None, terms)
    assert told == "You can send up to $5,000.00 at once, and $10,000.00 in 24 hours."


def test_a_flow_that_ends_in_something_else_has_no_fee() -> None:
    assert moves_money(FLOW)
    assert moves_money(FLOWS["bill_payment"])
    assert not moves_money(replace(FLOW, steps={**FLOW.steps, "own": End("own", "card_freeze")}))
