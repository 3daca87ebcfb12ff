from __future__ import annotations

from datetime import date

import pytest

from llm_banking.banking.service import AccountKind
from llm_banking.dialogue.commands import Answer, AskAgain, Clarify, OutOfScope, named_account, propose
from llm_banking.dialogue.tracker import Tracker
from llm_banking.nlu.slots import find_slots
from llm_banking.nlu.taxonomy import CONVERSATIONAL
from tests.dialogue.conftest import MakeReading

THRESHOLD = 0.7
FRESH = Tracker()
AFTER_BALANCE = Tracker(last_intent="check_balance")
OFFERED = Tracker(last_intent="card_arrival", offered=("card_arrival", "card_linking", "change_pin"))
UNSURE = (("exchange_rate", 0.4), ("exchange_charge", 0.3), ("atm_support", 0.1), ("change_pin", 0.05))


# an answer


@pytest.mark.parametrize("confidence", [0.7, 0.71, 1.0])
def test_a_confident_reading_is_answered(reading: MakeReading, confidence: float) -> None:
    found = propose(reading("where is it", ("card_arrival", confidence)), FRESH, THRESHOLD)
    assert found == Answer("card_arrival", confidence)


@pytest.mark.parametrize("intent", ["check_balance", "transaction_history"])
def test_an_account_answer_is_about_the_account_that_is_named(reading: MakeReading, intent: str) -> None:
    found = propose(reading("show my savings", (intent, 0.9)), FRESH, THRESHOLD)
    assert found == Answer(intent, 0.9, AccountKind.SAVINGS)


def test_an_answer_that_needs_no_rows_names_no_account(reading: MakeReading) -> None:
    found = propose(reading("close my savings account", ("terminate_account", 0.9)), FRESH, THRESHOLD)
    assert found == Answer("terminate_account", 0.9, None)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("what's in my savings?", AccountKind.SAVINGS),
        ("saving balance", AccountKind.SAVINGS),
        ("my checking", AccountKind.CHECKING),
        ("Current account please", AccountKind.CHECKING),
        ("everyday balance", AccountKind.CHECKING),
        ("what do I owe on my CREDIT CARD", AccountKind.CREDIT_CARD),
        ("and my credit card?", AccountKind.CREDIT_CARD),
        ("my balance", None),
        ("What is my current balance?", None),
        ("savings and checking", None),
        ("my credit score", None),
        ("my card has not arrived", None),
    ],
)
def test_an_account_is_named_by_exactly_one_kind_of_word(text: str, kind: AccountKind | None) -> None:
    assert named_account(find_slots(text, today=date(2026, 11, 21))) == kind


# a clarifying question


def test_an_unsure_reading_offers_the_two_or_three_likeliest(reading: MakeReading) -> None:
    found = propose(reading("rate", *UNSURE), FRESH, THRESHOLD)
    assert found == Clarify(("exchange_rate", "exchange_charge", "atm_support"), 0.4)


def test_a_third_that_is_unlikely_is_not_offered(reading: MakeReading) -> None:
    unlikely_third = (("exchange_rate", 0.5), ("exchange_charge", 0.4), ("atm_support", 0.02))
    found = propose(reading("rate", *unlikely_third), FRESH, THRESHOLD)
    assert found == Clarify(("exchange_rate", "exchange_charge"), 0.5)


def test_two_are_offered_even_when_the_second_is_unlikely(reading: MakeReading) -> None:
    found = propose(reading("rate", ("exchange_rate", 0.6), ("exchange_charge", 0.01)), FRESH, THRESHOLD)
    assert found == Clarify(("exchange_rate", "exchange_charge"), 0.6)


@pytest.mark.parametrize("small_talk", sorted(CONVERSATIONAL))
def test_small_talk_is_never_an_option(reading: MakeReading, small_talk: str) -> None:
    for likeliest in (
        (("exchange_rate", 0.5), (small_talk, 0.3), ("exchange_charge", 0.15), ("change_pin", 0.05)),
        ((small_talk, 0.5), ("exchange_rate", 0.3), ("exchange_charge", 0.15)),
        (("exchange_rate", 0.6), (small_talk, 0.05), ("exchange_charge", 0.03)),
    ):
        found = propose(reading("er", *likeliest), FRESH, THRESHOLD)
        assert isinstance(found, Clarify)
        assert found.options == ("exchange_rate", "exchange_charge")


def test_unsure_small_talk_with_no_request_beside_it_is_asked_again(reading: MakeReading) -> None:
    """There is nothing to choose between, and a guess at a yes would be worse than a question."""
    talk = (("affirm", 0.4), ("deny", 0.2), ("thanks", 0.2), ("goodbye", 0.1), ("greeting", 0.1))
    assert propose(reading("hm", *talk), FRESH, THRESHOLD) == AskAgain("help", 0.4)
    one_request = (("affirm", 0.5), ("exchange_rate", 0.2), ("deny", 0.1))
    assert propose(reading("hm", *one_request), FRESH, THRESHOLD) == AskAgain("help", 0.5)


@pytest.mark.parametrize("text", ["?", "...", "\N{POUTING FACE}", "!?!"])
def test_a_text_without_a_letter_or_digit_asks_for_words(reading: MakeReading, text: str) -> None:
    assert propose(reading(text, ("affirm", 0.98)), FRESH, THRESHOLD) == AskAgain("help", 0.98)


# not ours


def test_a_text_that_is_not_ours_is_refused_however_sure_the_intent(reading: MakeReading) -> None:
    found = propose(
        reading("book a flight", ("exchange_rate", 1.0), in_scope_score=0.25, in_scope=False), FRESH, THRESHOLD
    )
    assert found == OutOfScope(0.75)


# a follow-up


@pytest.mark.parametrize(
    "text", ["and my savings?", "What about savings", "…and the savings account?", "also my savings"]
)
def test_a_follow_up_about_another_account_keeps_the_question(reading: MakeReading, text: str) -> None:
    for last in ("check_balance", "transaction_history"):
        found = propose(reading(text, ("savings_interest_rate", 0.5)), Tracker(last_intent=last), THRESHOLD)
        assert found == Answer(last, 0.5, AccountKind.SAVINGS)


def test_a_follow_up_is_understood_where_the_model_takes_it_for_not_ours(reading: MakeReading) -> None:
    lost = reading("and my savings?", ("help", 0.2), in_scope=False, in_scope_score=0.1)
    assert propose(lost, AFTER_BALANCE, THRESHOLD) == Answer("check_balance", 0.2, AccountKind.SAVINGS)


@pytest.mark.parametrize("tracker", [FRESH, Tracker(last_intent="card_arrival")])
def test_without_an_account_question_before_it_nothing_is_followed_up(reading: MakeReading, tracker: Tracker) -> None:
    found = propose(reading("and my savings?", *UNSURE), tracker, THRESHOLD)
    assert isinstance(found, Clarify)


def test_a_follow_up_must_name_an_account(reading: MakeReading) -> None:
    assert isinstance(propose(reading("and my rate?", *UNSURE), AFTER_BALANCE, THRESHOLD), Clarify)


def test_a_new_question_is_not_taken_for_a_follow_up(reading: MakeReading) -> None:
    found = propose(reading("savings interest?", ("savings_interest_rate", 0.9)), AFTER_BALANCE, THRESHOLD)
    assert found == Answer("savings_interest_rate", 0.9)


def test_a_confident_other_request_is_not_overruled_by_the_word_and(reading: MakeReading) -> None:
    asked = reading("And how do I close my savings account?", ("terminate_account", 0.99))
    assert propose(asked, AFTER_BALANCE, THRESHOLD) == Answer("terminate_account", 0.99)


# an answer to a clarifying question


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("1", "card_arrival"),
        ("the first one", "card_arrival"),
        ("First!", "card_arrival"),
        ("the former", "card_arrival"),
        ("option 2", "card_linking"),
        ("2nd", "card_linking"),
        ("the second option", "card_linking"),
        ("option three", "change_pin"),
        ("3.", "change_pin"),
        ("the third one.", "change_pin"),
        ("the last one", "change_pin"),
        ("latter", "change_pin"),
    ],
)
def test_an_ordinal_chooses_from_the_options(reading: MakeReading, text: str, chosen: str) -> None:
    found = propose(reading(text, ("help", 0.3), in_scope=False, in_scope_score=0.2), OFFERED, THRESHOLD)
    assert found == Answer(chosen, 1.0)


def test_the_last_of_two_is_the_second(reading: MakeReading) -> None:
    two = Tracker(offered=("card_arrival", "card_linking"))
    assert propose(reading("the last one", *UNSURE), two, THRESHOLD) == Answer("card_linking", 1.0)


def test_the_third_of_two_chooses_nothing(reading: MakeReading) -> None:
    two = Tracker(offered=("card_arrival", "card_linking"))
    assert isinstance(propose(reading("the third one", *UNSURE), two, THRESHOLD), Clarify)


@pytest.mark.parametrize("text", ["the first payment failed", "my second card", "1 dollar", "lasting problem"])
def test_a_sentence_with_a_number_in_it_is_no_choice(reading: MakeReading, text: str) -> None:
    found = propose(reading(text, ("request_refund", 0.9)), OFFERED, THRESHOLD)
    assert found == Answer("request_refund", 0.9)


@pytest.mark.parametrize("text", ["none", "None of these.", "neither", "none of them"])
def test_none_of_them_asks_for_other_words(reading: MakeReading, text: str) -> None:
    found = propose(reading(text, ("help", 0.3), in_scope=False), OFFERED, THRESHOLD)
    assert found == AskAgain("deny", 0.3)


def test_a_no_asks_for_other_words(reading: MakeReading) -> None:
    assert propose(reading("nope", ("deny", 0.6)), OFFERED, THRESHOLD) == AskAgain("deny", 0.6)


def test_a_bare_yes_to_several_options_asks_which(reading: MakeReading) -> None:
    assert propose(reading("yes", ("affirm", 0.99)), OFFERED, THRESHOLD) == Clarify(OFFERED.offered, 0.99)


def test_a_yes_to_a_single_option_takes_it(reading: MakeReading) -> None:
    one = Tracker(offered=("card_arrival",))
    assert propose(reading("yes", ("affirm", 0.99)), one, THRESHOLD) == Answer("card_arrival", 1.0)


@pytest.mark.parametrize("intent", ["affirm", "deny"])
def test_a_yes_or_no_that_is_not_ours_answers_no_clarification(reading: MakeReading, intent: str) -> None:
    stranger = reading("si", (intent, 0.9), in_scope=False, in_scope_score=0.1)
    assert isinstance(propose(stranger, OFFERED, THRESHOLD), OutOfScope)


@pytest.mark.parametrize(
    ("text", "intent"), [("1", "help"), ("the last one", "help"), ("none", "deny"), ("yes", "affirm")]
)
def test_with_no_clarification_open_nothing_is_chosen(reading: MakeReading, text: str, intent: str) -> None:
    assert propose(reading(text, (intent, 0.9)), FRESH, THRESHOLD) == Answer(intent, 0.9)


def test_another_question_closes_the_clarification(reading: MakeReading) -> None:
    found = propose(reading("what is my balance", ("check_balance", 0.95)), OFFERED, THRESHOLD)
    assert found == Answer("check_balance", 0.95)
