"""The end of the time to confirm, on the page: a bank whose confirmations live for seconds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from llm_banking.proof.bench import RunningServer
from tests.e2e.steps import ask, sign_in, watched_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LIFETIME_S = 12
SHORT_LIVED = f"""
from dataclasses import replace
from datetime import timedelta

from llm_banking.operations import policy

shipped = policy.load_policy
policy.load_policy = lambda text=None: replace(shipped(text), lifetime=timedelta(seconds={LIFETIME_S}))
"""
"""Python runs this at the server's start (`site`): its policy is the shipped one but for the lifetime."""


@pytest.fixture(scope="module")
def more_settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder: Path = tmp_path_factory.mktemp("site")
    (folder / "sitecustomize.py").write_text(SHORT_LIVED, encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)}


def test_what_expires_says_so_and_cannot_be_confirmed(
    browser: Browser, server: RunningServer, passwords: dict[str, str]
) -> None:
    with watched_page(browser, server) as page:
        page.get_by_role("link", name="Sign in").click()
        sign_in(page, "CUST001", passwords["CUST001"])
        expect(page.get_by_test_id("account-link")).to_be_visible()
        ask(page, "send 20 to Ben Carter from checking")
        card = page.get_by_test_id("operation")
        expect(card.get_by_test_id("countdown")).to_contain_text("Expires in 0:0")
        expect(card.get_by_role("heading", name="Expired")).to_be_visible(timeout=2000 * LIFETIME_S)
        expect(card).to_contain_text("Nothing was done: ask for it again")
        expect(card.get_by_role("button")).to_have_count(0)
        ask(page, "yes")
        expect(page.get_by_test_id("operation")).to_have_count(2)
        expect(page.get_by_test_id("operation").last.get_by_role("button", name="Confirm")).to_be_visible()
