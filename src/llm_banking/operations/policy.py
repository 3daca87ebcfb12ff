"""The bank's rules on moving money, read from data and strict: what the data does not allow is not possible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from llm_banking.identity.step_up import Method
from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.money import MINOR_DIGITS, Money, MoneyError
from llm_banking.operations.drafts import PAYMENTS, Kind
from llm_banking.operations.errors import NotPossibleError

Decimal = Annotated[str, Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,3})?$")]
EITHER_METHOD = frozenset({Method.TOTP, Method.WEBAUTHN})
PASSKEY_ALONE = frozenset({Method.WEBAUTHN})
_PROOFS = {"nothing": frozenset[Method](), "factor": EITHER_METHOD, "passkey": PASSKEY_ALONE}
CARD_LIMITS_RAISED = "card_limits_raised"
_PROVED = frozenset({*(kind.value for kind in Kind if kind not in PAYMENTS), CARD_LIMITS_RAISED})


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Amounts(_Strict):
    per_operation: Decimal
    per_day: Decimal
    account_per_day: dict[Literal["checking", "savings"], Decimal]
    step_up_above: Decimal
    code_up_to: Decimal
    new_payee_limit: Decimal
    card_per_day: Decimal


class _Schedules(_Strict):
    most: int = Field(ge=1, le=1_000)
    days_ahead: int = Field(ge=1, le=3_660)
    retries: int = Field(ge=0, le=3)
    missed_after_days: int = Field(ge=1, le=30)


class _Document(_Strict):
    pending_minutes: int = Field(ge=1, le=60)
    open_at_most: int = Field(ge=1, le=100)
    new_payee_hours: int = Field(ge=1, le=24 * 14)
    new_device_days: int = Field(ge=0, le=30)
    new_api_key_hours: int = Field(ge=0, le=24 * 14)
    schedules: _Schedules
    currencies: dict[str, _Amounts] = Field(min_length=1)
    proof: dict[str, Literal["nothing", "factor", "passkey"]]
    urgent: frozenset[Kind]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not set(self.currencies) <= set(MINOR_DIGITS):
            raise ValueError("a currency is not one that the bank uses")
        if set(self.proof) != _PROVED:
            raise ValueError(f"`proof` must name these and no others: {', '.join(sorted(_PROVED))}")
        if self.urgent & PAYMENTS:
            raise ValueError("a payment is not urgent")
        return self


@dataclass(frozen=True, slots=True)
class Limits:
    """The amounts of one currency."""

    per_operation: Money
    per_day: Money
    account_per_day: Mapping[str, Money]
    step_up_above: Money
    code_up_to: Money
    new_payee_limit: Money
    card_per_day: Money


@dataclass(frozen=True, slots=True)
class ScheduleRules:
    """Of payments made later: how many of a person's there may be, and how far ahead the first one may lie.

    One that cannot be made is tried again on `retries` of the next business days; one that the worker comes to more
    than `missed_after_days` late is not made any more.
    """

    most: int
    days_ahead: int
    retries: int
    missed_after_days: int


@dataclass(frozen=True, slots=True)
class OperationPolicy:
    """What is allowed, and what is asked for. `urgent` kinds are taken however many others wait."""

    lifetime: timedelta
    open_at_most: int
    new_payee_period: timedelta
    new_device_period: timedelta
    new_key_period: timedelta
    schedules: ScheduleRules
    limits: dict[str, Limits]
    proof: dict[str, frozenset[Method]]
    urgent: frozenset[Kind]

    def limits_of(self, currency: str) -> Limits:
        """The limits of a currency. Raises NotPossibleError where the policy does not list it."""
        found = self.limits.get(currency)
        if found is None:
            raise NotPossibleError(f"Money in {currency} cannot be sent here. Choose an account in another currency.")
        return found

    def methods(self, amount: Money, *, first_payment: bool) -> frozenset[Method]:
        """By which factors an operation may be proved; none where it needs no proof."""
        limits = self.limits_of(amount.currency)
        if not first_payment and amount.amount_minor <= limits.step_up_above.amount_minor:
            return frozenset()
        return EITHER_METHOD if amount.amount_minor <= limits.code_up_to.amount_minor else PASSKEY_ALONE


def _money(value: Any, currency: str) -> Any:
    if isinstance(value, dict):
        return {name: Money.parse(one, currency) for name, one in value.items()}
    return Money.parse(value, currency)


def load_policy(text: str | None = None) -> OperationPolicy:
    """The shipped policy, or that of a text. Raises ConfigurationError where it is incomplete or not strict."""
    if text is None:
        text = resources.files("llm_banking.operations").joinpath("policy.yml").read_text("utf-8")
    try:
        document = _Document.model_validate(yaml.safe_load(text))
        limits = {
            currency: Limits(**{name: _money(value, currency) for name, value in amounts.model_dump().items()})
            for currency, amounts in document.currencies.items()
        }
    except (yaml.YAMLError, ValidationError, MoneyError) as error:
        raise ConfigurationError(f"operations/policy.yml cannot be used: {error}") from error
    return OperationPolicy(
        timedelta(minutes=document.pending_minutes),
        document.open_at_most,
        timedelta(hours=document.new_payee_hours),
        timedelta(days=document.new_device_days),
        timedelta(hours=document.new_api_key_hours),
        ScheduleRules(**document.schedules.model_dump()),
        limits,
        {name: _PROOFS[proof] for name, proof in document.proof.items()},
        document.urgent,
    )
