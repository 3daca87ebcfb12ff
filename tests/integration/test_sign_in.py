"""Signing in against the product as it is started, with two worker processes."""

from __future__ import annotations

import json
import re
import stat
import time
from pathlib import Path

import httpx
import pytest

from llm_banking.identity.demo import CUSTOMERS, STAFF
from llm_banking.identity.signing_keys import rotate
from llm_banking.proof.bench import FREE_LIMITS, running_server

pytestmark = pytest.mark.slow

PASSWORD = re.compile(r"^ {4}(\S+) +([a-z2-9]{4}(?:-[a-z2-9]{4}){4}) ", re.MULTILINE)
REQUESTS = 40
"""Enough, each on a connection of its own, that both workers answer some."""


def answers(client: httpx.Client, token: str) -> set[int]:
    headers = {"Authorization": f"Bearer {token}"}
    return {client.get("/api/auth/me", headers=headers).status_code for _ in range(REQUESTS)}


def any_worker(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, limits=httpx.Limits(max_keepalive_connections=0))


def test_demo_passwords_work_and_a_sign_out_reaches_every_worker_within_a_second(home: Path, port: int) -> None:
    banner = home.with_name(f"{home.name}.log")
    free = {"RATE_LIMITS": json.dumps(FREE_LIMITS), "RATE_LIMIT_TIMEOUT_S": "1"}
    with running_server(home, "--workers", "2", port=port, settings=free) as server, any_worker(server.url) as client:
        passwords = dict(PASSWORD.findall(banner.read_text()))
        assert list(passwords) == [one.customer_number for one in CUSTOMERS] + [one.email for one in STAFF]
        assert not [one for one in passwords.values() if one in (home / "logs" / "app.log").read_text()]
        assert {stat.S_IMODE(one.stat().st_mode) for one in (home / "keys").iterdir()} == {0o600}
        for name, password in passwords.items():
            body = {"email" if "@" in name else "customer_number": name, "password": password}
            response = client.post("/api/auth/login", json=body)
            assert response.status_code == 200, name
        token = response.json()["data"]["access_token"]
        assert answers(client, token) == {200}
        signed_out = client.post("/api/auth/logout", headers={"Authorization": f"Bearer {token}"})
        assert signed_out.status_code == 200
        time.sleep(1)
        assert answers(client, token) == {401}
        before = client.post("/api/auth/login", json=body).json()["data"]["access_token"]
        kid = rotate(home / "keys" / "signing.json", overlap_s=600)
        after = client.post("/api/auth/login", json=body).json()["data"]["access_token"]
        assert answers(client, before) == answers(client, after) == {200}
        assert kid in client.get("/.well-known/jwks.json").text
    with running_server(home, port=port) as server, any_worker(server.url) as client:
        assert "were shown at the first start" in banner.read_text()
        assert PASSWORD.findall(banner.read_text()) == []
        assert client.post("/api/auth/login", json=body).status_code == 200
