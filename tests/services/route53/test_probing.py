"""Probing: responses that endpoints send, and what a checker makes of them."""

from __future__ import annotations

import asyncio

import pytest

from cloudlet.services.route53.probing import Finding, probe

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
RESPONSES = {
    "no headers": (OK + b"\r\nneedle", True),
    "within 5,120 bytes": (OK + b"A: b\r\n\r\n" + b"x" * 5_114 + b"needle", True),
    "beyond 5,120 bytes": (OK + b"A: b\r\n\r\n" + b"x" * 5_115 + b"needle", False),
    "in two chunks": (CHUNKED + b"3\r\nnee\r\n3;x=y\r\ndle\r\n0\r\n\r\n", True),
    "chunks that are none": (CHUNKED + b"needle", False),
    "a header too long": (OK + b"A: " + b"b" * 100_000 + b"\r\n\r\nneedle", False),
    "no HTTP": (b"needle", False),
    "no status": (b"HTTP/1.1 fine\r\n\r\nneedle", False),
}


def ask(response: bytes, **config: object) -> Finding:
    """Return what is found at an endpoint with a response."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response)
        writer.close()

    async def run() -> Finding:
        async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            return await probe({"IPAddress": "127.0.0.1", "Port": port, **config}, look_up)

    return asyncio.run(run())


async def look_up(name: str) -> list[str]:
    raise UnicodeError("not a name")


@pytest.mark.parametrize(("response", "is_success"), RESPONSES.values(), ids=RESPONSES)
def test_a_string_is_looked_for(response: bytes, is_success: bool) -> None:
    assert ask(response, Type="HTTP_STR_MATCH", SearchString="needle").is_success == is_success


def test_names_that_are_none_are_failures() -> None:
    found = ask(b"", Type="HTTPS", FullyQualifiedDomainName="a..b", EnableSNI=True)
    assert not found.is_success
    assert not ask(b"", Type="TCP", IPAddress="", FullyQualifiedDomainName="a..b").is_success
