"""Facts: named, typed values, each stated once in `data/facts.yml` and rendered only here."""

from __future__ import annotations

import re
from datetime import datetime, time
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from llm_banking.kit.money import Money, MoneyError

_PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,4})?")


class _Fact(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TextFact(_Fact):
    """Words without figures: a name, a place, opening hours."""

    kind: Literal["text"]
    value: str = Field(min_length=1, pattern=r"^\D+$")

    def render(self) -> str:
        """The words as they stand."""
        return self.value


class MoneyFact(_Fact):
    """An amount as a decimal string, and its currency."""

    kind: Literal["money"]
    amount: str
    currency: str

    @model_validator(mode="after")
    def _payable(self) -> Self:
        try:
            _ = self.money
        except MoneyError as error:
            raise ValueError(error.message) from None
        return self

    @property
    def money(self) -> Money:
        """The exact amount."""
        return Money.parse(self.amount, self.currency)

    def render(self) -> str:
        """As "$7.50"."""
        return self.money.display()


class PercentFact(_Fact):
    """A percentage as a decimal string."""

    kind: Literal["percent"]
    value: str

    @field_validator("value")
    @classmethod
    def _finite(cls, value: str) -> str:
        if not _PERCENT.fullmatch(value):
            raise ValueError("a percentage is written like 2.5")
        return value

    def render(self) -> str:
        """As "2.5%"."""
        return f"{self.value}%"


class CountFact(_Fact):
    """A number of things; `unit` is the singular noun."""

    kind: Literal["count"]
    value: int = Field(ge=1)
    unit: str = Field(min_length=1)

    def render(self) -> str:
        """As "1 day", "120 days"."""
        return f"{self.value:,} {_plural(self.unit, self.value)}"


class RangeFact(_Fact):
    """From `min` to `max` things."""

    kind: Literal["range"]
    min: int = Field(ge=0)
    max: int = Field(ge=1)
    unit: str = Field(min_length=1)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.min >= self.max:
            raise ValueError("a range rises")
        return self

    def render(self) -> str:
        """As "5 to 7 business days"."""
        return f"{self.min} to {self.max} {_plural(self.unit, self.max)}"


class ContactFact(_Fact):
    """A phone number or an e-mail address."""

    kind: Literal["phone", "email"]
    value: str = Field(min_length=3)

    def render(self) -> str:
        """As it is dialled or written."""
        return self.value


class TimeFact(_Fact):
    """A time of day in a named zone (IANA)."""

    kind: Literal["time"]
    value: str
    zone: str

    @field_validator("value")
    @classmethod
    def _clock(cls, value: str) -> str:
        time.fromisoformat(value)
        return value

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        if zone not in _ZONE_NAMES:
            raise ValueError(f"zone {zone} has no spoken name in knowledge/facts.py")
        return zone

    def render(self) -> str:
        """As "5:00 PM Eastern time"."""
        clock = datetime.combine(datetime.min, time.fromisoformat(self.value))  # noqa: DTZ901 - only the clock is read
        return f"{clock.hour % 12 or 12}:{clock:%M %p} {_ZONE_NAMES[self.zone]}"


Fact = Annotated[
    TextFact | MoneyFact | PercentFact | CountFact | RangeFact | ContactFact | TimeFact, Field(discriminator="kind")
]

_ZONE_NAMES = {
    "America/New_York": "Eastern time",
    "America/Chicago": "Central time",
    "America/Denver": "Mountain time",
    "America/Los_Angeles": "Pacific time",
    "Europe/London": "UK time",
    "UTC": "UTC",
}


def _plural(unit: str, count: int) -> str:
    return unit if count == 1 else f"{unit}s"
