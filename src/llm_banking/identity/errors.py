"""Errors of identity."""

from __future__ import annotations

from typing import ClassVar

from llm_banking.kit.errors import LlmBankingError


class UnauthenticatedError(LlmBankingError):
    """The caller did not say who they are, or could not prove it."""

    code = "UNAUTHENTICATED"
    challenge: ClassVar[str] = "Bearer"
    """What the WWW-Authenticate header says (RFC 6750, section 3)."""


class InvalidCredentialError(UnauthenticatedError):
    """A token or key came with the request and is not good. Says no more than that, whatever the reason was."""

    challenge = 'Bearer error="invalid_token"'

    def __init__(self) -> None:
        super().__init__("The credential of this request is not valid, or no longer. Sign in again.")


class TooManyCredentialsError(UnauthenticatedError):
    """A request carried more than one credential, so that nobody can say whose it is (RFC 6750, section 2)."""

    challenge = 'Bearer error="invalid_request"'


class SignInRefusedError(UnauthenticatedError):
    """The sign-in failed. One message for every reason, so that it tells nobody which names exist."""

    def __init__(self) -> None:
        super().__init__("The sign-in name or the password is wrong. Check both and try again.")


class SignInOverError(UnauthenticatedError):
    """The second step of a sign-in does not follow from a first one that still holds. One message for every reason."""

    def __init__(self) -> None:
        super().__init__("This sign-in is over. Begin again with your sign-in name and password.")


class RefreshRefusedError(UnauthenticatedError):
    """A refresh token is unknown, ended or was used before."""

    def __init__(self) -> None:
        super().__init__("The refresh token is not valid, or no longer. Sign in again.")


class PasswordRefusedError(LlmBankingError):
    """A new password may not be used; the message says what a usable one needs."""

    code = "INVALID_REQUEST"


class TryLaterError(LlmBankingError):
    """Too much at once or too often. `retry_after_s` says when to come again."""

    code = "RATE_LIMIT_EXCEEDED"
    retry_after_s: int

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message, details={"retry_after_s": retry_after_s}, retry_after_s=retry_after_s)


class RevocationsStaleError(LlmBankingError):
    """It is not known which tokens were taken back lately, so none is believed."""

    code = "DATABASE_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("Tokens cannot be checked at this moment. The request changed nothing; try again shortly.")


class ForbiddenError(LlmBankingError):
    """The caller is known and may not do this."""

    code = "FORBIDDEN"


class NotFoundError(LlmBankingError):
    """There is no such thing, or it is somebody else's."""

    code = "NOT_FOUND"


class ConflictError(LlmBankingError):
    """What is there already stands against it."""

    code = "CONFLICT"


class LimitExceededError(LlmBankingError):
    """There are as many as there may be."""

    code = "LIMIT_EXCEEDED"


class WrongCodeError(LlmBankingError):
    """A code or an answer of an authenticator that does not hold."""

    code = "INVALID_REQUEST"


class StepUpRefusedError(LlmBankingError):
    """The caller did not prove again who they are."""

    code = "STEP_UP_REQUIRED"
