from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from llm_banking.identity.errors import TryLaterError
from llm_banking.identity.hashing import PasswordHasher
from llm_banking.settings import Settings


def cheap(max_running: int = 2, max_waiting: int = 4) -> PasswordHasher:
    return PasswordHasher(memory_kib=64, passes=1, max_running=max_running, max_waiting=max_waiting)


async def test_a_hash_fits_its_password_and_no_other() -> None:
    hasher = cheap()
    stored = await hasher.hash("plum kettle")
    assert stored.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert (await hasher.verify(stored, "plum kettle")).matches
    assert not (await hasher.verify(stored, "plum kettles")).matches
    assert stored != await hasher.hash("plum kettle"), "each hash has its own salt"


@pytest.mark.parametrize("stored", [None, "", "not a hash", "$argon2id$v=19$m=64,t=1,p=1$AAAA$AAAA"])
async def test_nothing_fits_where_there_is_no_hash(stored: str | None) -> None:
    hasher = cheap()
    assert not (await hasher.verify(stored, "anything")).matches
    assert not (await hasher.verify(stored, "")).matches


async def test_a_cheaper_hash_is_outdated_and_a_dearer_one_is_not() -> None:
    stored = await cheap().hash("plum kettle")
    dearer = PasswordHasher(memory_kib=128, passes=2, max_running=1, max_waiting=0)
    assert (await dearer.verify(stored, "plum kettle")).outdated
    assert not (await cheap().verify(stored, "plum kettle")).outdated
    assert not (await dearer.verify(stored, "wrong")).outdated


async def test_more_than_may_wait_are_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = cheap(max_running=1, max_waiting=2)
    release, running, most = threading.Event(), 0, 0

    def slow(*_: object) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        release.wait(10)
        running -= 1
        return "hash"

    monkeypatch.setattr(hasher, "_argon2", SimpleNamespace(hash=slow))
    tasks = [asyncio.create_task(hasher.hash("a")) for _ in range(10)]
    await asyncio.sleep(0)
    release.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    refused = [one for one in results if isinstance(one, TryLaterError)]
    assert (len(refused), results.count("hash"), most) == (7, 3, 1)
    assert refused[0].retry_after_s == 2
    assert await hasher.hash("a") == "hash", "there is room again"


@pytest.mark.parametrize("weak", [{"password_memory_kib": 1_024}, {"password_passes": 1}])
@pytest.mark.parametrize("environment", ["development", "staging", "production"])
def test_only_tests_may_hash_cheaply(weak: dict[str, int], environment: str) -> None:
    assert Settings.model_validate({"environment": "test", **weak})
    with pytest.raises(ValidationError, match="for ENVIRONMENT=test alone"):
        Settings.model_validate({"environment": environment, **weak})


def test_the_default_cost_is_that_of_the_standard() -> None:
    settings = Settings.model_validate({})
    assert (settings.password_memory_kib, settings.password_passes) == (19_456, 2)


def test_the_bank_profile_is_short() -> None:
    plain, bank = Settings.model_validate({}), Settings.model_validate({"LLM_BANKING_PROFILE": "bank"})
    assert (plain.access_token_s, bank.access_token_s) == (86_400, 600)
    assert bank.session_s < plain.session_s
    assert (plain.idle_s, bank.idle_s) == (7 * 86_400, 900)
    assert Settings.model_validate({"access_token_lifetime_s": 300}).access_token_s == 300
