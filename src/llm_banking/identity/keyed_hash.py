"""Hashes that only the holder of a secret can make: for values that could be guessed, such as sign-in names."""

from __future__ import annotations

import hashlib
import hmac

from llm_banking.identity.master_key import MasterKeys
from llm_banking.kit.errors import ConfigurationError

KEY_BYTES = 32


class KeyedHash:
    """HMAC-SHA-256 under one secret. The purpose keeps equal values of different kinds apart."""

    def __init__(self, key: bytes) -> None:
        if len(key) < KEY_BYTES:
            raise ConfigurationError(f"The look-up key needs {KEY_BYTES} bytes.")
        self._key = key

    def __repr__(self) -> str:
        return "KeyedHash()"

    @classmethod
    def of(cls, keys: MasterKeys) -> KeyedHash:
        """The hash under the oldest master key: what was hashed is found as long as that key is kept."""
        return cls(keys.derive("look-up", min(keys.versions)))

    def __call__(self, purpose: str, *parts: bytes | str) -> bytes:
        """32 bytes. Parts are joined with their lengths, so that no two lists of parts give one input."""
        message = bytearray()
        for part in (purpose, *parts):
            raw = part.encode() if isinstance(part, str) else part
            message += len(raw).to_bytes(8, "big") + raw
        return hmac.new(self._key, message, hashlib.sha256).digest()
