"""An authenticator in software (WebAuthn Level 2, section 6): makes keys, and answers as a browser would send it."""

from __future__ import annotations

import hashlib
import json
import secrets
import struct
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

ORIGIN = "http://localhost:8000"
RP_ID = "localhost"
ES256, EDDSA = -7, -8
UP, UV, AT = 0x01, 0x04, 0x40

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass
class SoftwareAuthenticator:
    """One passkey. Its fields may be changed to make it misbehave."""

    algorithm: int = ES256
    origin: str = ORIGIN
    rp_id: str = RP_ID
    flags: int = UP | UV
    counter: int = 0
    counts: bool = True
    cross_origin: bool = False
    user_handle: bytes | None = None
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: Key = field(init=False)

    def __post_init__(self) -> None:
        made = (
            ed25519.Ed25519PrivateKey.generate() if self.algorithm == EDDSA else ec.generate_private_key(ec.SECP256R1())
        )
        self.key = made

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to `navigator.credentials.create`."""
        assert self.algorithm in [one["alg"] for one in options["pubKeyCredParams"]]
        self.user_handle = base64url_to_bytes(options["user"]["id"])
        attested = bytes(16) + struct.pack(">H", len(self.credential_id)) + self.credential_id + self._cose()
        made = {"fmt": "none", "attStmt": {}, "authData": self._data(AT) + attested}
        response = {
            "clientDataJSON": bytes_to_base64url(self._client_data("webauthn.create", options["challenge"])),
            "attestationObject": bytes_to_base64url(cbor2.dumps(made)),
        }
        return self._credential(response)

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to `navigator.credentials.get`."""
        data, client = self._data(0), self._client_data("webauthn.get", options["challenge"])
        signature = self.sign(data + hashlib.sha256(client).digest())
        response = {
            "clientDataJSON": bytes_to_base64url(client),
            "authenticatorData": bytes_to_base64url(data),
            "signature": bytes_to_base64url(signature),
        }
        if self.user_handle is not None:
            response["userHandle"] = bytes_to_base64url(self.user_handle)
        return self._credential(response)

    def sign(self, data: bytes) -> bytes:
        """The passkey's signature."""
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(data)
        return self.key.sign(data, ec.ECDSA(SHA256()))

    def _credential(self, response: dict[str, str]) -> dict[str, Any]:
        name = bytes_to_base64url(self.credential_id)
        return {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}

    def _client_data(self, kind: str, challenge: str) -> bytes:
        data = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": self.cross_origin}
        return json.dumps(data).encode()

    def _data(self, more_flags: int) -> bytes:
        if self.counts:
            self.counter += 1
        return hashlib.sha256(self.rp_id.encode()).digest() + struct.pack(">BI", self.flags | more_flags, self.counter)

    def _cose(self) -> bytes:
        public = self.key.public_key()
        if isinstance(public, ed25519.Ed25519PublicKey):
            return cbor2.dumps({1: 1, 3: EDDSA, -1: 6, -2: public.public_bytes(Encoding.Raw, PublicFormat.Raw)})
        numbers = public.public_numbers()
        return cbor2.dumps(
            {1: 2, 3: ES256, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        )
