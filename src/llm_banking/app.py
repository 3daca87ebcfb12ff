"""The composition root: settings → adapters → services → FastAPI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

from fastapi import FastAPI
from fastapi.routing import APIRoute

from llm_banking.api import health, pages
from llm_banking.api.auth import api_keys, mfa
from llm_banking.api.dependencies import Services
from llm_banking.api.envelope import ErrorEnvelope, product_version
from llm_banking.api.errors import install_error_handlers
from llm_banking.api.middleware import BodyGuard, RequestContext
from llm_banking.api.v1 import chat as v1_chat
from llm_banking.api.v2 import catalogue, feedback, sessions
from llm_banking.api.v2 import chat as v2_chat
from llm_banking.identity.api_keys import ApiKeyLimits, ApiKeys
from llm_banking.identity.demo import DEMO_PRINCIPAL
from llm_banking.identity.errors import UnauthenticatedError
from llm_banking.identity.master_key import MasterKeys, load_master_keys
from llm_banking.identity.principal import Principal
from llm_banking.identity.roles import permissions_of
from llm_banking.identity.second_factors import SecondFactors
from llm_banking.identity.secret_box import SecretBox
from llm_banking.identity.totp import Totp
from llm_banking.identity.webauthn_login import Passkeys, RelyingParty
from llm_banking.kit.cache import Cache
from llm_banking.kit.database import Database
from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.logs import configure_logging, get_logger
from llm_banking.kit.metrics import Metrics
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
    master_keys = load_master_keys(settings.home, settings.master_key_file)
    return Services(
        settings=settings,
        database=Database(settings.database_url.get_secret_value(), max_pool_size=settings.database_max_pool_size),
        cache=Cache(settings.redis_url.get_secret_value()),
        readings=readings,
        knowledge=load_knowledge(frozenset(BY_NAME)),
        metrics=metrics,
        api_keys=build_api_keys(settings, master_keys),
        second_factors=build_second_factors(settings, master_keys),
        authenticate=authenticator(settings),
    )


def build_api_keys(settings: Settings, master_keys: MasterKeys) -> ApiKeys:
    """The keys of programs."""
    limits = ApiKeyLimits(timedelta(days=settings.api_key_max_lifetime_days), settings.api_keys_per_user)
    return ApiKeys(master_keys, permissions_of, limits)


def build_second_factors(settings: Settings, master_keys: MasterKeys) -> SecondFactors:
    """Authenticator apps, passkeys and step-up."""
    party = RelyingParty(settings.webauthn_rp_id, "llm-banking", settings.webauthn_origins)
    return SecondFactors(Totp(SecretBox(master_keys), issuer="llm-banking"), Passkeys(party))


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application, ready to serve. Raises ConfigurationError and ArtifactMismatchError."""
    settings = settings or load_settings()
    configure_logging(settings.log_level, settings.home / "logs" / "app.log")
    services = build_services(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if settings.demo:
            get_logger("llm_banking.app").warning("the demo principal is on: every request is let in as the demo user")
        yield
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
        responses={code: {"model": ErrorEnvelope} for code in (400, 401, 403, 404, 413, 422, 503)},
    )
    app.state.services = services
    app.state.health_check = health.HealthCheck()
    rooms = (health, v1_chat, v2_chat, sessions, feedback, catalogue, api_keys, mfa, pages)
    for room in rooms:
        app.include_router(room.routes)
    pages.mount_static(app)
    install_error_handlers(app)
    app.add_middleware(BodyGuard, max_body_bytes=settings.max_body_bytes, max_json_depth=settings.max_json_depth)
    app.add_middleware(RequestContext, metrics=services.metrics, version=product_version())
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
