"""The demo principal: development only, switched on explicitly, logged on every request it makes."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.errors import ForbiddenError
from llm_banking.identity.models import User
from llm_banking.identity.principal import Permission, Principal

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


GUEST_ID = demo_id("guest")
CUSTOMERS = (
    DemoCustomer("CUST001", "Ana Morales", "premium"),
    DemoCustomer("CUST002", "Ben Carter", "user"),
    DemoCustomer("CUST003", "Chen Wei", "user"),
)
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
    people: list[tuple[UUID, str | None, str, str]] = [(GUEST_ID, None, "Guest", "guest")]
    people += [(one.user_id, one.customer_number, one.name, one.account_type) for one in CUSTOMERS]
    for user_id, number, name, account_type in people:
        statement = insert(User).values(
            id=user_id, customer_number=number, display_name=name, account_type=account_type, is_demo=True
        )
        await session.execute(statement.on_conflict_do_nothing())
