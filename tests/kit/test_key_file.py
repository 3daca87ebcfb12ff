from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.key_file import KEY_BYTES, read_or_make_key


def test_all_that_start_at_once_have_the_same_key(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "one.key"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: read_or_make_key(path), range(32)))
    assert len(keys) == 1
    assert len(keys.pop()) == KEY_BYTES
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "one.key"
    read_or_make_key(path)
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        read_or_make_key(path)


def test_half_a_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "one.key"
    path.touch(0o600)
    path.write_bytes(b"half")
    with pytest.raises(ConfigurationError, match="32 bytes"):
        read_or_make_key(path)
