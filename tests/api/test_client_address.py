from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Scope

from llm_banking.api.client_address import MAX_HOPS, address_identity, client_address

PROXIES = (ip_network("10.0.0.0/8"), ip_network("2001:db8:aaaa::/48"))
ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


def scope(peer: str | None, *forwarded: str) -> Scope:
    headers = [(b"x-forwarded-for", one.encode("latin-1")) for one in forwarded]
    return {"type": "http", "headers": headers, "client": (peer, 50_000) if peer else None}


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1", "10.9.9.9"], "198.51.100.1"),
        ("10.0.0.1", ["10.3.3.3, 10.9.9.9"], "10.3.3.3"),
        ("10.0.0.1", ["198.51.100.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, , 10.9.9.9"], "10.9.9.9"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8:1::7]:4711"], "2001:db8:1::7"),
        ("10.0.0.1", ["[2001:db8:1::7]"], "2001:db8:1::7"),
        ("10.0.0.1", ["010.0.0.1"], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("2001:db8:aaaa::1", ["2001:db8:1::7"], "2001:db8:1::7"),
        ("2001:db8:bbbb::1", ["2001:db8:1::7"], "2001:db8:bbbb::1"),
    ],
)
def test_the_client_is_the_first_address_that_no_proxy_of_ours_stands_for(
    peer: str, forwarded: list[str], found: str
) -> None:
    assert client_address(scope(peer, *forwarded), PROXIES) == ip_address(found)


@given(ADDRESSES, st.lists(ADDRESSES.map(str), max_size=5))
def test_nobody_but_a_trusted_proxy_is_believed(peer: object, said: list[str]) -> None:
    without = client_address(scope(str(peer)), ())
    assert client_address(scope(str(peer), ", ".join(said)), ()) == without
    if without and not any(without in network for network in PROXIES):
        assert client_address(scope(str(peer), ", ".join(said)), PROXIES) == without


@given(st.lists(st.text(st.characters(max_codepoint=255)), max_size=6))
def test_no_header_is_too_strange(forwarded: list[str]) -> None:
    assert client_address(scope("10.0.0.1", *forwarded), PROXIES) is not None
    assert client_address(scope("203.0.113.9", *forwarded), PROXIES) == ip_address("203.0.113.9")


@given(ADDRESSES.map(str), st.text(st.characters(max_codepoint=255)))
def test_what_stands_left_of_the_client_changes_nothing(client: str, spoofed: str) -> None:
    honest = client_address(scope("10.0.0.1", client), PROXIES)
    if honest and not any(honest in network for network in PROXIES):
        assert client_address(scope("10.0.0.1", f"{spoofed},{client}"), PROXIES) == honest


def test_a_peer_without_an_address_is_nobody() -> None:
    assert client_address(scope(None, "198.51.100.1"), PROXIES) is None
    assert client_address(scope("testclient", "198.51.100.1"), PROXIES) is None


def test_a_long_header_is_read_in_part() -> None:
    hops = ["198.51.100.1"] + ["10.1.1.1"] * MAX_HOPS
    assert client_address(scope("10.0.0.1", ",".join(hops)), PROXIES) == ip_address("10.1.1.1")
    assert client_address(scope("10.0.0.1", ",".join(hops[:-1])), PROXIES) == ip_address("198.51.100.1")


def test_an_ipv6_site_is_one_client_and_every_ipv4_address_is_one() -> None:
    same, other = ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"), "2001:db8:1:3::1"
    assert len({address_identity(ip_address(one)) for one in same}) == 1
    assert len({address_identity(ip_address(one)) for one in (*same, other, "192.0.2.1", "192.0.2.2")}) == 4
    assert address_identity(None) == b"none"
