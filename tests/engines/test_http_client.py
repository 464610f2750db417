"""The HTTP client against servers that answer byte by byte what a test says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cloudlet.edge.tls import local_certificate, server_context
from cloudlet.engines.http_client import HttpClient, HttpError, HttpResponse
from cloudlet.store.eager import Outcome, Suspended, begin

Serve = Callable[["Exchange"], Awaitable[None]]


class Exchange:
    """One connection as the server sees it, the requests it got, and what to answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def request(self) -> tuple[str, bytes]:
        """Return the head and the body of the next request."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        size = next((int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:")), 0)
        return head, await self.reader.readexactly(size)

    def answer(self, text: str) -> None:
        self.writer.write(text.encode())


class Servers:
    """The connections that were made, one after the other."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.connections = 0
        self.requests: list[tuple[str, bytes]] = []

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._serve(Exchange(reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def server(serve: Serve, **options: object) -> AsyncIterator[tuple[str, Servers]]:
    """A server on a free port; gives its base URL and what it saw."""
    seen = Servers(serve)
    listening = await asyncio.start_server(seen.connected, "127.0.0.1", 0, **options)  # type: ignore[arg-type]
    port = listening.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}", seen
    finally:
        listening.close()


def answering(text: str) -> Serve:
    """Answer each request of a connection with `text`."""

    async def serve(exchange: Exchange) -> None:
        while True:
            await exchange.request()
            exchange.answer(text)

    return serve


OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


async def get(client: HttpClient, url: str, method: str = "GET", *, timeout: float = 5.0) -> HttpResponse:
    return await client.request(method, url, timeout=timeout, limit=1000)


def once(text: str) -> HttpResponse:
    """Return what the client makes of an answer after which the server closes the connection."""

    async def serve(exchange: Exchange) -> None:
        await exchange.request()
        exchange.answer(text)

    async def ask() -> HttpResponse:
        async with server(serve) as (url, _):
            return await get(HttpClient(), url)

    return asyncio.run(ask())


def test_a_request_goes_out_as_it_was_given() -> None:
    async def ask() -> list[tuple[str, bytes]]:
        seen = []

        async def serve(exchange: Exchange) -> None:
            seen.append(await exchange.request())
            exchange.answer(OK)

        async with server(serve) as (url, _):
            await HttpClient().request(
                "POST", f"{url}/a b/ü?x=%20y#there", [("X-One", "1")], b"body", timeout=5, limit=9
            )
        return seen

    ((head, body),) = asyncio.run(ask())
    lines = head.split("\r\n")
    assert lines[0] == "POST /a%20b/%C3%BC?x=%20y HTTP/1.1"
    assert lines[1].startswith("host: 127.0.0.1:")
    assert lines[2:4] == ["X-One: 1", "content-length: 4"]
    assert body == b"body"


def test_responses_of_all_framings() -> None:
    assert once(OK) == HttpResponse(200, [("content-length", "2")], b"hi")
    assert once("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n").body == b"hi"
    assert once("HTTP/1.1 200 OK\r\n\r\nuntil the end").body == b"until the end"
    assert once("HTTP/1.0 200 OK\r\n\r\nuntil the end").body == b"until the end"
    assert once("HTTP/1.1 204 No Content\r\n\r\n").status == 204
    assert once(f"HTTP/1.1 100 Continue\r\nx: y\r\n\r\n{OK}") == once(OK)
    redirect = once("HTTP/1.1 302 Found\r\nLocation: /there\r\ncontent-length: 0\r\n\r\n")
    assert (redirect.status, redirect.header("location"), redirect.header("none")) == (302, "/there", None)


def test_what_follows_a_body_is_no_header() -> None:
    text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    answer = once(text + 1000 * "1\r\nx\r\n" + "0\r\nx-after: 1\r\n\r\n")
    assert (answer.headers, answer.body) == ([("transfer-encoding", "chunked")], 1000 * b"x")


def test_a_connection_is_used_again() -> None:
    async def ask() -> int:
        async with server(answering(OK)) as (url, seen):
            client = HttpClient()
            for _ in range(3):
                assert (await get(client, url)).body == b"hi"
            await client.close()
            return seen.connections

    assert asyncio.run(ask()) == 1


@pytest.mark.parametrize(
    "text",
    [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi",
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
    ],
    ids=["close", "1.0"],
)
def test_a_connection_that_the_server_ends_is_not_used_again(text: str) -> None:
    async def ask() -> int:
        async with server(answering(text)) as (url, seen):
            client = HttpClient()
            for _ in range(2):
                assert (await get(client, url)).body == b"hi"
            return seen.connections

    assert asyncio.run(ask()) == 2


def test_an_answer_to_head_has_no_body() -> None:
    async def ask() -> HttpResponse:
        async with server(answering("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")) as (url, _):
            client = HttpClient()
            await get(client, url, "HEAD")
            return await get(client, url, "HEAD")

    assert asyncio.run(ask()).body == b""


def test_requests_wait_for_a_connection_and_share_the_few_there_are() -> None:
    async def ask() -> int:
        async with server(answering(OK)) as (url, seen):
            client = HttpClient(connections=3)
            await asyncio.gather(*(get(client, url) for _ in range(30)))
            return seen.connections

    assert asyncio.run(ask()) <= 3


def test_a_get_is_sent_again_when_a_kept_connection_was_closed_but_a_post_only_where_it_is_repeatable() -> None:
    async def serve(exchange: Exchange) -> None:
        """Answer the first request of a connection, and close it at the second."""
        await exchange.request()
        exchange.answer(OK)
        await exchange.request()

    async def ask(method: str, repeatable: bool | None = None) -> HttpResponse:
        async with server(serve) as (url, _):
            client = HttpClient()
            await get(client, url, method)
            return await client.request(method, url, timeout=5, limit=9, repeatable=repeatable)

    assert asyncio.run(ask("GET")).body == b"hi"
    assert asyncio.run(ask("POST", repeatable=True)).body == b"hi"
    with pytest.raises(HttpError) as refused:
        asyncio.run(ask("POST"))
    assert refused.value.kind == "closed"


def test_what_comes_unasked_ends_the_connection() -> None:
    async def ask() -> tuple[bytes, int]:
        async with server(answering(OK + OK)) as (url, seen):
            client = HttpClient()
            await get(client, url)
            second = await get(client, url)
            return second.body, seen.connections

    assert asyncio.run(ask()) == (b"hi", 2)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("closed", ""),
        ("closed", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhi"),
        ("closed", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n"),
        ("protocol", "SSH-2.0-OpenSSH\r\n\r\n"),
        ("protocol", "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nxxx"),
        ("too-large", "HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n" + 1001 * "x"),
        ("too-large", "HTTP/1.1 200 OK\r\n" + 2000 * f"x: {60 * 'y'}\r\n"),
        ("too-large", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: " + 100_000 * "y"),
    ],
)
def test_answers_that_are_none(kind: str, text: str) -> None:
    with pytest.raises(HttpError) as error:
        once(text)
    assert error.value.kind == kind


def test_a_server_that_is_not_there() -> None:
    async def ask() -> None:
        async with server(answering(OK)) as (url, _):
            pass
        await get(HttpClient(), url)

    with pytest.raises(HttpError, match=r"no connection to 127\.0\.0\.1") as error:
        asyncio.run(ask())
    assert error.value.kind == "connect"


def test_a_slow_server_gets_no_more_than_its_time_and_its_slot_is_free_again() -> None:
    async def serve(exchange: Exchange) -> None:
        head, _ = await exchange.request()
        if "/slow" in head:
            await exchange.reader.read()
        exchange.answer(OK)

    async def ask() -> bytes:
        async with server(serve) as (url, _):
            client = HttpClient(connections=1)
            with pytest.raises(HttpError) as error:
                await get(client, f"{url}/slow", timeout=0.05)
            assert error.value.kind == "timeout"
            return (await get(client, url)).body

    assert asyncio.run(ask()) == b"hi"


def test_tls_is_verified(tmp_path: Path) -> None:
    authority, certificate, key = local_certificate(tmp_path, "localhost")
    trusting = ssl.create_default_context(cafile=str(authority))
    # The local authority's certificate lacks the key usage that RFC 5280 asks for, and Python 3.13 looks.
    trusting.verify_flags &= ~ssl.VERIFY_X509_STRICT

    async def ask(context: ssl.SSLContext | None) -> bytes:
        async with server(answering(OK), ssl=server_context(certificate, key)) as (url, _):
            return (await get(HttpClient(ssl_context=context), url.replace("http:", "https:"))).body

    assert asyncio.run(ask(trusting)) == b"hi"
    with pytest.raises(HttpError) as error:
        asyncio.run(ask(None))
    assert error.value.kind == "tls"


def test_a_certificate_that_is_not_trusted_is_told_though_other_addresses_are_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, certificate, key = local_certificate(tmp_path, "localhost")

    async def addresses(host: str) -> list[str]:
        return ["127.0.0.1", "127.0.0.99"]

    async def ask() -> None:
        async with server(answering(OK), ssl=server_context(certificate, key)) as (url, _):
            client = HttpClient()
            monkeypatch.setattr(client._names, "addresses", addresses)
            await get(client, url.replace("http:", "https:"))

    with pytest.raises(HttpError) as error:
        asyncio.run(ask())
    assert error.value.kind == "tls"


def test_a_unix_socket_takes_all_requests(tmp_path: Path) -> None:
    async def ask() -> bytes:
        path = str(tmp_path / "socket")
        seen = Servers(answering(OK))
        async with await asyncio.start_unix_server(seen.connected, path):
            client = HttpClient(unix=path)
            body = (await get(client, "http://whatever/x")).body
            await client.close()
            return body

    assert asyncio.run(ask()) == b"hi"


@pytest.mark.parametrize("url", ["ftp://there/", "http:///path", "http://there:port/", "nothing"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        asyncio.run(get(HttpClient(), url))


def test_a_header_cannot_smuggle_another_one() -> None:
    with pytest.raises(ValueError, match="control characters"):
        asyncio.run(HttpClient().request("GET", "http://x/", [("a", "1\r\nb: 2")], timeout=1, limit=1))


def test_a_request_may_begin_outside_of_any_task() -> None:
    async def main() -> None:
        async with server(answering(OK)) as (url, _):
            client = HttpClient()
            outcome: Outcome[HttpResponse] = Outcome()
            rests: list[Suspended | None] = []
            begun = asyncio.Event()

            def outside() -> None:
                rests.append(begin(get(client, url), outcome))
                begun.set()

            asyncio.get_running_loop().call_soon(outside)
            await begun.wait()
            assert rests[0] is not None
            await rests[0]
            assert outcome.error is None
            assert outcome.result is not None
            assert outcome.result.body == b"hi"
            await client.close()

    asyncio.run(main())


def test_of_servers_that_are_not_used_nothing_is_kept() -> None:
    async def ask() -> int:
        client = HttpClient()

        async def serve(exchange: Exchange) -> None:
            await exchange.request()
            exchange.answer("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi")

        async with server(serve) as (url, _):
            await get(client, url)
        with pytest.raises(HttpError, match="no connection"):
            await get(client, url)
        return len(client._pools)

    assert asyncio.run(ask()) == 0
