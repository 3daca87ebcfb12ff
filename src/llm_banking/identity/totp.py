"""Codes from an authenticator app (RFC 6238): SHA-1, 30 seconds, 6 digits, one step to either side."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.errors import ConflictError, WrongCodeError
from llm_banking.identity.models import TotpSecret
from llm_banking.identity.secret_box import Place, SecretBox
from llm_banking.kit.clock import utc_now

STEP_S = 30
DIGITS = 6
WINDOW_STEPS = 1
SECRET_BYTES = 20
"""As long as SHA-1's output, as RFC 4226 (section 4, R6) recommends."""
ENROLMENT_LIFETIME = timedelta(minutes=10)


def hotp(secret: bytes, counter: int) -> str:
    """The code of a counter (RFC 4226, section 5.3)."""
    digest = hmac.new(secret, struct.pack(">Q", counter), hashlib.sha1).digest()
    offset = digest[-1] & 0x0F
    number = struct.unpack_from(">I", digest, offset)[0] & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def step_at(moment: datetime) -> int:
    """The time step (RFC 6238, section 4.2) that a time lies in."""
    return int(moment.timestamp()) // STEP_S


def matching_step(secret: bytes, code: str, moment: datetime, last_step: int | None) -> int | None:
    """The time step that a code belongs to, or None.

    Steps up to `last_step` count no more. Every step of the window is computed and compared in constant time.
    """
    given = code.encode("utf-8", errors="replace")
    found: int | None = None
    for step in range(step_at(moment) - WINDOW_STEPS, step_at(moment) + WINDOW_STEPS + 1):
        same = hmac.compare_digest(hotp(secret, step).encode(), given)
        if same and (last_step is None or step > last_step):
            found = step
    return found


def otpauth_uri(secret: bytes, issuer: str, account: str) -> str:
    """What an authenticator app reads from a QR code (the Key Uri Format)."""
    label = quote(f"{issuer}:{account}", safe="")
    parameters = {
        "secret": _base32(secret),
        "issuer": issuer,
        "algorithm": "SHA1",
        "digits": str(DIGITS),
        "period": str(STEP_S),
    }
    return f"otpauth://totp/{label}?{urlencode(parameters, quote_via=quote)}"


def _base32(secret: bytes) -> str:
    return base64.b32encode(secret).decode("ascii").rstrip("=")


@dataclass(frozen=True, slots=True)
class TotpEnrolment:
    """A new secret, shown once. It counts when a code confirms it."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)
    expires_at: datetime


class Totp:
    """The authenticator app of each user. The caller bounds how often a code may be tried."""

    def __init__(self, box: SecretBox, *, issuer: str, clock: Callable[[], datetime] = utc_now) -> None:
        self._box = box
        self._issuer = issuer
        self._clock = clock

    async def is_enrolled(self, session: AsyncSession, user_id: UUID) -> bool:
        """Whether a confirmed secret is there."""
        statement = select(TotpSecret.user_id).where(
            TotpSecret.user_id == user_id, TotpSecret.confirmed_at.is_not(None)
        )
        return await session.scalar(statement) is not None

    async def enrol(self, session: AsyncSession, user_id: UUID, account: str) -> TotpEnrolment:
        """A new secret, in place of one that was never confirmed. Raises ConflictError where one is confirmed."""
        secret = secrets.token_bytes(SECRET_BYTES)
        now = self._clock()
        values = {
            "secret_encrypted": self._box.seal(secret, _place(user_id)),
            "created_at": now,
            "confirmed_at": None,
            "last_step": None,
        }
        statement = (
            insert(TotpSecret)
            .values(user_id=user_id, **values)
            .on_conflict_do_update(
                index_elements=[TotpSecret.user_id], set_=values, where=TotpSecret.confirmed_at.is_(None)
            )
            .returning(TotpSecret.user_id)
        )
        if await session.scalar(statement) is None:
            raise ConflictError("An authenticator app is set up already. Remove it first.")
        return TotpEnrolment(_base32(secret), otpauth_uri(secret, self._issuer, account), now + ENROLMENT_LIFETIME)

    async def confirm(self, session: AsyncSession, user_id: UUID, code: str) -> None:
        """Make an enrolment count. Raises ConflictError where there is none or it is over, and WrongCodeError."""
        row = await self.locked(session, user_id)
        now = self._clock()
        if row is None or row.confirmed_at is not None or now >= row.created_at + ENROLMENT_LIFETIME:
            raise ConflictError("There is no authenticator app that waits for its code. Begin again.")
        step = matching_step(self._open(row), code, now, None)
        if step is None:
            raise WrongCodeError("The code is wrong. Check the clock of the device, and send the code it shows now.")
        row.confirmed_at, row.last_step = now, step
        await session.flush()

    async def accept(self, session: AsyncSession, user_id: UUID, code: str) -> bool:
        """Whether this is the user's code now. No code is taken twice, nor one older than the last that was.

        The row lock makes one of two simultaneous requests with the same code win.
        """
        row = await self.locked(session, user_id)
        if row is None or row.confirmed_at is None:
            return False
        step = matching_step(self._open(row), code, self._clock(), row.last_step)
        if step is None:
            return False
        row.last_step = step
        await session.flush()
        return True

    async def remove(self, session: AsyncSession, user_id: UUID) -> bool:
        """Forget the secret; whether there was one."""
        statement = delete(TotpSecret).where(TotpSecret.user_id == user_id).returning(TotpSecret.user_id)
        return await session.scalar(statement) is not None

    async def locked(self, session: AsyncSession, user_id: UUID) -> TotpSecret | None:
        """The row as it stands, held until the transaction ends."""
        statement = select(TotpSecret).where(TotpSecret.user_id == user_id).with_for_update()
        return await session.scalar(statement.execution_options(populate_existing=True))

    def _open(self, row: TotpSecret) -> bytes:
        return self._box.open(row.secret_encrypted, _place(row.user_id))


def _place(user_id: UUID) -> Place:
    return Place("totp_secrets", "secret_encrypted", user_id)
