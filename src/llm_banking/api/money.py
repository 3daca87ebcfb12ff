"""Money as bodies carry it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field

from llm_banking.api.envelope import Model
from llm_banking.kit.money import Money


class MoneyBody(Model):
    """An exact amount: a decimal string with the currency's own number of digits, and the currency (ISO 4217)."""

    amount: Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$", examples=["-1234.50"])]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["USD"])]

    @classmethod
    def of(cls, money: Money) -> Self:
        """The body of an amount."""
        return cls(amount=money.as_decimal_string(), currency=money.currency)
