"""Routes of second factors, as a browser and an authenticator app use them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response
from sqlalchemy import select, update

from llm_banking.identity.models import StepUpChallenge, TokenFamily, TotpSecret
from llm_banking.identity.principal import Permission, Principal
from llm_banking.identity.recent_sign_in import SIGN_IN_IS_RECENT
from llm_banking.kit.database import Database, Scope
from tests.api.test_api_keys import signed_in
from tests.api.test_policies import letting_in
from tests.identity.people import (
    Clock,
    add_session,
    code_now,
    committed_user,
    decode_secret,
    second_factors,
    wrong_code,
)
from tests.identity.software_authenticator import EDDSA, ES256, SoftwareAuthenticator

URL = "/api/auth/mfa"


@dataclass
class Browser:
    """A signed-in customer's browser, app and passkey."""

    client: AsyncClient
    clock: Clock
    user_id: UUID
    key: SoftwareAuthenticator = field(default_factory=SoftwareAuthenticator)
    secret: bytes = b""

    async def post(self, path: str, **body: Any) -> Response:
        return await self.client.post(f"{URL}/{path}", json=body)

    async def done(self, path: str, **body: Any) -> dict[str, Any]:
        response = await self.post(path, **body)
        assert response.status_code in (200, 201), response.text
        return response.json()["data"]

    async def status(self) -> dict[str, Any]:
        return (await self.client.get(f"{URL}/status")).json()["data"]

    async def challenge(self, action: str, **more: Any) -> dict[str, Any]:
        return await self.done("step-up", action=action, **more)

    async def proof(self, action: str, **more: Any) -> dict[str, Any]:
        """A good answer, by the method that the server asks for."""
        challenge = await self.challenge(action, **more)
        answer: dict[str, Any] = {"challenge_id": challenge["challenge_id"]}
        if challenge["webauthn"]:
            return answer | {"credential": self.key.get(challenge["webauthn"])}
        self.clock.advance(seconds=30)
        return answer | {"code": code_now(self.secret, self.clock)}

    async def set_up_totp(self, **body: Any) -> None:
        self.secret = decode_secret((await self.done("totp/enrol", **body))["secret"])
        await self.done("totp/confirm", code=code_now(self.secret, self.clock))

    async def set_up_passkey(self, **body: Any) -> str:
        begun = await self.done("webauthn/register/options", **body)
        credential = self.key.create(begun["options"])
        made = await self.done(
            "webauthn/register", challenge_id=begun["challenge_id"], credential=credential, name="phone"
        )
        return made["id"]


def as_caller(app: FastAPI, caller: Principal) -> AbstractContextManager[None]:
    return letting_in(app, lambda _: caller)


async def just_signed_in(database: Database, user_id: UUID, clock: Clock) -> Principal:
    """A caller whose session was opened now."""
    async with database.transaction(scope=Scope.IDENTITY) as session:
        return replace(signed_in(user_id), session_id=await add_session(session, user_id, clock()))


@pytest.fixture
async def browser(app: FastAPI, database: Database, client: AsyncClient) -> AsyncIterator[Browser]:
    """A customer, signed in, on a clock of ours."""
    clock = Clock()
    async with committed_user(database) as user_id:
        caller = await just_signed_in(database, user_id, clock)
        with letting_in(app, lambda _: caller):
            services = app.state.services
            identity = replace(services.identity, second_factors=second_factors(clock))
            app.state.services = replace(services, identity=identity)
            yield Browser(client, clock, user_id)


def code_of(response: Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


async def test_an_authenticator_app_is_set_up_and_removed(browser: Browser) -> None:
    response = await browser.post("totp/enrol")
    assert response.headers["Cache-Control"] == "no-store"
    begun = response.json()["data"]
    secret = decode_secret(begun["secret"])
    assert begun["uri"].startswith("otpauth://totp/")
    assert begun["secret"] in begun["uri"]
    assert not (await browser.status())["totp"]
    refused = await browser.post("totp/confirm", code=wrong_code(secret, browser.clock))
    assert code_of(refused) == (422, "INVALID_REQUEST")
    assert (await browser.done("totp/confirm", code=code_now(secret, browser.clock)))["totp"]
    browser.secret = secret
    assert code_of(await browser.post("totp/confirm", code=code_now(secret, browser.clock))) == (409, "CONFLICT")
    assert (await browser.done("totp/disable", step_up=await browser.proof("totp.disable"))) == {
        "totp": False,
        "passkeys": [],
    }


async def test_the_body_of_an_enrolment_may_be_left_out(browser: Browser) -> None:
    assert (await browser.client.post(f"{URL}/totp/enrol")).status_code == 200
    assert (await browser.client.post(f"{URL}/webauthn/register/options")).status_code == 200


@pytest.mark.parametrize("algorithm", [ES256, EDDSA])
async def test_a_passkey_is_registered_used_and_deleted(browser: Browser, algorithm: int) -> None:
    browser.key = SoftwareAuthenticator(algorithm)
    passkey_id = await browser.set_up_passkey()
    listed = (await browser.client.get(f"{URL}/webauthn")).json()["data"]["items"]
    assert [(one["id"], one["name"], one["last_used_at"]) for one in listed] == [(passkey_id, "phone", None)]
    assert (await browser.status())["passkeys"] == listed
    proof = await browser.proof("webauthn.delete", passkey_id=passkey_id)
    assert (await browser.done(f"webauthn/{passkey_id}/delete", step_up=proof))["passkeys"] == []


async def test_whoever_has_a_factor_proves_it_before_anything_changes(browser: Browser) -> None:
    await browser.set_up_totp()
    for path in ("webauthn/register/options", "totp/enrol"):
        assert code_of(await browser.post(path)) == (403, "STEP_UP_REQUIRED")
    for path in ("totp/disable", f"webauthn/{uuid4()}/delete"):
        assert code_of(await browser.post(path)) == (422, "INVALID_REQUEST")
    await browser.set_up_passkey(step_up=await browser.proof("webauthn.register"))
    assert (await browser.challenge("totp.disable"))["methods"] == ["webauthn"], "a code removes nothing any more"
    await browser.done("totp/disable", step_up=await browser.proof("totp.disable"))
    browser.clock.advance(seconds=1)
    await browser.set_up_totp(step_up=await browser.proof("totp.enrol"))
    assert (await browser.status())["totp"]


FIRST_FACTOR = ("totp/enrol", "webauthn/register/options")


async def test_a_first_factor_needs_a_sign_in_of_late(browser: Browser) -> None:
    browser.clock.now += SIGN_IN_IS_RECENT - timedelta(microseconds=1)
    for path in FIRST_FACTOR:
        assert (await browser.post(path)).status_code == 200
    browser.clock.now += timedelta(microseconds=1)
    for path in FIRST_FACTOR:
        refused = await browser.post(path)
        assert code_of(refused) == (403, "STEP_UP_REQUIRED")
        assert refused.json()["error"]["message"].endswith("Sign in again.")
        assert refused.json()["error"]["details"] == {"reason": "sign_in_again"}


async def test_a_refresh_makes_a_session_no_younger(browser: Browser, database: Database) -> None:
    browser.clock.now += SIGN_IN_IS_RECENT
    async with database.transaction(scope=Scope.IDENTITY) as session:
        renewed = update(TokenFamily).where(TokenFamily.user_id == browser.user_id)
        await session.execute(renewed.values(last_used_at=browser.clock()))
    for path in FIRST_FACTOR:
        assert code_of(await browser.post(path)) == (403, "STEP_UP_REQUIRED")


async def test_a_first_factor_needs_a_live_session_of_the_callers_own(
    browser: Browser, app: FastAPI, database: Database
) -> None:
    async with committed_user(database) as other_id:
        theirs = await just_signed_in(database, other_id, browser.clock)
    ended = await just_signed_in(database, browser.user_id, browser.clock)
    async with database.transaction(scope=Scope.IDENTITY) as session:
        families = update(TokenFamily).where(TokenFamily.id == ended.session_id)
        await session.execute(families.values(ended_at=browser.clock()))
    own = signed_in(browser.user_id)
    callers = [own, ended, *(replace(own, session_id=one) for one in (theirs.session_id, uuid4()))]
    for caller in callers:
        with as_caller(app, caller):
            for path in FIRST_FACTOR:
                assert code_of(await browser.post(path)) == (403, "STEP_UP_REQUIRED")


@pytest.mark.parametrize("action", ["webauthn.register", "totp.disable", "totp.enrol", "webauthn.delete"])
async def test_a_change_needs_a_sign_in_of_late_beside_its_proof(
    browser: Browser, app: FastAPI, database: Database, action: str
) -> None:
    """ASVS 5.0, 7.5.1: the proof alone is one factor; it is as good after a new sign-in as it was before."""
    by_app = action in ("webauthn.register", "totp.disable")
    passkey_id = await (browser.set_up_totp() if by_app else browser.set_up_passkey())
    path = {
        "webauthn.register": "webauthn/register/options",
        "webauthn.delete": f"webauthn/{passkey_id}/delete",
    }.get(action, action.replace(".", "/"))
    browser.clock.now += SIGN_IN_IS_RECENT
    more = {"passkey_id": passkey_id} if action == "webauthn.delete" else {}
    proof, before = await browser.proof(action, **more), await browser.status()
    refused = await browser.post(path, step_up=proof)
    assert code_of(refused) == (403, "STEP_UP_REQUIRED")
    assert refused.json()["error"]["details"] == {"reason": "sign_in_again"}
    assert await browser.status() == before
    with as_caller(app, await just_signed_in(database, browser.user_id, browser.clock)):
        assert (await browser.post(path, step_up=proof)).status_code == 200


async def test_a_proof_is_good_for_its_own_change_alone(browser: Browser) -> None:
    first = await browser.set_up_passkey()
    phone, browser.key = browser.key, SoftwareAuthenticator()
    begun = await browser.challenge("webauthn.register")
    proof = {"challenge_id": begun["challenge_id"], "credential": phone.get(begun["webauthn"])}
    second = await browser.set_up_passkey(step_up=proof)
    for passkey_id, path in (
        (first, f"webauthn/{second}/delete"),
        (first, "totp/disable"),
        (first, "webauthn/register/options"),
    ):
        other = await browser.proof("webauthn.delete", passkey_id=passkey_id)
        refused = await browser.post(path, step_up=other)
        assert code_of(refused) == (403, "STEP_UP_REQUIRED")
        assert refused.json()["error"]["details"]["reason"] == "other_operation"
    assert len((await browser.status())["passkeys"]) == 2
    refused = await browser.post("webauthn/register/options", step_up=proof)
    assert refused.json()["error"]["details"]["reason"] == "used"


async def test_a_failure_is_counted_though_the_request_is_refused(browser: Browser, database: Database) -> None:
    await browser.set_up_totp()
    challenge = await browser.challenge("totp.disable")
    wrong = {"challenge_id": challenge["challenge_id"], "code": wrong_code(browser.secret, browser.clock)}
    for failures in range(1, 6):
        refused = await browser.post("totp/disable", step_up=wrong)
        assert code_of(refused) == (403, "STEP_UP_REQUIRED")
        assert wrong["code"] not in refused.json()["error"]["message"]
        async with database.transaction(scope=Scope.IDENTITY) as session:
            row = await session.get_one(StepUpChallenge, UUID(challenge["challenge_id"]))
            assert row.failures == failures
    browser.clock.advance(seconds=30)
    right = {**wrong, "code": code_now(browser.secret, browser.clock)}
    refused = await browser.post("totp/disable", step_up=right)
    assert refused.json()["error"]["details"] == {"reason": "locked", "attempts_left": 0}
    assert (await browser.status())["totp"]


async def test_failures_over_many_challenges_are_bounded(browser: Browser) -> None:
    await browser.set_up_totp()
    for _ in range(4):
        challenge = await browser.challenge("totp.disable")
        wrong = {"challenge_id": challenge["challenge_id"], "code": wrong_code(browser.secret, browser.clock)}
        for _ in range(5):
            await browser.post("totp/disable", step_up=wrong)
    refused = await browser.post("step-up", action="totp.disable")
    assert code_of(refused) == (429, "RATE_LIMIT_EXCEEDED")


async def test_a_registration_is_used_once_and_is_soon_over(browser: Browser) -> None:
    begun = await browser.done("webauthn/register/options")
    credential = browser.key.create(begun["options"])
    body = {"challenge_id": begun["challenge_id"], "credential": credential, "name": "phone"}
    await browser.done("webauthn/register", **body)
    assert code_of(await browser.post("webauthn/register", **body)) == (403, "STEP_UP_REQUIRED")
    late = await browser.done("webauthn/register/options", step_up=await browser.proof("webauthn.register"))
    browser.clock.advance(minutes=5)
    body = {**body, "challenge_id": late["challenge_id"], "credential": SoftwareAuthenticator().create(late["options"])}
    assert code_of(await browser.post("webauthn/register", **body)) == (403, "STEP_UP_REQUIRED")


async def test_an_enrolment_begun_before_a_factor_came_is_void(browser: Browser) -> None:
    """Else a stolen session could keep one ready and plant it after the customer set up the first factor."""
    planted = await browser.done("webauthn/register/options")
    secret = decode_secret((await browser.done("totp/enrol"))["secret"])
    await browser.set_up_passkey()
    body = {
        "challenge_id": planted["challenge_id"],
        "credential": SoftwareAuthenticator().create(planted["options"]),
        "name": "x",
    }
    assert code_of(await browser.post("webauthn/register", **body)) == (403, "STEP_UP_REQUIRED")
    assert code_of(await browser.post("totp/confirm", code=code_now(secret, browser.clock))) == (409, "CONFLICT")


async def test_what_is_somebody_elses_is_not_there(browser: Browser, app: FastAPI, database: Database) -> None:
    passkey_id = await browser.set_up_passkey()
    begun = await browser.done("webauthn/register/options", step_up=await browser.proof("webauthn.register"))
    challenge = await browser.challenge("webauthn.delete", passkey_id=passkey_id)
    async with committed_user(database) as other_id:
        caller = await just_signed_in(database, other_id, browser.clock)
        with letting_in(app, lambda _: caller):
            other = Browser(browser.client, browser.clock, other_id)
            assert (await other.status())["passkeys"] == []
            body = {
                "challenge_id": begun["challenge_id"],
                "credential": other.key.create(begun["options"]),
                "name": "x",
            }
            assert code_of(await other.post("webauthn/register", **body)) == (403, "STEP_UP_REQUIRED")
            await other.set_up_passkey()
            answer = {"challenge_id": challenge["challenge_id"], "credential": browser.key.get(challenge["webauthn"])}
            refused = await other.post(f"webauthn/{passkey_id}/delete", step_up=answer)
            assert refused.json()["error"]["details"]["reason"] == "unknown"
            own = await other.proof("webauthn.delete", passkey_id=passkey_id)
            assert code_of(await other.post(f"webauthn/{passkey_id}/delete", step_up=own)) == (404, "NOT_FOUND")
    assert len((await browser.status())["passkeys"]) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"code": "123456", "credential": {}},
        {"code": "zebra1"},
        {"code": "1234567"},
        {"code": "\u0661\u0662\u0663\u0664\u0665\u0666"},
        {"code": 123456},
        {"credential": []},
        {"credential": {f"zebra{number}": 1 for number in range(17)}},
    ],
)
async def test_an_answer_of_another_form_is_refused_without_an_echo(browser: Browser, answer: dict[str, Any]) -> None:
    response = await browser.post("totp/disable", step_up={"challenge_id": str(uuid4()), **answer})
    assert code_of(response) == (422, "INVALID_REQUEST")
    assert "zebra" not in response.text


async def test_the_routes_need_a_person(browser: Browser, app: FastAPI) -> None:
    """Neither a key for programs nor the demo principal may touch second factors."""
    scopes = frozenset(Permission) - {Permission.MFA_MANAGE}
    bare = Principal(browser.user_id, "program", scopes, frozenset({browser.user_id}))
    with letting_in(app, lambda _: bare):
        for path in ("status", "webauthn"):
            assert (await browser.client.get(f"{URL}/{path}")).status_code == 403
        passkeys = ("register/options", "register", f"{uuid4()}/delete")
        paths = ["step-up", *(f"totp/{one}" for one in ("enrol", "confirm", "disable"))]
        for path in [*paths, *(f"webauthn/{one}" for one in passkeys)]:
            assert (await browser.post(path)).status_code == 403


async def test_the_secret_lies_encrypted(browser: Browser, database: Database) -> None:
    await browser.set_up_totp()
    async with database.transaction(scope=Scope.IDENTITY) as session:
        stored = await session.scalar(select(TotpSecret.secret_encrypted).where(TotpSecret.user_id == browser.user_id))
    assert stored is not None
    assert browser.secret not in stored
