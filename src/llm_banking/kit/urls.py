"""Addresses of web services, taken strictly."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

MAX_URL_CHARACTERS = 2_048
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def is_web_address(url: str, *, loopback_http: bool) -> bool:
    """Whether a text is an absolute https address; with `loopback_http`, http to this machine counts, too.

    Neither a user name nor a fragment nor a character outside of printable ASCII is let in.
    """
    found = _split(url)
    if found is None or "@" in found.netloc or found.fragment:
        return False
    return found.scheme == "https" or (found.scheme == "http" and loopback_http and found.hostname in LOOPBACK_HOSTS)


def _split(url: str) -> SplitResult | None:
    if len(url) > MAX_URL_CHARACTERS or not (url.isascii() and url.isprintable()) or " " in url or "\\" in url:
        return None
    try:
        found = urlsplit(url)
        usable = found.hostname and (found.port is None or found.port > 0)
    except ValueError:
        return None
    return found if usable else None
