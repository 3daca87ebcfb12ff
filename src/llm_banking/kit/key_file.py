"""A secret key in a file that only its owner can read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from llm_banking.kit.errors import ConfigurationError

KEY_BYTES = 32


def read_or_make_key(path: Path) -> bytes:
    """The key in a file, made at random where there is no file yet; of several that make it at once, one wins.

    Raises ConfigurationError on a file of another size or one that others may read.
    """
    if not path.exists():
        _make(path)
    if path.stat().st_mode & 0o077:
        raise ConfigurationError(f"{path} may be read by others. Run: chmod 600 {path}")
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"{path} does not hold a key of {KEY_BYTES} bytes. Remove it to have one made.")
    return key


def _make(path: Path) -> None:
    """Write the whole key beside its place, then name it: nobody ever reads half a key."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    staging = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(staging)
        except FileExistsError:
            return
    finally:
        staging.unlink()
