"""Passwords of a published list are not set; the list is searched where it lies, with little memory."""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.errors import PasswordRefusedError
from llm_banking.identity.leaked_passwords import MAX_LINE_BYTES, MIN_DIGITS, LeakedPasswords
from llm_banking.identity.principal import Principal
from llm_banking.identity.wiring import IdentityServices, build_identity
from llm_banking.kit.errors import ConfigurationError
from llm_banking.settings import Settings
from tests.identity.people import add_session, add_user

LEAKED = "plum kettle orbits the quiet harbour"
OTHER = "nine violet ladders under a loud fridge"


def digest(password: str) -> str:
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


def listed(folder: Path, passwords: Iterable[str], *, digits: int = 40, end: str = "\r\n", counts: bool = True) -> Path:
    """A list as it is published: in the order of the hashes, with counts of every length."""
    lines = [
        f"{one[:digits]}:{int(one[-9:], 16) >> 4 * (int(one[-1], 16) % 9)}" if counts else one[:digits]
        for one in sorted(map(digest, passwords))
    ]
    path = folder / f"{uuid4().hex}.txt"
    path.write_bytes(end.join(lines).encode())
    return path


@given(
    st.sets(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=40),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.integers(MIN_DIGITS, 40),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
@examples(max_examples=100, deadline=None)
def test_what_is_listed_is_found_and_nothing_else(
    passwords: set[str], other: str, digits: int, end: str, counts: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = listed(Path(folder), passwords, digits=digits, end=end, counts=counts)
        found = LeakedPasswords(path)
        assert all(found.holds(one) for one in passwords)
        assert found.holds(other) == (other in passwords)
        path.write_bytes(path.read_bytes().lower() + end.encode())
        assert all(found.holds(one) for one in passwords)


def test_a_long_list_is_searched_with_few_short_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, reads = listed(tmp_path, map(str, range(20_000))), list[int]()
    found, pread = LeakedPasswords(path), os.pread

    def counted(fd: int, size: int, offset: int) -> bytes:
        reads.append(size)
        return pread(fd, size, offset)

    monkeypatch.setattr(os, "pread", counted)
    for password, there in (("0", True), ("19999", True), ("12345", True), ("20000", False), ("", False)):
        reads.clear()
        assert found.holds(password) is there
        assert len(reads) <= 2 * (math.ceil(math.log2(path.stat().st_size)) + 2)
        assert set(reads) == {MAX_LINE_BYTES}


GOOD = b"\n".join(sorted(digest(str(number)).encode() + b":1" for number in range(50)))


@pytest.mark.parametrize(
    "content",
    {
        "empty": b"",
        "a blank line": GOOD.replace(b"\n", b"\n\n", 1),
        "no hash": b"password\n",
        "too few digits": GOOD[: MIN_DIGITS - 1],
        "another order": b"\n".join(reversed(GOOD.split(b"\n"))),
        "hashes of another length": GOOD.split(b"\n")[0][:20] + b"\n" + b"\n".join(GOOD.split(b"\n")[1:]),
        "one long line": b"A" * 10_000,
        "a packed file": b"\x1f\x8b" + bytes(100),
        "a count that is none": digest("a").encode() + b":many\n",
    }.items(),
    ids=lambda case: case[0],
)
def test_a_file_that_is_no_such_list_stops_the_start(
    tmp_path: Path, settings: Settings, content: tuple[str, bytes]
) -> None:
    path = tmp_path / "leaked.txt"
    path.write_bytes(content[1])
    with pytest.raises(ConfigurationError, match="LEAKED_PASSWORDS_FILE"):
        build_identity(settings.model_copy(update={"leaked_passwords_file": path}))


def test_a_file_that_is_not_there_stops_the_start_and_later_every_change(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="LEAKED_PASSWORDS_FILE cannot be read"):
        LeakedPasswords(tmp_path / "gone.txt")
    path = listed(tmp_path, [LEAKED])
    found = LeakedPasswords(path)
    path.unlink()
    with pytest.raises(ConfigurationError, match="LEAKED_PASSWORDS_FILE cannot be read"):
        found.holds(OTHER)


def test_a_newer_list_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = listed(tmp_path, ["one"])
    found = LeakedPasswords(path)
    listed(tmp_path, [LEAKED]).replace(path)
    assert (found.holds("one"), found.holds(LEAKED)) == (False, True)


def _caller(user_id: UUID, session_id: UUID | None = None) -> Principal:
    return Principal(user_id, str(user_id), frozenset(), frozenset({user_id}), session_id=session_id)


@pytest.fixture
def identity(settings: Settings, tmp_path: Path) -> IdentityServices:
    path = listed(tmp_path, [LEAKED, "another"])
    return build_identity(settings.model_copy(update={"leaked_passwords_file": path}))


async def test_nobody_registers_with_a_leaked_password(identity: IdentityServices) -> None:
    async def prepare(password: str) -> None:
        await identity.accounts.prepare_registration(
            email="zoe.quill@example.com", display_name="Zoe", password=password
        )

    await prepare(OTHER)
    for spelling in (LEAKED, LEAKED.replace("i", "\N{MATHEMATICAL SANS-SERIF SMALL I}")):
        with pytest.raises(PasswordRefusedError, match="leaked") as caught:
            await prepare(spelling)
        assert LEAKED not in caught.value.message


async def test_nobody_changes_to_a_leaked_password(session: AsyncSession, identity: IdentityServices) -> None:
    user_id = await add_user(session)
    user = await identity.accounts.user(session, _caller(user_id))
    user.password_hash = await identity.hasher.hash(OTHER)
    caller = _caller(user_id, await add_session(session, user_id, user.created_at))
    account = await identity.accounts.begin_password_change(session, caller, place="here")
    with pytest.raises(PasswordRefusedError, match="leaked"):
        await identity.accounts.prepare_password_change(account, old=OTHER, new=LEAKED)
    await identity.accounts.prepare_password_change(account, old=OTHER, new="seven blue kites above the mill")
