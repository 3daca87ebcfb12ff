"""Identity as one process runs it: its parts, and what it does by itself while the server runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from llm_banking.identity import repository
from llm_banking.identity.admission import Admission
from llm_banking.identity.api_keys import ApiKeyLimits, ApiKeys
from llm_banking.identity.authenticator import Authenticator, VerifyApiKey, visible_to
from llm_banking.identity.factor_rule import FactorRule
from llm_banking.identity.hashing import PasswordHasher
from llm_banking.identity.keyed_hash import KeyedHash
from llm_banking.identity.leaked_passwords import LeakedPasswords
from llm_banking.identity.master_key import load_master_keys
from llm_banking.identity.oidc.attempts import Attempts
from llm_banking.identity.oidc.directory import Directory
from llm_banking.identity.oidc.http import ProviderClient
from llm_banking.identity.oidc.providers import providers_of
from llm_banking.identity.oidc.service import OidcSignIn
from llm_banking.identity.own_sessions import OwnSessions
from llm_banking.identity.principal import Principal
from llm_banking.identity.refresh import TokenFamilies
from llm_banking.identity.revocations import POLL_S, Revocations
from llm_banking.identity.roles import Role, permissions_of
from llm_banking.identity.second_factors import SecondFactors
from llm_banking.identity.secret_box import SecretBox
from llm_banking.identity.service import Accounts
from llm_banking.identity.sign_in import SignIn
from llm_banking.identity.sign_in_tickets import SignInTickets
from llm_banking.identity.signing_keys import SigningKeys
from llm_banking.identity.throttle import SignInThrottle
from llm_banking.identity.tokens import AccessTokens
from llm_banking.identity.totp import Totp
from llm_banking.identity.webauthn_login import Passkeys, RelyingParty
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, Scope
from llm_banking.kit.logs import get_logger
from llm_banking.settings import Environment, Settings

READ_TIMEOUT_S = 1.0
"""Short enough for a second try before tokens are no longer believed."""
PURGE_EVERY_S = 600.0


@dataclass(frozen=True, slots=True)
class IdentityServices:
    """The parts of identity that routes use."""

    keys: SigningKeys
    keyed: KeyedHash
    hasher: PasswordHasher
    factor_rule: FactorRule
    tokens: AccessTokens
    revocations: Revocations
    families: TokenFamilies
    own_sessions: OwnSessions
    admission: Admission
    sign_in: SignIn
    accounts: Accounts
    api_keys: ApiKeys
    second_factors: SecondFactors
    oidc: OidcSignIn
    authenticate: Authenticator


def build_identity(settings: Settings, database: Database | None = None) -> IdentityServices:
    """Wire the parts; the first start makes the key files. Without a database every API key is refused.

    Raises ConfigurationError.
    """
    private = settings.environment is not Environment.TEST
    master_keys = load_master_keys(settings.home, settings.master_key_file)
    limits = ApiKeyLimits(timedelta(days=settings.api_key_max_lifetime_days), settings.api_keys_per_user)
    api_keys = ApiKeys(master_keys, permissions_of, limits)
    party = RelyingParty(settings.webauthn_rp_id, "llm-banking", settings.webauthn_origins)
    keys = SigningKeys(settings.signing_key_file, private=private)
    keyed, box = KeyedHash.of(master_keys), SecretBox(master_keys)
    hasher = PasswordHasher.of(settings)
    factor_rule = FactorRule(frozenset(Role(one) for one in settings.second_factor_required_for))
    tokens = AccessTokens(
        keys, audience=settings.jwt_audience, lifetime_s=settings.access_token_s, factor_rule=factor_rule
    )
    revocations = Revocations(token_lifetime_s=settings.access_token_s, stale_s=settings.revocations_stale_s)
    families = TokenFamilies(
        tokens,
        revocations,
        keyed,
        lifetime_s=settings.session_s,
        idle_s=settings.idle_s,
        grace_s=settings.refresh_grace_s,
    )
    throttle = SignInThrottle(keyed)
    leaked = None if settings.leaked_passwords_file is None else LeakedPasswords(settings.leaked_passwords_file)
    second_factors = SecondFactors(Totp(box, issuer="llm-banking"), Passkeys(party))
    admission = Admission(families, throttle, second_factors.step_up, SignInTickets(box))
    return IdentityServices(
        keys=keys,
        keyed=keyed,
        hasher=hasher,
        factor_rule=factor_rule,
        tokens=tokens,
        revocations=revocations,
        families=families,
        own_sessions=OwnSessions(families),
        admission=admission,
        sign_in=SignIn(hasher, throttle, admission),
        accounts=Accounts(hasher, throttle, families, revocations, leaked),
        api_keys=api_keys,
        second_factors=second_factors,
        oidc=_build_oidc(settings, keyed, box, admission),
        authenticate=Authenticator(
            tokens,
            revocations,
            demo=settings.demo,
            verify_api_key=None if database is None else api_key_verifier(api_keys, database),
        ),
    )


def api_key_verifier(keys: ApiKeys, database: Database) -> VerifyApiKey:
    """How the authenticator finds out whom an API key speaks for."""

    async def verify(presented: str) -> Principal:
        async with database.transaction(scope=Scope.IDENTITY) as session:
            found = await keys.verify(session, presented)
        return Principal(
            user_id=found.user_id,
            subject=str(found.user_id),
            permissions=found.scopes,
            visible_user_ids=visible_to(found.user_id),
            api_key_id=found.key_id,
        )

    return verify


def _build_oidc(settings: Settings, keyed: KeyedHash, box: SecretBox, admission: Admission) -> OidcSignIn:
    client, providers = ProviderClient(), providers_of(settings)
    directory = Directory(client, providers, loopback_http=settings.loopback_http)
    return OidcSignIn(providers, client, directory, Attempts(keyed, box), admission)


class Upkeep:
    """Reads revocations and rotated keys twice a second, and deletes what has aged out every ten minutes.

    It has connections of its own: requests that hold all others must not make tokens unbelievable.
    """

    def __init__(self, identity: IdentityServices, database_url: str) -> None:
        self._identity = identity
        self._database = Database(database_url, max_pool_size=2)
        self._log = get_logger("llm_banking.identity")
        self._failing: set[str] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run while the block does; the first read is done when it begins."""
        await self.once(self.read)
        tasks = [
            asyncio.create_task(self._every(POLL_S, self.read)),
            asyncio.create_task(self._every(PURGE_EVERY_S, self.purge)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._database.close()

    async def read(self) -> None:
        """Learn what was revoked, and which keys there are now."""
        async with asyncio.timeout(READ_TIMEOUT_S), self._database.transaction(scope=Scope.IDENTITY) as session:
            await self._identity.revocations.refresh(session)
        self._identity.keys.reload_if_changed()

    async def purge(self) -> None:
        """Delete what has aged out."""
        async with self._database.transaction(scope=Scope.IDENTITY) as session:
            await repository.purge(session, utc_now())

    async def once(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Do a piece of work; False if it failed, which is logged when failing begins and when it ends."""
        name = work.__name__
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - the next round must come; until one succeeds, tokens are refused
            if name not in self._failing:
                self._log.error("identity cannot be kept up to date", work=name, reason=type(error).__name__)
            self._failing.add(name)
            return False
        if name in self._failing:
            self._log.info("identity is up to date again", work=name)
        self._failing.discard(name)
        return True

    async def _every(self, period_s: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(period_s)
            await self.once(work)
