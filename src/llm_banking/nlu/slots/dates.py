"""Single days: "tomorrow", "next Friday", "the 5th", "June 3rd", "06/03/2027", "in two weeks", "3 days ago".

Where the words leave the year, month or week open, the nearest day in the preferred direction is meant: payments look
forward, histories look back. "the 5th" and "June 3" may be today; a bare weekday is never today. "this Friday" lies in
the week of today, "next Friday" in the week after it (weeks begin on Monday), and "last Friday" is the latest before
today. Slashed dates are month first; day first is read where only that is a date, and where dots divide.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

from llm_banking.nlu.slots import calendar as days
from llm_banking.nlu.slots import lexicon
from llm_banking.nlu.slots.lexicon import word_set
from llm_banking.nlu.slots.numbers import read_number, read_ordinal
from llm_banking.nlu.slots.tokens import Found, Prefer, Words

MAX_STEPS = 9999

Day = tuple[date, int]
"""A day and the index of the token after it."""

_SAID = {"today": 0, "tonight": 0, "tomorrow": 1, "tmrw": 1, "tmr": 1, "yesterday": -1}
_SAID_PHRASES = (
    ("day after tomorrow", 2),
    ("day before yesterday", -2),
    ("last night", -1),
    ("this morning", 0),
    ("this afternoon", 0),
    ("this evening", 0),
)
_OPEN_ENDED = word_set("on by from since until till before after due through thru for to between and of")
_NOT_AFTER_ORDINAL = lexicon.COUNTABLE | word_set(
    "street avenue floor century time times month months year years anniversary st ave road birthday option one "
    "installment party person place attempt"
)


def read_date(words: Words, index: int) -> Found | None:
    """The day that starts at a token, as an ISO date."""
    day = read_day(words, index)
    if day is None or not words.alone(index, day[1]):
        return None
    return Found("date", day[0].isoformat(), index, day[1])


def read_day(words: Words, index: int) -> Day | None:
    """The day named from a token on; None where none is, or the calendar has no such day."""
    for reader in (_said, _weekday, _written, _month_day, _relative, _edge, _bare_ordinal):
        found = reader(words, index)
        if found:
            return found
    return None


def _dated(day: date | None, end: int) -> Day | None:
    return None if day is None else (day, end)


def _said(words: Words, index: int) -> Day | None:
    for phrase, step in _SAID_PHRASES:
        end = words.match(index, phrase)
        if end > index:
            return _dated(days.add_days(words.today, step), end)
    low = words.low(index)
    return _dated(days.add_days(words.today, _SAID[low]), index + 1) if low in _SAID else None


def _weekday(words: Words, index: int) -> Day | None:
    """Read "Friday", "next Friday", "Friday next week", "last week Monday", "Friday, June 5"."""
    which = words.low(index) if words.low(index) in _SHIFTS else ""
    at = index + bool(which)
    week = bool(which) and words.low(at) == "week"
    at += week
    weekday = lexicon.WEEKDAYS.get(words.low(at))
    if weekday is None or (words.low(at) in ("sat", "sun") and not words.tokens[at].text[0].isupper()):
        return None
    after = words.skip(at + 1, ",")
    after = words.skip(after, "the")
    for reader in (_written, _month_day, _bare_ordinal):
        exact = reader(words, after)
        if exact and not which:
            return exact
    shift = _SHIFTS.get(words.low(at + 1))
    if not which and shift is not None and words.low(at + 2) == "week":
        return _dated(_of_week(words.today, weekday, shift), at + 3)
    if not which:
        late = max(words.match(at + 1, "in a week"), words.match(at + 1, "week"))
        day = days.nearest_weekday(words.today, weekday, "future" if late > at + 1 else words.prefer)
        return _dated(days.add_days(day, 7) if day and late > at + 1 else day, late)
    nearest: Prefer = "future" if which == "coming" else "past"
    if which == "coming" or (_SHIFTS[which] < 0 and not week):
        return _dated(days.nearest_weekday(words.today, weekday, nearest), at + 1)
    return _dated(_of_week(words.today, weekday, _SHIFTS[which]), at + 1)


_SHIFTS = {"this": 0, "coming": 0, "current": 0, "next": 1, "following": 1, "last": -1, "past": -1, "previous": -1}


def _of_week(today: date, weekday: int, shift: int) -> date | None:
    week = days.unit_span(today, shift, "week")
    return days.add_days(week[0], weekday) if week else None


def _written(words: Words, index: int) -> Day | None:
    """Dates in digits: ISO, and with slashes, dashes or dots."""
    low, kind = words.low(index), words.kind(index)
    if kind == "iso":
        return _dated(days.make(int(low[:4]), int(low[5:7]), int(low[8:])), index + 1)
    parts = [int(part) for part in re.split(r"[/.\-]", low)] if kind == "slash" else []
    if len(parts) == 2:
        dated = words.low(index - 1) in _OPEN_ENDED
        return (
            _dated(days.nearest_month_day(words.today, parts[0], parts[1], words.prefer), index + 1) if dated else None
        )
    if len(parts) != 3:
        return None
    first, second, year = parts
    year += 2000 if year < 100 else 0
    day_first = "." in low or first > 12
    return _dated(days.make(year, *((second, first) if day_first else (first, second))), index + 1)


def day_number(words: Words, index: int, *, suffix: bool = False) -> tuple[int, int] | None:
    """A day of the month, 1 to 31, in digits or as an ordinal; only an ordinal with `suffix`."""
    ordinal = read_ordinal(words, index)
    if ordinal:
        return ordinal[:2] if 1 <= ordinal[0] <= 31 else None
    low = words.digits(index)
    plain = not suffix and 0 < len(low) <= 2 and 1 <= int(low) <= 31
    return (int(low), index + 1) if plain else None


def _month_day(words: Words, index: int) -> Day | None:
    """Read "June 3rd", "3 June 2027", "3rd of June", "5th of next month"."""
    month = lexicon.MONTHS.get(words.low(index))
    if month:
        at = words.skip(index + 1, ".")
        number = day_number(words, words.skip(at, "the"))
        if number is None or _counts(words, number[1]):
            return None
        day, at = number
    else:
        number = day_number(words, index)
        if number is None:
            return None
        day, at = words.skip(number[1], "of"), number[0]
        day, at = at, day
        month = lexicon.MONTHS.get(words.low(at))
        if month is None:
            return _of_month(words, index, day, at)
        at = words.skip(at + 1, ".") if words.digits(at + 2) else at + 1
    return _with_year(words, month, day, at)


def _counts(words: Words, index: int) -> bool:
    """Whether the number before a token is an amount or a time, not a day: "in May 20 dollars"."""
    return words.low(index) in ("dollars", "bucks", "usd", "pounds", "euros", "$", "€", "£", "%", "pm", "am")


def _with_year(words: Words, month: int, day: int, at: int) -> Day | None:
    """A month and day, with the year that follows or the nearest one."""
    after = words.skip(at, ",")
    year = year_number(words, after)
    if year:
        return _dated(days.make(year, month, day), after + 1)
    after = words.skip(at, "of")
    shift = _SHIFTS.get(words.low(after))
    if shift is not None and words.low(after + 1) == "year":
        return _dated(days.make(words.today.year + shift, month, day), after + 2)
    return _dated(days.nearest_month_day(words.today, month, day, words.prefer), at)


def year_number(words: Words, index: int) -> int | None:
    """A year in four digits that is no amount; None otherwise."""
    low = words.digits(index)
    if len(low) != 4 or _counts(words, index + 1):
        return None
    return int(low) if days.MIN_YEAR <= int(low) <= days.MAX_YEAR else None


def _of_month(words: Words, index: int, day: int, at: int) -> Day | None:
    """Read "5th of next month", "first of the month"."""
    if day_number(words, index, suffix=True) is None or words.low(at - 1) != "of":
        return None
    which = words.low(at)
    if which not in (*_SHIFTS, "the") or words.low(at + 1) != "month":
        return None
    if which == "the":
        return _dated(days.nearest_day(words.today, day, words.prefer), at + 2)
    month = days.unit_span(words.today, _SHIFTS[which], "month")
    return _dated(days.make(month[0].year, month[0].month, day), at + 2) if month else None


def read_steps(words: Words, index: int) -> tuple[int, str, int] | None:
    """Read "3 days", "a week", "two months": how many, the unit, and the index after it."""
    number = read_number(words, index)
    count, at = (number.whole, number.end) if number else (None, index + 1)
    if number is None and words.low(index) in ("a", "one"):
        count = 1
    unit = lexicon.UNITS.get(words.low(at))
    if count is None or not 0 < count <= MAX_STEPS or unit in (None, "weekend"):
        return None
    return count, unit or "", at + 1


def _relative(words: Words, index: int) -> Day | None:
    """Read "in two weeks", "3 days ago", "a week from today"."""
    ahead = words.low(index) == "in"
    steps = read_steps(words, index + ahead)
    if steps is None:
        return None
    count, unit, end = steps
    if ahead:
        end = words.skip(words.skip(end, "'"), "time") if words.low(end) in ("'", "time") else end
        return _dated(days.add_units(words.today, count, unit), end)
    if words.low(end) == "ago":
        return _dated(days.add_units(words.today, -count, unit), end + 1)
    if words.match(end, "from now") > end:
        return _dated(days.add_units(words.today, count, unit), end + 2)
    start = (_said(words, end + 1) or _weekday(words, end + 1)) if words.low(end) in ("from", "after") else None
    return _dated(days.add_units(start[0], count, unit), start[1]) if start else None


def _edge(words: Words, index: int) -> Day | None:
    """Read "end of the month", "beginning of next month"."""
    at = words.skip(index, "the")
    side = words.low(at)
    if side not in ("end", "start", "beginning") or words.low(at + 1) != "of":
        return None
    which = words.low(at + 2)
    shift = _SHIFTS.get(which, 0 if which == "the" else None)
    unit = words.low(at + 3)
    if shift is None or unit not in ("month", "year", "quarter"):
        return None
    if which == "the" and side != "end":
        shift = 1 if words.prefer == "future" else 0
    elif which == "the" and words.prefer == "past":
        shift = -1
    span = days.unit_span(words.today, shift, unit)
    return _dated(span[side == "end"], at + 4) if span else None


def _bare_ordinal(words: Words, index: int) -> Day | None:
    """Read "the 5th", "on the fifth"; a word ordinal only where a preposition makes it a date."""
    at = words.skip(index, "the") if index and words.low(index - 1) in _OPEN_ENDED else index
    ordinal = read_ordinal(words, at)
    if at > index or ordinal is None or not 1 <= ordinal[0] <= 31:
        return None
    day, end, digits = ordinal
    lead = words.low(index - 1) == "the"
    before = words.low(index - 2) if lead else words.low(index - 1)
    month = words.low(index - 1) in lexicon.MONTHS or words.low(words.skip(end, "of")) in lexicon.MONTHS
    if month or words.low(end) in _NOT_AFTER_ORDINAL or words.low(end) == "-":
        return None
    if not digits and not (lead and before in _OPEN_ENDED and (words.ends(end) or words.low(end) in lexicon.FOLLOWERS)):
        return None
    return _dated(days.nearest_day(words.today, day, words.prefer), end)


def read_month(words: Words, index: int) -> tuple[int, int] | None:
    """A month's name that is surely one, and the index after it."""
    month = lexicon.MONTHS.get(words.low(index))
    return (month, index + 1) if month else None


def looking(words: Words, today: date, *, back: bool) -> Words:
    """The same words read from another day, in one direction."""
    return replace(words, today=today, prefer="past" if back else "future")
