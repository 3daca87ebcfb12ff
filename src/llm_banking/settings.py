"""The only reader of the environment. Bad configuration fails here, at start, with a clear message."""

from __future__ import annotations

import json
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.rate_limits import TIMEOUT_S, Limit


class Environment(StrEnum):
    """Where the process runs. Development binds to loopback and has the demo principal."""

    DEVELOPMENT = "development"
    TEST = "test"
    STAGING = "staging"
    PRODUCTION = "production"


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


class Settings(BaseSettings):
    """Every setting, with its unit in its name where it has one."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    environment: Environment = Environment.PRODUCTION
    demo: bool = Field(default=False, validation_alias="LLM_BANKING_DEMO")
    home: Path = Field(default=Path(".data"), validation_alias="LLM_BANKING_HOME")
    data_dir: Path = Field(default=Path("data"), validation_alias="LLM_BANKING_DATA_DIR")
    database_url: SecretStr | None = None
    database_max_pool_size: int = Field(default=10, ge=1, le=200)
    redis_url: SecretStr | None = None
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    prometheus_multiproc_dir: Path | None = None
    max_body_bytes: int = Field(default=65_536, ge=1_024)
    max_json_depth: int = Field(default=32, ge=2, le=100)
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)] = ()
    rate_limits: Annotated[RateLimits, NoDecode, BeforeValidator(_json_object)] = RateLimits()
    rate_limit_key_file: Path | None = None
    rate_limit_timeout_s: float = Field(default=TIMEOUT_S, ge=0.005, le=1)
    workers: int = Field(default=1, ge=1, le=4_096, validation_alias="LLM_BANKING_WORKERS")

    @model_validator(mode="after")
    def _demo_stays_home(self) -> Self:
        if self.demo and self.environment not in (Environment.DEVELOPMENT, Environment.TEST):
            raise ValueError(
                f"the demo principal is not allowed with ENVIRONMENT={self.environment.value}. "
                "Unset LLM_BANKING_DEMO, or set ENVIRONMENT=development on a machine of your own"
            )
        for name, schemes in (
            ("database_url", ("postgresql://", "postgres://", "postgresql+asyncpg://")),
            ("redis_url", ("redis://", "rediss://", "unix://")),
        ):
            value = getattr(self, name)
            if value is not None and not value.get_secret_value().startswith(schemes):
                raise ValueError(f"{name.upper()} must begin with one of {', '.join(schemes)}")
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
