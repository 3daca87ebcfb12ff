"""The closed set of intents: 77 support intents, 47 operational ones, seven categories.

The support layer is Banking77 (Casanueva et al. 2020) to the letter, odd spellings included, so that
published scores compare. The operational layer holds what a customer asks a bank to *do* or to *look up*.
Where a CLINC150 class (Larson et al. 2019) means the same as a Banking77 intent, it is merged into it:
`CLINC_TO_INTENT` is that table, and the only place that decides it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Category(StrEnum):
    """The seven groups that reports and dashboards use."""

    ACCOUNT_MANAGEMENT = "Account Management"
    TRANSFER_PAYMENTS = "Transfer & Payments"
    INQUIRIES = "Inquiries"
    LOANS_CREDIT = "Loans & Credit"
    CARD_SERVICES = "Card Services"
    FRAUD_SECURITY = "Fraud & Security"
    CUSTOMER_SERVICE = "Customer Service"


class Layer(StrEnum):
    """Which half of the label set an intent belongs to."""

    SUPPORT = "support"
    OPERATIONAL = "operational"


@dataclass(frozen=True, slots=True)
class Intent:
    """One label of the model, with the category it is reported under."""

    name: str
    layer: Layer
    category: Category


OUT_OF_SCOPE = "out_of_scope"
"""The reject label of the model. It is not an intent: it stands for every text that is not ours."""

_SUPPORT: dict[Category, tuple[str, ...]] = {
    Category.ACCOUNT_MANAGEMENT: (
        "age_limit",
        "country_support",
        "edit_personal_details",
        "fiat_currency_support",
        "passcode_forgotten",
        "terminate_account",
        "unable_to_verify_identity",
        "verify_my_identity",
        "verify_source_of_funds",
        "why_verify_identity",
    ),
    Category.TRANSFER_PAYMENTS: (
        "automatic_top_up",
        "balance_not_updated_after_bank_transfer",
        "balance_not_updated_after_cheque_or_cash_deposit",
        "beneficiary_not_allowed",
        "cancel_transfer",
        "declined_transfer",
        "failed_transfer",
        "pending_top_up",
        "pending_transfer",
        "receiving_money",
        "top_up_by_cash_or_cheque",
        "top_up_failed",
        "top_up_reverted",
        "topping_up_by_card",
        "transfer_into_account",
        "transfer_not_received_by_recipient",
        "transfer_timing",
        "verify_top_up",
    ),
    Category.INQUIRIES: (
        "card_payment_fee_charged",
        "card_payment_wrong_exchange_rate",
        "cash_withdrawal_charge",
        "exchange_charge",
        "exchange_rate",
        "exchange_via_app",
        "extra_charge_on_statement",
        "top_up_by_bank_transfer_charge",
        "top_up_by_card_charge",
        "top_up_limits",
        "transfer_fee_charged",
        "wrong_exchange_rate_for_cash_withdrawal",
    ),
    Category.CARD_SERVICES: (
        "activate_my_card",
        "apple_pay_or_google_pay",
        "atm_support",
        "card_about_to_expire",
        "card_acceptance",
        "card_arrival",
        "card_delivery_estimate",
        "card_linking",
        "card_not_working",
        "card_swallowed",
        "change_pin",
        "contactless_not_working",
        "declined_card_payment",
        "declined_cash_withdrawal",
        "disposable_card_limits",
        "get_disposable_virtual_card",
        "get_physical_card",
        "getting_spare_card",
        "getting_virtual_card",
        "order_physical_card",
        "pending_card_payment",
        "pending_cash_withdrawal",
        "pin_blocked",
        "supported_cards_and_currencies",
        "virtual_card_not_working",
        "visa_or_mastercard",
        "wrong_amount_of_cash_received",
    ),
    Category.FRAUD_SECURITY: (
        "card_payment_not_recognised",
        "cash_withdrawal_not_recognised",
        "compromised_card",
        "direct_debit_payment_not_recognised",
        "lost_or_stolen_card",
        "lost_or_stolen_phone",
    ),
    Category.CUSTOMER_SERVICE: (
        "Refund_not_showing_up",
        "request_refund",
        "reverted_card_payment?",
        "transaction_charged_twice",
    ),
}

_OPERATIONAL: dict[Category, tuple[str, ...]] = {
    Category.ACCOUNT_MANAGEMENT: (
        "account_blocked",
        "check_balance",
        "freeze_account",
        "get_statement",
        "open_account",
        "order_checks",
        "routing_number",
        "set_up_direct_deposit",
        "spending_summary",
        "transaction_history",
    ),
    Category.TRANSFER_PAYMENTS: (
        "add_payee",
        "bill_amount",
        "bill_due_date",
        "minimum_payment",
        "pay_bill",
        "schedule_payment",
        "transfer_funds",
    ),
    Category.INQUIRIES: (
        "account_fees",
        "foreign_transaction_fees",
        "redeem_rewards",
        "rewards_balance",
        "savings_interest_rate",
    ),
    Category.LOANS_CREDIT: (
        "application_status",
        "apply_for_credit_card",
        "apply_for_loan",
        "card_apr",
        "change_credit_limit",
        "credit_limit",
        "credit_score",
        "improve_credit_score",
        "loan_balance",
        "loan_eligibility",
        "loan_payment_estimate",
    ),
    Category.CARD_SERVICES: (
        "card_expiration_date",
        "replace_damaged_card",
        "unfreeze_card",
    ),
    Category.FRAUD_SECURITY: (
        "dispute_status",
        "dispute_transaction",
        "report_fraud",
    ),
    Category.CUSTOMER_SERVICE: (
        "affirm",
        "cancel",
        "deny",
        "goodbye",
        "greeting",
        "help",
        "speak_to_agent",
        "thanks",
    ),
}

CONVERSATIONAL = frozenset({"affirm", "cancel", "deny", "goodbye", "greeting", "help", "thanks"})
"""Intents that steer the conversation and are no banking request of their own."""

CLINC_TO_INTENT: dict[str, str] = {
    # merged into the support layer: the same request under another name
    "card_declined": "declined_card_payment",
    "pin_change": "change_pin",
    "replacement_card_duration": "card_delivery_estimate",
    "report_lost_card": "lost_or_stolen_card",
    # operational layer
    "account_blocked": "account_blocked",
    "application_status": "application_status",
    "apr": "card_apr",
    "balance": "check_balance",
    "bill_balance": "bill_amount",
    "bill_due": "bill_due_date",
    "credit_limit": "credit_limit",
    "credit_limit_change": "change_credit_limit",
    "credit_score": "credit_score",
    "damaged_card": "replace_damaged_card",
    "direct_deposit": "set_up_direct_deposit",
    "expiration_date": "card_expiration_date",
    "freeze_account": "freeze_account",
    "improve_credit_score": "improve_credit_score",
    "interest_rate": "savings_interest_rate",
    "international_fees": "foreign_transaction_fees",
    "min_payment": "minimum_payment",
    "new_card": "apply_for_credit_card",
    "order_checks": "order_checks",
    "pay_bill": "pay_bill",
    "redeem_rewards": "redeem_rewards",
    "report_fraud": "report_fraud",
    "rewards_balance": "rewards_balance",
    "routing": "routing_number",
    "spending_history": "spending_summary",
    "transactions": "transaction_history",
    "transfer": "transfer_funds",
    # small talk and meta: how a conversation is steered
    "are_you_a_bot": "help",
    "cancel": "cancel",
    "goodbye": "goodbye",
    "greeting": "greeting",
    "no": "deny",
    "thank_you": "thanks",
    "what_can_i_ask_you": "help",
    "yes": "affirm",
}
"""CLINC150 class → our intent. A class that is absent here is out-of-scope material."""


def _build() -> tuple[Intent, ...]:
    found = [
        Intent(name, layer, category)
        for layer, table in ((Layer.SUPPORT, _SUPPORT), (Layer.OPERATIONAL, _OPERATIONAL))
        for category, names in table.items()
        for name in names
    ]
    return tuple(sorted(found, key=lambda i: (i.layer != Layer.SUPPORT, i.name)))


INTENTS: tuple[Intent, ...] = _build()
BY_NAME: dict[str, Intent] = {intent.name: intent for intent in INTENTS}
SUPPORT_INTENTS: tuple[str, ...] = tuple(i.name for i in INTENTS if i.layer is Layer.SUPPORT)
OPERATIONAL_INTENTS: tuple[str, ...] = tuple(i.name for i in INTENTS if i.layer is Layer.OPERATIONAL)
LABELS: tuple[str, ...] = (*SUPPORT_INTENTS, *OPERATIONAL_INTENTS, OUT_OF_SCOPE)
"""The model's label order: support, operational, then the reject label."""
