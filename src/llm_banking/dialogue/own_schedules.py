"""Which of a customer's planned payments is meant, by the words of a whole message: payee, amount and day."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from llm_banking.dialogue.tracker import Choice
from llm_banking.kit.money import Money
from llm_banking.nlu.slots.lexicon import word_set
from llm_banking.operations.payment import Payment
from llm_banking.operations.schedule_records import Planned
from llm_banking.operations.when import Repeats, day_words

MOST_TOLD = 10
"""Of planned payments, in one reply."""
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = re.compile(
    rf"\b(?P<month>{'|'.join(_MONTHS)})\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+20\d\d\b)?"
    rf"|\b(?P<day_first>\d{{1,2}})(?:st|nd|rd|th)?(?:\s+of)?\s+(?P<month_last>{'|'.join(_MONTHS)})\b(?:,?\s+20\d\d\b)?"
    rf"|\b(?P<ordinal>\d{{1,2}})(?:st|nd|rd|th)\b|\b(?P<weekday>{'|'.join(_DAYS)})s?\b",
    re.IGNORECASE,
)
_AMOUNT = re.compile(r"(?<![\d.,])(\d{1,3}(?:,\d{3})+|\d{1,9})(?:\.(\d{2}))?(?![\w]|[.,]\d)")
_PAID_TO = re.compile(r"\b(?:to|for|with)\s+(?:(?:my|the|our)\s+)?(?P<who>[^\W\d][\w'\u2019&-]*)", re.IGNORECASE)
_NO_NAME = word_set(
    "a account again all an and any be bill cancel day each every friday from in is it me mine monday month monthly "
    "my next of on one order orders our out pay payment payments planned please recurring saturday scheduled standing "
    "stop sunday that the them this thursday to today tomorrow transfer transfers tuesday wednesday week weekly when "
    "year you"
)


@dataclass(frozen=True, slots=True)
class PlannedPayment:
    """A schedule of which more is to be paid: what is paid to whom, and on which day the next time."""

    id: UUID
    payment: Payment
    next_on: date

    @property
    def amount(self) -> Money:
        """What is paid each time."""
        return self.payment.amount

    @property
    def title(self) -> str:
        """How it is told from the others; said as a message, it means this one."""
        return f"{self.amount.display()} to {self.payment.receiver.name}, next on {day_words(self.next_on)}"

    @property
    def told(self) -> str:
        """How it is told, with its rhythm where it has one."""
        return f"{self.title} ({self.payment.when.words()})" if isinstance(self.payment.when, Repeats) else self.title


def planned_payments(rows: Sequence[Planned]) -> tuple[PlannedPayment, ...]:
    """Those that are active, the soonest first, from what was approved."""
    found = [
        PlannedPayment(one.schedule.id, Payment.of(one.pending.payload), one.schedule.next_on)
        for one in rows
        if one.schedule.next_on is not None
    ]
    return tuple(sorted(found, key=lambda one: (one.next_on, one.id)))


def schedules_meant(text: str, schedules: Sequence[PlannedPayment]) -> tuple[PlannedPayment, ...]:
    """The planned payments that a text may mean: all that it says is true of each. None where it tells nothing."""
    told = [one for one in (_by_payee(text, schedules), _by_amount(text), _by_day(text)) if one is not None]
    return tuple(one for one in schedules if told and all(fits(one) for fits in told))


def names_a_schedule(text: str) -> bool:
    """Whether a text says which one: such a one is not taken for another, even if there is only that other one."""
    return _names_somebody(text) or _by_amount(text) is not None or _by_day(text) is not None


def schedule_choice(one: PlannedPayment) -> Choice:
    """A planned payment as a value."""
    return Choice(kind="schedule", value=str(one.id), label=one.title)


def told_of(text: str, schedules: Sequence[PlannedPayment]) -> tuple[str, tuple[PlannedPayment, ...]]:
    """The answer to a question about planned payments, and those that it tells of."""
    if not schedules:
        return "You have no planned payments and no standing orders.", ()
    meant = schedules_meant(text, schedules) if _named(text, schedules) else ()
    lead = "This is planned:"
    if not meant and _names_somebody(text):
        lead = "I find no planned payment to whom you named. This is planned:"
    shown = (meant or schedules)[:MOST_TOLD]
    more = len(meant or schedules) - len(shown)
    lines = [lead, *(f"- {one.told}" for one in shown), *([f"and {more} more, later ones."] if more else [])]
    return "\n".join(lines), tuple(shown)


Fits = Callable[[PlannedPayment], bool]


def _by_payee(text: str, schedules: Sequence[PlannedPayment]) -> Fits | None:
    """Those whose payee's name shares most words with the text; none where somebody else is named."""
    best = _named(text, schedules)
    if best:
        return lambda one: one.id in best
    return (lambda _: False) if _names_somebody(text) else None


def _named(text: str, schedules: Sequence[PlannedPayment]) -> set[UUID]:
    said = _words(text) - _NO_NAME
    shared = {one.id: len(said & _words(one.payment.receiver.name)) for one in schedules}
    most = max(shared.values(), default=0)
    return {key for key, words in shared.items() if most and words == most}


def _names_somebody(text: str) -> bool:
    return any(not _words(one["who"]) <= _NO_NAME | {*_MONTHS} for one in _PAID_TO.finditer(text))


def _by_amount(text: str) -> Fits | None:
    amounts = {
        int(found[1].replace(",", "")) * 100 + int(found[2] or 0) for found in _AMOUNT.finditer(_DAY.sub(" ", text))
    }
    return (lambda one: one.amount.amount_minor in amounts) if amounts else None


def _by_day(text: str) -> Fits | None:
    found = list(_DAY.finditer(text))
    return (lambda one: all(_is_on(day, one.next_on) for day in found)) if found else None


def _is_on(said: re.Match[str], day: date) -> bool:
    if said["weekday"]:
        return day.weekday() == _DAYS.index(said["weekday"].casefold())
    month = said["month"] or said["month_last"]
    if month and _MONTHS.index(month.casefold()) + 1 != day.month:
        return False
    return day.day == int(said["day"] or said["day_first"] or said["ordinal"])


def _words(text: str) -> set[str]:
    return set(re.findall(r"[\w&]+", unicodedata.normalize("NFKC", text).casefold()))
