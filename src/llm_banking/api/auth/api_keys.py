"""Keys for programs: list, make, rotate, revoke. No key can manage keys; a person must be signed in."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Request
from pydantic import BeforeValidator, Field

from llm_banking.api.dependencies import CallerDep, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, Model, Timestamp, metadata_of
from llm_banking.api.text import ShortText, whole_number
from llm_banking.identity.api_keys import IssuedKey
from llm_banking.identity.models import ApiKey
from llm_banking.identity.principal import Permission, requires

routes = router("/api/auth/api-keys", "api keys")

LifetimeDays = Annotated[int, Field(strict=True, ge=1, le=365), BeforeValidator(whole_number)]
OverlapHours = Annotated[int, Field(strict=True, ge=0, le=168), BeforeValidator(whole_number)]


class KeyRequest(Model):
    """A new key's name, what it may do, and after how many days it ends."""

    name: ShortText
    scopes: Annotated[list[Permission], Field(min_length=1, max_length=len(Permission))]
    lifetime_days: LifetimeDays


class RotateRequest(Model):
    """After how many days the new key ends, and for how many hours the old one works on."""

    lifetime_days: LifetimeDays
    overlap_hours: OverlapHours = 24


class KeyBody(Model):
    """A key, without its text: `prefix` is how it begins."""

    id: UUID
    name: str
    prefix: str
    scopes: list[str]
    created_at: Timestamp
    expires_at: Timestamp
    revoked_at: Timestamp | None
    last_used_at: Timestamp | None
    rotated_from: UUID | None


class NewKeyBody(KeyBody):
    """A new key with its text, which is shown this once."""

    key: Annotated[str, Field(repr=False)]


class KeyList(Model):
    """A user's keys: those that work first."""

    items: list[KeyBody]


def _fields(row: ApiKey) -> dict[str, object]:
    return {name: getattr(row, name) for name in KeyBody.model_fields}


def _issued(request: Request, issued: IssuedKey) -> Envelope[NewKeyBody]:
    body = NewKeyBody.model_validate({**_fields(issued.row), "key": issued.text})
    return Envelope(data=body, metadata=metadata_of(request))


@routes.get("")
@policy(requires(Permission.KEYS_MANAGE))
async def list_api_keys(request: Request, caller: CallerDep, services: ServicesDep) -> Envelope[KeyList]:
    """The caller's keys."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        rows = await services.identity.api_keys.list_keys(session, caller.user_id)
    items = [KeyBody.model_validate(_fields(row)) for row in rows]
    return Envelope(data=KeyList(items=items), metadata=metadata_of(request))


@routes.post("", status_code=201)
@policy(requires(Permission.KEYS_MANAGE))
async def create_api_key(
    request: Request, body: KeyRequest, caller: CallerDep, services: ServicesDep
) -> Envelope[NewKeyBody]:
    """Make a key. Its text is in this reply and nowhere else."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        issued = await services.identity.api_keys.create(
            session,
            caller.user_id,
            held=caller.permissions,
            name=body.name,
            scopes=frozenset(body.scopes),
            lifetime=timedelta(days=body.lifetime_days),
        )
    return _issued(request, issued)


@routes.post("/{key_id}/rotate", status_code=201)
@policy(requires(Permission.KEYS_MANAGE))
async def rotate_api_key(
    request: Request, key_id: UUID, body: RotateRequest, caller: CallerDep, services: ServicesDep
) -> Envelope[NewKeyBody]:
    """Make a key's successor; the old one works on for the overlap, then ends."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        issued = await services.identity.api_keys.rotate(
            session,
            caller.user_id,
            key_id,
            held=caller.permissions,
            lifetime=timedelta(days=body.lifetime_days),
            overlap=timedelta(hours=body.overlap_hours),
        )
    return _issued(request, issued)


@routes.delete("/{key_id}")
@policy(requires(Permission.KEYS_MANAGE))
async def revoke_api_key(request: Request, key_id: UUID, caller: CallerDep, services: ServicesDep) -> Envelope[KeyBody]:
    """End a key at once."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        row = await services.identity.api_keys.revoke(session, caller.user_id, key_id)
    return Envelope(data=KeyBody.model_validate(_fields(row)), metadata=metadata_of(request))
