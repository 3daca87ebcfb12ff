"""What is frozen: one document, one hash, one text and one entry, for any names and amounts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_banking.banking.business_days import Roll
from llm_banking.banking.ledger import Own, totals
from llm_banking.banking.recurrence import MAX_EVERY, Frequency, Recurrence
from llm_banking.kit.plain_text import PlainTextError, plain
from llm_banking.operations.drafts import PAYMENTS, Kind
from llm_banking.operations.payload import canonical, hash_of
from llm_banking.operations.payment import Payer, Payment, Receiver, entry_of
from llm_banking.operations.when import NOW as WHEN_NOW
from llm_banking.operations.when import Once, Plan, Repeats, plan_of

NOW = datetime(2026, 11, 2, tzinfo=UTC)


def is_plain(name: str) -> bool:
    try:
        return plain(name, most_chars=60) == name
    except PlainTextError:
        return False


NAMES = st.text(min_size=1, max_size=40).filter(is_plain)
DIGITS = st.from_regex(r"\A[0-9]{4}\Z")
UUIDS = st.uuids().map(str)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    first = draw(st.dates(date(2026, 1, 1), date(2031, 12, 31)))
    if draw(st.booleans()):
        return draw(st.sampled_from([WHEN_NOW, Once(first, first + timedelta(days=draw(st.integers(0, 4))))]))
    rule = Recurrence(draw(st.sampled_from(Frequency)), first, draw(st.integers(1, MAX_EVERY)), Roll.FOLLOWING)
    first = rule.due_day(0)
    rule = replace(rule, first_day=first)
    count = draw(st.none() | st.integers(1, 1_000))
    return Repeats(rule, None if count else draw(st.none() | st.dates(first, date(2040, 1, 1))), count)


@st.composite
def payloads(draw: st.DrawFn) -> Payment:
    kind = draw(st.sampled_from(sorted(PAYMENTS)))
    payer = Payer(draw(UUIDS), draw(NAMES), draw(DIGITS), draw(NAMES))
    here = kind is Kind.OWN_TRANSFER or (kind is Kind.PAYEE_TRANSFER and draw(st.booleans()))
    payee = None if kind is Kind.OWN_TRANSFER else draw(UUIDS)
    account = draw(UUIDS.filter(lambda one: one != payer.account_id)) if here else None
    receiver = Receiver(draw(NAMES), draw(DIGITS), account, payee)
    amount, fee = draw(st.integers(1, 10**9)), draw(st.sampled_from([0, 0, 150]))
    note = draw(st.none() | NAMES) if kind is Kind.PAYEE_TRANSFER else None
    return Payment(draw(UUIDS), draw(UUIDS), kind, payer, receiver, amount, fee, "USD", note, draw(plans()))


@given(payloads())
def test_the_document_reads_back_whatever_stored_it(payload: Payment) -> None:
    stored = json.loads(canonical(payload.document()))
    assert Payment.of(stored) == payload
    assert hash_of(dict(reversed(list(stored.items())))) == hash_of(payload.document())


@given(payloads())
def test_the_text_and_the_entry_say_the_same(payload: Payment) -> None:
    said, told, entry = payload.summary(), payload.told(), entry_of(payload, NOW)
    for part in (payload.amount.display(), payload.payer.account_name, payload.payer.last4, payload.receiver.name):
        assert part in said
        assert part in told
    assert ("no fee." in told) == (payload.fee_minor == 0)
    assert (payload.total.display() in said) or payload.fee_minor == 0
    assert set(totals(entry.legs).values()) == {0}
    debits = [(str(leg.account), -leg.amount.amount_minor) for leg in entry.legs if leg.amount.amount_minor < 0]
    assert debits == [(payload.payer.account_id, payload.amount_minor + payload.fee_minor)]
    credited = {str(leg.account): leg.amount.amount_minor for leg in entry.legs if leg.amount.amount_minor > 0}
    outside = Own.BILLS if payload.kind is Kind.BILL_PAYMENT else Own.OUTSIDE
    fees = {"fees": payload.fee_minor} if payload.fee_minor else {}
    assert credited == {payload.receiver.account_id or str(outside): payload.amount_minor} | fees
    assert str(entry.id) == payload.id


CHANGES: list[dict[str, Any]] = [
    {"id": "x"},
    {"user_id": "x"},
    {"kind": Kind.BILL_PAYMENT},
    {"amount_minor": 2},
    {"fee_minor": 1},
    {"currency": "EUR"},
    {"note": "x"},
    {"when": Once(date(2027, 1, 4), date(2027, 1, 4))},
    {"when": Repeats(Recurrence(Frequency.WEEKLY, date(2027, 1, 4)))},
    {"payer": Payer("x", "x", "x", "x")},
    {"receiver": Receiver("x", "x", None, None)},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda one: next(iter(one)))
def test_any_change_is_another_hash(change: dict[str, Any]) -> None:
    payload = Payment(
        "1", "2", Kind.OWN_TRANSFER, Payer("a", "b", "c", "d"), Receiver("e", "f", "g", None), 1, 0, "USD", None
    )
    changed = replace(payload, **change)
    assert hash_of(changed.document()) != hash_of(payload.document())


REPEATS = Repeats(Recurrence(Frequency.MONTHLY, date(2027, 1, 31)), count=3).document()


@pytest.mark.parametrize(
    "document",
    [
        *("later", None, 1, [], {}, {"day": "2027-01-04"}),
        {"day": "2027-01-04", "pays_on": "2027-01-04", "more": 1},
        {"day": "20270104", "pays_on": "2027-01-04"},
        *(REPEATS | {"every": one} for one in (0, 61, True, "1", 1.0)),
        *(REPEATS | {"count": one} for one in (0, 1_001, True, "3")),
        REPEATS | {"first_day": "2027-01-32"},
        REPEATS | {"frequency": "daily"},
        REPEATS | {"frequency": "month_end", "first_day": "2027-01-30"},
    ],
)
def test_a_plan_that_was_not_frozen_is_none(document: object) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        plan_of(document)


@given(plans(), st.integers(0, 60))
def test_a_plan_names_each_payment_once_and_in_order(plan: Plan, number: int) -> None:
    assert isinstance(plan, str) or (plan.words(), plan_of(plan.document())) == (plan.words(), plan)
    if not isinstance(plan, str):
        day, following = plan.due_day(number), plan.due_day(number + 1)
        assert following is None or (day is not None and following > day)
