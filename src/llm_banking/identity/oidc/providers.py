"""The providers as data: where each is found, and which issuers it may speak for."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr

from llm_banking.settings import Settings

GOOGLE = "google"
MICROSOFT = "microsoft"
_GOOGLE_ISSUER = "https://accounts.google.com"
_MICROSOFT_HOST = "https://login.microsoftonline.com"
_TENANT_PLACE = "{tenantid}"


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer whose id tokens are believed. With a tenant, the claim `tid` must name it."""

    url: str
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider and this server's registration with it.

    `authority` is what the address of the discovery document begins with, and `document_issuer` what that document must
    call itself: the same, but for a document that several tenants share. `redirect_uri` is the exact one.
    """

    name: str
    authority: str
    document_issuer: str
    issuers: tuple[Issuer, ...]
    client_id: str
    client_secret: SecretStr
    redirect_uri: str

    @property
    def discovery_url(self) -> str:
        """Where the metadata are (OpenID Connect Discovery 1.0, section 4)."""
        return f"{self.authority}/.well-known/openid-configuration"

    def issuer(self, url: object) -> Issuer | None:
        """The issuer of exactly that name, if this provider may speak for it."""
        return next((issuer for issuer in self.issuers if issuer.url == url), None)


def providers_of(settings: Settings) -> dict[str, Provider]:
    """The providers that are set up, by name."""
    found = (_google(settings), _microsoft(settings))
    return {provider.name: provider for provider in found if provider is not None}


def key_issuer(named: str, issuer: Issuer) -> str:
    """The issuer that a shared key set names for a key, for the tenant of one issuer."""
    return named.replace(_TENANT_PLACE, issuer.tenant or "")


def _google(settings: Settings) -> Provider | None:
    if settings.oauth_google_client_id is None or settings.oauth_google_client_secret is None:
        return None
    return Provider(
        name=GOOGLE,
        authority=_GOOGLE_ISSUER,
        document_issuer=_GOOGLE_ISSUER,
        issuers=(Issuer(_GOOGLE_ISSUER),),
        client_id=settings.oauth_google_client_id,
        client_secret=settings.oauth_google_client_secret,
        redirect_uri=_redirect_uri(settings, GOOGLE),
    )


def _microsoft(settings: Settings) -> Provider | None:
    """One tenant has its own document; several share that of all organisations, whose issuer is a template."""
    if settings.oauth_microsoft_client_id is None or settings.oauth_microsoft_client_secret is None:
        return None
    tenants = settings.microsoft_tenants
    issuers = tuple(Issuer(f"{_MICROSOFT_HOST}/{tenant}/v2.0", tenant) for tenant in tenants)
    alone = len(issuers) == 1
    return Provider(
        name=MICROSOFT,
        authority=issuers[0].url if alone else f"{_MICROSOFT_HOST}/organizations/v2.0",
        document_issuer=issuers[0].url if alone else f"{_MICROSOFT_HOST}/{_TENANT_PLACE}/v2.0",
        issuers=issuers,
        client_id=settings.oauth_microsoft_client_id,
        client_secret=settings.oauth_microsoft_client_secret,
        redirect_uri=_redirect_uri(settings, MICROSOFT),
    )


def _redirect_uri(settings: Settings, name: str) -> str:
    return f"{settings.public_base_url}/api/auth/oauth/{name}/callback"
