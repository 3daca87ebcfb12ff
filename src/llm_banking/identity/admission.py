"""From a person whose first factor holds to a session: at once, or after the second factor that the person set up.

Every way to sign in ends here, so that none of them leads past a second factor (ASVS 5.0, 6.3.3 and 6.3.4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity import repository
from llm_banking.identity.errors import SignInOverError
from llm_banking.identity.models import User
from llm_banking.identity.refresh import IssuedTokens, TokenFamilies
from llm_banking.identity.sign_in_tickets import SignInTickets, Ticket
from llm_banking.identity.step_up import LIFETIME, Challenge, Method, PasskeyAnswer, Refusal, StepUp, TotpCode
from llm_banking.identity.throttle import Attempt, SignInThrottle
from llm_banking.kit.clock import utc_now
from llm_banking.kit.logs import get_logger

METHODS = {Method.TOTP: ("otp", "mfa"), Method.WEBAUTHN: ("swk", "user", "mfa")}
"""What a second factor adds to the methods of a sign-in (RFC 8176, section 2).

No attestation is asked for, so nothing shows that a passkey's key lies in hardware: it counts as one in software.
"""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that was opened, and by which methods (RFC 8176)."""

    user: User
    tokens: IssuedTokens
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SecondFactorNeeded:
    """No session yet: the challenge, and the ticket to bring back with its answer."""

    ticket: str = field(repr=False)
    challenge: Challenge


class Admission:
    """Opens sessions, through the second step where there is one."""

    def __init__(
        self,
        families: TokenFamilies,
        throttle: SignInThrottle,
        step_up: StepUp,
        tickets: SignInTickets,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """`clock` is that of `step_up`."""
        self._families = families
        self._throttle = throttle
        self._step_up = step_up
        self._tickets = tickets
        self._clock = clock

    async def admit(
        self,
        session: AsyncSession,
        user: User,
        *,
        device: str | None,
        authenticated_by: tuple[str, ...],
        attempt: Attempt | None = None,
    ) -> SignedIn | SecondFactorNeeded:
        """Open a session for an active person whose row the transaction holds locked, or begin the second step.

        `authenticated_by` names the first factor (RFC 8176). `attempt`, if one was counted, is forgiven when the whole
        sign-in is done and no sooner. Raises TryLaterError where too many challenges were begun or failed lately.
        """
        if not await repository.has_second_factor(session, user.id):
            return await self._open(session, user, device, authenticated_by, attempt)
        ticket = Ticket(
            sign_in_id=uuid4(),
            user_id=user.id,
            password_changed_at=user.password_changed_at,
            token_epoch=user.token_epoch,
            authenticated_by=authenticated_by,
            attempt=attempt,
            expires_at=self._clock() + LIFETIME,
        )
        challenge = await self._step_up.begin(
            session,
            user.id,
            pending_id=ticket.sign_in_id,
            payload=ticket.encoded(),
            methods_allowed=frozenset(Method),
        )
        log = get_logger("llm_banking.identity")
        log.info("second factor asked for", user_id=str(user.id), challenge_id=str(challenge.id))
        return SecondFactorNeeded(self._tickets.seal(ticket, challenge.id), challenge)

    async def complete(
        self,
        session: AsyncSession,
        text: str,
        *,
        challenge_id: UUID,
        answer: TotpCode | PasskeyAnswer,
        device: str | None,
    ) -> SignedIn | Refusal:
        """Open the session that a ticket and the answer to its challenge stand for.

        A Refusal is the one of `StepUp.complete`: commit, then raise its error. Raises SignInOverError where the ticket
        is not good, or the person was suspended, the password changed or the tokens were taken back since.
        """
        ticket = self._tickets.open(text, challenge_id)
        user = await repository.lock_user(session, ticket.user_id)
        if user is None or not ticket.fits(user, self._clock()):
            raise SignInOverError
        done = await self._step_up.complete(
            session,
            user.id,
            challenge_id=challenge_id,
            pending_id=ticket.sign_in_id,
            payload=ticket.encoded(),
            proof=answer,
        )
        if isinstance(done, Refusal):
            return done
        methods = (*ticket.authenticated_by, *METHODS[done.method])
        return await self._open(session, user, device, methods, ticket.attempt)

    async def _open(
        self,
        session: AsyncSession,
        user: User,
        device: str | None,
        methods: tuple[str, ...],
        attempt: Attempt | None,
    ) -> SignedIn:
        if attempt is not None:
            await self._throttle.forgive(session, attempt, utc_now())
        tokens = await self._families.open(session, user, device=device, authenticated_by=methods)
        get_logger("llm_banking.identity").info("signed in", methods=list(methods), user_id=str(user.id))
        return SignedIn(user, tokens, methods)
