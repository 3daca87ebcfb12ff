"""Stretches of days ("last month", "since March", "between May 1 and May 15") and recurrences ("every Friday").

A period holds its first and last day, both included. "last month" and "this week" are calendar units (weeks begin on
Monday), "past 30 days" and "last 3 weeks" run back from today to the same number of days before it. "since" always
looks back and ends today.
"""

from __future__ import annotations

from typing import Any

from llm_banking.nlu.slots import calendar as days
from llm_banking.nlu.slots import lexicon
from llm_banking.nlu.slots.dates import (
    MAX_STEPS,
    day_number,
    looking,
    read_day,
    read_month,
    year_number,
)
from llm_banking.nlu.slots.lexicon import word_set
from llm_banking.nlu.slots.numbers import read_number, read_ordinal
from llm_banking.nlu.slots.tokens import Found, Words

Stretch = tuple[days.Span, int]
"""First and last day, and the index of the token after their words."""

_SHIFTS = {"this": 0, "current": 0, "next": 1, "coming": 1, "following": 1, "last": -1, "previous": -1, "prior": -1}
_BEFORE_MONTH = word_set("in since for during of from until till through by between last this next and")
_UNTIL = ("to", "until", "till", "through", "thru", "and", "-", "\u2013", "up")
_MOVED = word_set("change changed changing reschedule postpone switch")
"""Verbs after which "from the 7th to the 14th" is two days and no period."""
_VAGUE = {"couple": 2, "few": 3}


def read_period(words: Words, index: int) -> Found | None:
    """The period that starts at a token, as {"from", "to"} in ISO dates."""
    for reader in (_range, _since, _to_date, _rolling, _unit, _month, _year, _quarter, _week_of):
        found = reader(words, index)
        if found:
            (first, last), end = found
            if first > last or not words.alone(index, end):
                return None
            return Found("period", {"from": first.isoformat(), "to": last.isoformat()}, index, end)
    return None


def _unit(words: Words, index: int) -> Stretch | None:
    """Read "last month", "this week", "next year"."""
    shift = _SHIFTS.get(words.low(index))
    unit = lexicon.UNITS.get(words.low(index + 1))
    if shift is None or unit is None or words.low(index + 1).endswith("s"):
        return None
    span = days.unit_span(words.today, shift, unit)
    return (span, index + 2) if span else None


def _rolling(words: Words, index: int) -> Stretch | None:
    """Read "past 30 days", "last 3 months", "past week", "next two weeks"."""
    which = words.low(index)
    if which not in ("last", "past", "previous", "next", "coming"):
        return None
    count, at = _how_many(words, index + 1)
    if at == index + 1:
        if which != "past":
            return None
        count = 1
    unit = lexicon.UNITS.get(words.low(at))
    if unit in (None, "weekend") or not 0 < count <= MAX_STEPS:
        return None
    ahead = which in ("next", "coming")
    other = days.add_units(words.today, count if ahead else -count, unit or "")
    if other is None:
        return None
    return ((words.today, other) if ahead else (other, words.today)), at + 1


def _how_many(words: Words, index: int) -> tuple[int, int]:
    """A count of units and the index after it; `index` itself where none stands there."""
    at = words.skip(index, "a")
    if words.low(at) in _VAGUE:
        return _VAGUE[words.low(at)], words.skip(at + 1, "of")
    number = read_number(words, index)
    return (number.whole, number.end) if number and number.whole is not None else (0, index)


def _month(words: Words, index: int) -> Stretch | None:
    """Read "June 2026", "November this year", "last June"; a month alone only after a preposition."""
    shift = _SHIFTS.get(words.low(index))
    at = index if shift is None else index + 1
    month = read_month(words, at)
    if month is None or (day_number(words, at + 1) and words.low(at + 2) not in ("days", "weeks", "months", "years")):
        return None
    number, end = month
    year = year_number(words, end)
    if year:
        span = days.month_span(year, number)
        return (span, end + 1) if span else None
    of_year = _SHIFTS.get(words.low(words.skip(end, "of")))
    if of_year is not None and words.low(words.skip(end, "of") + 1) == "year":
        span = days.month_span(words.today.year + of_year, number)
        return (span, words.skip(end, "of") + 2) if span else None
    if shift is None:
        alone = not index and words.skip(end, ".") == len(words.tokens)
        impossible = words.low(index - 1) == "of" and words.low(index - 2) in ("st", "nd", "rd", "th")
        if impossible or not (alone or words.low(index - 1) in _BEFORE_MONTH):
            return None
        span = days.nearest_month(words.today, number, words.prefer)
    else:
        span = _shifted_month(words, number, shift)
    return (span, end) if span else None


def _shifted_month(words: Words, month: int, shift: int) -> days.Span | None:
    """Read "last June" has ended, "next June" has not begun, "this June" is of this year."""
    year = words.today.year
    if shift < 0 and month >= words.today.month:
        year -= 1
    elif shift > 0 and month <= words.today.month:
        year += 1
    return days.month_span(year, month)


def _year(words: Words, index: int) -> Stretch | None:
    """Read "in 2025", "for 2024"."""
    year = year_number(words, index)
    if not year or words.low(index - 1) not in ("in", "during", "since", "for", "of", "year", "throughout"):
        return None
    if not (words.ends(index + 1) or words.low(index + 1) in lexicon.FOLLOWERS) or year > words.today.year + 50:
        return None
    first, last = days.make(year, 1, 1), days.make(year, 12, 31)
    return ((first, last), index + 1) if first and last else None


def _quarter(words: Words, index: int) -> Stretch | None:
    """Read "Q1", "Q3 2026"; without a year the nearest in the preferred direction."""
    if words.low(index) != "q" or words.low(index + 1) not in ("1", "2", "3", "4") or not words.touches(index + 1):
        return None
    number, end = int(words.low(index + 1)), index + 2
    year = year_number(words, end)
    current = (words.today.month + 2) // 3
    if year:
        end += 1
    else:
        year = words.today.year
        year += (number < current) if words.prefer == "future" else -(number > current)
    first = days.make(year, number * 3 - 2, 1)
    span = days.unit_span(first, 0, "quarter") if first else None
    return (span, end) if span else None


def _to_date(words: Words, index: int) -> Stretch | None:
    """Read "year to date", "so far this month", "this year so far"."""
    unit, end = "", index
    for name in ("week", "month", "year"):
        for phrase in (f"{name} to date", f"so far this {name}", f"this {name} so far"):
            after = words.match(index, phrase)
            if after > index:
                unit, end = name, after
    span = days.unit_span(words.today, 0, unit) if unit else None
    return ((span[0], words.today), end) if span else None


def _week_of(words: Words, index: int) -> Stretch | None:
    """Read "week of the 1st", "week of June 3"."""
    at = words.match(index, "week of")
    day = read_day(words, words.skip(at, "the")) if at > index else None
    span = days.unit_span(day[0], 0, "week") if day else None
    return (span, day[1]) if span and day else None


def _since(words: Words, index: int) -> Stretch | None:
    """Read "since March", "since last week", "since June 3rd", "since 2024"."""
    if words.low(index) != "since":
        return None
    start = _point(looking(words, words.today, back=True), words.skip(index + 1, "the"))
    return ((start[0][0], words.today), start[1]) if start else None


def _point(words: Words, index: int, *, months: bool = True) -> Stretch | None:
    """A day or, with `months`, a longer stretch that can begin or end a period."""
    stretch = None
    for reader in (_rolling, _unit, _month, _year, _quarter) if months else ():
        stretch = stretch or reader(words, index)
    day = read_day(words, index)
    if day and (stretch is None or day[1] >= stretch[1]):
        return (day[0], day[0]), day[1]
    return stretch


def _range(words: Words, index: int) -> Stretch | None:
    """Read "between May 1 and May 15", "from the 16th to the 22nd of April", "May 1 to 15", "Monday to Sunday"."""
    opened = words.low(index) in ("between", "from")
    at = words.skip(index + 1, "the") if opened else index
    if words.low(index) != "between" and words.lows & _MOVED:
        return None
    left = _point(words, at, months=opened) or (_numbered(words, at) if opened else None)
    if left is None:
        return None
    middle = left[1]
    if words.low(middle) not in _UNTIL or (words.low(middle) == "and" and words.low(index) != "between"):
        return None
    after = words.skip(words.skip(middle + 1, "to", "until"), "the")
    short = _same_month(words, at, left, after)
    if short:
        return short
    right = _point(words, after, months=opened)
    if right is None:
        return None
    return _joined(words, at, left, right)


def _numbered(words: Words, index: int) -> Stretch | None:
    """A bare day number before a range's end: the 1 of "from 1 to 15 June"."""
    number = day_number(words, index)
    after = words.skip(number[1] + 1, "the") if number else index
    right = day_number(words, after) if number else None
    month = lexicon.MONTHS.get(words.low(words.skip(right[1], "of"))) if right else None
    if number is None or month is None:
        return None
    first = days.nearest_month_day(words.today, month, number[0], words.prefer)
    return ((first, first), number[1]) if first else None


def _same_month(words: Words, at: int, left: Stretch, after: int) -> Stretch | None:
    """The 15 of "May 1 to 15": a day number without a month of its own."""
    number = day_number(words, after)
    first = left[0][0]
    if number is None or words.low(at) not in lexicon.MONTHS or left[0][1] != first:
        return None
    if words.low(words.skip(number[1], "of")) in lexicon.MONTHS or not (
        words.ends(number[1]) or words.low(number[1]) in lexicon.FOLLOWERS
    ):
        return None
    last = days.make(first.year, first.month, number[0])
    return ((first, last), number[1]) if last and last >= first else None


def _joined(words: Words, at: int, left: Stretch, right: Stretch) -> Stretch | None:
    """A period from two ends. An open first end ("the 16th", "Monday", "March") is the last such before the second."""
    first, last = left[0][0], right[0][1]
    relative = words.low(at) in ("today", "tomorrow", "yesterday", "this", "last", "next", "in")
    if relative:
        return (first, last), right[1]
    again = _point(looking(words, last, back=True), at)
    if again is None and first > last:
        return None
    return ((again[0][0] if again else first), last), right[1]


_EVERY = {"daily": "day", "weekly": "week", "monthly": "month", "yearly": "year", "annually": "year"}
_LONGER = {
    "biweekly": ("week", 2),
    "fortnightly": ("week", 2),
    "bimonthly": ("month", 2),
    "quarterly": ("month", 3),
}
_DESCRIBED = word_set(
    "limit limits fee fees statement statements interest rate rates report summary average budget spending allowance "
    "charge charges maximum cap income salary bill bills balance rewards"
)
_NTH = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}


def read_recurrence(words: Words, index: int) -> Found | None:
    """The recurrence that starts at a token: {"every": unit} with "interval", "on" and "nth" where they are said.

    "on" is a weekday's name, a day of the month, or "last" for its last day; "nth" counts weekdays in the month.
    """
    for reader in (_dated_recurrence, _adverb, _every, _plural_weekday):
        found = reader(words, index)
        if found and words.alone(index, found[1]):
            return Found("recurrence", found[0], index, found[1])
    return None


def _adverb(words: Words, index: int) -> tuple[dict[str, Any], int] | None:
    low = words.low(index)
    if words.low(index + 1) in _DESCRIBED:
        return None
    for prefix in ("bi - weekly", "bi - monthly"):
        end = words.match(index, prefix)
        if end > index:
            unit, interval = _LONGER[prefix.replace(" - ", "")]
            return {"every": unit, "interval": interval}, end
    if low in _LONGER:
        return {"every": _LONGER[low][0], "interval": _LONGER[low][1]}, index + 1
    return _on(words, {"every": _EVERY[low]}, index + 1) if low in _EVERY else None


def _every(words: Words, index: int) -> tuple[dict[str, Any], int] | None:
    """Read "every month", "each Friday", "every two weeks", "every other week", "every month on the 3rd"."""
    at = index + 1
    if words.low(index) not in ("every", "each"):
        at = words.match(index, "once a")
        if at == index or words.low(at) not in lexicon.UNITS:
            return None
    interval = 2 if words.low(at) == "other" else 1
    at += interval == 2
    number = read_number(words, at)
    if number and number.whole and 1 < number.whole <= 365:
        interval, at = number.whole, number.end
    low = words.low(at)
    weekday = lexicon.WEEKDAYS.get(low)
    if weekday is not None:
        return _interval({"every": "week", "on": lexicon.DAYS[weekday]}, interval), at + 1
    ordinal = read_ordinal(words, at)
    if ordinal and ordinal[2] and 1 <= ordinal[0] <= 31 and words.low(index) == "every":
        end = words.match(ordinal[1], "of the month")
        return {"every": "month", "on": ordinal[0]}, end
    unit = lexicon.UNITS.get(low)
    unit, factor = {"fortnight": ("week", 2), "quarter": ("month", 3)}.get(unit or "", (unit, 1))
    if unit in (None, "weekend"):
        return None
    return _on(words, _interval({"every": unit}, interval * factor), at + 1)


def _interval(value: dict[str, Any], interval: int) -> dict[str, Any]:
    return value | {"interval": interval} if interval > 1 else value


def _on(words: Words, value: dict[str, Any], at: int) -> tuple[dict[str, Any], int]:
    """Take "on the 3rd" or "on Friday" after a unit it fits."""
    after = words.skip(words.skip(at, "on"), "the")
    if after == at:
        return value, at
    ordinal = read_ordinal(words, after)
    weekday = lexicon.WEEKDAYS.get(words.low(after).removesuffix("s"))
    if value["every"] == "month" and ordinal and 1 <= ordinal[0] <= 31:
        return value | {"on": ordinal[0]}, ordinal[1]
    if value["every"] == "week" and weekday is not None:
        return value | {"on": lexicon.DAYS[weekday]}, after + 1
    return value, at


def _dated_recurrence(words: Words, index: int) -> tuple[dict[str, Any], int] | None:
    """Read "1st of each month", "first Wednesday of every month", "last day of each month"."""
    low = words.low(index)
    weekday = lexicon.WEEKDAYS.get(words.low(index + 1))
    ordinal = read_ordinal(words, index)
    if low in _NTH and weekday is not None:
        value, at = {"every": "month", "on": lexicon.DAYS[weekday], "nth": _NTH[low]}, index + 2
    elif low in ("last", "end") and words.low(index + 1) in ("day", "of"):
        value, at = {"every": "month", "on": "last"}, index + (2 if low == "last" else 1)
    elif ordinal and 1 <= ordinal[0] <= 31:
        value, at = {"every": "month", "on": ordinal[0]}, words.skip(ordinal[1], "day")
    else:
        return None
    at = words.skip(at, "of")
    if words.low(at) not in ("each", "every") or words.low(at + 1) != "month":
        return None
    return value, at + 2


def _plural_weekday(words: Words, index: int) -> tuple[dict[str, Any], int] | None:
    """Read "on Fridays"."""
    low = words.low(index)
    if not low.endswith("days") or low[:-1] not in lexicon.DAYS:
        return None
    return {"every": "week", "on": low[:-1]}, index + 1
