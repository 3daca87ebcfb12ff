"""Where a request ends is never a matter of opinion (RFC 9112, section 6.3; ASVS 5.0, 4.2.1)."""

from __future__ import annotations

import asyncio

import pytest

from llm_banking.api.http_protocol import BoundedHttpProtocol
from tests.api.test_guards import GET, LAST, POST, serving, talk

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: test\r\n" + LAST
CHUNKED = b"Transfer-Encoding: chunked\r\n"

AMBIGUOUS = {
    "a length and chunks": POST + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n" + SMUGGLED,
    "chunks and a length": POST + CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n" + SMUGGLED,
    "a length with a sign": POST + b"Content-Length: +0\r\n\r\n" + SMUGGLED,
    "a length in a list": POST + b"Content-Length: 0, 5\r\n\r\n" + SMUGGLED,
    "chunks not last": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a space before the colon": POST + b"Content-Length : 5\r\n\r\n" + SMUGGLED,
    "a line break in a header": POST + b"X-Name: a\nContent-Length: 5\r\n\r\n" + SMUGGLED,
    "a chunk without a size": POST + CHUNKED + b"\r\n\r\n\r\n" + SMUGGLED,
    "a chunk longer than its size": POST + CHUNKED + b"\r\n1\r\nabc\r\n0\r\n\r\n" + SMUGGLED,
}


@pytest.mark.parametrize("sent", AMBIGUOUS.values(), ids=AMBIGUOUS)
async def test_an_ambiguous_length_ends_the_connection(sent: bytes) -> None:
    """What stands behind it is never read as a request of its own."""
    async with serving(BoundedHttpProtocol) as port:
        said = await talk(port, sent)
    assert said.count(b"HTTP/1.1") <= 1
    assert b"HTTP/1.1 200" not in said


async def test_the_check_sees_a_second_request() -> None:
    """The same bytes behind a clear end are one: otherwise silence would prove nothing."""
    async with serving(BoundedHttpProtocol) as port:
        said = await talk(port, POST + b"Content-Length: 0\r\n\r\n" + SMUGGLED)
        assert said.count(b"HTTP/1.1 200") == 2
        said = await talk(port, POST + CHUNKED + b"\r\n1\r\na\r\n0\r\n\r\n" + GET + LAST)
        assert said.count(b"HTTP/1.1 200") == 2


class Lenient(BoundedHttpProtocol):
    """Planted: a parser that makes the best of what it gets."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_chunked_length=True, lenient_transfer_encoding=True
        )


async def test_the_check_sees_a_lenient_parser() -> None:
    async with serving(Lenient) as port:
        said = [await talk(port, AMBIGUOUS[name]) for name in ("a length and chunks", "chunks and a length")]
    assert [one.count(b"HTTP/1.1 200") for one in said] == [2, 2]
