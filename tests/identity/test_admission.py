"""The way that every sign-in takes to a session, also one without a password."""

from __future__ import annotations

from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity import repository
from llm_banking.identity.admission import METHODS, Admission, SecondFactorNeeded, SignedIn
from llm_banking.identity.step_up import Method, Refusal, TotpCode
from tests.api.people import on_a_clock
from tests.identity.people import add_user, code_now, with_totp, wrong_code


async def admit(session: AsyncSession, admission: Admission, user_id: UUID) -> SignedIn | SecondFactorNeeded:
    """Somebody whom another provider named."""
    user = await repository.lock_user(session, user_id)
    assert user is not None
    return await admission.admit(session, user, device=None, authenticated_by=("fed",))


async def test_without_a_second_factor_the_session_opens(session: AsyncSession, app: FastAPI) -> None:
    with on_a_clock(app):
        user_id = await add_user(session)
        outcome = await admit(session, app.state.services.identity.admission, user_id)
    assert isinstance(outcome, SignedIn)
    assert outcome.user.id == user_id


async def test_with_one_no_way_to_sign_in_leads_past_it(session: AsyncSession, app: FastAPI) -> None:
    with on_a_clock(app) as (clock, factors):
        admission, user_id = app.state.services.identity.admission, await add_user(session)
        secret = await with_totp(session, factors, user_id, clock)
        needed = await admit(session, admission, user_id)
        assert isinstance(needed, SecondFactorNeeded)
        assert needed.ticket not in repr(needed)
        assert await repository.live_families(session, user_id, clock()) == []
        clock.advance(seconds=30)
        codes = [wrong_code(secret, clock), code_now(secret, clock)]
        wrong, right = [
            await admission.complete(
                session, needed.ticket, challenge_id=needed.challenge.id, answer=TotpCode(code), device=None
            )
            for code in codes
        ]
    assert isinstance(wrong, Refusal)
    assert isinstance(right, SignedIn)
    claims = app.state.services.identity.tokens.check(right.tokens.access_token)
    assert claims.subject.authenticated_by == ("fed", "otp", "mfa")


@pytest.mark.parametrize("method", Method)
def test_every_method_is_named_as_the_standard_names_it(method: Method) -> None:
    """RFC 8176, section 2."""
    registered = {"face", "fpt", "geo", "hwk", "iris", "kba", "mca", "mfa", "otp", "pin", "pwd", "rba", "retina", "sc"}
    assert set(METHODS[method]) <= registered | {"sms", "swk", "tel", "user", "vbm", "wia"}
    assert METHODS[method][-1] == "mfa"
