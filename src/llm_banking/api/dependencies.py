"""What routes are given: the wired services, and a caller whom the route's declared policy admits."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast

from fastapi import APIRouter, Depends, Request

from llm_banking.api.limits import RequestLimits
from llm_banking.banking.disputes import DisputeRules
from llm_banking.banking.loans import LoanRules
from llm_banking.banking.payees import Payees
from llm_banking.dialogue.flow_files import Flows
from llm_banking.dialogue.handoff_rules import HandoffRules
from llm_banking.identity.errors import UnauthenticatedError
from llm_banking.identity.principal import Policy, Principal
from llm_banking.identity.wiring import IdentityServices, Upkeep
from llm_banking.kit.cache import Cache
from llm_banking.kit.database import Database
from llm_banking.kit.errors import LlmBankingError
from llm_banking.kit.logs import get_logger
from llm_banking.kit.metrics import Metrics
from llm_banking.knowledge.service import Knowledge
from llm_banking.nlu.reader import Reader, Reading
from llm_banking.nlu.service import ReadingService
from llm_banking.operations.gate import Gate
from llm_banking.settings import Settings

_POLICY = "__policy__"

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class UndeclaredPolicyError(LlmBankingError):
    """A route was built without saying who may call it."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a request may need, wired once by the composition root."""

    settings: Settings
    database: Database
    cache: Cache
    readings: ReadingService
    knowledge: Knowledge
    metrics: Metrics
    identity: IdentityServices
    upkeep: Upkeep
    authenticate: Callable[[Mapping[str, str]], Awaitable[Principal]]
    limits: RequestLimits
    payees: Payees
    gate: Gate
    flows: Flows
    handoff_rules: HandoffRules
    dispute_rules: DisputeRules
    loan_rules: LoanRules

    @property
    def reader(self) -> Reader:
        """The understanding model."""
        return self.readings.reader

    async def close(self) -> None:
        """Return every connection."""
        await self.limits.close()
        await self.cache.close()
        await self.database.close()

    async def read(self, text: str) -> tuple[Reading, float]:
        """Read a text off the event loop: the reading, and the milliseconds it took. Raises ReadingBusyError."""
        started = time.perf_counter()
        reading = await self.readings.read(text)
        return reading, (time.perf_counter() - started) * 1000


def services_of(request: Request) -> Services:
    """The services of the application that a request came to."""
    return cast("Services", request.app.state.services)


async def _services(request: Request) -> Services:
    """Asynchronous, because FastAPI sends a plain function to a thread."""
    return services_of(request)


ServicesDep = Annotated[Services, Depends(_services)]


def policy(declared: Policy) -> Callable[[Endpoint], Endpoint]:
    """Declare who may call a route. Put it nearest to the function."""

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _POLICY, declared)
        return endpoint

    return mark


def policy_of(endpoint: Callable[..., Any]) -> Policy:
    """The declared policy of an endpoint. Raises UndeclaredPolicyError."""
    declared = getattr(endpoint, _POLICY, None)
    if not isinstance(declared, Policy):
        raise UndeclaredPolicyError(f"The route function {endpoint.__name__} declares no policy.")
    return declared


async def enforce_policy(request: Request) -> None:
    """Run before every route: authenticate where its policy asks for it, count the request, refuse where it says so.

    A caller who cannot be told is counted by address alone.
    """
    declared = policy_of(request.scope["route"].endpoint)
    services = services_of(request)
    if declared.permission is None:
        await services.limits.count(request.scope, declared, None)
        return
    try:
        principal = await services.authenticate(request.headers)
    except UnauthenticatedError:
        await services.limits.count(request.scope, declared, None)
        raise
    await services.limits.count(request.scope, declared, principal)
    principal.check(declared)
    if principal.is_demo:
        get_logger("llm_banking.identity").info("demo principal used", permission=declared.permission.value)
    request.state.principal = principal


async def caller_of(request: Request) -> Principal:
    """The caller that `enforce_policy` admitted."""
    return cast("Principal", request.state.principal)


CallerDep = Annotated[Principal, Depends(caller_of)]


def router(prefix: str, tag: str) -> APIRouter:
    """A router whose every route enforces its declared policy."""
    return APIRouter(prefix=prefix, tags=[tag], dependencies=[Depends(enforce_policy)])


def elapsed_ms(request: Request) -> float:
    """Milliseconds since the request arrived."""
    started: float = request.scope["state"]["started"]
    return round((time.perf_counter() - started) * 1000, 3)
