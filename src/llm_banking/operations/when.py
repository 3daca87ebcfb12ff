"""When a payment is made: now, on a day, or again and again. What is wished for, what is frozen, and how it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from llm_banking.banking.business_days import Roll
from llm_banking.banking.recurrence import Frequency, Recurrence, RecurrenceInvalidError

Now = Literal["now"]
NOW: Now = "now"
MAX_PAYMENTS = 1_000
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True)
class OnDay:
    """Wished for on one day, whether or not the bank works then."""

    day: date


@dataclass(frozen=True, slots=True)
class Once:
    """Due on `day`, and made on `pays_on`: the same, or the first business day after it."""

    day: date
    pays_on: date

    def due_day(self, number: int) -> date | None:
        """The day of payment `number`, counted from 0; None where there is none."""
        return self.day if number == 0 else None

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return {"day": self.day.isoformat(), "pays_on": self.pays_on.isoformat()}

    def words(self) -> str:
        """How it reads in a text."""
        if self.pays_on == self.day:
            return f"on {day_words(self.day)}"
        return f"on {day_words(self.pays_on)}, the first business day from {day_words(self.day)}"


@dataclass(frozen=True, slots=True)
class Repeats:
    """Again and again by a rule: `count` times, or until `last_day`, or until it is cancelled."""

    rule: Recurrence
    last_day: date | None = None
    count: int | None = None

    def due_day(self, number: int) -> date | None:
        """The day of payment `number`, counted from 0, before it is rolled; None where there is none."""
        if number >= (MAX_PAYMENTS if self.count is None else self.count):
            return None
        day = self.rule.due_day(number)
        return day if self.last_day is None or day <= self.last_day else None

    def document(self) -> dict[str, Any]:
        """As it is stored. `first_day` is the day of the first payment."""
        return {
            "frequency": self.rule.frequency.value,
            "first_day": self.rule.due_day(0).isoformat(),
            "every": self.rule.every,
            "roll": self.rule.roll.value,
            "last_day": None if self.last_day is None else self.last_day.isoformat(),
            "count": self.count,
        }

    def words(self) -> str:
        """How it reads in a text."""
        return f"{self._rhythm()}, starting on {day_words(self.rule.due_day(0))}, {self._end()}"

    def _rhythm(self) -> str:
        every = self.rule.every
        if self.rule.frequency is Frequency.WEEKLY:
            weekday = _DAYS[self.rule.first_day.weekday()]
            return f"every {weekday}" if every == 1 else f"every {every} weeks on {weekday}"
        if self.rule.frequency is Frequency.MONTH_END:
            return "on the last day of each month" if every == 1 else f"every {every} months on the month's last day"
        day = ordinal(self.rule.first_day.day)
        rhythm = f"on the {day} of each month" if every == 1 else f"every {every} months on the {day}"
        return rhythm if self.rule.first_day.day <= 28 else f"{rhythm} or, where a month is shorter, on its last day"

    def _end(self) -> str:
        if self.count is not None:
            return "once" if self.count == 1 else f"{self.count} times in all"
        return "until you cancel it" if self.last_day is None else f"until {day_words(self.last_day)}"


Wish = Now | OnDay | Repeats
Plan = Now | Once | Repeats


def document_of(plan: Plan) -> str | dict[str, Any]:
    """A plan as it is stored."""
    return plan if isinstance(plan, str) else plan.document()


def plan_of(document: object) -> Plan:
    """From what is stored. Raises KeyError, TypeError or ValueError on what is no plan in the one form."""
    if document == NOW:
        return NOW
    if not isinstance(document, Mapping):
        raise TypeError("a plan is no mapping")
    found: Once | Repeats
    if "day" in document:
        found = Once(date.fromisoformat(document["day"]), date.fromisoformat(document["pays_on"]))
    else:
        found = _repeats_of(document)
    if found.document() != dict(document):
        raise ValueError("a plan is not in the one form")
    return found


def _repeats_of(document: Mapping[str, Any]) -> Repeats:
    first_day, last_day, count = date.fromisoformat(document["first_day"]), document["last_day"], document["count"]
    if any(type(one) is not int for one in (document["every"], 1 if count is None else count)):
        raise TypeError("a plan's numbers are whole")
    if count is not None and not 1 <= count <= MAX_PAYMENTS:
        raise ValueError("a plan counts no payments")
    try:
        rule = Recurrence(Frequency(document["frequency"]), first_day, document["every"], Roll(document["roll"]))
    except RecurrenceInvalidError as error:
        raise ValueError("a plan has no rule") from error
    return Repeats(rule, None if last_day is None else date.fromisoformat(last_day), count)


def day_words(day: date) -> str:
    """A day as the texts shown name it, whatever the machine's language."""
    return f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]} {day.year}"


def ordinal(number: int) -> str:
    """A day of the month as people say it."""
    ending = "th" if 10 < number < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
