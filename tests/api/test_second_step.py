"""Signing in where a second factor is set up: no session by the password alone, and none by another's ticket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response
from sqlalchemy import delete, func, select, update
from structlog.testing import capture_logs

from llm_banking.identity.models import SignInFailure, StepUpChallenge, TokenFamily, TotpSecret, User
from llm_banking.identity.principal import Principal
from llm_banking.identity.recent_sign_in import SIGN_IN_IS_RECENT
from llm_banking.identity.roles import Role
from llm_banking.identity.second_factors import Action
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, Scope
from tests.api.people import PASSWORD, TICKETS, Person, bearer, code_of, on_a_clock
from tests.identity.people import wrong_code


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """The clock of waits stands still, so that a slow machine changes no answer."""
    now = utc_now()
    for module in ("sign_in", "admission"):
        monkeypatch.setattr(f"llm_banking.identity.{module}.utc_now", lambda: now)
    return now


@pytest.fixture
async def person(app: FastAPI, client: AsyncClient, database: Database) -> AsyncIterator[Person]:
    """A customer with an authenticator app."""
    with on_a_clock(app) as (clock, factors):
        yield await Person.register(client, database, clock, factors)


async def another(one: Person, *, app_too: bool = True) -> Person:
    return await Person.register(one.client, one.database, one.clock, one.factors, app_too=app_too)


async def sessions_of(one: Person) -> list[TokenFamily]:
    async with one.database.transaction(scope=Scope.IDENTITY) as session:
        return list(await session.scalars(select(TokenFamily).where(TokenFamily.user_id == one.user_id)))


async def challenge_row(one: Person, first: dict[str, Any]) -> StepUpChallenge:
    async with one.database.transaction(scope=Scope.IDENTITY) as session:
        return await session.get_one(StepUpChallenge, UUID(first["challenge"]["challenge_id"]))


async def caller_of(app: FastAPI, response: Response) -> Principal:
    assert response.status_code == 200, response.text
    principal: Principal = await app.state.services.authenticate(bearer(response.json()["data"]["access_token"]))
    return principal


async def test_the_password_alone_opens_nothing(person: Person, client: AsyncClient) -> None:
    response = await person.login(browser=True)
    assert response.status_code == 202
    assert set(response.json()["data"]) == {"ticket", "challenge"}
    assert "token" not in response.text
    assert "Set-Cookie" not in response.headers
    assert response.headers["Cache-Control"] == "no-store"
    ticket = response.json()["data"]["ticket"]
    assert (await client.get("/api/auth/me", headers=bearer(ticket))).status_code == 401
    assert (await client.post("/api/auth/refresh", json={"refresh_token": ticket[:200]})).status_code == 401
    assert await sessions_of(person) == []


async def test_a_code_ends_the_sign_in(person: Person, app: FastAPI, client: AsyncClient) -> None:
    first = await person.first_step()
    assert first["challenge"]["methods"] == ["totp"]
    response = await person.second_step(first, device="phone")
    data = response.json()["data"]
    assert (await caller_of(app, response)).authenticated_by == ("pwd", "otp", "mfa")
    assert data["user"]["email"] == person.email
    renewed = await client.post("/api/auth/refresh", json={"refresh_token": data["refresh_token"], "device": "phone"})
    assert (await caller_of(app, renewed)).authenticated_by == ("pwd", "otp", "mfa")


async def test_a_passkey_ends_the_sign_in(person: Person, app: FastAPI) -> None:
    await person.add_passkey()
    first = await person.first_step()
    assert first["challenge"]["methods"] == ["totp", "webauthn"]
    response = await person.second_step(first, credential=person.key.get(first["challenge"]["webauthn"]))
    assert (await caller_of(app, response)).authenticated_by == ("pwd", "swk", "user", "mfa")


async def test_a_wrong_password_asks_for_no_factor(person: Person) -> None:
    """With a second factor and without, known and unknown: one answer."""
    bare = await another(person, app_too=False)
    nobody = Person(bare.client, bare.database, bare.clock, bare.factors, f"{uuid4().hex}@example.com", uuid4())
    answers = [await one.login("a wrong password") for one in (person, bare, nobody)]
    assert {(one.status_code, one.json()["error"]["message"]) for one in answers} == {
        (401, "The sign-in name or the password is wrong. Check both and try again.")
    }
    async with person.database.transaction(scope=Scope.IDENTITY) as session:
        begun = select(func.count()).select_from(StepUpChallenge).where(StepUpChallenge.user_id == person.user_id)
        assert await session.scalar(begun) == 0


async def test_a_ticket_is_no_use_with_anothers_challenge(person: Person) -> None:
    other = await another(person)
    mine, theirs = await person.first_step(), await other.first_step()
    codes = [person.code(), other.code()]
    for ticket, challenge in ((mine, theirs), (theirs, mine)):
        mixed = {"ticket": ticket["ticket"], "challenge": challenge["challenge"]}
        for code in codes:
            assert code_of(await person.second_step(mixed, code=code)) == (401, "UNAUTHENTICATED")
    assert [(await challenge_row(one, first)).failures for one, first in ((person, mine), (other, theirs))] == [0, 0]
    assert await sessions_of(person) == await sessions_of(other) == []
    assert (await person.second_step(mine, code=codes[0])).status_code == 200


async def test_a_ticket_is_no_use_with_another_challenge_of_ones_own(person: Person) -> None:
    one, other = await person.first_step(), await person.first_step()
    mixed = {"ticket": one["ticket"], "challenge": other["challenge"]}
    assert code_of(await person.second_step(mixed)) == (401, "UNAUTHENTICATED")


async def test_a_ticket_is_used_once(person: Person) -> None:
    first = await person.first_step()
    assert (await person.second_step(first)).status_code == 200
    again = await person.second_step(first)
    assert code_of(again) == (403, "STEP_UP_REQUIRED")
    assert again.json()["error"]["details"] == {"reason": "used", "attempts_left": 0}
    assert len(await sessions_of(person)) == 1


async def test_of_two_answers_at_once_one_counts(person: Person) -> None:
    await person.add_passkey()
    first = await person.first_step()
    credential = person.key.get(first["challenge"]["webauthn"])
    both = await asyncio.gather(
        person.second_step(first, code=person.code()), person.second_step(first, credential=credential)
    )
    assert sorted(one.status_code for one in both) == [200, 403]
    assert len(await sessions_of(person)) == 1


async def test_a_challenge_begun_for_something_else_ends_no_sign_in(person: Person) -> None:
    """Neither with the ticket of a sign-in, nor with one that was sealed for that challenge, as only we could."""
    first = await person.first_step()
    async with person.database.transaction(scope=Scope.IDENTITY) as session:
        change = await person.factors.begin_step_up(session, person.user_id, Action.TOTP_DISABLE)
    mixed = {"ticket": first["ticket"], "challenge": {"challenge_id": str(change.id)}}
    assert code_of(await person.second_step(mixed)) == (401, "UNAUTHENTICATED")
    ticket = TICKETS.open(first["ticket"], UUID(first["challenge"]["challenge_id"]))
    forged = await person.second_step({**mixed, "ticket": TICKETS.seal(ticket, change.id)})
    assert forged.json()["error"]["details"]["reason"] == "other_operation"
    assert await sessions_of(person) == []


async def test_a_challenge_of_a_sign_in_changes_no_factor(person: Person, client: AsyncClient) -> None:
    token = (await person.second_step(await person.first_step())).json()["data"]["access_token"]
    first = await person.first_step()
    proof = {"challenge_id": first["challenge"]["challenge_id"], "code": person.code()}
    for path in ("totp/disable", "totp/enrol", "webauthn/register/options"):
        refused = await client.post(f"/api/auth/mfa/{path}", json={"step_up": proof}, headers=bearer(token))
        assert code_of(refused) == (403, "STEP_UP_REQUIRED")
        assert refused.json()["error"]["details"]["reason"] == "other_operation"
    assert (await person.factors_status()).totp


@pytest.mark.parametrize(
    "change", ["suspended", "back again", "password", "role", "tokens taken back", "factors reset"]
)
async def test_whoever_changed_between_the_steps_is_refused(person: Person, app: FastAPI, change: str) -> None:
    first, accounts = await person.first_step(), app.state.services.identity.accounts
    async with person.database.transaction(scope=Scope.IDENTITY) as session:
        row = update(User).where(User.id == person.user_id)
        if change == "password":
            await session.execute(row.values(password_changed_at=utc_now()))
        elif change == "role":
            await accounts.set_role(session, person.user_id, Role.PREMIUM)
        elif change == "factors reset":
            await accounts.reset_second_factors(session, person.user_id)
        elif change == "tokens taken back":
            await session.execute(row.values(token_epoch=User.token_epoch + 1))
        else:
            await accounts.suspend(session, person.user_id)
        if change == "back again":
            await accounts.reinstate(session, person.user_id)
    assert code_of(await person.second_step(first)) == (401, "UNAUTHENTICATED")
    assert await sessions_of(person) == []


async def test_a_factor_removed_between_the_steps_proves_nothing(person: Person) -> None:
    first = await person.first_step()
    async with person.database.transaction(scope=Scope.IDENTITY) as session:
        await session.execute(delete(TotpSecret).where(TotpSecret.user_id == person.user_id))
    assert code_of(await person.second_step(first)) == (403, "STEP_UP_REQUIRED")
    assert await sessions_of(person) == []


async def test_after_a_reset_the_password_signs_in_and_a_new_factor_can_be_set_up(
    person: Person, app: FastAPI, client: AsyncClient
) -> None:
    before = (await person.second_step(await person.first_step())).json()["data"]["access_token"]
    accounts = app.state.services.identity.accounts
    async with person.database.transaction(scope=Scope.IDENTITY) as session:
        assert await accounts.reset_second_factors(session, person.user_id)
        assert not await accounts.reset_second_factors(session, uuid4())
    assert (await client.get("/api/auth/me", headers=bearer(before))).status_code == 401
    response = await person.login()
    assert (await caller_of(app, response)).authenticated_by == ("pwd",)
    token = response.json()["data"]["access_token"]
    assert (await client.post("/api/auth/mfa/totp/enrol", headers=bearer(token))).status_code == 200


async def test_a_failure_is_counted_though_the_request_is_refused(person: Person) -> None:
    first = await person.first_step()
    for failures in range(1, 6):
        refused = await person.second_step(first, code=wrong_code(person.secret, person.clock))
        assert code_of(refused) == (403, "STEP_UP_REQUIRED")
        assert refused.json()["error"]["details"] == {"reason": "wrong", "attempts_left": 5 - failures}
        assert (await challenge_row(person, first)).failures == failures
    locked = await person.second_step(first)
    assert locked.json()["error"]["details"] == {"reason": "locked", "attempts_left": 0}
    assert await sessions_of(person) == []


async def test_a_sign_in_is_over_after_two_minutes(person: Person) -> None:
    first = await person.first_step()
    person.clock.advance(seconds=120)
    refused = await person.second_step(first)
    assert code_of(refused) == (401, "UNAUTHENTICATED")
    assert refused.json()["error"]["message"].startswith("This sign-in is over.")
    assert refused.headers["WWW-Authenticate"] == "Bearer"


async def test_guesses_are_forgiven_after_the_whole_sign_in_alone(person: Person) -> None:
    for _ in range(3):
        assert (await person.login("a wrong password")).status_code == 401
    first = await person.first_step()
    assert (await person.login("a wrong password")).status_code == 401
    assert (await person.login()).status_code == 429, "the first step forgave nothing"
    assert (await person.second_step(first)).status_code == 200
    for _ in range(4):
        assert (await person.login("a wrong password")).status_code == 401
    assert (await person.login()).status_code == 202


async def test_the_second_step_forgives_its_own_name_alone(person: Person) -> None:
    other = await another(person)
    for _ in range(5):
        await other.login("a wrong password")
    assert (await person.second_step(await person.first_step())).status_code == 200
    assert (await other.login()).status_code == 429


async def test_too_many_challenges_are_refused_and_count_as_tries(
    person: Person, still: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_banking.identity.step_up.MAX_BEGUN", 1)
    await person.first_step()
    refused = await person.login()
    assert code_of(refused) == (429, "RATE_LIMIT_EXCEEDED")
    assert int(refused.headers["Retry-After"]) == 900
    async with person.database.transaction(scope=Scope.IDENTITY) as session:
        counted = select(func.max(SignInFailure.failures)).where(SignInFailure.last_failed_at == still)
        assert await session.scalar(counted) == 2


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"code": "123456", "credential": {}},
        {"code": "zebra1"},
        {"code": "123456", "ticket": ""},
        {"code": "123456", "ticket": "zebra" * 300},
        {"code": "123456", "ticket": ["zebra"]},
        {"code": "123456", "challenge_id": "zebra"},
        {"code": "123456", "browser": "true"},
        {"code": "123456", "zebra": 1},
    ],
)
async def test_a_second_step_of_another_form_is_refused_without_an_echo(
    client: AsyncClient, body: dict[str, Any]
) -> None:
    sent = {"ticket": "zebra", "challenge_id": str(uuid4()), **body}
    response = await client.post("/api/auth/login/second-factor", json=sent)
    assert code_of(response) == (422, "INVALID_REQUEST")
    assert "zebra" not in response.text


async def test_the_log_tells_of_both_steps_and_holds_no_ticket_or_code(person: Person) -> None:
    with capture_logs() as entries:
        first = await person.first_step()
        code = person.code()
        assert (await person.second_step(first, code=code)).status_code == 200
    assert {"second factor asked for", "signed in"} <= {one["event"] for one in entries}
    said = repr([one for one in entries if one["event"] != "request"])
    assert [secret for secret in (person.email, PASSWORD, first["ticket"], f"'{code}'") if secret in said] == []


def test_the_schema_tells_of_both_answers(app: FastAPI) -> None:
    schema = app.openapi()
    answers = schema["paths"]["/api/auth/login"]["post"]["responses"]
    models = {status: answers[status]["content"]["application/json"]["schema"]["$ref"] for status in ("200", "202")}
    assert models == {
        "200": "#/components/schemas/Envelope_SignedInBody_",
        "202": "#/components/schemas/Envelope_SecondFactorNeededBody_",
    }
    tokens = schema["components"]["schemas"]["SignedInBody"]
    assert {"type": "null"} in tokens["properties"]["refresh_token"]["anyOf"]
    assert "refresh_token" in tokens["required"]


async def test_with_a_second_factor_a_new_password_needs_a_sign_in_of_late(
    person: Person, client: AsyncClient, database: Database
) -> None:
    """ASVS 5.0, 7.5.1: the old password is one factor; the sign-in was by both."""
    token = (await person.second_step(await person.first_step())).json()["data"]["access_token"]
    body = {"old_password": PASSWORD, "new_password": "nine violet ladders under a loud fridge"}
    families = update(TokenFamily).where(TokenFamily.user_id == person.user_id)
    for moved, expected in ((-SIGN_IN_IS_RECENT, 403), (SIGN_IN_IS_RECENT, 200)):
        async with database.transaction(scope=Scope.IDENTITY) as session:
            await session.execute(families.values(created_at=TokenFamily.created_at + moved))
        answer = await client.post("/api/auth/password", json=body, headers=bearer(token))
        assert answer.status_code == expected, answer.text
        if expected == 403:
            assert answer.json()["error"]["details"] == {"reason": "sign_in_again"}
