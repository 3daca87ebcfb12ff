"""The one error base. Each error carries a stable code; `api.errors` maps codes to HTTP statuses."""

from __future__ import annotations

from typing import Any, ClassVar


class LlmBankingError(Exception):
    """Something a caller can act on. `message` names the problem and the remedy and holds no customer data.

    `retry_after_s` is there where the same request may succeed after that time.
    """

    code: ClassVar[str] = "INTERNAL"

    def __init__(
        self, message: str, *, details: dict[str, Any] | None = None, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = details or {}
        self.retry_after_s = retry_after_s


class ConfigurationError(LlmBankingError):
    """A setting is missing or unsafe; start-up stops with the message."""

    code = "CONFIGURATION_INVALID"
