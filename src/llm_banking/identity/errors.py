"""Errors of identity."""

from __future__ import annotations

from llm_banking.kit.errors import LlmBankingError


class UnauthenticatedError(LlmBankingError):
    """The caller did not say who they are, or could not prove it."""

    code = "UNAUTHENTICATED"


class ForbiddenError(LlmBankingError):
    """The caller is known and may not do this."""

    code = "FORBIDDEN"
