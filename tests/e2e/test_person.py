"""A person answers in place of the assistant: the customer's page and the agent's desk, in two browsers' profiles."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from llm_banking.proof.bench import RunningServer
from tests.e2e.steps import ask, sign_in, watched_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AGENT = "agent@demo.example"
LISTENED_MS = 15_000


def test_a_person_answers_and_hands_back(browser: Browser, server: RunningServer, passwords: dict[str, str]) -> None:
    with watched_page(browser, server) as customer, watched_page(browser, server, width=390) as agent:
        customer.get_by_role("link", name="Sign in").click()
        sign_in(customer, "CUST001", passwords["CUST001"])
        expect(customer.get_by_test_id("account-link")).to_be_visible()
        ask(customer, "I want to talk to a person")
        expect(customer.get_by_test_id("person")).to_contain_text("A person was called")

        agent.get_by_role("link", name="Sign in").click()
        sign_in(agent, AGENT, passwords[AGENT])
        expect(agent.get_by_test_id("desk-item")).to_contain_text("Ana Morales")
        agent.get_by_role("button", name="Take").click()
        expect(agent.get_by_test_id("desk-message").first).to_contain_text("I want to talk to a person")
        agent.get_by_label("Your answer").fill("This is Gil. How can I help?")
        agent.get_by_role("button", name="Send the answer").click()
        expect(agent.get_by_test_id("desk-message").last).to_contain_text("This is Gil")
        assert agent.evaluate("document.documentElement.scrollWidth") <= 390

        said = customer.get_by_test_id("message-assistant").filter(has_text="This is Gil")
        expect(said).to_contain_text("A person of the bank", timeout=LISTENED_MS)
        ask(customer, "is my card on its way?")
        expect(agent.get_by_test_id("desk-message").filter(has_text="is my card on its way?")).to_be_visible(
            timeout=LISTENED_MS
        )
        agent.get_by_role("button", name="Hand back to the assistant").click()
        expect(agent.get_by_text("Nobody waits.")).to_be_visible()
        expect(customer.get_by_test_id("person")).to_have_count(0, timeout=LISTENED_MS)
        expect(said).to_have_count(1)
