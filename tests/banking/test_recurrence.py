"""Due days against calendars that others have published, and properties of every rule."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_banking.banking import recurrence
from llm_banking.banking.business_days import BusinessDays, Roll, YearNotListedError, load_business_days
from llm_banking.banking.recurrence import (
    MAX_OCCURRENCES,
    Frequency,
    Recurrence,
    RecurrenceInvalidError,
    next_occurrence,
    occurrences,
)

EVERY_DAY = BusinessDays("weekdays", 1, 9999, frozenset())
FED = load_business_days()


def days(rule: Recurrence, first: str, last: str, calendar: BusinessDays = FED) -> list[str]:
    found = occurrences(rule, calendar, date.fromisoformat(first), date.fromisoformat(last))
    return [one.pays_on.isoformat() for one in found]


def rule(frequency: Frequency, first: str, every: int = 1, roll: Roll = Roll.NONE) -> Recurrence:
    return Recurrence(frequency, date.fromisoformat(first), every, roll)


def test_the_31st_is_the_last_day_of_shorter_months_and_the_31st_again() -> None:
    assert days(rule(Frequency.MONTHLY, "2027-12-31"), "2028-01-01", "2028-06-30") == [
        "2028-01-31",
        "2028-02-29",
        "2028-03-31",
        "2028-04-30",
        "2028-05-31",
        "2028-06-30",
    ]
    assert days(rule(Frequency.MONTHLY, "2026-01-30"), "2026-02-01", "2026-03-31") == ["2026-02-28", "2026-03-30"]


def test_the_months_end_is_its_last_day_whatever_the_first_one_was() -> None:
    assert days(rule(Frequency.MONTH_END, "2026-02-10"), "2026-02-01", "2026-04-30") == [
        "2026-02-28",
        "2026-03-31",
        "2026-04-30",
    ]


def test_each_second_week_and_each_quarter() -> None:
    assert days(rule(Frequency.WEEKLY, "2026-11-06", 2), "2026-11-07", "2026-12-31") == [
        "2026-11-20",
        "2026-12-04",
        "2026-12-18",
    ]
    assert days(rule(Frequency.MONTHLY, "2026-01-15", 3), "2026-02-01", "2026-12-31") == [
        "2026-04-15",
        "2026-07-15",
        "2026-10-15",
    ]


@pytest.mark.parametrize(
    ("due", "follows", "modified"),
    [
        ("2026-10-30", "2026-10-30", "2026-10-30"),
        ("2026-10-31", "2026-11-02", "2026-10-30"),  # a Saturday, and the month's last day
        ("2026-05-31", "2026-06-01", "2026-05-29"),  # a Sunday, and the month's last day
        ("2026-11-26", "2026-11-27", "2026-11-27"),  # Thanksgiving
        ("2026-01-19", "2026-01-20", "2026-01-20"),  # Martin Luther King Day
        ("2027-12-31", "2027-12-31", "2027-12-31"),  # New Year's Day of 2028 is a Saturday; the Friday is open
        ("2028-12-31", "2029-01-02", "2028-12-29"),  # a Sunday before New Year's Day
        ("2027-05-31", "2027-06-01", "2027-05-28"),  # Memorial Day, the month's last day
    ],
)
def test_the_business_day_conventions(due: str, follows: str, modified: str) -> None:
    day = date.fromisoformat(due)
    assert FED.roll(day, Roll.NONE) == day
    assert FED.roll(day, Roll.FOLLOWING).isoformat() == follows
    assert FED.roll(day, Roll.MODIFIED_FOLLOWING).isoformat() == modified


def test_the_holidays_are_the_rules_of_the_federal_reserve() -> None:
    """The list is data; the rules that it was published by are here."""

    def nth(year: int, month: int, weekday: int, number: int) -> date:
        first = date(year, month, 1)
        return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))

    for year in range(FED.first_year, FED.last_year + 1):
        last_of_may = date(year, 5, 31)
        fixed = [date(year, 1, 1), date(year, 6, 19), date(year, 7, 4), date(year, 11, 11), date(year, 12, 25)]
        wanted = {day + timedelta(days=1) if day.weekday() == 6 else day for day in fixed}
        wanted |= {nth(year, 1, 0, 3), nth(year, 2, 0, 3), nth(year, 9, 0, 1), nth(year, 10, 0, 2), nth(year, 11, 3, 4)}
        wanted.add(last_of_may - timedelta(days=last_of_may.weekday()))
        assert {day for day in FED.holidays if day.year == year} == wanted


def test_a_year_that_is_not_listed_is_no_year_without_holidays() -> None:
    with pytest.raises(YearNotListedError):
        FED.roll(date(FED.last_year + 1, 3, 3), Roll.FOLLOWING)
    with pytest.raises(YearNotListedError):
        next_occurrence(Recurrence(Frequency.MONTHLY, date(2026, 1, 5)), FED, date(FED.last_year + 1, 1, 6))


def test_limits() -> None:
    for every in (0, -1, 61):
        with pytest.raises(RecurrenceInvalidError):
            rule(Frequency.WEEKLY, "2026-01-01", every)
    weekly = rule(Frequency.WEEKLY, "2000-01-01")
    with pytest.raises(RecurrenceInvalidError, match=str(MAX_OCCURRENCES)):
        list(occurrences(weekly, EVERY_DAY, date(2000, 1, 1), date(2030, 1, 1)))
    for one in (Recurrence(Frequency.WEEKLY, date(9999, 12, 30)), Recurrence(Frequency.MONTHLY, date(9999, 12, 5))):
        with pytest.raises(RecurrenceInvalidError, match="any calendar"):
            one.due_day(1)


RULES = st.builds(
    Recurrence,
    st.sampled_from(Frequency),
    st.dates(date(2000, 1, 1), date(2040, 12, 31)),
    st.integers(1, 12),
    st.sampled_from(Roll),
)


@given(RULES, st.dates(date(1990, 1, 1), date(2050, 1, 1)))
def test_the_first_occurrence_from_a_day_is_the_first(one: Recurrence, day: date) -> None:
    number = one.first_number_from(day)
    assert one.due_day(number) >= day
    assert number == 0 or one.due_day(number - 1) < day


@given(RULES, st.integers(0, 300))
def test_each_occurrence_is_in_its_own_month_or_week(one: Recurrence, number: int) -> None:
    due, following = one.due_day(number), one.due_day(number + 1)
    assert due < following
    if one.frequency is Frequency.WEEKLY:
        assert following - due == timedelta(weeks=one.every)
        assert due.weekday() == one.first_day.weekday()
        return
    months = (due.year - one.first_day.year) * 12 + due.month - one.first_day.month
    assert months == number * one.every
    length = monthrange(due.year, due.month)[1]
    assert due.day == (length if one.frequency is Frequency.MONTH_END else min(one.first_day.day, length))


@given(RULES, st.dates(date(2025, 1, 1), date(2030, 12, 31)))
def test_what_is_due_is_done_on_a_business_day_near_by(one: Recurrence, first: date) -> None:
    found = list(occurrences(one, EVERY_DAY, first, first + timedelta(days=400)))
    assert [a.number + 1 for a, _ in pairwise(found)] == [b.number for _, b in pairwise(found)]
    assert all(a.pays_on <= b.pays_on for a, b in pairwise(found))
    for due in found:
        if one.roll is Roll.NONE:
            assert due.pays_on == due.due_on
            continue
        assert EVERY_DAY.is_business_day(due.pays_on)
        assert abs(due.pays_on - due.due_on) <= timedelta(days=2)
        if one.roll is Roll.MODIFIED_FOLLOWING:
            assert due.pays_on.month == due.due_on.month
        else:
            assert due.pays_on >= due.due_on


@given(st.dates(date(2025, 1, 1), date(2031, 12, 20)))
def test_modified_following_stays_in_the_month_with_real_holidays(day: date) -> None:
    rolled = FED.roll(day, Roll.MODIFIED_FOLLOWING)
    assert FED.is_business_day(rolled)
    assert (rolled.year, rolled.month) == (day.year, day.month)
    between = [day + timedelta(days=n) for n in range((rolled - day).days)]
    assert not any(FED.is_business_day(one) for one in between)


def test_a_month_end_that_is_off_by_one_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: every month is a day shorter."""
    monkeypatch.setattr(recurrence, "monthrange", lambda year, month: (0, monthrange(year, month)[1] - 1))
    for check in (
        test_the_31st_is_the_last_day_of_shorter_months_and_the_31st_again,
        test_the_months_end_is_its_last_day_whatever_the_first_one_was,
        test_each_occurrence_is_in_its_own_month_or_week,
    ):
        with pytest.raises(AssertionError):
            check()
