from __future__ import annotations

import json
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llm_banking.identity.errors import InvalidCredentialError
from llm_banking.identity.keyed_hash import KeyedHash
from llm_banking.identity.master_key import load_master_keys
from llm_banking.identity.signing_keys import MAX_KEYS, SigningKeys, rotate
from llm_banking.identity.tokens import AccessTokens, Subject
from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.ids import uuid7


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "signing.json"


def token_of(keys: SigningKeys) -> str:
    return tokens_of(keys).issue(Subject(uuid7(), "user", uuid7(), 0, ("pwd",)))


def tokens_of(keys: SigningKeys) -> AccessTokens:
    return AccessTokens(keys, audience="here", lifetime_s=600)


def test_the_first_start_makes_a_key_that_only_its_owner_reads(path: Path) -> None:
    keys = SigningKeys(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert SigningKeys(path).current().kid == keys.current().kid
    assert [one.name for one in path.parent.iterdir()] == ["signing.json"]


def test_processes_that_start_at_once_agree_on_one_key(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        kids = set(pool.map(lambda _: SigningKeys(path).current().kid, range(16)))
    assert len(kids) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_a_key_that_others_can_read_is_refused(path: Path, mode: int) -> None:
    SigningKeys(path)
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        SigningKeys(path)
    assert SigningKeys(path, private=False)


def test_nothing_secret_is_shown(path: Path) -> None:
    keys = SigningKeys(path)
    secret = json.loads(path.read_text())["keys"][0]["d"]
    shown = repr(keys) + repr(keys.current()) + json.dumps(keys.public_set())
    assert secret not in shown
    assert set(keys.public_set()["keys"][0]) == {"kty", "crv", "x", "kid", "alg", "use"}


def test_a_rotation_reaches_a_running_process_and_old_tokens_stay_good(path: Path) -> None:
    worker, other = SigningKeys(path), SigningKeys(path)
    before = token_of(worker)
    kid = rotate(path, overlap_s=600)
    after = token_of(worker)
    assert worker.current().kid == kid
    for keys in (worker, other):
        assert tokens_of(keys).check(before)
        assert tokens_of(keys).check(after), "the other process looks at the file for a key that it does not know"
    assert len(worker.public_set()["keys"]) == 2


def test_a_key_whose_time_is_over_verifies_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = SigningKeys(path)
    before = token_of(keys)
    old = keys.current().kid
    rotate(path, overlap_s=60)
    keys.reload_if_changed()
    assert keys.find(old)
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    assert keys.find(old) is None
    with pytest.raises(InvalidCredentialError):
        tokens_of(keys).check(before)
    assert len(keys.public_set()["keys"]) == 1
    rotate(path, overlap_s=60)
    assert old not in path.read_text(), "it is dropped at the next rotation"


def test_there_is_a_most_of_keys(path: Path) -> None:
    for _ in range(MAX_KEYS - 1):
        rotate(path, overlap_s=600)
    with pytest.raises(ConfigurationError, match="still verify"):
        rotate(path, overlap_s=600)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"current": "a", "keys": []}',
        '{"current": "a", "keys": [{"kid": "a", "kty": "oct", "k": "AA"}]}',
    ],
)
def test_a_file_that_is_no_key_set_is_refused_without_a_word_of_it(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="not a set of Ed25519 keys"):
        SigningKeys(path)


def test_a_running_process_keeps_its_keys_when_the_file_is_spoilt(path: Path) -> None:
    keys = SigningKeys(path)
    token = token_of(keys)
    path.write_text("spoilt")
    with pytest.raises(ConfigurationError):
        keys.reload_if_changed()
    assert tokens_of(keys).check(token)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        SigningKeys(blocked / "signing.json")


def test_a_keyed_hash_tells_purposes_and_parts_apart(tmp_path: Path) -> None:
    keyed, again = (KeyedHash.of(load_master_keys(tmp_path, None)) for _ in range(2))
    assert keyed("name", "a", "b") == again("name", "a", "b")
    assert (
        len({keyed("name", "a", "b"), keyed("place", "a", "b"), keyed("name", "ab"), keyed("name", "a", b"b", "")}) == 4
    )
    assert keyed("name", "a") != KeyedHash(os.urandom(32))("name", "a")
    assert repr(keyed) == "KeyedHash()"
    with pytest.raises(ConfigurationError):
        KeyedHash(b"short")
