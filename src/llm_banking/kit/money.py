"""Money: integer minor units and an ISO 4217 currency. Floats never touch it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llm_banking.kit.errors import LlmBankingError

MINOR_DIGITS = {"USD": 2, "EUR": 2, "GBP": 2, "CHF": 2, "JPY": 0, "KWD": 3}
"""Digits after the decimal point, by currency (ISO 4217)."""
_DECIMAL = re.compile(r"(-)?([0-9]{1,24})(?:\.([0-9]{1,16}))?")
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
        parts = _DECIMAL.fullmatch(amount) if isinstance(amount, str) else None
        if parts is None:
            raise MoneyError("That is not a decimal amount. Write it like 12.50.")
        digits = MINOR_DIGITS[currency]
        sign, whole, fraction = parts.group(1), parts.group(2), (parts.group(3) or "").rstrip("0")
        if len(fraction) > digits:
            raise MoneyError(f"'{amount}' has more digits than {currency} has after the point.")
        minor = int(whole + fraction.ljust(digits, "0"))
        return cls(-minor if sign else minor, currency)

    def __add__(self, other: Money) -> Money:
        if self.currency != other.currency:
            raise MoneyError(f"{self.currency} and {other.currency} do not add up.")
        return Money(self.amount_minor + other.amount_minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount_minor, self.currency)

    def as_decimal_string(self) -> str:
        """The form used on the wire: "-1234.50"."""
        return self._written("")

    def display(self) -> str:
        """The form people read: "-$1,234.50"."""
        return self._written(_SYMBOLS.get(self.currency, f"{self.currency} "), grouping=",")

    def _written(self, symbol: str, grouping: str = "") -> str:
        digits = MINOR_DIGITS[self.currency]
        whole, fraction = divmod(abs(self.amount_minor), 10**digits)
        sign = "-" if self.amount_minor < 0 else ""
        return f"{sign}{symbol}{whole:{grouping}}" + (f".{fraction:0{digits}d}" if digits else "")
