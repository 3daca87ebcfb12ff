"""Payees: whom a customer may add, what is checked, and what is stored of an account elsewhere."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from llm_banking.banking import payees as module
from llm_banking.banking.errors import PayeeExistsError, PayeeNotFoundError, PayeeRefusedError, TooManyPayeesError
from llm_banking.banking.models import Payee
from llm_banking.banking.payees import PayeeAccount, PayeeKind, is_iban, payees_of
from llm_banking.identity.secret_box import Place, SealedSecretError, SecretBox
from llm_banking.kit.database import Database, DatabaseFaultError, Scope
from llm_banking.kit.plain_text import PlainTextError, plain
from tests.identity.people import MASTER_KEYS
from tests.operations.world import Customer, World

IBAN = "GB82 WEST 1234 5698 7654 32"
"""The example of ISO 13616's registry for the United Kingdom."""


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.fixture
async def ana(world: World) -> Customer:
    return await world.customer("Ana")


@pytest.fixture
async def ben(world: World) -> Customer:
    return await world.customer("Ben  Carter", "0.00")


async def add(
    customer: Customer, name: str, *, reference: UUID | None = None, number: str | None = None, biller: bool = False
) -> Payee:
    kind = PayeeKind.BILLER if biller else PayeeKind.PERSON
    async with customer.transaction() as session:
        return await customer.world.payees.add(
            session, customer.id, kind=kind, name=name, account=PayeeAccount(reference, number)
        )


async def listed(customer: Customer) -> list[str]:
    async with customer.transaction() as session:
        return [one.name for one in await payees_of(session, customer.id)]


@pytest.mark.parametrize("name", ["Ben Carter", "ben carter", "BEN   CARTER "])
async def test_a_customer_is_added_by_reference_and_name(ana: Customer, ben: Customer, name: str) -> None:
    row = await add(ana, name, reference=ben.checking)
    assert (row.account_id, row.account_last4, row.currency) == (
        ben.checking,
        f"{ben.checking.int % 10_000:04d}",
        "USD",
    )
    assert (row.account_encrypted, row.first_paid_at) == (None, None)


async def test_a_wrong_name_and_a_wrong_account_are_not_told_apart(ana: Customer, ben: Customer) -> None:
    said = set()
    for name, reference in (("Ben Karter", ben.checking), ("Ben Carter", uuid4()), ("Ben Carter", ben.card)):
        with pytest.raises(PayeeRefusedError) as refused:
            await add(ana, name, reference=reference)
        said.add(refused.value.message)
    assert len(said) == 1
    with pytest.raises(PayeeRefusedError, match="Your own"):
        await add(ana, "Ana", reference=ana.savings)
    with pytest.raises(PayeeRefusedError):
        await add(ana, "Ben Carter", reference=ben.checking, biller=True)


async def test_the_name_check_leaves_the_transaction_as_blind_as_it_was(ana: Customer, ben: Customer) -> None:
    async with ana.transaction() as session:
        for name, found in (("Ben Carter", 1), ("nobody", 0)):
            rows = await session.execute(text("SELECT * FROM payee_account(:id, :n)"), {"id": ben.checking, "n": name})
            assert len(rows.all()) == found
            assert await session.scalar(text("SELECT current_setting('app.scopes')")) == "{}"
            assert set(await session.scalars(text("SELECT user_id FROM accounts"))) == {ana.id}


async def test_an_account_elsewhere_is_sealed_in_its_place(ana: Customer) -> None:
    row = await add(ana, "Erika", number=IBAN)
    assert row.account_last4 == "5432"
    assert row.account_encrypted is not None
    assert b"WEST" not in row.account_encrypted
    box = SecretBox(MASTER_KEYS)
    place = Place("payees", "account_encrypted", row.id)
    assert box.open(row.account_encrypted, place) == b"GB82WEST12345698765432"
    with pytest.raises(SealedSecretError):
        box.open(row.account_encrypted, Place("payees", "account_encrypted", uuid4()))
    assert IBAN not in repr(PayeeAccount(external=IBAN))


@pytest.mark.parametrize(
    "number", ["", "1234", "GB83 WEST 1234 5698 7654 32", "12 34 5", "123456\n", "1" * 35, "12_3456"]
)
async def test_what_is_no_account_number_is_refused(ana: Customer, number: str) -> None:
    with pytest.raises(PayeeRefusedError):
        await add(ana, "Erika", number=number)


@given(st.integers(0, 10**18))
def test_an_iban_holds_with_its_own_check_digits_alone(account: int) -> None:
    body = f"{account:018d}"
    held = [digits for digits in range(2, 99) if is_iban(f"DE{digits:02d}{body}")]
    assert len(held) == 1


async def test_a_name_is_used_once_until_it_is_removed(ana: Customer) -> None:
    first = await add(ana, "Erika", number="123456")
    with pytest.raises(PayeeExistsError):
        await add(ana, "ERIKA", number="654321")
    async with ana.transaction() as session:
        await ana.world.payees.remove(session, ana.id, first.id)
    with pytest.raises(PayeeNotFoundError):
        async with ana.transaction() as session:
            await ana.world.payees.remove(session, ana.id, first.id)
    await add(ana, "Erika", number="654321")
    assert await listed(ana) == ["Erika"]


async def test_the_same_name_twice_at_once_is_added_once(ana: Customer) -> None:
    done = await asyncio.gather(*(add(ana, "Erika", number="123456") for _ in range(4)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Payee", *["PayeeExistsError"] * 3]


async def test_there_is_an_end_to_payees(ana: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PAYEES", 2)
    for name in ("b", "a"):
        await add(ana, name, number="123456")
    with pytest.raises(TooManyPayeesError):
        await add(ana, "c", number="123456")
    assert await listed(ana) == ["a", "b"]


async def test_nobody_removes_somebody_elses(ana: Customer, ben: Customer) -> None:
    row = await add(ana, "Erika", number="123456")
    async with ana.transaction() as session:  # the wall would not stop this one; the filter does
        with pytest.raises(PayeeNotFoundError):
            await ana.world.payees.remove(session, ben.id, row.id)
    assert await listed(ana) == ["Erika"]


@pytest.mark.parametrize("name", ["", "  ", "a\u202eb", "a\nb", "a\u2028b", "x" * 61, "\x1b[31m", "\ud800"])
async def test_a_name_cannot_mislead(ana: Customer, name: str) -> None:
    with pytest.raises(PlainTextError):
        await add(ana, name, number="123456")


@given(st.text(max_size=80))
def test_a_plain_text_stays_as_it_is(written: str) -> None:
    try:
        found = plain(written, most_chars=60)
    except PlainTextError:
        return
    assert plain(found, most_chars=60) == found
    assert 0 < len(found) <= 60
    assert "  " not in found


async def test_the_database_wants_an_account_for_each_person(ana: Customer) -> None:
    row = await add(ana, "Erika", number="123456")
    copy = (
        "INSERT INTO payees (id, user_id, kind, name, account_last4, status, created_at)"
        " SELECT gen_random_uuid(), user_id, kind, 'x', account_last4, status, created_at FROM payees WHERE id = :id"
    )
    with pytest.raises(DatabaseFaultError, match="ck_payees_account"):
        async with ana.transaction() as session:
            await session.execute(text(copy), {"id": row.id})


async def test_the_demo_customers_have_each_other_and_a_biller(database: Database) -> None:
    async with database.transaction(scope=Scope.SYSTEM) as session:
        found = await session.execute(
            text(
                "SELECT customer_number, array_agg(payees.name::text ORDER BY payees.name), count(account_id)"
                " FROM payees JOIN users ON users.id = user_id WHERE customer_number LIKE 'CUST00_'"
                " GROUP BY 1 ORDER BY 1"
            )
        )
        rows = [tuple(row) for row in found]
    biller = "Northgrid Electricity"
    assert rows == [
        ("CUST001", ["Ben Carter", "Chen Wei", biller], 2),
        ("CUST002", ["Ana Morales", "Chen Wei", biller], 2),
        ("CUST003", ["Ana Morales", "Ben Carter", biller], 2),
    ]
