"""Whether a caller comes from where a customer has come from before.

A device is known by the name that its client gives it. Whoever steals a password can give any name: this finds the
thief who does not care, and a factor that is asked for elsewhere finds the other.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.models import ApiKey, TokenFamily, User
from llm_banking.identity.principal import Principal


async def is_on_new_device(session: AsyncSession, caller: Principal, now: datetime, period: timedelta) -> bool:
    """Whether the device of a person's session was first seen within the period, by a customer from before that.

    A customer who is new has no other device to compare it with, unless another one was there earlier. A session that
    cannot be found is on a new device. False for a caller without a session.
    """
    if caller.session_id is None:
        return False
    mine = TokenFamily.user_id == caller.user_id
    current = (
        await session.execute(select(TokenFamily.device).where(mine, TokenFamily.id == caller.session_id))
    ).first()
    if current is None:
        return True
    same = TokenFamily.device.is_not_distinct_from(current.device)
    first_seen = await session.scalar(select(func.min(TokenFamily.created_at)).where(mine, same))
    if first_seen is None or now - first_seen >= period:
        return False
    joined = await session.scalar(select(User.created_at).where(User.id == caller.user_id))
    earlier = select(TokenFamily.id).where(mine, ~same, TokenFamily.created_at < first_seen).limit(1)
    return joined is None or now - joined >= period or await session.scalar(earlier) is not None


async def is_by_new_key(session: AsyncSession, caller: Principal, now: datetime, period: timedelta) -> bool:
    """Whether a program's key was made within the period. False for a caller without one."""
    if caller.api_key_id is None:
        return False
    made = await session.scalar(
        select(ApiKey.created_at).where(ApiKey.id == caller.api_key_id, ApiKey.user_id == caller.user_id)
    )
    return made is None or now - made < period
