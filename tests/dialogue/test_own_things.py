"""Which card or charge words mean, and that others than there are do not count."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_banking.banking.cards import CardDetails, CardStatus
from llm_banking.banking.core import Charge
from llm_banking.dialogue.own_cards import cards_meant, names_a_card
from llm_banking.dialogue.own_charges import charge_choice, charges_meant
from llm_banking.kit.money import Money

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
ACCOUNT = uuid4()


def card(
    kind: str, name: str, last4: str, status: CardStatus = CardStatus.ACTIVE, replaced: bool = False
) -> CardDetails:
    return CardDetails(uuid4(), ACCOUNT, kind, name, last4, date(2030, 1, 31), status, "USD", None, replaced)


CARDS = [
    card("debit", "Green Visa", "1881"),
    card("credit", "Blue Rewards Card", "4512"),
    card("debit", "Old Visa", "7777", CardStatus.BLOCKED, replaced=True),
    card("debit", "Travel Card", "2468", CardStatus.FROZEN),
]
USABLE = (CardStatus.ACTIVE, CardStatus.BLOCKED)


@pytest.mark.parametrize(
    ("text", "last4"),
    [
        ("freeze my blue card", ["4512"]),
        ("the Blue one", ["4512"]),
        ("freeze the card ending in 1881", ["1881"]),
        ("my debit card", ["1881"]),
        ("the rewards credit card", ["4512"]),
        ("freeze my card", []),
        ("the travel card", []),
        ("card 7777", []),
        ("card 9999", []),
        ("pay 1881.00 with it", []),
    ],
)
def test_a_card_is_told_by_digits_kind_or_name(text: str, last4: list[str]) -> None:
    assert [one.number_last4 for one in cards_meant(text, CARDS, USABLE)] == last4


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("freeze my red card", True),
        ("my wife's card", True),
        ("the card ending in 9999", True),
        ("freeze my card", False),
        ("I lost my new bank card", False),
        ("my old card is broken", False),
    ],
)
def test_a_card_that_is_described_is_not_taken_for_any_other(text: str, named: bool) -> None:
    assert names_a_card(text) is named


def charge(shop: str, minor: int, days: int) -> Charge:
    return Charge(uuid4(), ACCOUNT, shop, Money(-minor, "USD"), NOON - timedelta(days=days))


COFFEE, AGAIN, NOODLES, BIG = (
    *(charge("Corner Coffee", 450, 3), charge("Corner Coffee", 450, 2)),
    *(charge("Noodle House", 4210, 5), charge("Noodle House", 123_450, 9)),
)
CHARGES = [COFFEE, AGAIN, NOODLES, BIG]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I was charged twice", [AGAIN]),
        ("charged twice at corner coffee", [AGAIN]),
        ("charged twice at Noodle House", [NOODLES, BIG]),
        ("the coffee", [AGAIN, COFFEE]),
        ("42.10 at Noodle House", [NOODLES]),
        ("Noodle House 1,234.50", [BIG]),
        ("1234.50", [BIG]),
        ("4.50", [AGAIN, COFFEE]),
        ("dispute a charge at the shop", []),
        ("Galaxy Cinema 99.00", []),
    ],
)
def test_a_charge_is_told_by_shop_amount_or_by_having_come_twice(text: str, found: list[Charge]) -> None:
    assert list(charges_meant(text, CHARGES)) == found


@given(st.text(max_size=200))
def test_whatever_is_written_only_own_things_are_meant(text: str) -> None:
    assert set(cards_meant(text, CARDS, USABLE)) <= {CARDS[0], CARDS[1]}
    assert set(charges_meant(text, CHARGES)) <= set(CHARGES)
    names_a_card(text)


def test_a_charge_reads_as_its_owner_knows_it() -> None:
    assert charge_choice(NOODLES).label == "$42.10 by Noodle House on 29 April"
    assert UUID(charge_choice(NOODLES).value) == NOODLES.id
