"""Signing in with another provider, in steps, so that no transaction is open while the provider is asked.

Begin: `metadata` (asks), `begin` (writes). Come back: `take` (writes), `prove` (asks), `finish` (writes). The browser
that began then fetches the tokens with `exchange` (writes).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity import repository
from llm_banking.identity.admission import Admission, SecondFactorNeeded, SignedIn
from llm_banking.identity.oidc import linking
from llm_banking.identity.oidc.attempts import Attempt, Attempts, Holder, Link
from llm_banking.identity.oidc.directory import Directory, Metadata
from llm_banking.identity.oidc.errors import OidcRefusedError, ProviderNotSetUpError, ProviderUnavailableError
from llm_banking.identity.oidc.http import ProviderClient
from llm_banking.identity.oidc.id_token import Claims, IdToken, read_header, verify
from llm_banking.identity.oidc.providers import Provider
from llm_banking.kit.logs import get_logger

SCOPE = "openid email profile"
METHOD = "fed"
"""What `amr` says of a sign-in that another provider vouches for; RFC 8176 names no method for that."""


@dataclass(frozen=True, slots=True)
class Started:
    """Where to send the browser, and the value of its cookie."""

    authorization_url: str = field(repr=False)
    browser: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider sends the browser back with (RFC 6749, section 4.1.2; RFC 9207)."""

    code: str | None = field(repr=False)
    issuer: str | None
    failed: bool


class OidcSignIn:
    """Sign-in with the providers that are set up."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        client: ProviderClient,
        directory: Directory,
        attempts: Attempts,
        admission: Admission,
    ) -> None:
        self._providers = providers
        self._client = client
        self._directory = directory
        self._attempts = attempts
        self._admission = admission
        self._log = get_logger("llm_banking.identity")

    @property
    def names(self) -> list[str]:
        """The providers that are set up."""
        return sorted(self._providers)

    def provider(self, name: str) -> Provider:
        """The provider of a name. Raises ProviderNotSetUpError."""
        found = self._providers.get(name)
        if found is None:
            raise ProviderNotSetUpError
        return found

    async def metadata(self, provider: Provider) -> Metadata:
        """Where to send the browser. Raises ProviderUnavailableError."""
        with self._logged(provider):
            return await self._directory.metadata(provider)

    async def begin(
        self, session: AsyncSession, provider: Provider, metadata: Metadata, *, link: Link | None = None
    ) -> Started:
        """A new attempt; with `link`, one that gives the account to a user who is signed in.

        Raises StepUpRefusedError where that user's sign-in was too long ago.
        """
        if link is not None:
            await linking.check_recent(session, link)
        keys, attempt = await self._attempts.begin(session, provider.name, link)
        url: str = prepare_grant_uri(
            metadata.authorization_url,
            client_id=provider.client_id,
            response_type="code",
            redirect_uri=provider.redirect_uri,
            scope=SCOPE,
            state=keys.state,
            nonce=attempt.nonce,
            code_challenge=create_s256_code_challenge(attempt.verifier),
            code_challenge_method="S256",
            prompt="select_account",  # a link of another site must not sign anybody in without a click
        )
        return Started(url, keys.browser)

    async def take(self, session: AsyncSession, provider: Provider, *, state: str, browser: str) -> Attempt | None:
        """Consume the attempt that a browser comes back with. None: refuse, after the commit."""
        attempt = await self._attempts.take(session, provider=provider.name, state=state, browser=browser)
        if attempt is None:
            self._log.warning("federated sign-in refused", provider=provider.name, reason="attempt")
        return attempt

    async def prove(self, provider: Provider, attempt: Attempt, answer: Answer) -> Claims:
        """Who signed in with the provider. Raises OidcRefusedError and ProviderUnavailableError."""
        with self._logged(provider):
            metadata = await self._directory.metadata(provider)
            _check_answer(provider, metadata, answer)
            given = await self._client.redeem(
                provider, metadata.token_url, code=answer.code or "", verifier=attempt.verifier
            )
            token = _id_token(given)
            header = read_header(token, algorithms=metadata.algorithms)
            keys = await self._directory.keys(provider, kid=header.kid)
            claims = verify(token, header, keys, provider, nonce=attempt.nonce)
            if answer.issuer not in (None, claims.issuer):
                raise OidcRefusedError("issuer of the answer")
            return claims

    async def finish(
        self, session: AsyncSession, provider: Provider, attempt: Attempt, claims: Claims, *, browser: str
    ) -> str | None:
        """Link the account and return None, or sign its user in and return the code to exchange.

        To link, the transaction sees that user's rows; to sign in, those of every user.
        Raises OidcRefusedError, IdentityTakenError and TooManyLinksError.
        """
        with self._logged(provider):
            if attempt.link is not None:
                await linking.link(session, claims, attempt.link)
                user_id = str(attempt.link.user_id)
                self._log.info("account with a provider linked", provider=provider.name, user_id=user_id)
                return None
            user = await linking.sign_in(session, claims)
            holder = Holder(user.id, user.token_epoch)
            return await self._attempts.give_code(session, provider=provider.name, browser=browser, holder=holder)

    async def exchange(
        self, session: AsyncSession, *, code: str, browser: str, device: str | None
    ) -> SignedIn | SecondFactorNeeded | None:
        """Open the session that a code stands for, or ask for the second factor. None: refuse, after the commit."""
        holder = await self._attempts.take_code(session, code=code, browser=browser)
        user = None if holder is None else await repository.lock_user(session, holder.user_id)
        if holder is None or user is None or user.status != "active" or user.token_epoch != holder.token_epoch:
            self._log.warning("federated sign-in refused", reason="sign-in code" if user is None else "user changed")
            return None
        return await self._admission.admit(session, user, device=device, authenticated_by=(METHOD,))

    @contextmanager
    def _logged(self, provider: Provider) -> Iterator[None]:
        """Tell the operator what the caller is not told: fixed words, nothing that the provider or the caller sent."""
        try:
            yield
        except OidcRefusedError as error:
            self._log.warning("federated sign-in refused", provider=provider.name, reason=error.reason)
            raise
        except ProviderUnavailableError as error:
            self._log.error("sign-in provider unavailable", provider=provider.name, reason=error.reason)
            raise


def _check_answer(provider: Provider, metadata: Metadata, answer: Answer) -> None:
    """Whether the answer is this provider's, and a success. Who says that it names itself must do so (RFC 9207)."""
    if answer.issuer is None:
        if metadata.names_issuer:
            raise OidcRefusedError("issuer of the answer")
    elif provider.issuer(answer.issuer) is None:
        raise OidcRefusedError("issuer of the answer")
    if answer.failed or not answer.code:
        raise OidcRefusedError("answer")


def _id_token(given: Mapping[str, object]) -> IdToken:
    """The id token of a token response (OpenID Connect Core 1.0, section 3.1.3.3)."""
    text, access_token = given.get("id_token"), given.get("access_token")
    if not isinstance(text, str):
        raise OidcRefusedError("no id token")
    return IdToken(text, access_token if isinstance(access_token, str) else None)
