"""What understanding may propose, and nothing else: the closed set of commands, and how one is chosen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from llm_banking.banking.core import AccountKind
from llm_banking.dialogue.approval import is_bare_yes
from llm_banking.dialogue.asked import PLANNED_PAYMENTS, asks_for_planned
from llm_banking.dialogue.tracker import Tracker
from llm_banking.nlu.doubt import MAX_OPTIONS
from llm_banking.nlu.reader import Reading
from llm_banking.nlu.requests import Request
from llm_banking.nlu.slots import Slot
from llm_banking.nlu.taxonomy import CONVERSATIONAL

ACCOUNT_INTENTS = frozenset({"check_balance", "transaction_history", "get_statement"})
"""Intents that are answered from the customer's accounts, of which a follow-up may name another kind."""
DISPUTES, APPLICATIONS = "dispute_status", "application_status"
"""Answered from the customer's own disputes and applications for loans, where there are any."""
LOAN_QUOTES = frozenset({"loan_payment_estimate", "apply_for_loan", "loan_eligibility"})
"""Answered with what the loan costs, where one is named."""

SaidKind = Literal[
    "amount",
    "negative_amount",
    "quantity",
    "account",
    "name",
    "bill",
    "phrase",
    "later",
    "today",
    "note",
    "option",
    "card",
    "charge",
    "schedule",
    "word",
    "term",
]
"""Kinds of words: `later` is another day than today, a stretch of days or a repetition, `today` is now, `quantity` is
"half" and the like, `phrase` is what follows "to" or "from" and may name an account or a payee, or nothing. `card`,
`charge` and `schedule` are a whole request, which may tell one, `word` one that the flow lists, and `term` how long a
loan shall run.
"""

PERSON = "speak_to_agent"
"""The intent of who asks for a person."""
Topic = Literal["fee", "time", "limit", "so_far"]
"""What can be asked of an operation in work."""

Role = Literal["source", "target"]
"""Where money comes from, and where it goes."""

_FOLLOW_UP = re.compile(r"^\W*(and|also|what about|how about|same for)\b", re.IGNORECASE)
ORDINALS = (
    re.compile(r"^\W*((the|option|number) )*(1|1st|one|first|former)( one| option)?\W*$", re.IGNORECASE),
    re.compile(r"^\W*((the|option|number) )*(2|2nd|two|second)( one| option)?\W*$", re.IGNORECASE),
    re.compile(r"^\W*((the|option|number) )*(3|3rd|three|third)( one| option)?\W*$", re.IGNORECASE),
    re.compile(r"^\W*((the|option|number) )*(4|4th|four|fourth)( one| option)?\W*$", re.IGNORECASE),
)
LAST = re.compile(r"^\W*(the )?(last|latter)( one| option)?\W*$", re.IGNORECASE)
_NONE = re.compile(r"^\W*(none|neither)( of (them|these|those))?\W*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer an intent, about one kind of account where the customer named one.

    `planned`: from the customer's planned payments, instead of how one is planned.
    """

    intent: str
    confidence: float
    account_kind: AccountKind | None = None
    planned: bool = False


@dataclass(frozen=True, slots=True)
class Clarify:
    """Ask which of these intents is meant, likeliest first."""

    options: tuple[str, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Nothing to go by, or all that was offered was turned down: ask for other words by the entry of `intent`."""

    intent: str
    confidence: float


@dataclass(frozen=True, slots=True)
class OutOfScope:
    """The text is not the bank's business; `confidence` is how sure of that the model is."""

    confidence: float


@dataclass(frozen=True, slots=True)
class Said:
    """Words of the customer that may fill a slot: characters `start` to `end` of the whole message, and what they are.

    `option` is the number, from 0, of the choice that they take among those that were just offered.
    """

    kind: SaidKind
    text: str
    start: int
    end: int
    role: Role | None = None
    option: int | None = None


@dataclass(frozen=True, slots=True)
class StartFlow:
    """Begin an operation with what was said of it; `intent` and `confidence` are the reading's."""

    flow: str
    intent: str
    confidence: float
    said: tuple[Said, ...] = ()


@dataclass(frozen=True, slots=True)
class SetSlot:
    """Fill a slot that is empty."""

    slot: str
    said: Said


@dataclass(frozen=True, slots=True)
class CorrectSlot:
    """Fill a slot anew: what was proposed with its old value is void."""

    slot: str
    said: Said


@dataclass(frozen=True, slots=True)
class Confirm:
    """Approve the pending operation that the very last message showed."""

    pending_id: UUID


@dataclass(frozen=True, slots=True)
class Deny:
    """Say no to what was just asked."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Give up the operation in work."""


@dataclass(frozen=True, slots=True)
class HandOff:
    """Get a person: the customer asked for one, or said yes to the offer of one after failures."""

    confidence: float
    reason: Literal["request", "failure"] = "request"


@dataclass(frozen=True, slots=True)
class Unclear:
    """Nothing that an open flow could use."""


@dataclass(frozen=True, slots=True)
class AboutThis:
    """Tell something of the operation in work: what it costs, how long it takes, how much it may be, what was said."""

    topic: Topic


FlowCommand = StartFlow | SetSlot | CorrectSlot | Confirm | Deny | Cancel | HandOff | Unclear
"""What changes an operation in work. The others speak beside it: of knowledge, the customer's rows, the operation."""
Command = AboutThis | Answer | Clarify | AskAgain | OutOfScope | FlowCommand


@dataclass(frozen=True, slots=True)
class Proposal:
    """The command for one request of a message, and the words of the message that make it."""

    text: str
    command: Command


def named_account(slots: Sequence[Slot]) -> AccountKind | None:
    """The one kind of account that a text's slots name; None when they name none or several."""
    known = set(AccountKind)
    found = {slot.value["kind"] for slot in slots if slot.name == "account"} & known
    return AccountKind(found.pop()) if len(found) == 1 else None


def propose_all(reading: Reading, tracker: Tracker, answer_confidence: float) -> tuple[Proposal, ...]:
    """A command for each request of a message, in the order they are mentioned; what is asked twice comes once.

    Where not one of several requests is clear, the message is taken as a whole.
    """
    found: list[Proposal] = []
    before = tracker
    for request in reading.requests if len(reading.requests) > 1 else ():
        command = propose(request, before, answer_confidence)
        if all(one.command != command and not _answers_alike(one.command, command) for one in found):
            found.append(Proposal(request.text, command))
        before = Tracker(last_intent=command.intent if isinstance(command, Answer) else before.last_intent)
    if any(isinstance(one.command, Answer) for one in found):
        return tuple(found)
    return (Proposal(reading.text, propose(reading, tracker, answer_confidence)),)


def accepts_person(reading: Reading, tracker: Tracker) -> HandOff | None:
    """The yes to a person who was offered by the very last message, where a message is that."""
    offered = tracker.prompt is not None and tracker.prompt.asks == "person"
    return HandOff(reading.confidence, "failure") if offered and is_bare_yes(reading.text) else None


def _answers_alike(one: Command, other: Command) -> bool:
    """Whether two commands give the same answer, however sure each is."""
    if not (isinstance(one, Answer) and isinstance(other, Answer)):
        return False
    return (one.intent, one.account_kind, one.planned) == (other.intent, other.account_kind, other.planned)


def propose(reading: Reading | Request, tracker: Tracker, answer_confidence: float) -> Command:
    """Choose the command for a message, or for one request of it, in the light of the conversation so far."""
    chosen = choice_of_offered(reading, tracker)
    if chosen is None and asks_for_planned(reading.text):
        chosen = Answer(PLANNED_PAYMENTS, 1.0, planned=True)
    if chosen is not None:
        return chosen
    kind = named_account(reading.slots)
    elsewhere = reading.in_scope and reading.confidence >= answer_confidence and reading.intent not in ACCOUNT_INTENTS
    follows = tracker.last_intent in ACCOUNT_INTENTS and kind is not None and _FOLLOW_UP.search(reading.text)
    if follows and not elsewhere and tracker.last_intent is not None:
        return Answer(tracker.last_intent, reading.confidence, kind)
    if not any(character.isalnum() for character in reading.text):
        return AskAgain("help", reading.confidence)
    if not reading.in_scope:
        return OutOfScope(1.0 - reading.in_scope_score)
    if reading.confidence >= answer_confidence:
        return Answer(reading.intent, reading.confidence, kind if reading.intent in ACCOUNT_INTENTS else None)
    return _clarify(reading)


def _clarify(reading: Reading | Request) -> Command:
    """Offer what may be meant, by the prediction set, and of too much the likeliest; of nothing, say what can be asked.

    Where small talk is likeliest of several, a guess at a request would be worse than a question.
    """
    options = tuple(intent for intent in reading.options if intent not in CONVERSATIONAL)
    if not options or (reading.intent in CONVERSATIONAL and len(options) == 1):
        return AskAgain("help", reading.confidence)
    return Clarify(options[:MAX_OPTIONS], reading.confidence)


def choice_of_offered(reading: Reading | Request, tracker: Tracker) -> Command | None:
    """The answer to a clarifying question, where one is open and the text is an answer to it."""
    if not tracker.offered:
        return None
    for intent, pattern in zip(tracker.offered, ORDINALS, strict=False):
        if pattern.search(reading.text):
            return Answer(intent, 1.0)
    if LAST.search(reading.text):
        return Answer(tracker.offered[-1], 1.0)
    if _NONE.search(reading.text) or (reading.intent == "deny" and reading.in_scope):
        return AskAgain("deny", reading.confidence)
    if reading.intent == "affirm" and reading.in_scope:
        alone = len(tracker.offered) == 1
        return Answer(tracker.offered[0], 1.0) if alone else Clarify(tracker.offered, reading.confidence)
    return None
