"""Secrets in files: made once, readable by their owner alone."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from llm_banking.kit.errors import ConfigurationError

_MODE = 0o600


def read_or_make(path: Path, make: Callable[[], bytes], *, private: bool = True) -> bytes:
    """The content of a secret's file, which is made at the first call; processes that race agree on one content.

    Raises ConfigurationError where it cannot be read or made and, if `private`, where group or world can read it.
    """
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _publish(path, make(), replace=False)
        if private and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigurationError(f"{path.name} can be read by others than its owner. Run: chmod 600 {path}")
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"The key file {path} cannot be used: {error.strerror}.") from None


def replace(path: Path, content: bytes) -> None:
    """Put another content in place of a secret's file in one step; a reader sees the old or the new one."""
    _publish(path, content, replace=True)


def _publish(path: Path, content: bytes, *, replace: bool) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    made = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), _MODE)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            made.replace(path)
            return
        try:
            path.hardlink_to(made)
        except FileExistsError:
            return
    finally:
        made.unlink(missing_ok=True)
