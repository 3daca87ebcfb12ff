"""What a start refuses: secrets that are none, and a database that would not keep what the product promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from asyncpg import PostgresError
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from llm_banking.kit.database import Database
from llm_banking.kit.embedded import APPLICATION_ROLE
from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.tls import check_database_url, check_redis_url
from llm_banking.migrations import head_revision, reason_of
from llm_banking.migrations.metadata import product_metadata
from llm_banking.settings import Environment, Settings

MIN_SECRET_CHARS = 16
MIN_KEY_BYTES = 32
MIN_DISTINCT = 8
"""Fewer different characters or bytes than this were typed, not drawn."""
KEYS_FOLDER = "keys"
"""Below the home: where keys lie that no setting names."""

WITHOUT_OWNER = {
    "alembic_version": "the schema's revision",
    "sign_in_failures": "keyed hashes of what was typed; who typed it is not known",
    "oidc_attempts": "begun by a browser before anybody is known, and found by a hash that only it can make",
}
"""Tables whose rows belong to nobody, and why; every other one has forced row-level security."""

_PLACEHOLDERS = (
    *("changeme", "default", "dummy", "example", "insert", "letmein", "password", "placeholder", "qwerty"),
    *("replaceme", "secret", "yourkey", "1234567890"),
)
_DURABLE = {
    "fsync": {"on"},
    "full_page_writes": {"on"},
    "synchronous_commit": {"on", "remote_write", "remote_apply", "local"},
    "data_checksums": {"on"},
}
_CONSEQUENCE_AND_REMEDY = {
    "data_checksums": (
        "so that a page which the disk damaged is read as if it were whole",
        "Stop PostgreSQL and run pg_checksums --enable",
    )
}


def check_secrets(settings: Settings) -> None:
    """Refuse secrets that are placeholders or short, and key files that others may read.

    Secrets in settings are judged outside development and test; key files everywhere. What is judged follows from the
    settings themselves: every secret one, the password in every secret URL, every path named `..._key_file`. Of the
    files in the home's folder of keys, which the server makes itself, only who may use them is judged. Raises
    ConfigurationError, which names the setting or file and never its content.
    """
    for path in _named_key_files(settings):
        _check_key_file(path)
    folder = settings.home / KEYS_FOLDER
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        _check_private(path)
    if settings.environment in (Environment.DEVELOPMENT, Environment.TEST):
        return
    for name, secret in _secrets(settings):
        if len(secret) < MIN_SECRET_CHARS:
            raise ConfigurationError(
                f"The secret in {name} is shorter than {MIN_SECRET_CHARS} characters. Set one that was drawn at random."
            )
        if _is_placeholder(secret):
            raise ConfigurationError(f"The secret in {name} is a placeholder. Set one that was drawn at random.")


def check_transport(settings: Settings) -> None:
    """Outside development and test, refuse a database or a cache over a network without verified TLS (ASVS 5.0, 12.3).

    Raises ConfigurationError.
    """
    if settings.environment in (Environment.DEVELOPMENT, Environment.TEST):
        return
    for name, check in (
        ("database_url", check_database_url),
        ("database_owner_url", check_database_url),
        ("redis_url", check_redis_url),
    ):
        value: SecretStr | None = getattr(settings, name)
        if value is not None:
            check(name.upper(), value.get_secret_value())


def _secrets(settings: Settings) -> Iterator[tuple[str, str]]:
    """Every secret that is set, with its setting's name; of a URL its password, where it has one."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if not isinstance(value, SecretStr):
            continue
        secret = value.get_secret_value()
        if name.endswith("_url"):
            password = urlsplit(secret).password
            if not password:
                continue
            secret = unquote(password)
        yield name.upper(), secret


def _named_key_files(settings: Settings) -> Iterator[Path]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if name.endswith("_key_file") and isinstance(value, Path):
            yield value


def _check_private(path: Path) -> None:
    if path.is_file() and path.stat().st_mode & 0o077:
        raise ConfigurationError(f"The key file {path} can be used by others than its owner. Run: chmod 600 {path}")


def _check_key_file(path: Path) -> None:
    if not path.is_file():
        raise ConfigurationError(f"The key file {path} is not there, or is no file. Put the key there.")
    _check_private(path)
    try:
        key = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"The key file {path} cannot be read: {error.strerror}.") from error
    if len(key) < MIN_KEY_BYTES or len(set(key)) < MIN_DISTINCT:
        raise ConfigurationError(f"The key file {path} holds no key: too short, or the same again and again.")


def _is_placeholder(secret: str) -> bool:
    """Whether it says itself that it is none, or was typed with one finger."""
    plain = "".join(character for character in secret.lower() if character.isalnum())
    return len(set(secret)) < MIN_DISTINCT or any(word in plain for word in _PLACEHOLDERS)


async def check_database(database: Database, *, durable: bool) -> None:
    """Refuse a database in which row-level security would not hold, or whose schema is not this version's.

    With `durable`, also one that can lose or damage what was committed. Raises ConfigurationError.
    """
    try:
        async with database.engine.connect() as connection:
            await _check_role(connection)
            await _check_schema(connection)
            await _check_walls(connection)
            if durable:
                await _check_durability(connection)
    except (OSError, PostgresError, DBAPIError) as error:
        raise ConfigurationError(
            f"The database at DATABASE_URL cannot be used: {reason_of(error)}. It needs to be a running PostgreSQL "
            "that `llm-banking migrate` has brought up to date."
        ) from error


_MAY = text(
    """
    SELECT
        EXISTS (SELECT FROM pg_roles WHERE rolsuper AND pg_has_role(session_user, oid, 'MEMBER')) AS is_superuser,
        EXISTS (SELECT FROM pg_roles WHERE rolbypassrls AND pg_has_role(session_user, oid, 'MEMBER')) AS bypasses,
        EXISTS (
            SELECT FROM pg_class
            WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
                AND pg_has_role(session_user, relowner, 'MEMBER')
        ) AS owns_tables,
        has_schema_privilege(session_user, current_schema(), 'CREATE') AS may_create,
        EXISTS (SELECT FROM pg_roles WHERE rolname = :role) AS is_migrated,
        EXISTS (SELECT FROM pg_roles WHERE rolname = :role AND pg_has_role(session_user, oid, 'USAGE')) AS is_member
    """
)
"""What the role may do itself, or after SET ROLE to one that it is a member of."""

_BINDS = (
    ("is_superuser", "is a superuser, or may become one"),
    ("bypasses", "bypasses row-level security, or may become a role that does"),
    ("owns_tables", "owns tables, or may become a role that does"),
    ("may_create", "may create tables and functions in this schema"),
)


async def _check_role(connection: AsyncConnection) -> None:
    may = (await connection.execute(_MAY, {"role": APPLICATION_ROLE})).one()
    for name, what in _BINDS:
        if getattr(may, name):
            raise ConfigurationError(
                f"The role in DATABASE_URL {what}, so row-level security would not hold it. Give the application a "
                f"role of its own (CREATE ROLE ... LOGIN IN ROLE {APPLICATION_ROLE}); the owner's belongs into "
                "DATABASE_OWNER_URL."
            )
    if not may.is_migrated:
        raise _not_at_head("none")
    if not may.is_member:
        raise ConfigurationError(
            f"The role in DATABASE_URL has no privileges here. An administrator runs: GRANT {APPLICATION_ROLE} TO it."
        )


async def _check_schema(connection: AsyncConnection) -> None:
    found = None
    if await connection.scalar(text("SELECT to_regclass('alembic_version')")) is not None:
        found = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    if found != head_revision():
        raise _not_at_head(found or "none")


def _not_at_head(found: str) -> ConfigurationError:
    return ConfigurationError(
        f"The database's schema is {found}, and this version needs {head_revision()}. Run `llm-banking migrate` with "
        "DATABASE_OWNER_URL set, or set it for `llm-banking serve`, which then does it itself."
    )


async def _check_walls(connection: AsyncConnection) -> None:
    ours = set(product_metadata().tables)
    for table in await tables_without_wall(connection):
        if table in ours:
            raise ConfigurationError(
                f"Row-level security of the table {table} is not forced, or it has no policy. As its owner run: "
                f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; see migration 0003."
            )


async def tables_without_wall(connection: AsyncConnection) -> list[str]:
    """Every table of the schema that is not in WITHOUT_OWNER and lacks forced row-level security or a policy."""
    found = await connection.scalars(
        text(
            """
            SELECT relname FROM pg_class AS one
            WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT (
                relrowsecurity AND relforcerowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = one.oid)
            )
            ORDER BY relname
            """
        )
    )
    return [table for table in found if table not in WITHOUT_OWNER]


async def _check_durability(connection: AsyncConnection) -> None:
    for problem in await durability_problems(connection):
        raise ConfigurationError(f"{problem}, or set ENVIRONMENT=development.")


async def durability_problems(connection: AsyncConnection) -> list[str]:
    """What of the server's settings can lose or damage what was committed, each with its remedy; no full stop."""
    problems = []
    for name, safe in _DURABLE.items():
        value = await connection.scalar(text(f"SHOW {name}"))
        if value not in safe:
            usual = ("which can lose committed transactions", f"Set it to {min(safe, key=len)}")
            consequence, remedy = _CONSEQUENCE_AND_REMEDY.get(name, usual)
            problems.append(f"The database runs with {name} = {value}, {consequence}. {remedy}")
    return problems
