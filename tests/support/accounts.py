"""Accounts without a database."""

from __future__ import annotations

from uuid import UUID

from llm_banking.banking.core import AccountDetails, AccountKind, AccountStatus
from llm_banking.kit.money import Money


def open_account(account_id: UUID, kind: AccountKind, name: str, last4: str, balance: Money) -> AccountDetails:
    """An open account with nothing set aside."""
    return AccountDetails(
        account_id, kind, name, last4, AccountStatus.OPEN, balance, Money(0, balance.currency), balance
    )
