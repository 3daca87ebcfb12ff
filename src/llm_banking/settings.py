"""The only reader of the environment. Bad configuration fails here, at start, with a clear message."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from llm_banking.kit.errors import ConfigurationError


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
PASSWORD_MEMORY_FLOOR_KIB = 19_456
PASSWORD_PASSES_FLOOR = 2
"""Argon2id with one lane: the least that OWASP's password storage cheat sheet advises."""


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
    profile: Profile = Field(default=Profile.DEFAULT, validation_alias="LLM_BANKING_PROFILE")
    jwt_signing_key_file: Path | None = None
    jwt_audience: str = Field(default="llm-banking-api", min_length=1, max_length=200)
    access_token_lifetime_s: int | None = Field(default=None, ge=60, le=86_400)
    session_lifetime_s: int | None = Field(default=None, ge=600, le=366 * 86_400)
    refresh_grace_s: int = Field(default=10, ge=0, le=60)
    revocations_stale_s: float = Field(default=2, ge=1, le=5)
    password_memory_kib: int = Field(default=PASSWORD_MEMORY_FLOOR_KIB, ge=8, le=1_048_576)
    password_passes: int = Field(default=PASSWORD_PASSES_FLOOR, ge=1, le=20)
    password_threads: int = Field(default=2, ge=1, le=64)
    password_queue: int = Field(default=32, ge=0, le=1_000)

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
