"""Errors of conversations."""

from __future__ import annotations

from llm_banking.kit.errors import LlmBankingError


class MessageNotFoundError(LlmBankingError):
    """There is no such reply, or it is not in a conversation of the caller: the two are not told apart."""

    code = "NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is no such reply. Name the message_id of a reply of the assistant.")


class SessionNotFoundError(LlmBankingError):
    """There is no such conversation, or it is not the caller's: the two are not told apart."""

    code = "NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is no such conversation. Leave session_id out to start a new one.")


class FlowFaultError(LlmBankingError):
    """A flow came to where it cannot go on. It is stopped, what it proposed is voided, and the customer is told."""


class HandoffNotFoundError(LlmBankingError):
    """There is no such handoff in the caller's hands: it is another agent's, closed, or nowhere; not told apart."""

    code = "NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("You have no such handoff in your hands. Load the queue again, and take one that waits.")


class HandoffTakenError(LlmBankingError):
    """The handoff does not wait: another agent has it, it is closed, or there is none; the three are not told apart."""

    code = "CONFLICT"

    def __init__(self) -> None:
        super().__init__("This does not wait any more. Load the queue again, and take one that waits.")
