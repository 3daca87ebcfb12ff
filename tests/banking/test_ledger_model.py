"""The ledger against its model, and twenty faults that this must find."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib import resources

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as property_settings
from hypothesis import strategies as st
from sqlalchemy import text

from llm_banking.kit.database import Database, DatabaseFaultError
from llm_banking.proof.ledger import LedgerDiffersError, Round, run_rounds
from tests.conftest import ServiceUrls
from tests.support.own_database import own_database

SQL = resources.files("llm_banking.migrations").joinpath("ledger_0004.sql").read_text("utf-8")
FREES = "UPDATE accounts SET held_minor = held_minor - hold.amount_minor WHERE id = hold.account_id"
FAULTS = {
    "an overdraft of one": (
        "+ freed + p_amounts[leg] < account.floor_minor",
        "+ freed + p_amounts[leg] + 1 < account.floor_minor",
    ),
    "an overdraft where the comparison is turned": (
        "+ p_amounts[leg] < account.floor_minor",
        "+ p_amounts[leg] > account.floor_minor",
    ),
    "held money is spent": ("account.balance_minor - account.held_minor + freed", "account.balance_minor + freed"),
    "a hold frees money twice": ("+ freed + p_amounts[leg]", "+ 2 * freed + p_amounts[leg]"),
    "a hold frees money of any account": ("WHEN hold.account_id = account.id THEN", "WHEN hold.id IS NOT NULL THEN"),
    "held money is held twice": (
        "- account.held_minor - p_amount < account.floor_minor",
        "- p_amount < account.floor_minor",
    ),
    "a used hold stays": ("UPDATE holds SET status = 'captured', entry_id = p_id WHERE id = p_hold;", ""),
    "what a used hold held stays held": (
        f"{FREES};\n    END IF;\n    RETURN 'posted'",
        "END IF;\n    RETURN 'posted'",
    ),
    "an expired hold is used": ("OR hold.expires_at <= now() OR", "OR"),
    "a used hold is used again": ("OR hold.status <> 'active' OR", "OR"),
    "a hold of another account is used": (
        "WHERE account_id = hold.account_id AND amount_minor < 0",
        "WHERE amount_minor < 0",
    ),
    "another body under the same id": (
        "WHEN earlier = p_body_hash THEN 'already_posted' ELSE 'id_reused'",
        "WHEN true THEN 'already_posted' ELSE 'id_reused'",
    ),
    "another hold under the same id": ("(earlier.account_id, earlier.amount_minor) = (p_account, p_amount)", "true"),
    "somebody else's account is debited": (
        "IF p_amounts[leg] < 0 AND NOT ledger_may_debit(account.user_id)",
        "IF false",
    ),
    "somebody else's money is held": (
        "IF NOT FOUND OR NOT ledger_may_debit(account.user_id) THEN\n        RETURN 'unknown_account'",
        "IF NOT FOUND THEN\n        RETURN 'unknown_account'",
    ),
    "somebody else's hold is released": ("IF NOT FOUND OR NOT ledger_may_debit(owner)", "IF NOT FOUND"),
    "another currency": ("IF account.currency <> p_currencies[leg]", "IF false"),
    "a balance that stays": (
        "UPDATE accounts SET balance_minor = balance_after",
        "UPDATE accounts SET balance_minor = balance_minor",
    ),
    "a leg that is dropped": ("balance_after, number);", "balance_after, number)\n    WHERE number < 3;"),
    "a reversal of what was reversed": ("AND NOT EXISTS (SELECT FROM ledger_entries WHERE reverses_id = p_entry)", ""),
    "a reversal of a reversal": ("WHERE id = p_entry AND reverses_id IS NULL)", "WHERE id = p_entry)"),
    "a reversal of other amounts": ("AND NOT ledger_reverses(p_reverses, p_accounts, p_amounts)", "AND false"),
    "a release that frees nothing": (
        f"{FREES};\n    RETURN 'released'",
        "RETURN 'released'",
    ),
    "a release twice": (
        "UPDATE holds SET status = 'released' WHERE id = p_id AND status = 'active';",
        "UPDATE holds SET status = 'released' WHERE id = p_id AND status <> 'captured';",
    ),
}
"""Fault: what is written, and what is planted instead."""


@pytest.fixture(scope="module")
async def own(service_urls: ServiceUrls) -> AsyncIterator[tuple[Database, Database]]:
    """A database of these tests alone: as the application, and as the tables' owner."""
    async with own_database(service_urls, "ledger_alone") as urls:
        application, owner = (Database(url, max_pool_size=1) for url in (urls.database, urls.database_owner))
        yield application, owner
        await application.close()
        await owner.close()


async def replace_functions(owner: Database, sql: str) -> None:
    async with owner.engine.begin() as connection:
        for statement in sql.split("\n\n"):
            if "CREATE FUNCTION" in statement:
                await connection.execute(text(statement.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")))


async def test_the_ledger_answers_and_ends_as_its_model(own: tuple[Database, Database]) -> None:
    found = await run_rounds(*own, operations=2_000, seed=3)
    assert found["operations"] == 2_000
    assert {"posted", "held", "released", "insufficient_funds", "id_reused", "unknown_hold"} <= set(found["answers"])


@pytest.mark.slow
@pytest.mark.parametrize("fault", list(FAULTS))
async def test_each_planted_fault_is_found(own: tuple[Database, Database], fault: str) -> None:
    written, planted = FAULTS[fault]
    assert SQL.count(written) == 1, "the fault is planted where nothing stands"
    await replace_functions(own[1], SQL.replace(written, planted))
    try:
        with pytest.raises((LedgerDiffersError, DatabaseFaultError)):
            await run_rounds(*own, operations=5_000, seed=5)
    finally:
        await replace_functions(own[1], SQL)
        async with own[1].engine.begin() as connection:
            await connection.execute(text("SET LOCAL session_replication_role = replica"))
            await connection.execute(text("TRUNCATE holds, postings, ledger_entries, accounts, users CASCADE"))


@given(seed=st.integers(0, 2**32), count=st.integers(1, 40))
@property_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_beginning_is_answered_as_the_model_answers(
    own: tuple[Database, Database], seed: int, count: int
) -> None:
    async with own[0].transaction(visible_to=[]) as session:
        found = await Round.begin(session, seed)
        for _ in range(count):
            await found.step(session)
        await found.check(session)
        await session.rollback()
