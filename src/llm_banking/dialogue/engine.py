"""Flows in work: commands change frames, frames lead to a question or to the gate. Money moves at the gate alone.

Whatever proposes commands may be wrong or hostile. Every value is read again from the customer's words, and a yes
counts by the message itself, by the prompt of the very last message and by the id that it showed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.errors import LoanTermsRefusedError
from llm_banking.dialogue import wording
from llm_banking.dialogue.actions import ACTIONS
from llm_banking.dialogue.approval import is_bare_yes
from llm_banking.dialogue.commands import (
    Cancel,
    Confirm,
    CorrectSlot,
    Deny,
    FlowCommand,
    HandOff,
    SetSlot,
    StartFlow,
    Unclear,
)
from llm_banking.dialogue.errors import FlowFaultError
from llm_banking.dialogue.flow_files import Branch, Collect, End, Flow, Flows
from llm_banking.dialogue.holdings import Holdings
from llm_banking.dialogue.tracker import Frame, Prompt, Shown, Tracker
from llm_banking.dialogue.work import Work
from llm_banking.identity.principal import Principal
from llm_banking.identity.step_up import lock_user
from llm_banking.kit.errors import LlmBankingError
from llm_banking.kit.logs import get_logger
from llm_banking.operations.gate import Gate
from llm_banking.operations.records import Operation, Pending, Record, record_of

_OTHER_AMOUNT = frozenset({"INSUFFICIENT_FUNDS", "LIMIT_EXCEEDED"})
"""Refusals of the gate after which another amount may do."""
_GIVEN_UP = frozenset({"NOT_FOUND", "CONFLICT", "FORBIDDEN", "INVALID_REQUEST"})


@dataclass(frozen=True, slots=True)
class Bank:
    """The gate as one customer may use it in one conversation, inside the turn's transaction.

    `message_id` is the reply that the turn will leave, which shows what is proposed.
    """

    gate: Gate
    session: AsyncSession
    principal: Principal
    chat_session_id: UUID
    message_id: UUID
    holdings: Holdings
    takes_yes: bool = True
    """Whether a yes in words approves now."""


@dataclass(frozen=True, slots=True)
class FlowReply:
    """What is said about operations, and what shall be remembered.

    `pending` is what the text asks a yes for, `intent` what starts the flow that is in work.
    """

    text: str
    tracker: Tracker
    next_steps: tuple[str, ...] = ()
    pending: Shown | None = None
    intent: str | None = None


class FlowTurn:
    """One message taken through the flows of a conversation."""

    def __init__(self, flows: Flows, bank: Bank, tracker: Tracker, message: str, now: datetime) -> None:
        """`tracker` is as the last turn left it but for `turn`, which is this one's number."""
        self._bank = bank
        self._message = message
        self._now = now
        self._work = Work(flows, bank.holdings, tracker, message, bank.gate.today(now))

    async def run(
        self, commands: Sequence[FlowCommand], *, beside: Iterable[str] = (), asked_back: bool = False
    ) -> FlowReply:
        """Apply the commands in order and say what comes next.

        `beside` are the intents and topics that this message has answered beside the flow; with `asked_back` one of
        them is a question, and the flow waits for its answer. A flow that cannot go on is stopped: everything that it
        proposed is voided, and the customer is told that nothing was done.
        """
        work = self._work
        for intent in beside:
            work.note("digressed", intent)
        try:
            left = await self._look_at_pending()
            await self._apply([one for one in commands if isinstance(one, StartFlow | HandOff)] if left else commands)
            if work.prompt is None and not asked_back:
                await self._advance(again=not commands)
        except FlowFaultError as error:
            get_logger("llm_banking.dialogue").error("a flow was stopped", problem=error.message)
            await self._stop_all()
            work.note("fault")
            work.lines = [wording.FAULT]
        pending = work.frame.pending if work.frame and work.prompt and work.prompt.asks == "approval" else None
        begun_by = work.flow(work.frame.flow).starts_on[0] if work.frame else None
        steps = wording.next_steps(work.prompt, pending)
        return FlowReply("\n\n".join(work.lines), work.tracker(), steps, pending, begun_by)

    async def _apply(self, commands: Sequence[FlowCommand]) -> None:
        slots = [one for one in commands if isinstance(one, SetSlot | CorrectSlot)]
        starts = [one for one in commands if isinstance(one, StartFlow)]
        self._work.may_offer_person = not slots and not starts  # their question comes last, and a yes means that
        for command in commands:
            match command:
                case Confirm(pending_id):
                    await self._confirm(pending_id)
                case Deny():
                    await self._deny()
                case Cancel():
                    await self._cancel()
                case HandOff():
                    await self._hand_off()
                case Unclear():
                    self._work.miss()
                case _:
                    pass
        if slots and self._work.fill(slots):
            await self._void_shown()
        if starts:
            self._work.start(starts)

    async def _advance(self, *, again: bool = False) -> None:
        """Go from the first step over what is filled to what is asked next, or to the gate."""
        work, frame = self._work, self._work.frame
        if frame is None:
            return
        flow = work.flow(frame.flow)
        name = flow.first
        for _ in range(len(flow.steps)):
            match flow.steps.get(name):
                case Collect() as step if (
                    step.slot in frame.slots or _is_left_out(flow, step, frame) or work.takes_the_only_one(flow, step)
                ):
                    name = step.next
                case Collect() as step:
                    work.ask(flow, step)
                    return
                case Branch() as step:
                    name = _way(step, work.stack[-1])
                case End() as step:
                    work.update(step=name)
                    await self._propose(step.action, again=again)
                    return
                case _:
                    raise FlowFaultError(f"The flow '{flow.name}' has no step '{name}'.")
        raise FlowFaultError(f"The flow '{flow.name}' comes to no end.")

    async def _propose(self, action: str, *, again: bool) -> None:
        """Show what the gate has frozen, freezing it where that was not done."""
        work, bank = self._work, self._bank
        frame = work.stack[-1]
        shown = frame.pending
        if shown is None:
            draft = ACTIONS[action].draft(frame.slots)
            try:
                async with bank.session.begin_nested():
                    found = await bank.gate.propose(
                        bank.session,
                        bank.principal,
                        draft,
                        channel="chat",
                        chat_session_id=bank.chat_session_id,
                        message_id=bank.message_id,
                    )
            except LlmBankingError as error:
                self._refused(error)
                await self._go_on()
                return
            shown = _shown(found)
            work.update(pending=shown)
            work.note("proposed", shown.id)
        work.prompt = Prompt(asks="approval", pending_id=shown.id)
        work.lines.append(wording.approval(shown, again=again))

    def _refused(self, error: LlmBankingError) -> None:
        """The gate said no: another amount or term may do, or the operation is given up."""
        if error.code not in _OTHER_AMOUNT | _GIVEN_UP:
            raise error
        work = self._work
        work.lines.append(error.message)
        work.note("refused", error.code)
        if isinstance(error, LoanTermsRefusedError):
            work.drop(*error.wrong)
        elif error.code in _OTHER_AMOUNT:
            work.drop(*(name for name, one in work.stack[-1].slots.items() if one.kind == "money"))
        else:
            work.stack.pop()

    async def _go_on(self) -> None:
        """Take up what is on the stack now."""
        if self._work.frame is not None:
            await self._advance()

    async def _confirm(self, pending_id: UUID) -> None:
        """Approve what the very last message showed, if this message is a yes and nothing else."""
        work, bank = self._work, self._bank
        shown = self._approvable(pending_id)
        if shown is None:
            if not work.lines:
                work.miss()
            return
        if shown.requires:
            work.lines.append(wording.NEEDS_FACTOR)
            return
        if not bank.takes_yes:
            work.note("refused", pending_id)
            work.lines.append(wording.NO_YES_NOW)
            return
        try:
            async with bank.session.begin_nested():
                done = await bank.gate.approve(bank.session, bank.principal, pending_id, proof=None)
        except LlmBankingError as error:
            await self._not_approved(error)
            return
        if not isinstance(done, Operation):
            raise FlowFaultError("The gate refused a proof where none was given.")
        work.note("approved", pending_id)
        work.lines.append(wording.executed(done))
        self._leave()

    def _approvable(self, pending_id: UUID) -> Shown | None:
        prompt, frame = self._work.before.prompt, self._work.frame
        if prompt is None or prompt.asks != "approval" or frame is None or frame.pending is None:
            return None
        same = prompt.pending_id == frame.pending.id == pending_id
        return frame.pending if same and is_bare_yes(self._message) else None

    async def _not_approved(self, error: LlmBankingError) -> None:
        """Nothing was done. What was shown is not approved later: it is called off and made anew, or given up."""
        if error.code == "STEP_UP_REQUIRED":
            await self._void_shown()  # made anew, it names the factor
            return
        await self._void_shown()
        if error.code == "PENDING_EXPIRED":
            self._work.lines.append(wording.EXPIRED)
        else:
            self._refused(error)

    def _leave(self) -> None:
        """The operation in work is over; say what is next, if something waited."""
        self._work.stack.pop()
        if self._work.frame is not None:
            self._work.lines.append(wording.resumed(self._work.title(self._work.frame)))
            self._work.note("resumed", self._work.frame.flow)

    async def _deny(self) -> None:
        prompt = self._work.before.prompt
        if prompt is not None and prompt.asks == "approval":
            self._work.note("denied")
            await self._cancel()
        elif prompt is not None and prompt.asks == "choice" and self._work.frame is not None:
            self._work.note("denied")
            self._work.turn_down()
        elif prompt is not None and prompt.asks == "person":
            self._work.note("denied")
        else:
            self._work.miss()

    async def _cancel(self) -> None:
        frame = self._work.frame
        if frame is None:
            return
        await self._void_shown()
        self._work.lines.append(self._work.called_off(frame))
        self._work.note("cancelled", frame.flow)
        self._leave()

    async def _hand_off(self) -> None:
        if self._work.stack:
            await self._stop_all()
            self._work.lines.append(wording.STOPPED_FOR_PERSON)

    async def _look_at_pending(self) -> bool:
        """Forget what was approved, called off or has expired since it was shown.

        Returns whether the operation in work is over, so that what was said of it is said of nothing.
        """
        bank, work = self._bank, self._work
        if any(frame.pending is not None for frame in work.stack):
            await lock_user(bank.session, bank.principal.user_id)  # in the order in which approvals lock
        kept: list[Frame] = []
        for frame in work.stack:
            shown = frame.pending
            if shown is None:
                kept.append(frame)
                continue
            found = await record_of(bank.session, bank.principal.user_id, shown.id, now=self._now)
            match found.pending.status:
                case "pending":
                    kept.append(frame)
                case "expired":
                    work.note("voided", shown.id)
                    work.lines.append(wording.EXPIRED)
                    kept.append(frame.model_copy(update={"pending": None}))
                case "consumed":
                    work.note("approved", shown.id)
                    work.lines.append(wording.done_elsewhere(_done(found)))
                case _:
                    work.note("voided", shown.id)
                    work.lines.append(work.called_off(frame))
        left = len(kept) < len(work.stack)
        work.stack[:] = kept
        return left

    async def _void_shown(self) -> None:
        frame = self._work.frame
        if frame is None or frame.pending is None:
            return
        await self._bank.gate.void(self._bank.session, self._bank.principal, frame.pending.id)
        self._work.note("voided", frame.pending.id)
        self._work.update(pending=None)

    async def _stop_all(self) -> None:
        await self._bank.gate.void_open(self._bank.session, self._bank.principal.user_id, self._bank.chat_session_id)
        self._work.stack.clear()
        self._work.prompt = None


def _is_left_out(flow: Flow, step: Collect, frame: Frame) -> bool:
    """An optional slot is asked for only where what was said of it is not sure."""
    return flow.slots[step.slot].optional and step.slot not in frame.offers


def _way(step: Branch, frame: Frame) -> str:
    for slot, kind, following in step.cases:
        if slot in frame.slots and frame.slots[slot].kind == kind:
            return following
    return step.otherwise


def _done(found: Record) -> Operation:
    if found.operation is None:
        raise FlowFaultError("What was approved has no operation.")
    return found.operation


def _shown(found: Pending) -> Shown:
    return Shown(
        id=found.id,
        kind=found.kind,
        summary=found.summary,
        expires_at=found.expires_at,
        requires=tuple(sorted(found.requires)),
    )
