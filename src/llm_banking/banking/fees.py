"""What the bank takes for a service, from `data/fees.yml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from importlib import resources
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field

from llm_banking.kit.errors import LlmBankingError
from llm_banking.kit.money import Money


class FeeUnknownError(LlmBankingError):
    """A service that the schedule does not name, or not in this currency: it is refused, not given away."""

    code = "INVALID_REQUEST"

    def __init__(self) -> None:
        super().__init__("There is no fee for this service in this currency. Choose another service or currency.")


@dataclass(frozen=True, slots=True)
class Fee:
    """A share of the amount in percent, and a fixed sum by currency. With neither the service is free."""

    percent: Decimal
    flat: Mapping[str, Money]

    def of(self, amount: Money) -> Money:
        """The fee for an amount, which is not negative; its share is rounded half up. Raises FeeUnknownError."""
        if self.flat and amount.currency not in self.flat:
            raise FeeUnknownError
        share = (amount.amount_minor * self.percent / 100).quantize(Decimal(1), rounding=ROUND_HALF_UP)
        fixed = self.flat.get(amount.currency, Money(0, amount.currency))
        return Money(int(share), amount.currency) + fixed


class _Fee(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    percent: Annotated[str, Field(pattern=r"^[0-9]{1,2}(\.[0-9]{1,4})?$")] = "0"
    flat: dict[str, str] = Field(default_factory=dict)


class _Schedule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    fees: Annotated[dict[str, _Fee], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """All fees, by service."""

    fees: Mapping[str, Fee]

    def fee(self, service: str, amount: Money) -> Money:
        """What a service costs for an amount. Raises FeeUnknownError."""
        found = self.fees.get(service)
        if found is None:
            raise FeeUnknownError
        return found.of(amount)


def load_fees() -> FeeSchedule:
    """The schedule that ships with the package."""
    text = resources.files("llm_banking.banking").joinpath("data/fees.yml").read_text("utf-8")
    found = _Schedule.model_validate(yaml.safe_load(text)).fees
    return FeeSchedule(
        {
            service: Fee(
                Decimal(one.percent),
                {currency: Money.parse(amount, currency) for currency, amount in one.flat.items()},
            )
            for service, one in found.items()
        }
    )
