"""Money by conversation on the page, in a real browser against a real server: as the printed demo customers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from llm_banking.proof.bench import RunningServer
from tests.e2e.steps import add_authenticator, answer_code, ask, enrol_app, sign_in, stored, watched_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ANSWER = "**/api/v2/chat/confirmations/*"
LOOK = "**/api/v2/operations/*"


@pytest.fixture
def page(browser: Browser, server: RunningServer) -> Iterator[Page]:
    with watched_page(browser, server) as found:
        yield found


def enter(page: Page, name: str, passwords: dict[str, str]) -> None:
    page.get_by_role("link", name="Sign in").click()
    sign_in(page, name, passwords[name])
    expect(page.get_by_test_id("account-link")).to_be_visible()


def go(page: Page, place: str) -> None:
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=place).click()
    page.get_by_test_id("composer").wait_for(state="visible" if place == "Chat" else "hidden")


def balance(page: Page, account: str = "Everyday Checking") -> Decimal:
    """What the page shows as the balance of an account."""
    go(page, "Accounts")
    shown = page.get_by_test_id("account-card").filter(has_text=account).get_by_test_id("balance").inner_text()
    go(page, "Chat")
    return amount(shown)


def amount(shown: str) -> Decimal:
    return Decimal(re.sub("[$,]", "", shown))


def cards(page: Page) -> Locator:
    """What was proposed in the conversation, the latest last."""
    return page.get_by_test_id("operation")


def press(card: Locator, name: str) -> None:
    card.get_by_role("button", name=name, exact=True).click()


def add_payee(page: Page, name: str, number: str) -> None:
    go(page, "Payees")
    page.get_by_role("button", name="Add a payee").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Account number or IBAN").fill(number)
    page.get_by_role("button", name="Add the payee").click()
    expect(page.get_by_test_id("payee").filter(has_text=name)).to_contain_text("not yet paid")
    expect(page.get_by_role("heading", name="Whom you pay")).to_be_focused()
    go(page, "Chat")


def test_fifty_to_alice_becomes_sixty_and_is_confirmed_with_a_code(page: Page, passwords: dict[str, str]) -> None:
    enter(page, "CUST001", passwords)
    secret = enrol_app(page)
    add_payee(page, "Alice Johnson", "DE89 3704 0044 0532 0130 00")
    before = balance(page)
    ask(page, "send 50 to Alice")
    expect(page.get_by_test_id("message-assistant").last).to_contain_text("Do you mean Alice Johnson?")
    page.get_by_test_id("next-step").first.click()
    expect(page.get_by_test_id("message-assistant").last).to_contain_text("From which account?")
    ask(page, "from checking")
    first = cards(page).nth(0)
    expect(first.locator(".operation-summary")).to_have_text(
        re.compile(r"^Send \$50\.00 from Everyday Checking \(ending \d{4}\) to Alice Johnson \(ending 3000\) now\.")
    )
    expect(first.get_by_test_id("countdown")).to_contain_text(re.compile(r"Expires in [34]:\d\d"))
    expect(first).to_contain_text("This needs a code")
    ask(page, "make it 60")
    expect(first).to_contain_text("Called off")
    expect(first.get_by_role("button")).to_have_count(0)
    card = cards(page).nth(1)
    expect(card.locator(".operation-summary")).to_contain_text("Send $60.00")
    press(card, "Confirm")
    expect(card.get_by_label("Code from your authenticator app")).to_be_focused()
    answer_code(page, secret, "Confirm", ahead=-9)
    expect(card.get_by_test_id("form-problem")).to_contain_text("does not hold")
    answer_code(page, secret, "Confirm", ahead=1)
    receipt = card.get_by_test_id("receipt")
    expect(receipt).to_contain_text(re.compile(r"[2-9A-Z]{5}-[2-9A-Z]{5}"))
    expect(card.get_by_role("heading", name="Done")).to_be_focused()
    expect(receipt.get_by_test_id("new-balance")).to_contain_text("$")
    assert amount(receipt.get_by_test_id("new-balance").inner_text()) == before - 60
    assert balance(page) == before - 60
    go(page, "Activity")
    expect(page.get_by_test_id("operation-item")).to_have_count(2)
    expect(page.get_by_test_id("operation-item").nth(0)).to_contain_text("$60.00")
    expect(page.get_by_test_id("operation-item").nth(0)).to_contain_text("Done")
    expect(page.get_by_test_id("operation-item").nth(1)).to_contain_text("Called off")
    assert set(re.findall(r"harborlight\.[a-z-]+", stored(page))) == {
        "harborlight.signed-in",
        "harborlight.conversation",
    }
    assert not re.search(r"\d\.\d\d|Alice|\$", stored(page))


def test_what_is_called_off_is_not_done(page: Page, passwords: dict[str, str]) -> None:
    enter(page, "CUST002", passwords)
    before = balance(page)
    ask(page, "send 20 to Ana Morales from checking")
    press(cards(page), "Call off")
    expect(cards(page)).to_contain_text("Called off")
    expect(cards(page).get_by_role("heading")).to_be_focused()
    expect(cards(page).get_by_role("button")).to_have_count(0)
    assert balance(page) == before


def test_an_answer_that_is_dropped_after_the_deed_is_asked_for(page: Page, passwords: dict[str, str]) -> None:
    """The bank does it and its answer is lost, and so is the first answer to the question what became of it."""
    enter(page, "CUST002", passwords)
    before = balance(page)
    ask(page, "send 20 to Ana Morales from checking")
    asked: list[str] = []

    def drop(route: Route) -> None:
        if route.request.method == "POST":
            route.fetch()
        asked.append(route.request.method)
        route.abort() if len(asked) <= 2 else route.continue_()

    page.route(ANSWER, drop)
    page.route(LOOK, drop)
    press(cards(page), "Confirm")
    expect(cards(page)).to_contain_text("We are asking the bank whether it was done.")
    expect(cards(page).get_by_test_id("receipt")).to_be_visible()
    assert asked[:3] == ["POST", "GET", "GET"]
    assert balance(page) == before - 20


def test_a_request_that_never_arrived_may_be_sent_again(page: Page, passwords: dict[str, str]) -> None:
    enter(page, "CUST002", passwords)
    before = balance(page)
    ask(page, "send 20 to Ana Morales from checking")
    page.route(ANSWER, lambda route: route.abort())
    press(cards(page), "Confirm")
    expect(cards(page).get_by_test_id("form-problem")).to_contain_text("It has not been done so far.")
    page.unroute(ANSWER)
    press(cards(page), "Confirm")
    expect(cards(page).get_by_test_id("receipt")).to_be_visible()
    assert balance(page) == before - 20


def test_while_the_bank_cannot_be_reached_nothing_is_claimed(page: Page, passwords: dict[str, str]) -> None:
    enter(page, "CUST002", passwords)
    ask(page, "send 20 to Ana Morales from checking")
    page.clock.install()
    dropped: list[Route] = []

    def drop(route: Route) -> None:
        route.fetch()
        route.abort()
        dropped.append(route)

    page.route(ANSWER, drop)
    page.route(LOOK, lambda route: route.abort())
    press(cards(page), "Confirm")
    for _ in range(600):  # the page's own patience is by the clock that stands still
        if not dropped:
            page.wait_for_timeout(50)
    for _ in range(6):
        page.clock.run_for(10_000)
    expect(cards(page)).to_contain_text("we do not know whether this was done")
    expect(cards(page).get_by_role("button", name="Confirm")).to_have_count(0)
    page.unroute_all()
    press(cards(page), "Check again")
    page.clock.run_for(1000)
    expect(cards(page).get_by_test_id("receipt")).to_be_visible()


def test_what_waits_is_there_again_after_a_reload(page: Page, passwords: dict[str, str]) -> None:
    enter(page, "CUST002", passwords)
    ask(page, "send 20 to Ana Morales from checking")
    expect(cards(page)).to_contain_text("Expires in")
    page.reload()
    expect(cards(page)).to_contain_text("Expires in")
    go(page, "Activity")
    waiting = cards(page).filter(visible=True)
    expect(waiting).to_contain_text("Send $20.00")
    press(waiting, "Call off")
    expect(waiting).to_contain_text("Called off")
    go(page, "Chat")
    expect(cards(page)).to_contain_text("Called off")


def test_a_yes_in_the_conversation_turns_the_card_into_its_receipt(page: Page, passwords: dict[str, str]) -> None:
    enter(page, "CUST002", passwords)
    ask(page, "send 20 to Ana Morales from checking")
    ask(page, "yes")
    expect(cards(page).get_by_test_id("receipt")).to_be_visible()


def test_a_clock_that_is_wrong_ends_nothing(page: Page, passwords: dict[str, str]) -> None:
    """The device's clock jumps over the end; the bank's has not, and the bank is believed."""
    page.clock.install()
    enter(page, "CUST002", passwords)
    ask(page, "send 20 to Ana Morales from checking")
    page.clock.fast_forward("06:00")
    expect(cards(page).get_by_test_id("countdown")).to_contain_text("Expires in 4:")
    press(cards(page), "Call off")
    expect(cards(page)).to_contain_text("Called off")


def test_a_large_sum_wants_a_passkey_and_a_limit_is_told(page: Page, passwords: dict[str, str]) -> None:
    add_authenticator(page)
    enter(page, "CUST003", passwords)
    ask(page, "move 1200 from savings to checking")
    press(cards(page), "Confirm")
    expect(cards(page).get_by_test_id("form-problem")).to_contain_text("a second factor that you have not set up")
    cards(page).get_by_role("link", name="Your second factors").click()
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_label("Name of the passkey").fill("Laptop")
    page.get_by_role("button", name="Create the passkey").click()
    expect(page.get_by_role("list", name="Your passkeys")).to_contain_text("Laptop")
    go(page, "Chat")
    press(cards(page), "Confirm")
    page.get_by_role("button", name="Confirm with your passkey").click()
    expect(cards(page).get_by_test_id("receipt")).to_be_visible()
    ask(page, "send 9000 to Ana Morales from checking")
    expect(page.get_by_test_id("message-assistant").last).to_contain_text("the limit for one operation")
    expect(cards(page)).to_have_count(1)


def test_transactions_statements_and_cards(page: Page, passwords: dict[str, str]) -> None:
    enter(page, "CUST002", passwords)
    go(page, "Accounts")
    page.get_by_role("button", name=re.compile("Freeze Harborlight Visa")).click()
    expect(page.get_by_text("nothing can be paid with it")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Unfreeze Harborlight Visa"))).to_be_visible()
    page.get_by_test_id("account-card").filter(has_text="Everyday Checking").click()
    expect(page.get_by_role("heading", name="Everyday Checking")).to_be_focused()
    transactions = page.get_by_test_id("transaction")
    expect(transactions).to_have_count(20)
    page.get_by_role("button", name="Show older").click()
    expect(transactions.nth(20)).to_be_visible()
    for kind, beginning in (("CSV", b"date,description,amount"), ("PDF", b"%PDF-")):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Download {kind}").click()
        assert download.value.suggested_filename.endswith(kind.lower())
        assert download.value.path().read_bytes().startswith(beginning)
    page.go_back()
    expect(page.get_by_role("heading", name="Accounts")).to_be_visible()


def test_a_payee_is_removed_after_a_question(page: Page, passwords: dict[str, str]) -> None:
    enter(page, "CUST002", passwords)
    go(page, "Payees")
    page.get_by_role("button", name="Add a payee").click()
    page.get_by_label("Name", exact=True).fill("Bo Stream")
    page.get_by_label("Account number or IBAN").fill("DE00 3704 0044 0532 0130 00")
    page.get_by_role("button", name="Add the payee").click()
    expect(page.get_by_text("The check digits of this IBAN are wrong")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Remove Chen Wei").click()
    page.get_by_role("button", name="Keep").click()
    page.get_by_role("button", name="Remove Chen Wei").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("Chen Wei is removed.")).to_be_visible()
    expect(page.get_by_test_id("payee").filter(has_text="Chen Wei")).to_have_count(0)


@pytest.mark.parametrize("width", [320, 390])
def test_nothing_scrolls_sideways_on_a_phone(page: Page, passwords: dict[str, str], width: int) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    enter(page, "CUST002", passwords)
    ask(page, "send 20 to Ana Morales from checking")
    expect(cards(page).get_by_role("button", name="Confirm")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    press(cards(page), "Call off")
    for place in ("Accounts", "Payees", "Activity"):
        go(page, place)
        expect(page.get_by_role("heading", name=place)).to_be_focused()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
