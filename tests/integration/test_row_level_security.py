"""The second wall: what the repositories' filters miss, PostgreSQL does not show and does not write (ADR 0007)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from asyncpg import InsufficientPrivilegeError
from fastapi import FastAPI
from httpx import AsyncClient
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from llm_banking.dialogue import repository
from llm_banking.dialogue.errors import SessionNotFoundError
from llm_banking.dialogue.models import ChatSession
from llm_banking.identity.demo import demo_id
from llm_banking.identity.principal import Permission, Principal
from llm_banking.kit.database import Database, DatabaseFaultError, Scope
from llm_banking.kit.embedded import APPLICATION_ROLE, LOGIN_ROLE
from llm_banking.migrations.metadata import product_metadata
from llm_banking.startup import WITHOUT_OWNER, tables_without_wall
from tests.api.test_policies import letting_in
from tests.conftest import ServiceUrls
from tests.integration.two_people import LEDGER, TABLES, Person, Two, owner_column, two_people

IDENTITY_ALONE = {
    *(
        "api_keys",
        "contact_codes",
        "oidc_identities",
        "refresh_tokens",
        "step_up_challenges",
        "token_families",
        "totp_secrets",
    ),
    "webauthn_credentials",
}
APPEND_ONLY = {"chat_messages"}
FINAL = {
    **dict.fromkeys(("ledger_entries", "postings"), "what was posted is never changed"),
    "pending_operations": "what a customer was shown is never changed",
    "bank_operations": "what was done is never changed",
    "scheduled_payments": "a schedule goes forward",
    "payment_runs": "what was tried is never changed",
}
DUE = {"outbox", "pending_operations", "idempotency_keys", "scheduled_payments"}
DOORS = {
    *("ledger_post", "ledger_hold", "ledger_release", "ledger_release_expired", "ledger_internal_account"),
    *("ledger_reverses", "ledger_entry_adds_up", "ledger_leg_comes_with_its_entry"),
    *("payee_account", "operation_was_approved", "schedule_was_approved", "run_was_approved"),
}
"""They write and check the ledger, in which an entry touches more than one person's accounts; they debit and hold only
what the transaction may see. `payee_account` tells whoever knows a customer's account and name that the two belong
together; `operation_was_approved` and the two of schedules compare what was posted with what was approved.
tests/banking and tests/operations try each of their rules."""
BY_FUNCTION = {"accounts", *LEDGER}
"""Balances, entries and holds are written by the ledger's functions; of an account, only columns that hold no money."""


@pytest.fixture
async def owner(service_urls: ServiceUrls) -> AsyncIterator[AsyncConnection]:
    """A transaction of the tables' owner, rolled back."""
    found = Database(service_urls.database_owner, max_pool_size=1)
    async with found.engine.connect() as connection:
        transaction = await connection.begin()
        yield connection
        await transaction.rollback()
    await found.close()


@pytest.fixture
async def two(database: Database) -> AsyncIterator[Two]:
    async with database.engine.connect() as connection:
        transaction = await connection.begin()
        yield await two_people(connection)
        await transaction.rollback()


@pytest.fixture
async def two_with_all_grants(owner: AsyncConnection) -> Two:
    """The same with every privilege on every table for as long as the test lasts: the policies stand alone."""
    await owner.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {APPLICATION_ROLE}"))
    await owner.execute(text(f"SET LOCAL ROLE {LOGIN_ROLE}"))
    return await two_people(owner)


async def refusal(connection: AsyncConnection, statement: str, **values: Any) -> str:
    """What PostgreSQL says to a statement that it must refuse for lack of privilege."""
    with pytest.raises(DBAPIError) as refused:
        async with connection.begin_nested():
            await connection.execute(text(statement), values)
    assert isinstance(refused.value.orig, BaseException)
    assert isinstance(refused.value.orig.__cause__, InsufficientPrivilegeError), refused.value.orig
    return str(refused.value.orig.__cause__)


@pytest.mark.parametrize("table", TABLES)
async def test_another_users_rows_cannot_be_seen_changed_or_deleted(two_with_all_grants: Two, table: str) -> None:
    two, column = two_with_all_grants, owner_column(table)
    await two.see_as(two.ours)
    theirs = {"whose": two.theirs.rows()[table][column]}
    assert await two.owners(table) == {two.ours.rows()[table][column]}
    for statement in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):  # noqa: S608 - our tables
        done = await two.connection.execute(text(f"{statement} WHERE {column} = :whose"), theirs)
        assert done.rowcount == 0, statement
    await two.see_as(two.theirs)
    assert await two.owners(table) == {two.theirs.rows()[table][column]}, "the rows are there, for whom they belong to"


@pytest.mark.parametrize("table", TABLES)
async def test_a_statement_without_any_filter_stays_with_ones_own_rows(two_with_all_grants: Two, table: str) -> None:
    two, column = two_with_all_grants, owner_column(table)
    await two.connection.execute(text("RESET ROLE"))
    await two.connection.execute(text("SET LOCAL session_replication_role = replica"))  # no foreign key in the way
    await two.connection.execute(text(f"SET LOCAL ROLE {LOGIN_ROLE}"))
    await two.see_as(two.ours)
    mine, theirs = (person.rows()[table][column] for person in (two.ours, two.theirs))
    for statement in (
        f"SELECT {column} FROM {table} FOR UPDATE",  # noqa: S608 - our tables
        f"UPDATE {table} SET {column} = {column} RETURNING {column}",  # noqa: S608 - our tables
        f"DELETE FROM {table} RETURNING {column}",  # noqa: S608 - our tables
    ):
        assert set(await two.connection.scalars(text(statement))) == {mine}, statement
    await two.see_as(two.theirs)
    assert await two.owners(table) == {theirs}


@pytest.mark.parametrize("table", TABLES)
async def test_an_upsert_does_not_take_over_another_users_row(two_with_all_grants: Two, table: str) -> None:
    two, column = two_with_all_grants, owner_column(table)
    rows = product_metadata().tables[table]
    keys = [one.name for one in rows.primary_key]
    mine, theirs = (person.rows()[table][column] for person in (two.ours, two.theirs))
    of_theirs = select(*rows.primary_key).where(rows.c[column] == theirs).order_by(*rows.primary_key)
    await two.see_as(two.theirs)
    key = (await two.connection.execute(of_theirs)).first()
    assert key is not None
    await two.see_as(two.ours)
    values = {**two.ours.rows()[table], **dict(zip(keys, key, strict=True))}
    upsert = insert(rows).values(values).on_conflict_do_update(index_elements=keys, set_={column: mine})
    with pytest.raises(DBAPIError, match="row-level security policy"):
        async with two.connection.begin_nested():
            await two.connection.execute(upsert)
    await two.see_as(two.theirs)
    assert (await two.connection.execute(of_theirs)).first() == key


@pytest.mark.parametrize("table", TABLES)
async def test_nothing_can_be_written_for_or_given_to_another_user(two_with_all_grants: Two, table: str) -> None:
    two, column = two_with_all_grants, owner_column(table)
    await two.see_as(two.ours)
    mine, theirs = (person.rows()[table][column] for person in (two.ours, two.theirs))
    give = f"UPDATE {table} SET {column} = :theirs WHERE {column} = :mine"  # noqa: S608 - our tables
    given = await refusal(two.connection, give, mine=mine, theirs=theirs)
    assert FINAL.get(table, "row-level security policy") in given
    with pytest.raises(DBAPIError, match="row-level security policy"):
        async with two.connection.begin_nested():
            await two.add(table, Person.new() if table == "users" else two.theirs)


@pytest.mark.parametrize("table", TABLES)
async def test_a_transaction_that_says_nothing_sees_and_writes_nothing(two_with_all_grants: Two, table: str) -> None:
    two = two_with_all_grants
    await two.see_as()
    assert await two.owners(table) == set()
    with pytest.raises(DBAPIError, match="row-level security policy"):
        async with two.connection.begin_nested():
            await two.add(table, two.ours)


@pytest.mark.parametrize("scope", Scope)
async def test_a_scope_opens_what_its_name_says_and_no_more(two: Two, scope: Scope) -> None:
    await two.see_as(scopes=[scope])
    opened = {table for table in TABLES if len(await two.owners(table)) == 2}
    closed = {table for table in TABLES if not await two.owners(table)}
    expected = {
        Scope.IDENTITY: {"users", *IDENTITY_ALONE},
        Scope.SYSTEM: {*TABLES} - IDENTITY_ALONE,
        Scope.WORKER: DUE,
        Scope.AGENT: set(),
    }
    assert opened == expected[scope]
    assert opened | closed == {*TABLES}


@pytest.mark.parametrize(
    ("statement", "touched"),
    [
        ("UPDATE pending_operations SET status = 'voided'", None),
        ("UPDATE pending_operations SET status = 'consumed', consumed_at = created_at", None),
        ("UPDATE pending_operations SET status = 'expired'", 2),
        ("UPDATE scheduled_payments SET attempts = 1", 0),
        ("UPDATE idempotency_keys SET status = 200", None),
        ("DELETE FROM idempotency_keys", 2),
    ],
)
async def test_the_worker_ends_what_is_over_and_changes_nothing_else(
    two: Two, statement: str, touched: int | None
) -> None:
    await two.see_as(scopes=[Scope.WORKER])
    users = {"ours": two.ours.id, "theirs": two.theirs.id}
    for_these = text(f"{statement} WHERE user_id IN (:ours, :theirs)")
    if touched is None:
        with pytest.raises(DBAPIError, match="row-level security policy"):
            await two.connection.execute(for_these, users)
    else:
        done = await two.connection.execute(for_these, users)
        assert done.rowcount == touched


async def test_the_tables_that_are_tried_are_all_that_hold_a_users_rows() -> None:
    assert {*TABLES} == {*product_metadata().tables} - {*WITHOUT_OWNER} - {"revocations"}


async def tables_that_lead_to_a_user(connection: AsyncConnection) -> set[str]:
    """Tables with a column `user_id`, and those from which foreign keys lead to users in any number of steps."""
    found = await connection.scalars(
        text(
            """
            WITH RECURSIVE leads AS (
                SELECT 'users'::regclass::oid AS id
                UNION
                SELECT conrelid FROM pg_constraint JOIN leads ON confrelid = leads.id WHERE contype = 'f'
            )
            SELECT relname FROM pg_class AS one
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND (
                oid IN (SELECT id FROM leads)
                OR EXISTS (SELECT FROM pg_attribute WHERE attrelid = one.oid AND attname = 'user_id')
            )
            """
        )
    )
    return set(found)


async def test_every_table_has_its_wall_or_is_named_with_a_reason(owner: AsyncConnection) -> None:
    assert await tables_without_wall(owner) == []
    assert await tables_that_lead_to_a_user(owner) == {*TABLES} - {"ledger_entries"}  # postings lead from it
    assert all(WITHOUT_OWNER.values())


@pytest.mark.parametrize(
    ("fault", "table"),
    [
        ("ALTER TABLE postings DISABLE ROW LEVEL SECURITY", "postings"),
        ("ALTER TABLE users NO FORCE ROW LEVEL SECURITY", "users"),
        ("DROP POLICY rows_of_a_user ON api_keys", "api_keys"),
        ("CREATE TABLE planted (id uuid PRIMARY KEY, payee_of uuid REFERENCES accounts (id))", "planted"),
        ("CREATE TABLE planted (user_id uuid)", "planted"),
        ("CREATE TABLE planted (anything text)", "planted"),
    ],
)
async def test_the_check_sees_a_wall_that_is_missing(owner: AsyncConnection, fault: str, table: str) -> None:
    await owner.execute(text(fault))
    assert await tables_without_wall(owner) == [table]
    assert (table in await tables_that_lead_to_a_user(owner)) == ("anything" not in fault)


async def doors(connection: AsyncConnection) -> set[str]:
    """What would show or change rows past the policies: copies, and views and functions with their owner's rights."""
    return set(
        await connection.scalars(
            text(
                """
                SELECT relname::text FROM pg_class
                WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm', 'f')
                    AND NOT coalesce(reloptions @> '{security_invoker=true}', false)
                UNION
                SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef
                """
            )
        )
    )


async def test_there_is_no_door_in_the_wall(owner: AsyncConnection) -> None:
    assert await doors(owner) == DOORS
    walled = await owner.scalars(text("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity"))
    assert set(walled) == {*TABLES, "revocations"}


@pytest.mark.parametrize(
    "fault",
    [
        "CREATE VIEW planted AS SELECT * FROM accounts",
        "CREATE MATERIALIZED VIEW planted AS SELECT * FROM accounts",
        "CREATE FUNCTION planted() RETURNS bigint LANGUAGE sql SECURITY DEFINER RETURN (SELECT count(*) FROM accounts)",
    ],
)
async def test_the_check_sees_a_door(owner: AsyncConnection, fault: str) -> None:
    await owner.execute(text(fault))
    assert await doors(owner) == {"planted"} | DOORS


async def test_without_its_policy_a_table_shows_everybodys_rows(two_with_all_grants: Two) -> None:
    two = two_with_all_grants
    await two.connection.execute(text("RESET ROLE"))
    await two.connection.execute(text("ALTER TABLE accounts DISABLE ROW LEVEL SECURITY"))
    await two.connection.execute(text(f"SET LOCAL ROLE {LOGIN_ROLE}"))
    await two.see_as(two.ours)
    assert await two.owners("accounts") == {two.ours.id, two.theirs.id}


async def test_revocations_cannot_be_taken_back_before_they_expire(two: Two) -> None:
    add = "INSERT INTO revocations (kind, subject_id, revoked_at, expires_at) VALUES ('family', :id, now(), {})"
    for expires in ("now() + interval '1 hour'", "now() - interval '1 hour'"):
        await two.connection.execute(text(add.format(expires)), {"id": two.ours.family_id})
    one = {"id": two.ours.family_id}
    done = await two.connection.execute(text("DELETE FROM revocations WHERE subject_id = :id"), one)
    assert done.rowcount == 1
    left = await two.connection.scalar(text("SELECT expires_at > now() FROM revocations WHERE subject_id = :id"), one)
    assert left is True
    assert "permission denied" in await refusal(two.connection, "UPDATE revocations SET expires_at = now()")


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE accounts",
        "ALTER TABLE accounts ADD COLUMN more text",
        "ALTER TABLE accounts DISABLE ROW LEVEL SECURITY",
        "DROP POLICY rows_of_a_user ON accounts",
        "CREATE POLICY all_of_it ON accounts USING (true)",
        "CREATE OR REPLACE FUNCTION has_scope(wanted text) RETURNS boolean LANGUAGE sql RETURN true",
        "TRUNCATE revocations",
        "CREATE TABLE planted (id uuid)",
        "CREATE TRIGGER planted BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger()",
        "UPDATE alembic_version SET version_num = '0001'",
        "UPDATE postings SET amount_minor = 1000000",
        "UPDATE pending_operations SET payload = '{}'",
        "UPDATE pending_operations SET summary = ''",
        "UPDATE pending_operations SET expires_at = now() + interval '1 day'",
        "UPDATE pending_operations SET status = 'pending', consumed_at = NULL WHERE status = 'consumed'",
        "DELETE FROM pending_operations",
        "UPDATE bank_operations SET amount_minor = 1",
        "DELETE FROM bank_operations",
        "UPDATE payees SET account_id = NULL",
        "UPDATE payees SET created_at = created_at",
        "UPDATE outbox SET payload = '{}'",
        "UPDATE outbox SET position = DEFAULT",
        "DELETE FROM outbox",
        "UPDATE scheduled_payments SET created_at = now()",
        "DELETE FROM scheduled_payments",
        "UPDATE payment_runs SET status = 'executed'",
        "DELETE FROM payment_runs",
        "UPDATE idempotency_keys SET body_hash = body_hash",
        "DELETE FROM chat_messages",
        "UPDATE chat_sessions SET user_id = user_id",
        "DELETE FROM users",
        "UPDATE oidc_identities SET user_id = user_id",
        "UPDATE oidc_attempts SET browser_hash = browser_hash",
        "SELECT * FROM pg_authid",
        "COPY users TO PROGRAM 'true'",
        "SELECT pg_read_file('postgresql.conf')",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        f"ALTER ROLE {LOGIN_ROLE} BYPASSRLS",
        "SET LOCAL row_security = off; SELECT * FROM accounts",
    ],
)
async def test_the_applications_role_may_not(two: Two, statement: str) -> None:
    for part in statement.split("; ")[:-1]:
        await two.connection.execute(text(part))
    await refusal(two.connection, statement.rpartition("; ")[2])


async def test_no_privilege_is_more_than_rows_need(owner: AsyncConnection) -> None:
    found = await owner.execute(
        text(
            """
            SELECT relname, coalesce(grantee::regrole::text, ''), privilege_type
            FROM pg_class, aclexplode(relacl)
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND grantee <> relowner
            """
        )
    )
    granted: dict[str, set[str]] = {}
    for table, grantee, privilege in found:
        assert grantee == APPLICATION_ROLE, table
        granted.setdefault(table, set()).add(privilege)
    assert granted.pop("alembic_version") == {"SELECT"}
    for table, privileges in granted.items():
        if table in BY_FUNCTION:
            assert privileges == {"SELECT"}, table
            continue
        assert {"SELECT", "INSERT"} <= privileges <= {"SELECT", "INSERT", "UPDATE", "DELETE"}, table
        assert table not in APPEND_ONLY or privileges == {"SELECT", "INSERT"}, table
    assert {*granted} == {*product_metadata().tables}


@pytest.fixture
async def pool_of_one(service_urls: ServiceUrls, database: Database) -> AsyncIterator[Database]:
    found = Database(service_urls.database, max_pool_size=1)
    yield found
    await found.close()


OWNERS = text("SELECT pg_backend_pid(), array(SELECT DISTINCT user_id FROM accounts)")


async def test_a_pooled_connection_carries_no_sight_to_the_next_transaction(pool_of_one: Database) -> None:
    ana, ben = demo_id("CUST001"), demo_id("CUST002")
    async with pool_of_one.transaction(visible_to=[ana]) as session:
        backend, owners = (await session.execute(OWNERS)).one()
        assert owners == [ana]
    with pytest.raises(DatabaseFaultError):  # noqa: PT012 - what is seen before the fault matters too
        async with pool_of_one.transaction(scope=Scope.SYSTEM) as session:
            assert set((await session.execute(OWNERS)).one()[1]) > {ana, ben}
            await session.execute(text("SELECT 1 / 0"))
    async with pool_of_one.engine.connect() as connection:
        assert tuple((await connection.execute(OWNERS)).one()) == (backend, []), "one connection, blind again"
    async with pool_of_one.transaction(visible_to=[ben]) as session:
        assert tuple((await session.execute(OWNERS)).one()) == (backend, [ben])
    async with pool_of_one.transaction(visible_to=[]) as session:
        assert tuple((await session.execute(OWNERS)).one()) == (backend, [])


async def test_transactions_at_once_see_each_their_own(database: Database) -> None:
    async def owners(user_id: UUID) -> list[UUID]:
        async with database.transaction(visible_to=[user_id]) as session:
            await asyncio.sleep(0)
            return (await session.execute(OWNERS)).one()[1]

    people = [demo_id(f"CUST00{1 + number % 3}") for number in range(12)]
    assert await asyncio.gather(*map(owners, people)) == [[one] for one in people]


async def test_a_transaction_must_say_for_whom_it_works(database: Database) -> None:
    with pytest.raises(TypeError, match="for whom"):
        database.transaction()  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="for whom"):
        database.transaction(visible_to=[], scope=Scope.SYSTEM)  # type: ignore[call-overload]


async def test_a_refused_write_is_a_fault_without_the_values(database: Database) -> None:
    with pytest.raises(DatabaseFaultError, match="SQLSTATE 42501"):
        async with database.transaction(visible_to=[demo_id("CUST001")]) as session:
            session.add(ChatSession(user_id=demo_id("CUST002"), title="theirs", tracker={}))


async def unfiltered(session: AsyncSession, session_id: UUID, *_: object, **__: object) -> ChatSession:
    """The repository's query, with its filter forgotten."""
    found = await session.scalar(select(ChatSession).where(ChatSession.id == session_id))
    if found is None:
        raise SessionNotFoundError
    return found


async def test_where_a_repository_forgets_its_filter_the_second_wall_stands(
    app: FastAPI, client: AsyncClient, service_urls: ServiceUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    hers = (await client.post("/api/v2/chat", json={"message": "hello", "user_id": "CUST001"})).json()["data"]
    paths = [f"/api/v2/sessions/{hers['session_id']}", f"/api/v2/sessions/{hers['session_id']}/messages"]
    monkeypatch.setattr(repository, "get_session", unfiltered)
    ben = demo_id("CUST002")
    him = Principal(ben, "CUST002", frozenset({Permission.CHAT_READ, Permission.CHAT_WRITE}), frozenset({ben}))
    said = {"message": "hello", "session_id": hers["session_id"]}
    with letting_in(app, lambda _: him):
        for path in paths:
            assert (await client.get(path)).status_code == 404
        assert (await client.delete(paths[0])).status_code == 404
        assert (await client.post("/api/v2/chat", json=said)).status_code == 404
        async with _wall_down(service_urls, "chat_sessions"):
            assert (await client.get(paths[0])).status_code == 200, "without the wall the forgotten filter shows it"
        assert (await client.get(paths[0])).status_code == 404
    assert (await client.get(paths[0])).status_code == 200


class _wall_down:  # noqa: N801 - a context manager
    def __init__(self, service_urls: ServiceUrls, table: str) -> None:
        self._owner = Database(service_urls.database_owner, max_pool_size=1)
        self._table = table

    async def _alter(self, what: str) -> None:
        async with self._owner.engine.begin() as connection:
            await connection.execute(text(f"ALTER TABLE {self._table} {what} ROW LEVEL SECURITY"))

    async def __aenter__(self) -> None:
        await self._alter("DISABLE")

    async def __aexit__(self, *_: object) -> None:
        await self._alter("ENABLE")
        await self._owner.close()


async def test_the_settings_are_read_once_in_a_query_and_the_index_is_used(two: Two) -> None:
    """Cheap by construction: the policy's functions run as InitPlans, and the repository's filter finds its index."""
    await two.see_as(two.ours)
    await two.connection.execute(text("SET LOCAL enable_seqscan = off"))
    plan = "\n".join(
        await two.connection.scalars(
            text("EXPLAIN SELECT * FROM accounts WHERE user_id = :mine"), {"mine": two.ours.id}
        )
    )
    assert "ix_accounts_user_id" in plan
    assert re.search(r"user_id = ANY \(\(InitPlan \d+\)\.col1\)", plan), plan
    assert "current_setting" not in plan.replace("InitPlan", ""), plan
