"""The gate with everything that it can do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from llm_banking.banking.disputes import load_dispute_rules
from llm_banking.banking.fees import FeeSchedule, load_fees
from llm_banking.banking.loans import load_loan_rules
from llm_banking.identity.step_up import StepUp
from llm_banking.kit.clock import utc_now
from llm_banking.operations.cards import Cards
from llm_banking.operations.disputes import Disputes
from llm_banking.operations.drafts import CARDS, PAYMENTS, Kind
from llm_banking.operations.gate import Gate
from llm_banking.operations.handlers import Handlers
from llm_banking.operations.loans import Loans
from llm_banking.operations.payments import Payments
from llm_banking.operations.policy import OperationPolicy, load_policy


def open_gate(
    step_up: StepUp,
    *,
    policy: OperationPolicy | None = None,
    fees: FeeSchedule | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Gate:
    """The gate by the shipped policy and fees, or by others. Raises ConfigurationError where they are incomplete."""
    rules = policy or load_policy()
    return Gate(step_up, rules, handlers_of(rules, fees or load_fees(), clock), clock=clock)


def handlers_of(policy: OperationPolicy, fees: FeeSchedule, clock: Callable[[], datetime] = utc_now) -> Handlers:
    """All kinds of operations. Raises ConfigurationError."""
    return {
        **dict.fromkeys(PAYMENTS, Payments(policy, fees)),
        **dict.fromkeys(CARDS, Cards(policy, fees)),
        Kind.DISPUTE: Disputes(policy, load_dispute_rules(), clock),
        Kind.LOAN_APPLICATION: Loans(policy, load_loan_rules()),
    }
