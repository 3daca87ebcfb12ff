"""The composition root: settings → adapters → services → FastAPI."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware

from llm_banking.api import health, pages
from llm_banking.api.admin import disputes as admin_disputes
from llm_banking.api.admin import loans as admin_loans
from llm_banking.api.admin import sessions as admin_sessions
from llm_banking.api.auth import api_keys, mfa, own_sessions
from llm_banking.api.auth import oauth as auth_oauth
from llm_banking.api.auth import sessions as auth_sessions
from llm_banking.api.auth import users as auth_users
from llm_banking.api.dependencies import Services
from llm_banking.api.envelope import product_version
from llm_banking.api.errors import install_error_handlers
from llm_banking.api.limits import RateLimitGuard, RequestLimits
from llm_banking.api.middleware import BodyGuard, HeadGuard, RequestContext
from llm_banking.api.openapi import Application
from llm_banking.api.security_headers import SecurityHeaders
from llm_banking.api.v1 import chat as v1_chat
from llm_banking.api.v2 import (
    accounts,
    agent,
    cards,
    catalogue,
    confirmations,
    disputes,
    feedback,
    loans,
    operations,
    payees,
    scheduled_payments,
    sessions,
)
from llm_banking.api.v2 import chat as v2_chat
from llm_banking.banking.bank_days import load_bank_days
from llm_banking.banking.disputes import load_dispute_rules
from llm_banking.banking.loans import load_loan_rules
from llm_banking.banking.payees import Payees
from llm_banking.dialogue.flow_files import load_flows
from llm_banking.dialogue.handoff_rules import load_handoff_rules
from llm_banking.identity.master_key import load_master_keys
from llm_banking.identity.secret_box import SecretBox
from llm_banking.identity.wiring import Upkeep, build_identity
from llm_banking.kit.cache import Cache
from llm_banking.kit.database import Database
from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.logs import configure_logging, get_logger
from llm_banking.kit.metrics import Metrics
from llm_banking.kit.orphans import ending_with_parent
from llm_banking.kit.rate_limits import RateLimiter
from llm_banking.knowledge.service import load_knowledge
from llm_banking.nlu.reader import Reader
from llm_banking.nlu.service import ReadingService
from llm_banking.nlu.taxonomy import BY_NAME
from llm_banking.operations.contact import ContactParts
from llm_banking.operations.contact_codes import ContactCodes
from llm_banking.operations.mailing import mail_of
from llm_banking.operations.wiring import open_gate
from llm_banking.settings import Environment, Settings, load_settings

CORS_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
CORS_REQUEST_HEADERS = (
    *("Authorization", "Content-Type", "Idempotency-Key", "X-API-Key", "X-Request-ID", "X-Requested-With"),
)
CORS_RESPONSE_HEADERS = ("Deprecation", "Link", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID")
CORS_PREFLIGHT_KEPT_S = 600


def build_services(settings: Settings) -> Services:
    """Wire the adapters. Raises ConfigurationError where a URL is missing, ArtifactMismatchError on a bad model."""
    if settings.database_url is None or settings.redis_url is None:
        raise ConfigurationError(
            "DATABASE_URL and REDIS_URL are needed. Start with `llm-banking serve`, which brings its own where they "
            "are not set."
        )
    database_url = settings.database_url.get_secret_value()
    database = Database(database_url, max_pool_size=settings.database_max_pool_size)
    identity = build_identity(settings, database)
    box = SecretBox(load_master_keys(settings.home, settings.master_key_file))
    contact = ContactParts(ContactCodes(identity.keyed, box), identity.families)
    metrics = Metrics(settings.prometheus_multiproc_dir)
    readings = ReadingService(Reader.open(on_run=metrics.observe_run), on_refusal=metrics.observe_refusal)
    readings.warm_up()
    return Services(
        settings=settings,
        database=database,
        cache=Cache(settings.redis_url.get_secret_value()),
        readings=readings,
        knowledge=load_knowledge(frozenset(BY_NAME)),
        metrics=metrics,
        identity=identity,
        upkeep=Upkeep(identity, database_url),
        authenticate=identity.authenticate,
        limits=request_limits(settings, settings.redis_url.get_secret_value()),
        payees=Payees(box),
        gate=open_gate(
            identity.second_factors.step_up,
            days=load_bank_days(settings.bank_time_zone),
            contact=None if mail_of(settings) is None else contact,
        ),
        flows=load_flows(frozenset(BY_NAME)),
        handoff_rules=load_handoff_rules(frozenset(BY_NAME)),
        dispute_rules=load_dispute_rules(),
        loan_rules=load_loan_rules(),
    )


def request_limits(settings: Settings, redis_url: str) -> RequestLimits:
    """The limits on requests. Raises ConfigurationError where the master keys cannot be used."""
    key, *_ = load_master_keys(settings.home, settings.master_key_file).derive_all("rate limits")
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
            get_logger("llm_banking.app").warning("the demo principal is on: who sends no credential is the demo user")
        await services.limits.warm_up()
        with ending_with_parent():
            async with services.upkeep.running():
                yield
        await services.close()

    app = Application(
        title="llm-banking",
        version=product_version(),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # such a redirect is built from the Host header, and leads from https to http
        lifespan=lifespan,
        separate_input_output_schemas=False,
        generate_unique_id_function=_operation_id,
    )
    app.state.services = services
    app.state.health_check = health.HealthCheck()
    rooms = (
        *(health, auth_users, auth_sessions, own_sessions, auth_oauth, api_keys, mfa, admin_sessions),
        *(v1_chat, v2_chat, confirmations, sessions, agent, feedback, catalogue),
        *(accounts, cards, payees, operations, scheduled_payments),
        *(disputes, admin_disputes, loans, admin_loans, pages),
    )
    for room in rooms:
        app.include_router(room.routes)
    pages.mount_static(app)
    install_error_handlers(app)
    _add_middleware(app, settings, services)
    return app


def _add_middleware(app: FastAPI, settings: Settings, services: Services) -> None:
    """The innermost first. Only an origin that the operator named may call from another site's page."""
    app.add_middleware(
        BodyGuard,
        max_body_bytes=settings.max_body_bytes,
        max_json_depth=settings.max_json_depth,
        body_timeout_s=settings.body_timeout_s,
    )
    app.add_middleware(HeadGuard, max_header_bytes=settings.max_header_bytes, max_headers=settings.max_headers)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_credentials=True,
            allow_methods=CORS_METHODS,
            allow_headers=CORS_REQUEST_HEADERS,
            expose_headers=CORS_RESPONSE_HEADERS,
            max_age=CORS_PREFLIGHT_KEPT_S,
        )
    app.add_middleware(RateLimitGuard, limits=services.limits)
    app.add_middleware(RequestContext, metrics=services.metrics, version=product_version())
    app.add_middleware(SecurityHeaders, tls=settings.environment is not Environment.DEVELOPMENT)


def _operation_id(route: APIRoute) -> str:
    return route.name
