"""What a client asks for to have the caller's e-mail address changed, as an operation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from llm_banking.api.auth.bodies import Email
from llm_banking.api.envelope import Model
from llm_banking.identity.errors import ForbiddenError
from llm_banking.identity.principal import Principal
from llm_banking.operations.drafts import ContactChangeDraft, Draft, Kind

ContactCodeText = Annotated[str, Field(pattern=r"^[0-9]{8}$")]
"""What the new address was sent."""


class ContactChangeRequest(Model):
    """Change the caller's e-mail address. The new one is sent a code, which confirms it together with a factor."""

    kind: Literal[Kind.CONTACT_CHANGE]
    email: Email

    def draft_in(self, caller: Principal) -> Draft:
        """In the gate's terms. Raises ForbiddenError for a caller who is not a person that signed in."""
        if caller.session_id is None:
            raise ForbiddenError("This needs a person who signed in; a program's key will not do.")
        return ContactChangeDraft(self.email, caller.session_id)
