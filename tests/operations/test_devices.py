"""A payment from somewhere new needs a second factor, whatever its amount."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert

from llm_banking.identity import devices
from llm_banking.identity.models import ApiKey
from llm_banking.identity.principal import Principal
from llm_banking.operations.drafts import CancelSchedule, Draft
from llm_banking.operations.errors import StepUpNeededError
from llm_banking.operations.policy import load_policy
from llm_banking.operations.records import Operation, Pending
from llm_banking.operations.when import OnDay
from tests.operations.world import Customer, World

EITHER = {"totp", "webauthn"}


@pytest.fixture
async def ana(world: World) -> Customer:
    return await world.customer("Ana Morales")


async def proposed(ana: Customer, caller: Principal, draft: Draft) -> Pending:
    async with ana.transaction() as session:
        return await ana.world.gate.propose(session, caller, draft, channel="api")


async def on_device(ana: Customer, device: str | None) -> Principal:
    session_id = uuid4()
    await ana.sign_in(session_id, device)
    return ana.on(session_id)


async def made_key(ana: Customer) -> UUID:
    now, key_id = ana.world.clock(), uuid4()
    row = {
        "id": key_id,
        "user_id": ana.id,
        "name": "a key",
        "prefix": "p",
        "key_hash": key_id.bytes * 2,
        "scopes": ["banking:write"],
        "created_at": now,
        "expires_at": now + timedelta(days=90),
    }
    async with ana.transaction() as session:
        await session.execute(insert(ApiKey), [row])
    return key_id


async def test_another_device_than_before_is_asked_until_it_is_known(world: World, ana: Customer) -> None:
    assert not (await ana.propose(ana.own("1.00"))).requires, "a new customer's first device"
    world.clock.advance(minutes=1)
    new = await on_device(ana, "another")
    assert (await proposed(ana, new, ana.own("1.00"))).requires == EITHER
    assert (await proposed(ana, await on_device(ana, None), ana.own("1.00"))).requires == EITHER
    assert not (await proposed(ana, await on_device(ana, "the usual one"), ana.own("1.00"))).requires
    world.clock.advance(days=6.9)
    assert (await proposed(ana, new, ana.own("1.00"))).requires == EITHER
    assert (await proposed(ana, await on_device(ana, "another"), ana.own("1.00"))).requires == EITHER
    world.clock.advance(days=0.2)
    assert not (await proposed(ana, new, ana.own("1.00"))).requires
    assert not (await proposed(ana, await on_device(ana, "another"), ana.own("1.00"))).requires


async def test_a_session_that_is_not_there_or_is_somebody_elses_is_a_new_device(world: World, ana: Customer) -> None:
    ben = await world.customer("Ben Carter")
    world.clock.advance(days=400)
    for session_id in (uuid4(), ben.session):
        assert (await proposed(ana, ana.on(session_id), ana.own("1.00"))).requires == EITHER


async def test_what_was_proposed_on_a_known_device_is_not_approved_on_a_new_one_without_a_factor(
    world: World, ana: Customer
) -> None:
    await ana.add_app()
    pending = await ana.propose(ana.own("1.00"))
    world.clock.advance(minutes=1)
    new = await on_device(ana, "another")
    with pytest.raises(StepUpNeededError):
        async with ana.transaction() as session:
            await world.gate.approve(session, new, pending.id, proof=None)
    async with ana.transaction() as session:
        challenge = await world.gate.begin_step_up(session, new, pending.id)
    assert challenge is not None
    proof = ana.code(challenge)
    async with ana.transaction() as session:
        done = await world.gate.approve(session, new, pending.id, proof=proof)
    assert isinstance(done, Operation)


async def test_a_plan_needs_it_too_and_a_cancellation_does_not(world: World, ana: Customer) -> None:
    later = OnDay(world.clock().date() + timedelta(days=3))
    schedule = await ana.planned(ana.own("1.00", later))
    world.clock.advance(minutes=1)
    new = await on_device(ana, "another")
    assert (await proposed(ana, new, ana.own("1.00", later))).requires == EITHER
    assert not (await proposed(ana, new, CancelSchedule(schedule))).requires


async def test_a_key_that_was_just_made_is_asked(world: World, ana: Customer) -> None:
    program = ana.on(api_key_id=await made_key(ana))
    assert (await proposed(ana, program, ana.own("1.00"))).requires == EITHER
    world.clock.advance(hours=24)
    assert not (await proposed(ana, program, ana.own("1.00"))).requires
    assert (await proposed(ana, ana.on(api_key_id=uuid4()), ana.own("1.00"))).requires == EITHER


async def test_the_bank_sets_the_periods(world: World, ana: Customer) -> None:
    policy = load_policy()
    assert (policy.new_device_period, policy.new_key_period) == (timedelta(days=7), timedelta(hours=24))
    world.clock.advance(days=30)
    new = await on_device(ana, "another")
    async with ana.transaction() as session:
        assert await devices.is_on_new_device(session, new, world.clock(), timedelta(days=7))
        assert not await devices.is_on_new_device(session, new, world.clock(), timedelta(0))


async def test_the_check_is_the_gates_own(world: World, ana: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: without it, a new device pays as the old one does."""
    world.clock.advance(minutes=1)
    new = await on_device(ana, "another")

    async def never(*_: object) -> bool:
        return False

    monkeypatch.setattr("llm_banking.operations.gate.is_on_new_device", never)
    assert not (await proposed(ana, new, ana.own("1.00"))).requires
