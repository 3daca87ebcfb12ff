"""Days on which a bank works: not at weekends, and not on the holidays of a list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from importlib import resources
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from llm_banking.kit.errors import LlmBankingError

SATURDAY = 5


class YearNotListedError(LlmBankingError):
    """A day in a year whose holidays nobody wrote down: it must not be taken for a business day."""

    code = "INVALID_REQUEST"

    def __init__(self, year: int) -> None:
        super().__init__(f"The holidays of {year} are not listed. Choose an earlier day, or extend the list.")


class Roll(StrEnum):
    """What is done on a due day that is no business day (the conventions' usual names)."""

    NONE = "none"
    FOLLOWING = "following"
    MODIFIED_FOLLOWING = "modified_following"
    """The next business day, or the one before where the next is in another month."""


@dataclass(frozen=True, slots=True)
class BusinessDays:
    """A calendar for the years from `first_year` to `last_year`; every other day raises YearNotListedError."""

    name: str
    first_year: int
    last_year: int
    holidays: frozenset[date]

    def is_business_day(self, day: date) -> bool:
        """Whether the bank works on a day. Raises YearNotListedError."""
        if not self.first_year <= day.year <= self.last_year:
            raise YearNotListedError(day.year)
        return day.weekday() < SATURDAY and day not in self.holidays

    def roll(self, day: date, rule: Roll) -> date:
        """The day on which something due on `day` is done. Raises YearNotListedError."""
        if rule is Roll.NONE:
            return day
        rolled = self._nearest(day, timedelta(days=1))
        if rule is Roll.MODIFIED_FOLLOWING and rolled.month != day.month:
            return self._nearest(day, timedelta(days=-1))
        return rolled

    def _nearest(self, day: date, step: timedelta) -> date:
        while not self.is_business_day(day):
            day += step
        return day


class _Calendar(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(min_length=1)]
    first_year: int
    last_year: int
    holidays: list[date]

    @model_validator(mode="after")
    def _whole(self) -> _Calendar:
        years = {day.year for day in self.holidays}
        if years != set(range(self.first_year, self.last_year + 1)):
            raise ValueError("each year from first_year to last_year has holidays, and no other has")
        if len(set(self.holidays)) < len(self.holidays):
            raise ValueError("each holiday is listed once")
        return self


def load_business_days() -> BusinessDays:
    """The calendar of `data/holidays.yml`."""
    text = resources.files("llm_banking.banking").joinpath("data/holidays.yml").read_text("utf-8")
    found = _Calendar.model_validate(yaml.safe_load(text))
    return BusinessDays(found.name, found.first_year, found.last_year, frozenset(found.holidays))
