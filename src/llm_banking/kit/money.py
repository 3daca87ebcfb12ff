"""Money: integer minor units and an ISO 4217 currency. Floats never touch it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from llm_banking.kit.errors import LlmBankingError

MINOR_DIGITS = {"USD": 2, "EUR": 2, "GBP": 2, "CHF": 2, "JPY": 0, "KWD": 3}
"""Digits after the decimal point, by currency (ISO 4217)."""
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}


class MoneyError(LlmBankingError):
    """An amount or currency that cannot be represented, or two currencies in one sum."""

    code = "INVALID_REQUEST"


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An exact amount. `amount_minor` counts cents (or the currency's smallest unit) and may be negative."""

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount_minor) is not int:
            raise MoneyError("An amount is a whole number of minor units.")
        if self.currency not in MINOR_DIGITS:
            raise MoneyError(f"'{self.currency}' is no currency this bank uses.")

    @classmethod
    def parse(cls, amount: str, currency: str) -> Money:
        """From a decimal string such as "12.50". Raises MoneyError on excess digits or anything but a number."""
        if currency not in MINOR_DIGITS:
            raise MoneyError(f"'{currency}' is no currency this bank uses.")
        try:
            value = Decimal(amount)
        except InvalidOperation:
            raise MoneyError(f"'{amount}' is not a decimal amount. Write it like 12.50.") from None
        if not value.is_finite():
            raise MoneyError(f"'{amount}' is not a finite amount.")
        scaled = value.scaleb(MINOR_DIGITS[currency])
        if scaled != scaled.to_integral_value():
            raise MoneyError(f"'{amount}' has more digits than {currency} has.")
        return cls(int(scaled), currency)

    def __add__(self, other: Money) -> Money:
        if self.currency != other.currency:
            raise MoneyError(f"{self.currency} and {other.currency} do not add up.")
        return Money(self.amount_minor + other.amount_minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount_minor, self.currency)

    def as_decimal_string(self) -> str:
        """The form used on the wire: "-1234.50"."""
        digits = MINOR_DIGITS[self.currency]
        return f"{Decimal(self.amount_minor).scaleb(-digits):.{digits}f}"

    def display(self) -> str:
        """The form people read: "-$1,234.50"."""
        digits = MINOR_DIGITS[self.currency]
        value = Decimal(abs(self.amount_minor)).scaleb(-digits)
        sign = "-" if self.amount_minor < 0 else ""
        symbol = _SYMBOLS.get(self.currency, f"{self.currency} ")
        return f"{sign}{symbol}{value:,.{digits}f}"
