"""What is frozen: one document, one hash, one text and one entry, for any names and amounts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_banking.banking.ledger import Own, totals
from llm_banking.kit.plain_text import PlainTextError, plain
from llm_banking.operations.drafts import PAYMENTS, Kind
from llm_banking.operations.payload import canonical, hash_of
from llm_banking.operations.payment import Payer, Payment, Receiver, entry_of

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
def payloads(draw: st.DrawFn) -> Payment:
    kind = draw(st.sampled_from(sorted(PAYMENTS)))
    payer = Payer(draw(UUIDS), draw(NAMES), draw(DIGITS), draw(NAMES))
    here = kind is Kind.OWN_TRANSFER or (kind is Kind.PAYEE_TRANSFER and draw(st.booleans()))
    payee = None if kind is Kind.OWN_TRANSFER else draw(UUIDS)
    account = draw(UUIDS.filter(lambda one: one != payer.account_id)) if here else None
    receiver = Receiver(draw(NAMES), draw(DIGITS), account, payee)
    amount, fee = draw(st.integers(1, 10**9)), draw(st.sampled_from([0, 0, 150]))
    note = draw(st.none() | NAMES) if kind is Kind.PAYEE_TRANSFER else None
    return Payment(draw(UUIDS), draw(UUIDS), kind, payer, receiver, amount, fee, "USD", note)


@given(payloads())
def test_the_document_reads_back_whatever_stored_it(payload: Payment) -> None:
    stored = json.loads(canonical(payload.document()))
    assert Payment.of(stored) == payload
    assert hash_of(dict(reversed(list(stored.items())))) == hash_of(payload.document())


@given(payloads())
def test_the_text_and_the_entry_say_the_same(payload: Payment) -> None:
    said, entry = payload.summary(), entry_of(payload, NOW)
    for part in (payload.amount.display(), payload.payer.account_name, payload.payer.last4, payload.receiver.name):
        assert part in said
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
    {"when": "x"},
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
