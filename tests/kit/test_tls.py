"""The database and the cache over a network: verified TLS or no start, and the certificate is really checked."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from llm_banking.identity.oidc.errors import ProviderUnavailableError
from llm_banking.identity.oidc.http import ProviderClient
from llm_banking.kit.cache import Cache
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database
from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.tls import check_database_url, check_redis_url, database_tls
from llm_banking.settings import Environment, Settings
from llm_banking.startup import check_transport

HERE = (
    "postgresql://u@/bank?host=/run/postgresql",
    "postgresql://u@localhost/bank",
    "postgresql://u@127.0.0.1:5432/bank",
    "postgres://u@[::1]/bank",
    "postgresql+asyncpg://u@/bank?host=/one,/two",
)
VERIFIED = (
    "postgresql://u@db/bank?sslmode=verify-full",
    "postgresql://u@10.0.0.1/bank?ssl=verify-full&sslrootcert=/ca",
)
OPEN = (
    "postgresql://u@db/bank",
    "postgresql:///bank",
    "postgresql://u@localhost.evil.example/bank",
    "postgresql://u@0.0.0.0/bank",
    "postgresql://u@localhost/bank?host=db",
    "postgresql://u@/bank?host=/run/postgresql,db",
    "postgresql://u@/bank?host=/run/postgresql&host=db",
    *(f"postgresql://u@db/bank?sslmode={mode}" for mode in ("disable", "allow", "prefer", "require", "verify-ca", "")),
    "postgresql://u@db/bank?sslmode=verify-full&ssl=disable",
    "postgresql://u@db/bank?sslmode=verify-full&sslmode=disable",
)
REDIS_FINE = (
    "unix:///run/redis.sock",
    "redis://localhost/0",
    "redis://:word@127.0.0.1:6379/0",
    "rediss://:word@cache:6379/0",
    "rediss://cache/0?ssl_ca_certs=/etc/ca.pem&ssl_cert_reqs=required&ssl_check_hostname=True",
)
REDIS_OPEN = (
    "redis://cache/0",
    "redis:///0",
    "redis://127.0.0.1.evil.example/0",
    "rediss://cache/0?ssl_cert_reqs=none",
    "rediss://cache/0?ssl_cert_reqs=optional",
    "rediss://cache/0?ssl_check_hostname=false",
    "rediss://cache/0?ssl_check_hostname=",
    "rediss://cache/0?ssl_ciphers=NULL",
)


@pytest.mark.parametrize("url", [*HERE, *VERIFIED])
def test_a_database_on_this_machine_or_verified_is_taken(url: str) -> None:
    check_database_url("DATABASE_URL", url)


@pytest.mark.parametrize("url", OPEN)
def test_a_database_over_an_open_network_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"DATABASE_URL|database's URL"):
        check_database_url("DATABASE_URL", url)


@pytest.mark.parametrize("url", REDIS_FINE)
def test_a_cache_on_this_machine_or_verified_is_taken(url: str) -> None:
    check_redis_url("REDIS_URL", url)


@pytest.mark.parametrize("url", REDIS_OPEN)
def test_a_cache_over_an_open_network_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL"):
        check_redis_url("REDIS_URL", url)


@pytest.mark.parametrize("name", ["database_url", "database_owner_url", "redis_url"])
@pytest.mark.parametrize("environment", Environment)
def test_a_start_refuses_it_outside_development_and_test(environment: Environment, name: str) -> None:
    scheme = "redis" if name == "redis_url" else "postgresql"
    url = SecretStr(f"{scheme}://bank:hunter2hunter2@db.example/0")
    settings = Settings().model_copy(update={"environment": environment, name: url})
    if environment in (Environment.DEVELOPMENT, Environment.TEST):
        check_transport(settings)
        return
    with pytest.raises(ConfigurationError, match=name.upper()) as refused:
        check_transport(settings)
    assert "hunter2" not in refused.value.message


@pytest.mark.parametrize("words", ["sslmode=verify-ca", "ssl=on", "sslmode=verify-full&sslrootcert=/gone.pem"])
def test_words_that_cannot_be_used_are_refused(words: str) -> None:
    with pytest.raises(ConfigurationError, match=r"sslmode=verify-full|sslrootcert"):
        Database(f"postgresql://u@db/bank?{words}", max_pool_size=1)


def test_a_mode_that_checks_nothing_is_passed_on_and_one_that_checks_is_a_context() -> None:
    url, tls = database_tls("postgresql+asyncpg://u@db/bank?sslmode=require&application_name=x")
    assert (dict(url.query), tls) == ({"ssl": "require", "application_name": "x"}, {})
    url, tls = database_tls("postgresql+asyncpg://u@db/bank?sslmode=verify-full")
    assert (dict(url.query), tls["ssl"].check_hostname, tls["ssl"].verify_mode) == ({}, True, ssl.CERT_REQUIRED)


@dataclass(frozen=True)
class Certified:
    """An authority's certificate, and a server's context with a certificate of that authority."""

    authority: Path
    server: ssl.SSLContext


def certified(folder: Path, host: str) -> Certified:
    """A new authority, and a certificate of it for a host."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (f"authority of {host}", host)]
    made = []
    for number, is_authority in ((0, True), (1, False)):
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[number])
            .issuer_name(names[0])
            .public_key(keys[number].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(utc_now() - timedelta(days=1))
            .not_valid_after(utc_now() + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if not is_authority:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        made.append(builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    folder.mkdir()
    (folder / "authority.pem").write_bytes(made[0])
    (folder / "server.pem").write_bytes(made[1])
    (folder / "server.key").write_bytes(
        keys[1].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return Certified(folder / "authority.pem", context)


@asynccontextmanager
async def listening(context: ssl.SSLContext, *, postgres: bool) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that does the handshake and notes what it is told after it. PostgreSQL's clients ask for TLS first."""
    told: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if postgres:
                await reader.readexactly(8)
                writer.write(b"S")
                await writer.start_tls(context)
            told.append(await reader.read(100))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=None if postgres else context)
    async with server:
        yield server.sockets[0].getsockname()[1], told


CASES = [("localhost", "own", True), ("localhost", "another", False), ("other.example", "own", False)]


@pytest.mark.parametrize(("host", "authority", "reached"), CASES)
async def test_the_database_must_have_the_certificate_of_its_name(
    tmp_path: Path, host: str, authority: str, *, reached: bool
) -> None:
    """The password is sent after the handshake, to the right server alone."""
    own, another = certified(tmp_path / "own", host), certified(tmp_path / "another", host)
    trusted = (own if authority == "own" else another).authority
    async with listening(own.server, postgres=True) as (port, told):
        url = f"postgresql://bank@localhost:{port}/bank?sslmode=verify-full&sslrootcert={trusted}"
        database = Database(url, max_pool_size=1)
        assert not await database.ping()
        await database.close()
    assert any(b"bank" in one for one in told) is reached


@pytest.mark.parametrize(("host", "authority", "reached"), CASES)
async def test_the_cache_must_have_the_certificate_of_its_name(
    tmp_path: Path, host: str, authority: str, *, reached: bool
) -> None:
    own, another = certified(tmp_path / "own", host), certified(tmp_path / "another", host)
    trusted = (own if authority == "own" else another).authority
    async with listening(own.server, postgres=False) as (port, told):
        cache = Cache(f"rediss://localhost:{port}/0?ssl_ca_certs={trusted}")
        assert not await cache.ping()
        await cache.close()
    assert any(told) is reached


async def test_a_provider_must_have_a_certificate_that_this_machine_trusts(tmp_path: Path) -> None:
    async with listening(certified(tmp_path / "own", "localhost").server, postgres=False) as (port, told):
        with pytest.raises(ProviderUnavailableError):
            await ProviderClient().document(f"https://localhost:{port}/.well-known/openid-configuration")
    assert not any(told)
