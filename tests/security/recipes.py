"""How to make a request that each route takes. **A new route needs its line here**, or the access matrix fails by name.

A recipe says nothing about who may call: that is the route's declared policy. It says what to send, and of each id in
the request which table the thing lies in, so that the matrix can put in the caller's own, somebody else's, and one that
there is not. Ids are found in the schema: one that no recipe names fails as well.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.api.pages import static_folder
from llm_banking.identity.admission import SecondFactorNeeded
from llm_banking.identity.models import User, WebauthnCredential
from llm_banking.identity.principal import Permission, Principal
from llm_banking.identity.second_factors import Action
from llm_banking.identity.totp import hotp, step_at
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Scope
from tests.identity.people import decode_secret, with_passkey
from tests.identity.software_authenticator import SoftwareAuthenticator
from tests.security.stage import PASSWORD, Actor, Caller, Stage

Ids = Mapping[str, UUID]
"""The ids that a request names, by place: `path.session_id`, `query.user_id`, `body.step_up.challenge_id`."""
Body = Callable[[Stage, Actor, Ids], Awaitable[dict[str, Any] | None]]


@dataclass(frozen=True)
class Thing:
    """What an id names: a row of a table. `refusal` is what a caller is told whose thing it is not.

    None: the id is not looked up at all, and somebody else's does what any other does. `having`: what somebody else's
    must be like, to be what the route looks for. `anyones`: whoever may call may name anybody's, and no other refusal
    than `refusal` is for one that there is not.
    """

    table: str
    refusal: str | None = "NOT_FOUND"
    having: Mapping[str, Any] = field(default_factory=dict)
    anyones: bool = False


def fine(_: Caller) -> str | None:
    """Whoever may call gets a success."""
    return None


def persons_only(caller: Caller) -> str | None:
    """A program has no session to end and no password to change."""
    return None if caller.signed_in else "FORBIDDEN"


def demo_only(_: Caller) -> str | None:
    """Only the demo principal, which the stage does not have."""
    return "FORBIDDEN"


def no_provider(_: Caller) -> str | None:
    """The stage has no provider set up; tests/api/test_oauth_takeover.py is about those who have."""
    return "NOT_FOUND"


def no_such_code(_: Caller) -> str | None:
    """Codes come from a provider's callback alone."""
    return "UNAUTHENTICATED"


def built_page(name: str) -> Callable[[Caller], str | None]:
    """A file of the web page, where it was built."""
    return lambda _: None if (static_folder() / name).is_file() else "NOT_FOUND"


@dataclass(frozen=True)
class Recipe:
    """A valid request. What is not said is not sent.

    `answers`: None for a success, or the code of the documented error that a caller meets who may call.
    `without`: tables in which the caller has no row yet. `hidden`: why the route is not in the schema; a hidden route
    must be for anyone. `own`: the refusal that a caller meets about what is their own. `shows_others`: why the answer
    holds other people's things.
    """

    body: dict[str, Any] | Body | None = None
    ids: Mapping[str, Thing] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    path: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    answers: Callable[[Caller], str | None] = fine
    without: frozenset[str] = frozenset()
    hidden: str | None = None
    own: str | None = None
    shows_others: str | None = None


SESSION = {"path.session_id": Thing("chat_sessions")}
KEY = {"path.key_id": Thing("api_keys")}
ACCOUNT = {"path.account_id": Thing("accounts")}
CARD = {"path.card_id": Thing("cards")}
PENDING = Thing("pending_operations")
SCHEDULE = {"path.schedule_id": Thing("scheduled_payments")}
MYSELF = Thing("users", refusal="FORBIDDEN")
TAKEN = {"status": "taken", "closed_at": None}
HANDOFF = Thing("handoffs", having=TAKEN)
CHALLENGE = Thing("step_up_challenges", "STEP_UP_REQUIRED", {"pending_id": uuid4()})
UNDECIDED = {"status": "open", "decided_at": None, "decided_by": None}
RECEIVED = {"status": "received", "changed_by": None}
NO_FACTOR = frozenset({"totp_secrets", "webauthn_credentials"})
BALANCE = "What is my balance?"


async def a_registration(stage: Stage, caller: Actor, ids: Ids) -> dict[str, Any]:
    return {"email": f"{uuid4().hex}@example.com", "password": PASSWORD, "display_name": "Somebody new"}


async def a_sign_in(stage: Stage, caller: Actor, ids: Ids) -> dict[str, Any]:
    return {"email": caller.email, "password": PASSWORD}


async def a_second_step(stage: Stage, caller: Actor, ids: Ids) -> dict[str, Any]:
    async with stage.services.database.transaction(visible_to=[caller.id]) as session:
        secret = await _app(stage, session, caller)
    async with stage.services.database.transaction(scope=Scope.IDENTITY) as session:
        user = await session.get_one(User, caller.id)
        begun = await stage.services.identity.admission.admit(session, user, device=None, authenticated_by=("pwd",))
    assert isinstance(begun, SecondFactorNeeded)
    return {"ticket": begun.ticket, "challenge_id": str(begun.challenge.id), "code": code_of(secret)}


async def a_refresh(stage: Stage, caller: Actor, ids: Ids) -> dict[str, Any]:
    async with stage.services.database.transaction(scope=Scope.IDENTITY) as session:
        user = await session.get_one(User, caller.id)
        opened = await stage.services.identity.families.open(session, user, device=None, authenticated_by=("pwd",))
    return {"refresh_token": opened.refresh_token}


async def in_own_hands(stage: Stage, caller: Actor, ids: Ids) -> None:
    """The caller's conversation is in the caller's hands; the request has no body."""
    await stage.change("handoffs", caller.object_id("handoffs"), TAKEN)


async def a_reply(stage: Stage, caller: Actor, ids: Ids) -> dict[str, Any]:
    await in_own_hands(stage, caller, ids)
    return {"text": "A person is here."}


def code_of(secret: str, step: int = 0) -> str:
    """What the app shows now, or a step of half a minute away from now."""
    return hotp(decode_secret(secret), step_at(utc_now()) + step)


async def _app(stage: Stage, session: AsyncSession, caller: Actor) -> str:
    """The caller sets up an authenticator app; the step before this one is used up, so that this one's code is good."""
    factors = stage.services.identity.second_factors
    secret = (await factors.totp.enrol(session, caller.id, "somebody")).secret
    await factors.totp.confirm(session, caller.id, code_of(secret, -1))
    return secret


async def a_code_to_confirm(stage: Stage, caller: Actor, ids: Ids) -> dict[str, Any]:
    async with stage.services.database.transaction(visible_to=[caller.id]) as session:
        enrolled = await stage.services.identity.second_factors.totp.enrol(session, caller.id, "somebody")
    return {"code": code_of(enrolled.secret)}


async def a_step_up(stage: Stage, caller: Actor, ids: Ids) -> dict[str, Any]:
    async with stage.services.database.transaction(visible_to=[caller.id]) as session:
        await _app(stage, session, caller)
    return {"action": Action.WEBAUTHN_DELETE.value}


async def _proof(stage: Stage, session: AsyncSession, caller: Actor, action: Action) -> dict[str, Any]:
    """The caller, who has an app alone, proves with its code that they want this."""
    secret = await _app(stage, session, caller)
    challenge = await stage.services.identity.second_factors.begin_step_up(session, caller.id, action)
    return {"challenge_id": str(challenge.id), "code": code_of(secret)}


async def _proof_by_passkey(
    stage: Stage, session: AsyncSession, caller: Actor, action: Action, passkey_id: UUID | None = None
) -> dict[str, Any]:
    """The same for a caller who has a passkey alone; the one that is named, if one is."""
    factors, authenticator = stage.services.identity.second_factors, SoftwareAuthenticator()
    made = await with_passkey(session, factors, caller.id, authenticator)
    if passkey_id is not None:
        await session.execute(update(WebauthnCredential).where(WebauthnCredential.id == made).values(id=passkey_id))
        session.expire_all()
    challenge = await factors.begin_step_up(session, caller.id, action, passkey_id)
    assert challenge.webauthn is not None
    return {"challenge_id": str(challenge.id), "credential": authenticator.get(challenge.webauthn)}


async def a_proof_to_disable(stage: Stage, caller: Actor, ids: Ids) -> dict[str, Any]:
    async with stage.services.database.transaction(visible_to=[caller.id]) as session:
        return {"step_up": await _proof(stage, session, caller, Action.TOTP_DISABLE)}


async def a_proof_to_register(stage: Stage, caller: Actor, ids: Ids) -> dict[str, Any]:
    async with stage.services.database.transaction(visible_to=[caller.id]) as session:
        return {"step_up": await _proof(stage, session, caller, Action.WEBAUTHN_REGISTER)}


async def a_proof_to_enrol(stage: Stage, caller: Actor, ids: Ids) -> dict[str, Any]:
    async with stage.services.database.transaction(visible_to=[caller.id]) as session:
        return {"step_up": await _proof_by_passkey(stage, session, caller, Action.TOTP_ENROL)}


async def a_proof_to_delete(stage: Stage, caller: Actor, ids: Ids) -> dict[str, Any]:
    """Good for the passkey that is named. For one that is not the caller's, an app's code: nothing else refuses."""
    passkey_id, action = ids["path.passkey_id"], Action.WEBAUTHN_DELETE
    async with stage.services.database.transaction(visible_to=[caller.id]) as session:
        if passkey_id == caller.object_id("webauthn_credentials"):
            return {"step_up": await _proof_by_passkey(stage, session, caller, action, passkey_id)}
        secret = await _app(stage, session, caller)
        challenge = await stage.services.identity.second_factors.begin_step_up(session, caller.id, action, passkey_id)
    return {"step_up": {"challenge_id": str(challenge.id), "code": code_of(secret)}}


async def a_passkey(stage: Stage, caller: Actor, ids: Ids) -> dict[str, Any]:
    async with stage.services.database.transaction(visible_to=[caller.id]) as session:
        begun = await stage.services.identity.second_factors.begin_passkey(
            session, caller.id, None, session_id=caller.object_id("token_families")
        )
    assert not hasattr(begun, "reason"), begun
    credential = SoftwareAuthenticator().create(begun.options)
    return {"challenge_id": str(begun.challenge_id), "credential": credential, "name": "phone"}


async def a_transfer(stage: Stage, caller: Actor, ids: Ids) -> dict[str, Any]:
    """To the payee that is named; of a card, charge or account where those that are named are not the caller's."""
    sent = {"from_account": str(ids["body.from_account"]), "amount": "0.01", "currency": "USD"}
    if ids["body.entry_id"] != caller.object_id("ledger_entries"):
        return {"kind": "dispute", "entry_id": str(ids["body.entry_id"]), "reason": "charged_twice"}
    if ids["body.card_id"] != caller.object_id("cards"):
        return {"kind": "card_freeze", "card_id": str(ids["body.card_id"])}
    if ids["body.to_account"] != caller.object_id("accounts"):
        return {"kind": "own_transfer", "to_account": str(ids["body.to_account"]), **sent}
    return {"kind": "payee_transfer", "payee_id": str(ids["body.payee_id"]), **sent}


async def a_confirmation(stage: Stage, caller: Actor, ids: Ids) -> dict[str, Any]:
    """The first payment to a payee: the caller, who has an app alone, proves with its code that they want it."""
    await stage.change("payees", caller.object_id("payees"), {"first_paid_at": None})
    may = frozenset({Permission.BANKING_WRITE})
    caller_of = Principal(caller.id, str(caller.id), may, frozenset({caller.id}))
    async with stage.services.database.transaction(visible_to=[caller.id]) as session:
        secret = await _app(stage, session, caller)
        own = caller.object_id("pending_operations")
        challenge = await stage.services.gate.begin_step_up(session, caller_of, own)
    assert challenge is not None
    return {"step_up": {"challenge_id": str(challenge.id), "code": code_of(secret)}}


async def a_decision(stage: Stage, caller: Actor, ids: Ids) -> dict[str, Any]:
    return {"approve": True, **await a_confirmation(stage, caller, ids)}


RECIPES: dict[str, Recipe] = {
    "GET /health": Recipe(),
    "GET /health/ready": Recipe(),
    "GET /health/live": Recipe(),
    "GET /health/metrics": Recipe(),
    "GET /health/detailed": Recipe(),
    "HEAD /health": Recipe(hidden="the same as GET, for load tools"),
    "POST /health": Recipe(hidden="the same as GET, for load tools"),
    "GET /metrics": Recipe(hidden="the text format of Prometheus, not JSON"),
    "GET /": Recipe(hidden="the web page", answers=built_page("index.html")),
    "GET /favicon.svg": Recipe(hidden="the web page's icon", answers=built_page("favicon.svg")),
    "GET /openapi.json": Recipe(hidden="the schema itself"),
    "GET /docs": Recipe(hidden="the schema as a page"),
    "GET /.well-known/jwks.json": Recipe(),
    "POST /api/auth/register": Recipe(body=a_registration),
    "POST /api/auth/login": Recipe(body=a_sign_in),
    "POST /api/auth/login/second-factor": Recipe(
        body=a_second_step,
        ids={"body.challenge_id": Thing("step_up_challenges", "UNAUTHENTICATED")},
        without=NO_FACTOR,
    ),
    "GET /api/auth/oauth/{provider}/login": Recipe(path={"provider": "google"}, answers=no_provider),
    "GET /api/auth/oauth/{provider}/callback": Recipe(path={"provider": "google"}, answers=no_provider),
    "POST /api/auth/oauth/{provider}/link": Recipe(path={"provider": "google"}, answers=no_provider),
    "POST /api/auth/oauth/exchange": Recipe(body={"code": "x" * 43}, answers=no_such_code),
    "POST /api/auth/refresh": Recipe(body=a_refresh),
    "POST /api/auth/logout": Recipe(answers=persons_only),
    "GET /api/auth/sessions": Recipe(answers=persons_only),
    "POST /api/auth/sessions/others/end": Recipe(answers=persons_only),
    "DELETE /api/auth/sessions/{session_id}": Recipe(
        ids={"path.session_id": Thing("token_families")}, answers=persons_only
    ),
    "GET /api/auth/me": Recipe(),
    "POST /api/auth/password": Recipe(
        body={"old_password": PASSWORD, "new_password": "eleven slow otters mend the wall"}, answers=persons_only
    ),
    "GET /api/auth/api-keys": Recipe(),
    "POST /api/auth/api-keys": Recipe(body={"name": "another", "scopes": ["chat:read"], "lifetime_days": 1}),
    "POST /api/auth/api-keys/{key_id}/rotate": Recipe(body={"lifetime_days": 1}, ids=KEY),
    "DELETE /api/auth/api-keys/{key_id}": Recipe(ids=KEY),
    "GET /api/auth/mfa/status": Recipe(),
    "POST /api/auth/mfa/step-up": Recipe(
        body=a_step_up,
        ids={"body.passkey_id": Thing("webauthn_credentials", refusal=None)},
        without=NO_FACTOR,
    ),
    "POST /api/auth/mfa/totp/enrol": Recipe(
        body=a_proof_to_enrol, ids={"body.step_up.challenge_id": CHALLENGE}, without=NO_FACTOR
    ),
    "POST /api/auth/mfa/totp/confirm": Recipe(body=a_code_to_confirm, without=NO_FACTOR),
    "POST /api/auth/mfa/totp/disable": Recipe(
        body=a_proof_to_disable, ids={"body.step_up.challenge_id": CHALLENGE}, without=NO_FACTOR
    ),
    "POST /api/auth/mfa/webauthn/register/options": Recipe(
        body=a_proof_to_register, ids={"body.step_up.challenge_id": CHALLENGE}, without=NO_FACTOR
    ),
    "POST /api/auth/mfa/webauthn/register": Recipe(
        body=a_passkey,
        ids={"body.challenge_id": Thing("step_up_challenges", "STEP_UP_REQUIRED", {"method": "enrolment"})},
        without=NO_FACTOR,
    ),
    "GET /api/auth/mfa/webauthn": Recipe(),
    "POST /api/auth/mfa/webauthn/{passkey_id}/delete": Recipe(
        body=a_proof_to_delete,
        ids={"path.passkey_id": Thing("webauthn_credentials"), "body.step_up.challenge_id": CHALLENGE},
        without=NO_FACTOR,
    ),
    "POST /api/admin/users/{user_id}/sessions/end": Recipe(ids={"path.user_id": Thing("users", anyones=True)}),
    "POST /api/v1/chat": Recipe(
        body={"message": BALANCE},
        ids={
            "body.customer_id": MYSELF,
            "body.session_id": Thing("chat_sessions"),
            "body.account_id": Thing("accounts"),
        },
    ),
    "POST /api/v2/chat": Recipe(
        body={"message": BALANCE},
        ids={"body.user_id": MYSELF, "body.session_id": Thing("chat_sessions")},
    ),
    "GET /api/v2/sessions": Recipe(ids={"query.user_id": MYSELF}),
    "GET /api/v2/sessions/{session_id}": Recipe(ids=SESSION),
    "GET /api/v2/sessions/{session_id}/messages": Recipe(ids=SESSION),
    "PATCH /api/v2/sessions/{session_id}": Recipe(body={"title": "Another title"}, ids=SESSION),
    "DELETE /api/v2/sessions/{session_id}": Recipe(ids=SESSION),
    "POST /api/v2/sessions/{session_id}/hand-back": Recipe(ids=SESSION),
    "GET /api/v2/agent/queue": Recipe(body=in_own_hands),
    "POST /api/v2/agent/handoffs/{handoff_id}/take": Recipe(
        body=in_own_hands, ids={"path.handoff_id": Thing("handoffs", "CONFLICT", TAKEN)}
    ),
    "GET /api/v2/agent/handoffs/{handoff_id}": Recipe(body=in_own_hands, ids={"path.handoff_id": HANDOFF}),
    "POST /api/v2/agent/handoffs/{handoff_id}/reply": Recipe(body=a_reply, ids={"path.handoff_id": HANDOFF}),
    "POST /api/v2/agent/handoffs/{handoff_id}/hand-back": Recipe(body=in_own_hands, ids={"path.handoff_id": HANDOFF}),
    "POST /api/v2/messages/{message_id}/feedback": Recipe(
        body={"rating": 1}, ids={"path.message_id": Thing("chat_messages")}
    ),
    "GET /api/v2/accounts": Recipe(),
    "GET /api/v2/accounts/{account_id}": Recipe(ids=ACCOUNT),
    "GET /api/v2/accounts/{account_id}/transactions": Recipe(ids=ACCOUNT),
    "GET /api/v2/accounts/{account_id}/statement": Recipe(ids=ACCOUNT),
    "GET /api/v2/cards": Recipe(),
    "POST /api/v2/cards/{card_id}/freeze": Recipe(ids=CARD),
    "POST /api/v2/cards/{card_id}/unfreeze": Recipe(ids=CARD),
    "POST /api/v2/chat/confirmations/{pending_id}": Recipe(
        body=a_decision,
        ids={"path.pending_id": PENDING, "body.step_up.challenge_id": CHALLENGE},
        without=NO_FACTOR,
    ),
    "GET /api/v2/operations": Recipe(),
    "POST /api/v2/operations": Recipe(
        body=a_transfer,
        ids={
            "body.from_account": Thing("accounts"),
            "body.to_account": Thing("accounts"),
            "body.payee_id": Thing("payees"),
            "body.card_id": Thing("cards"),
            "body.entry_id": Thing("ledger_entries"),
        },
        headers={"Idempotency-Key": "a-key-of-a-client"},
    ),
    "GET /api/v2/operations/{operation_id}": Recipe(ids={"path.operation_id": PENDING}),
    "POST /api/v2/operations/{operation_id}/step-up": Recipe(ids={"path.operation_id": PENDING}),
    "POST /api/v2/operations/{operation_id}/confirm": Recipe(
        body=a_confirmation,
        ids={"path.operation_id": PENDING, "body.step_up.challenge_id": CHALLENGE},
        without=NO_FACTOR,
    ),
    "GET /api/v2/scheduled-payments": Recipe(),
    "GET /api/v2/scheduled-payments/{schedule_id}": Recipe(ids=SCHEDULE),
    "POST /api/v2/scheduled-payments/{schedule_id}/cancel": Recipe(ids=SCHEDULE),
    "GET /api/v2/disputes": Recipe(),
    "GET /api/agent/disputes": Recipe(shows_others="an agent decides what customers dispute"),
    "POST /api/agent/disputes/{dispute_id}/decision": Recipe(
        body={"outcome": "for_merchant"},
        ids={"path.dispute_id": Thing("disputes", having=UNDECIDED, anyones=True)},
        own="FORBIDDEN",
        shows_others="an agent decides what customers dispute",
    ),
    "GET /api/v2/loans/quote": Recipe(query={"amount": "5000.00", "months": "24"}),
    "GET /api/v2/loan-applications": Recipe(),
    "GET /api/admin/loan-applications": Recipe(shows_others="an administrator decides what customers apply for"),
    "POST /api/admin/loan-applications/{application_id}/decision": Recipe(
        body={"status": "under_review"},
        ids={"path.application_id": Thing("loan_applications", having=RECEIVED, anyones=True)},
        own="FORBIDDEN",
        shows_others="an administrator decides what customers apply for",
    ),
    "GET /api/v2/payees": Recipe(),
    "POST /api/v2/payees": Recipe(body={"kind": "person", "name": "Another payee", "account_number": "12345678"}),
    "DELETE /api/v2/payees/{payee_id}": Recipe(ids={"path.payee_id": Thing("payees")}),
    "GET /api/v2/intents": Recipe(),
    "GET /api/v2/demo": Recipe(answers=demo_only),
}
