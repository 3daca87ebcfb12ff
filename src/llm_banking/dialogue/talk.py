"""One turn of a customer who may move money: what is asked is answered, and what is in work goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.dialogue.about import Terms, answer
from llm_banking.dialogue.commands import (
    AboutThis,
    Answer,
    Clarify,
    Command,
    CorrectSlot,
    FlowCommand,
    HandOff,
    Proposal,
    SetSlot,
    StartFlow,
    Topic,
    Unclear,
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
from llm_banking.operations.drafts import PAYMENTS
from llm_banking.operations.gate import Gate
from llm_banking.operations.payment import Payment
from llm_banking.operations.records import record_of

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
    message_id: UUID
    answer_confidence: float
    now: datetime
    takes_yes: bool = True

    async def propose(self, reading: Reading, tracker: Tracker) -> tuple[Proposal, ...]:
        """What a message asks for or answers; `tracker` is as the last turn left it but for `turn`."""
        held = await holdings_of(self.session, self.caller.user_id) if tracker.stack else Holdings()
        listens = Understanding(self.flows, held, self.answer_confidence, self.gate.today(self.now))
        return listens.propose(reading, tracker)

    async def stop(self, reading: Reading, tracker: Tracker) -> FlowReply:
        """Stop what is in work because a person takes over, and void what waits for a yes."""
        return await self._turn(Holdings(), reading, tracker).run([HandOff(1.0)])

    async def reply(
        self, proposals: Sequence[Proposal], reading: Reading, tracker: Tracker, words: Words, knowledge: Knowledge
    ) -> Reply:
        """Answer what was proposed for a message."""
        commands = [one.command for one in proposals if isinstance(one.command, FlowCommand)]
        held = await holdings_of(self.session, self.caller.user_id) if commands or tracker.stack else Holdings()
        asked = [one.command.topic for one in proposals if isinstance(one.command, AboutThis)]
        besides = [one for one in proposals if not isinstance(one.command, FlowCommand | AboutThis)]
        said = await words(besides) if besides else None
        told = await self._told(
            asked, tracker, Terms(self.gate.policy, self.gate.fees, knowledge.facts, held.currencies)
        )
        if not commands and not tracker.stack and said is not None:
            kept = {"turn": tracker.turn, "events": tracker.events}
            return replace(said, tracker=said.tracker.model_copy(update=kept))
        flow = await self._turn(held, reading, tracker).run(
            commands,
            beside=[*asked, *(one.command.intent for one in besides if isinstance(one.command, Answer))],
            asked_back=any(isinstance(one.command, Clarify) for one in besides),
        )
        flow = replace(flow, text="\n\n".join(text for text in (*told, flow.text) if text))
        return _joined(reading, proposals, said, flow, knowledge)

    def _turn(self, held: Holdings, reading: Reading, tracker: Tracker) -> FlowTurn:
        bank = Bank(self.gate, self.session, self.caller, self.chat_session_id, self.message_id, held, self.takes_yes)
        return FlowTurn(self.flows, bank, tracker, reading.text, self.now)

    async def _told(self, asked: Sequence[Topic], tracker: Tracker, terms: Terms) -> list[str]:
        """What is asked about the operation in work, each thing once."""
        if not asked or not tracker.stack:
            return []
        frame, payment = tracker.stack[-1], None
        if frame.pending is not None and frame.pending.kind in PAYMENTS:
            found = await record_of(self.session, self.caller.user_id, frame.pending.id, now=self.now)
            payment = Payment.of(found.pending.payload)
        flow = self.flows.by_name[frame.flow]
        return [answer(topic, flow, frame, payment, terms) for topic in dict.fromkeys(asked)]


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
    unclear = all(isinstance(one.command, Unclear) for one in proposals if isinstance(one.command, FlowCommand))
    return Reply(
        text="\n\n".join(text for text in texts if text),
        intent=intent,
        confidence=confidence,
        in_scope=said.in_scope if said else True,
        next_steps=flow.next_steps or (said.next_steps if said else tuple(knowledge.entry(one).ask for one in _AFTER)),
        citations=said.citations if said else (),
        tracker=tracker,
        pending=flow.pending,
        missed=unclear and (said is None or said.missed),
    )


def _intent(reading: Reading, commands: Sequence[Command], said: Reply | None, flow: FlowReply) -> tuple[str, float]:
    """What a message is reported to be: what it began, what it was answered with, or a part of what is in work."""
    started = next((one for one in commands if isinstance(one, StartFlow)), None)
    if started is not None:
        return started.intent, started.confidence
    if said is not None:
        return said.intent, said.confidence
    of_flow = any(isinstance(one, SetSlot | CorrectSlot | AboutThis) for one in commands)
    return (flow.intent or reading.intent) if of_flow else reading.intent, reading.confidence
