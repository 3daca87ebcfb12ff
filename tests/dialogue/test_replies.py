from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from llm_banking.banking.core import AccountDetails, AccountKind, BookedTransaction
from llm_banking.dialogue.commands import Answer, AskAgain, Clarify, Command, OutOfScope
from llm_banking.dialogue.replies import AccountFacts, Citation, Reply, compose
from llm_banking.dialogue.tracker import Tracker
from llm_banking.kit.money import Money
from llm_banking.knowledge.service import Knowledge
from llm_banking.nlu.taxonomy import BY_NAME, OUT_OF_SCOPE
from tests.support.accounts import open_account

BEFORE = Tracker(last_intent="card_arrival", offered=("card_arrival", "card_linking"))


def account(number: int, kind: AccountKind, name: str, minor: int) -> AccountDetails:
    return open_account(UUID(int=number), kind, name, f"{number:04d}", Money(minor, "USD"))


CHECKING = account(11, AccountKind.CHECKING, "Everyday Checking", 123456)
SAVINGS = account(22, AccountKind.SAVINGS, "Rainy Day Savings", 5)
OWING = account(33, AccountKind.CREDIT_CARD, "Rewards Card", -98765)
IN_CREDIT = account(33, AccountKind.CREDIT_CARD, "Rewards Card", 250)
SETTLED = account(33, AccountKind.CREDIT_CARD, "Rewards Card", 0)


def balance_reply(knowledge: Knowledge, balances: Sequence[AccountDetails]) -> Reply:
    return compose(Answer("check_balance", 0.9), BEFORE, knowledge, AccountFacts(balances=balances))


@pytest.mark.parametrize("intent", sorted(BY_NAME))
def test_an_answer_is_the_entry_word_for_word_and_cites_it(knowledge: Knowledge, intent: str) -> None:
    entry = knowledge.entry(intent)
    found = compose(Answer(intent, 0.9), BEFORE, knowledge, None)
    assert found.text == entry.text
    assert (found.intent, found.confidence, found.in_scope) == (intent, 0.9, True)
    assert found.citations == (Citation("knowledge", intent, entry.title),)
    assert found.tracker == Tracker(last_intent=intent)
    assert found.next_steps == tuple(knowledge.entry(step).ask for step in entry.next_steps)


@pytest.mark.parametrize(
    ("held", "text"),
    [
        (CHECKING, "Your Everyday Checking ending in 0011 holds $1,234.56."),
        (SAVINGS, "Your Rainy Day Savings ending in 0022 holds $0.05."),
        (OWING, "On your Rewards Card ending in 0033 you owe $987.65."),
        (IN_CREDIT, "Your Rewards Card ending in 0033 has nothing to pay; its credit balance is $2.50."),
        (SETTLED, "Your Rewards Card ending in 0033 has nothing to pay; its credit balance is $0.00."),
    ],
)
def test_a_balance_is_said_as_that_kind_of_account_needs(knowledge: Knowledge, held: AccountDetails, text: str) -> None:
    found = balance_reply(knowledge, [held])
    assert found.text == text
    assert found.citations == (Citation("account", str(held.id), f"{held.name} ending in {held.number_last4}"),)


def test_all_balances_are_said_in_order_and_each_account_is_cited(knowledge: Knowledge) -> None:
    found = balance_reply(knowledge, [CHECKING, SAVINGS, OWING])
    positions = [found.text.index(part) for part in ("$1,234.56", "$0.05", "you owe $987.65")]
    assert positions == sorted(positions)
    assert [one.id for one in found.citations] == [str(one.id) for one in (CHECKING, SAVINGS, OWING)]
    assert found.tracker == Tracker(last_intent="check_balance")
    assert found.next_steps == tuple(knowledge.entry(step).ask for step in knowledge.entry("check_balance").next_steps)


def test_transactions_are_listed_with_sign_date_and_account(knowledge: Knowledge) -> None:
    booked = datetime(2024, 3, 5, 9, 30, tzinfo=UTC)
    rows = [
        BookedTransaction(UUID(int=1), "Everyday Checking", Money(-1250, "USD"), "Corner Coffee", booked),
        BookedTransaction(UUID(int=2), "Rainy Day Savings", Money(100000, "USD"), "Salary", booked),
    ]
    facts = AccountFacts(balances=[CHECKING, SAVINGS], transactions=rows)
    found = compose(Answer("transaction_history", 0.8), BEFORE, knowledge, facts)
    assert found.text.splitlines()[1:] == [
        "Mar 5: Corner Coffee, -$12.50 (Everyday Checking)",
        "Mar 5: Salary, +$1,000.00 (Rainy Day Savings)",
    ]
    assert [one.kind for one in found.citations] == ["account", "account"]


@pytest.mark.parametrize("intent", ["check_balance", "transaction_history"])
@pytest.mark.parametrize("facts", [None, AccountFacts()], ids=["guest", "no accounts"])
def test_who_has_no_rows_gets_the_entry(knowledge: Knowledge, intent: str, facts: AccountFacts | None) -> None:
    found = compose(Answer(intent, 0.9), Tracker(), knowledge, facts)
    assert found.text == knowledge.entry(intent).text
    assert [one.kind for one in found.citations] == ["knowledge"]


def test_account_rows_do_not_enter_another_answer(knowledge: Knowledge) -> None:
    found = compose(Answer("card_arrival", 0.9), Tracker(), knowledge, AccountFacts(balances=[CHECKING]))
    assert found.text == knowledge.entry("card_arrival").text


@pytest.mark.parametrize("options", [("card_arrival", "change_pin"), ("card_arrival", "change_pin", "atm_support")])
def test_a_clarification_names_each_option_and_remembers_them(knowledge: Knowledge, options: tuple[str, ...]) -> None:
    found = compose(Clarify(options, 0.4), Tracker(last_intent="check_balance"), knowledge, None)
    positions = [found.text.index(f"“{knowledge.entry(one).title}”") for one in options]
    assert positions == sorted(positions)
    assert f" or “{knowledge.entry(options[-1]).title}”?" in found.text
    assert found.next_steps == tuple(knowledge.entry(one).ask for one in options)
    assert (found.confidence, found.in_scope, found.citations) == (0.4, True, ())
    assert found.tracker == Tracker(last_intent="check_balance", offered=options)


def test_turning_the_options_down_asks_for_other_words_and_forgets_them(knowledge: Knowledge) -> None:
    found = compose(AskAgain("deny", 0.8), BEFORE, knowledge, None)
    assert found.text == knowledge.entry("deny").text
    assert (found.intent, found.confidence) == ("deny", 0.8)
    assert found.tracker.offered == ()


def test_what_is_not_ours_is_refused_with_what_we_do_and_whom_to_call(knowledge: Knowledge) -> None:
    found = compose(OutOfScope(0.8), BEFORE, knowledge, AccountFacts(balances=[CHECKING]))
    assert (found.intent, found.in_scope, found.confidence) == (OUT_OF_SCOPE, False, 0.8)
    assert knowledge.facts["bank_name"].render() in found.text
    assert knowledge.facts["support_phone"].render() in found.text
    assert "$" not in found.text
    assert found.tracker == Tracker(last_intent="card_arrival")


COMMANDS: list[Command] = [
    *(Answer(intent, 0.9) for intent in sorted(BY_NAME)),
    Clarify(("card_arrival", "change_pin", "atm_support"), 0.4),
    AskAgain("deny", 0.9),
    OutOfScope(0.9),
]


def test_every_next_step_is_the_ask_of_an_entry(knowledge: Knowledge) -> None:
    asks = {one.ask for one in knowledge}
    for command in COMMANDS:
        for facts in (None, AccountFacts(balances=[CHECKING])):
            steps = compose(command, BEFORE, knowledge, facts).next_steps
            assert steps, command
            assert set(steps) <= asks, command


def test_a_tracker_survives_storage_and_an_unknown_field_is_an_error() -> None:
    assert Tracker.model_validate(BEFORE.model_dump(mode="json")) == BEFORE
    assert Tracker.model_validate({}) == Tracker()
    with pytest.raises(ValueError, match="Extra inputs"):
        Tracker.model_validate({"last_intent": None, "mood": "good"})
