"""The Ed25519 keys of access tokens: a JWK set (RFC 7517) in one file, one key of which signs.

Rotation adds a key that signs from now on; the one before it still verifies until its last token is over.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from llm_banking.identity.key_files import read_or_make, replace
from llm_banking.kit.errors import ConfigurationError

ALGORITHM = "Ed25519"
"""EdDSA over edwards25519 under its fully specified name (RFC 9864), which leaves no curve to choose."""
MAX_KEYS = 16
_KEY_ID_BYTES = 16


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """One key. `verify_until` (Unix seconds) is when a key that no longer signs stops verifying, too."""

    kid: str
    jwk: OKPKey
    verify_until: int | None

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.kid!r})"

    def verifies_at(self, now: float) -> bool:
        """Whether the key may still be believed."""
        return self.verify_until is None or now < self.verify_until

    def public(self) -> dict[str, str]:
        """The public JWK: these members and no others."""
        return {"kty": "OKP", "crv": "Ed25519", "x": self.jwk.as_dict(private=False)["x"], **self._labels()}  # type: ignore[dict-item]

    def stored(self) -> dict[str, Any]:
        """The private JWK as the file holds it."""
        kept = {name: self.jwk.as_dict(private=True)[name] for name in ("kty", "crv", "x", "d")} | self._labels()
        return kept if self.verify_until is None else kept | {"verify_until": self.verify_until}

    def _labels(self) -> dict[str, str]:
        return {"kid": self.kid, "alg": ALGORITHM, "use": "sig"}


@dataclass(frozen=True, slots=True)
class _KeySet:
    """What one version of the file says."""

    current: SigningKey
    by_kid: dict[str, SigningKey]

    def document(self) -> bytes:
        keys = [key.stored() for key in self.by_kid.values()]
        return json.dumps({"current": self.current.kid, "keys": keys}, indent=1).encode() + b"\n"


class SigningKeys:
    """The keys of a file, read again when the file changes, so that a rotation reaches every running process."""

    def __init__(self, path: Path, *, private: bool = True) -> None:
        """Open the file; the first process makes it. Raises ConfigurationError."""
        self._path = path
        self._private = private
        self._read = _parse(read_or_make(path, lambda: _first().document(), private=private))
        self._version = self._stamp()

    def __repr__(self) -> str:
        return f"SigningKeys(current={self._read.current.kid!r})"

    def current(self) -> SigningKey:
        """The key that signs."""
        return self._read.current

    def find(self, kid: str) -> SigningKey | None:
        """The key of that id, unless its time is over. An unknown id makes the file be looked at again."""
        if kid not in self._read.by_kid:
            self.reload_if_changed()
        key = self._read.by_kid.get(kid)
        return key if key is not None and key.verifies_at(time.time()) else None

    def public_set(self) -> dict[str, list[dict[str, str]]]:
        """The JWK set for others: public members of the keys that verify now."""
        now = time.time()
        return {"keys": [key.public() for key in self._read.by_kid.values() if key.verifies_at(now)]}

    def reload_if_changed(self) -> None:
        """Read the file again if it was replaced. Raises ConfigurationError, and keeps the keys it had."""
        stamp = self._stamp()
        if stamp == self._version:
            return
        self._version = stamp
        self._read = _parse(read_or_make(self._path, self._read.document, private=self._private))

    def _stamp(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except OSError as error:
            raise ConfigurationError(f"The key file {self._path} cannot be used: {error.strerror}.") from None
        return found.st_mtime_ns, found.st_ino


def rotate(path: Path, *, overlap_s: int, private: bool = True) -> str:
    """Add a key to the file and let it sign; returns its id. The earlier one verifies for `overlap_s` more seconds.

    `overlap_s` is at least the lifetime of an access token. Keys whose time is over are dropped. One process at a time
    may do this. Raises ConfigurationError.
    """
    before = _parse(read_or_make(path, lambda: _first().document(), private=private))
    now = int(time.time())
    kept = {}
    for kid, key in before.by_kid.items():
        until = now + overlap_s if key.verify_until is None else key.verify_until
        if until > now:
            kept[kid] = SigningKey(kid, key.jwk, until)
    if len(kept) >= MAX_KEYS:
        raise ConfigurationError(f"{MAX_KEYS} signing keys still verify. Wait until one of them is over.")
    added = _new_key()
    replace(path, _KeySet(added, kept | {added.kid: added}).document())
    return added.kid


def _new_key() -> SigningKey:
    return SigningKey(secrets.token_urlsafe(_KEY_ID_BYTES), OKPKey.generate_key("Ed25519"), None)


def _first() -> _KeySet:
    key = _new_key()
    return _KeySet(key, {key.kid: key})


def _parse(content: bytes) -> _KeySet:
    """Raises ConfigurationError that says nothing of the content."""
    unusable = ConfigurationError(
        "The signing key file is not a set of Ed25519 keys with a current one. Restore it, or delete it to have a new "
        "one made; that signs everybody out."
    )
    try:
        document = json.loads(content)
        by_kid = {entry["kid"]: _parse_key(entry) for entry in document["keys"]}
        current = by_kid[document["current"]]
    except (ValueError, KeyError, TypeError, JoseError):
        raise unusable from None
    if current.verify_until is not None or len(by_kid) != len(document["keys"]) or len(by_kid) > MAX_KEYS:
        raise unusable
    return _KeySet(current, by_kid)


def _parse_key(entry: dict[str, Any]) -> SigningKey:
    until = entry.get("verify_until")
    if not isinstance(entry["kid"], str) or entry["crv"] != "Ed25519" or not isinstance(until, int | None):
        raise TypeError
    jwk = OKPKey.import_key({name: entry[name] for name in ("kty", "crv", "x", "d")})
    return SigningKey(entry["kid"], jwk, until)
