"""What a conversation remembers between turns; stored as JSON with its session, in the turn's own transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from llm_banking.kit.money import Money

MAX_FRAMES = 4
"""Flows that may be open at once, the one in work and those that wait."""
MAX_EVENTS = 40
MAX_CHOICES = 8

Happened = Literal[
    "started",
    "set",
    "corrected",
    "asked",
    "offered",
    "refused",
    "proposed",
    "approved",
    "voided",
    "cancelled",
    "denied",
    "not_understood",
    "digressed",
    "handed_off",
    "left_to_person",
    "taken_back",
    "resumed",
    "fault",
]
ValueKind = Literal[
    "money", "own_account", "person", "biller", "date", "when", "text", "card", "option", "charge", "schedule", "months"
]


class _Remembered(BaseModel):
    """An unknown field in a stored tracker is an error, not a guess."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Choice(_Remembered):
    """A value that a slot can take. `label` is what is read.

    `value` is an id, "50.00 USD", an ISO date, a number of months, the name of an option or the text.
    """

    kind: ValueKind
    value: str
    label: str

    @classmethod
    def of_money(cls, amount: Money) -> Choice:
        """An amount as a value."""
        return cls(kind="money", value=f"{amount.as_decimal_string()} {amount.currency}", label=amount.display())

    def as_money(self) -> Money:
        """The amount that this is. Raises MoneyError where it is none."""
        amount, _, currency = self.value.partition(" ")
        return Money.parse(amount, currency)


class Filled(Choice):
    """A slot's value and where the customer said it: characters `start` to `end` of the message of turn `turn`."""

    text: str
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    turn: int = Field(ge=1)


class Shown(_Remembered):
    """A pending operation as it was shown."""

    id: UUID
    kind: str
    summary: str
    expires_at: datetime
    requires: tuple[str, ...] = ()


class Frame(_Remembered):
    """One flow in work: the slots that are filled, the step it waits at, what was proposed at its end.

    `offers` are the choices for a slot whose value is not sure: the customer is asked which.
    """

    flow: str
    slots: dict[str, Filled] = Field(default_factory=dict)
    offers: dict[str, tuple[Choice, ...]] = Field(default_factory=dict)
    step: str
    pending: Shown | None = None
    misses: int = Field(default=0, ge=0)


class Prompt(_Remembered):
    """What the very last message of the assistant asked. A yes means this and nothing else."""

    asks: Literal["slot", "choice", "approval", "person"]
    slot: str | None = None
    choices: tuple[Choice, ...] = Field(default=(), max_length=MAX_CHOICES)
    pending_id: UUID | None = None


class Event(_Remembered):
    """Something that happened in a turn, and to what: a slot, a flow, an intent or a pending id."""

    turn: int
    what: Happened
    of: str = Field(default="", max_length=64)


class Tracker(_Remembered):
    """The state of one conversation. The last frame of `stack` is the one in work.

    `misses` counts the messages in a row that were not understood.
    """

    last_intent: str | None = None
    offered: tuple[str, ...] = ()
    turn: int = Field(default=0, ge=0)
    misses: int = Field(default=0, ge=0)
    stack: tuple[Frame, ...] = Field(default=(), max_length=MAX_FRAMES)
    prompt: Prompt | None = None
    events: tuple[Event, ...] = Field(default=(), max_length=MAX_EVENTS)
