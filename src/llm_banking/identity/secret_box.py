"""Small secrets in the database, encrypted so that a ciphertext is good in its own row and column only."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from llm_banking.identity.master_key import MasterKeys
from llm_banking.kit.errors import LlmBankingError

FORMAT = 1
NONCE_BYTES = 12
TAG_BYTES = 16
MAX_SECRET_BYTES = 4_096

_HEADER = struct.Struct(">BH")
"""Format, and the version of the master key."""


class SealedSecretError(LlmBankingError):
    """A stored secret cannot be opened: it was altered, moved, or its key is gone."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a secret is stored. It is bound into the ciphertext."""

    table: str
    column: str
    row: UUID | bytes


class SecretBox:
    """AES-256-GCM with a random 96-bit nonce (NIST SP 800-38D).

    The additional data is format, key version, table, column and row id. Shows nothing of its keys.
    """

    def __init__(self, keys: MasterKeys) -> None:
        self._newest = keys.versions[0]
        self._ciphers = {version: AESGCM(keys.derive("secret box", version)) for version in keys.versions}

    def __repr__(self) -> str:
        return f"SecretBox(newest={self._newest})"

    def seal(self, secret: bytes, place: Place) -> bytes:
        """Header, nonce, ciphertext and tag, under the newest key. Raises ValueError above MAX_SECRET_BYTES."""
        if len(secret) > MAX_SECRET_BYTES:
            raise ValueError(f"a sealed secret has at most {MAX_SECRET_BYTES} bytes")
        header = _HEADER.pack(FORMAT, self._newest)
        nonce = os.urandom(NONCE_BYTES)
        return header + nonce + self._ciphers[self._newest].encrypt(nonce, secret, _bound(header, place))

    def open(self, sealed: bytes, place: Place) -> bytes:
        """The secret. Raises SealedSecretError where a bit or the place differs, or the key is not there."""
        if len(sealed) < _HEADER.size + NONCE_BYTES + TAG_BYTES or sealed[0] != FORMAT:
            raise SealedSecretError(f"What is stored in {place.table}.{place.column} is not a sealed secret.")
        header, nonce = sealed[: _HEADER.size], sealed[_HEADER.size : _HEADER.size + NONCE_BYTES]
        cipher = self._ciphers.get(self.key_version(sealed))
        if cipher is None:
            raise SealedSecretError(
                f"A secret in {place.table}.{place.column} was sealed with master key version "
                f"{self.key_version(sealed)}, which the key file does not hold. Put that version back."
            )
        try:
            return cipher.decrypt(nonce, sealed[_HEADER.size + NONCE_BYTES :], _bound(header, place))
        except InvalidTag:
            raise SealedSecretError(
                f"A secret in {place.table}.{place.column} was altered, moved from another row, or sealed with "
                "another key of the same version. Restore the row and the key file from the same backup."
            ) from None

    def key_version(self, sealed: bytes) -> int:
        """The version of the master key that a sealed secret names, for whoever re-encrypts."""
        version: int = _HEADER.unpack_from(sealed)[1]
        return version


def _bound(header: bytes, place: Place) -> bytes:
    """The additional data; every part has its length before it, so that no two places read alike."""
    row = place.row.bytes if isinstance(place.row, UUID) else place.row
    parts = (header, place.table.encode(), place.column.encode(), row)
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)
