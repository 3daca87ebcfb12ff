from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from hypothesis import given
from hypothesis import settings as property_settings
from hypothesis import strategies as st

from llm_banking.kit.errors import ConfigurationError
from llm_banking.settings import Environment, Settings, load_settings
from tests.conftest import changed_app

OURS = "https://bank.example"
ALSO_OURS = "https://app.bank.example:8443"
ASK = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
FOREIGN = [
    "https://evil.example",
    "http://bank.example",
    "https://bank.example:444",
    "https://bank.example.evil.example",
    "https://evilbank.example",
    "https://app.bank.example",
    "https://BANK.example",
    "null",
    "*",
    "",
]


@pytest.fixture
async def calls(app: FastAPI, settings: Settings) -> AsyncIterator[AsyncClient]:
    """A client of an application that lets two origins in."""
    async with (
        changed_app(app, settings, cors_origins=(OURS, ALSO_OURS)) as open_to_two,
        AsyncClient(transport=ASGITransport(open_to_two), base_url="http://test") as client,
    ):
        yield client


@pytest.mark.parametrize("origin", [OURS, ALSO_OURS])
async def test_a_named_origin_may_call_and_read(calls: AsyncClient, origin: str) -> None:
    asked = await calls.options("/api/v2/chat", headers={"Origin": origin, **ASK})
    assert asked.status_code == 200
    for response in (asked, await calls.get("/api/v2/intents", headers={"Origin": origin})):
        assert response.headers["Access-Control-Allow-Origin"] == origin
        assert response.headers["Access-Control-Allow-Credentials"] == "true"
        assert "Origin" in response.headers["Vary"]
        assert response.headers["X-Request-ID"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("origin", FOREIGN)
async def test_no_other_origin_may(calls: AsyncClient, origin: str) -> None:
    asked = await calls.options("/api/v2/chat", headers={"Origin": origin, **ASK})
    assert asked.status_code == 400
    answered = await calls.get("/api/v2/intents", headers={"Origin": origin})
    for response in (asked, answered):
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_what_was_not_offered_is_refused(calls: AsyncClient) -> None:
    for name, value in (("Method", "TRACE"), ("Headers", "x-anything")):
        asked = {"Origin": OURS, **ASK, f"Access-Control-Request-{name}": value}
        assert (await calls.options("/api/v2/chat", headers=asked)).status_code == 400, value


async def test_without_the_setting_no_origin_may(client: AsyncClient) -> None:
    asked = await client.options("/api/v2/chat", headers={"Origin": OURS, **ASK})
    assert asked.status_code == 405
    answered = await client.get("/api/v2/intents", headers={"Origin": OURS})
    assert not [name for name in answered.headers if name.startswith("access-control")]


def test_origins_are_read_from_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", f" {OURS}, {ALSO_OURS} ")
    assert load_settings().cors_origins == (OURS, ALSO_OURS)
    monkeypatch.setenv("CORS_ORIGINS", "")
    assert load_settings().cors_origins == ()


@pytest.mark.parametrize(
    "value",
    [
        "*",
        "https://*",
        "https://*.bank.example",
        "null",
        "bank.example",
        "https://bank.example/",
        "https://bank.example/page",
        "https://bank.example?x=1",
        "https://bank.example#part",
        "https://ana@bank.example",
        "https://Bank.example",
        "https://bank.example:443",
        "https://bank.example:0",
        "https://bank.example:99999",
        "https://bank.example:",
        "https://",
        "https://bank.example https://other.example",
        "ftp://bank.example",
        "javascript:alert(1)",
        f"{OURS},*",
        f"{OURS};{ALSO_OURS}",
        ",".join(f"https://o{number}.example" for number in range(51)),
    ],
)
def test_a_bad_value_stops_the_start(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CORS_ORIGINS", value)
    with pytest.raises(ConfigurationError, match="CORS_ORIGINS"):
        load_settings()


@pytest.mark.parametrize("environment", Environment)
def test_an_origin_without_encryption_is_for_development(
    monkeypatch: pytest.MonkeyPatch, environment: Environment
) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "http://localhost:5173")
    monkeypatch.setenv("ENVIRONMENT", environment)
    if environment in (Environment.STAGING, Environment.PRODUCTION):
        with pytest.raises(ConfigurationError, match="not encrypted"):
            load_settings()
    else:
        assert load_settings().cors_origins == ("http://localhost:5173",)


LABEL = st.from_regex(r"[a-z0-9]{1,10}", fullmatch=True)
ORIGIN = st.builds(
    lambda labels, port: f"https://{'.'.join(labels)}{port}",
    st.lists(LABEL, min_size=1, max_size=4),
    st.sampled_from(["", ":8443", ":1", ":65535"]),
)


@property_settings(deadline=None)
@given(ORIGIN, st.text(alphabet="/?#@* \\%\t\"'<>A", min_size=1, max_size=3), st.integers(0, 60))
def test_an_origin_with_anything_else_in_it_is_none(origin: str, foreign: str, place: int) -> None:
    assert Settings.model_validate({"cors_origins": origin}).cors_origins == (origin,)
    place = min(place, len(origin))
    spoilt = origin[:place] + foreign.strip() + origin[place:]
    if spoilt != origin:
        with pytest.raises(ValueError, match=r"origin|wildcard"):
            Settings.model_validate({"cors_origins": spoilt})
