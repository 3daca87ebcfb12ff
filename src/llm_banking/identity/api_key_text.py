"""What an API key looks like: `llmb_live_`, 30 random base62 characters, and 6 that check the rest.

The prefix lets secret scanners find a leaked key, and the checksum (CRC-32, ISO 3309) tells them and us, without a
look at the database, that a text is a key at all. It is no protection: the randomness is (178 bits).
"""

from __future__ import annotations

import hmac
import re
import secrets
import string
import zlib
from collections.abc import Mapping

from llm_banking.identity.errors import InvalidCredentialError, TooManyCredentialsError

PREFIX = "llmb_live_"
RANDOM_CHARS = 30
CHECKSUM_CHARS = 6
SHOWN_CHARS = len(PREFIX) + 6
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase

_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{RANDOM_CHARS + CHECKSUM_CHARS}}}", re.ASCII)
_ANY_KEY = "llmb_"
_BEARER = "bearer "


def new_key() -> str:
    """A key that nobody has."""
    body = PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARS))
    return body + checksum(body)


def checksum(body: str) -> str:
    """CRC-32 of a text in six base62 digits."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM_CHARS):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def parse(presented: str) -> str:
    """The key itself. Raises InvalidCredentialError where the form or the checksum is wrong."""
    if not _FORM.fullmatch(presented):
        raise InvalidCredentialError
    if not hmac.compare_digest(checksum(presented[:-CHECKSUM_CHARS]), presented[-CHECKSUM_CHARS:]):
        raise InvalidCredentialError
    return presented


def presented_key(headers: Mapping[str, str]) -> str | None:
    """The API key that a request brings, as it stands: `X-API-Key: …`, or `Authorization: Bearer llmb_…`.

    None where it brings none. Names of headers are looked up in lower case. Raises TooManyCredentialsError where
    both headers are there: a request says in one way who sends it.
    """
    authorization = headers.get("authorization")
    own = headers.get("x-api-key")
    if own is not None and authorization is not None:
        raise TooManyCredentialsError("Send either X-API-Key or Authorization, not both.")
    if own is not None:
        return own.strip(" \t")
    if authorization is None or authorization[: len(_BEARER)].lower() != _BEARER:
        return None
    credential = authorization[len(_BEARER) :].strip(" \t")
    return credential if credential.startswith(_ANY_KEY) else None
