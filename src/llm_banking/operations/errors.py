"""Errors of the gate. Whatever is somebody else's is as if it were not there."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from llm_banking.kit.errors import LlmBankingError
from llm_banking.kit.money import Money


class PendingNotFoundError(LlmBankingError):
    """There is no such operation, or it is somebody else's."""

    code = "NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("You have no such operation. GET /api/v2/operations lists yours.")


class PendingExpiredError(LlmBankingError):
    """The time to approve an operation is over."""

    code = "PENDING_EXPIRED"

    def __init__(self) -> None:
        super().__init__("The time to confirm this is over, and nothing was done. Ask for it again.")


class PendingClosedError(LlmBankingError):
    """An operation was done or called off before."""

    code = "CONFLICT"

    def __init__(self, status: str) -> None:
        done = "was done already and is not done twice" if status == "consumed" else "was called off"
        super().__init__(f"This {done}. Ask for a new one if you want another.", details={"status": status})


class PendingAlteredError(LlmBankingError):
    """What is stored of a pending operation is not what its owner was shown. Nothing is executed from it."""

    def __init__(self) -> None:
        super().__init__("A pending operation does not match its hash or its text.")


class StepUpNeededError(LlmBankingError):
    """The policy asks for a second factor, and none was proved."""

    code = "STEP_UP_REQUIRED"

    def __init__(self, methods: Collection[str], operation_id: UUID | None = None) -> None:
        named = {} if operation_id is None else {"operation_id": str(operation_id)}
        super().__init__(
            "Prove a second factor for this: POST /api/v2/operations/{id}/step-up, then confirm with its answer.",
            details={"methods": sorted(methods), **named},
        )


class AmountLimitError(LlmBankingError):
    """An operation goes over a limit of the bank's policy."""

    code = "LIMIT_EXCEEDED"

    def __init__(self, what: str, limit: Money) -> None:
        super().__init__(
            f"This is more than {limit.display()}, the limit {what}. Choose a lower amount, or ask the bank.",
            details={"limit": limit.as_decimal_string(), "currency": limit.currency},
        )


class TooManyOpenError(LlmBankingError):
    """A customer has as many operations that wait for approval as there may be."""

    code = "LIMIT_EXCEEDED"

    def __init__(self, most: int, lifetime: timedelta) -> None:
        minutes = lifetime // timedelta(minutes=1)
        super().__init__(f"You have {most} operations that wait. Confirm or call off some, or wait {minutes} minutes.")


class NotPossibleError(LlmBankingError):
    """A draft that the bank does not do. The message says what would be possible."""

    code = "INVALID_REQUEST"


class TooManySchedulesError(LlmBankingError):
    """A customer has as many payments planned as there may be."""

    code = "LIMIT_EXCEEDED"

    def __init__(self, most: int) -> None:
        super().__init__(f"You have {most} payments planned, and more cannot be. Cancel one first.")


class ScheduleNotFoundError(LlmBankingError):
    """There is no such planned payment, or it is somebody else's."""

    code = "NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("You have no such planned payment. GET /api/v2/scheduled-payments lists yours.")


class ScheduleOverError(LlmBankingError):
    """A planned payment was made, ended or cancelled before."""

    code = "CONFLICT"

    def __init__(self, status: str) -> None:
        super().__init__("This planned payment is over; nothing more is paid by it.", details={"status": status})


class CodeNeededError(LlmBankingError):
    """A change of address is confirmed with the code that the new address was sent, and none was given."""

    code = "STEP_UP_REQUIRED"

    def __init__(self) -> None:
        super().__init__(
            "Confirm with the 8 digits that were sent to the new address, as `code`.", details={"code": "needed"}
        )


class TooManyCodesError(LlmBankingError):
    """A customer had as many codes sent in a day as there may be."""

    code = "LIMIT_EXCEEDED"

    def __init__(self, most: int) -> None:
        super().__init__(f"You had {most} codes sent in the last 24 hours, and more are not. Ask again tomorrow.")


class LettersUnavailableError(LlmBankingError):
    """The server was not told how it sends letters."""

    code = "PROVIDER_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__(
            "This server cannot send e-mail, so an address cannot be confirmed here. Ask the bank; its operator sets "
            "SMTP_HOST and SMTP_FROM."
        )
