"""Planned payments over HTTP: planned, read, made by the worker, cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from llm_banking.kit.database import Database
from tests.api.customers import Signed, world_of
from tests.api.people import code_of
from tests.operations.world import World


@pytest.fixture
def world(app: FastAPI, client: AsyncClient, database: Database) -> Iterator[World]:
    with world_of(app, database) as found:
        yield found


@pytest.fixture
async def ana(app: FastAPI, client: AsyncClient, world: World) -> Signed:
    return Signed.of(app, client, await world.customer("Ana"))


async def planned(ana: Signed, when: dict[str, Any], amount: str = "5.00") -> str:
    data = await ana.propose(ana.own(amount) | {"when": when})
    done = (await ana.post(f"/operations/{data['id']}/confirm")).json()["data"]
    assert (done["status"], done["executed_at"], done["when"]) == ("scheduled", None, data["when"])
    return str(data["id"])


def in_days(world: World, days: int) -> str:
    """A day as bodies write it; the bank's day, which the gate reads from the real clock where the app's does."""
    return (world.clock().date() + timedelta(days=days)).isoformat()


async def test_planned_read_made_and_over(world: World, ana: Signed) -> None:
    first = in_days(world, 3)
    schedule = await planned(ana, {"frequency": "weekly", "first_day": first, "count": 2})
    (listed,) = (await ana.get("/scheduled-payments")).json()["data"]["items"]
    assert (listed["id"], listed["status"], listed["amount"], listed["currency"]) == (schedule, "active", "5.00", "USD")
    assert listed["when"] == {"frequency": "weekly", "first_day": first, "every": 1, "last_day": None, "count": 2}
    for _ in range(25):
        world.clock.advance(days=1)
        await world.pay_due(ana.customer)
    details = (await ana.get(f"/scheduled-payments/{schedule}")).json()["data"]
    assert details["scheduled_payment"]["status"] == "finished"
    assert [(run["number"], run["attempt"], run["status"]) for run in details["runs"]] == [
        *((2, 1, "executed"), (1, 1, "executed")),
    ]
    assert await ana.customer.balances() == (1_999_000, 1_000)


async def test_a_cancelled_one_pays_no_more_and_is_cancelled_once(world: World, ana: Signed) -> None:
    schedule = await planned(ana, {"day": in_days(world, 3)})
    key = uuid4().hex
    done = await ana.post(f"/scheduled-payments/{schedule}/cancel", key=key)
    assert (done.status_code, done.json()["data"]["kind"], done.json()["data"]["amount"]) == (
        *(200, "cancel_schedule", None),
    )
    again = await ana.post(f"/scheduled-payments/{schedule}/cancel", key=key)
    assert again.json()["data"] == done.json()["data"]
    assert code_of(await ana.post(f"/scheduled-payments/{schedule}/cancel")) == (409, "CONFLICT")
    world.clock.advance(days=10)
    assert await world.pay_due(ana.customer) == []
    assert (await ana.get(f"/scheduled-payments/{schedule}")).json()["data"]["scheduled_payment"][
        "status"
    ] == "cancelled"
    assert code_of(await ana.post(f"/scheduled-payments/{uuid4()}/cancel")) == (404, "NOT_FOUND")


async def test_pages_hold_every_schedule_once(world: World, ana: Signed) -> None:
    ids = [await planned(ana, {"day": in_days(world, 3)}) for _ in range(5)]
    found: list[str] = []
    cursor = ""
    while True:
        page = (await ana.get(f"/scheduled-payments?limit=2{cursor}")).json()["data"]
        found += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == ids[::-1]


@pytest.mark.parametrize(
    ("when", "status"),
    [
        ("tomorrow", 422),
        ({"day": "2027-02-30"}, 422),
        ({"day": "2020-01-01"}, 422),
        ({"day": "9999-12-31"}, 422),
        ({"day": "2027-01-01", "count": 2}, 422),
        ({"frequency": "daily", "first_day": "2027-01-01"}, 422),
        ({"frequency": "monthly", "first_day": "9999-12-31"}, 422),
        ({"frequency": "monthly", "first_day": "2027-01-01", "every": 0}, 422),
        ({"frequency": "monthly", "first_day": "2027-01-01", "count": 0}, 422),
        (None, 422),
    ],
)
async def test_what_is_no_plan_is_refused(ana: Signed, when: Any, status: int) -> None:
    response = await ana.post("/operations", ana.own("1.00") | {"when": when}, key=uuid4().hex)
    assert response.status_code == status, response.text
