"""Which requests are counted against whom, and what the caller is told."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response

from llm_banking.api.dependencies import policy_of
from llm_banking.api.limits import CLOSED_WITHOUT_REDIS, RequestLimits, rate_limit_fields
from llm_banking.app import create_app
from llm_banking.identity.errors import UnauthenticatedError
from llm_banking.identity.principal import LimitClass, Permission, Principal, public, requires
from llm_banking.kit.database import Database
from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.rate_limits import Decision, Limit, RateLimiter, RateLimitExceededError
from llm_banking.server import child_environment
from llm_banking.settings import RateLimits, Settings, load_settings
from tests.api.test_policies import api_routes, letting_in
from tests.conftest import PATIENT_S, ServiceUrls

PEER = "203.0.113.9"
PROXY = "10.0.0.1"
SF_POLICY = re.compile(r'"[a-z_]+";q=\d+;w=\d+')
SF_LIMIT = re.compile(r'"[a-z_]+";r=\d+;t=\d+')


def few(requests: int) -> Limit:
    """So many, and no more for as long as a test lasts."""
    return Limit(requests=1, window_s=3_600, burst_requests=requests)


def principal(*permissions: Permission, **more: object) -> Principal:
    user_id = uuid4()
    return replace(Principal(user_id, "somebody", frozenset(permissions), frozenset({user_id})), **more)  # type: ignore[arg-type]


@dataclass
class Limited:
    """The application with limits of this test's own, all buckets full."""

    app: FastAPI
    requests: RequestLimits

    def set(self, trusted: str | None = None, **limits: Limit) -> None:
        self.requests._limits = RateLimits(**limits)
        self.requests._trusted_proxies = (ip_network(trusted),) if trusted else ()

    def letting_in(self, who: Principal) -> AbstractContextManager[None]:
        return letting_in(self.app, lambda _: who)

    def client(self, peer: str = PEER) -> AsyncClient:
        transport = ASGITransport(self.app, raise_app_exceptions=False, client=(peer, 50_000))
        return AsyncClient(transport=transport, base_url="http://test")

    async def statuses(self, times: int, method: str, path: str, peer: str = PEER, **more: object) -> list[int]:
        async with self.client(peer) as client:
            return [(await client.request(method, path, **more)).status_code for _ in range(times)]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
async def limited_app(
    settings: Settings, database: Database, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[FastAPI]:
    home = tmp_path_factory.mktemp("limited")
    app = create_app(settings.model_copy(update={"rate_limits": RateLimits(), "home": home}))
    yield app
    await app.state.services.close()


@pytest.fixture
def limited(limited_app: FastAPI) -> Limited:
    found = Limited(limited_app, limited_app.state.services.limits)
    found.requests.limiter._key = secrets.token_bytes(32)
    found.set()
    return found


@pytest.fixture
async def without_redis(limited: Limited, tmp_path: Path) -> AsyncIterator[Limited]:
    """The same while Redis is away, as one of two workers."""
    before = limited.requests.limiter
    url = f"unix://{tmp_path}/no.sock"
    away = RateLimiter(url, key=secrets.token_bytes(32), workers=2, timeout_s=PATIENT_S)
    limited.requests.limiter = away
    yield limited
    limited.requests.limiter = before
    await away.close()


def test_the_defaults_are_those_that_were_decided() -> None:
    found = RateLimits()
    per_minute = {"user": 100, "api_key": 1_000, "address": 10_000, "chat": 50, "admin": 10}
    per_minute |= {"sign_in": 20, "sign_in_name": 20, "privacy": 10, "anonymous": 100}
    for name, requests in per_minute.items():
        limit: Limit = getattr(found, name)
        assert (limit.requests, limit.window_s, limit.burst_requests) == (requests, 60, requests), name
    assert set(per_minute) == set(RateLimits.model_fields) - {"tiers"}


async def test_chat_is_refused_after_fifty_before_its_body_is_looked_at(limited: Limited) -> None:
    limited.set(chat=Limit(requests=50, window_s=3_600, burst_requests=50))
    async with limited.client() as client:
        responses = [await client.post("/api/v2/chat", json={"wrong": "body"}) for _ in range(51)]
    assert [one.status_code for one in responses] == [422] * 50 + [429]
    assert responses[0].headers["RateLimit-Policy"] == '"chat";q=50;w=3600'
    assert responses[0].headers["RateLimit"] == '"chat";r=49;t=3600'
    refused = responses[-1]
    assert refused.headers["RateLimit"] == f'"chat";r=0;t={refused.headers["Retry-After"]}'
    assert 1 <= int(refused.headers["Retry-After"]) <= 72
    body = refused.json()
    assert (body["success"], body["error"]["code"]) == (False, "RATE_LIMIT_EXCEEDED")
    assert body["metadata"]["request_id"] == refused.headers["X-Request-ID"]
    assert await limited.statuses(1, "GET", "/api/v2/demo") == [200], "reads go on"


async def test_the_legacy_chat_refuses_in_its_own_shape(limited: Limited) -> None:
    limited.set(chat=few(1))
    async with limited.client() as client:
        await client.post("/api/v1/chat", json={})
        refused = await client.post("/api/v1/chat", json={})
    assert refused.status_code == 429
    assert refused.json()["error_code"] == "RATE_LIMIT_EXCEEDED"
    assert int(refused.headers["Retry-After"]) > 3_590


async def test_each_user_has_a_bucket_and_each_key_has_one_instead(limited: Limited) -> None:
    limited.set(user=few(2), api_key=few(3))
    ana, ben = principal(Permission.CHAT_READ), principal(Permission.CHAT_READ)
    program = replace(ana, api_key_id=uuid4())
    for who, expected in ((ana, [200, 200, 429]), (ben, [200, 200, 429]), (program, [200, 200, 200, 429])):
        with limited.letting_in(who):
            assert await limited.statuses(len(expected), "GET", "/api/v2/intents") == expected
    with limited.letting_in(replace(ana, api_key_id=uuid4())):
        assert await limited.statuses(1, "GET", "/api/v2/intents") == [200], "another key"


async def test_an_account_type_may_have_limits_of_its_own(limited: Limited) -> None:
    limited.requests._limits = RateLimits(user=few(1), tiers={"premium": {"user": few(3)}})
    for account_type, expected in (("premium", [200, 200, 200, 429]), ("user", [200, 429])):
        with limited.letting_in(principal(Permission.CHAT_READ, account_type=account_type)):
            assert await limited.statuses(len(expected), "GET", "/api/v2/intents") == expected


async def test_administration_is_counted_also_for_those_who_may_not(limited: Limited) -> None:
    limited.set(admin=few(3))
    for who, answer in ((principal(Permission.ADMIN_READ), 200), (principal(), 403)):
        with limited.letting_in(who):
            assert await limited.statuses(4, "GET", "/health/detailed") == [answer] * 3 + [429]


async def test_who_fails_to_sign_in_is_counted_by_address_alone(limited: Limited) -> None:
    def nobody(_: object) -> Principal:
        raise UnauthenticatedError("Sign in first.")

    limited.set(address=few(3), chat=few(1), user=few(1))
    with letting_in(limited.app, nobody):
        assert await limited.statuses(4, "POST", "/api/v2/chat") == [401, 401, 401, 429]
        assert await limited.statuses(1, "POST", "/api/v2/chat", peer="203.0.113.10") == [401]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nowhere", None, 404),
        ("PUT", "/api/v2/chat", None, 405),
        ("POST", "/api/v2/chat", b"{", 400),
        ("POST", "/nowhere", b"x" * 70_000, 413),
    ],
)
async def test_what_no_route_sees_is_counted_by_address(
    limited: Limited, method: str, path: str, body: bytes | None, status: int
) -> None:
    limited.set(address=few(2))
    headers = {"Content-Type": "application/json"}
    async with limited.client() as client:
        responses = [await client.request(method, path, content=body, headers=headers) for _ in range(3)]
    assert [one.status_code for one in responses] == [status, status, 429]
    assert responses[0].headers["RateLimit"] == '"address";r=1;t=3600'
    assert responses[2].json()["error"]["code"] == "RATE_LIMIT_EXCEEDED"
    assert int(responses[2].headers["Retry-After"]) > 3_590
    assert responses[2].headers["X-Request-ID"]


async def test_health_and_metrics_are_never_limited(limited: Limited) -> None:
    limited.set(address=few(1), anonymous=few(1))
    for path in ("/health", "/health/live", "/health/ready", "/health/metrics", "/metrics"):
        async with limited.client() as client:
            for _ in range(3):
                response = await client.get(path)
                assert response.status_code == 200
                assert not [name for name in response.headers if name.startswith("ratelimit")]


async def test_a_public_route_is_counted_by_address_and_the_page_is_not_a_route_of_the_api(limited: Limited) -> None:
    limited.set(anonymous=few(2))
    assert await limited.statuses(3, "GET", "/openapi.json") == [200, 200, 429]
    assert 429 not in await limited.statuses(3, "GET", "/")


async def one_each(limited: Limited, peer: str, forwarded: list[str]) -> list[int]:
    """One request for each X-Forwarded-For."""
    async with limited.client(peer) as client:
        return [(await client.get("/openapi.json", headers={"X-Forwarded-For": one})).status_code for one in forwarded]


async def assert_spoofing_buys_nothing(limited: Limited) -> None:
    assert await one_each(limited, PEER, [f"198.51.100.{number}" for number in range(5)]) == [200, 200, *[429] * 3]


async def test_an_untrusted_peer_cannot_be_somebody_else(limited: Limited) -> None:
    limited.set(trusted="10.0.0.0/8", anonymous=few(2))
    await assert_spoofing_buys_nothing(limited)
    assert await one_each(limited, PROXY, ["198.51.100.1", "198.51.100.2", "198.51.100.1"]) == [200] * 3
    assert await one_each(limited, PROXY, ["198.51.100.1", "6.6.6.6, 198.51.100.1"]) == [429, 429]


async def test_the_check_of_spoofing_sees_a_header_that_is_believed(limited: Limited) -> None:
    """The planted fault: X-Forwarded-For trusted from anyone."""
    limited.set(trusted="0.0.0.0/0", anonymous=few(2))
    with pytest.raises(AssertionError):
        await assert_spoofing_buys_nothing(limited)


async def test_addresses_of_one_ipv6_site_share_a_bucket(limited: Limited) -> None:
    limited.set(anonymous=few(2))
    for peer, status in (("2001:db8::1", 200), ("2001:db8::2", 200), ("2001:db8::3", 429), ("2001:db8:0:1::1", 200)):
        assert await limited.statuses(1, "GET", "/openapi.json", peer=peer) == [status]


def scope(peer: str) -> dict[str, object]:
    return {"type": "http", "headers": [], "client": (peer, 50_000)}


async def test_signing_in_is_limited_by_address_and_by_name(limited: Limited) -> None:
    limited.set(sign_in=few(2), sign_in_name=few(3))
    for _ in range(2):
        await limited.requests.count(scope(PEER), public(LimitClass.SIGN_IN), None)
    with pytest.raises(RateLimitExceededError):
        await limited.requests.count(scope(PEER), public(LimitClass.SIGN_IN), None)
    for name in ("ana@bank.example", " ANA@bank.example", "ana@bank.example "):
        await limited.requests.count_sign_in_name(scope(PEER), name)
    with pytest.raises(RateLimitExceededError):
        await limited.requests.count_sign_in_name(scope("203.0.113.10"), "Ana@Bank.Example")
    await limited.requests.count_sign_in_name(scope(PEER), "ben@bank.example\ud800")


async def assert_nothing_fails_open(limited: Limited) -> None:
    """Half of a burst of four is this worker's share; administration closes."""
    assert await limited.statuses(4, "POST", "/api/v2/chat", json={}) == [422, 422, 429, 429]
    async with limited.client() as client:
        closed: Response = await client.get("/health/detailed")
    assert closed.status_code == 503
    assert closed.json()["error"]["code"] == "RATE_LIMIT_UNAVAILABLE"
    assert int(closed.headers["Retry-After"]) >= 1
    for declared in (
        LimitClass.SIGN_IN,
        LimitClass.TRANSFER,
        LimitClass.CONFIRMATION,
        LimitClass.KEYS,
        LimitClass.ADMIN,
    ):
        assert declared in CLOSED_WITHOUT_REDIS


async def test_without_redis_nothing_fails_open(without_redis: Limited) -> None:
    without_redis.set(chat=few(4))
    await assert_nothing_fails_open(without_redis)
    assert await without_redis.statuses(3, "GET", "/health/live") == [200] * 3
    assert await without_redis.statuses(1, "GET", "/nowhere") == [404]


def admits_all(*_: object) -> Decision:
    return Decision(admitted=True, name="chat", limit=few(4), remaining=4, wait_s=0)


async def test_the_check_of_an_outage_sees_limits_that_fail_open(
    without_redis: Limited, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted fault: whatever Redis cannot decide is let through."""
    without_redis.set(chat=few(4))
    monkeypatch.setattr(without_redis.requests.limiter._local, "take", admits_all)
    with pytest.raises(AssertionError):
        await assert_nothing_fails_open(without_redis)


CLASS_BY_PATH: list[tuple[str, Callable[[LimitClass], bool]]] = [
    (r"/health/detailed", lambda one: one is LimitClass.ADMIN),
    (r"/health.*|/metrics", lambda one: one is LimitClass.UNLIMITED),
    (r"/|/favicon\.svg", lambda one: one is LimitClass.PAGE),
    (r"/api/v2/chat/confirmations/.*", lambda one: one is LimitClass.CONFIRMATION),
    (r"/api/v\d/chat.*", lambda one: one is LimitClass.CHAT),
    (r"/api/auth/(register|login(/second-factor)?)", lambda one: one is LimitClass.SIGN_IN),
    (r"/api/auth/api-keys.*", lambda one: one is LimitClass.KEYS),
    (r"/api/admin.*", lambda one: one is LimitClass.ADMIN),
    (r"/api/v2/me(/.*)?", lambda one: one is LimitClass.PRIVACY),
    (r"/api/v2/operations/?.*", lambda one: one in (LimitClass.TRANSFER, LimitClass.READ)),
    (r".*", lambda one: one not in (LimitClass.UNLIMITED, LimitClass.PAGE)),
]


def test_every_route_has_the_class_that_its_path_asks_for(app: FastAPI) -> None:
    for route in api_routes(app):
        fits = next(fits for path, fits in CLASS_BY_PATH if re.fullmatch(path, route.path))
        assert fits(policy_of(route.endpoint).limit), route.path


def test_every_permission_has_a_class_and_none_is_unlimited() -> None:
    for permission in Permission:
        assert requires(permission).limit not in (LimitClass.UNLIMITED, LimitClass.PAGE)


async def test_the_fields_are_structured_fields(limited: Limited) -> None:
    async with limited.client() as client:
        headers = (await client.get("/api/v2/demo")).headers
    assert SF_POLICY.fullmatch(headers["RateLimit-Policy"])
    assert SF_LIMIT.fullmatch(headers["RateLimit"])
    last = Decision(admitted=True, name="user", limit=few(1), remaining=0, wait_s=7)
    assert rate_limit_fields(last)[1] == '"user";r=0;t=7'


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RATE_LIMITS", "{zebra"),
        ("RATE_LIMITS", '{"zebra": 1}'),
        ("RATE_LIMITS", '{"chat": {"requests": 0, "window_s": 60, "burst_requests": 1}}'),
        ("TRUSTED_PROXIES", "zebra"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, 0.0.0.0/0"),
        ("LLM_BANKING_WORKERS", "0"),
    ],
)
def test_settings_that_cannot_hold_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name) as refused:
        load_settings()
    assert value not in refused.value.message


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, service_urls: ServiceUrls) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::/32")
    monkeypatch.setenv("RATE_LIMITS", '{"chat": {"requests": 7, "window_s": 60, "burst_requests": 3}}')
    found = load_settings()
    assert found.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
    assert found.rate_limits.chat.burst_requests == 3
    assert found.rate_limits.user.requests == 100


@pytest.mark.parametrize(("set_to", "workers", "passed_on"), [(1, 4, "4"), (12, 4, "12")])
def test_serve_passes_on_how_many_share_the_limits(tmp_path: Path, set_to: int, workers: int, passed_on: str) -> None:
    settings = Settings().model_copy(update={"workers": set_to, "home": tmp_path})
    assert child_environment(settings, workers)["LLM_BANKING_WORKERS"] == passed_on
