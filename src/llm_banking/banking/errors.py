"""Errors of banking."""

from __future__ import annotations

from llm_banking.kit.errors import LlmBankingError
from llm_banking.kit.money import Money


class AccountNotFoundError(LlmBankingError):
    """There is no such account, or it is not the caller's: the two are not told apart."""

    code = "NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is no such account. Leave account_id out to see all of them.")


class InsufficientFundsError(LlmBankingError):
    """An account has less than what shall go from it."""

    code = "INSUFFICIENT_FUNDS"

    def __init__(self) -> None:
        super().__init__("There is not enough money on the account for this. Choose another account or amount.")


class AccountNotOpenError(LlmBankingError):
    """An account is closed, or frozen and to be debited."""

    code = "CONFLICT"

    def __init__(self) -> None:
        super().__init__("The account is frozen or closed. Choose another one, or ask the bank.")


class EntryConflictError(LlmBankingError):
    """Something else was done under this id before."""

    code = "IDEMPOTENCY_MISMATCH"

    def __init__(self) -> None:
        super().__init__("Something else was done under this id before. Use a new id for a new request.")


class HoldNotFoundError(LlmBankingError):
    """There is no such hold, or it was used, released or has expired."""

    code = "CONFLICT"

    def __init__(self) -> None:
        super().__init__("What was set aside for this is no longer there. Begin again.")


class NotReversibleError(LlmBankingError):
    """An entry was taken back before, is itself a reversal, or has other legs."""

    code = "CONFLICT"

    def __init__(self) -> None:
        super().__init__("This was taken back before, or cannot be.")


class DaysInvalidError(LlmBankingError):
    """A range of days that ends before it begins."""

    code = "INVALID_REQUEST"

    def __init__(self) -> None:
        super().__init__("The last day is before the first. Turn them around, or leave one out.")


class StatementNotReadyError(LlmBankingError):
    """A statement of a month that has not begun."""

    code = "NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("This month has not begun. Ask for the current month or an earlier one.")


class StatementTooLongError(LlmBankingError):
    """A month with more postings than a statement may have."""

    code = "LIMIT_EXCEEDED"

    def __init__(self, most: int) -> None:
        super().__init__(f"The month has more than {most} transactions. Read them in pages, by days.")


class StatementDiffersError(LlmBankingError):
    """A statement that the account's balance contradicts. It is never shown; a person must look at the ledger."""

    code = "INTERNAL"

    def __init__(self) -> None:
        super().__init__("A statement does not reconcile with the ledger. Run `llm-banking doctor`.")


class CardNotFoundError(LlmBankingError):
    """There is no such card, or it is not the caller's: the two are not told apart."""

    code = "NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is no such card. GET /api/v2/cards lists those that there are.")


class CardStatusError(LlmBankingError):
    """What is asked of a card cannot be done in its status."""

    code = "CONFLICT"

    def __init__(self, status: str) -> None:
        super().__init__(f"This cannot be done with a card that is {status}. Ask the bank for a new one.")


class CardAlreadyError(LlmBankingError):
    """What is asked of a card was done with it before."""

    code = "CONFLICT"

    def __init__(self, state: str) -> None:
        super().__init__(f"This card is {state} already. There is nothing to do.")


class PayeeNotFoundError(LlmBankingError):
    """There is no such payee, it was removed, or it is somebody else's."""

    code = "NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("You have no such payee. GET /api/v2/payees lists yours.")


class PayeeRefusedError(LlmBankingError):
    """A payee that cannot be added. It is not told whether the account or the name was wrong."""

    code = "INVALID_REQUEST"


class PayeeExistsError(LlmBankingError):
    """The customer has a payee of that name."""

    code = "CONFLICT"

    def __init__(self) -> None:
        super().__init__("You have a payee of this name. Choose another name, or remove that one first.")


class TooManyPayeesError(LlmBankingError):
    """A customer has as many payees as there may be."""

    code = "LIMIT_EXCEEDED"

    def __init__(self, most: int) -> None:
        super().__init__(f"You have {most} payees, and more are not kept. Remove one that you no longer pay.")


class TransactionNotFoundError(LlmBankingError):
    """There is no such charge, it is not the caller's, or it is nothing that can be disputed."""

    code = "NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("You have no such charge to dispute. GET /api/v2/accounts/{id}/transactions lists yours.")


class DisputeNotFoundError(LlmBankingError):
    """There is no such dispute."""

    code = "NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is no such dispute. GET /api/agent/disputes lists those that wait.")


class AlreadyDecidedError(LlmBankingError):
    """What a person decided is final."""

    code = "CONFLICT"

    def __init__(self) -> None:
        super().__init__("This was decided before. What was decided is final.")


class LoanTermsRefusedError(LlmBankingError):
    """A loan that the bank does not make."""

    code = "INVALID_REQUEST"

    def __init__(self, least: Money, most: Money, months: tuple[int, int], *, wrong: tuple[str, ...]) -> None:
        """`wrong` names what does not fit: "amount", "months" or both."""
        self.wrong = wrong
        super().__init__(
            f"The bank lends {least.display()} to {most.display()} over {months[0]} to {months[1]} months. Choose an "
            "amount and a term within that."
        )


class ApplicationNotFoundError(LlmBankingError):
    """There is no such application."""

    code = "NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is no such application. GET /api/admin/loan-applications lists those that wait.")


class ApplicationStepError(LlmBankingError):
    """An application does not go there from where it stands."""

    code = "CONFLICT"

    def __init__(self) -> None:
        super().__init__("An application goes from received to under_review, and from there to approved or declined.")
