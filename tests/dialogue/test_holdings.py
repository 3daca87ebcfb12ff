from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_banking.banking.core import AccountKind
from llm_banking.banking.models import Payee
from llm_banking.dialogue.flow_files import SlotSpec, load_flows
from llm_banking.dialogue.holdings import Holdings, words_of
from llm_banking.kit.money import Money
from llm_banking.nlu.taxonomy import BY_NAME
from tests.support.accounts import open_account

ACCOUNTS = (
    open_account(uuid4(), AccountKind.CHECKING, "Everyday Checking", "4144", Money(1, "USD")),
    open_account(uuid4(), AccountKind.SAVINGS, "Rainy Day Savings", "7720", Money(1, "USD")),
    open_account(uuid4(), AccountKind.SAVINGS, "House Savings", "0042", Money(1, "USD")),
    open_account(uuid4(), AccountKind.CREDIT_CARD, "Blue Rewards Card", "4512", Money(1, "USD")),
)
NAMES = (("Alice Johnson", "person"), ("Bob Carter", "person"), ("Bobbie Carver", "person"))
BILLERS = (("Northgrid Electricity", "biller"), ("Bluewire Internet", "biller"))
PAYEES = tuple(
    Payee(id=uuid4(), name=name, kind=kind, status="active", created_at=datetime(2026, 1, 1, tzinfo=UTC))
    for name, kind in (*NAMES, *BILLERS)
)
HELD = Holdings(ACCOUNTS, PAYEES)
FLOW = load_flows(frozenset(BY_NAME)).by_name["transfer"]
WHERE, SOURCE = FLOW.slots["destination"], FLOW.slots["source"]


@pytest.mark.parametrize(
    ("text", "spec", "labels", "sure"),
    [
        ("Alice Johnson", WHERE, ["Alice Johnson"], True),
        ("to alice  JOHNSON please", WHERE, ["Alice Johnson"], True),
        ("Alice", WHERE, ["Alice Johnson"], False),
        ("Alise Jonson", WHERE, ["Alice Johnson"], False),
        ("bob", WHERE, ["Bob Carter", "Bobbie Carver"], False),
        ("Mallory", WHERE, [], False),
        ("electricity bill", WHERE, ["Northgrid Electricity"], False),
        ("the blue card", WHERE, ["Blue Rewards Card ending in 4512"], True),
        ("the blue card", SOURCE, [], False),
        ("my credit card", WHERE, ["Blue Rewards Card ending in 4512"], True),
        ("checking", SOURCE, ["Everyday Checking ending in 4144"], True),
        ("savings", SOURCE, ["Rainy Day Savings ending in 7720", "House Savings ending in 0042"], False),
        ("rainy day", SOURCE, ["Rainy Day Savings ending in 7720"], True),
        ("the one ending in 0042", SOURCE, ["House Savings ending in 0042"], True),
        ("ending 9999", SOURCE, [], False),
        ("my savings ending 4144", SOURCE, ["Everyday Checking ending in 4144"], True),
        ("", WHERE, [], False),
        ("the my to", WHERE, [], False),
    ],
)
def test_words_mean_what_the_customer_has(text: str, spec: SlotSpec, labels: list[str], sure: bool) -> None:
    found = HELD.match(text, spec)
    assert ([one.label for one in found.choices], found.sure) == (labels, sure)


def test_two_payees_of_one_name_are_asked_about() -> None:
    twins = Holdings((), (*PAYEES, Payee(id=uuid4(), name="alice johnson", kind="biller", status="active")))
    assert not twins.match("Alice Johnson", WHERE).sure
    assert len(twins.match("Alice Johnson", WHERE).choices) == 2


@given(
    st.one_of(st.text(max_size=40), st.sampled_from([name for name, _ in (*NAMES, *BILLERS)]).map(lambda one: one[:-1]))
)
def test_only_a_whole_name_decides_on_a_payee(text: str) -> None:
    found = HELD.match(text, WHERE)
    if found.sure and found.choices[0].kind != "own_account":
        assert set(words_of(found.choices[0].label)) <= set(words_of(text))
