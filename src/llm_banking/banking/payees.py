"""Whom a customer pays. Every query is about one customer's own rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking import core
from llm_banking.banking.errors import PayeeExistsError, PayeeNotFoundError, PayeeRefusedError, TooManyPayeesError
from llm_banking.banking.models import Payee
from llm_banking.identity.secret_box import Place, SecretBox
from llm_banking.identity.step_up import lock_user
from llm_banking.kit.clock import utc_now
from llm_banking.kit.ids import uuid7
from llm_banking.kit.plain_text import plain

MAX_PAYEES = 100
MAX_NAME_CHARS = 60
ACTIVE, REMOVED = "active", "removed"
EXTERNAL_PATTERN = "^[A-Za-z0-9][A-Za-z0-9 -]{4,38}[A-Za-z0-9]$"
"""An account elsewhere, as people write it; spaces and hyphens do not count. At most an IBAN (ISO 13616)."""
MAX_EXTERNAL_CHARS = 34
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")


class PayeeKind(StrEnum):
    """Kinds of a payee."""

    PERSON = "person"
    BILLER = "biller"


@dataclass(frozen=True, slots=True)
class PayeeAccount:
    """Where the money goes: an account of this bank by its reference, or one elsewhere by its number."""

    reference: UUID | None = None
    external: str | None = field(default=None, repr=False)


class Payees:
    """The payees of all customers. The numbers of accounts elsewhere are sealed, and never read here again."""

    def __init__(self, box: SecretBox, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._box = box
        self._clock = clock

    async def add(
        self, session: AsyncSession, user_id: UUID, *, kind: PayeeKind, name: str, account: PayeeAccount
    ) -> Payee:
        """Add a payee.

        An account of this bank must be held by somebody else of that name. Raises PayeeRefusedError, PayeeExistsError,
        TooManyPayeesError and PlainTextError.
        """
        name = plain(name, most_chars=MAX_NAME_CHARS)
        await lock_user(session, user_id)
        mine = (Payee.user_id == user_id, Payee.status == ACTIVE)
        if (await session.scalar(select(func.count()).where(*mine)) or 0) >= MAX_PAYEES:
            raise TooManyPayeesError(MAX_PAYEES)
        if await session.scalar(select(Payee.id).where(*mine, func.lower(Payee.name) == name.lower())) is not None:
            raise PayeeExistsError
        row = Payee(id=uuid7(), user_id=user_id, kind=kind.value, name=name, status=ACTIVE, created_at=self._clock())
        if account.reference is not None:
            await self._of_this_bank(session, row, account.reference)
        else:
            self._elsewhere(row, account.external or "")
        session.add(row)
        await session.flush()
        return row

    async def _of_this_bank(self, session: AsyncSession, row: Payee, reference: UUID) -> None:
        own = {one.id for one in await core.list_accounts(session, row.user_id)}
        if row.kind != PayeeKind.PERSON or reference in own:
            raise PayeeRefusedError("An account of this bank is added for another person. Your own need no payee.")
        found = await core.named_account(session, reference, row.name)
        if found is None:
            raise PayeeRefusedError("There is no account with this reference and this name. Ask the payee for both.")
        row.account_id, row.account_last4, row.currency = reference, found.number_last4, found.currency

    def _elsewhere(self, row: Payee, number: str) -> None:
        written = re.sub("[ -]", "", number).upper()
        if not re.fullmatch(EXTERNAL_PATTERN, number) or not 6 <= len(written) <= MAX_EXTERNAL_CHARS:
            raise PayeeRefusedError("An account number has 6 to 34 letters and digits.")
        if _IBAN.fullmatch(written) and not is_iban(written):
            raise PayeeRefusedError("The check digits of this IBAN are wrong. Compare it with what you were given.")
        place = Place("payees", "account_encrypted", row.id)
        row.account_encrypted, row.account_last4 = self._box.seal(written.encode(), place), written[-4:]

    async def remove(self, session: AsyncSession, user_id: UUID, payee_id: UUID) -> None:
        """Pay this one no more. It waits for an approval of the same customer. Raises PayeeNotFoundError."""
        await lock_user(session, user_id)
        removed = await session.scalar(
            update(Payee)
            .where(Payee.id == payee_id, Payee.user_id == user_id, Payee.status == ACTIVE)
            .values(status=REMOVED)
            .returning(Payee.id)
        )
        if removed is None:
            raise PayeeNotFoundError


async def payees_of(session: AsyncSession, user_id: UUID) -> list[Payee]:
    """A customer's payees by name; at most MAX_PAYEES."""
    mine = select(Payee).where(Payee.user_id == user_id, Payee.status == ACTIVE)
    return list(await session.scalars(mine.order_by(func.lower(Payee.name)).limit(MAX_PAYEES)))


async def payee_of(session: AsyncSession, user_id: UUID, payee_id: UUID) -> Payee:
    """One of a customer's payees. Raises PayeeNotFoundError."""
    found = await session.scalar(
        select(Payee)
        .where(Payee.id == payee_id, Payee.user_id == user_id, Payee.status == ACTIVE)
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise PayeeNotFoundError
    return found


async def note_first_payment(session: AsyncSession, user_id: UUID, payee_id: UUID, moment: datetime) -> None:
    """A payee was paid. Only the first time is kept."""
    await session.execute(
        update(Payee)
        .where(Payee.id == payee_id, Payee.user_id == user_id, Payee.first_paid_at.is_(None))
        .values(first_paid_at=moment)
    )


def is_iban(written: str) -> bool:
    """Whether the check digits hold (ISO 13616: 1 modulo 97). Letters count from A = 10."""
    turned = written[4:] + written[:4]
    return int("".join(str(int(one, 36)) for one in turned)) % 97 == 1
