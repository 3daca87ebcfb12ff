"""What stands between the two steps of a sign-in: a sealed ticket that the client brings back with its answer.

The server keeps nothing of its own for it. The ticket opens with its challenge's id alone, and the challenge is bound
to the hash of what the ticket says; so neither fits another, and the challenge, which is used once, uses up both.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from llm_banking.identity.errors import SignInOverError
from llm_banking.identity.models import User
from llm_banking.identity.secret_box import Place, SealedSecretError, SecretBox
from llm_banking.identity.throttle import Attempt

MAX_TICKET_CHARACTERS = 1_024
"""As sent; what is sealed here needs about 700."""
_PURPOSE = "sign in"


@dataclass(frozen=True, slots=True)
class Ticket:
    """The first step of a sign-in: who took it, how, and as of which password and token epoch.

    `sign_in_id` is new for each. `attempt` is the counted attempt that the whole sign-in forgives, if one was counted.
    """

    sign_in_id: UUID
    user_id: UUID
    password_changed_at: datetime | None
    token_epoch: int
    authenticated_by: tuple[str, ...]
    attempt: Attempt | None = field(repr=False)
    expires_at: datetime

    def encoded(self) -> bytes:
        """One text for one ticket: what is sealed, and the payload of the challenge."""
        changed = self.password_changed_at
        one = self.attempt
        hashes = None if one is None else [part.hex() for part in (one.name_hash, one.place_hash, one.everywhere_hash)]
        said = {
            "purpose": _PURPOSE,
            "sign_in": str(self.sign_in_id),
            "user": str(self.user_id),
            "password": None if changed is None else changed.isoformat(),
            "epoch": self.token_epoch,
            "methods": self.authenticated_by,
            "attempt": hashes,
            "until": self.expires_at.isoformat(),
        }
        return json.dumps(said, separators=(",", ":")).encode()

    @classmethod
    def decoded(cls, raw: bytes) -> Ticket:
        """The ticket that `encoded` wrote."""
        said = json.loads(raw)
        changed, hashes = said["password"], said["attempt"]
        return cls(
            sign_in_id=UUID(said["sign_in"]),
            user_id=UUID(said["user"]),
            password_changed_at=None if changed is None else datetime.fromisoformat(changed),
            token_epoch=said["epoch"],
            authenticated_by=tuple(said["methods"]),
            attempt=None if hashes is None else Attempt(*(bytes.fromhex(part) for part in hashes)),
            expires_at=datetime.fromisoformat(said["until"]),
        )

    def fits(self, user: User, now: datetime) -> bool:
        """Whether a user, as the database has the row now, is still the one who took the first step."""
        return (
            now < self.expires_at
            and user.id == self.user_id
            and user.status == "active"
            and user.password_changed_at == self.password_changed_at
            and user.token_epoch == self.token_epoch
        )


class SignInTickets:
    """Seals and opens tickets."""

    def __init__(self, box: SecretBox) -> None:
        self._box = box

    def seal(self, ticket: Ticket, challenge_id: UUID) -> str:
        """The text for the client: base64url, good with this challenge alone."""
        return base64.urlsafe_b64encode(self._box.seal(ticket.encoded(), _place(challenge_id))).rstrip(b"=").decode()

    def open(self, text: str, challenge_id: UUID) -> Ticket:
        """What a text says. Raises SignInOverError where it is no ticket of ours, or one of another challenge."""
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            return Ticket.decoded(self._box.open(sealed, _place(challenge_id)))
        except (ValueError, SealedSecretError):
            raise SignInOverError from None


def _place(challenge_id: UUID) -> Place:
    """A ticket belongs to the row of its challenge, though it is not stored there."""
    return Place("step_up_challenges", "sign_in_ticket", challenge_id)
