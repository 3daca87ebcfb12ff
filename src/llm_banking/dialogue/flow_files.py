"""Flows as data: read from YAML once at start-up, and refused whole where anything in them cannot work.

Whatever is wrong is named with its file and line, so that an operator who writes a flow sees it before a customer does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Literal, NoReturn, cast, get_args

import yaml

from llm_banking.banking.core import AccountKind, CardStatus
from llm_banking.dialogue.actions import ACTIONS
from llm_banking.dialogue.asked import REQUESTS
from llm_banking.dialogue.tracker import ValueKind
from llm_banking.kit.errors import ConfigurationError

SlotType = Literal[
    "money", "own_account", "payee", "date", "when", "text", "card", "option", "charge", "schedule", "months"
]
MAX_STEPS = 40
_TAKES: dict[SlotType, tuple[ValueKind, ...]] = {
    "money": ("money",),
    "own_account": ("own_account",),
    "payee": ("person", "biller"),
    "date": ("date",),
    "when": ("when",),
    "text": ("text",),
    "card": ("card",),
    "option": ("option",),
    "charge": ("charge",),
    "schedule": ("schedule",),
    "months": ("months",),
}
_ANY_ACCOUNT = tuple(AccountKind)


class FlowInvalidError(ConfigurationError):
    """A flow cannot work; the message names the file, the line and what is wrong."""


@dataclass(frozen=True, slots=True)
class SlotSpec:
    """A slot: its type, the kinds of value it takes, of own accounts and cards those that it takes.

    `options` are the names it chooses from, each with the words that mean it; the first whose words are said is taken.
    """

    name: str
    type: SlotType
    takes: tuple[ValueKind, ...]
    accounts: tuple[AccountKind, ...] = _ANY_ACCOUNT
    differs_from: str | None = None
    optional: bool = False
    statuses: tuple[CardStatus, ...] = ()
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Collect:
    """Ask for a slot until it is filled; for an optional one, only where what was said of it is not sure."""

    name: str
    slot: str
    question: str
    next: str


@dataclass(frozen=True, slots=True)
class Branch:
    """Go on by what kind of value a slot has: (slot, kind, next step) in order, else `otherwise`."""

    name: str
    cases: tuple[tuple[str, str, str], ...]
    otherwise: str


@dataclass(frozen=True, slots=True)
class End:
    """Propose what the flow was for."""

    name: str
    action: str


Step = Collect | Branch | End


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow, checked: every step is there, is reached and leads to an end."""

    name: str
    title: str
    starts_on: tuple[str, ...]
    slots: Mapping[str, SlotSpec]
    steps: Mapping[str, Step]
    first: str

    @property
    def pays(self) -> bool:
        """Whether it sends money to somebody."""
        return any(one.type == "payee" for one in self.slots.values())


@dataclass(frozen=True, slots=True)
class Flows:
    """All flows by name, and which intent starts which."""

    by_name: Mapping[str, Flow]

    @property
    def by_intent(self) -> dict[str, Flow]:
        """The flow that each intent starts."""
        return {intent: flow for flow in self.by_name.values() for intent in flow.starts_on}


class _Lines(yaml.SafeLoader):
    """Every mapping remembers its line."""


class _Located(dict[str, Any]):
    line: int = 0


def _mapping(loader: _Lines, node: yaml.MappingNode) -> _Located:
    found = _Located()
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str) or key in found:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is no word or stands twice", None)
        found[key] = loader.construct_object(value_node, deep=True)
    found.line = node.start_mark.line + 1
    return found


_Lines.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load_flows(intents: frozenset[str], folder: Traversable | None = None) -> Flows:
    """Read and check every flow. Raises FlowInvalidError, naming file and line."""
    found: dict[str, Flow] = {}
    starts: dict[str, str] = {}
    place = folder or resources.files("llm_banking.dialogue") / "flows"
    for file in sorted(place.iterdir(), key=lambda one: one.name):
        if not file.name.endswith(".yml"):
            continue
        try:
            raw = yaml.load(file.read_text(encoding="utf-8"), Loader=_Lines)  # noqa: S506 - derived from SafeLoader
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
            raise FlowInvalidError(f"{file.name}:{mark.line + 1 if mark else 1}: not readable as YAML.") from None
        flow = _FlowReader(file.name, intents).read(raw)
        if flow.name in found:
            raise FlowInvalidError(f"{file.name}:1: there is another flow named '{flow.name}'.")
        for intent in flow.starts_on:
            if intent in starts:
                raise FlowInvalidError(f"{file.name}:1: '{intent}' already starts the flow '{starts[intent]}'.")
            starts[intent] = flow.name
        found[flow.name] = flow
    return Flows(found)


class _FlowReader:
    """One file. Every complaint goes through `_refuse`."""

    def __init__(self, file: str, intents: frozenset[str]) -> None:
        self._file = file
        self._intents = intents

    def read(self, raw: object) -> Flow:
        """Parse and check the file's content."""
        document = self._fields(raw, 1, {"flow", "title", "starts_on", "slots", "steps"})
        starts_on = self._words(document, "starts_on")
        for intent in starts_on:
            if intent not in {*self._intents, *REQUESTS}:
                self._refuse(document, f"starts on the unknown intent '{intent}'")
        raw_slots = self._fields(document["slots"], document.line, None)
        slots = {name: self._slot(name, one, raw_slots.line) for name, one in raw_slots.items()}
        for name, spec in slots.items():
            if spec.differs_from is not None and spec.differs_from not in slots:
                self._refuse(raw_slots, f"slot '{name}' differs from the unknown slot '{spec.differs_from}'")
        if not isinstance(document["steps"], list) or not 0 < len(document["steps"]) <= MAX_STEPS:
            self._refuse(document, f"needs 1 to {MAX_STEPS} steps")
        steps: dict[str, Step] = {}
        lines: dict[str, int] = {}
        for one in document["steps"]:
            step = self._step(one, slots, document.line)
            if step.name in steps:
                self._refuse(one, f"the step '{step.name}' stands twice")
            steps[step.name], lines[step.name] = step, one.line
        flow = Flow(
            self._word(document, "flow"), self._word(document, "title"), starts_on, slots, steps, next(iter(steps))
        )
        self._check_ways(flow, lines)
        return flow

    def _slot(self, name: str, raw: object, line: int) -> SlotSpec:
        allowed = {"type", "takes", "accounts", "differs_from", "optional", "statuses", "options"}
        fields = self._fields(raw, line, allowed, needed={"type"})
        if fields["type"] not in get_args(SlotType):
            self._refuse(fields, f"slot '{name}' has the unknown type '{fields['type']}'")
        slot_type = cast("SlotType", fields["type"])
        takes = self._words(fields, "takes") if "takes" in fields else _TAKES[slot_type]
        may_take = {*_TAKES[slot_type], *({"own_account"} if slot_type == "payee" else ())}
        for kind in takes:
            if kind not in may_take:
                self._refuse(fields, f"a slot of type '{slot_type}' cannot take '{kind}'")
        accounts = self._words(fields, "accounts") if "accounts" in fields else tuple(_ANY_ACCOUNT)
        for kind in accounts:
            if kind not in tuple(AccountKind):
                self._refuse(fields, f"slot '{name}' takes the unknown kind of account '{kind}'")
        if not isinstance(fields.get("optional", False), bool):
            self._refuse(fields, "'optional' is true or false")
        return SlotSpec(
            name,
            slot_type,
            cast("tuple[ValueKind, ...]", takes),
            tuple(AccountKind(kind) for kind in accounts),
            self._word(fields, "differs_from") if "differs_from" in fields else None,
            bool(fields.get("optional", False)),
            self._statuses(fields, slot_type),
            self._options(fields, slot_type),
        )

    def _statuses(self, fields: _Located, slot_type: SlotType) -> tuple[CardStatus, ...]:
        if ("statuses" in fields) is not (slot_type == "card"):
            self._refuse(fields, "a slot of type 'card', and no other, says which 'statuses' it takes")
        found = self._words(fields, "statuses") if slot_type == "card" else ()
        for one in found:
            if one not in tuple(CardStatus):
                self._refuse(fields, f"there is no card in the status '{one}'")
        return tuple(CardStatus(one) for one in found)

    def _options(self, fields: _Located, slot_type: SlotType) -> Mapping[str, tuple[str, ...]]:
        if ("options" in fields) is not (slot_type == "option"):
            self._refuse(fields, "a slot of type 'option', and no other, lists its 'options'")
        if slot_type != "option":
            return {}
        options = self._fields(fields["options"], fields.line, None)
        return {name: self._words(options, name) for name in options}

    def _step(self, raw: object, slots: Mapping[str, SlotSpec], line: int) -> Step:
        if not isinstance(raw, _Located):
            raise FlowInvalidError(f"{self._file}:{line}: a step is a mapping.")
        kinds = [kind for kind in ("collect", "branch", "end") if kind in raw]
        if len(kinds) != 1:
            self._refuse(raw, "a step has one of 'collect', 'branch' and 'end'")
        if kinds[0] == "collect":
            return self._collect(self._fields(raw, line, {"step", "collect", "question", "next"}), slots)
        if kinds[0] == "branch":
            return self._branch(self._fields(raw, line, {"step", "branch", "otherwise"}), slots)
        return self._end(self._fields(raw, line, {"step", "end"}), slots)

    def _collect(self, fields: _Located, slots: Mapping[str, SlotSpec]) -> Collect:
        slot = self._word(fields, "collect")
        if slot not in slots:
            self._refuse(fields, f"collects the unknown slot '{slot}'")
        return Collect(self._word(fields, "step"), slot, self._word(fields, "question"), self._word(fields, "next"))

    def _branch(self, fields: _Located, slots: Mapping[str, SlotSpec]) -> Branch:
        cases = []
        if not isinstance(fields["branch"], list):
            self._refuse(fields, "'branch' is a list of cases")
        for one in fields["branch"]:
            case = self._fields(one, fields.line, {"when", "next"})
            when = self._fields(case["when"], case.line, {"slot", "is"})
            slot, kind = self._word(when, "slot"), self._word(when, "is")
            if slot not in slots:
                self._refuse(when, f"asks about the unknown slot '{slot}'")
            if kind not in slots[slot].takes:
                self._refuse(when, f"slot '{slot}' never is '{kind}'")
            cases.append((slot, kind, self._word(case, "next")))
        return Branch(self._word(fields, "step"), tuple(cases), self._word(fields, "otherwise"))

    def _end(self, fields: _Located, slots: Mapping[str, SlotSpec]) -> End:
        name = self._word(fields, "end")
        if name not in ACTIONS:
            self._refuse(fields, f"ends in the unknown action '{name}'")
        missing = sorted(set(ACTIONS[name].needs) - set(slots))
        if missing:
            self._refuse(fields, f"the action '{name}' needs the slot '{missing[0]}'")
        return End(self._word(fields, "step"), name)

    def _check_ways(self, flow: Flow, lines: Mapping[str, int]) -> None:
        """Every step is there and reached; no way goes in a circle or ends before what its action needs is asked."""
        reached: set[str] = set()

        def walk(name: str, asked: frozenset[str], behind: tuple[str, ...]) -> None:
            step = flow.steps[name]
            reached.add(name)
            if isinstance(step, Collect):
                asked |= {step.slot}
            if isinstance(step, Branch):
                self._check_asked(lines[name], asked, [slot for slot, _, _ in step.cases])
            if isinstance(step, End):
                self._check_asked(lines[name], asked, ACTIONS[step.action].needs)
            for following in following_steps(step):
                if following not in flow.steps:
                    raise FlowInvalidError(f"{self._file}:{lines[name]}: leads to the unknown step '{following}'.")
                if following in (*behind, name):
                    raise FlowInvalidError(f"{self._file}:{lines[name]}: leads back to '{following}'.")
                walk(following, asked, (*behind, name))

        walk(flow.first, frozenset(), ())
        for name in flow.steps:
            if name not in reached:
                raise FlowInvalidError(f"{self._file}:{lines[name]}: the step '{name}' is never reached.")

    def _check_asked(self, line: int, asked: frozenset[str], needed: object) -> None:
        missing = sorted(set(cast("list[str]", needed)) - asked)
        if missing:
            raise FlowInvalidError(f"{self._file}:{line}: the slot '{missing[0]}' was not asked for before.")

    def _fields(self, raw: object, line: int, allowed: set[str] | None, needed: set[str] | None = None) -> _Located:
        if not isinstance(raw, _Located):
            raise FlowInvalidError(f"{self._file}:{line}: a mapping is needed here.")
        for name in sorted(set(raw) - allowed) if allowed is not None else ():
            self._refuse(raw, f"has the unknown field '{name}'")
        for name in sorted((allowed if needed is None else needed) or ()):
            if name not in raw:
                self._refuse(raw, f"has no '{name}'")
        return raw

    def _word(self, fields: _Located, name: str) -> str:
        value = fields[name]
        if not isinstance(value, str) or not value.strip():
            self._refuse(fields, f"'{name}' is not a text")
        return value

    def _words(self, fields: _Located, name: str) -> tuple[str, ...]:
        value = fields[name]
        if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
            self._refuse(fields, f"'{name}' is not a list of words")
        return tuple(cast("list[str]", value))

    def _refuse(self, at: _Located, problem: str) -> NoReturn:
        raise FlowInvalidError(f"{self._file}:{at.line}: {problem}.")


def following_steps(step: Step) -> Iterator[str]:
    """Where a step can lead."""
    if isinstance(step, Collect):
        yield step.next
    if isinstance(step, Branch):
        yield from (case[2] for case in step.cases)
        yield step.otherwise
