"""How a step-up challenge is shown, and how it is answered, wherever one is asked for."""

from __future__ import annotations

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from llm_banking.api.envelope import Model, Timestamp, one_of
from llm_banking.identity.step_up import Challenge, Method, PasskeyAnswer, TotpCode

Code = Annotated[str, Field(pattern=r"^[0-9]{6}$")]
Credential = Annotated[dict[str, Any], Field(max_length=16)]
"""The JSON form of a PublicKeyCredential (WebAuthn Level 3, section 5.1)."""


class ChallengeBody(Model):
    """What may be answered with, until when; `webauthn` is for `navigator.credentials.get`."""

    challenge_id: UUID
    methods: list[Method]
    expires_at: Timestamp
    webauthn: dict[str, Any] | None

    @classmethod
    def of(cls, challenge: Challenge) -> ChallengeBody:
        """A challenge as it is sent."""
        return cls(
            challenge_id=challenge.id,
            methods=sorted(challenge.methods),
            expires_at=challenge.expires_at,
            webauthn=challenge.webauthn,
        )


class StepUpAnswer(Model):
    """The answer to a challenge: a code, or what the passkey gave."""

    model_config = ConfigDict(json_schema_extra=one_of("code", "credential"))

    challenge_id: UUID
    code: Annotated[Code | None, Field(repr=False)] = None
    credential: Annotated[Credential | None, Field(repr=False)] = None

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        if (self.code is None) == (self.credential is None):
            raise PydanticCustomError("one_answer", "needs either a code or a credential")
        return self

    @property
    def proof(self) -> TotpCode | PasskeyAnswer:
        """The answer in the service's terms."""
        return TotpCode(self.code) if self.code is not None else PasskeyAnswer(self.credential or {})
