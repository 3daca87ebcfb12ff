"""Sign-up, sign-in, second factors and sign-out on the page, in a real browser against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from llm_banking.proof.bench import RunningServer
from tests.e2e.steps import PASSWORD, add_authenticator, answer_code, ask, enrol_app, sign_in, stored, watched_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

COOKIE = "__Host-llmb_refresh"

_numbers = count(1)


@pytest.fixture
def page(browser: Browser, server: RunningServer) -> Iterator[Page]:
    with watched_page(browser, server) as found:
        yield found


def sign_up(page: Page) -> str:
    """Open an account by the form; returns its e-mail."""
    email = f"person{next(_numbers)}@example.org"
    page.get_by_role("link", name="Sign in").click()
    page.get_by_role("link", name="Open an account").click()
    page.get_by_label("Your name").fill("Maja Lind")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Open an account").click()
    expect(page.get_by_test_id("account-link")).to_be_visible()
    return email


def sign_out(page: Page) -> None:
    page.get_by_test_id("account-link").click()
    page.get_by_test_id("sign-out").click()
    expect(page.get_by_test_id("demo-notice")).to_be_visible()


def sign_in_elsewhere(client: httpx.Client, email: str, device: str) -> tuple[str, str]:
    """Open a session on another device; its refresh token and the device."""
    answer = client.post("/api/auth/login", json={"email": email, "password": PASSWORD, "device": device})
    return str(answer.raise_for_status().json()["data"]["refresh_token"]), device


def lasts(client: httpx.Client, token: str, device: str) -> bool:
    """Whether a session's refresh token still works; it is used up."""
    return client.post("/api/auth/refresh", json={"refresh_token": token, "device": device}).status_code == 200


def test_a_new_customer_signs_up_chats_and_signs_out(page: Page) -> None:
    email = sign_up(page)
    expect(page.get_by_test_id("demo-notice")).to_have_count(0)
    ask(page, "why is my transfer pending?")
    sign_out(page)
    expect(page.get_by_test_id("message-user")).to_have_count(0)
    for trace in (email, "Maja", "pending?"):
        assert trace not in page.content()
    assert stored(page) == '[{},{},""]'
    assert [one for one in page.context.cookies() if one.get("name") == COOKIE] == []


def test_a_wrong_password_is_told_in_the_one_message(page: Page) -> None:
    page.get_by_role("link", name="Sign in").click()
    for name in ("CUST001", "nobody@example.org"):
        sign_in(page, name, "not the password")
        expect(page.get_by_test_id("form-problem")).to_have_text(
            "The sign-in name or the password is wrong. Check both and try again."
        )
        expect(page.get_by_label("Password", exact=True)).to_have_value("")


def test_a_password_that_may_not_be_used_is_refused_at_its_field(page: Page) -> None:
    page.goto(f"{page.url}#sign-up")
    page.get_by_label("Your name").fill("Maja Lind")
    page.get_by_label("E-mail").fill("maja@example.org")
    page.get_by_label("Password", exact=True).fill("passwordpassword")
    page.get_by_role("button", name="Open an account").click()
    field = page.get_by_label("Password", exact=True)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_be_focused()
    expect(page.locator(".field-problem")).to_contain_text("The password is one that is tried first")


def test_an_app_once_set_up_is_asked_for(page: Page) -> None:
    email = sign_up(page)
    secret = enrol_app(page)
    page.get_by_test_id("sign-out").click()
    page.get_by_role("link", name="Sign in").click()
    sign_in(page, email)
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    expect(page.get_by_label("Code from your authenticator app")).to_be_focused()
    answer_code(page, secret, "Sign in", ahead=-9)
    expect(page.get_by_test_id("form-problem")).to_contain_text("does not hold")
    answer_code(page, secret, "Sign in", ahead=1)
    expect(page.get_by_test_id("account-link")).to_be_visible()


def test_an_app_is_removed_with_its_next_code(page: Page) -> None:
    sign_up(page)
    secret = enrol_app(page)
    page.get_by_role("button", name="Remove the app").click()
    answer_code(page, secret, "Remove the app", ahead=1)
    expect(page.get_by_text("The authenticator app is removed.")).to_be_visible()


def test_a_passkey_is_added_signs_in_and_is_deleted(page: Page) -> None:
    add_authenticator(page)
    email = sign_up(page)
    page.get_by_test_id("account-link").click()
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_label("Name of the passkey").fill("Laptop")
    page.get_by_role("button", name="Create the passkey").click()
    expect(page.get_by_role("list", name="Your passkeys")).to_contain_text("Laptop")
    page.get_by_test_id("sign-out").click()
    page.get_by_role("link", name="Sign in").click()
    sign_in(page, email)
    page.get_by_role("button", name="Sign in with your passkey").click()
    page.get_by_test_id("account-link").click()
    page.get_by_role("button", name="Delete the passkey Laptop").click()
    page.get_by_role("button", name="Delete the passkey with your passkey").click()
    expect(page.get_by_text("The passkey is deleted.")).to_be_visible()
    expect(page.get_by_role("list", name="Your passkeys")).to_have_count(0)


def test_a_reload_keeps_the_session_and_another_tab_shares_it(page: Page) -> None:
    sign_up(page)
    ask(page, "my card has not arrived yet")
    page.reload()
    expect(page.get_by_test_id("account-link")).to_be_visible()
    expect(page.get_by_test_id("message-user")).to_contain_text("my card has not arrived yet")
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_test_id("account-link")).to_be_visible()
    sign_out(page)
    expect(other.get_by_test_id("demo-notice")).to_be_visible()
    assert "Maja" not in other.content()


def test_sessions_elsewhere_are_seen_and_ended(page: Page, server: RunningServer) -> None:
    email = sign_up(page)
    with httpx.Client(base_url=server.url) as elsewhere:
        tokens = [sign_in_elsewhere(elsewhere, email, device) for device in ("Office", "Kiosk", "Tablet")]
        page.get_by_test_id("account-link").click()
        places = page.get_by_role("list", name="Your sessions").get_by_role("listitem")
        expect(places).to_have_count(4)
        expect(places.filter(has_text="This session")).to_contain_text("Chrome on")
        page.get_by_role("button", name="End the session: Kiosk").click()
        expect(page.get_by_text("Kiosk: signed out.")).to_be_visible()
        expect(page.get_by_role("heading", name="Where you are signed in")).to_be_focused()
        expect(places).to_have_count(3)
        assert [lasts(elsewhere, token, device) for token, device in tokens] == [True, False, True]
        page.get_by_role("button", name="End all others").click()
        expect(page.get_by_text("You are signed in here only.")).to_be_visible()
        expect(places).to_have_count(1)
        tokens = [sign_in_elsewhere(elsewhere, email, "Office")]
        page.reload()
        expect(places).to_have_count(2)
        page.get_by_role("button", name="End all others").click()
        expect(places).to_have_count(1)
        assert [lasts(elsewhere, token, device) for token, device in tokens] == [False]


def test_scripts_of_the_page_can_read_no_token(page: Page) -> None:
    sign_up(page)
    readable = stored(page)
    assert "llmr_" not in readable
    assert "eyJ" not in readable
    cookie = next(one for one in page.context.cookies() if one.get("name") == COOKIE)
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"], cookie["path"]) == (True, True, "Strict", "/")
    assert cookie["value"] not in readable


def test_a_session_that_ends_keeps_what_was_typed(page: Page, server: RunningServer) -> None:
    """The password is changed elsewhere, which ends every other session."""
    email, changed = sign_up(page), "velvet anchor mosaic thunder"
    with httpx.Client(base_url=server.url) as elsewhere:
        login = elsewhere.post("/api/auth/login", json={"email": email, "password": PASSWORD})
        elsewhere.headers["Authorization"] = f"Bearer {login.json()['data']['access_token']}"
        body = {"old_password": PASSWORD, "new_password": changed}
        elsewhere.post("/api/auth/password", json=body).raise_for_status()
    page.get_by_test_id("composer").fill("is my card on its way?")
    page.get_by_test_id("composer").press("Enter")
    expect(page.get_by_role("heading", name="Sign in again")).to_be_visible()
    expect(page.get_by_label("E-mail or customer number")).to_have_value(email)
    sign_in(page, email, changed)
    expect(page.get_by_test_id("composer")).to_have_value("is my card on its way?")


def test_a_stale_code_in_the_address_is_told_and_taken_out(page: Page) -> None:
    page.goto("about:blank")
    page.go_back()
    page.evaluate("location.hash = 'sign_in_code=stale'")
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert "stale" not in page.url


@pytest.mark.parametrize("width", [320, 375])
def test_the_forms_fit_a_phone(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 640})
    sign_up(page)
    enrol_app(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Back to the conversation").click()
    expect(page.get_by_test_id("composer")).to_be_in_viewport()
    expect(page.get_by_test_id("account-link")).to_be_focused()
