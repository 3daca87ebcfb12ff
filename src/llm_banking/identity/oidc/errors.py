"""Errors of signing in with another provider."""

from __future__ import annotations

from llm_banking.identity.errors import ConflictError, LimitExceededError, NotFoundError, UnauthenticatedError
from llm_banking.kit.errors import LlmBankingError


class ProviderNotSetUpError(NotFoundError):
    """There is no such provider, or this server has no client id for it."""

    def __init__(self) -> None:
        super().__init__("Sign-in with this provider is not set up here. Sign in with a password.")


class ProviderUnavailableError(LlmBankingError):
    """The provider is away, too slow, or answered what cannot be used. `reason` is for the log: a fixed word."""

    code = "PROVIDER_UNAVAILABLE"

    def __init__(self, reason: str) -> None:
        super().__init__("The sign-in provider cannot be used at this moment. Try again later, or sign in otherwise.")
        self.reason = reason


class OidcRefusedError(UnauthenticatedError):
    """The sign-in is refused. One message for every reason; `reason` is for the log: a fixed word."""

    def __init__(self, reason: str) -> None:
        super().__init__("The sign-in with the provider could not be completed. Start it again.")
        self.reason = reason


class IdentityTakenError(ConflictError):
    """The provider's account belongs to another user here."""

    def __init__(self) -> None:
        super().__init__("That account with the provider is linked to another user. Use another account.")


class TooManyLinksError(LimitExceededError):
    """The user has as many accounts with providers as may be linked."""

    def __init__(self, most: int) -> None:
        super().__init__(f"A user can be linked to {most} accounts with providers, and no more.")
