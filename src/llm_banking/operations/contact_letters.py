"""The letters of a change of address: the code to the new one, and the news to the old one once it was changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.models import User
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, Scope
from llm_banking.kit.delivery import News, Sink
from llm_banking.kit.mail import Letter, Mail
from llm_banking.operations.contact import ContactChange
from llm_banking.operations.contact_codes import TOPIC, ContactCodes
from llm_banking.operations.drafts import Kind
from llm_banking.operations.errors import LettersUnavailableError
from llm_banking.operations.models import ContactCode, PendingOperation

_CODE = """\
Somebody asked us to use this e-mail address for their account with the bank.

If that was you, enter this code where you asked for it: {code}
It is good until {until} UTC, and for this alone. Nobody at the bank will ask you for it.

If that was not you, do nothing: without the code nothing changes.
"""
_TAKEN = """\
Somebody asked us to use this e-mail address for their account with the bank. It is used for an account already, so
nothing was changed, and nothing will be.

If that was you, sign in with this address. If it was not, you need to do nothing.
"""
_CHANGED = """\
The e-mail address of your account with the bank was changed. This address is not used for it any more: you sign in with
the new one, and letters go there.

If that was not you, call the bank at once.
"""


class ContactLetters:
    """A sink that sends the letters which news asks for, and then hands every piece of news on to another sink."""

    def __init__(
        self,
        database: Database,
        codes: ContactCodes,
        mail: Mail | None,
        then: Sink,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """`mail` None: where a letter is to be sent, LettersUnavailableError is raised."""
        self._database = database
        self._codes = codes
        self._mail = mail
        self._then = then
        self._clock = clock

    async def deliver(self, news: News) -> None:
        """Send what is to be sent, and hand it on. Raises whatever the mail or the other sink raises."""
        if news.topic == TOPIC:
            await self._send_code(news.user_id, UUID(news.payload["operation_id"]))
        elif news.topic == "operation.executed" and news.payload.get("kind") == Kind.CONTACT_CHANGE.value:
            await self._tell_old_address(news.user_id, UUID(news.payload["operation_id"]))
        await self._then.deliver(news)

    async def _send_code(self, user_id: UUID, pending_id: UUID) -> None:
        """Send the code while it can be used; then it is forgotten.

        An address that is taken is told so, without a code: whoever asked for the change learns nothing of it.
        """
        async with self._database.transaction(visible_to={user_id}) as session:
            row = await session.get_one(ContactCode, pending_id)
            change = await _change(session, pending_id)
            code, over = self._codes.opened(row), self._clock() >= row.expires_at
            until = f"{row.expires_at:%H:%M}"
        if code is not None and not over:
            taken = await self._is_taken(change)
            text = _TAKEN if taken else _CODE.format(code=code, until=until)
            subject = "Your e-mail address at the bank" if taken else "Your code for the bank"
            await self._send(Letter(change.new_email, subject, text))
        async with self._database.transaction(visible_to={user_id}) as session:
            row = await session.get_one(ContactCode, pending_id)
            row.code_encrypted = None
            row.sent_at = row.sent_at or (None if over else self._clock())

    async def _tell_old_address(self, user_id: UUID, pending_id: UUID) -> None:
        async with self._database.transaction(visible_to={user_id}) as session:
            change = await _change(session, pending_id)
        if change.old_email is not None:
            await self._send(Letter(change.old_email, "Your e-mail address at the bank was changed", _CHANGED))

    async def _is_taken(self, change: ContactChange) -> bool:
        others = exists().where(User.email == change.new_email, User.id != UUID(change.user_id))
        async with self._database.transaction(scope=Scope.IDENTITY) as session:
            return bool(await session.scalar(select(others)))

    async def _send(self, letter: Letter) -> None:
        if self._mail is None:
            raise LettersUnavailableError
        await self._mail.send(letter)


async def _change(session: AsyncSession, pending_id: UUID) -> ContactChange:
    return ContactChange.of((await session.get_one(PendingOperation, pending_id)).payload)
