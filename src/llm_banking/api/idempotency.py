"""Requests that are answered once for each Idempotency-Key, for any route that changes something."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, TypeVar

from fastapi import Header, Request
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.api.dependencies import Services
from llm_banking.api.envelope import Model
from llm_banking.identity.principal import Principal
from llm_banking.identity.step_up import Refusal
from llm_banking.kit import idempotency

IdempotencyKey = Annotated[
    str, Header(alias="Idempotency-Key", description="A new one for each request.", pattern=idempotency.KEY_PATTERN)
]
OptionalIdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", description="A new one for each request.", pattern=idempotency.KEY_PATTERN),
]

Body = TypeVar("Body", bound=Model)
Work = Callable[[AsyncSession], Awaitable[Body | Refusal]]


async def answered_once(
    services: Services,
    caller: Principal,
    request: Request,
    body: Mapping[str, Any],
    *,
    key: str | None,
    status: int,
    answer: type[Body],
    work: Work[Body],
) -> Body:
    """The answer to a request: of `work`, or the one that was given under its key before.

    Work, key and answer are committed together, before this returns. Where the work raises, nothing of them is; where
    it returns a Refusal, what it counted is committed, the key is free again, and the refusal's error is raised. Raises
    IdempotencyMismatchError and IdempotencyInFlightError. Without a key the work is simply done.
    """
    async with services.database.transaction(visible_to={caller.user_id}) as session:
        if key is not None:
            address = f"{request.method} {request.url.path}"
            earlier = await idempotency.claim(
                session, caller.user_id, key, route=address, body_hash=idempotency.hash_of(body)
            )
            if earlier is not None:
                return answer.model_validate(earlier.response)
        done = await work(session)
        if key is not None:
            if isinstance(done, Refusal):
                await idempotency.give_back(session, caller.user_id, key)
            else:
                answered = idempotency.Answered(status, done.model_dump(mode="json"))
                await idempotency.keep(session, caller.user_id, key, answered)
    if isinstance(done, Refusal):
        raise done.error()
    return done
