"""A user's second factors. A change needs a sign-in of the last 15 minutes.

Where a factor is set up, it needs a proof too: `POST step-up`, then its answer.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import Body, Request
from pydantic import Field

from llm_banking.api.auth.step_up import ChallengeBody, Code, Credential, StepUpAnswer
from llm_banking.api.dependencies import CallerDep, Services, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, Model, Timestamp, metadata_of
from llm_banking.api.text import ShortText
from llm_banking.identity.models import WebauthnCredential
from llm_banking.identity.principal import Permission, requires
from llm_banking.identity.second_factors import Action, FactorProof, FactorStatus, SecondFactors
from llm_banking.identity.step_up import Refusal

routes = router("/api/auth/mfa", "second factors")


class StepUpRequest(Model):
    """What shall be changed; `passkey_id` says which passkey shall be deleted."""

    action: Action
    passkey_id: UUID | None = None


class ChangeRequest(Model):
    """A change that needs a proof where a factor is set up already."""

    step_up: StepUpAnswer | None = None


class RemovalRequest(Model):
    """A change that always needs a proof."""

    step_up: StepUpAnswer


class CodeRequest(Model):
    """The code that the app shows now."""

    code: Annotated[Code, Field(repr=False)]


class RegisterRequest(Model):
    """What `navigator.credentials.create` gave, and a name for the passkey."""

    challenge_id: UUID
    credential: Annotated[Credential, Field(repr=False)]
    name: ShortText


class TotpBody(Model):
    """The new secret, shown this once: as text, and as the address that a QR code holds."""

    secret: Annotated[str, Field(repr=False)]
    uri: Annotated[str, Field(repr=False)]
    expires_at: Timestamp


class PasskeyOptionsBody(Model):
    """For `navigator.credentials.create`."""

    challenge_id: UUID
    expires_at: Timestamp
    options: dict[str, Any]


class PasskeyBody(Model):
    """A passkey."""

    id: UUID
    name: str
    created_at: Timestamp
    last_used_at: Timestamp | None


class PasskeyList(Model):
    """A user's passkeys, oldest first."""

    items: list[PasskeyBody]


class StatusBody(Model):
    """Which second factors count."""

    totp: bool
    passkeys: list[PasskeyBody]


def _passkey(row: WebauthnCredential) -> PasskeyBody:
    return PasskeyBody(id=row.id, name=row.name, created_at=row.created_at, last_used_at=row.last_used_at)


def _status(request: Request, status: FactorStatus) -> Envelope[StatusBody]:
    body = StatusBody(totp=status.totp, passkeys=[_passkey(row) for row in status.passkeys])
    return Envelope(data=body, metadata=metadata_of(request))


def _proof(answer: StepUpAnswer | None) -> FactorProof | None:
    return None if answer is None else FactorProof(answer.challenge_id, answer.proof)


def _factors(services: Services) -> SecondFactors:
    return services.identity.second_factors


@routes.get("/status")
@policy(requires(Permission.MFA_MANAGE))
async def get_mfa_status(request: Request, caller: CallerDep, services: ServicesDep) -> Envelope[StatusBody]:
    """The caller's second factors."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        status = await _factors(services).status(session, caller.user_id)
    return _status(request, status)


@routes.post("/step-up")
@policy(requires(Permission.MFA_MANAGE))
async def begin_mfa_step_up(
    request: Request, body: StepUpRequest, caller: CallerDep, services: ServicesDep
) -> Envelope[ChallengeBody]:
    """A challenge for one change of the caller's second factors."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        challenge = await _factors(services).begin_step_up(session, caller.user_id, body.action, body.passkey_id)
    return Envelope(data=ChallengeBody.of(challenge), metadata=metadata_of(request))


@routes.post("/totp/enrol")
@policy(requires(Permission.MFA_MANAGE))
async def enrol_totp(
    request: Request,
    caller: CallerDep,
    services: ServicesDep,
    body: Annotated[ChangeRequest | None, Body()] = None,
) -> Envelope[TotpBody]:
    """A secret for an authenticator app. It counts when a code confirms it."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        done = await _factors(services).enrol_totp(
            session, caller.user_id, _proof(body.step_up if body else None), session_id=caller.session_id
        )
    if isinstance(done, Refusal):
        raise done.error()
    data = TotpBody(secret=done.secret, uri=done.uri, expires_at=done.expires_at)
    return Envelope(data=data, metadata=metadata_of(request))


@routes.post("/totp/confirm")
@policy(requires(Permission.MFA_MANAGE))
async def confirm_totp(
    request: Request, body: CodeRequest, caller: CallerDep, services: ServicesDep
) -> Envelope[StatusBody]:
    """Make the authenticator app count."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        await _factors(services).confirm_totp(session, caller.user_id, body.code)
        status = await _factors(services).status(session, caller.user_id)
    return _status(request, status)


@routes.post("/totp/disable")
@policy(requires(Permission.MFA_MANAGE))
async def disable_totp(
    request: Request, body: RemovalRequest, caller: CallerDep, services: ServicesDep
) -> Envelope[StatusBody]:
    """Remove the authenticator app."""
    proof = FactorProof(body.step_up.challenge_id, body.step_up.proof)
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        refusal = await _factors(services).disable_totp(session, caller.user_id, proof, session_id=caller.session_id)
        status = await _factors(services).status(session, caller.user_id)
    if refusal is not None:
        raise refusal.error()
    return _status(request, status)


@routes.post("/webauthn/register/options")
@policy(requires(Permission.MFA_MANAGE))
async def begin_passkey(
    request: Request,
    caller: CallerDep,
    services: ServicesDep,
    body: Annotated[ChangeRequest | None, Body()] = None,
) -> Envelope[PasskeyOptionsBody]:
    """Options for a new passkey."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        done = await _factors(services).begin_passkey(
            session, caller.user_id, _proof(body.step_up if body else None), session_id=caller.session_id
        )
    if isinstance(done, Refusal):
        raise done.error()
    data = PasskeyOptionsBody(challenge_id=done.challenge_id, expires_at=done.expires_at, options=done.options)
    return Envelope(data=data, metadata=metadata_of(request))


@routes.post("/webauthn/register", status_code=201)
@policy(requires(Permission.MFA_MANAGE))
async def register_passkey(
    request: Request, body: RegisterRequest, caller: CallerDep, services: ServicesDep
) -> Envelope[PasskeyBody]:
    """Store a new passkey."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        row = await _factors(services).register_passkey(
            session, caller.user_id, challenge_id=body.challenge_id, credential=body.credential, name=body.name
        )
    return Envelope(data=_passkey(row), metadata=metadata_of(request))


@routes.get("/webauthn")
@policy(requires(Permission.MFA_MANAGE))
async def list_passkeys(request: Request, caller: CallerDep, services: ServicesDep) -> Envelope[PasskeyList]:
    """The caller's passkeys."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        rows = await _factors(services).passkeys.of_user(session, caller.user_id)
    return Envelope(data=PasskeyList(items=[_passkey(row) for row in rows]), metadata=metadata_of(request))


@routes.post("/webauthn/{passkey_id}/delete")
@policy(requires(Permission.MFA_MANAGE))
async def delete_passkey(
    request: Request, passkey_id: UUID, body: RemovalRequest, caller: CallerDep, services: ServicesDep
) -> Envelope[StatusBody]:
    """Delete a passkey."""
    proof = FactorProof(body.step_up.challenge_id, body.step_up.proof)
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        refusal = await _factors(services).delete_passkey(
            session, caller.user_id, passkey_id, proof, session_id=caller.session_id
        )
        status = await _factors(services).status(session, caller.user_id)
    if refusal is not None:
        raise refusal.error()
    return _status(request, status)
