"""From a reading to commands, in the light of what is open. It only proposes: the engine checks every one of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from llm_banking.dialogue.about import moves_money, topic_of
from llm_banking.dialogue.approval import is_bare_yes
from llm_banking.dialogue.asked import asks_for_planned, request_of
from llm_banking.dialogue.commands import (
    LAST,
    ORDINALS,
    PERSON,
    AboutThis,
    Answer,
    AskAgain,
    Cancel,
    Clarify,
    Command,
    Confirm,
    CorrectSlot,
    Deny,
    HandOff,
    Proposal,
    Said,
    SetSlot,
    StartFlow,
    Unclear,
    choice_of_offered,
    propose,
    propose_all,
)
from llm_banking.dialogue.flow_files import Collect, Flow, Flows, SlotSpec
from llm_banking.dialogue.holdings import Holdings, words_of
from llm_banking.dialogue.loan_terms import months_of
from llm_banking.dialogue.said import (
    MAX_ANSWER_CHARS,
    Part,
    bare_amount,
    core_of,
    corrects,
    lone_amount,
    only_values,
    said_in,
)
from llm_banking.dialogue.said_of import WHOLE, is_replaced, said_of
from llm_banking.dialogue.slot_choice import slot_for
from llm_banking.dialogue.tracker import Choice, Frame, Prompt, Tracker
from llm_banking.nlu.payments import only_quotes_a_payment
from llm_banking.nlu.reader import Reading
from llm_banking.nlu.requests import COURTESIES, Request
from llm_banking.nlu.taxonomy import CONVERSATIONAL

_ALSO_PAID = frozenset({"schedule_payment"})
_ASKS_HOW = re.compile(
    r"^\W*(?:how|what|what's|when|where|why|which|is|are|does|do|did|can i|could i)\b", re.IGNORECASE
)
_ASKS = re.compile(
    r"^\W*(?:(?:and|but|so|ok|okay|wait|hmm)\b\W*)*"
    r"(?:how(?! about)|what(?! about)|when|where|why|which|who)(?:['\u2019]?s)?\b",
    re.IGNORECASE,
)
"""A question with its word first wants an answer, whatever amounts and names stand in it."""
_LATER_CANCEL = re.compile(
    r"^\W*(?:how|when|until)\b|\b(?:later|afterwards?|after (?:that|it)|once|still)\b", re.IGNORECASE
)
"""In these words one asks whether a thing can be called off some day, and calls nothing off."""
_FRESH = re.compile(r"\b(?:also|another|as well|too)\b", re.IGNORECASE)
_OPENS = re.compile(r"^\W*(?:please |and |then )*(?:send|pay|transfer|move|wire|give|put)\b", re.IGNORECASE)
_REFERS_BACK = re.compile(r"\b(?:it|that|this|them|those)\b", re.IGNORECASE)
_FIGURE = re.compile(r"\s*(?P<sign>[$€£]?)\s?(?P<figure>\d(?:[\d.,]*\d)?)[\s.!]*")
MAX_NAME_WORDS = 5
_LOOKED_UP = ("name", "phrase", *WHOLE.values())
"""Kinds of words that count only where something that the customer has is called so."""
_NO_ORDER = frozenset({"phrase", "later", "today", "word", "term", *WHOLE.values()})
"""What a question holds as well as an order does."""


@dataclass(frozen=True, slots=True)
class Understanding:
    """What messages are read against."""

    flows: Flows
    holdings: Holdings
    answer_confidence: float
    today: date

    def propose(self, reading: Reading, tracker: Tracker) -> tuple[Proposal, ...]:
        """A command for each thing that a message asks for or answers, in order; one at least."""
        if tracker.stack:
            if tracker.stack[-1].flow not in self.flows.by_name:
                return (Proposal(reading.text, Unclear()),)
            return self._in_flow(reading, tracker, tracker.stack[-1]) or (Proposal(reading.text, Unclear()),)
        return self._outside(reading, tracker)

    def _outside(self, reading: Reading, tracker: Tracker) -> tuple[Proposal, ...]:
        chosen = choice_of_offered(reading, tracker)
        if isinstance(chosen, Answer):
            return (Proposal(reading.text, self._begun(chosen)),)
        parts = _parts(reading)
        if not any(self._starts(part) for part in parts):
            return propose_all(reading, tracker, self.answer_confidence)
        out = []
        for part in parts:
            flow = self._starts(part)
            if flow is not None:
                out.append(Proposal(part.text, self._start(flow, part)))
            elif part.intent not in COURTESIES:
                out.append(Proposal(part.text, propose(part, tracker, self.answer_confidence)))
        return tuple(out)

    def _begun(self, answer: Answer) -> Command:
        flow = self.flows.by_intent.get(answer.intent)
        return answer if flow is None else StartFlow(flow.name, answer.intent, answer.confidence)

    def _starts(self, part: Part) -> Flow | None:
        """The flow that a request begins: its intent is one, surely, or all that it may be is a payment of so much."""
        if asks_for_planned(part.text):
            return None
        asked = self._asked_for(part)
        if asked is not None:
            return asked
        flow = self.flows.by_intent.get(part.intent)
        if flow is None or not part.in_scope or _ASKS.search(part.text):
            return None
        if only_quotes_a_payment(part.text):
            return None
        said = said_of(flow, part, self.today)
        if all(one.kind in _NO_ORDER for one in said) and _ASKS_HOW.search(part.text):
            return None
        paying = {intent for intent, one in self.flows.by_intent.items() if one.pays}
        paid = set(part.options) <= {*paying, *_ALSO_PAID} and any(one.kind == "amount" for one in said)
        return flow if part.confidence >= self.answer_confidence or paid else None

    def _asked_for(self, part: Part) -> Flow | None:
        """The flow that a request begins by its words, whatever the model takes it for."""
        return self.flows.by_intent.get(request_of(part.text) or "")

    def _start(self, flow: Flow, part: Part) -> StartFlow:
        if flow is self._asked_for(part):
            return StartFlow(flow.name, flow.starts_on[0], 1.0, said_of(flow, part, self.today))
        return StartFlow(flow.name, part.intent, part.confidence, said_of(flow, part, self.today))

    def _in_flow(self, reading: Reading, tracker: Tracker, frame: Frame) -> tuple[Proposal, ...]:
        whole = self._answer_to_prompt(reading, tracker.prompt)
        if whole is None and tracker.offered:
            chosen = choice_of_offered(reading, tracker)
            if isinstance(chosen, AskAgain):
                whole = Answer(chosen.intent, chosen.confidence)
            elif isinstance(chosen, Answer):
                whole = self._begun(chosen)
        if whole is not None:
            return (Proposal(reading.text, whole),)
        parts = _parts(reading)
        out: list[Proposal] = []
        for part in parts:
            if len(parts) > 1 and part.intent in {"affirm", *COURTESIES} and not said_in(part, self.today):
                continue
            begun = any(isinstance(one.command, StartFlow) for one in out)
            found = (self._next_payment(part) if begun else None) or self._by_words(part, tracker, frame)
            out += [Proposal(part.text, one) for one in (found or self._of_part(part, tracker, frame))]
        return tuple(out)

    def _next_payment(self, part: Part) -> tuple[Command, ...] | None:
        """A payment that is told after another one of the same message, and is one of its own like that one."""
        flow, kinds = self._starts(part), {one.kind for one in said_in(part, self.today)}
        own = flow is not None and "amount" in kinds and kinds & {"name", "bill", "account", "phrase"}
        return (self._start(flow, part),) if flow is not None and own else None

    def _by_words(self, part: Part, tracker: Tracker, frame: Frame) -> tuple[Command, ...] | None:
        """What is asked of planned payments, or another flow that begins by its words, over the one in work.

        While a payment is being planned, "cancel the planned payment" means that one, unless another is named.
        """
        if asks_for_planned(part.text):
            return (propose(part, Tracker(turn=tracker.turn), self.answer_confidence),)
        flow = self._asked_for(part)
        if flow is None or flow.name == frame.flow:
            return None
        spec = flow.slots.get("schedule")
        if spec is not None and "when" in frame.slots and not self.holdings.match(part.text, spec).choices:
            return (Cancel(),)
        return (self._start(flow, part),)

    def _answer_to_prompt(self, reading: Reading, prompt: Prompt | None) -> Command | None:
        if prompt is None:
            return None
        agrees = reading.in_scope and reading.intent == "affirm" and is_bare_yes(reading.text)
        if prompt.asks == "approval" and prompt.pending_id is not None and agrees:
            return Confirm(prompt.pending_id)
        if prompt.asks == "choice" or prompt.choices:
            picked = _picked(reading.text, prompt.choices, yes=is_bare_yes(reading.text))
            if picked is not None and prompt.slot is not None:
                said = Said("option", reading.text, 0, len(reading.text), option=picked)
                return SetSlot(prompt.slot, said)
        return None

    def _of_part(self, part: Part, tracker: Tracker, frame: Frame) -> Iterator[Command]:
        flow = self.flows.by_name[frame.flow]
        asked = _asked(flow, frame)
        topic = topic_of(part.text) if moves_money(flow) else None
        if topic is not None:
            yield AboutThis(topic)
            return
        figure = None if flow.pays else self._figure(part, flow, asked)
        if figure is not None:
            yield _set(frame, *figure)
            return
        said = () if _ASKS.search(part.text) and not corrects(part.text) else self._meant(part, flow, asked)
        if self._calls_off(part, said):
            later = "?" in part.text and _LATER_CANCEL.search(part.text)
            yield Answer("cancel_transfer", part.confidence) if later else Cancel()
            return
        other = self._starts(part)
        changes = corrects(part.text) and any(one.kind in ("amount", "negative_amount", "quantity") for one in said)
        if other is not None and other.name != flow.name and not (other.pays and flow.pays) and not changes:
            yield self._start(other, part)
            return
        ours = part.intent in self.flows.by_intent or not self._sure(part) or corrects(part.text)
        values = _values(said)
        if said and (ours or part.intent in CONVERSATIONAL or (values and only_values(part, values))):
            if self._is_another(part, said, frame):
                yield self._start(self.flows.by_intent.get(part.intent, flow), part)
            else:
                yield from self._fills(flow, frame, asked, said)
            return
        bare = self._bare(part, flow, asked)
        if bare is not None:
            yield _set(frame, *bare)
            return
        yield self._besides(part, flow, tracker)

    def _calls_off(self, part: Part, said: Sequence[Said]) -> bool:
        """Whether a request gives up the flow in work; one that tells which planned payment to cancel does not."""
        return (
            self._sure(part)
            and part.intent in ("cancel", "cancel_transfer")
            and not _values(said)
            and all(one.kind != "schedule" for one in said)
        )

    def _besides(self, part: Part, flow: Flow, tracker: Tracker) -> Command:
        """What fills no slot: a no, a question, another matter, or nothing that is understood."""
        if not self._sure(part):
            asks = part.in_scope and _ASKS_HOW.search(part.text)
            found = propose(part, tracker, self.answer_confidence) if asks else Unclear()
            return found if isinstance(found, Answer | Clarify) else Unclear()
        if part.intent == "deny" and any(one.isdigit() for one in part.text):
            return Unclear()
        if part.intent in ("deny", PERSON):
            return Deny() if part.intent == "deny" else HandOff(part.confidence)
        other = self._starts(part)
        if other is not None:
            return self._start(other, part) if other.name != flow.name else Unclear()
        return Answer(part.intent, part.confidence) if part.intent != "affirm" else Unclear()

    def _sure(self, part: Part) -> bool:
        return part.in_scope and part.confidence >= self.answer_confidence

    def _is_another(self, part: Part, said: Sequence[Said], frame: Frame) -> bool:
        """Whether a request stands for itself and changes nothing of the one in work."""
        if self._starts(part) is None or not _OPENS.search(part.text):
            return bool(_FRESH.search(part.text)) and self._starts(part) is not None
        goes_to = [one for one in said if one.kind in ("name", "bill") or one.role == "target"]
        already = frame.slots.get("destination")
        if corrects(part.text) or not goes_to or already is None or _REFERS_BACK.search(part.text):
            return bool(_FRESH.search(part.text)) and not corrects(part.text)
        same = {*words_of(already.label), *words_of(already.text)}
        return any(not set(words_of(one.text)) & same for one in goes_to)

    def _figure(self, part: Part, flow: Flow, asked: SlotSpec | None) -> tuple[SlotSpec, Said] | None:
        """The figure that answers a question for one, and begins no payment."""
        found = _FIGURE.fullmatch(part.text)
        if found is None or asked is None or asked.type not in ("money", "months"):
            return None
        if asked.type == "money" or found["sign"]:
            return self._bare(part, flow, asked)
        start = part.start if isinstance(part, Request) else 0
        return asked, Said("term", found["figure"], start + found.start("figure"), start + found.end("figure"))

    def _bare(self, part: Part, flow: Flow, asked: SlotSpec | None) -> tuple[SlotSpec, Said] | None:
        """The value that a short answer is, as a whole, and the slot that it is for."""
        start = part.start if isinstance(part, Request) else 0
        core, first, last = core_of(part.text, start)
        if asked is not None and asked.type == "months" and months_of(core) is not None:
            return asked, Said("term", core, first, last)
        amount = bare_amount(part.text, start)
        money = next((one for one in flow.slots.values() if one.type == "money"), None)
        if amount is not None and money is not None:
            return money, amount
        if len(part.text) > MAX_ANSWER_CHARS:
            return None
        if not core or len(words_of(core)) > MAX_NAME_WORDS:
            return None
        open_slots = [asked] if asked is not None else self._correctable(part, flow)
        for spec in open_slots:
            if spec.type in ("payee", "own_account") and self.holdings.match(core, spec).choices:
                return spec, Said("name" if spec.type == "payee" else "account", core, first, last)
        return None

    def _meant(self, part: Part, flow: Flow, asked: SlotSpec | None) -> tuple[Said, ...]:
        """What a part says, without the names that are nobody's where no name was asked for: the model sees many."""
        sure = (
            part.intent in self.flows.by_intent or corrects(part.text) or (asked is not None and asked.type == "payee")
        )
        found = []
        told = said_of(flow, part, self.today)
        if asked is not None and asked.type == "money" and bare_amount(part.text, 0) is not None:
            told = tuple(one for one in told if one.kind != "card")  # four figures are the amount, and no card's
        if told and not any(one.kind in ("amount", "quantity", "negative_amount", "note") for one in told):
            lone = lone_amount(part, told)
            another = lone is not None and any(one.kind == "term" for one in told) and is_replaced(lone, part)
            told = told if lone is None or another else (*told, lone)
        for one in told:
            spec = slot_for(flow, one, {}, self.holdings) if one.kind in (*_LOOKED_UP, "today") else None
            if one.kind == "today" and spec is None:
                continue
            known = spec is not None and one.kind in _LOOKED_UP and self.holdings.tells(one.text, spec)
            if one.kind not in _LOOKED_UP or known or (one.kind == "name" and sure):
                found.append(one)
        if _ASKS_HOW.search(part.text) and not _values(found):
            return ()
        return tuple(found)

    def _fills(self, flow: Flow, frame: Frame, asked: SlotSpec | None, said: Sequence[Said]) -> Iterator[Command]:
        used = False
        for one in said:
            spec = slot_for(flow, one, frame.slots, self.holdings, asked)
            if one.kind == "later" and spec is None:
                spec = next(iter(flow.slots.values()))
            if spec is not None:
                used = True
                yield _set(frame, spec, one)
        if not used:
            yield Unclear()

    def _correctable(self, part: Part, flow: Flow) -> list[SlotSpec]:
        return (
            [one for one in flow.slots.values() if one.type in ("payee", "own_account")] if corrects(part.text) else []
        )


def _values(said: Sequence[Said]) -> list[Said]:
    """Without whole requests and listed words, which many a sentence holds by chance."""
    return [one for one in said if one.kind not in ("word", *WHOLE.values())]


def _parts(reading: Reading) -> tuple[Part, ...]:
    return reading.requests if len(reading.requests) > 1 else (reading,)


def _asked(flow: Flow, frame: Frame) -> SlotSpec | None:
    """The slot that the flow waits for; None where all are filled."""
    step = flow.steps.get(frame.step)
    return flow.slots[step.slot] if isinstance(step, Collect) and step.slot not in frame.slots else None


def _picked(text: str, offered: Sequence[Choice], *, yes: bool) -> int | None:
    """The number of the offered choice that a text takes, by its place or as it was offered, word for word."""
    labels, choices = [one.label for one in offered], len(offered)
    if text.strip() in labels:
        return labels.index(text.strip())
    if choices == 1 and yes:
        return 0
    for number, pattern in enumerate(ORDINALS[:choices]):
        if pattern.search(text):
            return number
    return choices - 1 if choices and LAST.search(text) else None


def _set(frame: Frame, spec: SlotSpec, said: Said) -> Command:
    return CorrectSlot(spec.name, said) if spec.name in frame.slots else SetSlot(spec.name, said)
