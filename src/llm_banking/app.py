"""The composition root: settings → adapters → services → FastAPI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute

from llm_banking.api import health, pages
from llm_banking.api.dependencies import Services
from llm_banking.api.envelope import ErrorEnvelope, product_version
from llm_banking.api.errors import install_error_handlers
from llm_banking.api.limits import RateLimitGuard, RequestLimits
from llm_banking.api.middleware import BodyGuard, RequestContext
from llm_banking.api.v1 import chat as v1_chat
from llm_banking.api.v2 import catalogue, feedback, sessions
from llm_banking.api.v2 import chat as v2_chat
from llm_banking.identity.demo import DEMO_PRINCIPAL
from llm_banking.identity.errors import UnauthenticatedError
from llm_banking.identity.principal import Principal
from llm_banking.kit.cache import Cache
from llm_banking.kit.database import Database
from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.key_file import read_or_make_key
from llm_banking.kit.logs import configure_logging, get_logger
from llm_banking.kit.metrics import Metrics
from llm_banking.kit.rate_limits import RateLimiter
from llm_banking.knowledge.service import load_knowledge
from llm_banking.nlu.reader import Reader
from llm_banking.nlu.service import ReadingService
from llm_banking.nlu.taxonomy import BY_NAME
from llm_banking.settings import Settings, load_settings


def authenticator(settings: Settings) -> Callable[[Mapping[str, str]], Principal]:
    """Who a request comes from: the demo principal where it is switched on, otherwise nobody is let in."""

    def authenticate(_: Mapping[str, str]) -> Principal:
        if settings.demo:
            return DEMO_PRINCIPAL
        raise UnauthenticatedError("Sign in first. This server does not run in demo mode.")

    return authenticate


def build_services(settings: Settings) -> Services:
    """Wire the adapters. Raises ConfigurationError where a URL is missing, ArtifactMismatchError on a bad model."""
    if settings.database_url is None or settings.redis_url is None:
        raise ConfigurationError(
            "DATABASE_URL and REDIS_URL are needed. Start with `llm-banking serve`, which brings its own where they "
            "are not set."
        )
    metrics = Metrics(settings.prometheus_multiproc_dir)
    readings = ReadingService(Reader.open(on_run=metrics.observe_run), on_refusal=metrics.observe_refusal)
    readings.warm_up()
    return Services(
        settings=settings,
        database=Database(settings.database_url.get_secret_value(), max_pool_size=settings.database_max_pool_size),
        cache=Cache(settings.redis_url.get_secret_value()),
        readings=readings,
        knowledge=load_knowledge(frozenset(BY_NAME)),
        metrics=metrics,
        authenticate=authenticator(settings),
        limits=request_limits(settings, settings.redis_url.get_secret_value()),
    )


def request_limits(settings: Settings, redis_url: str) -> RequestLimits:
    """The limits on requests. Raises ConfigurationError where the key file cannot be used."""
    key = read_or_make_key(settings.rate_limit_key_file or settings.home / "keys" / "rate-limits.key")
    limiter = RateLimiter(redis_url, key=key, workers=settings.workers, timeout_s=settings.rate_limit_timeout_s)
    return RequestLimits(limiter, settings.rate_limits, settings.trusted_proxies)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application, ready to serve. Raises ConfigurationError and ArtifactMismatchError."""
    settings = settings or load_settings()
    configure_logging(settings.log_level, settings.home / "logs" / "app.log")
    services = build_services(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if settings.demo:
            get_logger("llm_banking.app").warning("the demo principal is on: every request is let in as the demo user")
        await services.limits.warm_up()
        yield
        await services.limits.close()
        await services.cache.close()
        await services.database.close()

    app = FastAPI(
        title="llm-banking",
        version=product_version(),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        separate_input_output_schemas=False,
        generate_unique_id_function=_operation_id,
        responses={code: {"model": ErrorEnvelope} for code in (400, 401, 403, 404, 413, 422, 429, 503)},
    )
    app.state.services = services
    app.state.health_check = health.HealthCheck()
    rooms = (health, v1_chat, v2_chat, sessions, feedback, catalogue, pages)
    for room in rooms:
        app.include_router(room.routes)
    pages.mount_static(app)
    install_error_handlers(app)
    app.add_middleware(BodyGuard, max_body_bytes=settings.max_body_bytes, max_json_depth=settings.max_json_depth)
    app.add_middleware(RateLimitGuard, limits=services.limits)
    app.add_middleware(RequestContext, metrics=services.metrics, version=product_version())
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
