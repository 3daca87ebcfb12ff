"""What the routes of identity take and give."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, StrictBool, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from llm_banking.api.auth.step_up import ChallengeBody, StepUpAnswer
from llm_banking.api.envelope import Model, one_of
from llm_banking.api.text import CustomerRef, ShortText
from llm_banking.identity.factor_rule import FactorRule
from llm_banking.identity.models import User
from llm_banking.identity.refresh import IssuedTokens
from llm_banking.identity.roles import permissions_of
from llm_banking.identity.sign_in import SignInName
from llm_banking.identity.sign_in_tickets import MAX_TICKET_CHARACTERS
from llm_banking.kit import email_address

MAX_PASSWORD_CHARACTERS = 1_024
"""As sent. What counts is the length after normalisation, which the password rules bound."""

Email = Annotated[
    str,
    StringConstraints(
        max_length=email_address.MAX_CHARACTERS,
        pattern=email_address.PATTERN,
    ),
    AfterValidator(str.lower),
]
"""As `kit.email_address` says, in lower case."""
Password = Annotated[SecretStr, Field(min_length=1, max_length=MAX_PASSWORD_CHARACTERS)]
Device = Annotated[ShortText | None, Field(max_length=100)]
RefreshTokenText = Annotated[SecretStr, Field(min_length=1, max_length=200)]
TicketText = Annotated[SecretStr, Field(min_length=1, max_length=MAX_TICKET_CHARACTERS)]


class RegisterRequest(Model):
    """A new customer."""

    email: Email
    password: Password
    display_name: ShortText


class Accepted(Model):
    """The same for every e-mail, whether it was known or not."""

    status: Literal["accepted"] = "accepted"


class LoginRequest(Model):
    """An e-mail or a customer number, and the password. `device` is what the client calls itself.

    `browser`: the refresh token comes in a cookie that no script can read, and not in the body.
    """

    model_config = ConfigDict(json_schema_extra=one_of("email", "customer_number"))

    email: Email | None = None
    customer_number: CustomerRef | None = None
    password: Password
    device: Device = None
    browser: StrictBool = False

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if (self.email is None) == (self.customer_number is None):
            raise PydanticCustomError("one_sign_in_name", "needs an e-mail or a customer number, and not both")
        return self

    def name(self) -> SignInName:
        """The sign-in name."""
        return SignInName(email=self.email, customer_number=self.customer_number)


class SecondFactorRequest(StepUpAnswer):
    """The second step of a sign-in: what the first one gave, and the answer to its challenge."""

    ticket: TicketText
    device: Device = None
    browser: StrictBool = False


class RefreshRequest(Model):
    """A refresh token, and the device name of the sign-in. A page sends no token: its browser holds the cookie."""

    refresh_token: RefreshTokenText | None = None
    device: Device = None


class PasswordRequest(Model):
    """A change of password."""

    old_password: Password
    new_password: Password


class UserBody(Model):
    """A person, as that person sees it. `permissions` are those of this sign-in.

    `second_factor_required`: this role signs in with a second factor, and this sign-in was without one. It may set one
    up and nothing else; then the person signs in again.
    """

    id: UUID
    email: str | None
    customer_number: str | None
    display_name: str
    account_type: str
    permissions: list[str]
    second_factor_required: bool


class AccessBody(Model):
    """An access token (RFC 6750). `expires_in` is seconds."""

    access_token: Annotated[str, Field(repr=False)]
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the type's name (RFC 6750), not a secret
    expires_in: int


class TokensBody(AccessBody):
    """An access token and the refresh token that follows it: null where the browser was given it as a cookie."""

    refresh_token: Annotated[str | None, Field(repr=False)]


class SignedInBody(TokensBody):
    """Both tokens, and whose they are."""

    user: UserBody


class SecondFactorNeededBody(Model):
    """The password fits, and a second factor is asked for. The ticket is good with this challenge, once, until it ends.

    It goes to `POST /api/auth/login/second-factor`.
    """

    ticket: Annotated[str, Field(repr=False)]
    challenge: ChallengeBody


class SignedOut(Model):
    """The session has ended."""

    signed_out: Literal[True] = True


def user_body(user: User, rule: FactorRule, methods: tuple[str, ...] | None) -> UserBody:
    """A person's row as that person may see it. `methods` are those of the sign-in; None for a program's key."""
    lacking = methods is not None and rule.is_lacking(user.account_type, methods)
    held = permissions_of(user.account_type) if methods is None else rule.permissions(user.account_type, methods)
    return UserBody(
        id=user.id,
        email=user.email,
        customer_number=user.customer_number,
        display_name=user.display_name,
        account_type=user.account_type,
        permissions=sorted(held),
        second_factor_required=lacking,
    )


def tokens_body(tokens: IssuedTokens, *, browser: bool) -> TokensBody:
    """Issued tokens as a body; without the refresh token where the browser keeps it."""
    return TokensBody(
        access_token=tokens.access_token,
        expires_in=tokens.access_expires_in_s,
        refresh_token=None if browser else tokens.refresh_token,
    )
