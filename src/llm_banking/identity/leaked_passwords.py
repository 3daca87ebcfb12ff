"""Whether a password is in a published set of leaked ones, looked up in a file of the bank's own (ASVS 5.0, 6.2.12).

The file is the one that Pwned Passwords publishes, SHA-1 ordered by hash: a line for each password, 40 hexadecimal
digits, then a colon and a count, which may be missing. It may be cut to the first digits of each hash, to be smaller.
Nothing of a password leaves the machine, and nothing of the file is kept in memory.
"""

from __future__ import annotations

import hashlib
import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Self

from llm_banking.kit.errors import ConfigurationError

MIN_DIGITS = 16
"""64 bits: of a thousand million leaked passwords, one in 18 thousand million others would share them with one."""
MAX_LINE_BYTES = 64
SAMPLES = 200
_LINE = re.compile(rb"([0-9A-Fa-f]{%d,40})(?::[0-9]{1,12})?\r?" % MIN_DIGITS)


class LeakedPasswords:
    """A file of hashes. It is opened for each look-up, so that a newer one can take its place while the server runs."""

    def __init__(self, path: Path) -> None:
        """Looks at lines throughout the file. Raises ConfigurationError where it is no such file."""
        self._path = path
        with _Hashes(path) as hashes:
            hashes.check_order()

    def holds(self, password: str) -> bool:
        """Whether a password, in its normalised form, is in the set. Reads some kilobytes, so not on the event loop.

        Raises ConfigurationError where the file is gone or damaged: then no password can be set.
        """
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
        with _Hashes(self._path) as hashes:
            return hashes.find(digest)


class _Hashes:
    """The file, open: the offset of a line is found by halving, each step with two short reads."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise ConfigurationError(f"LEAKED_PASSWORDS_FILE cannot be read ({error.strerror}).") from None
        self._size = os.fstat(self._file.fileno()).st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def check_order(self) -> None:
        """Raise ConfigurationError unless lines throughout the file have the form and are in order."""
        found = [self._from(self._size * part // SAMPLES) for part in range(SAMPLES)]
        hashes = [one[1] for one in found if one is not None]
        if not hashes or found[0] is None:
            raise ConfigurationError("LEAKED_PASSWORDS_FILE is empty. Give the whole list, or unset it.")
        if len({len(one) for one in hashes}) > 1 or any(after < before for before, after in pairwise(hashes)):
            raise ConfigurationError(
                "LEAKED_PASSWORDS_FILE is not in the order of its hashes, or they differ in length. Take the list that "
                "is ordered by hash."
            )

    def find(self, digest: bytes) -> bool:
        """Whether a line has the beginning of this digest, which is in upper case."""
        low, high = 0, self._size
        while low < high:
            middle = (low + high) // 2
            found = self._from(middle)
            if found is None or found[1] >= digest[: len(found[1])]:
                high = middle
            else:
                low = found[0] + 1
        found = self._from(low)
        return found is not None and digest.startswith(found[1])

    def _from(self, offset: int) -> tuple[int, bytes] | None:
        """The first line that begins there or later: its offset and its hash in upper case. None at the end.

        Raises ConfigurationError for a line of another form.
        """
        start = offset
        if offset:
            before = self._read(offset - 1)
            end = before.find(b"\n")
            if end < 0 and len(before) == MAX_LINE_BYTES:
                raise _malformed()
            start = offset + end if end >= 0 else self._size
        line, _, _ = self._read(start).partition(b"\n")
        if not line and start >= self._size:
            return None
        match = _LINE.fullmatch(line)
        if match is None:
            raise _malformed()
        return start, match[1].upper()

    def _read(self, offset: int) -> bytes:
        return os.pread(self._file.fileno(), MAX_LINE_BYTES, offset)


def _malformed() -> ConfigurationError:
    return ConfigurationError(
        f"LEAKED_PASSWORDS_FILE has a line that is no SHA-1 hash, of {MIN_DIGITS} to 40 hexadecimal digits, with or "
        "without a colon and a count. Take the list whole and unpacked."
    )
