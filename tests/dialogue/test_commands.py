from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from llm_banking.banking.core import AccountKind
from llm_banking.dialogue.commands import (
    Answer,
    AskAgain,
    Clarify,
    OutOfScope,
    Proposal,
    named_account,
    propose,
    propose_all,
)
from llm_banking.dialogue.tracker import Tracker
from llm_banking.nlu.doubt import MAX_OPTIONS
from llm_banking.nlu.reader import Reading
from llm_banking.nlu.requests import Request
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


def test_an_unsure_reading_offers_what_may_be_meant(reading: MakeReading) -> None:
    found = propose(reading("rate", *UNSURE), FRESH, THRESHOLD)
    assert found == Clarify(("exchange_rate", "exchange_charge", "atm_support"), 0.4)


def test_the_prediction_set_decides_and_not_the_ranking(reading: MakeReading) -> None:
    found = propose(reading("rate", *UNSURE, options=("exchange_charge", "change_pin")), FRESH, THRESHOLD)
    assert found == Clarify(("exchange_charge", "change_pin"), 0.4)


def test_one_intent_that_may_be_meant_is_a_yes_or_no_question(reading: MakeReading) -> None:
    found = propose(reading("rate", *UNSURE, options=("exchange_rate",)), FRESH, THRESHOLD)
    assert found == Clarify(("exchange_rate",), 0.4)


def test_of_too_much_that_may_be_meant_the_likeliest_are_offered(reading: MakeReading) -> None:
    options = ("exchange_rate", "exchange_charge", "atm_support", "change_pin", "pin_blocked")
    assert propose(reading("rate", *UNSURE, options=options), FRESH, THRESHOLD) == Clarify(options[:MAX_OPTIONS], 0.4)


def test_nothing_that_may_be_meant_asks_for_other_words(reading: MakeReading) -> None:
    assert propose(reading("rate", *UNSURE, options=()), FRESH, THRESHOLD) == AskAgain("help", 0.4)


@pytest.mark.parametrize("small_talk", sorted(CONVERSATIONAL))
def test_small_talk_is_never_an_option(reading: MakeReading, small_talk: str) -> None:
    for likeliest in (
        (("exchange_rate", 0.5), (small_talk, 0.3), ("exchange_charge", 0.15), ("change_pin", 0.05)),
        ((small_talk, 0.5), ("exchange_rate", 0.3), ("exchange_charge", 0.15)),
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


# several requests in one message


def several(reading: MakeReading, text: str, *parts: tuple[str, str, float]) -> Reading:
    """A reading of a text whose requests are (words, intent, confidence)."""
    found = []
    for words, intent, confidence in parts:
        one, start = reading(words, (intent, confidence), ("card_linking", 0.2)), text.index(words)
        found.append(
            Request(
                text=words,
                start=start,
                end=start + len(words),
                intent=intent,
                confidence=confidence,
                in_scope=one.in_scope,
                in_scope_score=one.in_scope_score,
                alternatives=one.alternatives,
                options=one.options,
                slots=one.slots,
            )
        )
    whole = reading(text, ("exchange_rate", 0.75))
    return replace(whole, requests=tuple(found))


def test_each_request_gets_its_command_in_order(reading: MakeReading) -> None:
    text = "show my savings balance and where is my card"
    found = propose_all(
        several(
            reading, text, ("show my savings balance", "check_balance", 0.9), ("where is my card", "card_arrival", 0.9)
        ),
        FRESH,
        THRESHOLD,
    )
    assert found == (
        Proposal("show my savings balance", Answer("check_balance", 0.9, AccountKind.SAVINGS)),
        Proposal("where is my card", Answer("card_arrival", 0.9)),
    )


def test_one_request_is_the_whole_message(reading: MakeReading) -> None:
    one = several(reading, "my rate", ("my rate", "change_pin", 0.9))
    assert propose_all(one, FRESH, THRESHOLD) == (Proposal("my rate", Answer("exchange_rate", 0.75)),)


def test_an_unclear_request_beside_a_clear_one_is_asked_about(reading: MakeReading) -> None:
    found = propose_all(
        several(reading, "my card and my pin", ("my card", "card_arrival", 0.4), ("my pin", "change_pin", 0.9)),
        FRESH,
        THRESHOLD,
    )
    assert [type(one.command) for one in found] == [Clarify, Answer]


def test_where_nothing_is_clear_the_message_is_taken_whole(reading: MakeReading) -> None:
    said = several(reading, "my card and my pin", ("my card", "card_arrival", 0.4), ("my pin", "change_pin", 0.4))
    assert propose_all(said, FRESH, THRESHOLD) == (Proposal(said.text, Answer("exchange_rate", 0.75)),)


def test_what_is_asked_twice_is_answered_once(reading: MakeReading) -> None:
    said = several(reading, "pay gas, pay rent", ("pay gas", "pay_bill", 0.9), ("pay rent", "pay_bill", 0.8))
    assert propose_all(said, FRESH, THRESHOLD) == (Proposal("pay gas", Answer("pay_bill", 0.9)),)


def test_an_open_question_is_answered_by_the_first_request_only(reading: MakeReading) -> None:
    said = several(
        reading, "the second, where is it", ("the second", "deny", 0.4), ("where is it", "card_arrival", 0.9)
    )
    assert [one.command for one in propose_all(said, OFFERED, THRESHOLD)] == [
        Answer("card_linking", 1.0),
        Answer("card_arrival", 0.9),
    ]
    twice = several(reading, "where is it, first", ("where is it", "card_arrival", 0.9), ("first", "change_pin", 0.9))
    assert [one.command for one in propose_all(twice, OFFERED, THRESHOLD)][-1] == Answer("change_pin", 0.9)
