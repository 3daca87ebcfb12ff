"""A change of a customer's e-mail address: what is frozen, what is checked, and how it is made.

The address is what the customer signs in with. Whoever holds it can have letters of the bank: so a change is proved by
a factor of the customer's and by a code that only the new address was sent, and the old address is told of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.models import User
from llm_banking.identity.refresh import TokenFamilies
from llm_banking.identity.step_up import Method
from llm_banking.kit.ids import uuid7
from llm_banking.operations.contact_codes import ContactCodes
from llm_banking.operations.drafts import ContactChangeDraft, Kind
from llm_banking.operations.errors import LettersUnavailableError, NotPossibleError
from llm_banking.operations.handlers import Done
from llm_banking.operations.policy import OperationPolicy

VERSION = 1


@dataclass(frozen=True, slots=True)
class ContactParts:
    """What a change of address needs of identity. Without it there is none."""

    codes: ContactCodes
    families: TokenFamilies


@dataclass(frozen=True, slots=True)
class ContactChange:
    """A frozen change. `old_email` is null where there was none; `session_id` is the session that goes on."""

    id: str
    user_id: str
    old_email: str | None
    new_email: str
    session_id: str
    kind: Kind = Kind.CONTACT_CHANGE
    version: int = VERSION

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return {**asdict(self), "kind": self.kind.value}

    def summary(self) -> str:
        """The text that the customer is shown, from the payload alone."""
        old = "" if self.old_email is None else f" from {self.old_email}"
        return (
            f"Change your e-mail address{old} to {self.new_email}. You sign in with the new one from then on, and your "
            "sessions on other devices end. The new address is sent a code that confirms this."
        )

    def told(self) -> str:
        """What the customer is told once it was done, from the payload alone."""
        return f"Your e-mail address is {self.new_email}. Sign in with it from now on."

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> ContactChange:
        """From what is stored. Raises KeyError, TypeError or ValueError on what is no payload of this version."""
        if document["version"] != VERSION or Kind(document["kind"]) is not Kind.CONTACT_CHANGE:
            raise ValueError("a payload of another version or kind")
        return cls(**{**document, "kind": Kind.CONTACT_CHANGE})


class ContactChanges:
    """The handler of changes of address."""

    def __init__(self, policy: OperationPolicy, parts: ContactParts | None) -> None:
        """`parts` None: this server can send no letters, and refuses."""
        self._policy = policy
        self._parts = parts

    async def freeze(self, session: AsyncSession, user_id: UUID, draft: ContactChangeDraft) -> ContactChange:
        """The address as it is now and the one that it becomes. Raises LettersUnavailableError, NotPossibleError."""
        if self._parts is None:
            raise LettersUnavailableError
        old = (await session.get_one(User, user_id, populate_existing=True)).email
        if draft.new_email == old:
            raise NotPossibleError("This is your address already. Name another one.")
        return ContactChange(str(uuid7()), str(user_id), old, draft.new_email, str(draft.session_id))

    def read(self, document: Mapping[str, Any]) -> ContactChange:
        """As ContactChange.of."""
        return ContactChange.of(document)

    async def check(self, session: AsyncSession, payload: ContactChange, _now: datetime) -> frozenset[Method]:
        """By which factors a change is proved that may be made now.

        Whether the new address is somebody else's is not looked at: the answer would say who is a customer. Raises
        NotPossibleError.
        """
        user = await session.get_one(User, UUID(payload.user_id), populate_existing=True)
        if user.email != payload.old_email:
            raise NotPossibleError("Your address was changed since you asked for this. Ask for it again.")
        return self._policy.proof[payload.kind.value]

    async def execute(self, session: AsyncSession, payload: ContactChange, now: datetime) -> Done:  # noqa: ARG002 - the protocol's
        """Change it, and end the customer's other sessions. Raises NotPossibleError, LettersUnavailableError.

        Who comes here read the letter to the new address, and so may learn that it is taken.
        """
        if self._parts is None:
            raise LettersUnavailableError
        user = await session.get_one(User, UUID(payload.user_id), populate_existing=True)
        try:
            async with session.begin_nested():
                user.email = payload.new_email
                await session.flush()
        except IntegrityError:
            raise NotPossibleError("This address cannot be used here. Name another one, or ask the bank.") from None
        ended = await self._parts.families.end_all(session, user.id, "email_changed", but=UUID(payload.session_id))
        return Done(result={"sessions_ended": ended})
