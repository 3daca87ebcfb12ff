from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from llm_banking.api import pages


async def test_the_page_and_all_its_files_come_from_here(client: AsyncClient) -> None:
    page = await client.get("/")
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert any(name.endswith(".js") for name in named)
    for name in named:
        assert name.startswith("/"), name
        assert (await client.get(name)).status_code == 200, name


async def test_the_documentation_names_only_files_of_ours(client: AsyncClient) -> None:
    text = (await client.get("/docs")).text
    for name in re.findall(r'(?:src|href)="([^"]+)"', text):
        assert name.startswith("/"), name
        assert (await client.get(name)).status_code == 200, name
    assert (await client.get("/openapi.json")).json()["info"]["title"] == "llm-banking"


async def test_without_a_build_the_page_says_what_to_do(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pages, "static_folder", lambda: tmp_path)
    response = await client.get("/")
    assert response.status_code == 404
    assert "make web" in response.json()["error"]["message"]


async def test_files_outside_the_build_are_not_served(client: AsyncClient) -> None:
    for path in ("/assets/../index.html", "/assets/%2e%2e/%2e%2e/middleware.py", "/swagger/..%2f..%2fapp.py"):
        assert (await client.get(path)).status_code == 404, path


@pytest.mark.parametrize("names", [[], ["google", "microsoft"]])
async def test_the_page_is_told_which_providers_there_are(
    client: AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    monkeypatch.setattr(app.state.services.identity.oidc, "_providers", dict.fromkeys(names))
    text = (await client.get("/")).text
    assert re.findall('name="sign-in-providers" content="([^"]*)"', text) == [" ".join(names)]
