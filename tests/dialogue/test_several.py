from __future__ import annotations

from uuid import UUID

import pytest

from llm_banking.banking.core import AccountKind
from llm_banking.dialogue.commands import Answer, Clarify, OutOfScope, Proposal
from llm_banking.dialogue.replies import AccountFacts, Reply, compose
from llm_banking.dialogue.several import MAX_QUOTED_CHARS, MAX_STEPS, compose_turn
from llm_banking.dialogue.tracker import Tracker
from llm_banking.kit.money import Money
from llm_banking.knowledge.service import Knowledge
from tests.support.accounts import open_account

BEFORE = Tracker(last_intent="card_arrival")
CHECKING = open_account(UUID(int=11), AccountKind.CHECKING, "Everyday Checking", "0011", Money(123456, "USD"))
BALANCE = Proposal("show my balance", Answer("check_balance", 0.9))
PIN = Proposal("how do I change my pin", Answer("change_pin", 0.8))
UNSURE = Proposal("something with my card", Clarify(("card_arrival", "card_linking"), 0.4))
ALSO_UNSURE = Proposal("and the other thing", Clarify(("atm_support", "exchange_rate"), 0.4))
STRANGE = Proposal("how is the weather", OutOfScope(0.95))


def turn(knowledge: Knowledge, *proposals: Proposal, facts: AccountFacts | None = None) -> Reply:
    own = [facts if one is BALANCE else None for one in proposals]
    return compose_turn(proposals, own, BEFORE, knowledge)


@pytest.mark.parametrize("one", [BALANCE, PIN, UNSURE, STRANGE])
def test_one_command_is_rendered_as_ever(knowledge: Knowledge, one: Proposal) -> None:
    assert turn(knowledge, one) == compose(one.command, BEFORE, knowledge, None)


def test_two_answers_stand_in_order_a_paragraph_each(knowledge: Knowledge) -> None:
    found = turn(knowledge, BALANCE, PIN, facts=AccountFacts(balances=[CHECKING]))
    assert found.text == (
        "Your Everyday Checking ending in 0011 holds $1,234.56.\n\n" + knowledge.entry("change_pin").text
    )
    assert (found.intent, found.confidence, found.in_scope) == ("check_balance", 0.9, True)
    assert [one.id for one in found.citations] == [str(CHECKING.id), "change_pin"]
    assert found.tracker == Tracker(last_intent="check_balance")
    turned = turn(knowledge, PIN, BALANCE)
    assert turned.text.startswith(knowledge.entry("change_pin").text)
    assert turned.intent == "change_pin"


def test_next_steps_come_from_both_and_never_offer_what_was_just_answered(knowledge: Knowledge) -> None:
    found = turn(knowledge, BALANCE, PIN).next_steps
    offered = [compose(one.command, BEFORE, knowledge, None).next_steps for one in (BALANCE, PIN)]
    assert 1 <= len(found) <= MAX_STEPS
    assert len(set(found)) == len(found)
    assert set(found) <= {*offered[0], *offered[1]}
    assert not {knowledge.entry("check_balance").ask, knowledge.entry("change_pin").ask} & set(found)
    assert any(step in offered[0] for step in found)
    assert any(step in offered[1] for step in found)


@pytest.mark.parametrize("order", [(PIN, UNSURE), (UNSURE, PIN)])
def test_the_clear_one_is_answered_and_the_unclear_one_asked_about_last(
    knowledge: Knowledge, order: tuple[Proposal, Proposal]
) -> None:
    found = turn(knowledge, *order)
    answer, question = found.text.split("\n\n")
    assert answer == knowledge.entry("change_pin").text
    assert question.startswith("About “something with my card”: I want to be sure I understand you. Which do you mean:")
    assert found.intent == ("change_pin" if order[0] is PIN else "card_arrival")
    assert found.next_steps == tuple(knowledge.entry(one).ask for one in ("card_arrival", "card_linking"))
    assert found.tracker == Tracker(last_intent="change_pin", offered=("card_arrival", "card_linking"))


def test_only_one_question_is_asked_at_a_time(knowledge: Knowledge) -> None:
    found = turn(knowledge, PIN, UNSURE, ALSO_UNSURE)
    assert found.text.count("Which do you mean") == 1
    assert found.text.endswith("After that, please ask me about “and the other thing” again.")
    assert found.tracker.offered == ("card_arrival", "card_linking")


def test_what_is_not_ours_is_said_so_after_the_answer(knowledge: Knowledge) -> None:
    found = turn(knowledge, STRANGE, PIN)
    assert found.text.startswith(knowledge.entry("change_pin").text)
    assert "About “how is the weather”: that is outside what I can help with." in found.text
    assert found.in_scope


def test_a_long_request_is_quoted_short(knowledge: Knowledge) -> None:
    found = turn(knowledge, PIN, Proposal("card " * 40, UNSURE.command))
    quoted = found.text.split("“")[1].split("”")[0]
    assert len(quoted) == MAX_QUOTED_CHARS
    assert quoted.endswith("…")
