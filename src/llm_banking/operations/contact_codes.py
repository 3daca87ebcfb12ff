"""Codes that prove that somebody reads an address: drawn when a change is proposed, good for that change alone.

A code has 8 digits (ASVS 5.0, 6.6: out-of-band codes are random, short-lived, limited in tries). Only its keyed hash,
bound to the pending operation, stays; until the letter is sent the code itself lies encrypted in the same row, bound to
that row. What fails is counted, and the count is kept although the request fails, as `identity.step_up` explains.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.errors import StepUpRefusedError
from llm_banking.identity.keyed_hash import KeyedHash
from llm_banking.identity.secret_box import Place, SecretBox
from llm_banking.identity.step_up import Reason, Refusal
from llm_banking.kit import outbox
from llm_banking.kit.clock import utc_now
from llm_banking.kit.logs import get_logger
from llm_banking.operations.errors import CodeNeededError, TooManyCodesError
from llm_banking.operations.models import ContactCode, PendingOperation

DIGITS = 8
LIFETIME = timedelta(minutes=10)
"""At most: a code is over with the operation that it belongs to."""
MAX_FAILURES = 5
WINDOW = timedelta(hours=24)
MAX_CODES = 5
"""In the window, of one customer: guesses and letters to strangers both stay few."""
TOPIC = "contact_change.code"

_MESSAGES = {
    Reason.UNKNOWN: "There is no code for this. Ask for the change again.",
    Reason.EXPIRED: "The time to enter the code is over. Ask for the change again.",
    Reason.LOCKED: "There were too many wrong codes. Ask for the change again.",
    Reason.WRONG: "The code is not the one that was sent to the new address. Look again, and enter its 8 digits.",
}


@dataclass(frozen=True, slots=True)
class CodeRefusal(Refusal):
    """The code did not hold. `attempts_left` for this operation."""

    def error(self) -> StepUpRefusedError:
        """What the edge raises after the transaction that counts the failure."""
        return StepUpRefusedError(
            _MESSAGES[self.reason], details={"code": self.reason.value, "attempts_left": self.attempts_left}
        )


class ContactCodes:
    """Draws, checks and opens codes. The customer's row must be locked by whoever draws or checks one."""

    def __init__(self, keyed: KeyedHash, box: SecretBox, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._keyed = keyed
        self._box = box
        self._clock = clock

    async def begin(self, session: AsyncSession, pending: PendingOperation) -> None:
        """Draw a code for an operation, and have it sent. Raises TooManyCodesError."""
        now = self._clock()
        drawn = select(func.count()).where(
            ContactCode.user_id == pending.user_id, ContactCode.created_at > now - WINDOW
        )
        if (await session.scalar(drawn) or 0) >= MAX_CODES:
            raise TooManyCodesError(MAX_CODES)
        code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
        session.add(
            ContactCode(
                id=pending.id,
                user_id=pending.user_id,
                code_hash=self._hash(pending.id, code),
                code_encrypted=self._box.seal(code.encode(), _place(pending.id)),
                failures=0,
                created_at=now,
                expires_at=min(now + LIFETIME, pending.expires_at),
            )
        )
        outbox.tell(session, pending.user_id, TOPIC, {"operation_id": str(pending.id)})
        await session.flush()

    async def refused(self, session: AsyncSession, pending: PendingOperation, code: str | None) -> CodeRefusal | None:
        """Why a code does not confirm an operation; None where it does. Raises CodeNeededError where there is none."""
        if code is None:
            raise CodeNeededError
        mine = (ContactCode.id == pending.id, ContactCode.user_id == pending.user_id)
        row = await session.scalar(
            select(ContactCode).where(*mine).with_for_update().execution_options(populate_existing=True)
        )
        if row is None:
            return CodeRefusal(Reason.UNKNOWN, 0)
        if self._clock() >= row.expires_at:
            return CodeRefusal(Reason.EXPIRED, 0)
        if row.failures >= MAX_FAILURES:
            return CodeRefusal(Reason.LOCKED, 0)
        if hmac.compare_digest(row.code_hash, self._hash(pending.id, code)):
            return None
        row.failures += 1
        await session.flush()
        get_logger("llm_banking.operations").warning(
            "contact code refused", operation_id=str(row.id), failures=row.failures
        )
        return CodeRefusal(Reason.WRONG, MAX_FAILURES - row.failures)

    def opened(self, row: ContactCode) -> str | None:
        """The code that is still to be sent; None where it was sent. Raises SealedSecretError."""
        if row.code_encrypted is None:
            return None
        return self._box.open(row.code_encrypted, _place(row.id)).decode()

    def _hash(self, pending_id: UUID, code: str) -> bytes:
        return self._keyed("contact code", pending_id.bytes, code)


def _place(row_id: UUID) -> Place:
    return Place("contact_codes", "code_encrypted", row_id)
