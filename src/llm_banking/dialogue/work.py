"""What one turn does to the frames of a conversation, as far as it needs no gate: fill, offer, ask."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from llm_banking.dialogue import wording
from llm_banking.dialogue.commands import CorrectSlot, Said, SetSlot, StartFlow
from llm_banking.dialogue.errors import FlowFaultError
from llm_banking.dialogue.filling import Got, Refused, Which, check_span, filled, value_of
from llm_banking.dialogue.flow_files import Collect, Flow, Flows, SlotSpec
from llm_banking.dialogue.handoff_rules import OFFER_AFTER
from llm_banking.dialogue.holdings import Holdings
from llm_banking.dialogue.planning import Doubt, planned
from llm_banking.dialogue.said_of import WHOLE
from llm_banking.dialogue.slot_choice import slot_for
from llm_banking.dialogue.tracker import (
    MAX_CHOICES,
    MAX_EVENTS,
    MAX_FRAMES,
    Choice,
    Event,
    Filled,
    Frame,
    Happened,
    Prompt,
    Tracker,
)

PLANS = "schedule_payment"
"""Who asks for this wants another day than today, named or not."""


_HAS_NONE = {"own_account": wording.NO_ACCOUNT, "card": wording.NO_CARD, "schedule": wording.NO_SCHEDULE}
"""What is said to who has nothing that a slot could take."""


class Work:
    """One turn in the making. `stack` has the frame in work last; `lines` are the paragraphs of the reply."""

    def __init__(self, flows: Flows, holdings: Holdings, tracker: Tracker, message: str, today: date) -> None:
        self._flows = flows
        self._holdings = holdings
        self._message = message
        self._today = today
        self.before = tracker
        self.stack = list(tracker.stack)
        self.events = list(tracker.events)
        self.lines: list[str] = []
        self.prompt: Prompt | None = None
        self.may_offer_person = True

    @property
    def frame(self) -> Frame | None:
        """The frame in work."""
        return self.stack[-1] if self.stack else None

    def update(self, **changes: object) -> Frame:
        """Change the frame in work."""
        self.stack[-1] = self.stack[-1].model_copy(update=changes)
        return self.stack[-1]

    def flow(self, name: str) -> Flow:
        """A flow by its name. Raises FlowFaultError."""
        found = self._flows.by_name.get(name)
        if found is None:
            raise FlowFaultError(f"There is no flow '{name}'.")
        return found

    def title(self, frame: Frame) -> str:
        """What a frame is called: a transfer to a company is a bill payment, as its customer reads it."""
        goes_to = {one.kind for one in frame.slots.values()}
        now = self.flow(frame.flow)
        narrow = [
            other for other in self._flows.by_name.values() if _types(other) <= _types(now) and "biller" in goes_to
        ]
        return min((now, *narrow), key=lambda one: sum(len(spec.takes) for spec in one.slots.values())).title

    def called_off(self, frame: Frame) -> str:
        """What is said of a frame that its customer gave up."""
        return wording.cancelled(self.title(frame), pays=self.flow(frame.flow).pays)

    def note(self, what: Happened, of: object = "") -> None:
        """Remember an event."""
        self.events.append(Event(turn=self.before.turn, what=what, of=str(of)[:64]))

    def tracker(self) -> Tracker:
        """What the next turn finds."""
        return self.before.model_copy(
            update={"stack": tuple(self.stack), "prompt": self.prompt, "events": tuple(self.events[-MAX_EVENTS:])}
        )

    def start(self, starts: Sequence[StartFlow]) -> None:
        """Put what was asked for on the stack, the first on top, over what is in work."""
        room = MAX_FRAMES - len(self.stack)
        before = len(self.stack)
        if len(starts) > room:
            self.refuse(wording.too_many(MAX_FRAMES), self.flow(starts[room].flow).name)
        for start in reversed(starts[:room]):
            flow = self.flow(start.flow)
            if any(one.kind == "later" for one in start.said) and not _takes_dates(flow):
                self.refuse(wording.not_later(flow.title), flow.name)
                continue
            self.stack.append(Frame(flow=flow.name, step=flow.first))
            self.note("started", flow.name)
            self._fill_start(flow, start.said)
            when = _of_when(flow)
            if start.intent == PLANS and when is not None and when.name not in self.stack[-1].slots:
                self.doubt(when)
        begun = len(self.stack) - before
        if begun > 1:
            self.lines.insert(0, wording.one_by_one(begun))

    def _fill_start(self, flow: Flow, said: Sequence[Said]) -> None:
        """Words with a role first: they tell what the others can be."""
        pairs: list[tuple[SlotSpec, Said]] = []
        known: dict[str, Choice] = {}
        for one in sorted(said, key=lambda one: (one.kind == "account" and one.role is None, one.start)):
            spec = slot_for(flow, one, known, self._holdings)
            if one.kind in ("phrase", *WHOLE.values()) and (spec is None or not self._holdings.tells(one.text, spec)):
                continue
            if spec is not None:
                pairs.append((spec, one))
                known.setdefault(spec.name, Choice(kind=spec.takes[0], value="", label=""))
        self._take(pairs)

    def fill(self, commands: Sequence[SetSlot | CorrectSlot]) -> bool:
        """Fill slots of the frame in work. Returns whether any was filled before, so that what was shown is no more.

        What a correction replaces is not kept, whether or not the correction can be used.
        """
        if self.frame is None:
            raise FlowFaultError("A slot was to be filled where no flow is in work.")
        flow, before = self.flow(self.frame.flow), self.frame.slots
        pairs = []
        for command in commands:
            spec = flow.slots.get(command.slot)
            if spec is None:
                raise FlowFaultError(f"The flow '{flow.name}' has no slot '{command.slot}'.")
            pairs.append((spec, command.said))
        named = {spec.name for spec, _ in pairs}
        self.drop(*(name for spec, _ in pairs if spec.differs_from in named for name in (spec.name, spec.differs_from)))
        self._take(pairs)
        self.update(misses=0)
        return self.stack[-1].slots != before or any(spec.name in before for spec, _ in pairs)

    def refuse(self, reason: str, what: str) -> None:
        """Say why something is not done."""
        self.lines.append(reason)
        self.note("refused", what)

    def turn_down(self) -> None:
        """None of the choices that were offered is meant."""
        if self.before.prompt is not None and self.before.prompt.slot is not None:
            self.drop(self.before.prompt.slot)
            flow = self.flow(self.stack[-1].flow)
            self.doubt(flow.slots[self.before.prompt.slot])

    def _take(self, pairs: Sequence[tuple[SlotSpec, Said]]) -> None:
        """Fill from the message. What is said twice of a slot, and differently, is asked about."""
        for name in dict.fromkeys(spec.name for spec, _ in pairs):
            said = [said for spec, said in pairs if spec.name == name]
            self._become_what_fits(name, said)
            flow = self.flow(self.stack[-1].flow)
            self._take_one(flow, flow.slots[name], said)

    def _become_what_fits(self, name: str, said: Sequence[Said]) -> None:
        """Go on as another flow with the same slots, where a payee was named whom the one in work cannot pay."""
        now = self.flow(self.stack[-1].flow)
        spec = now.slots[name]
        known = [one.option is not None or bool(self._holdings.match(one.text, spec).choices) for one in said]
        if spec.type != "payee" or any(known):
            return
        for other in self._flows.by_name.values():
            if other is now or not _types(now) <= _types(other):
                continue
            found = [self._holdings.match(one.text, other.slots[name]) for one in said]
            if all(one.sure for one in found):
                self.update(flow=other.name, step=other.first)
                self.lines.append(wording.changed_to(found[0].choices[0], other.title))
                self.note("started", other.name)
                return

    def _take_one(self, flow: Flow, spec: SlotSpec, said: Sequence[Said]) -> None:
        if spec.type == "when" and all(one.option is None for one in said):
            self._take_when(flow, spec, said)
            return
        prompt = self.before.prompt
        offered = prompt.choices if prompt is not None and prompt.slot == spec.name else ()
        values: list[Choice] = []
        unsure: list[Choice] = []
        for one in said:
            check_span(self._message, one)
            found = value_of(one, spec, self._holdings, offered, self._today)
            if isinstance(found, Refused):
                self.refuse(found.reason, spec.name)
                if one.kind != "later":
                    self.drop(spec.name)
                return
            values += [found.choice] if isinstance(found, Got) else []
            unsure += found.choices if isinstance(found, Which) else []
        sure = list(dict.fromkeys(values))
        if len(sure) == 1 and set(unsure) <= set(sure):
            self._put(flow, spec, said[0], sure[0])
        else:
            self._offer(spec, tuple(dict.fromkeys((*sure, *_common(unsure, said)))))

    def _take_when(self, flow: Flow, spec: SlotSpec, said: Sequence[Said]) -> None:
        """All words about the time are read together. Where they name none that can be, the customer is asked."""
        for one in said:
            check_span(self._message, one)
        found = planned(said, self._message, self.stack[-1].slots.get(spec.name), self._today)
        if isinstance(found, Doubt):
            self.refuse(found.reason, spec.name)
            self.drop(spec.name)
            self.doubt(spec)
        elif len(found) == 1:
            self._put(flow, spec, said[0], found[0])
        else:
            self._offer(spec, found)

    def doubt(self, spec: SlotSpec) -> None:
        """Ask for a slot that would be left out otherwise: something was said of it that cannot be used."""
        if spec.optional and spec.name not in self.stack[-1].offers:
            self.update(offers={**self.stack[-1].offers, spec.name: ()})

    def _put(self, flow: Flow, spec: SlotSpec, said: Said, choice: Choice) -> None:
        frame = self.stack[-1]
        if choice.kind not in spec.takes:
            raise FlowFaultError(f"The slot '{spec.name}' does not take '{choice.kind}'.")
        others = {spec.differs_from, *(one.name for one in flow.slots.values() if one.differs_from == spec.name)}
        if any(name in others and one.value == choice.value for name, one in frame.slots.items()):
            self.refuse(wording.SAME_ACCOUNT, spec.name)
            self.drop(spec.name)
            return
        before = frame.slots.get(spec.name)
        if before is None or before.value != choice.value:
            self.drop(spec.name)
            slots = {**self.stack[-1].slots, spec.name: filled(said, choice, self.before.turn)}
            self.update(slots=slots)
            self.note("set" if before is None else "corrected", spec.name)

    def _offer(self, spec: SlotSpec, choices: Sequence[Choice]) -> None:
        """Ask which of several values is meant. A slot that is in doubt is not kept as it was."""
        self.drop(spec.name)
        frame = self.stack[-1]
        self.update(offers={**frame.offers, spec.name: tuple(choices[:MAX_CHOICES])})
        self.note("offered", spec.name)

    def drop(self, *names: str) -> None:
        """Empty slots of the frame in work, and forget what was offered for them."""
        frame = self.stack[-1]
        self.update(
            slots={name: one for name, one in frame.slots.items() if name not in names},
            offers={name: one for name, one in frame.offers.items() if name not in names},
        )

    def ask(self, flow: Flow, step: Collect) -> None:
        """Ask for a step's slot: which of the choices is meant where there are some, else the step's own question."""
        frame, spec = self.update(step=step.name), flow.slots[step.slot]
        offered = frame.offers.get(step.slot, ())
        if offered:
            self.prompt = Prompt(asks="choice", slot=step.slot, choices=offered)
            self.lines.append(wording.which(offered))
            return
        taken = {one.value for one in frame.slots.values()}
        choices = tuple(one for one in self._own(spec) if one.value not in taken)[:MAX_CHOICES]
        if not choices and spec.type in _HAS_NONE:
            self.refuse(_HAS_NONE[spec.type], flow.name)
            self.stack.pop()
            return
        self.prompt = Prompt(asks="slot", slot=step.slot, choices=choices)
        self.lines.append(wording.question(step.question, choices))
        self.note("asked", step.slot)

    def takes_the_only_one(self, flow: Flow, step: Collect) -> bool:
        """Fill a slot with the only card or planned payment there is for it, where no other one was named."""
        frame, spec = self.stack[-1], flow.slots[step.slot]
        choices = self._own(spec) if spec.type in ("card", "schedule") else ()
        asked = self.before.prompt is not None and self.before.prompt.slot == spec.name
        named = any(
            one.turn == self.before.turn and one.of == spec.name for one in self.events if one.what == "refused"
        )
        if len(choices) != 1 or asked or named or step.slot in frame.offers:
            return False
        only = Filled(**choices[0].model_dump(), text="", start=0, end=0, turn=self.before.turn)
        self.update(slots={**frame.slots, spec.name: only})
        self.note("set", spec.name)
        return True

    def _own(self, spec: SlotSpec) -> tuple[Choice, ...]:
        """What the customer has to choose from."""
        if spec.type == "card":
            return self._holdings.card_choices(spec)
        if spec.type == "schedule":
            return self._holdings.schedule_choices()
        return self._holdings.account_choices(spec) if spec.type == "own_account" else ()

    def miss(self) -> None:
        """Say that nothing was understood, and offer a person where that comes again and again."""
        self.note("not_understood")
        if self.frame is None:
            return
        misses = self.frame.misses + 1
        offer = misses >= OFFER_AFTER and self.may_offer_person
        self.update(misses=0 if offer else misses)
        if not offer:
            self.lines.append(wording.NOT_UNDERSTOOD)
        elif self.before.prompt is not None and self.before.prompt.asks == "approval":
            self.lines.append(wording.MENTION_PERSON)  # what is shown keeps the yes
        else:
            self.lines.append(wording.OFFER_PERSON)
            self.prompt = Prompt(asks="person")


def _types(flow: Flow) -> set[tuple[str, str]]:
    return {(one.name, one.type) for one in flow.slots.values()}


def _takes_dates(flow: Flow) -> bool:
    return any(one.type in ("date", "when") for one in flow.slots.values())


def _of_when(flow: Flow) -> SlotSpec | None:
    return next((one for one in flow.slots.values() if one.type == "when"), None)


def _common(unsure: Sequence[Choice], said: Sequence[Said]) -> Sequence[Choice]:
    """Of several words about one payee ("Northgrid", "electricity") those choices that each of them allows."""
    in_each = [one for one in dict.fromkeys(unsure) if unsure.count(one) == len(said)]
    return in_each or unsure
