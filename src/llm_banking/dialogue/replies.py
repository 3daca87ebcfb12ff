"""From a command to the words the customer reads: entries, account facts and next steps, never invention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from llm_banking.banking.core import AccountDetails, AccountKind, BookedTransaction
from llm_banking.dialogue.cases import Case
from llm_banking.dialogue.commands import ACCOUNT_INTENTS, Answer, AskAgain, Clarify, Command, OutOfScope
from llm_banking.dialogue.errors import FlowFaultError
from llm_banking.dialogue.models import Handoff
from llm_banking.dialogue.tracker import Shown, Tracker
from llm_banking.kit.money import Money
from llm_banking.knowledge.service import Entry, Knowledge
from llm_banking.nlu.taxonomy import OUT_OF_SCOPE

LEADING_CONFIDENCE = 0.5
"""From here on the first option is likelier than all others together: its answer comes with the question."""
_OUT_OF_SCOPE_STEPS = ("help", "speak_to_agent", "check_balance")


@dataclass(frozen=True, slots=True)
class Citation:
    """What a reply rests on: a knowledge entry (id is its intent) or an account or a case (id is its UUID)."""

    kind: Literal["knowledge", "account", "case"]
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What is told of a signed-in customer's rows, or from the bank's rules, as far as the command asks for them."""

    balances: Sequence[AccountDetails] = ()
    transactions: Sequence[BookedTransaction] = ()
    cases: Sequence[Case] = ()
    planned: str = ""
    """What is said of planned payments; `cases` are then those it tells of."""
    quote: str = ""
    """What the loan costs that was asked about."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply. Each next step is a text that, sent as a message, does what it says.

    `pending` is the operation whose summary the text shows and asks about. `missed`: nothing was understood.
    `handoff` is open when the reply is given; `by_person`: the assistant does not answer, and the text may be empty.
    """

    text: str
    intent: str
    confidence: float
    in_scope: bool
    next_steps: tuple[str, ...]
    citations: tuple[Citation, ...]
    tracker: Tracker
    pending: Shown | None = None
    missed: bool = False
    handoff: Handoff | None = None
    by_person: bool = False


def compose(command: Command, tracker: Tracker, knowledge: Knowledge, facts: AccountFacts | None) -> Reply:
    """Render a command. `facts` is None for a guest, who gets the entry where a customer gets their rows."""
    match command:
        case Answer():
            return _answer(command, knowledge, facts)
        case Clarify(options, confidence):
            return _clarify(options, confidence, tracker, knowledge)
        case AskAgain(intent, confidence):
            entry = knowledge.entry(intent)
            said = _from_entry(entry, entry.text, confidence, knowledge, _cite(entry))
            return replace(said, missed=intent == "help")
        case OutOfScope(confidence):
            return _out_of_scope(confidence, tracker, knowledge)
        case _:
            raise FlowFaultError("A command of a flow came where words alone are made.")


def _steps(intents: Sequence[str], knowledge: Knowledge) -> tuple[str, ...]:
    return tuple(knowledge.entry(intent).ask for intent in intents)


def _cite(entry: Entry) -> tuple[Citation, ...]:
    return (Citation("knowledge", entry.intent, entry.title),)


def _from_entry(
    entry: Entry, text: str, confidence: float, knowledge: Knowledge, citations: tuple[Citation, ...]
) -> Reply:
    return Reply(
        text=text,
        intent=entry.intent,
        confidence=confidence,
        in_scope=True,
        next_steps=_steps(entry.next_steps, knowledge),
        citations=citations,
        tracker=Tracker(last_intent=entry.intent),
    )


def _answer(command: Answer, knowledge: Knowledge, facts: AccountFacts | None) -> Reply:
    entry = knowledge.entry(command.intent)
    if facts is not None and command.intent == "check_balance" and facts.balances:
        return _from_entry(
            entry, _balance_text(facts.balances), command.confidence, knowledge, _cite_accounts(facts.balances)
        )
    if facts is not None and command.intent == "transaction_history" and facts.transactions:
        return _from_entry(
            entry, _transactions_text(facts.transactions), command.confidence, knowledge, _cite_accounts(facts.balances)
        )
    if facts is not None and command.intent == "get_statement" and facts.balances:
        return _from_entry(
            entry, _statements_text(facts.balances), command.confidence, knowledge, _cite_accounts(facts.balances)
        )
    if facts is not None and facts.quote:
        return _from_entry(entry, facts.quote, command.confidence, knowledge, ())
    if facts is not None and (facts.cases or facts.planned):
        cited = tuple(Citation("case", str(one.id), one.title) for one in facts.cases)
        text = facts.planned or "\n".join(one.text for one in facts.cases)
        return _from_entry(entry, text, command.confidence, knowledge, cited)
    return _from_entry(entry, entry.text, command.confidence, knowledge, _cite(entry))


def _statements_text(balances: Sequence[AccountDetails]) -> str:
    lines = [
        f"- {one.name} ending in {one.number_last4}: /api/v2/accounts/{one.id}/statement?format=pdf" for one in balances
    ]
    lead = "Here is the statement of the last full month; add &month= with a year and month for another one."
    return "\n".join([lead, *lines])


def _cite_accounts(balances: Sequence[AccountDetails]) -> tuple[Citation, ...]:
    return tuple(Citation("account", str(one.id), f"{one.name} ending in {one.number_last4}") for one in balances)


def _balance_text(balances: Sequence[AccountDetails]) -> str:
    parts = [_one_balance(one) for one in balances]
    return parts[0] if len(parts) == 1 else "Here is what you have right now. " + " ".join(parts)


def _one_balance(one: AccountDetails) -> str:
    where = f"Your {one.name} ending in {one.number_last4}"
    if one.kind is AccountKind.CREDIT_CARD:
        if one.balance.amount_minor < 0:
            return f"On {where[0].lower()}{where[1:]} you owe {(-one.balance).display()}."
        return f"{where} has nothing to pay; its credit balance is {one.balance.display()}."
    return f"{where} holds {one.balance.display()}."


def _transactions_text(transactions: Sequence[BookedTransaction]) -> str:
    lines = [
        f"{one.booked_at:%b} {one.booked_at.day}: {one.description}, {_signed(one.amount)} ({one.account_name})"
        for one in transactions
    ]
    return "These are your latest transactions.\n" + "\n".join(lines)


def _signed(amount: Money) -> str:
    return amount.display() if amount.amount_minor < 0 else f"+{amount.display()}"


def _clarify(options: Sequence[str], confidence: float, tracker: Tracker, knowledge: Knowledge) -> Reply:
    titles = [f"“{knowledge.entry(intent).title}”" for intent in options]
    asked = (
        f"Do you mean {titles[0]}?"
        if len(titles) == 1
        else f"Which do you mean: {', '.join(titles[:-1])} or {titles[-1]}?"
    )
    text = f"I want to be sure I understand you. {asked}"
    citations: tuple[Citation, ...] = ()
    if confidence >= LEADING_CONFIDENCE and len(options) > 1 and options[0] not in ACCOUNT_INTENTS:
        leading = knowledge.entry(options[0])
        text, citations = f"{text}\n\nIf it is the first: {leading.text}", _cite(leading)
    return Reply(
        text=text,
        intent=options[0],
        confidence=confidence,
        in_scope=True,
        next_steps=_steps(options, knowledge),
        citations=citations,
        tracker=Tracker(last_intent=tracker.last_intent, offered=tuple(options)),
    )


def _out_of_scope(confidence: float, tracker: Tracker, knowledge: Knowledge) -> Reply:
    bank, phone = (knowledge.facts[name].render() for name in ("bank_name", "support_phone"))
    return Reply(
        text=(
            f"That is outside what I can help with. I answer questions about {bank} accounts, cards, payments, "
            f"transfers, loans and security. A person can help you with anything else: call {phone}, or ask me to "
            "connect you."
        ),
        intent=OUT_OF_SCOPE,
        confidence=confidence,
        in_scope=False,
        next_steps=_steps(_OUT_OF_SCOPE_STEPS, knowledge),
        citations=(),
        tracker=Tracker(last_intent=tracker.last_intent),
        missed=True,
    )
