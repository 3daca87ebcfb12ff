"""What may be done with a card in each status, and whose it is."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.cards import (
    CardAction,
    CardStatus,
    after,
    card_of,
    change_card,
    limit_card,
    list_cards,
    replace_card,
)
from llm_banking.banking.demo import seed_cards
from llm_banking.banking.errors import CardNotFoundError, CardStatusError
from llm_banking.banking.ledger_models import Account, Card
from llm_banking.identity.demo import CUSTOMERS
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, limit_sight
from llm_banking.kit.money import Money
from tests.banking.people import a_customer

NOW = utc_now()
INACTIVE, ACTIVE, FROZEN, BLOCKED = CardStatus
ALLOWED = {
    (INACTIVE, CardAction.ACTIVATE): ACTIVE,
    (ACTIVE, CardAction.ACTIVATE): ACTIVE,
    (ACTIVE, CardAction.FREEZE): FROZEN,
    (FROZEN, CardAction.FREEZE): FROZEN,
    (FROZEN, CardAction.UNFREEZE): ACTIVE,
    (ACTIVE, CardAction.UNFREEZE): ACTIVE,
    (INACTIVE, CardAction.BLOCK): BLOCKED,
    (ACTIVE, CardAction.BLOCK): BLOCKED,
    (FROZEN, CardAction.BLOCK): BLOCKED,
    (BLOCKED, CardAction.BLOCK): BLOCKED,
}


@pytest.mark.parametrize("action", CardAction)
@pytest.mark.parametrize("status", CardStatus)
def test_every_action_in_every_status(status: CardStatus, action: CardAction) -> None:
    if (status, action) in ALLOWED:
        assert after(status, action) is ALLOWED[status, action]
        return
    with pytest.raises(CardStatusError, match=status.value):
        after(status, action)


async def test_freezing_again_changes_nothing(session: AsyncSession) -> None:
    customer = await a_customer(session)
    (card,) = await list_cards(session, customer.id)
    assert (card.id, card.status) == (customer.card_id, ACTIVE)
    later = NOW + timedelta(seconds=1)
    for action, when, status, changed_at in (
        (CardAction.FREEZE, NOW, FROZEN, NOW),
        (CardAction.FREEZE, later, FROZEN, NOW),
        (CardAction.UNFREEZE, later, ACTIVE, later),
    ):
        await change_card(session, customer.id, card.id, action, when)
        assert (await card_of(session, customer.id, card.id)).status is status
        assert await session.scalar(select(Card.status_changed_at).where(Card.id == card.id)) == changed_at


async def test_a_card_is_replaced_once_by_one_that_keeps_its_limit(session: AsyncSession) -> None:
    customer = await a_customer(session)
    await limit_card(session, customer.id, customer.card_id, Money(5_000, "USD"))
    new_id = await replace_card(session, customer.id, customer.card_id, utc_now())
    old, new = await list_cards(session, customer.id)
    assert (old.status, old.replaced, new.id, new.status, new.replaced) == (BLOCKED, True, new_id, INACTIVE, False)
    same = ("account_id", "kind", "name", "currency", "daily_limit")
    assert [getattr(new, name) for name in same] == [getattr(old, name) for name in same]
    with pytest.raises(IntegrityError, match="uq_cards_replaces_id"):
        await replace_card(session, customer.id, customer.card_id, NOW)


async def test_a_foreign_card_is_not_found_and_stays_as_it_is(session: AsyncSession) -> None:
    theirs, ours = await a_customer(session), await a_customer(session)
    await limit_sight(await session.connection(), visible_to=[ours.id, theirs.id])  # so that the filter alone stands
    for card_id in (theirs.card_id, uuid4()):
        with pytest.raises(CardNotFoundError):
            await change_card(session, ours.id, card_id, CardAction.FREEZE, NOW)
        with pytest.raises(CardNotFoundError):
            await card_of(session, ours.id, card_id)
        with pytest.raises(CardNotFoundError):
            await limit_card(session, ours.id, card_id, Money(1, "USD"))
        with pytest.raises(CardNotFoundError):
            await replace_card(session, ours.id, card_id, NOW)
    assert (await list_cards(session, theirs.id))[0].status is ACTIVE
    assert [card.id for card in await list_cards(session, ours.id)] == [ours.card_id]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE cards SET number_last4 = '9999'",
        "UPDATE cards SET account_id = gen_random_uuid()",
        "UPDATE cards SET replaces_id = NULL",
        "DELETE FROM cards",
    ],
)
async def test_the_application_changes_nothing_else_of_a_card(session: AsyncSession, statement: str) -> None:
    await a_customer(session)
    with pytest.raises(DBAPIError, match="permission denied"):
        await session.execute(text(statement))


async def test_each_demo_customer_has_a_card_of_both_kinds_once(database: Database) -> None:
    owners = [one.user_id for one in CUSTOMERS]
    query = (
        select(Account.user_id, Card.kind, func.count())
        .join(Account, Account.id == Card.account_id)
        .group_by(Account.user_id, Card.kind)
    )
    async with database.transaction(visible_to=owners) as session:
        assert await seed_cards(session, owners, date(2026, 11, 1)) == 0
        found = {(owner, kind): count for owner, kind, count in await session.execute(query)}
    assert found == {(owner, kind): 1 for owner in owners for kind in ("debit", "credit")}
