"""The server's master keys, from one file, and the keys for single purposes that are derived from them."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from llm_banking.identity.key_files import read_or_make
from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.logs import get_logger

KEY_BYTES = 32
KEY_FILE_NAME = "master.key"
MAX_KEYS = 16
MAX_KEY_FILE_BYTES = 4_096
MAX_VERSION = 0xFFFF

_LINE = re.compile(r"([1-9][0-9]{0,4}) ([0-9a-f]{64})", re.ASCII)
_HOW_TO_MAKE = "A key file holds lines of a version number, a space and 64 hexadecimal digits, and has mode 600"


class MasterKeys:
    """Every version of the master key; the highest is the newest. Shows nothing of them."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        """Raises ConfigurationError where there is no key, or one of another length or version."""
        if not 1 <= len(keys) <= MAX_KEYS:
            raise ConfigurationError(f"The key file needs 1 to {MAX_KEYS} keys. {_HOW_TO_MAKE}.")
        if any(len(key) != KEY_BYTES or not 1 <= version <= MAX_VERSION for version, key in keys.items()):
            raise ConfigurationError(f"Key versions go from 1 to {MAX_VERSION}, and keys have {KEY_BYTES} bytes.")
        self._keys = dict(keys)

    def __repr__(self) -> str:
        return f"MasterKeys(versions={list(self.versions)})"

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions that are there, newest first."""
        return tuple(sorted(self._keys, reverse=True))

    def derive(self, purpose: str, version: int) -> bytes:
        """The 32-byte key of one purpose under one version (HKDF-SHA-256, RFC 5869)."""
        hkdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"llm-banking/" + purpose.encode())
        return hkdf.derive(self._keys[version])

    def derive_all(self, purpose: str) -> tuple[bytes, ...]:
        """The keys of one purpose, newest first: what was hashed under an older master key is still found."""
        return tuple(self.derive(purpose, version) for version in self.versions)


def load_master_keys(home: Path, file: Path | None) -> MasterKeys:
    """The keys in `file`; with none named, those in the home's key folder, made at the first start.

    Raises ConfigurationError where the named file is missing, can be read by others, or does not hold keys.
    """
    if file is not None:
        return _read(file)
    own = home / "keys" / KEY_FILE_NAME
    read_or_make(own, _first_key)
    return _read(own)


def _first_key() -> bytes:
    get_logger("llm_banking.identity").warning("a master key was made; back it up apart from the database")
    return f"1 {secrets.token_hex(KEY_BYTES)}\n".encode()


def _read(file: Path) -> MasterKeys:
    try:
        with file.open("rb") as source:
            found = os.fstat(source.fileno())
            content = source.read(MAX_KEY_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"The master key file cannot be read ({error.strerror}). Put it where MASTER_KEY_FILE says. {_HOW_TO_MAKE}."
        ) from None
    if found.st_mode & 0o077:
        raise ConfigurationError("The master key file must be a file that its owner alone can read: chmod 600.")
    if found.st_uid not in (os.geteuid(), 0):
        raise ConfigurationError("The master key file must belong to the user that the server runs as, or to root.")
    return _parse(content)


def _parse(content: bytes) -> MasterKeys:
    lines = content.decode("ascii", errors="replace").splitlines()
    matches = [_LINE.fullmatch(line) for line in lines]
    keys = {int(match[1]): bytes.fromhex(match[2]) for match in matches if match}
    if len(content) > MAX_KEY_FILE_BYTES or len(keys) != len(lines):
        raise ConfigurationError(f"The master key file does not have its form. {_HOW_TO_MAKE}, each version once.")
    return MasterKeys(keys)
