"""The only reader of the environment. Bad configuration fails here, at start, with a clear message."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from llm_banking.kit import email_address
from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.mail import Tls
from llm_banking.kit.rate_limits import TIMEOUT_S, Limit
from llm_banking.kit.urls import is_web_address

MAX_CORS_ORIGINS = 50
_ORIGIN = re.compile(r"(https?)://([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::([1-9][0-9]{0,4}))?", re.ASCII)
"""An origin as browsers write it (RFC 6454, section 6.2): lower case, no path, no wildcard, no `null`."""
_DEFAULT_PORTS = {("http", "80"), ("https", "443")}


class Environment(StrEnum):
    """Where the process runs. Development binds to loopback and has the demo principal."""

    DEVELOPMENT = "development"
    TEST = "test"
    STAGING = "staging"
    PRODUCTION = "production"


class Profile(StrEnum):
    """How long a sign-in lasts: as documented for developers, or as short as a bank wants it."""

    DEFAULT = "default"
    BANK = "bank"


ACCESS_TOKEN_LIFETIME_S = {Profile.DEFAULT: 86_400, Profile.BANK: 600}
SESSION_LIFETIME_S = {Profile.DEFAULT: 30 * 86_400, Profile.BANK: 12 * 3_600}
SESSION_IDLE_S = {Profile.DEFAULT: 7 * 86_400, Profile.BANK: 15 * 60}
PASSWORD_MEMORY_FLOOR_KIB = 19_456
PASSWORD_PASSES_FLOOR = 2
"""Argon2id with one lane: the least that OWASP's password storage cheat sheet advises."""
_TENANT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def _comma_separated(value: object) -> object:
    """`a, b` from the environment as its parts; nothing but spaces as none."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",")) if value.strip() else ()


LimitName = Literal["user", "api_key", "address", "anonymous", "chat", "privacy", "admin", "sign_in", "sign_in_name"]


def _per_minute(requests: int) -> Limit:
    return Limit(requests=requests, window_s=60, burst_requests=requests)


class RateLimits(BaseModel):
    """How often what may be asked. `tiers` holds other limits for an account type: {"premium": {"chat": {...}}}."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    user: Limit = _per_minute(100)
    api_key: Limit = _per_minute(1_000)
    address: Limit = _per_minute(10_000)
    anonymous: Limit = _per_minute(100)
    chat: Limit = _per_minute(50)
    privacy: Limit = _per_minute(10)
    admin: Limit = _per_minute(10)
    sign_in: Limit = _per_minute(20)
    sign_in_name: Limit = _per_minute(20)
    tiers: dict[str, dict[LimitName, Limit]] = Field(default_factory=dict)

    def of(self, name: LimitName, account_type: str | None = None) -> Limit:
        """The limit of that name for callers of an account type."""
        limit: Limit = self.tiers.get(account_type or "", {}).get(name) or getattr(self, name)
        return limit


def _json_object(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("must be one JSON object; docs/settings.md shows one") from None


AccountType = Literal["user", "premium", "agent", "auditor", "admin"]
"""Those that sign in; `identity.roles` says what each may do."""
Network = IPv4Network | IPv6Network


def _networks(value: Any) -> Any:
    """Networks from text such as "10.0.0.0/8, 2001:db8::/32". One that holds every address would trust anybody."""
    if not isinstance(value, str):
        return value
    try:
        found = tuple(ip_network(one.strip()) for one in value.split(",") if one.strip())
    except ValueError:
        raise ValueError("must be networks such as 10.0.0.0/8, separated by commas") from None
    if any(network.prefixlen == 0 for network in found):
        raise ValueError("must not hold every address: name the networks of your own proxies")
    return found


def _is_origin(text: str) -> bool:
    found = _ORIGIN.fullmatch(text)
    return found is not None and (found[1], found[3]) not in _DEFAULT_PORTS and int(found[3] or 0) <= 65_535


class Settings(BaseSettings):
    """Every setting, with its unit in its name where it has one."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    environment: Environment = Environment.PRODUCTION
    demo: bool = Field(default=False, validation_alias="LLM_BANKING_DEMO")
    home: Path = Field(default=Path(".data"), validation_alias="LLM_BANKING_HOME")
    data_dir: Path = Field(default=Path("data"), validation_alias="LLM_BANKING_DATA_DIR")
    database_url: SecretStr | None = None
    database_owner_url: SecretStr | None = None
    database_max_pool_size: int = Field(default=10, ge=1, le=200)
    redis_url: SecretStr | None = None
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    prometheus_multiproc_dir: Path | None = None
    max_body_bytes: int = Field(default=65_536, ge=1_024)
    max_json_depth: int = Field(default=32, ge=2, le=100)
    master_key_file: Path | None = None
    api_key_max_lifetime_days: int = Field(default=365, ge=1, le=365)
    api_keys_per_user: int = Field(default=20, ge=1, le=100)
    webauthn_rp_id: str = Field(default="localhost", pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)*$", max_length=253)
    webauthn_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_separated)] = Field(
        default=("http://localhost:8000",), min_length=1, max_length=10
    )
    profile: Profile = Field(default=Profile.DEFAULT, validation_alias="LLM_BANKING_PROFILE")
    jwt_signing_key_file: Path | None = None
    jwt_audience: str = Field(default="llm-banking-api", min_length=1, max_length=200)
    access_token_lifetime_s: int | None = Field(default=None, ge=60, le=86_400)
    session_lifetime_s: int | None = Field(default=None, ge=600, le=366 * 86_400)
    session_idle_s: int | None = Field(default=None, ge=120, le=366 * 86_400)
    refresh_grace_s: int = Field(default=10, ge=0, le=60)
    revocations_stale_s: float = Field(default=2, ge=1, le=5)
    password_memory_kib: int = Field(default=PASSWORD_MEMORY_FLOOR_KIB, ge=8, le=1_048_576)
    password_passes: int = Field(default=PASSWORD_PASSES_FLOOR, ge=1, le=20)
    password_threads: int = Field(default=2, ge=1, le=64)
    leaked_passwords_file: Path | None = None
    password_queue: int = Field(default=32, ge=0, le=1_000)
    second_factor_required_for: Annotated[tuple[AccountType, ...], NoDecode, BeforeValidator(_comma_separated)] = ()
    public_base_url: str | None = None
    oauth_google_client_id: str | None = Field(default=None, min_length=1, max_length=200)
    oauth_google_client_secret: SecretStr | None = Field(default=None, min_length=1, max_length=500)
    oauth_microsoft_client_id: str | None = Field(default=None, min_length=1, max_length=200)
    oauth_microsoft_client_secret: SecretStr | None = Field(default=None, min_length=1, max_length=500)
    oauth_microsoft_tenant: str | None = None

    max_header_bytes: int = Field(default=16_384, ge=1_024, le=65_536)
    max_headers: int = Field(default=100, ge=10, le=1_000)
    body_timeout_s: float = Field(default=10, gt=0, le=300)
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_separated)] = Field(
        default=(), max_length=MAX_CORS_ORIGINS
    )

    @property
    def signing_key_file(self) -> Path:
        """Where the keys that sign access tokens lie."""
        return self.jwt_signing_key_file or self.home / "keys" / "signing.json"

    @property
    def access_token_s(self) -> int:
        """Seconds that an access token is good for."""
        return self.access_token_lifetime_s or ACCESS_TOKEN_LIFETIME_S[self.profile]

    @property
    def session_s(self) -> int:
        """Seconds after a sign-in at which its refresh tokens end, however often they were renewed."""
        return self.session_lifetime_s or SESSION_LIFETIME_S[self.profile]

    @property
    def idle_s(self) -> int:
        """Seconds without a refresh after which a session ends."""
        return self.session_idle_s or SESSION_IDLE_S[self.profile]

    @property
    def loopback_http(self) -> bool:
        """Whether plain http to this machine will do where https is asked for."""
        return self.environment in (Environment.DEVELOPMENT, Environment.TEST)

    @property
    def microsoft_tenants(self) -> tuple[str, ...]:
        """The tenant ids whose people may sign in with Microsoft, each once."""
        named = (self.oauth_microsoft_tenant or "").lower().split(",")
        return tuple(dict.fromkeys(tenant.strip() for tenant in named if tenant.strip()))

    @field_validator("bank_time_zone")
    @classmethod
    def _known_time_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("must be a name of the IANA time zone database, such as America/New_York") from None
        return value

    @field_validator("cors_origins")
    @classmethod
    def _exact_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for number, origin in enumerate(value, start=1):
            if "*" in origin:
                raise ValueError("a wildcard would let every site act for a signed-in customer. Name each origin")
            if not _is_origin(origin):
                raise ValueError(
                    f"origin number {number} is none. Write scheme://host or scheme://host:port in lower case, without "
                    "a path, a slash at the end or the scheme's own port, and commas between origins"
                )
        return value

    @model_validator(mode="after")
    def _origins_are_safe(self) -> Self:
        if self.environment in (Environment.STAGING, Environment.PRODUCTION):
            for number, origin in enumerate(self.cors_origins, start=1):
                if origin.startswith("http://"):
                    raise ValueError(f"CORS_ORIGINS: origin number {number} is not encrypted. Use https")
        return self

    trusted_proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)] = ()
    rate_limits: Annotated[RateLimits, NoDecode, BeforeValidator(_json_object)] = RateLimits()
    rate_limit_timeout_s: float = Field(default=TIMEOUT_S, ge=0.005, le=1)
    workers: int = Field(default=1, ge=1, le=4_096, validation_alias="LLM_BANKING_WORKERS")
    worker_interval_s: float = Field(default=1, ge=0.05, le=60)
    smtp_host: str | None = Field(default=None, pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$", max_length=253)
    smtp_port: int = Field(default=587, ge=1, le=65_535)
    smtp_tls: Tls = "starttls"
    smtp_from: str | None = Field(default=None, pattern=email_address.PATTERN, max_length=email_address.MAX_CHARACTERS)
    smtp_username: str | None = Field(default=None, min_length=1, max_length=254)
    smtp_password: SecretStr | None = Field(default=None, min_length=1, max_length=500)
    smtp_ca_file: Path | None = None
    bank_time_zone: str = Field(default="UTC", pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$", max_length=64)

    @model_validator(mode="after")
    def _demo_stays_home(self) -> Self:
        if self.demo and self.environment not in (Environment.DEVELOPMENT, Environment.TEST):
            raise ValueError(
                f"the demo principal is not allowed with ENVIRONMENT={self.environment.value}. "
                "Unset LLM_BANKING_DEMO, or set ENVIRONMENT=development on a machine of your own"
            )
        for name, schemes in (
            ("database_url", ("postgresql://", "postgres://", "postgresql+asyncpg://")),
            ("database_owner_url", ("postgresql://", "postgres://", "postgresql+asyncpg://")),
            ("redis_url", ("redis://", "rediss://", "unix://")),
        ):
            value = getattr(self, name)
            if value is not None and not value.get_secret_value().startswith(schemes):
                raise ValueError(f"{name.upper()} must begin with one of {', '.join(schemes)}")
        return self

    @model_validator(mode="after")
    def _letters_can_be_sent(self) -> Self:
        if (self.smtp_host is None) != (self.smtp_from is None):
            raise ValueError("SMTP_HOST and SMTP_FROM are needed together")
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError("SMTP_USERNAME and SMTP_PASSWORD are needed together")
        if self.smtp_tls == "none" and (self.smtp_username is not None or not self.loopback_http):
            raise ValueError(
                "SMTP_TLS=none is for ENVIRONMENT=development and test alone, and without a password: "
                "what is sent can be read on its way"
            )
        return self

    @model_validator(mode="after")
    def _idleness_is_seen(self) -> Self:
        """Use is seen at a refresh, and nobody refreshes while an access token is good."""
        if self.idle_s <= self.access_token_s:
            raise ValueError(
                f"SESSION_IDLE_S ({self.idle_s} here) must be longer than an access token is good for "
                f"({self.access_token_s} seconds here, ACCESS_TOKEN_LIFETIME_S): a session would end while it is used"
            )
        return self

    @model_validator(mode="after")
    def _passwords_cost_enough(self) -> Self:
        if self.environment is not Environment.TEST and (
            self.password_memory_kib < PASSWORD_MEMORY_FLOOR_KIB or self.password_passes < PASSWORD_PASSES_FLOOR
        ):
            raise ValueError(
                f"PASSWORD_MEMORY_KIB below {PASSWORD_MEMORY_FLOOR_KIB} and PASSWORD_PASSES below "
                f"{PASSWORD_PASSES_FLOOR} are for ENVIRONMENT=test alone"
            )
        return self

    @model_validator(mode="after")
    def _passkeys_belong_here(self) -> Self:
        """A browser uses a passkey on pages of its domain alone, and over HTTPS except on localhost."""
        for origin in self.webauthn_origins:
            match = _ORIGIN.fullmatch(origin)
            scheme, host = (match[1], match[2]) if match else ("", "")
            ours = host == self.webauthn_rp_id or host.endswith(f".{self.webauthn_rp_id}")
            if not ours or (scheme == "http" and host != "localhost"):
                raise ValueError(
                    "WEBAUTHN_ORIGINS must be https://HOST[:PORT], with hosts that are WEBAUTHN_RP_ID or below it, in "
                    "lower case and without a final slash (http for localhost alone)"
                )
        return self

    @model_validator(mode="after")
    def _sign_in_with_others_is_whole(self) -> Self:
        url = self.public_base_url
        if url is not None and not (_is_origin(url) and is_web_address(url, loopback_http=self.loopback_http)):
            raise ValueError(
                "PUBLIC_BASE_URL must be https://host or https://host:port in lower case, without a path and without a "
                "slash at its end; http://localhost will do with ENVIRONMENT=development"
            )
        needed = {
            "GOOGLE": (self.oauth_google_client_id, self.oauth_google_client_secret),
            "MICROSOFT": (self.oauth_microsoft_client_id, self.oauth_microsoft_client_secret),
        }
        for name, parts in needed.items():
            if any(parts) and not (all(parts) and url):
                raise ValueError(
                    f"OAUTH_{name}_CLIENT_ID, OAUTH_{name}_CLIENT_SECRET and PUBLIC_BASE_URL are needed together"
                )
        if self.oauth_microsoft_client_id and not self.microsoft_tenants:
            raise ValueError("OAUTH_MICROSOFT_TENANT is needed with OAUTH_MICROSOFT_CLIENT_ID")
        if not all(_TENANT.fullmatch(tenant) for tenant in self.microsoft_tenants) or len(self.microsoft_tenants) > 100:
            raise ValueError(
                "OAUTH_MICROSOFT_TENANT must be a tenant id in its UUID form, or up to 100 with commas between them"
            )
        return self


def load_settings() -> Settings:
    """Read the environment. Raises ConfigurationError that names each setting and never shows a value."""
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']).upper() or 'settings'}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise ConfigurationError(f"The configuration cannot be used: {problems}.") from None
