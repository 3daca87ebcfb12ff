"""The narrow waist: all that the product needs of a bank's core, and the only way to it (docs/02).

A bank with a core of its own replaces what these names stand for and keeps the rest. Everything runs in the caller's
transaction; whose accounts may be seen and debited, the transaction says (ADR 0007).
"""

from __future__ import annotations

from llm_banking.banking.accounts import (
    AccountDetails,
    AccountKind,
    AccountStatus,
    AccountTransaction,
    BookedTransaction,
    NamedAccount,
    days,
    get_account,
    income_of,
    latest_transactions,
    list_accounts,
    list_transactions,
    named_account,
)
from llm_banking.banking.cards import (
    CardAction,
    CardDetails,
    CardStatus,
    after,
    card_of,
    change_card,
    limit_card,
    list_cards,
    replace_card,
)
from llm_banking.banking.charges import Charge, charge_of, latest_charges
from llm_banking.banking.ledger_store import Posted, hold, post, release, release_expired
from llm_banking.banking.statements import Statement, statement_of

__all__ = [
    "AccountDetails",
    "AccountKind",
    "AccountStatus",
    "AccountTransaction",
    "BookedTransaction",
    "CardAction",
    "CardDetails",
    "CardStatus",
    "Charge",
    "NamedAccount",
    "Posted",
    "Statement",
    "after",
    "card_of",
    "change_card",
    "charge_of",
    "days",
    "get_account",
    "hold",
    "income_of",
    "latest_charges",
    "latest_transactions",
    "limit_card",
    "list_accounts",
    "list_cards",
    "list_transactions",
    "named_account",
    "post",
    "release",
    "release_expired",
    "replace_card",
    "statement_of",
]
