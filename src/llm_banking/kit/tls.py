"""How the database and the cache are reached: on this machine, or over a network with TLS whose certificate is checked.

The URLs say it in the words of libpq and redis-py: `sslmode=verify-full` with `sslrootcert`, `rediss://` with
`ssl_ca_certs`. Without a named authority the machine's own are trusted.
"""

from __future__ import annotations

import ipaddress
import ssl
from urllib.parse import parse_qsl, urlsplit

from sqlalchemy.engine import URL, make_url

from llm_banking.kit.errors import ConfigurationError

VERIFIED = "verify-full"
_PASSED_ON = {"disable", "allow", "prefer", "require"}
"""Modes that check no certificate; asyncpg knows them by these words."""
_REDIS_TLS = {
    "ssl_ca_certs": None,
    "ssl_certfile": None,
    "ssl_keyfile": None,
    "ssl_cert_reqs": {"required"},
    "ssl_check_hostname": {"true"},
}
"""What a URL may say of TLS and still have the certificate checked; None is any value."""


def database_tls(url: str) -> tuple[URL, dict[str, ssl.SSLContext]]:
    """A PostgreSQL URL as asyncpg's dialect takes it, and the TLS arguments for its connections.

    Raises ConfigurationError for a mode that there is not, and for an authority that cannot be read.
    """
    parsed = make_url(url)
    mode, authority = _database_words(parsed)
    plain = parsed.difference_update_query(("sslmode", "ssl", "sslrootcert"))
    if mode is None:
        return plain, {}
    if mode == VERIFIED:
        return plain, {"ssl": _verifying(authority)}
    if mode not in _PASSED_ON or authority is not None:
        raise ConfigurationError(
            f"The database's URL asks for a TLS mode that is not known here. Use sslmode={VERIFIED}, and sslrootcert "
            "for the authority's certificate."
        )
    return plain.update_query_dict({"ssl": mode}), {}


def check_database_url(name: str, url: str) -> None:
    """Refuse a PostgreSQL URL that leads over a network without TLS whose certificate is checked.

    Raises ConfigurationError that names the setting and nothing of the URL.
    """
    parsed = make_url(url)
    named = parsed.query.get("host", ())
    hosts = [parsed.host or "", *(named.split(",") if isinstance(named, str) else named)]
    if all(_is_here(host) for host in hosts if host) and any(hosts):
        return
    if _database_words(parsed)[0] != VERIFIED:
        raise ConfigurationError(
            f"{name} leads over a network, or names no host, and does not say sslmode={VERIFIED}. Say it, with "
            "sslrootcert for the authority's certificate, or name a Unix socket or loopback."
        )


def check_redis_url(name: str, url: str) -> None:
    """The same for a Redis URL."""
    parts = urlsplit(url)
    local = parts.scheme == "unix" or (parts.hostname is not None and _is_here(parts.hostname))
    if not local and parts.scheme != "rediss":
        raise ConfigurationError(
            f"{name} leads over a network, or names no host, without TLS. Begin it with rediss://, with ssl_ca_certs "
            "for the authority's certificate, or name a Unix socket or loopback."
        )
    for word, value in parse_qsl(parts.query, keep_blank_values=True):
        allowed = _REDIS_TLS.get(word, set())
        if not local and word.startswith("ssl") and allowed is not None and value.lower() not in allowed:
            raise ConfigurationError(f"{name} weakens how the certificate is checked ({word}). Take that out.")


def _database_words(url: URL) -> tuple[str | None, str | None]:
    """The mode and the authority that a URL names. Raises ConfigurationError where one is named twice."""
    found = [url.query[word] for word in ("sslmode", "ssl") if word in url.query]
    authority = url.query.get("sslrootcert")
    if len(found) > 1 or not all(isinstance(one, str) for one in [*found, authority or ""]):
        raise ConfigurationError("The database's URL names its TLS mode or authority twice. Name it once.")
    return (str(found[0]) if found else None), (None if authority is None else str(authority))


def _verifying(authority: str | None) -> ssl.SSLContext:
    """Certificate and host name are checked; a named authority is the only one that is trusted."""
    try:
        context = ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError):
        raise ConfigurationError("The file that sslrootcert names cannot be read, or holds no certificate.") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _is_here(host: str) -> bool:
    """A folder of Unix sockets, or loopback."""
    if host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
