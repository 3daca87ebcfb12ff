"""Hashes that only the holder of a secret can make: for values that could be guessed, such as sign-in names."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path

from llm_banking.identity.key_files import read_or_make
from llm_banking.kit.errors import ConfigurationError

KEY_BYTES = 32


class KeyedHash:
    """HMAC-SHA-256 under one secret. The purpose keeps equal values of different kinds apart."""

    def __init__(self, key: bytes) -> None:
        if len(key) < KEY_BYTES:
            raise ConfigurationError(f"The look-up key needs {KEY_BYTES} bytes. Delete its file to have one made.")
        self._key = key

    def __repr__(self) -> str:
        return "KeyedHash()"

    @classmethod
    def open(cls, path: Path, *, private: bool = True) -> KeyedHash:
        """The hash under the secret in a file, which is made at the first call. Raises ConfigurationError."""
        return cls(read_or_make(path, lambda: secrets.token_bytes(KEY_BYTES), private=private))

    def __call__(self, purpose: str, *parts: bytes | str) -> bytes:
        """32 bytes. Parts are joined with their lengths, so that no two lists of parts give one input."""
        message = bytearray()
        for part in (purpose, *parts):
            raw = part.encode() if isinstance(part, str) else part
            message += len(raw).to_bytes(8, "big") + raw
        return hmac.new(self._key, message, hashlib.sha256).digest()
