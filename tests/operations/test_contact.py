"""A change of address: proved by a factor and by a code that only the new address was sent."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from llm_banking.identity.models import TokenFamily, User
from llm_banking.identity.second_factors import FactorProof
from llm_banking.identity.secret_box import SealedSecretError
from llm_banking.identity.step_up import Reason, Refusal, TotpCode
from llm_banking.identity.wiring import build_identity
from llm_banking.kit.database import Database, DatabaseFaultError, Scope
from llm_banking.kit.delivery import LogSink, News
from llm_banking.kit.mail import Mail, SmtpMail, SmtpServer
from llm_banking.kit.outbox import OutboxRow
from llm_banking.operations.contact import ContactChange, ContactParts
from llm_banking.operations.contact_codes import MAX_CODES, MAX_FAILURES, CodeRefusal, ContactCodes
from llm_banking.operations.contact_letters import ContactLetters
from llm_banking.operations.drafts import ContactChangeDraft
from llm_banking.operations.errors import (
    CodeNeededError,
    LettersUnavailableError,
    NotPossibleError,
    PendingExpiredError,
    StepUpNeededError,
    TooManyCodesError,
)
from llm_banking.operations.models import ContactCode, PendingOperation
from llm_banking.operations.records import Operation, Pending
from llm_banking.operations.wiring import open_gate
from llm_banking.settings import Settings
from tests.operations.world import Customer, World, codes_of, tampered
from tests.support.smtp_server import Inbox, smtp_server


@dataclass
class Post:
    """The bank's letters, through a real server; and what of the news was told."""

    world: World
    inbox: Inbox
    told: set[UUID] = field(default_factory=set)

    @property
    def mail(self) -> Mail:
        return SmtpMail(SmtpServer("127.0.0.1", self.inbox.port, "none", "bank@example.com"))

    async def deliver(self, customer: Customer, mail: Mail | None = None) -> None:
        """Hand over a customer's news, each piece once."""
        letters = ContactLetters(
            self.world.database, codes_of(self.world.clock), mail or self.mail, LogSink(), clock=self.world.clock
        )
        async with customer.transaction() as session:
            rows = list(await session.scalars(select(OutboxRow).order_by(OutboxRow.position)))
        for row in rows:
            if row.id not in self.told:
                await letters.deliver(News(row.id, row.user_id, row.topic, row.payload, row.created_at, 1))
                self.told.add(row.id)

    def code_to(self, address: str) -> str:
        """What the newest letter to an address says."""
        found = re.search(r"\b(\d{8})\b", self.inbox.to(address)[-1].get_content())
        assert found is not None
        return found[1]


@pytest.fixture
async def post(world: World) -> AsyncIterator[Post]:
    async with smtp_server() as inbox:
        yield Post(world, inbox)


@pytest.fixture
async def ana(world: World, settings: Settings) -> Customer:
    with_codes(world, settings)
    found = await world.customer("Ana Morales")
    await found.add_app()
    await rename(world, found, address())
    return found


def with_codes(world: World, settings: Settings, kind: type[ContactCodes] = ContactCodes) -> None:
    world.contact = ContactParts(codes_of(world.clock, kind), build_identity(settings).families)
    world.gate = open_gate(world.factors.step_up, contact=world.contact, clock=world.clock)


async def rename(world: World, customer: Customer, email: str) -> None:
    async with world.database.transaction(scope=Scope.IDENTITY) as session:
        (await session.get_one(User, customer.id)).email = email


def address() -> str:
    return f"{uuid4().hex}@example.com"


async def email_of(customer: Customer) -> str | None:
    async with customer.transaction() as session:
        return (await session.get_one(User, customer.id)).email


async def asked(customer: Customer, email: str) -> Pending:
    return await customer.propose(ContactChangeDraft(email, customer.session))


async def answered(customer: Customer, pending: Pending, code: str | None) -> Operation | Refusal:
    return await customer.approve(pending.id, await customer.prove(pending.id), code)


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10**8:08d}"


async def test_an_address_is_changed_and_the_old_one_is_told(ana: Customer, post: Post) -> None:
    old, new, elsewhere = await email_of(ana), address(), uuid4()
    assert old is not None
    await ana.sign_in(elsewhere, "another one")
    pending = await asked(ana, new)
    assert (pending.requires, new in pending.summary, old in pending.summary) == (
        frozenset({"totp", "webauthn"}),
        True,
        True,
    )
    with capture_logs() as lines:
        await post.deliver(ana)
        assert (len(post.inbox.to(new)), len(post.inbox.to(old))) == (1, 0)
        code = post.code_to(new)
        wrong = await answered(ana, pending, other_than(code))
        assert wrong == CodeRefusal(Reason.WRONG, MAX_FAILURES - 1)
        assert await email_of(ana) == old
        done = await answered(ana, pending, code)
        assert isinstance(done, Operation)
        await post.deliver(ana)
    assert (await email_of(ana), done.told) == (new, f"Your e-mail address is {new}. Sign in with it from now on.")
    (letter,) = post.inbox.to(old)
    assert (new in letter.get_content(), "was changed" in letter["Subject"]) == (False, True)
    async with ana.transaction() as session:
        ended = dict((await session.execute(select(TokenFamily.id, TokenFamily.ended_because))).all())
        rows = [
            str((await session.execute(text(f"SELECT to_jsonb(one)::text FROM {table} AS one"))).all())  # noqa: S608 - our tables
            for table in ("pending_operations", "bank_operations", "outbox", "contact_codes")
        ]
    assert ended == {ana.session: None, elsewhere: "email_changed"}
    assert not any(code in one for one in (*rows, str(lines))), "the code is nowhere once it was sent"


async def test_both_the_factor_and_the_code_are_needed(ana: Customer, post: Post) -> None:
    pending = await asked(ana, address())
    with pytest.raises(StepUpNeededError):
        await ana.approve(pending.id, None, "00000000")
    with pytest.raises(CodeNeededError):
        await answered(ana, pending, None)
    async with ana.transaction() as session:
        assert (await session.get_one(ContactCode, pending.id)).failures == 0
    await post.deliver(ana)
    code = post.code_to(pending.payload["new_email"])
    refused = await ana.approve(pending.id, FactorProof(uuid4(), TotpCode(ana.app_code())), code)
    assert isinstance(refused, Refusal)
    assert isinstance(await answered(ana, pending, code), Operation)


async def wrong_codes(ana: Customer, post: Post) -> list[Operation | Refusal]:
    """As many wrong codes as there may be, and then the right one."""
    pending = await asked(ana, address())
    await post.deliver(ana)
    code = post.code_to(pending.payload["new_email"])
    said = [*[other_than(code)] * MAX_FAILURES, code]
    return [await answered(ana, pending, one) for one in said]


async def test_wrong_codes_are_counted_and_lock(ana: Customer, post: Post) -> None:
    *wrong, last = await wrong_codes(ana, post)
    assert wrong == [CodeRefusal(Reason.WRONG, left) for left in reversed(range(MAX_FAILURES))]
    assert last == CodeRefusal(Reason.LOCKED, 0)


class Uncounted(ContactCodes):
    """Planted: a wrong code is refused, and not written down."""

    async def refused(self, session: AsyncSession, pending: PendingOperation, code: str | None) -> CodeRefusal | None:
        async with session.begin_nested() as attempt:
            found = await super().refused(session, pending, code)
            if found is not None:
                await attempt.rollback()
        return found


async def code_of_another(ana: Customer, post: Post) -> Operation | Refusal:
    """The code of one change, given for another."""
    first, second = await asked(ana, address()), await asked(ana, address())
    await post.deliver(ana)
    return await answered(ana, second, post.code_to(first.payload["new_email"]))


async def test_a_code_is_good_for_its_own_change_alone(ana: Customer, post: Post) -> None:
    assert await code_of_another(ana, post) == CodeRefusal(Reason.WRONG, MAX_FAILURES - 1)


class Unbound(ContactCodes):
    """Planted: every change has the same code, and none is bound to it."""

    def _hash(self, pending_id: UUID, code: str) -> bytes:  # noqa: ARG002 - the fault
        return bytes(32)


async def test_the_planted_faults_are_found(world: World, settings: Settings, ana: Customer, post: Post) -> None:
    with_codes(world, settings, Unbound)
    assert isinstance(await code_of_another(ana, post), Operation)
    with_codes(world, settings, Uncounted)
    await rename(world, ana, address())
    assert isinstance((await wrong_codes(ana, post))[-1], Operation)


async def test_a_code_is_over_with_its_operation(world: World, ana: Customer, post: Post) -> None:
    pending = await asked(ana, address())
    async with ana.transaction() as session:
        assert (await session.get_one(ContactCode, pending.id)).expires_at <= pending.expires_at
    proof = await ana.prove(pending.id)
    world.clock.now = pending.expires_at
    with pytest.raises(PendingExpiredError):
        await ana.approve(pending.id, proof, "00000000")
    await post.deliver(ana)
    assert post.inbox.letters == [], "what is over is not sent any more"
    async with ana.transaction() as session:
        row = await session.get_one(ContactCode, pending.id)
    assert (row.code_encrypted, row.sent_at) == (None, None)


async def test_two_at_once_are_one_change(ana: Customer, post: Post) -> None:
    first, second = await asked(ana, address()), await asked(ana, address())
    await post.deliver(ana)
    codes = [post.code_to(one.payload["new_email"]) for one in (first, second)]
    proofs = [await ana.prove(one.id) for one in (first, second)]
    tries = zip((first, second) * 2, proofs * 2, codes * 2, strict=True)
    done = await asyncio.gather(
        *(ana.approve(one.id, proof, code) for one, proof, code in tries), return_exceptions=True
    )
    assert [type(one).__name__ for one in done].count("Operation") == 1
    assert await email_of(ana) in [one.payload["new_email"] for one in (first, second)]
    now = await email_of(ana)
    (late,) = [one for one in (first, second) if one.payload["new_email"] != now]
    with pytest.raises(NotPossibleError, match="changed since"):
        await ana.begin(late.id)


async def test_whose_address_it_is_is_not_told(world: World, ana: Customer, post: Post) -> None:
    ben = await world.customer("Ben")
    taken, free = address(), address()
    await rename(world, ben, taken)
    of_taken, of_free = await asked(ana, taken), await asked(ana, free)
    assert of_taken.summary.replace(taken, free) == of_free.summary
    async with ana.transaction() as session:
        code = codes_of(world.clock).opened(await session.get_one(ContactCode, of_taken.id))
    await post.deliver(ana)
    (letter,) = post.inbox.to(taken)
    assert re.search(r"\d{8}", letter.get_content()) is None
    assert post.code_to(free)
    assert await answered(ana, of_taken, other_than(code or "")) == CodeRefusal(Reason.WRONG, MAX_FAILURES - 1)
    with pytest.raises(NotPossibleError, match="cannot be used"):
        await answered(ana, of_taken, code)
    assert (await email_of(ben), (await email_of(ana)) == taken) == (taken, False)


async def test_few_codes_are_sent_in_a_day(world: World, ana: Customer) -> None:
    for _ in range(MAX_CODES):
        await asked(ana, address())
    with pytest.raises(TooManyCodesError):
        await asked(ana, address())
    world.clock.advance(hours=25)
    await asked(ana, address())


async def test_what_is_no_change_is_refused(world: World, ana: Customer, settings: Settings) -> None:
    with pytest.raises(NotPossibleError, match="already"):
        await asked(ana, await email_of(ana) or "")
    world.gate = open_gate(world.factors.step_up, clock=world.clock)
    with pytest.raises(LettersUnavailableError, match="SMTP_HOST"):
        await asked(ana, address())
    with_codes(world, settings)
    good = (await asked(ana, address())).payload
    assert ContactChange.of(good).document() == good
    for change in ({"version": 2}, {"kind": "dispute"}, {"more": 1}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            ContactChange.of({**good, **change})


async def test_a_letter_that_was_not_sent_comes_again(ana: Customer, post: Post) -> None:
    pending = await asked(ana, address())
    post.inbox.refuses = True
    with pytest.raises(Exception, match="not now"):
        await post.deliver(ana)
    letters = ContactLetters(ana.world.database, codes_of(ana.world.clock), None, LogSink(), clock=ana.world.clock)
    async with ana.transaction() as session:
        row = (await session.scalars(select(OutboxRow))).one()
    with pytest.raises(LettersUnavailableError):
        await letters.deliver(News(row.id, row.user_id, row.topic, row.payload, row.created_at, 1))
    post.inbox.refuses = False
    await post.deliver(ana)
    code = post.code_to(pending.payload["new_email"])
    assert isinstance(await answered(ana, pending, code), Operation)


async def test_a_code_is_opened_in_its_own_row_alone(ana: Customer, owner: Database, post: Post) -> None:
    first, second = await asked(ana, address()), await asked(ana, address())
    await tampered(
        owner,
        "UPDATE contact_codes AS one SET code_encrypted = other.code_encrypted FROM contact_codes AS other "
        "WHERE one.id = :second AND other.id = :first",
        first=first.id,
        second=second.id,
    )
    with pytest.raises(SealedSecretError):
        await post.deliver(ana)


async def test_the_database_keeps_the_count(ana: Customer) -> None:
    pending = await asked(ana, address())
    async with ana.transaction() as session:
        await session.execute(text("UPDATE contact_codes SET failures = 3 WHERE id = :id"), {"id": pending.id})
    for statement in (
        "UPDATE contact_codes SET failures = 2 WHERE id = :id",
        "UPDATE contact_codes SET failures = 6 WHERE id = :id",
        "UPDATE contact_codes SET expires_at = now() + interval '1 day' WHERE id = :id",
        "UPDATE contact_codes SET code_hash = code_hash WHERE id = :id",
        "DELETE FROM contact_codes WHERE id = :id",
    ):
        with pytest.raises(DatabaseFaultError):
            async with ana.transaction() as session:
                await session.execute(text(statement), {"id": pending.id})
    async with ana.transaction() as session:
        assert (await session.get_one(PendingOperation, pending.id)).status == "pending"
