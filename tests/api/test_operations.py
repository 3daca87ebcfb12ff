"""Moving money over HTTP: what is answered, what a repeated request does, and what a refusal leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response
from sqlalchemy import text

from llm_banking.identity.step_up import MAX_FAILURES
from llm_banking.kit import idempotency
from llm_banking.kit.database import Database
from tests.api.customers import Signed, world_of
from tests.api.people import code_of
from tests.identity.people import wrong_code
from tests.operations.world import World


@pytest.fixture
def world(app: FastAPI, client: AsyncClient, database: Database) -> Iterator[World]:
    with world_of(app, database) as found:
        yield found


@pytest.fixture
async def ana(app: FastAPI, client: AsyncClient, world: World) -> Signed:
    return Signed.of(app, client, await world.customer("Ana"))


@pytest.fixture
async def ben(app: FastAPI, client: AsyncClient, world: World) -> Signed:
    return Signed.of(app, client, await world.customer("Ben", "0.00"))


async def test_propose_confirm_and_read_the_receipt(ana: Signed) -> None:
    data = await ana.propose(ana.own("12.50"))
    assert (data["status"], data["amount"], data["fee"], data["currency"], data["requires"]) == (
        *("pending", "12.50", "0.00", "USD", []),
    )
    assert data["confirmation_code"] is None
    assert data["from_account"] == ana.own("12.50")["from_account"]
    assert "$12.50" in data["summary"]
    assert (await ana.get(f"/operations/{data['id']}")).json()["data"] == data
    assert (await ana.post(f"/operations/{data['id']}/step-up")).json()["data"] == {"challenge": None}
    assert await ana.customer.balances() == (2_000_000, 0)
    response = await ana.post(f"/operations/{data['id']}/confirm")
    done = response.json()["data"]
    assert (response.status_code, done["status"], done["summary"]) == (200, "executed", data["summary"])
    assert done["confirmation_code"]
    assert done["executed_at"]
    assert await ana.customer.balances() == (1_998_750, 1_250)
    assert (await ana.get(f"/operations/{data['id']}")).json()["data"] == done
    again = await ana.post(f"/operations/{data['id']}/confirm")
    assert code_of(again) == (409, "CONFLICT")
    assert await ana.customer.balances() == (1_998_750, 1_250)


async def test_a_payment_to_a_new_payee_is_proved(ana: Signed, ben: Signed) -> None:
    await ana.customer.add_app()
    payee = await ana.customer.payee(ben.customer, known=False)
    body = {
        "kind": "payee_transfer",
        "from_account": str(ana.customer.checking),
        "payee_id": str(payee),
        "amount": "5",
        "currency": "USD",
        "note": "hello",
    }
    data = await ana.propose(body)
    assert data["requires"] == ["totp", "webauthn"]
    path = f"/operations/{data['id']}/confirm"
    assert code_of(await ana.post(path)) == (403, "STEP_UP_REQUIRED")
    proof = await ana.code(data["id"])
    response = await ana.post(path, proof)
    assert (response.status_code, response.json()["data"]["status"]) == (200, "executed")
    assert await ben.customer.balances() == (500, 0)


async def test_a_wrong_code_is_counted_although_the_request_fails(ana: Signed, ben: Signed) -> None:
    await ana.customer.add_app()
    payee = await ana.customer.payee(ben.customer)
    sent = {"from_account": str(ana.customer.checking), "payee_id": str(payee), "currency": "USD"}
    data = await ana.propose({"kind": "payee_transfer", "amount": "300.00", **sent})
    proof = await ana.code(data["id"])
    wrong = {"step_up": {**proof["step_up"], "code": wrong_code(ana.customer.secret, ana.customer.world.clock)}}
    key = uuid4().hex
    for left in reversed(range(MAX_FAILURES)):
        refused = await ana.post(f"/operations/{data['id']}/confirm", wrong, key=key)
        assert code_of(refused) == (403, "STEP_UP_REQUIRED")
        assert refused.json()["error"]["details"] == {"reason": "wrong", "attempts_left": left}
    locked = await ana.post(f"/operations/{data['id']}/confirm", proof, key=key)
    assert locked.json()["error"]["details"]["reason"] == "locked"
    assert await ben.customer.balances() == (0, 0)


async def test_the_buttons_of_a_conversation(world: World, ana: Signed) -> None:
    chat = uuid4()
    yes, no, late = [await ana.customer.propose(ana.customer.own("1.00"), chat) for _ in range(3)]
    done = await ana.post(f"/chat/confirmations/{yes.id}", {"approve": True})
    assert (done.status_code, done.json()["data"]["status"]) == (200, "executed")
    off = await ana.post(f"/chat/confirmations/{no.id}", {"approve": False})
    assert (off.status_code, off.json()["data"]["status"]) == (200, "voided")
    for approve in (True, False):
        again = await ana.post(f"/chat/confirmations/{no.id}", {"approve": approve})
        assert code_of(again) == (409, "CONFLICT")
    world.clock.advance(minutes=5)
    assert code_of(await ana.post(f"/chat/confirmations/{late.id}", {"approve": True})) == (409, "PENDING_EXPIRED")
    assert await ana.customer.balances() == (1_999_900, 100)


async def test_somebody_elses_operation_is_not_there(ana: Signed, ben: Signed) -> None:
    data = await ana.propose(ana.own("1.00"))
    path = f"/operations/{data['id']}"
    for answer in (
        await ben.get(path),
        await ben.post(f"{path}/step-up"),
        await ben.post(f"{path}/confirm"),
        await ben.post(f"/chat/confirmations/{data['id']}", {"approve": True}),
        await ben.post(f"/chat/confirmations/{data['id']}", {"approve": False}),
    ):
        assert code_of(answer) == (404, "NOT_FOUND")
    assert (await ben.get("/operations")).json()["data"]["items"] == []
    assert (await ana.get(path)).json()["data"]["status"] == "pending"


async def test_the_largest_page_has_a_next_one(ana: Signed) -> None:
    """One hundred are sent, and the one after them says that there are more."""
    waiting = [await ana.customer.propose(ana.customer.own("1.00")) for _ in range(20)]
    async with ana.customer.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO pending_operations (id, user_id, kind, payload, payload_hash, summary, requires, channel, "
                "status, created_at, expires_at) SELECT gen_random_uuid(), user_id, kind, payload, payload_hash, "
                "summary, requires, channel, 'pending', created_at, expires_at FROM pending_operations, "
                "generate_series(1, 81) WHERE id = :id"
            ),
            {"id": waiting[0].id},
        )
    data = (await ana.get("/operations?limit=100")).json()["data"]
    assert len(data["items"]) == 100
    rest = (await ana.get(f"/operations?limit=100&cursor={data['next_cursor']}")).json()["data"]
    assert (len(rest["items"]), rest["next_cursor"]) == (1, None)


async def test_operations_are_listed_newest_first_in_pages(ana: Signed) -> None:
    made = [(await ana.propose(ana.own("1.00")))["id"] for _ in range(5)]
    found, cursor = [], ""
    for _ in range(3):
        data = (await ana.get(f"/operations?limit=2{cursor}")).json()["data"]
        found += [one["id"] for one in data["items"]]
        cursor = f"&cursor={data['next_cursor']}"
    assert data["next_cursor"] is None
    assert sorted(found, reverse=True) == found
    assert set(found) == set(made)
    assert code_of(await ana.get("/operations?cursor=x")) == (422, "INVALID_REQUEST")


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "-1.00"},
        {"amount": "1.001"},
        {"amount": 1},
        {"amount": "1e2"},
        {"amount": "0.00"},
        {"currency": "XXX"},
        {"currency": "EUR"},
        {"kind": "gift"},
        {"user_id": str(uuid4())},
        {"payee_id": str(uuid4())},
        {"fee": "0.00"},
    ],
)
async def test_what_makes_no_sense_is_refused(ana: Signed, change: dict[str, object]) -> None:
    response = await ana.post("/operations", ana.own("1.00") | change, key=uuid4().hex)
    assert code_of(response) == (422, "INVALID_REQUEST")


async def test_documented_refusals(ana: Signed, ben: Signed) -> None:
    for signed, amount, code in (
        (ana, "5000.01", "LIMIT_EXCEEDED"),
        (ben, "0.01", "INSUFFICIENT_FUNDS"),
    ):
        response = await signed.post("/operations", signed.own(amount), key=uuid4().hex)
        assert code_of(response) == (409, code)


# One key, one effect


async def test_fifty_duplicates_at_once_propose_one_operation(ana: Signed) -> None:
    key, body = uuid4().hex, ana.own("10.00")
    answers = await asyncio.gather(*(ana.post("/operations", body, key=key) for _ in range(50)))
    assert {one.status_code for one in answers} == {201}
    assert len({one.text.partition('"metadata"')[0] for one in answers}) == 1
    assert len((await ana.get("/operations")).json()["data"]["items"]) == 1
    assert answers[0].json()["data"] == (await ana.post("/operations", body, key=key)).json()["data"]


async def test_fifty_duplicates_at_once_move_the_money_once(ana: Signed) -> None:
    data = await ana.propose(ana.own("10.00"))
    path, key = f"/operations/{data['id']}/confirm", uuid4().hex
    answers = await asyncio.gather(*(ana.post(path, key=key) for _ in range(50)))
    assert {one.status_code for one in answers} == {200}
    assert len({one.text.partition('"metadata"')[0] for one in answers}) == 1
    assert await ana.customer.balances() == (1_999_000, 1_000)
    later = await ana.post(path, key=key)
    assert later.json()["data"] == answers[0].json()["data"]
    assert code_of(await ana.post(path, key=uuid4().hex)) == (409, "CONFLICT")


async def test_duplicates_whose_connections_break_move_the_money_once(ana: Signed) -> None:
    """Half of fifty are cut off at some point of their work; whoever asks again is given the one answer."""
    data = await ana.propose(ana.own("10.00"))
    path, key = f"/operations/{data['id']}/confirm", uuid4().hex

    async def asked(number: int) -> Response | None:
        request = asyncio.create_task(ana.post(path, key=key))
        if number % 2 == 0:
            await asyncio.wait({request}, timeout=number / 250)
            request.cancel()
        try:
            return await request
        except asyncio.CancelledError:
            return None

    answers = await asyncio.gather(*(asked(number) for number in range(50)))
    arrived = [one for one in answers if one is not None]
    assert len(arrived) < 50
    assert {one.status_code for one in arrived} == {200}
    assert len({one.text.partition('"metadata"')[0] for one in arrived}) == 1
    assert (await ana.post(path, key=key)).json()["data"] == arrived[0].json()["data"]
    assert await ana.customer.balances() == (1_999_000, 1_000)


async def test_a_key_is_good_for_one_request_of_one_person(ana: Signed, ben: Signed) -> None:
    key = uuid4().hex
    data = await ana.propose(ana.own("10.00"), key)
    changed = await ana.post("/operations", ana.own("11.00"), key=key)
    assert code_of(changed) == (422, "IDEMPOTENCY_MISMATCH")
    elsewhere = await ana.post(f"/operations/{data['id']}/confirm", key=key)
    assert code_of(elsewhere) == (422, "IDEMPOTENCY_MISMATCH")
    assert await ana.customer.balances() == (2_000_000, 0)
    theirs = await ben.post("/operations", ben.own("10.00"), key=key)
    assert code_of(theirs) == (409, "INSUFFICIENT_FUNDS"), "another person's key is another key"


async def test_a_request_that_failed_leaves_its_key_free(ana: Signed, ben: Signed) -> None:
    key = uuid4().hex
    assert code_of(await ben.post("/operations", ben.own("10.00"), key=key)) == (409, "INSUFFICIENT_FUNDS")
    assert (await ana.post("/operations", ana.own("10.00"), key=key)).status_code == 201


@pytest.mark.parametrize("key", [None, "short", "x" * 129, "with space in it"])
async def test_a_proposal_needs_a_key(ana: Signed, key: str | None) -> None:
    assert code_of(await ana.post("/operations", ana.own("1.00"), key=key)) == (422, "INVALID_REQUEST")


@pytest.fixture
async def other_connection(app: FastAPI) -> AsyncIterator[Database]:
    found = Database(app.state.services.settings.database_url.get_secret_value(), max_pool_size=1)
    yield found
    await found.close()


async def test_who_waits_too_long_for_the_first_is_told_so(
    ana: Signed, other_connection: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "WAIT_S", 0.05)
    key, user_id = uuid4().hex, ana.customer.id
    async with other_connection.transaction(visible_to={user_id}) as session:
        assert await idempotency.claim(session, user_id, key, route="POST /somewhere", body_hash=bytes(32)) is None
        assert code_of(await ana.post("/operations", ana.own("1.00"), key=key)) == (409, "IDEMPOTENCY_IN_FLIGHT")
        await idempotency.give_back(session, user_id, key)
    assert (await ana.post("/operations", ana.own("1.00"), key=key)).status_code == 201


async def test_a_key_is_kept_for_a_day(ana: Signed, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    key = uuid4().hex
    await ana.propose(ana.own("1.00"), key)
    monkeypatch.setattr(idempotency, "KEPT_FOR", -idempotency.KEPT_FOR)
    await ana.propose(ana.own("2.00"), uuid4().hex)
    monkeypatch.undo()
    async with database.transaction(visible_to={ana.customer.id}) as session:
        keys = list(await session.scalars(text("SELECT key FROM idempotency_keys")))
    assert key not in keys
    assert len(keys) == 1


async def test_without_the_claim_duplicates_do_it_twice(ana: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: keys are not looked at."""

    async def nothing(*_: object, **__: object) -> None:
        return None

    monkeypatch.setattr(idempotency, "claim", nothing)
    key = uuid4().hex
    for _ in range(2):
        await ana.propose(ana.own("1.00"), key)
    assert len((await ana.get("/operations")).json()["data"]["items"]) == 2


async def test_the_money_is_there_before_the_answer_leaves(ana: Signed, other_connection: Database) -> None:
    """Another connection sees it when the first byte of the answer is read."""
    data = await ana.propose(ana.own("10.00"))
    path = f"/api/v2/operations/{data['id']}/confirm"
    async with ana.client.stream("POST", path, headers={"Authorization": f"Bearer {ana.token}"}) as response:
        assert response.status_code == 200
        async with other_connection.transaction(visible_to={ana.customer.id}) as session:
            seen = await session.scalar(
                text("SELECT status FROM bank_operations WHERE pending_id = :id"), {"id": UUID(data["id"])}
            )
        assert seen == "executed"
