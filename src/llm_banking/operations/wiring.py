"""The gate with everything that it can do, and the worker's part of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from llm_banking.banking.bank_days import BankDays, load_bank_days
from llm_banking.banking.disputes import load_dispute_rules
from llm_banking.banking.fees import FeeSchedule, load_fees
from llm_banking.banking.loans import load_loan_rules
from llm_banking.identity.step_up import StepUp
from llm_banking.kit.clock import utc_now
from llm_banking.operations.cancelling import CancelSchedules
from llm_banking.operations.cards import Cards
from llm_banking.operations.contact import ContactChanges, ContactParts
from llm_banking.operations.disputes import Disputes
from llm_banking.operations.drafts import CARDS, PAYMENTS, Kind
from llm_banking.operations.gate import Gate
from llm_banking.operations.handlers import Handlers
from llm_banking.operations.loans import Loans
from llm_banking.operations.payments import Payments
from llm_banking.operations.policy import OperationPolicy, load_policy
from llm_banking.operations.schedules import Schedules


def open_gate(
    step_up: StepUp,
    *,
    policy: OperationPolicy | None = None,
    fees: FeeSchedule | None = None,
    days: BankDays | None = None,
    contact: ContactParts | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Gate:
    """The gate by the shipped policy, fees and calendar, or by others. Without `contact` no address is changed.

    Raises ConfigurationError where they are incomplete.
    """
    rules, schedule, bank_days = policy or load_policy(), fees or load_fees(), days or load_bank_days()
    handlers = handlers_of(rules, schedule, bank_days, clock, contact)
    codes = None if contact is None else contact.codes
    return Gate(step_up, rules, schedule, handlers, codes=codes, today=bank_days.today, clock=clock)


def handlers_of(
    policy: OperationPolicy,
    fees: FeeSchedule,
    days: BankDays,
    clock: Callable[[], datetime] = utc_now,
    contact: ContactParts | None = None,
) -> Handlers:
    """All kinds of operations. Raises ConfigurationError."""
    return {
        **dict.fromkeys(PAYMENTS, Payments(policy, fees, days, clock=clock)),
        Kind.CANCEL_SCHEDULE: CancelSchedules(policy),
        **dict.fromkeys(CARDS, Cards(policy, fees)),
        Kind.DISPUTE: Disputes(policy, load_dispute_rules(), clock),
        Kind.LOAN_APPLICATION: Loans(policy, load_loan_rules()),
        Kind.CONTACT_CHANGE: ContactChanges(policy, contact),
    }


def open_schedules(
    *, policy: OperationPolicy | None = None, fees: FeeSchedule | None = None, days: BankDays | None = None
) -> Schedules:
    """Planned payments as the worker makes them, by the same rules. Raises ConfigurationError."""
    rules, bank_days = policy or load_policy(), days or load_bank_days()
    return Schedules(Payments(rules, fees or load_fees(), bank_days), rules.schedules, bank_days)
