"""Settings of identity: a passkey's domain and pages must fit, and keys do not live for ever."""

from __future__ import annotations

import pytest

from llm_banking.kit.errors import ConfigurationError
from llm_banking.settings import load_settings


def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBAUTHN_RP_ID", "bank.example")
    monkeypatch.setenv("WEBAUTHN_ORIGINS", "https://bank.example, https://app.bank.example:8443")
    assert load_settings().webauthn_origins == ("https://bank.example", "https://app.bank.example:8443")


@pytest.mark.parametrize(
    "origins",
    [
        "",
        "https://bank.example,",
        "http://bank.example",
        "https://other.example",
        "https://evilbank.example",
        "https://bank.example.net",
        "https://bank.example/",
        "https://bank.example/path",
        "https://user@bank.example",
        "https://BANK.example/?q",
        "https://bank.example:port",
        "bank.example",
        "*",
        ",".join(["https://bank.example"] * 11),
    ],
)
def test_an_origin_where_no_passkey_would_work_stops_the_start(monkeypatch: pytest.MonkeyPatch, origins: str) -> None:
    monkeypatch.setenv("WEBAUTHN_RP_ID", "bank.example")
    monkeypatch.setenv("WEBAUTHN_ORIGINS", origins)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert "WEBAUTHN_ORIGINS" in caught.value.message
    assert "path" not in origins or origins not in caught.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [("API_KEY_MAX_LIFETIME_DAYS", "366"), ("API_KEYS_PER_USER", "0"), ("WEBAUTHN_RP_ID", "Bank.example/")],
)
def test_a_setting_beyond_its_bounds_stops_the_start(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        load_settings()


@pytest.mark.parametrize(
    ("profile", "idle_s", "access_token_s"),
    [("default", "86400", None), ("default", "600", "600"), ("bank", "600", None), ("bank", None, "900")],
)
def test_a_session_is_not_idle_while_an_access_token_is_good(
    monkeypatch: pytest.MonkeyPatch, profile: str, idle_s: str | None, access_token_s: str | None
) -> None:
    given = {"LLM_BANKING_PROFILE": profile, "SESSION_IDLE_S": idle_s, "ACCESS_TOKEN_LIFETIME_S": access_token_s}
    for name, value in given.items():
        if value is not None:
            monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="SESSION_IDLE_S"):
        load_settings()


def test_the_time_of_idleness_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BANKING_PROFILE", "bank")
    monkeypatch.setenv("SESSION_IDLE_S", "601")
    assert load_settings().idle_s == 601
