"""Which address a request came from, when proxies of our own stand in between."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.datastructures import Headers
from starlette.types import Scope

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_HOPS = 32
"""How many entries of X-Forwarded-For are looked at, from the right."""
IPV6_SITE_BITS = 64
"""A subscriber has at least a /64 (RFC 6177), so single IPv6 addresses are free to change."""

_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?|(\d+\.\d+\.\d+\.\d+):\d{1,5}")


def client_address(scope: Scope, trusted_proxies: Sequence[Network]) -> Address | None:
    """The address of the client: the peer's or, where that is a trusted proxy, what the proxies say.

    X-Forwarded-For is read from the right, and only as long as the address found so far is a trusted proxy's: what
    stands further left was written by somebody else. An entry that is no address ends the walk at the last good one.
    None where the peer has no address, as on a Unix socket, and so trust cannot be told.
    """
    peer = scope.get("client")
    found = _address(peer[0]) if peer else None
    if found is None or not trusted_proxies:
        return found
    header = ",".join(Headers(scope=scope).getlist("x-forwarded-for"))
    for entry in reversed(header.rsplit(",", MAX_HOPS)[-MAX_HOPS:]):
        if not _is_within(found, trusted_proxies):
            break
        further = _address(entry.strip(" \t"))
        if further is None:
            break
        found = further
    return found


def address_identity(address: Address | None) -> bytes:
    """What is counted as one client: an IPv4 address, the /64 of an IPv6 address, or all that have none."""
    if isinstance(address, IPv6Address):
        return b"6:" + address.packed[: IPV6_SITE_BITS // 8]
    return b"4:" + address.packed if address else b"none"


def _address(text: str) -> Address | None:
    """An address, also with a port, as some proxies write it; an IPv4 address in IPv6 clothes is an IPv4 address."""
    match = _WITH_PORT.fullmatch(text)
    try:
        found = ip_address((match[1] or match[2]) if match else text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        return found.ipv4_mapped or found
    return found


def _is_within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)
