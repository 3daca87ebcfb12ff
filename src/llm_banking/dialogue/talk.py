"""One turn of a customer who may move money: what is asked is answered, and what is in work goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.dialogue.commands import (
    Answer,
    Clarify,
    Command,
    CorrectSlot,
    FlowCommand,
    HandOff,
    Proposal,
    SetSlot,
    StartFlow,
)
from llm_banking.dialogue.engine import Bank, FlowReply, FlowTurn
from llm_banking.dialogue.flow_files import Flows
from llm_banking.dialogue.holdings import Holdings, holdings_of
from llm_banking.dialogue.replies import Reply
from llm_banking.dialogue.tracker import Tracker
from llm_banking.dialogue.understanding import Understanding
from llm_banking.identity.principal import Permission, Principal
from llm_banking.knowledge.service import Knowledge
from llm_banking.nlu.reader import Reading
from llm_banking.operations.gate import Gate

Words = Callable[[Sequence[Proposal]], Awaitable[Reply]]
"""The reply to commands that no flow is needed for."""
_AFTER = ("check_balance", "transaction_history", "help")


def may_move_money(caller: Principal, owner_id: UUID) -> bool:
    """Whether a caller may move the money of a conversation's owner: their own, signed in, with the permission."""
    return not caller.is_demo and caller.user_id == owner_id and Permission.BANKING_WRITE in caller.permissions


@dataclass(frozen=True, slots=True)
class Teller:
    """Flows and gate for one customer in one conversation, in one turn's transaction."""

    flows: Flows
    gate: Gate
    session: AsyncSession
    caller: Principal
    chat_session_id: UUID
    answer_confidence: float
    now: datetime

    async def reply(self, reading: Reading, tracker: Tracker, words: Words, knowledge: Knowledge) -> Reply:
        """Answer a message; `tracker` is as the last turn left it but for `turn`."""
        held = await holdings_of(self.session, self.caller.user_id) if tracker.stack else Holdings()
        listens = Understanding(self.flows, held, self.answer_confidence, self.gate.today(self.now))
        proposals = listens.propose(reading, tracker)
        commands = [one.command for one in proposals if isinstance(one.command, FlowCommand)]
        if commands and not tracker.stack:
            held = await holdings_of(self.session, self.caller.user_id)
        besides = [one for one in proposals if not isinstance(one.command, FlowCommand)]
        besides += [
            Proposal(one.text, Answer("speak_to_agent", one.command.confidence))
            for one in proposals
            if isinstance(one.command, HandOff)
        ]
        said = await words(besides) if besides else None
        if not commands and not tracker.stack and said is not None:
            kept = {"turn": tracker.turn, "events": tracker.events}
            return replace(said, tracker=said.tracker.model_copy(update=kept))
        bank = Bank(self.gate, self.session, self.caller, self.chat_session_id, held)
        flow = await FlowTurn(self.flows, bank, tracker, reading.text, self.now).run(
            commands,
            beside=[one.command.intent for one in besides if isinstance(one.command, Answer)],
            asked_back=any(isinstance(one.command, Clarify) for one in besides),
        )
        return _joined(reading, proposals, said, flow, knowledge)


def _joined(
    reading: Reading, proposals: Sequence[Proposal], said: Reply | None, flow: FlowReply, knowledge: Knowledge
) -> Reply:
    """One reply: the answers first, and last what the operation asks, so that the question is what stands open."""
    intent, confidence = _intent(reading, [one.command for one in proposals], said, flow)
    tracker = flow.tracker.model_copy(
        update={
            "last_intent": said.tracker.last_intent if said else intent,
            "offered": said.tracker.offered if said else (),
        }
    )
    texts = [said.text if said else "", flow.text]
    if any(isinstance(one.command, HandOff) for one in proposals):
        texts.reverse()
    return Reply(
        text="\n\n".join(text for text in texts if text),
        intent=intent,
        confidence=confidence,
        in_scope=said.in_scope if said else True,
        next_steps=flow.next_steps or (said.next_steps if said else tuple(knowledge.entry(one).ask for one in _AFTER)),
        citations=said.citations if said else (),
        tracker=tracker,
        pending=flow.pending,
    )


def _intent(reading: Reading, commands: Sequence[Command], said: Reply | None, flow: FlowReply) -> tuple[str, float]:
    """What a message is reported to be: what it began, what it was answered with, or a part of what is in work."""
    started = next((one for one in commands if isinstance(one, StartFlow)), None)
    if started is not None:
        return started.intent, started.confidence
    if said is not None:
        return said.intent, said.confidence
    fills = any(isinstance(one, SetSlot | CorrectSlot) for one in commands)
    return (flow.intent or reading.intent) if fills else reading.intent, reading.confidence
