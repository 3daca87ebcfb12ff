"""One turn, stored: the conversation is locked, the reply composed, and every row written together."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking import core as banking
from llm_banking.banking.core import AccountKind
from llm_banking.banking.disputes import disputes_of
from llm_banking.banking.loans import applications_of
from llm_banking.dialogue import repository, wording
from llm_banking.dialogue.cases import Case, applications_told, disputes_told
from llm_banking.dialogue.commands import (
    ACCOUNT_INTENTS,
    APPLICATIONS,
    DISPUTES,
    Answer,
    Proposal,
    accepts_person,
    propose_all,
)
from llm_banking.dialogue.escalation import Escalation
from llm_banking.dialogue.flow_files import Flows
from llm_banking.dialogue.handoff_rules import HandoffRules
from llm_banking.dialogue.handoffs import open_handoff
from llm_banking.dialogue.loan_quotes import quoted
from llm_banking.dialogue.models import ChatMessage, ChatSession, ModelMetrics
from llm_banking.dialogue.own_schedules import planned_payments, told_of
from llm_banking.dialogue.replies import AccountFacts, Reply
from llm_banking.dialogue.several import compose_turn
from llm_banking.dialogue.talk import Teller, may_move_money
from llm_banking.dialogue.tracker import Tracker
from llm_banking.identity.principal import Principal
from llm_banking.kit.clock import utc_now
from llm_banking.kit.ids import uuid7
from llm_banking.knowledge.service import Knowledge
from llm_banking.nlu.reader import Reading
from llm_banking.nlu.requests import Request
from llm_banking.operations.gate import Gate
from llm_banking.operations.schedule_records import MAX_PAGE_ROWS, schedules_of

TITLE_CHARS = 60
ENGINE = "template"
PERSON_ENGINE = "agent"
"""Named as the engine of a turn that the assistant leaves to a person."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn left behind."""

    session_id: UUID
    message_id: UUID
    reply: Reply
    model_version: str
    requests: tuple[Request, ...]


def guest_reply(reading: Reading, knowledge: Knowledge, flows: Flows, answer_confidence: float) -> Reply:
    """One turn without a conversation, an account or a database."""
    tracker = Tracker()
    proposals = propose_all(reading, tracker, answer_confidence)
    return _told_to_sign_in(compose_turn(proposals, [None] * len(proposals), tracker, knowledge), proposals, flows)


async def handle_turn(
    session: AsyncSession,
    *,
    caller: Principal,
    owner_id: UUID,
    visible_owner_ids: Collection[UUID],
    session_id: UUID | None,
    reading: Reading,
    read_ms: float,
    knowledge: Knowledge,
    flows: Flows,
    gate: Gate,
    handoff_rules: HandoffRules,
    answer_confidence: float,
    account_kind: AccountKind | None = None,
    takes_yes: bool = True,
) -> Turn:
    """Answer one message, each request of it, inside the caller's transaction; nothing is committed here.

    A new conversation belongs to `owner_id`; a given one must belong to one of `visible_owner_ids`. `account_kind`
    narrows an account answer where the text names no account. Money moves only where `caller` is the conversation's
    owner, may move money and says yes to what the last message showed; without `takes_yes` not even then, and what
    waits goes on waiting. While a person has the conversation, the message is kept for them and not answered. Raises
    SessionNotFoundError.
    """
    started, asked_at, message_id = time.perf_counter(), utc_now(), uuid7()
    if session_id is None:
        chat = ChatSession(id=uuid7(), user_id=owner_id, title=_title(reading.text), tracker={}, message_count=0)
    else:
        chat = await repository.get_session(session, session_id, visible_owner_ids, for_update=True)
    found = Tracker.model_validate(chat.tracker)
    tracker = found.model_copy(update={"turn": found.turn + 1})

    async def words(proposals: Sequence[Proposal]) -> Reply:
        facts = []
        for one in proposals:
            quote = quoted(one, reading, tracker, gate.today(asked_at))
            told = AccountFacts(quote=quote) if quote else None
            facts.append(told or await _facts(session, chat.user_id, one, account_kind))
        return compose_turn(proposals, facts, tracker, knowledge)

    may = may_move_money(caller, chat.user_id)
    teller = (
        Teller(flows, gate, session, caller, chat.id, message_id, answer_confidence, asked_at, takes_yes)
        if may
        else None
    )
    escalation = Escalation(session, chat, handoff_rules, flows, gate, knowledge, teller, words, reading, tracker)
    handoff = None if session_id is None else await open_handoff(session, chat.id)
    if handoff is not None:
        reply = await escalation.beside(handoff)
    else:
        reply = await _answered(escalation, answer_confidence)
    latency_ms = read_ms + (time.perf_counter() - started) * 1000
    await _store(session, chat, message_id, reading, reply, asked_at, latency_ms)
    return Turn(chat.id, message_id, reply, reading.model_version, reading.requests)


async def _answered(turn: Escalation, answer_confidence: float) -> Reply:
    """The assistant's own answer, or what leads to a person."""
    reading, tracker, teller = turn.reading, turn.tracker, turn.teller
    accepted = accepts_person(reading, tracker)
    if accepted is not None:
        proposals: tuple[Proposal, ...] = (Proposal(reading.text, accepted),)
    elif teller is not None:
        proposals = await teller.propose(reading, tracker)
    else:
        proposals = propose_all(reading, tracker, answer_confidence)
    reason = turn.rules.reason([one.command for one in proposals])
    if reason is not None:
        return await turn.begin(reason, proposals)
    if teller is not None:
        reply = await teller.reply(proposals, reading, tracker, turn.words, turn.knowledge)
    else:
        reply = _told_to_sign_in(await turn.words(proposals), proposals, turn.flows)
        kept = {"turn": tracker.turn, "stack": tracker.stack, "events": tracker.events}
        reply = replace(reply, tracker=reply.tracker.model_copy(update=kept))
    return await turn.counted(reply)


def _told_to_sign_in(reply: Reply, proposals: Sequence[Proposal], flows: Flows) -> Reply:
    """Who cannot move money here reads how to, where that is what was asked for."""
    asked = any(isinstance(one.command, Answer) and one.command.intent in flows.by_intent for one in proposals)
    return replace(reply, text=f"{reply.text}\n\n{wording.SIGN_IN}") if asked else reply


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE_CHARS else line[: TITLE_CHARS - 1] + "…"


async def _store(
    session: AsyncSession,
    chat: ChatSession,
    message_id: UUID,
    reading: Reading,
    reply: Reply,
    asked_at: datetime,
    latency_ms: float,
) -> None:
    """Write the turn's rows, each after the one it refers to.

    `message_id` becomes the reply's, or the message's own where there is no reply.
    """
    if chat.message_count:  # whoever reads on from a place misses nothing that was written while this one waited
        asked_at = max(asked_at, chat.last_message_at + timedelta(microseconds=1))
    answered_at = max(utc_now(), asked_at + timedelta(microseconds=1))
    asked = ChatMessage(
        id=uuid7() if reply.text else message_id,
        session_id=chat.id,
        role="user",
        content=reading.text,
        intent=reading.intent,
        confidence=reading.confidence,
        suggested_next_steps=[],
        embedding=reading.embedding,
        created_at=asked_at,
    )
    chat.tracker = reply.tracker.model_dump(mode="json")
    chat.message_count += 2 if reply.text else 1
    chat.last_message_at = answered_at
    session.add(chat)
    await session.flush()
    session.add(asked)
    if not reply.text:
        await session.flush()
        return
    answered = ChatMessage(
        id=message_id,
        session_id=chat.id,
        role="assistant",
        content=reply.text,
        intent=reply.intent,
        confidence=reply.confidence,
        suggested_next_steps=list(reply.next_steps),
        created_at=answered_at,
    )
    metrics = ModelMetrics(
        query_id=message_id,
        model_version=reading.model_version,
        intent=reply.intent,
        confidence=reply.confidence,
        latency_ms=latency_ms,
    )
    session.add(answered)
    await session.flush()
    session.add(metrics)
    await session.flush()


async def _facts(
    session: AsyncSession, owner_id: UUID, proposal: Proposal, account_kind: AccountKind | None
) -> AccountFacts | None:
    command = proposal.command
    if isinstance(command, Answer) and command.planned:
        return await _planned(session, owner_id, proposal.text)
    if isinstance(command, Answer) and command.intent == DISPUTES:
        return AccountFacts(cases=disputes_told(await disputes_of(session, owner_id)))
    if isinstance(command, Answer) and command.intent == APPLICATIONS:
        return AccountFacts(cases=applications_told(await applications_of(session, owner_id)))
    if not isinstance(command, Answer) or command.intent not in ACCOUNT_INTENTS:
        return None
    kind = command.account_kind or account_kind
    held = await banking.list_accounts(session, owner_id, kind)
    if command.intent != "transaction_history":
        return AccountFacts(balances=held)
    return AccountFacts(balances=held, transactions=await banking.latest_transactions(session, owner_id, kind))


async def _planned(session: AsyncSession, owner_id: UUID, text: str) -> AccountFacts:
    rows = await schedules_of(session, owner_id, limit=MAX_PAGE_ROWS, active=True)
    words, told = told_of(text, planned_payments(rows))
    return AccountFacts(cases=[Case(one.id, one.title, "") for one in told], planned=words)
