"""What the gate promises, each against the real database in transactions that commit."""

from __future__ import annotations

from uuid import uuid4

from tests.operations.world import World


async def test_what_was_approved_is_done_once(world: World) -> None:
    ana, ben = await world.customer("Ana"), await world.customer("Ben Carter", "0.00")
    pending = await ana.propose(ana.send(await ana.payee(ben), "50.00", "for lunch"), uuid4())
    assert pending.requires == frozenset()
    done = await ana.done(pending.id)
    assert await ana.balances() == (1_995_000, 0)
    assert await ben.balances() == (5_000, 0)
    assert done.summary == pending.summary
