from __future__ import annotations

import time
from contextlib import suppress
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from llm_banking.identity import revocations
from llm_banking.identity.errors import InvalidCredentialError, RevocationsStaleError
from llm_banking.identity.revocations import Revocations
from llm_banking.identity.wiring import Upkeep, build_identity
from llm_banking.kit.database import Database, Scope
from llm_banking.kit.errors import LlmBankingError
from llm_banking.settings import Settings

STALE_S = 30.0


async def fresh(database: Database) -> Revocations:
    """Another worker's knowledge, up to date now."""
    found = Revocations(token_lifetime_s=600, stale_s=STALE_S)
    await read(found, database)
    return found


async def read(worker: Revocations, database: Database) -> None:
    async with database.transaction(scope=Scope.IDENTITY) as session:
        await worker.refresh(session)


def knows(worker: Revocations, *, session_id: object = None, user_id: object = None, epoch: int = 0) -> bool:
    try:
        worker.check_token(session_id=session_id or uuid4(), user_id=user_id or uuid4(), epoch=epoch)  # type: ignore[arg-type]
    except InvalidCredentialError:
        return True
    return False


async def test_each_kind_is_known_here_at_once_and_elsewhere_after_a_read(database: Database) -> None:
    here, elsewhere = await fresh(database), await fresh(database)
    family, user = uuid4(), uuid4()
    async with database.transaction(scope=Scope.IDENTITY) as session:
        await here.revoke_family(session, family)
        await here.revoke_epochs_below(session, user, 3)
        assert not knows(here, session_id=family), "not before it is committed"
    for worker in (here, elsewhere):
        if worker is elsewhere:
            assert not knows(worker, session_id=family)
            await read(worker, database)
        assert knows(worker, session_id=family)
        assert knows(worker, user_id=user, epoch=2)
        assert not knows(worker, user_id=user, epoch=3)


async def test_a_process_that_starts_later_reads_everything(database: Database) -> None:
    here, family = await fresh(database), uuid4()
    async with database.transaction(scope=Scope.IDENTITY) as session:
        await here.revoke_family(session, family)
    assert knows(await fresh(database), session_id=family)


async def test_what_was_rolled_back_is_not_revoked(database: Database) -> None:
    here, family = await fresh(database), uuid4()
    with suppress(LlmBankingError):
        async with database.transaction(scope=Scope.IDENTITY) as session:
            await here.revoke_family(session, family)
            raise LlmBankingError("no")
    await read(here, database)
    assert not knows(here, session_id=family)


async def seen_late(database: Database) -> bool:
    """Whether a row that is stamped early and committed late is found by a read that comes after others."""
    writer, worker = await fresh(database), await fresh(database)
    early, late = uuid4(), uuid4()
    async with database.transaction(scope=Scope.IDENTITY) as session:
        await writer.revoke_family(session, early)
        async with database.transaction(scope=Scope.IDENTITY) as other:
            await writer.revoke_family(other, late)
        await read(worker, database)
        assert knows(worker, session_id=late)
        assert not knows(worker, session_id=early)
    await read(worker, database)
    return knows(worker, session_id=early)


async def test_a_late_commit_is_not_missed(database: Database) -> None:
    assert await seen_late(database)


async def test_the_overlap_is_what_finds_it(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: reads that begin where the last one ended."""
    monkeypatch.setattr(revocations, "OVERLAP_S", 0)
    assert not await seen_late(database)


async def test_an_epoch_is_never_lowered(database: Database) -> None:
    here, user = await fresh(database), uuid4()
    for epoch in (5, 2):
        async with database.transaction(scope=Scope.IDENTITY) as session:
            await here.revoke_epochs_below(session, user, epoch)
    assert knows(here, user_id=user, epoch=4)


async def test_nothing_is_believed_while_it_is_not_known(database: Database) -> None:
    never = Revocations(token_lifetime_s=600, stale_s=STALE_S)
    with pytest.raises(RevocationsStaleError):
        knows(never)
    worker = await fresh(database)
    worker._read_at = time.monotonic() - STALE_S - 0.1
    with pytest.raises(RevocationsStaleError):
        knows(worker)
    await read(worker, database)
    assert not knows(worker)


async def test_what_has_expired_is_forgotten(database: Database) -> None:
    here, family = await fresh(database), uuid4()
    here._ended["family", family] = time.time() - 1
    here._full_read_at = float("-inf")
    await read(here, database)
    assert ("family", family) not in here._ended


async def test_a_database_that_is_away_is_survived_and_said_once(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = build_identity(settings)
    away = Upkeep(identity, "postgresql://nobody@127.0.0.1:1/none")
    with capture_logs() as said:
        async with away.running():
            with pytest.raises(RevocationsStaleError):
                identity.revocations.check_fresh()
            assert not await away.once(away.read)
        monkeypatch.setattr(away, "_database", database)
        await away.once(away.read)
    assert [one["event"] for one in said] == ["identity cannot be kept up to date", "identity is up to date again"]
    identity.revocations.check_fresh()
    await away.purge()
