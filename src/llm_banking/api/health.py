"""Health and metrics: bare bodies, honest checks, never limited."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Literal

from fastapi import Request, Response
from pydantic import BaseModel

from llm_banking.api.dependencies import Services, ServicesDep, policy, router
from llm_banking.api.envelope import Timestamp
from llm_banking.identity.principal import LimitClass, Permission, public, requires
from llm_banking.kit.clock import utc_now

routes = router("", "health")

NEVER_LIMITED = public(LimitClass.UNLIMITED)
HEAD_ONLY: dict[str, Any] = {"description": "The status says it."}
CHECK_KEPT_S = 0.2
"""A check answers every request that comes within this time of it."""

ComponentStatus = Literal["healthy", "unhealthy", "disabled"]


class Components(BaseModel):
    """The state of each part. `llm` is disabled while replies come from templates."""

    api: ComponentStatus
    database: ComponentStatus
    llm: ComponentStatus
    cache: ComponentStatus


class Health(BaseModel):
    """The state of the whole: unhealthy as soon as one part is."""

    status: Literal["healthy", "unhealthy"]
    timestamp: Timestamp
    version: str
    components: Components


class Live(BaseModel):
    """The process answers."""

    status: Literal["alive"]


class RouteLatency(BaseModel):
    """What requests to one route took, milliseconds, over all workers since start."""

    requests: int
    server_errors: int
    latency_p50_ms: float
    latency_p95_ms: float
    latency_p99_ms: float


class HealthMetrics(RouteLatency):
    """All requests together, and each route."""

    error_rate: float
    routes: dict[str, RouteLatency]


class Pool(BaseModel):
    """The database pool of this worker."""

    size: int
    in_use: int


class DetailedHealth(Health):
    """For operators."""

    uptime_s: float
    model_version: str
    database_pool: Pool


@dataclass(slots=True)
class HealthCheck:
    """Checks the parts, at most once per CHECK_KEPT_S however many ask."""

    started: float = field(default_factory=time.monotonic)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _checked: float = float("-inf")
    _last: Components | None = None

    async def components(self, services: Services) -> Components:
        """The state of every part, at most CHECK_KEPT_S old."""
        async with self._lock:
            if self._last is None or time.monotonic() - self._checked > CHECK_KEPT_S:
                database, cache = await asyncio.gather(services.database.ping(), services.cache.ping())
                self._last = Components(
                    api="healthy",
                    database="healthy" if database else "unhealthy",
                    llm="disabled",
                    cache="healthy" if cache else "unhealthy",
                )
                self._checked = time.monotonic()
            return self._last


async def _health(request: Request, response: Response, services: Services) -> Health:
    components = await request.app.state.health_check.components(services)
    broken = "unhealthy" in components.model_dump().values()
    if broken:
        response.status_code = 503
    return Health(
        status="unhealthy" if broken else "healthy",
        timestamp=utc_now(),
        version=request.scope["state"]["version"],
        components=components,
    )


@routes.get("/health", responses={503: {"model": Health}})
@policy(NEVER_LIMITED)
async def health(request: Request, response: Response, services: ServicesDep) -> Health:
    """Whether every part works; 503 names the parts that do not."""
    return await _health(request, response, services)


@routes.post("/health", responses={503: {"model": Health}})
@policy(NEVER_LIMITED)
async def post_health(request: Request, response: Response, services: ServicesDep) -> Health:
    """The same for load tools that can only post."""
    return await _health(request, response, services)


@routes.head("/health", response_class=Response, responses={200: HEAD_ONLY, 503: HEAD_ONLY})
@policy(NEVER_LIMITED)
async def head_health(request: Request, services: ServicesDep) -> Response:
    """The status alone."""
    response = Response()
    await _health(request, response, services)
    return response


@routes.get("/health/ready", responses={503: {"model": Health}})
@policy(NEVER_LIMITED)
async def ready(request: Request, response: Response, services: ServicesDep) -> Health:
    """Whether this worker can take requests: the same checks as /health."""
    return await _health(request, response, services)


@routes.get("/health/live")
@policy(NEVER_LIMITED)
async def live() -> Live:
    """Whether the process answers at all."""
    return Live(status="alive")


@routes.get("/health/metrics")
@policy(NEVER_LIMITED)
async def health_metrics(services: ServicesDep) -> HealthMetrics:
    """Latency percentiles and errors from the same series that /metrics exposes."""
    found = services.metrics.latency_by_route()
    summaries = {
        name: RouteLatency(
            requests=one.requests,
            server_errors=one.server_errors,
            latency_p50_ms=one.p50_ms,
            latency_p95_ms=one.p95_ms,
            latency_p99_ms=one.p99_ms,
        )
        for name, one in found.items()
    }
    everything = summaries.pop("all", None) or RouteLatency(
        requests=0, server_errors=0, latency_p50_ms=0, latency_p95_ms=0, latency_p99_ms=0
    )
    rate = everything.server_errors / everything.requests if everything.requests else 0.0
    return HealthMetrics(**everything.model_dump(), error_rate=rate, routes=summaries)


@routes.get("/health/detailed")
@policy(requires(Permission.ADMIN_READ))
async def detailed(request: Request, response: Response, services: ServicesDep) -> DetailedHealth:
    """Health with what an operator asks next."""
    basic = await _health(request, response, services)
    return DetailedHealth(
        **basic.model_dump(),
        uptime_s=round(time.monotonic() - request.app.state.health_check.started, 1),
        model_version=services.reader.artifact.version,
        database_pool=Pool(
            size=services.settings.database_max_pool_size, in_use=services.database.connections_in_use()
        ),
    )


@routes.get("/metrics", include_in_schema=False)
@policy(NEVER_LIMITED)
async def metrics(services: ServicesDep) -> Response:
    """Prometheus text format, summed over all workers."""
    return Response(services.metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")
