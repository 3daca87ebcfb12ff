"""The only reader of the environment. Bad configuration fails here, at start, with a clear message."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from llm_banking.kit.errors import ConfigurationError

MAX_CORS_ORIGINS = 50
_ORIGIN = re.compile(r"(https?)://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::([1-9][0-9]{0,4}))?")
"""An origin as browsers write it (RFC 6454, section 6.2): lower case, no path, no wildcard, no `null`."""
_DEFAULT_PORTS = {("http", "80"), ("https", "443")}


class Environment(StrEnum):
    """Where the process runs. Development binds to loopback and has the demo principal."""

    DEVELOPMENT = "development"
    TEST = "test"
    STAGING = "staging"
    PRODUCTION = "production"


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
    max_header_bytes: int = Field(default=16_384, ge=1_024, le=65_536)
    max_headers: int = Field(default=100, ge=10, le=1_000)
    body_timeout_s: float = Field(default=10, gt=0, le=300)
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(default=(), max_length=MAX_CORS_ORIGINS)

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _exact_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for number, origin in enumerate(value, start=1):
            if "*" in origin:
                raise ValueError("a wildcard would let every site act for a signed-in customer. Name each origin")
            found = _ORIGIN.fullmatch(origin)
            if found is None or found.groups() in _DEFAULT_PORTS or int(found[2] or 0) > 65_535:
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
