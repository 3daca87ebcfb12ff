"""The demo bank's people, and the demo principal: development only, switched on explicitly, logged on each request."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.errors import ForbiddenError
from llm_banking.identity.hashing import PasswordHasher
from llm_banking.identity.models import User
from llm_banking.identity.principal import Permission, Principal
from llm_banking.kit.clock import utc_now

_NAMESPACE = UUID("6f0f0d5e-3a52-5c0c-9e0b-0b7d0c7f1a77")


def demo_id(name: str) -> UUID:
    """The same UUID for the same demo name on every machine."""
    return uuid5(_NAMESPACE, name)


@dataclass(frozen=True, slots=True)
class DemoCustomer:
    """A seeded customer."""

    customer_number: str
    name: str
    account_type: str

    @property
    def user_id(self) -> UUID:
        """Id of the customer's row."""
        return demo_id(self.customer_number)


@dataclass(frozen=True, slots=True)
class DemoStaff:
    """A seeded member of the bank's staff."""

    email: str
    name: str
    account_type: str


@dataclass(frozen=True, slots=True)
class DemoSignIn:
    """A password that was given to a demo user just now; it is told once and stored as a hash alone."""

    name: str
    account_type: str
    password: str = field(repr=False)


GUEST_ID = demo_id("guest")
CUSTOMERS = (
    DemoCustomer("CUST001", "Ana Morales", "premium"),
    DemoCustomer("CUST002", "Ben Carter", "user"),
    DemoCustomer("CUST003", "Chen Wei", "user"),
)
STAFF = (
    DemoStaff("admin@demo.example", "Dana Admin", "admin"),
    DemoStaff("agent@demo.example", "Gil Agent", "agent"),
    DemoStaff("auditor@demo.example", "Ola Auditor", "auditor"),
)
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_BY_NUMBER = {customer.customer_number: customer for customer in CUSTOMERS}

DEMO_PRINCIPAL = Principal(
    user_id=GUEST_ID,
    subject="demo",
    permissions=frozenset({Permission.CHAT_READ, Permission.CHAT_WRITE}),
    visible_user_ids=frozenset({GUEST_ID, *(customer.user_id for customer in CUSTOMERS)}),
    is_demo=True,
)


def owner_of(principal: Principal, named: str | None) -> UUID:
    """Whose conversation this is: the caller's, or a seeded customer's that the demo principal names.

    Any other caller may only name itself. Raises ForbiddenError.
    """
    if named is None or named == principal.subject:
        return principal.user_id
    if principal.is_demo and named in _BY_NUMBER:
        return _BY_NUMBER[named].user_id
    raise ForbiddenError(
        "The customer named in the request is not the one signed in. Leave it out, or sign in as that customer."
    )


async def seed_users(session: AsyncSession) -> None:
    """Write the demo users; rows that are there stay as they are."""
    people: list[dict[str, object]] = [{"id": GUEST_ID, "display_name": "Guest", "account_type": "guest"}]
    people += [
        {
            "id": one.user_id,
            "customer_number": one.customer_number,
            "display_name": one.name,
            "account_type": one.account_type,
        }
        for one in CUSTOMERS
    ]
    people += [
        {"id": demo_id(one.email), "email": one.email, "display_name": one.name, "account_type": one.account_type}
        for one in STAFF
    ]
    for values in people:
        await session.execute(insert(User).values(**values, is_demo=True).on_conflict_do_nothing())


async def give_passwords(session: AsyncSession, hasher: PasswordHasher) -> tuple[DemoSignIn, ...]:
    """Give every seeded user that may sign in and has no password a generated one; returns those, in seed order."""
    order = [one.user_id for one in CUSTOMERS] + [demo_id(one.email) for one in STAFF]
    statement = select(User).where(User.id.in_(order), User.is_demo, User.password_hash.is_(None)).with_for_update()
    given = []
    for user in sorted(await session.scalars(statement), key=lambda one: order.index(one.id)):
        password = _password()
        user.password_hash, user.password_changed_at = await hasher.hash(password), utc_now()
        given.append(DemoSignIn(user.customer_number or user.email or "", user.account_type, password))
    return tuple(given)


def _password() -> str:
    """Five groups of four characters that are hard to mistake: 100 bits."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(20))
    return "-".join(letters[at : at + 4] for at in range(0, 20, 4))
