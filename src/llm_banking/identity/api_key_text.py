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

from llm_banking.identity.errors import InvalidCredentialError

PREFIX = "llmb_live_"
RANDOM_CHARS = 30
CHECKSUM_CHARS = 6
SHOWN_CHARS = len(PREFIX) + 6
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase

_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{RANDOM_CHARS + CHECKSUM_CHARS}}}", re.ASCII)


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
