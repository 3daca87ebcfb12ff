"""Passkeys (W3C Web Authentication, Level 2): their registration, and the check of what they sign.

A user must be verified (PIN or biometry) by the authenticator each time, the page must be ours and not inside another,
and the signature counter must not run backwards.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import webauthn
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from webauthn.helpers import options_to_json_dict, parse_client_data_json
from webauthn.helpers import structs as w3c
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException

from llm_banking.identity.errors import LimitExceededError, NotFoundError, WrongCodeError
from llm_banking.identity.models import WebauthnCredential
from llm_banking.kit.clock import utc_now
from llm_banking.kit.ids import uuid7
from llm_banking.kit.logs import get_logger

MAX_PASSKEYS = 10
MAX_CREDENTIAL_ID_BYTES = 1_023
"""WebAuthn Level 2, section 4 (credential ID)."""
MAX_PUBLIC_KEY_BYTES = 1_024
CEREMONY_TIMEOUT_MS = 120_000
ALGORITHMS = [COSEAlgorithmIdentifier.EDDSA, COSEAlgorithmIdentifier.ECDSA_SHA_256]

_MALFORMED = (
    WebAuthnException,
    InvalidSignature,
    UnsupportedAlgorithm,
    binascii.Error,
    ValueError,
    KeyError,
    TypeError,
)
"""All that the library raises for an answer that does not hold; a test feeds it garbage."""


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Who asks: the domain that passkeys belong to, its name, and the origins that its pages come from."""

    id: str
    name: str
    origins: tuple[str, ...]


class Passkeys:
    """The passkeys of all users. The caller makes, stores and uses up the challenges."""

    def __init__(self, party: RelyingParty, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._party = party
        self._clock = clock

    async def of_user(self, session: AsyncSession, user_id: UUID) -> list[WebauthnCredential]:
        """A user's passkeys, oldest first."""
        statement = select(WebauthnCredential).where(WebauthnCredential.user_id == user_id)
        return list(await session.scalars(statement.order_by(WebauthnCredential.id)))

    def creation_options(
        self, user_id: UUID, account: str, existing: Sequence[WebauthnCredential], challenge: bytes
    ) -> dict[str, Any]:
        """What the page gives to `navigator.credentials.create`. Raises LimitExceededError."""
        if len(existing) >= MAX_PASSKEYS:
            raise LimitExceededError(f"You have {MAX_PASSKEYS} passkeys, which is as many as may be. Delete one first.")
        options = webauthn.generate_registration_options(
            rp_id=self._party.id,
            rp_name=self._party.name,
            user_name=account,
            user_id=user_id.bytes,
            challenge=challenge,
            timeout=CEREMONY_TIMEOUT_MS,
            authenticator_selection=w3c.AuthenticatorSelectionCriteria(
                resident_key=w3c.ResidentKeyRequirement.PREFERRED,
                user_verification=w3c.UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[w3c.PublicKeyCredentialDescriptor(id=one.credential_id) for one in existing],
            supported_pub_key_algs=ALGORITHMS,
        )
        return options_to_json_dict(options)

    async def register(
        self, session: AsyncSession, user_id: UUID, *, challenge: bytes, credential: dict[str, Any], name: str
    ) -> WebauthnCredential:
        """Store a new passkey (section 7.1). The user's row must be locked, so that the limit holds.

        Raises WrongCodeError where the answer does not hold or the passkey is registered already (to anybody), and
        LimitExceededError.
        """
        try:
            _check_attestation(credential)
            done = webauthn.verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self._party.id,
                expected_origin=list(self._party.origins),
                require_user_verification=True,
                supported_pub_key_algs=ALGORITHMS,
            )
            framed = _is_framed(credential)
        except _MALFORMED as error:
            raise _refused("registration", type(error).__name__) from None
        if framed or len(done.credential_id) > MAX_CREDENTIAL_ID_BYTES:
            raise _refused("registration", "framed" if framed else "credential id")
        if len(done.credential_public_key) > MAX_PUBLIC_KEY_BYTES:
            raise _refused("registration", "public key")
        held = select(func.count()).where(WebauthnCredential.user_id == user_id)
        if (await session.scalar(held) or 0) >= MAX_PASSKEYS:
            raise LimitExceededError(f"You have {MAX_PASSKEYS} passkeys, which is as many as may be. Delete one first.")
        statement = insert(WebauthnCredential).values(
            id=uuid7(),
            user_id=user_id,
            credential_id=done.credential_id,
            public_key=done.credential_public_key,
            sign_count=done.sign_count,
            name=name,
            created_at=self._clock(),
        )
        stored: WebauthnCredential | None = await session.scalar(
            statement.on_conflict_do_nothing().returning(WebauthnCredential)
        )
        if stored is None:
            raise _refused("registration", "known credential")
        return stored

    def request_options(self, passkeys: Sequence[WebauthnCredential], challenge: bytes) -> dict[str, Any]:
        """What the page gives to `navigator.credentials.get`."""
        options = webauthn.generate_authentication_options(
            rp_id=self._party.id,
            challenge=challenge,
            timeout=CEREMONY_TIMEOUT_MS,
            allow_credentials=[w3c.PublicKeyCredentialDescriptor(id=one.credential_id) for one in passkeys],
            user_verification=w3c.UserVerificationRequirement.REQUIRED,
        )
        return options_to_json_dict(options)

    async def accept(
        self, session: AsyncSession, user_id: UUID, *, challenge: bytes, credential: dict[str, Any]
    ) -> bool:
        """Whether a passkey of this user signed this challenge now (section 7.2). Its counter is kept.

        A counter that does not rise is refused as a sign of a copied authenticator, unless it is always zero.
        """
        try:
            given = webauthn.helpers.parse_authentication_credential_json(credential)
            row = await self._locked(session, user_id, given.raw_id)
            if row is None or given.response.user_handle not in (None, user_id.bytes) or _is_framed(credential):
                get_logger("llm_banking.identity").warning(
                    "passkey refused", ceremony="authentication", cause="binding"
                )
                return False
            done = webauthn.verify_authentication_response(
                credential=given,
                expected_challenge=challenge,
                expected_rp_id=self._party.id,
                expected_origin=list(self._party.origins),
                credential_public_key=row.public_key,
                credential_current_sign_count=row.sign_count,
                require_user_verification=True,
            )
        except _MALFORMED as error:
            _refused("authentication", type(error).__name__)
            return False
        row.sign_count, row.last_used_at = done.new_sign_count, self._clock()
        await session.flush()
        return True

    async def remove(self, session: AsyncSession, user_id: UUID, passkey_id: UUID) -> None:
        """Forget a passkey. Raises NotFoundError, also for somebody else's."""
        statement = select(WebauthnCredential).where(
            WebauthnCredential.id == passkey_id, WebauthnCredential.user_id == user_id
        )
        row = await session.scalar(statement.with_for_update())
        if row is None:
            raise NotFoundError("You have no such passkey.")
        await session.delete(row)
        await session.flush()

    async def _locked(self, session: AsyncSession, user_id: UUID, credential_id: bytes) -> WebauthnCredential | None:
        statement = select(WebauthnCredential).where(
            WebauthnCredential.credential_id == credential_id, WebauthnCredential.user_id == user_id
        )
        return await session.scalar(statement.with_for_update().execution_options(populate_existing=True))


def _check_attestation(credential: dict[str, Any]) -> None:
    """Let through what a browser sends where none was asked for: nothing, or a key that attests itself (section 5.1.3).

    Other statements never reach the code that reads their certificates. Raises ValueError.
    """
    attested = webauthn.helpers.parse_attestation_object(
        webauthn.base64url_to_bytes(credential["response"]["attestationObject"])
    )
    if attested.fmt == w3c.AttestationFormat.NONE:
        return
    if attested.fmt != w3c.AttestationFormat.PACKED or attested.att_stmt.x5c is not None:
        raise ValueError("an attestation that was not asked for")


def _is_framed(credential: dict[str, Any]) -> bool:
    """Whether the browser says that our page stood inside one of another origin."""
    data = webauthn.base64url_to_bytes(credential["response"]["clientDataJSON"])
    return bool(parse_client_data_json(data).cross_origin)


def _refused(ceremony: str, cause: str) -> WrongCodeError:
    get_logger("llm_banking.identity").warning("passkey refused", ceremony=ceremony, cause=cause)
    return WrongCodeError(
        "The answer of the passkey does not hold. Begin again, on this site and with your own passkey."
    )
