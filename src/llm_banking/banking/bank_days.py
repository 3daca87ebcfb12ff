"""The bank's own day: which one it is at a time, and on which the bank works."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from llm_banking.banking.business_days import BusinessDays, Roll, load_business_days


@dataclass(frozen=True, slots=True)
class BankDays:
    """The calendar of a bank in its time zone."""

    calendar: BusinessDays
    zone: ZoneInfo

    def today(self, now: datetime) -> date:
        """The day that it is at the bank."""
        return now.astimezone(self.zone).date()

    def business_day_from(self, day: date) -> date:
        """The first business day on a day or after it. Raises YearNotListedError."""
        return self.calendar.roll(day, Roll.FOLLOWING)

    def business_day_after(self, day: date) -> date:
        """The first business day after a day. Raises YearNotListedError."""
        return self.business_day_from(day + timedelta(days=1))


def load_bank_days(zone: str = "UTC") -> BankDays:
    """The shipped calendar in a time zone of the IANA database. Raises ZoneInfoNotFoundError."""
    return BankDays(load_business_days(), ZoneInfo(zone))
