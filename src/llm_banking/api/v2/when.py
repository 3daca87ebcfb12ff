"""When a payment is made, as bodies carry it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

from llm_banking.api.envelope import Model
from llm_banking.banking.recurrence import MAX_EVERY, Frequency, Recurrence
from llm_banking.operations.when import MAX_PAYMENTS, NOW, Now, Once, OnDay, Repeats, Wish, plan_of


class DayRequest(Model):
    """On a day after today; where the bank is closed then, on the next business day."""

    day: date


class RhythmRequest(Model):
    """Again and again from the first day on, until the last day, so many times, or until it is cancelled."""

    frequency: Frequency
    first_day: date
    every: Annotated[int, Field(ge=1, le=MAX_EVERY)] = 1
    last_day: date | None = None
    count: Annotated[int | None, Field(ge=1, le=MAX_PAYMENTS)] = None


WhenRequest = Now | DayRequest | RhythmRequest


class DayBody(Model):
    """Due on `day`, and made on `pays_on`."""

    day: date
    pays_on: date


class RhythmBody(Model):
    """Again and again. `first_day` is the day of the first payment; one on a day off is made on the next business day.

    It ends after `last_day`, after `count` payments, or when it is cancelled.
    """

    frequency: Frequency
    first_day: date
    every: int
    last_day: date | None
    count: int | None


WhenBody = Literal["now"] | DayBody | RhythmBody


def wish_of(asked: WhenRequest) -> Wish:
    """In the gate's terms."""
    if isinstance(asked, DayRequest):
        return OnDay(asked.day)
    if isinstance(asked, RhythmRequest):
        return Repeats(Recurrence(asked.frequency, asked.first_day, asked.every), asked.last_day, asked.count)
    return NOW


def when_body(payload: Mapping[str, Any]) -> WhenBody | None:
    """Of what was frozen; None where no money moves."""
    if "when" not in payload:
        return None
    plan = plan_of(payload["when"])
    if plan == NOW:
        return NOW
    if isinstance(plan, Once):
        return DayBody(day=plan.day, pays_on=plan.pays_on)
    rule = plan.rule
    return RhythmBody(
        frequency=rule.frequency,
        first_day=rule.due_day(0),
        every=rule.every,
        last_day=plan.last_day,
        count=plan.count,
    )
