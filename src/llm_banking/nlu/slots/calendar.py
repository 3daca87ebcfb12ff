"""Steps over the calendar that stay inside MIN_YEAR to MAX_YEAR: every function answers None instead of leaving it."""

from __future__ import annotations

import calendar
from datetime import date

from llm_banking.nlu.slots.tokens import Prefer

MIN_YEAR, MAX_YEAR = 1900, 2199
_FIRST = date(MIN_YEAR, 1, 1).toordinal()
_LAST = date(MAX_YEAR, 12, 31).toordinal()

Span = tuple[date, date]
"""First and last day, both included."""


def make(year: int, month: int, day: int) -> date | None:
    """A date; None where the calendar has no such day."""
    if not MIN_YEAR <= year <= MAX_YEAR or not 1 <= month <= 12 or not 1 <= day <= month_days(year, month):
        return None
    return date(year, month, day)


def month_days(year: int, month: int) -> int:
    """How many days a month has."""
    return calendar.monthrange(year, month)[1]


def add_days(day: date, days: int) -> date | None:
    """A date some days later, or earlier where `days` is negative."""
    ordinal = day.toordinal() + days
    return date.fromordinal(ordinal) if _FIRST <= ordinal <= _LAST else None


def add_months(day: date, months: int) -> date | None:
    """The same day some months later; the last day of that month where it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not MIN_YEAR <= year <= MAX_YEAR:
        return None
    return date(year, month + 1, min(day.day, month_days(year, month + 1)))


def add_units(day: date, count: int, unit: str) -> date | None:
    """A date some days, weeks, fortnights, months, quarters or years later."""
    if unit in ("day", "week", "fortnight"):
        return add_days(day, count * {"day": 1, "week": 7, "fortnight": 14}[unit])
    months = {"month": 1, "quarter": 3, "year": 12}.get(unit)
    return None if months is None else add_months(day, count * months)


def unit_span(day: date, offset: int, unit: str) -> Span | None:
    """The week (Monday to Sunday), weekend, month, quarter or year that is `offset` after the one of a date."""
    if unit in ("day", "fortnight"):
        return None
    if unit in ("week", "weekend"):
        monday = add_days(day, 7 * offset - day.weekday())
        first = add_days(monday, 5) if monday and unit == "weekend" else monday
        last = add_days(monday, 6) if monday else None
        return (first, last) if first and last else None
    size = {"month": 1, "quarter": 3, "year": 12}[unit]
    start = make(day.year, (day.month - 1) // size * size + 1, 1)
    first = add_months(start, offset * size) if start else None
    last = add_months(first, size) if first else None
    before = add_days(last, -1) if last else None
    return (first, before) if first and before else None


def month_span(year: int, month: int) -> Span | None:
    """All days of a month."""
    first = make(year, month, 1)
    return (first, date(year, month, month_days(year, month))) if first else None


def nearest_weekday(today: date, weekday: int, prefer: Prefer) -> date | None:
    """The first such weekday after today, or the last before it. Monday is 0."""
    ahead = (weekday - today.weekday()) % 7
    return add_days(today, (ahead or 7) if prefer == "future" else (ahead - 7))


def nearest_day(today: date, day: int, prefer: Prefer) -> date | None:
    """The nearest date with this day of the month, today included; months without it are passed over."""
    step = 1 if prefer == "future" else -1
    start = today.replace(day=1)
    for months in range(9):
        first = add_months(start, step * months)
        found = make(first.year, first.month, day) if first else None
        if found and (found >= today if step > 0 else found <= today):
            return found
    return None


def nearest_month_day(today: date, month: int, day: int, prefer: Prefer) -> date | None:
    """The nearest date with this month and day, today included; 29 February waits for a leap year."""
    step = 1 if prefer == "future" else -1
    for years in range(9):
        found = make(today.year + step * years, month, day)
        if found and (found >= today if step > 0 else found <= today):
            return found
    return None


def nearest_month(today: date, month: int, prefer: Prefer) -> Span | None:
    """The nearest such month that has not ended, or that has begun; the current one counts in both directions."""
    year = today.year
    if prefer == "future" and month < today.month:
        year += 1
    elif prefer == "past" and month > today.month:
        year -= 1
    return month_span(year, month)
