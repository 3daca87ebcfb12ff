"""Money as bodies carry it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field

from llm_banking.api.envelope import Model
from llm_banking.kit.money import Money

Amount = Annotated[
    str, Field(pattern=r"^(0{0,11}[1-9][0-9]{0,11}(\.[0-9]{1,3})?|0{1,12}\.([1-9][0-9]{0,2}|0[1-9][0-9]?|00[1-9]))$")
]
"""More than nothing; how many digits after the point there are is the currency's."""
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["USD"])]


class MoneyBody(Model):
    """An exact amount: a decimal string with the currency's own number of digits, and the currency (ISO 4217)."""

    amount: Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$", examples=["-1234.50"])]
    currency: Currency

    @classmethod
    def of(cls, money: Money) -> Self:
        """The body of an amount."""
        return cls(amount=money.as_decimal_string(), currency=money.currency)
