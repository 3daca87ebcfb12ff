"""Registration, sign-in, sessions and passwords through HTTP, on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from argon2 import PasswordHasher as Argon2
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response
from sqlalchemy import func, select, update
from structlog.testing import capture_logs

from llm_banking.identity.authenticator import Authenticator
from llm_banking.identity.demo import DEMO_PRINCIPAL
from llm_banking.identity.errors import InvalidCredentialError, TryLaterError
from llm_banking.identity.hashing import Verification
from llm_banking.identity.models import RefreshToken, Revocation, SignInFailure, TokenFamily, User
from llm_banking.identity.principal import Principal
from llm_banking.identity.roles import PERMISSIONS, Role
from llm_banking.identity.wiring import IdentityServices, build_identity
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, Scope
from llm_banking.settings import Settings
from tests.api.test_policies import telling_by

PASSWORD = "plum kettle orbits the quiet harbour"
TOKENS = ("access_token", "refresh_token")
OTHER_PASSWORD = "nine violet ladders under a loud fridge"


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of waits and graces stands still, so that a slow machine changes no answer."""
    now = utc_now()
    for module in ("sign_in", "service", "refresh"):
        monkeypatch.setattr(f"llm_banking.identity.{module}.utc_now", lambda: now)


@pytest.fixture
def identity(app: FastAPI) -> IdentityServices:
    found: IdentityServices = app.state.services.identity
    return found


@pytest.fixture
async def email(client: AsyncClient) -> str:
    """A customer who registered just now."""
    address = f"{uuid4().hex}@example.com"
    body = {"email": address, "password": PASSWORD, "display_name": "Zoe Quill"}
    assert (await client.post("/api/auth/register", json=body)).status_code == 202
    return address


@pytest.fixture
async def elsewhere(app: FastAPI) -> AsyncIterator[AsyncClient]:
    """A client at another address."""
    transport = ASGITransport(app, raise_app_exceptions=False, client=("203.0.113.9", 4711))
    async with AsyncClient(transport=transport, base_url="http://test") as found:
        yield found


async def login(client: AsyncClient, email: str, password: str = PASSWORD, **more: str) -> Response:
    return await client.post("/api/auth/login", json={"email": email, "password": password, **more})


async def signed_in(client: AsyncClient, email: str, **more: str) -> dict[str, Any]:
    response = await login(client, email, **more)
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def me(client: AsyncClient, token: str) -> Response:
    return await client.get("/api/auth/me", headers=bearer(token))


async def refresh(client: AsyncClient, token: str, **more: str) -> Response:
    return await client.post("/api/auth/refresh", json={"refresh_token": token, **more})


async def row_of(database: Database, email: str) -> User:
    async with database.transaction(scope=Scope.IDENTITY) as session:
        return (await session.scalars(select(User).where(User.email == email))).one()


async def live_tokens(database: Database, email: str) -> int:
    """Refresh tokens of a person that could still be used."""
    user = await row_of(database, email)
    async with database.transaction(scope=Scope.IDENTITY) as session:
        statement = (
            select(func.count())
            .select_from(RefreshToken)
            .join(TokenFamily, TokenFamily.id == RefreshToken.family_id)
            .where(TokenFamily.user_id == user.id, TokenFamily.ended_at.is_(None), RefreshToken.used_at.is_(None))
        )
        return await session.scalar(statement) or 0


def answer(response: Response) -> tuple[int, str, str]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["message"]


async def test_a_customer_registers_signs_in_and_is_known(client: AsyncClient, email: str) -> None:
    response = await login(client, email.upper(), device="phone")
    assert response.headers["Cache-Control"] == "no-store"
    data = response.json()["data"]
    assert (data["token_type"], data["expires_in"]) == ("Bearer", 86_400)
    known = (await me(client, data["access_token"])).json()["data"]
    assert known == data["user"]
    assert known["email"] == email
    assert known["account_type"] == "user"
    assert known["permissions"] == sorted(PERMISSIONS[Role.USER])


async def test_a_taken_e_mail_gets_the_same_answer_and_changes_nothing(
    client: AsyncClient, database: Database, email: str, identity: IdentityServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    plain_hash = identity.hasher.hash

    async def counted(password: str) -> str:
        hashed.append(password)
        return await plain_hash(password)

    monkeypatch.setattr(identity.hasher, "hash", counted)
    before = await row_of(database, email)
    bodies = [
        {"email": address, "password": OTHER_PASSWORD, "display_name": "Mallory"}
        for address in (email, f"{uuid4().hex}@example.com")
    ]
    taken, new = [await client.post("/api/auth/register", json=body) for body in bodies]
    assert (taken.status_code, taken.json()["data"]) == (new.status_code, new.json()["data"])
    assert len(hashed) == 2, "both cost one hash"
    after = await row_of(database, email)
    assert (after.password_hash, after.display_name) == (before.password_hash, before.display_name)


@pytest.mark.parametrize(
    "address", ["", "nobody", "a@b", "a b@example.com", "@example.com", "a@exa mple.com", "é@example.com", "a@b@c.de"]
)
async def test_what_is_no_e_mail_is_refused(client: AsyncClient, address: str) -> None:
    body = {"email": address, "password": PASSWORD, "display_name": "Zoe"}
    assert (await client.post("/api/auth/register", json=body)).status_code == 422


@pytest.mark.parametrize("password", ["short", "password12345678", "Zoe Quill 20260101!", "x" * 200, "\ud800" * 20])
async def test_a_weak_password_is_refused_and_not_repeated(client: AsyncClient, password: str) -> None:
    content = b'{"email": "weak@example.com", "display_name": "Zoe Quill", "password": %s}'
    written = ("".join(f"\\u{ord(one):04x}" for one in password)).join('""').encode()
    response = await client.post(
        "/api/auth/register", content=content % written, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 422
    assert password.encode("utf-8", "replace").decode() not in response.text


async def test_a_customer_signs_in_by_number(client: AsyncClient, database: Database, email: str) -> None:
    number = f"N{uuid4().hex[:12]}"
    async with database.transaction(scope=Scope.IDENTITY) as session:
        await session.execute(update(User).where(User.email == email).values(customer_number=number))
    body = {"customer_number": number, "password": PASSWORD}
    assert (await client.post("/api/auth/login", json=body)).status_code == 200
    both = await client.post("/api/auth/login", json={**body, "email": email})
    neither = await client.post("/api/auth/login", json={"password": PASSWORD})
    assert (both.status_code, neither.status_code) == (422, 422)


async def test_every_refused_sign_in_looks_and_costs_the_same(
    client: AsyncClient, database: Database, email: str, identity: IdentityServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown name, wrong password, suspended, without a password: one answer, one hash that is verified."""
    verified: list[str | None] = []
    plain_verify = identity.hasher._verify

    def counted(stored: str | None, password: str) -> Verification:
        verified.append(stored)
        return plain_verify(stored, password)

    monkeypatch.setattr(identity.hasher, "_verify", counted)
    answers = [answer(await login(client, email, "wrong password of some length"))]
    answers.append(answer(await login(client, f"{uuid4().hex}@example.com")))
    async with database.transaction(scope=Scope.IDENTITY) as session:
        await session.execute(update(User).where(User.email == email).values(status="suspended"))
    answers.append(answer(await login(client, email)))
    async with database.transaction(scope=Scope.IDENTITY) as session:
        await session.execute(update(User).where(User.email == email).values(status="active", password_hash=None))
    answers.append(answer(await login(client, email)))
    assert len(set(answers)) == 1
    assert answers[0][:2] == (401, "UNAUTHENTICATED")
    assert len(verified) == 4


async def test_an_outdated_hash_is_renewed_at_sign_in(client: AsyncClient, database: Database, email: str) -> None:
    weaker = Argon2(time_cost=1, memory_cost=32, parallelism=1).hash(PASSWORD)
    async with database.transaction(scope=Scope.IDENTITY) as session:
        await session.execute(update(User).where(User.email == email).values(password_hash=weaker))
    await signed_in(client, email)
    renewed = (await row_of(database, email)).password_hash or ""
    assert "m=64,t=1,p=1" in renewed
    await signed_in(client, email)
    assert (await row_of(database, email)).password_hash == renewed


async def test_repeated_failures_wait_longer_and_longer_at_one_place_only(
    client: AsyncClient, elsewhere: AsyncClient, email: str
) -> None:
    for _ in range(5):
        assert (await login(client, email, "wrong")).status_code == 401
    waiting = await login(client, email)
    assert (waiting.status_code, waiting.json()["error"]["code"]) == (429, "RATE_LIMIT_EXCEEDED")
    assert int(waiting.headers["Retry-After"]) >= 1
    assert (await login(elsewhere, email)).status_code == 200, "the owner, at another place, is not kept out"


async def test_a_name_that_belongs_to_nobody_waits_the_same(client: AsyncClient) -> None:
    nobody = f"{uuid4().hex}@example.com"
    codes = [(await login(client, nobody, "wrong")).status_code for _ in range(6)]
    assert codes == [401] * 5 + [429]


async def test_attempts_side_by_side_do_not_slip_past_the_bound(client: AsyncClient, email: str) -> None:
    responses = await asyncio.gather(*(login(client, email, "wrong") for _ in range(12)))
    codes = [one.status_code for one in responses]
    assert codes.count(401) <= 5, "each of these was a guess"
    assert set(codes) <= {401, 429, 503}, "503: no pooled connection came free in time"


async def test_no_sign_in_name_can_be_read_from_the_table(client: AsyncClient, database: Database, email: str) -> None:
    await login(client, email, "wrong")
    async with database.transaction(scope=Scope.IDENTITY) as session:
        rows = list(await session.scalars(select(SignInFailure)))
    assert rows
    assert all(len(row.name_hash) == len(row.place_hash) == 32 for row in rows)


async def test_a_full_queue_is_answered_429_and_counts_no_failure(
    client: AsyncClient, email: str, identity: IdentityServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity.hasher, "_inside", identity.hasher._most)
    for _ in range(6):
        response = await login(client, email)
        assert (response.status_code, response.json()["error"]["code"]) == (429, "RATE_LIMIT_EXCEEDED")
        assert response.headers["Retry-After"] == "2"
    with pytest.raises(TryLaterError):
        await identity.hasher.hash("anything")
    monkeypatch.setattr(identity.hasher, "_inside", 0)
    assert (await login(client, email)).status_code == 200


async def test_a_refresh_gives_a_successor_and_another_access_token(client: AsyncClient, email: str) -> None:
    first = await signed_in(client, email)
    second = (await refresh(client, first["refresh_token"])).json()["data"]
    assert second["refresh_token"] != first["refresh_token"]
    assert (await me(client, second["access_token"])).status_code == 200
    assert (await refresh(client, second["refresh_token"])).status_code == 200


async def test_a_hundred_refreshes_at_once_leave_one_live_branch(
    client: AsyncClient, database: Database, email: str
) -> None:
    first = await signed_in(client, email, device="phone")
    responses = await asyncio.gather(*(refresh(client, first["refresh_token"], device="phone") for _ in range(100)))
    assert {one.status_code for one in responses} <= {200, 503}, "503: no pooled connection came free in time"
    successors = {one.json()["data"]["refresh_token"] for one in responses if one.status_code == 200}
    assert len(successors) == 1
    assert await live_tokens(database, email) == 1
    assert (await refresh(client, successors.pop(), device="phone")).status_code == 200
    assert await live_tokens(database, email) == 1


async def test_the_count_of_branches_sees_a_missing_lock(
    client: AsyncClient, database: Database, email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: the family is read without its lock, so that each reader believes to be the first."""
    first = await signed_in(client, email)

    async def unlocked(session: Any, token_hash: bytes) -> TokenFamily | None:
        statement = select(TokenFamily).join(RefreshToken).where(RefreshToken.token_hash == token_hash)
        found: TokenFamily | None = (await session.scalars(statement)).one_or_none()
        await asyncio.sleep(0.1)
        return found

    async def stale(session: Any, token_hash: bytes) -> RefreshToken:
        found = (await session.scalars(select(RefreshToken).where(RefreshToken.token_hash == token_hash))).one()
        await asyncio.sleep(0.2)
        row: RefreshToken = found
        return row

    monkeypatch.setattr("llm_banking.identity.repository.family_of_token", unlocked)
    monkeypatch.setattr("llm_banking.identity.repository.refresh_token", stale)
    await asyncio.gather(*(refresh(client, first["refresh_token"]) for _ in range(3)))
    assert await live_tokens(database, email) > 1


async def age(database: Database, email: str, seconds: int) -> None:
    """Let the used tokens of a person be older."""
    user = await row_of(database, email)
    families = select(TokenFamily.id).where(TokenFamily.user_id == user.id)
    async with database.transaction(scope=Scope.IDENTITY) as session:
        await session.execute(
            update(RefreshToken)
            .where(RefreshToken.family_id.in_(families), RefreshToken.used_at.is_not(None))
            .values(used_at=RefreshToken.used_at - timedelta(seconds=seconds))
        )


@pytest.mark.parametrize("case", ["after the grace", "another device", "its successor was used"])
async def test_a_replay_ends_the_family_for_everybody(
    client: AsyncClient, database: Database, email: str, case: str
) -> None:
    first = await signed_in(client, email, device="phone")
    second = (await refresh(client, first["refresh_token"], device="phone")).json()["data"]
    device = "phone"
    if case == "after the grace":
        await age(database, email, 11)
    elif case == "another device":
        device = "burglar"
    else:
        second = (await refresh(client, second["refresh_token"], device="phone")).json()["data"]
    assert answer(await refresh(client, first["refresh_token"], device=device))[:2] == (401, "UNAUTHENTICATED")
    assert (await refresh(client, second["refresh_token"], device="phone")).status_code == 401
    assert (await me(client, second["access_token"])).status_code == 401
    assert (await me(client, first["access_token"])).status_code == 401
    assert await live_tokens(database, email) == 0
    user = await row_of(database, email)
    async with database.transaction(scope=Scope.IDENTITY) as session:
        family = (await session.scalars(select(TokenFamily).where(TokenFamily.user_id == user.id))).one()
        written = await session.scalar(
            select(func.count()).select_from(Revocation).where(Revocation.subject_id == family.id)
        )
    assert (family.ended_because, written) == ("replay", 1)


async def test_a_family_ends_at_its_absolute_age(client: AsyncClient, database: Database, email: str) -> None:
    first = await signed_in(client, email)
    user = await row_of(database, email)
    async with database.transaction(scope=Scope.IDENTITY) as session:
        await session.execute(
            update(TokenFamily).where(TokenFamily.user_id == user.id).values(expires_at=TokenFamily.created_at)
        )
    assert (await refresh(client, first["refresh_token"])).status_code == 401


async def lie_idle(database: Database, email: str, idle: timedelta) -> None:
    """Let a person's sessions be unused for so long, by the clock that stands still."""
    user = await row_of(database, email)
    async with database.transaction(scope=Scope.IDENTITY) as session:
        mine = update(TokenFamily).where(TokenFamily.user_id == user.id)
        await session.execute(mine.values(last_used_at=TokenFamily.last_used_at - idle))


async def test_a_session_that_is_not_used_ends(
    client: AsyncClient, database: Database, email: str, settings: Settings
) -> None:
    """ASVS 5.0, 7.3.1: up to the last moment it can be renewed, which begins its time of idleness anew."""
    data, almost = await signed_in(client, email), timedelta(seconds=settings.idle_s, microseconds=-1)
    for _ in range(2):
        await lie_idle(database, email, almost)
        data = {**data, **(await refresh(client, data["refresh_token"])).json()["data"]}
    await lie_idle(database, email, almost + timedelta(microseconds=1))
    listed = await client.get("/api/auth/sessions", headers=bearer(data["access_token"]))
    assert listed.json()["data"]["items"] == []
    assert answer(await refresh(client, data["refresh_token"]))[:2] == (401, "UNAUTHENTICATED")
    user = await row_of(database, email)
    async with database.transaction(scope=Scope.IDENTITY) as session:
        family = (await session.scalars(select(TokenFamily).where(TokenFamily.user_id == user.id))).one()
    assert family.ended_because == "idle"
    assert (await me(client, data["access_token"])).status_code == 401


@pytest.mark.parametrize("token", ["", "llmr_", "llmr_" + "A" * 43, "x" * 200, "llmr_" + "é" * 43])
async def test_what_is_no_refresh_token_is_refused(client: AsyncClient, token: str) -> None:
    assert (await refresh(client, token)).status_code in (401, 422)


async def test_signing_out_ends_this_session_and_no_other(client: AsyncClient, email: str) -> None:
    one, other = await signed_in(client, email), await signed_in(client, email)
    assert (await client.post("/api/auth/logout", headers=bearer(one["access_token"]))).status_code == 200
    assert (await me(client, one["access_token"])).status_code == 401
    assert (await refresh(client, one["refresh_token"])).status_code == 401
    assert (await me(client, other["access_token"])).status_code == 200


async def change(client: AsyncClient, token: str, old: str, new: str) -> Response:
    body = {"old_password": old, "new_password": new}
    return await client.post("/api/auth/password", json=body, headers=bearer(token))


async def test_a_new_password_ends_other_sessions_and_old_tokens(client: AsyncClient, email: str) -> None:
    here, other = await signed_in(client, email), await signed_in(client, email)
    token = (await change(client, here["access_token"], PASSWORD, OTHER_PASSWORD)).json()["data"]["access_token"]
    assert (await me(client, token)).status_code == 200
    assert (await me(client, here["access_token"])).status_code == 401
    assert (await me(client, other["access_token"])).status_code == 401
    assert (await refresh(client, other["refresh_token"])).status_code == 401
    assert (await refresh(client, here["refresh_token"])).status_code == 200
    assert (await login(client, email)).status_code == 401
    assert (await login(client, email, OTHER_PASSWORD)).status_code == 200


async def test_the_old_password_cannot_be_guessed_with_a_stolen_token(client: AsyncClient, email: str) -> None:
    token = (await signed_in(client, email))["access_token"]
    codes = [(await change(client, token, "wrong", OTHER_PASSWORD)).status_code for _ in range(6)]
    assert codes == [403] * 5 + [429]
    assert (await login(client, email)).status_code == 200, "signing in is counted apart"


@pytest.mark.parametrize("new", [PASSWORD, "short", "password12345678"])
async def test_a_new_password_must_be_new_and_good(client: AsyncClient, email: str, new: str) -> None:
    token = (await signed_in(client, email))["access_token"]
    response = await change(client, token, PASSWORD, new)
    assert answer(response)[:2] == (422, "INVALID_REQUEST")


async def test_a_changed_role_ends_tokens_and_shows_after_a_refresh(
    client: AsyncClient, database: Database, email: str, identity: IdentityServices
) -> None:
    data = await signed_in(client, email)
    async with database.transaction(scope=Scope.IDENTITY) as session:
        assert await identity.accounts.set_role(session, UUID(data["user"]["id"]), Role.AUDITOR)
    assert (await me(client, data["access_token"])).status_code == 401
    renewed = (await refresh(client, data["refresh_token"])).json()["data"]["access_token"]
    assert (await me(client, renewed)).json()["data"]["permissions"] == sorted(PERMISSIONS[Role.AUDITOR])
    assert (await client.get("/api/v2/sessions", headers=bearer(renewed))).status_code == 403


async def test_a_suspended_person_is_out_at_once_and_may_come_back(
    client: AsyncClient, database: Database, email: str, identity: IdentityServices
) -> None:
    data = await signed_in(client, email)
    user_id = UUID(data["user"]["id"])
    async with database.transaction(scope=Scope.IDENTITY) as session:
        assert await identity.accounts.suspend(session, user_id)
    assert (await me(client, data["access_token"])).status_code == 401
    assert (await refresh(client, data["refresh_token"])).status_code == 401
    assert (await login(client, email)).status_code == 401
    async with database.transaction(scope=Scope.IDENTITY) as session:
        assert await identity.accounts.reinstate(session, user_id)
    assert (await login(client, email)).status_code == 200
    async with database.transaction(scope=Scope.IDENTITY) as session:
        assert not await identity.accounts.suspend(session, uuid4())
        assert not await identity.accounts.reinstate(session, uuid4())
        assert not await identity.accounts.set_role(session, uuid4(), Role.USER)


async def test_a_signed_in_customer_sees_its_own_conversations_only(client: AsyncClient, email: str) -> None:
    guest = (await client.post("/api/v2/chat", json={"message": "hello"})).json()["data"]["session_id"]
    token = (await signed_in(client, email))["access_token"]
    assert (await client.get(f"/api/v2/sessions/{guest}")).status_code == 200
    assert (await client.get(f"/api/v2/sessions/{guest}", headers=bearer(token))).status_code == 404
    named = {"message": "hello", "user_id": "CUST001"}
    assert (await client.post("/api/v2/chat", json=named, headers=bearer(token))).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        [("Authorization", "Bearer {token}"), ("X-API-Key", "llmb_live_x")],
        [("Authorization", "Bearer {token}"), ("Authorization", "Bearer {token}")],
        [("X-API-Key", "llmb_live_x"), ("X-API-Key", "llmb_live_y")],
    ],
    ids=["token and key", "token twice", "two keys"],
)
async def test_more_than_one_credential_is_refused(
    client: AsyncClient, email: str, headers: list[tuple[str, str]]
) -> None:
    token = (await signed_in(client, email))["access_token"]
    sent = [(name, value.format(token=token)) for name, value in headers]
    response = await client.get("/api/auth/me", headers=sent)
    assert response.status_code == 401
    assert "more than one credential" in response.json()["error"]["message"]
    assert 'error="invalid_request"' in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": ""},
        {"Authorization": "Bearer llmb_live_unknown"},
        {"X-API-Key": "llmb_live_unknown"},
        {"X-API-Key": ""},
    ],
)
async def test_a_bad_credential_is_never_taken_for_none(client: AsyncClient, headers: dict[str, str]) -> None:
    """The demo principal is on in this application: it must not stand in."""
    assert (await client.get("/api/v2/intents")).status_code == 200
    assert (await client.get("/api/v2/intents", headers=headers)).status_code == 401


async def test_tokens_are_refused_while_revocations_cannot_be_read(
    client: AsyncClient, email: str, identity: IdentityServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = (await signed_in(client, email))["access_token"]

    async def blocked(_: object) -> None:
        raise OSError

    monkeypatch.setattr(identity.revocations, "refresh", blocked)
    monkeypatch.setattr(identity.revocations, "_read_at", float("-inf"))
    response = await me(client, token)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "DATABASE_UNAVAILABLE")
    assert response.headers["Retry-After"] == "2"


async def test_a_second_process_learns_of_a_revocation(
    client: AsyncClient, email: str, settings: Settings, database: Database
) -> None:
    """Another worker: its own keys, its own memory, the same database and key files."""
    token = (await signed_in(client, email))["access_token"]
    worker = build_identity(settings)
    strict = Authenticator(worker.tokens, worker.revocations, demo=False)

    async def read() -> None:
        async with database.transaction(scope=Scope.IDENTITY) as session:
            await worker.revocations.refresh(session)

    await read()
    assert (await strict(bearer(token))).authenticated_by == ("pwd",)
    assert (await client.post("/api/auth/logout", headers=bearer(token))).status_code == 200
    await read()
    with pytest.raises(InvalidCredentialError):
        await strict(bearer(token))


async def test_the_public_keys_are_served_without_secrets(client: AsyncClient) -> None:
    response = await client.get("/.well-known/jwks.json")
    keys = response.json()["keys"]
    assert keys
    assert all(set(key) == {"kty", "crv", "x", "kid", "alg", "use"} for key in keys)
    assert "max-age=60" in response.headers["Cache-Control"]


async def test_an_old_session_makes_room_for_the_newest(
    client: AsyncClient, email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_banking.identity.refresh.MAX_LIVE_FAMILIES", 2)
    sessions = [await signed_in(client, email) for _ in range(3)]
    codes = [(await me(client, one["access_token"])).status_code for one in sessions]
    assert codes == [401, 200, 200]


async def test_a_key_verifier_is_asked_for_both_headers(
    client: AsyncClient, app: FastAPI, identity: IdentityServices
) -> None:
    asked: list[str] = []

    async def verify(key: str) -> Principal:
        asked.append(key)
        return DEMO_PRINCIPAL

    keyed = Authenticator(identity.tokens, identity.revocations, demo=False, verify_api_key=verify)
    with telling_by(app, keyed):
        for headers in (bearer("llmb_live_a"), {"X-API-Key": "llmb_live_b"}):
            assert (await client.get("/api/v2/intents", headers=headers)).status_code == 200
    assert asked == ["llmb_live_a", "llmb_live_b"]


async def test_the_log_tells_of_sign_ins_and_holds_no_name_password_or_token(client: AsyncClient, email: str) -> None:
    with capture_logs() as entries:
        await login(client, email, "a wrong password: zebra")
        first = await signed_in(client, email)
        second = (await refresh(client, first["refresh_token"])).json()["data"]
        await client.post("/api/auth/logout", headers=bearer(second["access_token"]))
    assert {"sign-in refused", "signed in", "session ended"} <= {one["event"] for one in entries}
    said = repr(entries)
    secrets = (email, PASSWORD, "zebra", *(one[kind] for one in (first, second) for kind in TOKENS))
    assert [secret for secret in secrets if secret in said] == []
