"""A change of address over HTTP: the sign-in name follows, other sessions end, and a program may not ask for it."""

from __future__ import annotations

from uuid import UUID, uuid4

from fastapi import FastAPI
from httpx import AsyncClient

from llm_banking.identity.secret_box import SecretBox
from llm_banking.kit.database import Database
from llm_banking.operations.contact_codes import ContactCodes
from llm_banking.operations.models import ContactCode
from tests.api.people import Person, bearer, code_of, on_a_clock
from tests.identity.people import MASTER_KEYS


async def signed_in(person: Person) -> dict[str, str]:
    done = await person.second_step(await person.first_step())
    return bearer(done.json()["data"]["access_token"])


async def test_the_sign_in_name_follows(app: FastAPI, client: AsyncClient, database: Database) -> None:
    with on_a_clock(app) as (clock, factors):
        zoe = await Person.register(client, database, clock, factors)
        other, here = await signed_in(zoe), await signed_in(zoe)
        new = f"{uuid4().hex}@example.com"
        sent = {"kind": "contact_change", "email": new.upper()}
        for bad in ("none", "a@b", "a b@example.com", "ä@example.com"):
            keyed = here | {"Idempotency-Key": uuid4().hex}
            refused = await client.post("/api/v2/operations", json={**sent, "email": bad}, headers=keyed)
            assert code_of(refused) == (422, "INVALID_REQUEST")
        asked = await client.post("/api/v2/operations", json=sent, headers=here | {"Idempotency-Key": uuid4().hex})
        assert asked.status_code == 201, asked.text
        place = f"/api/v2/operations/{asked.json()['data']['id']}"
        assert new in asked.json()["data"]["summary"]
        codes = ContactCodes(app.state.services.identity.keyed, SecretBox(MASTER_KEYS))
        async with database.transaction(visible_to={zoe.user_id}) as session:
            code = codes.opened(await session.get_one(ContactCode, UUID(asked.json()["data"]["id"])))
        challenge = (await client.post(f"{place}/step-up", headers=here)).json()["data"]["challenge"]
        answer = {"step_up": {"challenge_id": challenge["challenge_id"], "code": zoe.code()}}
        missing = await client.post(f"{place}/confirm", json=answer, headers=here)
        assert (code_of(missing), missing.json()["error"]["details"]) == ((403, "STEP_UP_REQUIRED"), {"code": "needed"})
        wrong = f"{(int(code or 0) + 1) % 10**8:08d}"
        for left in (4, 3):
            refused = await client.post(f"{place}/confirm", json={**answer, "code": wrong}, headers=here)
            assert refused.json()["error"]["details"] == {"code": "wrong", "attempts_left": left}
            assert wrong not in refused.text
        done = await client.post(f"{place}/confirm", json={**answer, "code": code}, headers=here)
        assert (done.status_code, done.json()["data"]["status"]) == (200, "executed"), done.text
        assert (await client.get("/api/v2/operations", headers=here)).status_code == 200
        async with database.transaction(visible_to={zoe.user_id}) as session:
            await app.state.services.identity.revocations.refresh(session)
        assert (await client.get("/api/v2/operations", headers=other)).status_code == 401
        assert (await zoe.login()).status_code == 401
        zoe.email = new
        assert (await zoe.login()).status_code == 202


async def test_who_did_not_sign_in_changes_no_address(client: AsyncClient) -> None:
    sent = {"kind": "contact_change", "email": "somebody@example.com"}
    answer = await client.post("/api/v2/operations", json=sent, headers={"Idempotency-Key": uuid4().hex})
    assert code_of(answer)[0] == 403
