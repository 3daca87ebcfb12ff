"""Bad access tokens, each made from a good one's parts. None may ever be accepted."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwe
from joserfc.jwk import OctKey

L = 2**252 + 27742317777372353535851937790883648493
"""Order of the base point of edwards25519 (RFC 8032, section 5.1)."""


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(frozen=True)
class Material:
    """What an attacker may have, and more: the server's own key, to make tokens that only our checks can refuse."""

    good: str
    key: Ed25519PrivateKey
    kid: str
    retired_kid: str
    retired_key: Ed25519PrivateKey
    refresh_token: str

    @property
    def header(self) -> dict[str, Any]:
        return {"alg": "Ed25519", "kid": self.kid, "typ": "at+jwt"}

    @property
    def claims(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(unb64(self.good.split(".")[1]))
        return found

    @property
    def public_raw(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    @property
    def public_pem(self) -> bytes:
        return self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def public_jwk(self) -> dict[str, str]:
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(self.public_raw)}

    def written(self, header: str | bytes, payload: str | bytes, key: Ed25519PrivateKey | None = None) -> str:
        """Signed exactly as written."""
        parts = [b64(one.encode() if isinstance(one, str) else one) for one in (header, payload)]
        signed = ".".join(parts)
        return f"{signed}.{b64((key or self.key).sign(signed.encode()))}"

    def signed(self, header: dict[str, Any] | None = None, claims: dict[str, Any] | None = None) -> str:
        """Signed with the server's own key."""
        return self.written(json.dumps(header or self.header), json.dumps(claims or self.claims))

    def with_header(self, **changes: Any) -> str:
        """A good payload under a changed header; None takes a parameter away."""
        return self.signed(header=_changed(self.header, changes))

    def with_claims(self, **changes: Any) -> str:
        """Changed claims under a good header; None takes a claim away."""
        return self.signed(claims=_changed(self.claims, changes))

    def with_raw_claim(self, name: str, literal: str) -> str:
        """A claim written as this JSON text, which Python might not write."""
        marked = json.dumps({**self.claims, name: "@@"}).replace('"@@"', literal)
        return self.written(json.dumps(self.header), marked)

    def mac(self, alg: str, secret: bytes, **more: Any) -> str:
        """Signed by HMAC: what a verifier does that takes the algorithm from the token."""
        digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[alg]
        signed = f"{b64(json.dumps({**self.header, 'alg': alg, **more}).encode())}.{self.good.split('.')[1]}"
        return f"{signed}.{b64(hmac.new(secret, signed.encode(), digest).digest())}"

    def foreign(self, key: Ed25519PrivateKey, **header: Any) -> str:
        """Good claims signed with somebody else's key."""
        return self.written(json.dumps({**self.header, **header}), json.dumps(self.claims), key)


def _changed(before: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**before, **changes}.items() if value is not None}


Forge = Callable[[Material], str]
ATTACKER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ATTACKER_JWK = {"kty": "OKP", "crv": "Ed25519", "x": b64(ATTACKER.public_key().public_bytes_raw()), "kid": "evil"}


def now() -> int:
    """Seconds since 1970, when a token is forged: a suite that runs for long would catch up with its beginning."""
    return int(time.time())


def _unsigned(alg: str, signature: str = "") -> Forge:
    return lambda m: f"{b64(json.dumps({**m.header, 'alg': alg}).encode())}.{m.good.split('.')[1]}.{signature}"


def _unsigned_kept(alg: str) -> Forge:
    return lambda m: f"{b64(json.dumps({**m.header, 'alg': alg}).encode())}.{'.'.join(m.good.split('.')[1:])}"


def _es256(m: Material) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    signed = f"{b64(json.dumps({**m.header, 'alg': 'ES256'}).encode())}.{m.good.split('.')[1]}"
    return f"{signed}.{b64(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256()))[:64])}"


def _rs256(m: Material) -> str:
    key = rsa.generate_private_key(65_537, 2_048)
    signed = f"{b64(json.dumps({**m.header, 'alg': 'RS256'}).encode())}.{m.good.split('.')[1]}"
    return f"{signed}.{b64(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _ed448(m: Material) -> str:
    signed = f"{b64(json.dumps({**m.header, 'alg': 'Ed448'}).encode())}.{m.good.split('.')[1]}"
    return f"{signed}.{b64(ed448.Ed448PrivateKey.generate().sign(signed.encode()))}"


def _malleable(m: Material) -> str:
    """S + L instead of S: the same equation, which RFC 8032, section 5.1.7 refuses."""
    head, _, signature = m.good.rpartition(".")
    raw = unb64(signature)
    larger = int.from_bytes(raw[32:], "little") + L
    return f"{head}.{b64(raw[:32] + larger.to_bytes(32, 'little'))}"


def _free_bits(m: Material) -> str:
    """The unused low bits of the last character set: the same bytes to a lenient decoder."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return m.good[:-1] + alphabet[alphabet.index(m.good[-1]) + 1]


def _encrypted(m: Material) -> str:
    key = OctKey.import_key(m.public_raw)
    return jwe.encrypt_compact({"alg": "dir", "enc": "A128CBC-HS256", "cty": "at+jwt"}, m.good.encode(), key)


def _flipped(segment: int) -> Forge:
    def forge(m: Material) -> str:
        parts = m.good.split(".")
        raw = bytearray(unb64(parts[segment]))
        raw[len(raw) // 2] ^= 1
        parts[segment] = b64(bytes(raw))
        return ".".join(parts)

    return forge


def _swapped_payload(m: Material) -> str:
    head, _, signature = m.good.split(".")
    return f"{head}.{b64(json.dumps({**m.claims, 'sub': str(uuid4()), 'account_type': 'admin'}).encode())}.{signature}"


def _json_serialised(m: Material) -> str:
    head, payload, signature = m.good.split(".")
    return json.dumps({"protected": head, "payload": payload, "signature": signature})


def _nested(m: Material) -> str:
    return m.written(json.dumps({**m.header, "cty": "JWT"}), m.good)


def _number(name: str, like: str, write: Callable[[int], str]) -> Forge:
    """A good moment, badly written: so that nothing but the writing can be refused."""
    return lambda m: m.with_raw_claim(name, write(m.claims[like]))


def _without(name: str) -> Forge:
    return lambda m: m.with_claims(**{name: None})


ALGORITHMS: dict[str, Forge] = {
    "alg none": _unsigned("none"),
    "alg None": _unsigned("None"),
    "alg NONE": _unsigned("NONE"),
    "alg nOnE": _unsigned("nOnE"),
    "alg none with a signature": _unsigned("none", "AAAA"),
    "alg none with the good signature": _unsigned_kept("none"),
    "alg empty": _unsigned_kept(""),
    "alg missing": lambda m: m.with_header(alg=None),
    "alg null": lambda m: m.written(json.dumps({**m.header, "alg": None}), json.dumps(m.claims)),
    "alg a number": lambda m: m.with_header(alg=0),
    "alg a list": lambda m: m.with_header(alg=["Ed25519"]),
    "alg in other case": lambda m: m.with_header(alg="ed25519"),
    "alg under its wider name": lambda m: m.with_header(alg="EdDSA"),
    "HS256 with the raw public key": lambda m: m.mac("HS256", m.public_raw),
    "HS256 with the PEM": lambda m: m.mac("HS256", m.public_pem),
    "HS256 with the stripped PEM": lambda m: m.mac("HS256", m.public_pem.strip()),
    "HS256 with the JWK": lambda m: m.mac("HS256", json.dumps(m.public_jwk).encode()),
    "HS256 with the x of the JWK": lambda m: m.mac("HS256", m.public_jwk["x"].encode()),
    "HS256 with an empty secret": lambda m: m.mac("HS256", b""),
    "HS256 with the key id": lambda m: m.mac("HS256", m.kid.encode()),
    "HS384 with the raw public key": lambda m: m.mac("HS384", m.public_raw),
    "HS512 with the PEM": lambda m: m.mac("HS512", m.public_pem),
    "ES256": _es256,
    "RS256": _rs256,
    "Ed448": _ed448,
}
KEYS: dict[str, Forge] = {
    "another key under our id": lambda m: m.foreign(ATTACKER),
    "another key under its id": lambda m: m.foreign(ATTACKER, kid="evil"),
    "a key that was rotated out": lambda m: m.foreign(m.retired_key, kid=m.retired_kid),
    "the key that was rotated out, under the current id": lambda m: m.foreign(m.retired_key),
    "a key in the header": lambda m: m.foreign(ATTACKER, jwk=ATTACKER_JWK),
    "a key in the header, under its own id": lambda m: m.foreign(ATTACKER, jwk=ATTACKER_JWK, kid="evil"),
    "the place of a key set": lambda m: m.foreign(ATTACKER, jku="https://evil.example/jwks.json", kid="evil"),
    "the place of a certificate": lambda m: m.foreign(ATTACKER, x5u="https://evil.example/cert.pem"),
    "a certificate": lambda m: m.foreign(ATTACKER, x5c=[b64(b"certificate")]),
    "a certificate's thumbprint": lambda m: m.foreign(ATTACKER, x5t="AAAA"),
    "kid missing": lambda m: m.with_header(kid=None),
    "kid empty": lambda m: m.with_header(kid=""),
    "kid unknown": lambda m: m.with_header(kid="unknown"),
    "kid a path": lambda m: m.mac("HS256", b"", kid="../../../../../../dev/null"),
    "kid a path, our signature": lambda m: m.with_header(kid="../../../../dev/null"),
    "kid SQL": lambda m: m.with_header(kid="' UNION SELECT 'a' --"),
    "kid a shell command": lambda m: m.with_header(kid="|sleep 1"),
    "kid with a NUL": lambda m: m.with_header(kid=m.kid + "\x00"),
    "kid a list": lambda m: m.with_header(kid=[m.kid]),
    "kid an object": lambda m: m.with_header(kid={"kid": m.kid}),
    "kid true": lambda m: m.with_header(kid=True),
    "kid in other case": lambda m: m.with_header(kid=m.kid.swapcase()),
}
HEADERS: dict[str, Forge] = {
    "crit that nobody understands": lambda m: m.with_header(crit=["exp"], exp=now()),
    "crit empty": lambda m: m.with_header(crit=[]),
    "b64 false": lambda m: m.with_header(b64=False, crit=["b64"]),
    "b64 false, not critical": lambda m: m.with_header(b64=False),
    "b64 true": lambda m: m.with_header(b64=True, crit=["b64"]),
    "our key in the header": lambda m: m.with_header(jwk=m.public_jwk),
    "jku beside our signature": lambda m: m.with_header(jku="https://evil.example"),
    "x5u beside our signature": lambda m: m.with_header(x5u="https://evil.example"),
    "x5c beside our signature": lambda m: m.with_header(x5c=["AAAA"]),
    "an unknown parameter": lambda m: m.with_header(admin=True),
    "compressed": lambda m: m.with_header(zip="DEF"),
    "cty": lambda m: m.with_header(cty="JWT"),
    "typ missing": lambda m: m.with_header(typ=None),
    "typ JWT: an id token": lambda m: m.with_header(typ="JWT"),
    "typ of a log-out token": lambda m: m.with_header(typ="logout+jwt"),
    "typ of a refresh token": lambda m: m.with_header(typ="rt+jwt"),
    "typ in other case": lambda m: m.with_header(typ="AT+JWT"),
    "typ a list": lambda m: m.with_header(typ=["at+jwt"]),
    "alg twice in the header": lambda m: m.written(
        f'{{"alg":"none","alg":"Ed25519","kid":"{m.kid}","typ":"at+jwt"}}', json.dumps(m.claims)
    ),
    "kid twice in the header": lambda m: m.written(
        f'{{"alg":"Ed25519","kid":"evil","kid":"{m.kid}","typ":"at+jwt"}}', json.dumps(m.claims)
    ),
    "a header that is a list": lambda m: m.written("[]", json.dumps(m.claims)),
    "a header that is null": lambda m: m.written("null", json.dumps(m.claims)),
    "a header that is no JSON": lambda m: m.written("{", json.dumps(m.claims)),
    "a header in UTF-16": lambda m: m.written(json.dumps(m.header).encode("utf-16"), json.dumps(m.claims)),
}
NUMBERS: dict[str, Callable[[int], str]] = {
    "text": lambda now: f'"{now}"',
    "a fraction": lambda now: f"{now}.5",
    "a whole float": lambda now: f"{now}.0",
    "an exponent": lambda _: "1e20",
    "NaN": lambda _: "NaN",
    "infinity": lambda _: "Infinity",
    "huge": lambda _: "9" * 400,
    "negative": lambda now: f"-{now}",
    "true": lambda _: "true",
    "null": lambda _: "null",
    "a list": lambda now: f"[{now}]",
    "an object": lambda _: "{}",
}
TIMES: dict[str, Forge] = {
    **{
        f"{name} {kind}": _number(name, like, write)
        for name, like in (("exp", "exp"), ("iat", "iat"), ("nbf", "iat"))
        for kind, write in NUMBERS.items()
    },
    "expired": lambda m: m.with_claims(iat=now() - 120, exp=now() - 60),
    "expires now": lambda m: m.with_claims(exp=int(time.time())),
    "exp zero": lambda m: m.with_claims(exp=0),
    "exp before iat": lambda m: m.with_claims(exp=m.claims["iat"] - 1),
    "lives longer than our tokens do": lambda m: m.with_claims(exp=m.claims["iat"] + 86_401),
    "lives for ever": lambda m: m.with_claims(exp=now() + 10**9),
    "nbf in the future": lambda m: m.with_claims(nbf=now() + 600),
    "iat in the future": lambda m: m.with_claims(iat=now() + 600, exp=now() + 1_200),
}
CLAIMS: dict[str, Forge] = {
    **{
        f"without {name}": _without(name)
        for name in ("iss", "aud", "sub", "account_type", "permissions", "iat", "exp", "jti", "sid", "epoch", "amr")
    },
    "another issuer": lambda m: m.with_claims(iss="https://evil.example"),
    "issuer with a slash": lambda m: m.with_claims(iss="llm-banking/"),
    "issuer in other case": lambda m: m.with_claims(iss="LLM-Banking"),
    "issuer a list": lambda m: m.with_claims(iss=["llm-banking"]),
    "another audience": lambda m: m.with_claims(aud="another-api"),
    "audience a list that holds ours": lambda m: m.with_claims(aud=["another-api", m.claims["aud"]]),
    "audience a list of ours": lambda m: m.with_claims(aud=[m.claims["aud"]]),
    "audience an object": lambda m: m.with_claims(aud={m.claims["aud"]: True}),
    "audience with a prefix of ours": lambda m: m.with_claims(aud=m.claims["aud"] + ".evil.example"),
    "audience empty": lambda m: m.with_claims(aud=""),
    "sub empty": lambda m: m.with_claims(sub=""),
    "sub a number": lambda m: m.with_claims(sub=1),
    "sub a list": lambda m: m.with_claims(sub=[m.claims["sub"]]),
    "sub in braces": lambda m: m.with_claims(sub="{" + m.claims["sub"] + "}"),
    "sub in capitals": lambda m: m.with_claims(sub=m.claims["sub"].upper()),
    "sub with a space": lambda m: m.with_claims(sub=m.claims["sub"] + " "),
    "sub SQL": lambda m: m.with_claims(sub="' OR 1=1 --"),
    "an unknown role": lambda m: m.with_claims(account_type="root"),
    "role a list": lambda m: m.with_claims(account_type=["admin"]),
    "permissions a text": lambda m: m.with_claims(permissions="admin:write"),
    "permissions an object": lambda m: m.with_claims(permissions={"admin:write": True}),
    "permissions of numbers": lambda m: m.with_claims(permissions=[1]),
    "sid no UUID": lambda m: m.with_claims(sid="session"),
    "jti no UUID": lambda m: m.with_claims(jti="1"),
    "epoch text": lambda m: m.with_claims(epoch="0"),
    "epoch true": lambda m: m.with_claims(epoch=True),
    "epoch negative": lambda m: m.with_claims(epoch=-1),
    "amr a text": lambda m: m.with_claims(amr="pwd"),
    "amr with spaces": lambda m: m.with_claims(amr=["pwd otp"]),
    "sub twice": lambda m: m.written(
        json.dumps(m.header), json.dumps(m.claims)[:-1] + f', "sub": "{m.claims["sub"]}"}}'
    ),
    "exp twice": lambda m: m.written(json.dumps(m.header), '{"exp": 1, ' + json.dumps(m.claims)[1:]),
    "claims in a list": lambda m: m.written(json.dumps(m.header), json.dumps([m.claims])),
    "claims that are text": lambda m: m.written(json.dumps(m.header), '"claims"'),
    "claims empty": lambda m: m.written(json.dumps(m.header), "{}"),
    "claims that are no JSON": lambda m: m.written(json.dumps(m.header), "claims"),
    "claims in invalid UTF-8": lambda m: m.written(json.dumps(m.header), b'{"sub": "\xff"}'),
    "claims with a byte order mark": lambda m: m.written(
        json.dumps(m.header), b"\xef\xbb\xbf" + json.dumps(m.claims).encode()
    ),
    "claims nested without end": lambda m: m.written(json.dumps(m.header), "[" * 2_000),
    "a token inside a token": _nested,
}
FORMS: dict[str, Forge] = {
    "one word": lambda _: "token",
    "dots alone": lambda _: "..",
    "no signature segment": lambda m: m.good.rpartition(".")[0],
    "an empty signature": lambda m: m.good.rpartition(".")[0] + ".",
    "a signature of zeros": lambda m: m.good.rpartition(".")[0] + "." + b64(bytes(64)),
    "a truncated signature": lambda m: m.good[:-2],
    "half a token": lambda m: m.good[: len(m.good) // 2],
    "a longer signature": lambda m: m.good + "AA",
    "the payload's segment empty": lambda m: m.good.split(".")[0] + ".." + m.good.split(".")[2],
    "a fourth segment": lambda m: m.good + ".AAAA",
    "five segments": lambda m: m.good + ".AAAA.AAAA",
    "a dot at the end": lambda m: m.good + ".",
    "a dot at the beginning": lambda m: "." + m.good,
    "a space inside": lambda m: m.good.replace(".", ". ", 1),
    "a tab inside": lambda m: m.good.replace(".", ".\t", 1),
    "two spaces before it": lambda m: " " + m.good,
    "a word after it": lambda m: m.good + " admin",
    "a comma and another": lambda m: m.good + "," + m.good,
    "quotes around it": lambda m: f'"{m.good}"',
    "padding": lambda m: m.good + "==",
    "padding of each segment": lambda m: ".".join(part + "=" for part in m.good.split(".")),
    "the other base64 alphabet": lambda m: m.good.replace("-", "+").replace("_", "/") + "+",
    "free bits of the last character": _free_bits,
    "a signature with S + L": _malleable,
    "a bit of the header flipped": _flipped(0),
    "a bit of the payload flipped": _flipped(1),
    "a bit of the signature flipped": _flipped(2),
    "another's payload under our signature": _swapped_payload,
    "segments in another order": lambda m: ".".join(reversed(m.good.split("."))),
    "letters beyond ASCII": lambda m: m.good[:-1] + "é",
    "a full-width dot": lambda m: m.good.replace(".", "\uff0e"),
    "a zero-width space": lambda m: m.good.replace(".", ".\u200b", 1),
    "percent-encoded": lambda m: m.good.replace(".", "%2E"),
    "JSON serialisation": _json_serialised,
    "too large": lambda m: m.with_claims(note="x" * 5_000),
    "encrypted (JWE)": _encrypted,
    "our refresh token": lambda m: m.refresh_token,
    "the scheme twice": lambda m: "Bearer " + m.good,
}
FAMILIES = {
    "algorithm": ALGORITHMS,
    "key": KEYS,
    "header": HEADERS,
    "time": TIMES,
    "claim": CLAIMS,
    "form": FORMS,
}
