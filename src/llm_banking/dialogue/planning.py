"""From a customer's words to when a payment is made: "next Friday", "every month on the 1st, 12 times", "now".

The words are read again against the bank's day. What leaves two days open is asked about, and what names no day, an
hour, or a day that is over is refused in words: nothing is guessed, for "now" is a guess as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from llm_banking.banking.recurrence import MAX_EVERY, Frequency, Recurrence
from llm_banking.dialogue.commands import Said
from llm_banking.dialogue.errors import FlowFaultError
from llm_banking.dialogue.tracker import Choice
from llm_banking.nlu.slots import calendar as days
from llm_banking.nlu.slots import normalise_date, normalise_period, normalise_recurrence, normalise_time
from llm_banking.nlu.slots.lexicon import DAYS
from llm_banking.operations.when import MAX_PAYMENTS, NOW, Once, OnDay, Repeats, Wish, day_words, plan_of

_COUNTS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
TIMES = re.compile(rf"\b(?P<count>\d{{1,4}}|{'|'.join(_COUNTS)}) (?:times|payments|instal?lments)\b", re.IGNORECASE)
NOW_WORDS = re.compile(
    r"\b(?:(?:make|do|send|pay|move|change)\s+(?:it|that|this)\s+(?:to\s+)?now|right now|right away|immediately)\b|"
    r"^\W*(?:no\W+|actually\W+|rather\W+)*now(?:\s+please)?\W*$",
    re.IGNORECASE,
)
_UNTIL = re.compile(r"\b(?:until|till|through|up to|ending|ends|last (?:one )?on)(?: on)?(?: the)?\W*\Z", re.IGNORECASE)
_EITHER_WAY = re.compile(r"(\d{1,2})/(\d{1,2})(/\d{2,4})?")

NO_HOUR = "I can plan a payment for a day, not for an hour."
NO_DAY = "I could not tell from that on which day it shall be."
OVER = "That day is over, so I cannot pay on it."
NO_RHYTHM = "I can repeat a payment every so many weeks, months or years, not in that rhythm."
TWO_DAYS = "You named more than one day for it."


@dataclass(frozen=True, slots=True)
class Doubt:
    """No plan, and why."""

    reason: str


@dataclass(slots=True)
class _Read:
    """What the words say, each of them once."""

    rhythm: dict[str, Any] | None = None
    first: tuple[date, ...] = ()
    last: date | None = None
    count: int | None = None
    now: bool = False


def planned(said: Sequence[Said], message: str, before: Choice | None, today: date) -> tuple[Choice, ...] | Doubt:
    """When a payment shall be made, by all words of a message that are about it: one choice surely, or several.

    `before` is what was chosen earlier: "make it 6 times" is about that. Raises FlowFaultError.
    """
    read = _Read()
    for one in said:
        problem = _take(read, one, message, today)
        if problem is not None:
            return problem
    kept = None if before is None else wish_of(before)
    if read.rhythm is not None:
        return _repeated(read, today)
    if isinstance(kept, Repeats) and (read.count is not None or read.last is not None) and not read.first:
        return _checked([replace(kept, count=read.count, last_day=read.last)], today)
    if read.count is not None or read.last is not None:
        return Doubt(NO_DAY)
    if read.now and not read.first:
        return (choice_of(NOW),)
    return _checked([OnDay(day) for day in read.first], today) if read.first and not read.now else Doubt(TWO_DAYS)


def choice_of(wish: Wish) -> Choice:
    """A plan as a slot's value."""
    if isinstance(wish, OnDay):
        return Choice(kind="when", value=wish.day.isoformat(), label=day_words(wish.day))
    if isinstance(wish, Repeats):
        return Choice(kind="when", value=json.dumps(wish.document(), sort_keys=True), label=wish.words())
    return Choice(kind="when", value=NOW, label=NOW)


def wish_of(choice: Choice) -> Wish:
    """A slot's value as a plan. Raises ValueError, TypeError or KeyError where it is none."""
    if choice.value == NOW:
        return NOW
    if not choice.value.startswith("{"):
        return OnDay(date.fromisoformat(choice.value))
    found = plan_of(json.loads(choice.value))
    if isinstance(found, Once):
        raise TypeError("a wish is not frozen yet")
    return found


def _take(read: _Read, said: Said, message: str, today: date) -> Doubt | None:
    """Take one of the words. Returns why they cannot be used. Raises FlowFaultError where they are others."""
    if said.kind == "today":
        if not NOW_WORDS.search(said.text) and normalise_date(said.text, today) != today.isoformat():
            raise FlowFaultError("Words were proposed as today that are not.")
        read.now = True
        return None
    times = TIMES.fullmatch(said.text)
    if times is not None:
        word = times["count"].lower()
        read.count = _COUNTS.index(word) + 2 if word in _COUNTS else int(word)
        return None if 1 <= read.count <= MAX_PAYMENTS else Doubt(NO_RHYTHM)
    rhythm = normalise_recurrence(said.text)
    if rhythm is not None:
        same = read.rhythm in (None, rhythm)
        read.rhythm = rhythm
        return None if same else Doubt(NO_RHYTHM)
    return _take_day(read, said, message, today)


def _take_day(read: _Read, said: Said, message: str, today: date) -> Doubt | None:
    found = _days(said.text, today)
    period = None if found else normalise_period(said.text, today, "future")
    if not found and period is None:
        return Doubt(NO_HOUR if normalise_time(said.text) else NO_DAY)
    if _UNTIL.search(message[: said.start]):
        read.last = date.fromisoformat(period["to"]) if period else found[0]
        return None if len(found) < 2 else Doubt(TWO_DAYS)
    if period is not None:
        return _take_period(read, period, today)
    if read.first and read.first != found:
        return Doubt(TWO_DAYS)
    read.first = found
    return None


def _take_period(read: _Read, period: dict[str, str], today: date) -> Doubt | None:
    """A stretch of days says when a rhythm begins and ends; alone it is no day."""
    first, last = date.fromisoformat(period["from"]), date.fromisoformat(period["to"])
    if read.rhythm is None or last < today:
        return Doubt(NO_DAY if last >= today else OVER)
    read.first, read.last = (max(first, today),), last
    return None


def _days(text: str, today: date) -> tuple[date, ...]:
    """The days that a text may name: two where it is written in figures that read in two ways."""
    found = normalise_date(text, today)
    if found is None:
        return ()
    first = date.fromisoformat(found)
    figures = _EITHER_WAY.search(text)
    if figures is None:
        return (first,)
    day, month = int(figures[1]), int(figures[2])
    other = days.make(first.year, month, day) if month <= 12 and (month, day) != (first.month, first.day) else None
    if other is not None and figures[3] is None and other < today:
        other = days.make(first.year + 1, month, day)
    return (first,) if other is None else (first, other)


def _repeated(read: _Read, today: date) -> tuple[Choice, ...] | Doubt:
    rhythm = read.rhythm or {}
    unit, interval, on = rhythm.get("every"), int(rhythm.get("interval", 1)), rhythm.get("on")
    every = interval * (12 if unit == "year" else 1)
    if unit not in ("week", "month", "year") or "nth" in rhythm or every > MAX_EVERY:
        return Doubt(NO_RHYTHM)
    starts = read.first or ((today,) if read.now else ())
    if unit == "week":
        rules = _weekly(on, every, starts, today)
    elif on in ("last", 31):
        rules = [Recurrence(Frequency.MONTH_END, one, every) for one in starts or (today,)]
    else:
        rules = _monthly(on, every, starts, today)
    return _checked([Repeats(rule, read.last, read.count) for rule in rules], today)


def _weekly(on: object, every: int, starts: Sequence[date], today: date) -> list[Recurrence]:
    if on in DAYS:
        wanted = DAYS.index(str(on))
        begin = [days.add_days(one, (wanted - one.weekday()) % 7) for one in starts] or [
            days.nearest_weekday(today, wanted, "future")
        ]
    else:
        begin = [*starts] or [today, days.add_days(today, 7 * every)]
    return [Recurrence(Frequency.WEEKLY, one, every) for one in begin if one is not None]


def _monthly(on: object, every: int, starts: Sequence[date], today: date) -> list[Recurrence]:
    """On a day of the month; where none is named, on that of the first payment, which is today's or a step later."""
    if isinstance(on, int):
        begin = [days.nearest_day(one, on, "future") for one in starts or (today,)]
    else:
        begin = [*starts] or [today, days.add_months(today, every)]
    return [Recurrence(Frequency.MONTHLY, one, every) for one in begin if one is not None]


def _checked(wishes: Iterable[Wish], today: date) -> tuple[Choice, ...] | Doubt:
    """The plans that do not begin in the past."""
    found: list[Choice] = []
    for wish in wishes:
        first = wish.rule.due_day(0) if isinstance(wish, Repeats) else wish.day if isinstance(wish, OnDay) else today
        if first < today or (isinstance(wish, Repeats) and wish.last_day is not None and wish.last_day < first):
            continue
        found.append(choice_of(NOW if isinstance(wish, OnDay) and wish.day == today else wish))
    return tuple(found) or Doubt(OVER)
