"""The chat page in a real browser, against a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from llm_banking.proof.bench import RunningServer

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def page(browser: Browser, server: RunningServer) -> Iterator[Page]:
    """The rendered page in a fresh browser profile; a complaint or a fetch from elsewhere fails the test."""
    complaints: list[str] = []
    found = browser.new_page(viewport={"width": 1280, "height": 800})
    found.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    found.on("pageerror", lambda error: complaints.append(str(error)))
    found.on(
        "request",
        lambda request: None if request.url.startswith((server.url, "data:")) else complaints.append(request.url),
    )
    found.goto(server.url)
    expect(found.get_by_test_id("composer")).to_be_visible()
    yield found
    assert complaints == []


def ask(page: Page, text: str) -> None:
    page.get_by_test_id("composer").fill(text)
    page.get_by_test_id("composer").press("Enter")


def test_a_typed_question_is_answered_with_its_reasons(page: Page) -> None:
    ask(page, "why is my transfer pending?")
    answer = page.get_by_test_id("message-assistant").last
    expect(answer).to_contain_text("A pending transfer is on its way")
    answer.get_by_test_id("details-toggle").click()
    expect(answer.get_by_test_id("details")).to_contain_text("pending_transfer")


def test_a_customer_sees_their_balance_and_goes_on_by_button(page: Page) -> None:
    page.get_by_test_id("customer-select").select_option("CUST001")
    ask(page, "What is my account balance?")
    expect(page.get_by_test_id("message-assistant").last).to_contain_text("Everyday Checking")
    page.get_by_test_id("next-step").first.click()
    expect(page.get_by_test_id("message-user")).to_have_count(2)
    expect(page.get_by_test_id("message-assistant")).to_have_count(2)


def test_the_demo_says_that_nobody_is_signed_in(page: Page) -> None:
    expect(page.get_by_test_id("demo-notice")).to_contain_text("for development only: nobody is signed in")


def test_a_reload_keeps_the_conversation(page: Page) -> None:
    ask(page, "my card has not arrived yet")
    expect(page.get_by_test_id("message-assistant")).to_have_count(1)
    page.reload()
    expect(page.get_by_test_id("message-user")).to_contain_text("my card has not arrived yet")
    expect(page.get_by_test_id("message-assistant")).to_have_count(1)


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_scrolls_sideways_and_the_composer_is_in_view(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    ask(page, "Is there a fee for withdrawing cash abroad, and which machines can I use with my card?")
    expect(page.get_by_test_id("message-assistant")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.get_by_test_id("composer")).to_be_in_viewport()


def test_the_keyboard_is_enough(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_be_visible()
    page.get_by_test_id("composer").focus()
    page.keyboard.type("thanks")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("message-assistant")).to_have_count(1)
    expect(page.get_by_test_id("composer")).to_be_focused()


def test_the_api_documentation_needs_nothing_from_outside(page: Page, server: RunningServer) -> None:
    page.goto(f"{server.url}/docs")
    expect(page.get_by_text("/api/v2/chat", exact=True).first).to_be_visible()


def test_the_documentation_renders_under_its_policy(page: Page, server: RunningServer) -> None:
    page.goto(f"{server.url}/docs")
    expect(page.get_by_text("/api/v2/intents").first).to_be_visible()
