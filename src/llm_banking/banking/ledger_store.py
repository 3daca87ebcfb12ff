"""The ledger in PostgreSQL. Only its functions write it (migration 0004); they lock accounts in the order of their ids.

Everything here runs in the caller's transaction, which says whose accounts may be debited (`visible_to`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.errors import (
    AccountNotFoundError,
    AccountNotOpenError,
    EntryConflictError,
    HoldNotFoundError,
    InsufficientFundsError,
    NotReversibleError,
)
from llm_banking.banking.ledger import Entry, EntryInvalidError, Own
from llm_banking.kit.errors import LlmBankingError
from llm_banking.kit.money import Money

_POST = text(
    "SELECT ledger_post(:id, :body_hash, :kind, :booked_at, :accounts, :internal, :amounts, :currencies, :descriptions,"
    " :reverses, :hold)"
)
_HOLD = text("SELECT ledger_hold(:id, :account, :amount, :reason, :expires_at)")
_RELEASE = text("SELECT ledger_release(:id)")
_RELEASE_EXPIRED = text("SELECT ledger_release_expired(:most)")


class Posted(StrEnum):
    """Whether something was done now, or stood there from an earlier try."""

    NOW = "now"
    EARLIER = "earlier"


_DONE = {
    "posted": Posted.NOW,
    "already_posted": Posted.EARLIER,
    "held": Posted.NOW,
    "already_held": Posted.EARLIER,
    "released": Posted.NOW,
    "already_released": Posted.EARLIER,
}


_REFUSED: dict[str, Callable[[], LlmBankingError]] = {
    "insufficient_funds": InsufficientFundsError,
    "unknown_account": AccountNotFoundError,
    "not_open": AccountNotOpenError,
    "id_reused": EntryConflictError,
    "unknown_hold": HoldNotFoundError,
    "not_reversible": NotReversibleError,
    "wrong_currency": lambda: EntryInvalidError("An account takes its own currency alone."),
}
"""Why the ledger refused. It wrote nothing then, and the transaction can go on."""


async def post(session: AsyncSession, entry: Entry, *, hold: UUID | None = None) -> Posted:
    """Post an entry; with a hold, the money that it set aside is used.

    The same entry again is not posted twice. Raises InsufficientFundsError, AccountNotFoundError (also where an account
    to be debited is not of the transaction's users), AccountNotOpenError, EntryConflictError (another entry has the
    id), HoldNotFoundError, NotReversibleError and EntryInvalidError (another currency). Each leaves everything as it
    was.
    """
    return await _call(
        session,
        _POST,
        id=entry.id,
        body_hash=entry.body_hash,
        kind=entry.kind,
        booked_at=entry.booked_at,
        accounts=[None if isinstance(leg.account, Own) else leg.account for leg in entry.legs],
        internal=[leg.account.value if isinstance(leg.account, Own) else None for leg in entry.legs],
        amounts=[leg.amount.amount_minor for leg in entry.legs],
        currencies=[leg.amount.currency for leg in entry.legs],
        descriptions=[leg.description for leg in entry.legs],
        reverses=entry.reverses,
        hold=hold,
    )


async def hold(
    session: AsyncSession,
    id: UUID,  # noqa: A002 - the field's name
    *,
    account_id: UUID,
    amount: Money,
    reason: str,
    expires_at: datetime,
) -> Posted:
    """Set money of an account aside until it is posted, released or expired. Raises as `post` does."""
    if amount.amount_minor < 1:
        raise EntryInvalidError("What is set aside is more than nothing.")
    return await _call(
        session, _HOLD, id=id, account=account_id, amount=amount.amount_minor, reason=reason, expires_at=expires_at
    )


async def release(session: AsyncSession, id: UUID) -> Posted:  # noqa: A002 - the field's name
    """Give held money back. Raises HoldNotFoundError, also for one that was posted."""
    return await _call(session, _RELEASE, id=id)


async def release_expired(session: AsyncSession, *, most: int) -> int:
    """Give back what was held for too long, of so many holds at most. Returns how many there were."""
    return int(await session.scalar(_RELEASE_EXPIRED, {"most": most}) or 0)


async def _call(session: AsyncSession, statement: TextClause, **values: object) -> Posted:
    outcome: str = await session.scalar(statement, values)
    if outcome not in _DONE:
        refusal = _REFUSED[outcome]
        raise refusal()
    return _DONE[outcome]
