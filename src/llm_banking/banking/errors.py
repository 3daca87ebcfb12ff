"""Errors of banking."""

from __future__ import annotations

from llm_banking.kit.errors import LlmBankingError


class AccountNotFoundError(LlmBankingError):
    """There is no such account, or it is not the caller's: the two are not told apart."""

    code = "NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is no such account. Leave account_id out to see all of them.")
