"""Tickets between the two steps of a sign-in: what is sealed comes back, and nothing else does."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_banking.identity.errors import SignInOverError
from llm_banking.identity.master_key import MasterKeys
from llm_banking.identity.models import User
from llm_banking.identity.secret_box import Place, SecretBox
from llm_banking.identity.sign_in_tickets import MAX_TICKET_CHARACTERS, SignInTickets, Ticket
from llm_banking.identity.throttle import Attempt
from tests.identity.people import MASTER_KEYS

NOW = datetime(2031, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
TICKETS = SignInTickets(SecretBox(MASTER_KEYS))

hashes = st.binary(min_size=32, max_size=32)
times = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
tickets = st.builds(
    Ticket,
    sign_in_id=st.uuids(),
    user_id=st.uuids(),
    password_changed_at=st.none() | times,
    token_epoch=st.integers(min_value=0, max_value=2**31 - 1),
    authenticated_by=st.lists(st.from_regex(r"[a-z0-9]{1,16}", fullmatch=True), max_size=4).map(tuple),
    attempt=st.none() | st.builds(Attempt, hashes, hashes, hashes),
    expires_at=times,
)


def a_ticket(user_id: UUID | None = None) -> Ticket:
    attempt = Attempt(b"n" * 32, b"p" * 32, b"e" * 32)
    return Ticket(uuid4(), user_id or uuid4(), NOW, 3, ("pwd",), attempt, NOW + timedelta(minutes=2))


@given(tickets, st.uuids())
def test_what_is_sealed_comes_back_with_its_challenge(ticket: Ticket, challenge_id: UUID) -> None:
    text = TICKETS.seal(ticket, challenge_id)
    assert len(text) <= MAX_TICKET_CHARACTERS
    assert TICKETS.open(text, challenge_id) == ticket
    assert TICKETS.open(text, challenge_id).encoded() == ticket.encoded()


@given(tickets, tickets)
def test_two_tickets_never_give_one_payload(one: Ticket, other: Ticket) -> None:
    assert (one == other) == (one.encoded() == other.encoded())


def test_a_ticket_opens_with_no_other_challenge() -> None:
    text = TICKETS.seal(a_ticket(), uuid4())
    with pytest.raises(SignInOverError):
        TICKETS.open(text, uuid4())


@given(st.text(max_size=200))
def test_no_other_text_is_a_ticket(text: str) -> None:
    with pytest.raises(SignInOverError):
        TICKETS.open(text, uuid4())


@given(st.data())
def test_a_changed_bit_is_seen(data: st.DataObject) -> None:
    challenge_id = uuid4()
    text = TICKETS.seal(a_ticket(), challenge_id)
    sealed = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    bit = data.draw(st.integers(min_value=0, max_value=8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SignInOverError):
        TICKETS.open(base64.urlsafe_b64encode(sealed).rstrip(b"=").decode(), challenge_id)


def test_what_another_key_or_another_column_sealed_is_no_ticket() -> None:
    challenge_id, ticket = uuid4(), a_ticket()
    foreign = SignInTickets(SecretBox(MasterKeys({1: bytes(32)}))).seal(ticket, challenge_id)
    place = Place("step_up_challenges", "challenge", challenge_id)
    moved = base64.urlsafe_b64encode(SecretBox(MASTER_KEYS).seal(ticket.encoded(), place)).decode()
    for text in (foreign, moved):
        with pytest.raises(SignInOverError):
            TICKETS.open(text, challenge_id)


def test_a_ticket_shows_nothing_of_its_attempt() -> None:
    assert "n" * 32 not in repr(a_ticket())


@pytest.mark.parametrize(
    ("changes", "later"),
    [
        ({"status": "suspended"}, timedelta(0)),
        ({"password_changed_at": NOW + timedelta(microseconds=1)}, timedelta(0)),
        ({"password_changed_at": None}, timedelta(0)),
        ({"token_epoch": 4}, timedelta(0)),
        ({"id": uuid4()}, timedelta(0)),
        ({}, timedelta(minutes=2)),
    ],
)
def test_a_ticket_fits_nobody_who_changed(changes: dict[str, object], later: timedelta) -> None:
    user_id = uuid4()
    same = {"id": user_id, "status": "active", "password_changed_at": NOW, "token_epoch": 3}
    assert a_ticket(user_id).fits(User(**same), NOW)
    assert not a_ticket(user_id).fits(User(**{**same, **changes}), NOW + later)
