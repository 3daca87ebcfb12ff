"""Secrets in the database open in their own place, unaltered, and with the key file alone."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from llm_banking.identity.master_key import KEY_FILE_NAME, MasterKeys, load_master_keys
from llm_banking.identity.secret_box import MAX_SECRET_BYTES, Place, SealedSecretError, SecretBox
from llm_banking.kit.errors import ConfigurationError

KEYS = MasterKeys({1: b"\x01" * 32})
BOX = SecretBox(KEYS)
ROW = UUID(int=7)
PLACE = Place("totp_secrets", "secret_encrypted", ROW)


@given(st.binary(max_size=200))
def test_what_is_sealed_opens_and_looks_different_each_time(secret: bytes) -> None:
    first, second = BOX.seal(secret, PLACE), BOX.seal(secret, PLACE)
    assert BOX.open(first, PLACE) == BOX.open(second, PLACE) == secret
    assert first != second
    assert len(secret) < 8 or secret not in first


def test_no_flipped_bit_is_overlooked() -> None:
    sealed = BOX.seal(b"twenty bytes of key!", PLACE)
    for bit in range(len(sealed) * 8):
        altered = bytearray(sealed)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealedSecretError):
            BOX.open(bytes(altered), PLACE)


@given(st.binary(max_size=100))
def test_garbage_is_refused_with_a_clear_error(garbage: bytes) -> None:
    with pytest.raises(SealedSecretError, match=r"totp_secrets\.secret_encrypted"):
        BOX.open(garbage, PLACE)


@pytest.mark.parametrize(
    "other",
    [
        Place("totp_secrets", "secret_encrypted", uuid4()),
        Place("totp_secrets", "secret_encrypte", ROW),
        Place("totp_secretss", "ecret_encrypted", ROW),
        Place("oidc_attempts", "secret_encrypted", ROW),
        Place("totp_secrets", "secret_encrypted", b""),
    ],
)
def test_a_secret_that_was_moved_does_not_open(other: Place) -> None:
    with pytest.raises(SealedSecretError):
        BOX.open(BOX.seal(b"secret", PLACE), other)


def test_after_a_rotation_old_secrets_open_and_new_ones_use_the_new_key() -> None:
    old = BOX.seal(b"secret", PLACE)
    rotated = SecretBox(MasterKeys({1: b"\x01" * 32, 2: b"\x02" * 32}))
    new = rotated.seal(b"secret", PLACE)
    assert rotated.open(old, PLACE) == rotated.open(new, PLACE) == b"secret"
    assert (rotated.key_version(old), rotated.key_version(new)) == (1, 2)
    with pytest.raises(SealedSecretError, match="version 2"):
        BOX.open(new, PLACE)
    with pytest.raises(SealedSecretError, match="altered"):
        SecretBox(MasterKeys({1: b"\x03" * 32})).open(old, PLACE)


def test_a_secret_has_a_largest_size() -> None:
    BOX.seal(bytes(MAX_SECRET_BYTES), PLACE)
    with pytest.raises(ValueError, match="at most"):
        BOX.seal(bytes(MAX_SECRET_BYTES + 1), PLACE)


def test_nothing_is_shown() -> None:
    keys = MasterKeys({1: b"zebra-4471-zebra-4471-zebra-4471"})
    for shown in (repr(keys), str(keys), repr(SecretBox(keys)), f"{keys!r}"):
        assert "zebra" not in shown
        assert keys.derive("secret box", 1).hex() not in shown


def test_hkdf_is_the_one_of_rfc_5869() -> None:
    """Appendix A.1, and our derivation against it: no salt, the purpose as information."""
    vector = HKDF(
        algorithm=SHA256(),
        length=42,
        salt=bytes.fromhex("000102030405060708090a0b0c"),
        info=bytes.fromhex("f0f1f2f3f4f5f6f7f8f9"),
    ).derive(b"\x0b" * 22)
    assert vector.hex().startswith("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf")
    expected = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"llm-banking/some purpose").derive(b"\x01" * 32)
    assert KEYS.derive("some purpose", 1) == expected
    assert len({KEYS.derive(purpose, 1) for purpose in ("a", "b", "secret box", "api key pepper")}) == 4


def test_the_first_start_makes_a_key_that_the_second_one_reads(tmp_path: Path) -> None:
    first = load_master_keys(tmp_path, None)
    file = tmp_path / "keys" / KEY_FILE_NAME
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert load_master_keys(tmp_path, None).derive("p", 1) == first.derive("p", 1)
    assert load_master_keys(tmp_path / "elsewhere", None).derive("p", 1) != first.derive("p", 1)
    assert [one.name for one in file.parent.iterdir()] == [KEY_FILE_NAME]


def _derived(home: Path) -> bytes:
    return load_master_keys(home, None).derive("p", 1)


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert len(set(pool.map(_derived, [tmp_path] * 4, chunksize=1))) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_file_that_others_can_read_stops_the_start(tmp_path: Path, mode: int) -> None:
    load_master_keys(tmp_path, None)
    (tmp_path / "keys" / KEY_FILE_NAME).chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_master_keys(tmp_path, None)


def test_a_named_key_file_is_never_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="MASTER_KEY_FILE"):
        load_master_keys(tmp_path, tmp_path / "absent")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigurationError):
        load_master_keys(tmp_path, tmp_path)


@pytest.mark.parametrize(
    "content",
    ["", "\n", "1", "0 " + "ab" * 32, "1 " + "AB" * 32, "1 " + "ab" * 31, "1 " + "ab" * 33, "70000 " + "ab" * 32,
     "1 " + "ab" * 32 + "\n1 " + "cd" * 32, "1 " + "ab" * 32 + "\nnonsense", "1 " + "ab" * 32 + "\n" * 5_000, "\xff"],
)  # fmt: skip
def test_a_key_file_of_another_form_stops_the_start_and_is_not_quoted(tmp_path: Path, content: str) -> None:
    file = tmp_path / "k"
    file.write_text(content, encoding="latin-1")
    file.chmod(0o600)
    with pytest.raises(ConfigurationError) as caught:
        load_master_keys(tmp_path, file)
    assert "abab" not in caught.value.message


def test_several_versions_are_read_and_the_highest_is_the_newest(tmp_path: Path) -> None:
    file = tmp_path / "k"
    file.write_text(f"2 {'cd' * 32}\n1 {'ab' * 32}\n")
    file.chmod(0o400)
    keys = load_master_keys(tmp_path, file)
    assert keys.versions == (2, 1)
    assert keys.derive_all("p") == (keys.derive("p", 2), keys.derive("p", 1))
