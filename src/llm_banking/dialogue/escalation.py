"""Turns in which a person comes in: a conversation is handed over, is left to that person, or is taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.dialogue import wording
from llm_banking.dialogue.commands import PERSON, Answer, Proposal
from llm_banking.dialogue.flow_files import Flows
from llm_banking.dialogue.handoff_rules import OFFER_AFTER, HandoffRules, Reason, wants_the_assistant
from llm_banking.dialogue.handoff_summary import MAX_MESSAGES, summary_of
from llm_banking.dialogue.handoffs import close_handoff, open_of_user, put_in_queue
from llm_banking.dialogue.models import ChatMessage, ChatSession, Handoff
from llm_banking.dialogue.replies import Citation, Reply
from llm_banking.dialogue.talk import Teller, Words
from llm_banking.dialogue.tracker import MAX_EVENTS, Event, Happened, Prompt, Tracker
from llm_banking.identity.models import User
from llm_banking.identity.step_up import lock_user
from llm_banking.kit.ids import uuid7
from llm_banking.knowledge.service import Knowledge
from llm_banking.nlu.reader import Reading
from llm_banking.nlu.taxonomy import OUT_OF_SCOPE
from llm_banking.operations.gate import Gate


@dataclass(frozen=True, slots=True)
class Escalation:
    """One turn of a locked conversation, as far as a person has to do with it.

    `tracker` is as the last turn left it but for `turn`. `teller` is there where the caller may move money.
    """

    session: AsyncSession
    chat: ChatSession
    rules: HandoffRules
    flows: Flows
    gate: Gate
    knowledge: Knowledge
    teller: Teller | None
    words: Words
    reading: Reading
    tracker: Tracker

    async def begin(self, reason: Reason, proposals: Sequence[Proposal] = (), *, lead: str = "") -> Reply:
        """Hand the conversation over: what is in work stops, what waits for a yes is void, and a person is called.

        What the message asks beside that is answered first; nothing is begun.
        """
        summary = await self._summary(reason)
        stopped, events = await self._stop()
        asked = [one for one in proposals if isinstance(one.command, Answer) and one.command.intent != PERSON]
        said = await self.words(asked) if asked else None
        usually, phone = (self.knowledge.facts[name].render() for name in ("chat_reply_time", "support_phone"))
        handoff, what_next = None, wording.too_many_persons(phone)
        if await open_of_user(self.session, self.chat.user_id) < self.rules.open_at_most:
            handoff, what_next = await self._open(reason, summary), wording.handed_over(usually, phone)
        texts = (lead, stopped, said.text if said else "", what_next)
        entry = self.knowledge.entry(PERSON)
        return Reply(
            text="\n\n".join(text for text in texts if text),
            intent=said.intent if said else PERSON,
            confidence=said.confidence if said else self.reading.confidence,
            in_scope=True,
            next_steps=(wording.BACK,) if handoff else (self.knowledge.entry("help").ask,),
            citations=(*(said.citations if said else ()), Citation("knowledge", entry.intent, entry.title)),
            tracker=self._cleared("handed_off" if handoff else "refused", events),
            handoff=handoff,
        )

    async def counted(self, reply: Reply) -> Reply:
        """A reply with the messages in a row that were not understood: a person is offered, and later called."""
        misses = self.tracker.misses + 1 if reply.missed else 0
        if misses >= self.rules.not_understood_in_a_row:
            return await self.begin("failure", lead=wording.NOT_UNDERSTOOD_AGAIN)
        tracker = reply.tracker.model_copy(update={"misses": misses})
        if misses != OFFER_AFTER or tracker.stack:
            return replace(reply, tracker=tracker)
        prompt = Prompt(asks="person")
        return replace(
            reply,
            text=f"{reply.text}\n\n{wording.OFFER_PERSON}",
            next_steps=wording.next_steps(prompt, None),
            tracker=tracker.model_copy(update={"prompt": prompt}),
        )

    async def beside(self, handoff: Handoff) -> Reply:
        """A message while a person has the conversation: it is left to them, and that is said once."""
        if wants_the_assistant(self.reading.text):
            await close_handoff(self.session, handoff)
            entry = self.knowledge.entry("help")
            return Reply(
                text=wording.TAKEN_BACK,
                intent=entry.intent,
                confidence=self.reading.confidence,
                in_scope=True,
                next_steps=tuple(self.knowledge.entry(one).ask for one in entry.next_steps),
                citations=(),
                tracker=self._cleared("taken_back", self.tracker.events),
            )
        told = any(one.what == "left_to_person" for one in self.tracker.events[-1:])
        return Reply(
            text="" if told else wording.LEFT_TO_PERSON,
            intent=self.reading.intent if self.reading.in_scope else OUT_OF_SCOPE,
            confidence=self.reading.confidence,
            in_scope=self.reading.in_scope,
            next_steps=(wording.BACK,),
            citations=(),
            tracker=self.tracker if told else self._cleared("left_to_person", self.tracker.events),
            handoff=handoff,
            by_person=True,
        )

    async def _open(self, reason: Reason, summary: str) -> Handoff:
        self.session.add(self.chat)
        await self.session.flush()
        chat = self.chat
        handoff = Handoff(id=uuid7(), session_id=chat.id, user_id=chat.user_id, reason=reason, summary=summary)
        await put_in_queue(self.session, handoff)
        return handoff

    async def _summary(self, reason: Reason) -> str:
        user = await self.session.get_one(User, self.chat.user_id)
        query = (
            select(ChatMessage.content)
            .where(ChatMessage.session_id == self.chat.id, ChatMessage.role == "user")
            .order_by(ChatMessage.created_at.desc(), ChatMessage.id.desc())
            .limit(MAX_MESSAGES - 1)
        )
        before = list(await self.session.scalars(query))
        messages = (*reversed(before), self.reading.text)
        return summary_of(user.display_name, reason, messages, self.tracker, self.flows)

    async def _stop(self) -> tuple[str, tuple[Event, ...]]:
        """Stop what is in work, whoever began it: what is said of that, and the events."""
        if not self.tracker.stack:
            return "", self.tracker.events
        if self.teller is not None:
            flow = await self.teller.stop(self.reading, self.tracker)
            return flow.text, flow.tracker.events
        await lock_user(self.session, self.chat.user_id)  # in the order in which approvals lock
        await self.gate.void_open(self.session, self.chat.user_id, self.chat.id)
        return "", self.tracker.events

    def _cleared(self, what: Happened, events: Sequence[Event]) -> Tracker:
        """Nothing is in work and nothing was asked."""
        happened = (*events, Event(turn=self.tracker.turn, what=what))
        return Tracker(turn=self.tracker.turn, events=happened[-MAX_EVENTS:])
