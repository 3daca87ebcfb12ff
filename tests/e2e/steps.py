"""What the browser tests of signed-in people have in common."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from llm_banking.identity.totp import hotp, step_at
from llm_banking.kit.clock import utc_now
from llm_banking.proof.bench import RunningServer

PASSWORD = "plum kettle orbit sandal"
REFUSED = "Failed to load resource"
"""How the browser notes an answer of 401, 403 or 422, or none, which some of these tests are about."""


@contextmanager
def watched_page(browser: Browser, server: RunningServer, *, width: int = 1280, height: int = 800) -> Iterator[Page]:
    """The page in a fresh profile; an error of a script, a breach of its policy or a fetch from elsewhere fails."""
    complaints: list[str] = []
    address = server.url.replace("127.0.0.1", "localhost")
    found = browser.new_context(viewport={"width": width, "height": height}).new_page()
    found.on("console", lambda message: note(complaints, message))
    found.on("pageerror", lambda error: complaints.append(str(error)))
    found.on(
        "request",
        lambda request: (
            None if request.url.startswith((address, f"blob:{address}", "data:")) else complaints.append(request.url)
        ),
    )
    found.goto(address)
    expect(found.get_by_test_id("composer")).to_be_visible()
    yield found
    assert complaints == []


def note(complaints: list[str], message: ConsoleMessage) -> None:
    if message.type == "error" and not message.text.startswith(REFUSED):
        complaints.append(message.text)


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("E-mail or customer number").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def ask(page: Page, text: str) -> None:
    page.get_by_test_id("composer").fill(text)
    page.get_by_test_id("composer").press("Enter")
    expect(page.get_by_test_id("message-assistant").last).to_be_visible()


def enrol_app(page: Page) -> bytes:
    """Set up the authenticator app; returns its secret."""
    page.get_by_test_id("account-link").click()
    page.get_by_role("button", name="Set up an app").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    secret = base64.b32decode(page.get_by_test_id("totp-secret").inner_text().replace(" ", ""))
    answer_code(page, secret, "Confirm the code")
    expect(page.get_by_text("The authenticator app is set up.")).to_be_visible()
    return secret


def answer_code(page: Page, secret: bytes, button: str, *, ahead: int = 0) -> None:
    """Give the code of this step, or of the next: no code is taken twice."""
    page.get_by_label("Code from your authenticator app").fill(hotp(secret, step_at(utc_now()) + ahead))
    page.get_by_role("button", name=button).click()


def add_authenticator(page: Page) -> None:
    """A security key that always says yes, in the browser."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def stored(page: Page) -> str:
    """Everything that scripts of the page can read from the browser's stores."""
    return str(page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"))
