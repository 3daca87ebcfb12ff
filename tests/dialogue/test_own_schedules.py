"""Which planned payment is meant: all that is said is true of it, and what is said of another one finds none."""

from __future__ import annotations

from datetime import date
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_banking.dialogue.own_schedules import (
    MOST_TOLD,
    PlannedPayment,
    names_a_schedule,
    schedule_choice,
    schedules_meant,
    told_of,
)
from llm_banking.operations.drafts import Kind
from llm_banking.operations.payment import Payer, Payment, Receiver
from llm_banking.operations.when import Once


def planned(number: int, name: str, amount_minor: int, day: date) -> PlannedPayment:
    payment = Payment(
        id=str(UUID(int=number)),
        user_id=str(uuid4()),
        kind=Kind.PAYEE_TRANSFER,
        payer=Payer(str(uuid4()), "Everyday Checking", "4144", "Zoe Quill"),
        receiver=Receiver(name, "1234", None, str(uuid4())),
        amount_minor=amount_minor,
        fee_minor=0,
        currency="USD",
        note=None,
        when=Once(day, day),
    )
    return PlannedPayment(UUID(int=number), payment, day)


ALICE = planned(1, "Alice Johnson", 5000, date(2027, 2, 1))
ALICE_LATER = planned(2, "Alice Johnson", 7500, date(2027, 3, 5))
NORTHGRID = planned(3, "Northgrid Electricity", 4000, date(2027, 1, 20))
ALL = (NORTHGRID, ALICE, ALICE_LATER)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("cancel the planned payment to Northgrid", (NORTHGRID,)),
        ("cancel my standing order to alice", (ALICE, ALICE_LATER)),
        ("cancel the planned $75 to Alice", (ALICE_LATER,)),
        ("cancel the planned payment of 40.00", (NORTHGRID,)),
        ("cancel the payment to Alice planned for February 1", (ALICE,)),
        ("cancel the payment planned for the 20th", (NORTHGRID,)),
        ("cancel the payment planned for 5 March 2027", (ALICE_LATER,)),
        ("cancel the payment planned for Monday", (ALICE,)),
        ("cancel the planned payment of 40 to Alice", ()),
        ("cancel my standing order to Bob", ()),
        ("cancel a planned payment", ()),
    ],
)
def test_all_that_is_said_is_true_of_it(text: str, meant: tuple[PlannedPayment, ...]) -> None:
    assert schedules_meant(text, ALL) == meant


def test_one_who_is_named_is_not_taken_for_another() -> None:
    assert names_a_schedule("cancel my standing order to Bob")
    assert names_a_schedule("cancel my planned payment of 12")
    assert not names_a_schedule("cancel my standing order")


def test_what_is_told() -> None:
    assert told_of("which payments are planned?", ()) == ("You have no planned payments and no standing orders.", ())
    text, told = told_of("when is the next payment to Northgrid", ALL)
    assert told == (NORTHGRID,)
    assert text == "This is planned:\n- $40.00 to Northgrid Electricity, next on Wednesday 20 January 2027"
    text, told = told_of("when is the next payment to Bob", ALL)
    assert text.startswith("I find no planned payment")
    assert told == ALL


def test_many_are_told_in_part() -> None:
    many = tuple(planned(number, "Alice Johnson", 100, date(2027, 1, 5)) for number in range(1, MOST_TOLD + 4))
    text, told = told_of("which payments are planned?", many)
    assert len(told) == MOST_TOLD
    assert text.endswith("and 3 more, later ones.")


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    assert set(schedules_meant(text, ALL)) <= set(ALL)
    names_a_schedule(text)


def test_a_value_is_its_id() -> None:
    assert schedule_choice(ALICE).value == str(ALICE.id)


@pytest.mark.parametrize("one", ALL)
def test_its_label_said_as_a_message_means_it(one: PlannedPayment) -> None:
    assert schedules_meant(schedule_choice(one).label, ALL) == (one,)
