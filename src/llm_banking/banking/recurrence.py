"""When a recurring payment is due. Dates alone: a clock that is put forward or back changes nothing.

Each occurrence is counted from the first day, never from the one before it, so that the 31st is the 31st again after a
February. An occurrence's number names it for good: what was done for number 7 is not done for it again.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from llm_banking.banking.business_days import BusinessDays, Roll
from llm_banking.kit.errors import LlmBankingError

MAX_EVERY = 60
MAX_OCCURRENCES = 1_000
"""That are listed at once."""


class RecurrenceInvalidError(LlmBankingError):
    """A rule that names no days, or more than can be listed."""

    code = "INVALID_REQUEST"


class Frequency(StrEnum):
    """The step from one occurrence to the next."""

    WEEKLY = "weekly"
    MONTHLY = "monthly"
    """On the first day's day of the month, or on the month's last where it is shorter."""
    MONTH_END = "month_end"
    """On every month's last day."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Due on `first_day` (by the month's end: on the last day of its month), then every so many weeks or months.

    Raises RecurrenceInvalidError.
    """

    frequency: Frequency
    first_day: date
    every: int = 1
    roll: Roll = Roll.MODIFIED_FOLLOWING

    def __post_init__(self) -> None:
        if not 1 <= self.every <= MAX_EVERY:
            raise RecurrenceInvalidError(f"A payment recurs every 1 to {MAX_EVERY} weeks or months.")

    def due_day(self, number: int) -> date:
        """The day of occurrence `number`, counted from 0, before it is rolled to a business day.

        Raises RecurrenceInvalidError beyond the last year that a date can have.
        """
        try:
            if self.frequency is Frequency.WEEKLY:
                return self.first_day + timedelta(weeks=self.every * number)
            wanted = 31 if self.frequency is Frequency.MONTH_END else self.first_day.day
            return _in_month(self.first_day, self.every * number, wanted)
        except (OverflowError, ValueError):
            raise RecurrenceInvalidError("The payment would be due later than any calendar goes.") from None

    def first_number_from(self, day: date) -> int:
        """The number of the first occurrence that is due on a day or after it."""
        if self.frequency is Frequency.WEEKLY:
            passed = (day - self.first_day).days // 7
        else:
            passed = 12 * (day.year - self.first_day.year) + day.month - self.first_day.month
        number = max(passed // self.every, 0)
        return number if self.due_day(number) >= day else number + 1


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One due payment: it is due on `due_on` and done on `pays_on`, which is a business day unless nothing rolls."""

    number: int
    due_on: date
    pays_on: date


def occurrences(rule: Recurrence, calendar: BusinessDays, first: date, last: date) -> Iterator[Occurrence]:
    """What is due from the first day to the last, both included, in order.

    Raises RecurrenceInvalidError after MAX_OCCURRENCES, and YearNotListedError.
    """
    begin = rule.first_number_from(first)
    for number in range(begin, begin + MAX_OCCURRENCES):
        due_on = rule.due_day(number)
        if due_on > last:
            return
        yield Occurrence(number, due_on, calendar.roll(due_on, rule.roll))
    raise RecurrenceInvalidError(f"More than {MAX_OCCURRENCES} payments are due in this time. Ask for a shorter one.")


def next_occurrence(rule: Recurrence, calendar: BusinessDays, day: date) -> Occurrence:
    """The first one that is due on a day or after it. Raises RecurrenceInvalidError and YearNotListedError."""
    number = rule.first_number_from(day)
    due_on = rule.due_day(number)
    return Occurrence(number, due_on, calendar.roll(due_on, rule.roll))


def _in_month(start: date, months: int, day: int) -> date:
    """That day of the month so many months after a date's, or the month's last where it is shorter."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return date(year, month + 1, min(day, monthrange(year, month + 1)[1]))
