"""Where the access matrix is played: an application with a database of its own, and people with rows in every table."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import event, insert, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from llm_banking.api.dependencies import Services
from llm_banking.app import create_app
from llm_banking.identity.api_key_text import SHOWN_CHARS, new_key
from llm_banking.identity.principal import Permission
from llm_banking.identity.roles import PERMISSIONS, Role
from llm_banking.identity.tokens import Subject
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import async_url
from llm_banking.migrations.metadata import product_metadata
from llm_banking.settings import Settings
from tests.conftest import ServiceUrls
from tests.integration.two_people import LEDGER, OF_ENTRIES, TABLES, Person, owner_column, write_ledger
from tests.support.own_database import own_database

DATABASE = "access_matrix"
PASSWORD = "nine tin herons count the tide"
LIFTED: dict[str, Any] = {"demo": False, "revocations_stale_s": 3_600}
"""Settings without which the matrix would meet something else than its policies: the demo principal, limits of rate."""
WORDS = ("display_name", "name", "title", "content", "description")
CANARY = re.compile(r"canary-[0-9a-f]{32}")
OWNER_FILTER = re.compile(r"\b\w+\.(?:user_id|taken_by) (= \$\d+::UUID|IN \(\$\d+::UUID(, \$\d+::UUID)*\))")
"""How a repository says in SQL whose rows it is about."""


@dataclass(frozen=True)
class Caller:
    """A kind of caller: nobody, a role that signed in, or a program's key of one scope whose owner has a role."""

    name: str
    role: Role
    scope: Permission | None = None
    permissions: frozenset[Permission] = frozenset()
    anonymous: bool = False

    @property
    def signed_in(self) -> bool:
        return not self.anonymous and self.scope is None


def callers(keyless: Collection[Permission]) -> list[Caller]:
    """Nobody, every role, and a key for each permission. Those that no key may carry are written into a row by force:
    such a key can do nothing.
    """
    found = [Caller("anonymous", Role.USER, anonymous=True)]
    found += [Caller(role.value, role, permissions=PERMISSIONS[role]) for role in Role]
    for scope in Permission:
        role = next(role for role in Role if scope in PERMISSIONS[role])
        given = frozenset() if scope in keyless else frozenset({scope})
        found.append(Caller(f"key {scope.value}", role, scope=scope, permissions=given))
    return found


@dataclass(frozen=True)
class Actor:
    """One person of a kind of caller, with rows of their own in every table, and the credential they send."""

    caller: Caller
    rows: Mapping[str, Mapping[str, Any]]
    headers: Mapping[str, str]
    canary: str
    approved: Mapping[str, Any]

    @property
    def id(self) -> UUID:
        return UUID(str(self.rows["users"]["id"]))

    @property
    def email(self) -> str:
        return str(self.rows["users"]["email"])

    def object_id(self, table: str) -> UUID:
        return UUID(str(self.rows[table]["id"]))

    def ids(self) -> set[str]:
        """Every id in this person's rows."""
        return {str(value) for row in self.rows.values() for value in row.values() if isinstance(value, UUID)}


@dataclass
class Stage:
    """The application over a database of its own, and the administrator's connections, which no wall stops."""

    app: FastAPI
    settings: Settings
    admin: AsyncEngine
    password_hash: str
    _forgetful: bool = False
    _hosts: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def services(self) -> Services:
        found: Services = self.app.state.services
        return found

    async def add(self, cast: Sequence[Caller], *, without: Collection[str] = ()) -> list[Actor]:
        """A new person for each of these callers, with rows in all tables but `without`."""
        found = [self._actor(caller) for caller in cast]
        async with self.admin.begin() as connection:
            for table in found[0].rows if found else ():
                if table == "bank_operations":
                    pending = product_metadata().tables["pending_operations"]
                    await connection.execute(insert(pending), [dict(one.approved) for one in found])
                if table not in {*without, *LEDGER, *OF_ENTRIES}:
                    await connection.execute(
                        insert(product_metadata().tables[table]), [dict(one.rows[table]) for one in found]
                    )
            for one in found:
                await write_ledger(connection, one.rows)
                for table in OF_ENTRIES:
                    await connection.execute(insert(product_metadata().tables[table]), [dict(one.rows[table])])
        return found

    async def change(self, table: str, row_id: UUID, values: Mapping[str, Any]) -> None:
        """Change a row behind the application's back."""
        if values:
            rows = product_metadata().tables[table]
            async with self.admin.begin() as connection:
                await connection.execute(rows.update().where(rows.c.id == row_id).values(**values))

    def _actor(self, caller: Caller) -> Actor:
        person, canary, now = Person.new(), f"canary-{uuid4().hex}", utc_now()
        rows = person.rows()
        later = now + timedelta(hours=1)
        for row in rows.values():
            row.update({name: f"{canary} {row[name]}" for name in WORDS if name in row})
            row.update({name: later for name in ("expires_at",) if name in row})
        rows["token_families"]["created_at"] = now  # a sign-in of this moment
        account_type = caller.role.value
        rows["users"] |= {
            "account_type": account_type,
            "email": f"{canary}@example.com",
            "password_hash": self.password_hash,
        }
        key = new_key()
        rows["api_keys"] |= {
            "key_hash": self.services.identity.api_keys._hashes(key)[0],
            "prefix": key[:SHOWN_CHARS],
            "scopes": [Permission.CHAT_READ.value if caller.scope is None else caller.scope.value],
            "last_used_at": later,  # so that no request notes its use, which would be a change
        }
        headers: dict[str, str] = {}
        if caller.scope is not None:
            headers = {"X-API-Key": key}
        elif not caller.anonymous:
            subject = Subject(person.id, account_type, person.family_id, 0, ("pwd",))
            headers = {"Authorization": f"Bearer {self.services.identity.tokens.issue(subject)}"}
        return Actor(caller, rows, headers, canary, person.approved())

    async def send(
        self, method: str, path: str, *, query: Mapping[str, Any], body: object, headers: Mapping[str, str]
    ) -> httpx.Response:
        """A request from an address of its own, so that no limit of one place is met. Its id is always the same."""
        host = next(self._hosts)
        transport = httpx.ASGITransport(
            self.app, raise_app_exceptions=False, client=(f"10.{host >> 16}.{host >> 8 & 255}.{host & 255}", 1)
        )
        request = httpx.Request(
            method,
            httpx.URL(f"http://test{path}", params=dict(query)),
            json=body,
            headers={"X-Request-ID": "00000000-0000-4000-8000-000000000000", **headers},
        )
        with self._answering():
            response = await transport.handle_async_request(request)
            await response.aread()
        return response

    async def fingerprint(self) -> list[tuple[Any, ...]]:
        """How many rows each table has, and which versions of them: equal before and after if nothing was written."""
        async with self.admin.connect() as connection:
            tables = await connection.scalars(
                text("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
            )
            parts = [
                f"SELECT '{table}', count(*), coalesce(sum(hashtext(xmin::text || ctid::text)), 0) FROM {table}"  # noqa: S608 - our tables
                for table in tables
            ]
            return [tuple(row) for row in await connection.execute(text(" UNION ALL ".join(parts) + " ORDER BY 1"))]

    async def rows_of(self, one: Actor) -> list[tuple[Any, ...]]:
        """All that a person has, word by word."""
        parts = [
            f"SELECT '{table}', md5(string_agg(row::text, '' ORDER BY row::text)) FROM {table} AS row "  # noqa: S608 - our tables
            f"WHERE {owner_column(table)} = '{one.rows[table][owner_column(table)]}'"
            for table in one.rows
        ]
        async with self.admin.connect() as connection:
            return [tuple(row) for row in await connection.execute(text(" UNION ALL ".join(parts) + " ORDER BY 1"))]

    @contextmanager
    def listening(self) -> Iterator[list[str]]:
        """The statements that the application sends while the block runs."""
        found: list[str] = []

        def note(*said: Any) -> None:
            found.append(said[2])

        engine = self.services.database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            yield found
        finally:
            event.remove(engine, "before_cursor_execute", note)

    @contextmanager
    def without_filters(self) -> Iterator[None]:
        """Requests are answered as if every query of every repository had forgotten whose rows it is about."""
        self._forgetful = True
        try:
            yield
        finally:
            self._forgetful = False

    @contextmanager
    def _answering(self) -> Iterator[None]:
        def forget(*said: Any) -> tuple[str, Any]:
            return OWNER_FILTER.sub(r"(\g<0> OR true)", said[2]), said[3]

        if not self._forgetful:
            yield
            return
        engine = self.services.database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", forget, retval=True)
        try:
            yield
        finally:
            event.remove(engine, "before_cursor_execute", forget)

    @asynccontextmanager
    async def walls(self, *, up: bool) -> AsyncIterator[None]:
        """With `up` false there is no row-level security on any table while the block runs."""
        if not up:
            await self._row_level_security("DISABLE")
        try:
            yield
        finally:
            if not up:
                await self._row_level_security("ENABLE")

    async def _row_level_security(self, what: str) -> None:
        async with self.admin.begin() as connection:
            for table in TABLES:
                await connection.execute(text(f"ALTER TABLE {table} {what} ROW LEVEL SECURITY"))


@asynccontextmanager
async def staged(service_urls: ServiceUrls, settings: Settings) -> AsyncIterator[Stage]:
    """A stage. Its database belongs to nobody else: the walls may fall, and nobody else writes."""
    async with own_database(service_urls, DATABASE) as urls:
        admin = create_async_engine(async_url(urls.database_owner))
        own = settings.model_copy(update={**LIFTED, "database_url": SecretStr(urls.database)})
        app = create_app(own)
        async with app.router.lifespan_context(app):
            password_hash = await app.state.services.identity.hasher.hash(PASSWORD)
            yield Stage(app, own, admin, password_hash)
        await admin.dispose()
