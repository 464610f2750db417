"""The HTTP server: what it accepts, what it refuses, and how it holds back."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

import httptools
import pytest

from cloudlet.core import AwsError
from cloudlet.edge.back_pressure import RequestBody
from cloudlet.edge.clients import Limits
from cloudlet.edge.http import HttpServer
from cloudlet.wire import HttpResponse
from tests.edge.conftest import Client, Echo

Connect = Callable[[], Awaitable[Client]]
Run = Callable[..., Any]


def test_a_request_is_answered_and_the_connection_kept(run_server: Run) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        client = await connect()
        for path in ("/a", "/b?x=1"):
            await client.send(
                f"POST {path} HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\nhi".encode()
            )
            status, headers, body = await client.response()
            assert (status, body) == (200, b"hi")
            assert headers["x-path"] == path.partition("?")[0]
        assert echo.seen[1].query == "x=1"
        assert echo.seen[0].headers["x-a"] == "1,2"

    run_server(scenario)


def test_pipelined_requests_are_answered_in_order(run_server: Run) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        client = await connect()
        await client.send(b"GET /later HTTP/1.1\r\n\r\n" + b"".join(b"GET /%d HTTP/1.1\r\n\r\n" % n for n in range(40)))
        while not echo.kept:
            await asyncio.sleep(0.001)
        echo.kept[0].respond(HttpResponse(200, [("x-path", "/later")], b""))
        paths = [(await client.response())[1]["x-path"] for _ in range(41)]
        assert paths == ["/later", *(f"/{n}" for n in range(40))]

    run_server(scenario)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_the_connection_is_closed_where_the_client_wants_that(run_server: Run, version: str) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        client = await connect()
        close = "" if version == "1.0" else "Connection: close\r\n"
        await client.send(f"GET / HTTP/{version}\r\n{close}\r\n".encode())
        status, headers, _ = await client.response()
        assert (status, headers["connection"]) == (200, "close")
        assert await client.ended()

    run_server(scenario)


@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_a_large_body_streams_both_ways(run_server: Run, coding: str) -> None:
    body = random.randbytes(5 << 20)

    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        client = await connect()
        if coding == "length":
            request = b"PUT / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        else:
            parts = [body[at : at + 100_000] for at in range(0, len(body), 100_000)]
            chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
            request = b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n" % chunks
        sending = asyncio.create_task(client.send(request))
        status, _, echoed = await client.response()
        await sending
        assert status == 200
        assert echoed == body
        await client.send(b"GET /next HTTP/1.1\r\n\r\n")
        assert (await client.response())[1]["x-path"] == "/next"

    run_server(scenario)


def test_a_client_is_held_back_while_its_body_is_not_read(run_server: Run) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        client = await connect()
        size = 64 << 20
        client.writer.write(b"PUT /later HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size)

        async def pour() -> None:
            for _ in range(size >> 16):
                await client.send(bytes(1 << 16))

        pouring = asyncio.create_task(pour())
        while not echo.kept or not echo.seen[0].body.full:  # type: ignore[union-attr]
            await asyncio.sleep(0.001)
        held = echo.seen[0].body._size  # type: ignore[union-attr]
        assert held < 2 << 20
        assert not pouring.done()
        assert len(await echo.seen[0].body.read(size)) == size  # type: ignore[union-attr]
        await pouring
        echo.kept[0].respond(HttpResponse(200, [], b"done"))
        assert (await client.response())[2] == b"done"

    run_server(scenario)


def test_a_client_that_does_not_read_holds_up_its_own_response_only(run_server: Run) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        produced = 0
        is_over = False

        async def endless() -> Any:
            nonlocal produced, is_over
            try:
                while True:
                    produced += 1
                    yield bytes(1 << 16)
            finally:
                is_over = True

        client = await connect()
        await client.send(b"GET /later HTTP/1.1\r\n\r\n")
        while not echo.kept:
            await asyncio.sleep(0.001)
        echo.kept[0].respond(HttpResponse(200, [], endless()))
        before = -1
        while before != produced:
            before = produced
            await asyncio.sleep(0.05)
        assert produced < 1000
        other = await connect()
        await other.send(b"GET / HTTP/1.1\r\n\r\n")
        assert (await other.response())[0] == 200
        client.writer.transport.abort()
        while not is_over:
            await asyncio.sleep(0.001)

    run_server(scenario)


def test_expect_continue_is_answered_when_the_body_is_wanted(run_server: Run) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        client = await connect()
        await client.send(b"PUT /read HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        await client.send(b"hi")
        assert (await client.response())[2] == b"hi"
        await client.send(b"PUT /refuse HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert (await client.response())[0] == 403
        assert await client.ended()

    run_server(scenario)


def test_expect_continue_is_answered_when_there_is_no_body(run_server: Run) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        client = await connect()
        for length in ("Content-Length: 0\r\n", ""):
            await client.send(f"PUT /nothing HTTP/1.1\r\nExpect: 100-continue\r\n{length}\r\n".encode())
            assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            assert (await client.response())[0] == 200

    run_server(scenario)


def test_head_and_204_have_no_body(run_server: Run) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        client = await connect()
        await client.send(b"HEAD / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert b"content-length: 3" in head
        await client.send(b"GET /later HTTP/1.1\r\n\r\n")
        while not echo.kept:
            await asyncio.sleep(0.001)
        echo.kept[0].respond(HttpResponse(204, [], b""))
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 204 No Content\r\n")
        assert b"content-length" not in head

    run_server(scenario)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 20_000 + b"\r\n", 431),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 431),
    ],
)
def test_what_is_no_acceptable_http_is_refused(run_server: Run, request_bytes: bytes, status: int) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        client = await connect()
        await client.send(request_bytes)
        assert (await client.response())[0] == status
        assert await client.ended()
        assert not echo.seen

    run_server(scenario)


@pytest.mark.parametrize("garbage", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"])
def test_requests_before_garbage_are_answered_before_it_is_refused(run_server: Run, garbage: bytes) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        client = await connect()
        await client.send(b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n" + garbage + b"GET /3 HTTP/1.1\r\n\r\n")
        for path in ("/1", "/2"):
            status, headers, _ = await client.response()
            assert (status, headers["x-path"]) == (200, path)
        assert (await client.response())[0] == 400
        assert await client.ended()
        assert [request.path for request in echo.seen] == ["/1", "/2"]

    run_server(scenario)


def test_garbage_behind_a_request_is_not_taken_for_its_answer(run_server: Run) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        client = await connect()
        await client.send(b"GET /later HTTP/1.1\r\n\r\n")
        while not echo.kept:
            await asyncio.sleep(0.001)
        await client.send(b"nonsense\r\n\r\n")
        echo.kept[0].respond(HttpResponse(200, [], b"late"))
        assert (await client.response())[::2] == (200, b"late")
        assert (await client.response())[0] == 400
        assert await client.ended()

    run_server(scenario)


def test_a_handler_that_fails_is_no_hang(run_server: Run) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        client = await connect()
        await client.send(b"GET /fail HTTP/1.1\r\n\r\n")
        assert (await client.response())[0] == 500

    run_server(scenario)


def test_the_bytes_of_a_body_are_not_counted_to_the_head_behind_it(run_server: Run) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        client = await connect()
        body = b"x" * 100_000
        first = b"POST /first HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + body
        await client.send(first + b"GET /second HTTP/1.1\r\nHo")
        assert (await client.response())[0] == 200
        await client.send(b"st: h\r\n\r\n")
        assert (await client.response())[1]["x-path"] == "/second"
        await client.send(first + b"GET /third HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n")
        assert (await client.response())[0] == 200
        assert (await client.response())[0] == 431
        assert await client.ended()

    run_server(scenario)


def test_trailers_are_limited(run_server: Run) -> None:
    """What comes behind a body's chunks is read by nobody, and would fill the memory."""

    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        head = b"PUT /later HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
        for trailers in (b"x: y\r\n" * 100_000, b"x: " + b"y" * 600_000):
            client = await connect()
            sending = asyncio.create_task(client.send(head + trailers))
            while not echo.kept:
                await asyncio.sleep(0.001)
            body = echo.kept.pop().request.body
            assert isinstance(body, RequestBody)
            with pytest.raises(AwsError, match="trailer, is too large"):
                await asyncio.wait_for(body.read(10), 10)
            await sending
        client = await connect()
        await client.send(head.replace(b"later", b"") + b"x: y\r\n" * 1000 + b"\r\nGET /next HTTP/1.1\r\n\r\n")
        assert (await client.response())[2] == b"x"
        assert (await client.response())[1]["x-path"] == "/next"

    run_server(scenario)


def test_who_does_not_read_his_answers_is_given_no_more(run_server: Run) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        client = await connect()
        client.reader._limit = 1  # type: ignore[attr-defined]  # it stops reading
        body = bytes(1 << 20)
        request = b"POST /echo HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        sending = asyncio.create_task(client.send(request * 200))
        seen = -1
        while seen != len(echo.seen):
            seen = len(echo.seen)
            await asyncio.sleep(0.1)
        assert seen < 100
        assert not sending.done()
        client.reader._limit = 1 << 30  # type: ignore[attr-defined]
        for _ in range(200):
            assert len((await client.response())[2]) == len(body)
        await sending

    run_server(scenario)


def test_many_requests_at_once_do_not_hold_up_others(run_server: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not all read in one go."""
    sizes = []

    class Watched(httptools.HttpRequestParser):
        def feed_data(self, data: bytes | bytearray | memoryview) -> None:
            sizes.append(len(data))
            super().feed_data(data)

    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        client = await connect()
        count = 20_000
        sending = asyncio.create_task(client.send(b"GET / HTTP/1.1\r\n\r\n" * count))
        for _ in range(count):
            assert (await client.response())[0] == 200
        await sending

    monkeypatch.setattr(httptools, "HttpRequestParser", Watched)
    run_server(scenario)
    assert 0 < max(sizes) <= 64 << 10


def test_bodies_that_are_on_their_way_are_limited(run_server: Run) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        head, half = b"PUT / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n", bytes(500_000)
        clients = [await connect() for _ in range(3)]
        for client in clients[:2]:
            await client.send(head + half)
        while server.clients.held < 1_000_000:
            await asyncio.sleep(0.001)
        with contextlib.suppress(ConnectionError):
            await clients[2].send(head + bytes(900_000))
        assert (await clients[2].response())[0] == 503
        for client in clients[:2]:
            await client.send(half)
            assert (await client.response())[0] == 200
        while server.clients.held:
            await asyncio.sleep(0.001)

    run_server(scenario, Limits(held=1_700_000))


def test_slow_heads_bodies_and_idle_connections_are_closed(run_server: Run) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        idle, head, body = await connect(), await connect(), await connect()
        await head.send(b"GET / HT")
        await body.send(b"PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab")
        assert (await head.response())[0] == 408
        assert (await body.response())[0] == 408
        assert await idle.ended()
        assert await head.ended()
        assert await body.ended()

    run_server(scenario, Limits(idle=1, head_time=1, stalled=1))


def test_a_head_takes_no_longer_for_what_is_still_to_be_answered(run_server: Run) -> None:
    """While requests wait nothing is read, however soon the client sends the rest."""

    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        client = await connect()
        await client.send(b"GET /later HTTP/1.1\r\n\r\n" * 20 + b"GET /last HT")
        while server.clients.tick < 5:
            await asyncio.sleep(0.05)
        await client.send(b"TP/1.1\r\n\r\n")
        for number in range(20):
            while len(echo.kept) == number:
                await asyncio.sleep(0.001)
            echo.kept[number].respond(HttpResponse(200, [], b""))
            assert (await client.response())[0] == 200
        assert (await client.response())[1]["x-path"] == "/last"

    run_server(scenario, Limits(head_time=1))


def test_connections_are_limited(run_server: Run) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        clients = [await connect() for _ in range(2)]
        for client in clients:
            await client.send(b"GET / HTTP/1.1\r\n\r\n")
            assert (await client.response())[0] == 200
        extra = await connect()
        assert (await extra.response())[0] == 503
        clients[0].writer.close()
        await clients[0].writer.wait_closed()
        again = await connect()
        await again.send(b"GET / HTTP/1.1\r\n\r\n")
        assert (await again.response())[0] == 200

    run_server(scenario, Limits(connections=2))


def test_a_client_that_goes_away_aborts_its_exchange(run_server: Run) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        gone = asyncio.Event()
        client = await connect()
        await client.send(b"GET /later HTTP/1.1\r\n\r\n")
        while not echo.kept:
            await asyncio.sleep(0.001)
        echo.kept[0].on_abort = gone.set
        client.writer.close()
        await asyncio.wait_for(gone.wait(), 10)
        echo.kept[0].respond(HttpResponse(200, [], b"nobody hears this"))

    run_server(scenario)


def test_a_graceful_stop_answers_what_was_accepted(run_server: Run) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        client, idle = await connect(), await connect()
        await client.send(b"GET /later HTTP/1.1\r\n\r\n")
        while not echo.kept:
            await asyncio.sleep(0.001)
        stopping = asyncio.create_task(server.stop(10))
        assert await idle.ended()
        with pytest.raises(ConnectionRefusedError):
            await connect()
        echo.kept[0].respond(HttpResponse(200, [], b"still"))
        status, headers, body = await client.response()
        assert (status, headers["connection"], body) == (200, "close", b"still")
        await asyncio.wait_for(stopping, 5)

    run_server(scenario)


def test_a_line_break_in_a_header_is_a_space(run_server: Run) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        client = await connect()
        await client.send(b"GET /later HTTP/1.1\r\n\r\n")
        while not echo.kept:
            await asyncio.sleep(0.001)
        echo.kept[0].respond(HttpResponse(200, [("x", "a\r\nset-cookie: b"), ("y", "c\0")], b""))
        status, headers, _ = await client.response()
        assert (status, headers["x"], headers["y"]) == (200, "a  set-cookie: b", "c ")
        assert "set-cookie" not in headers

    run_server(scenario)


def test_garbage_never_stops_the_server(run_server: Run) -> None:
    async def scenario(server: HttpServer, echo: Echo, connect: Connect) -> None:
        randomness = random.Random(1)
        for _ in range(200):
            client = await connect()
            start = randomness.choice(
                [b"", b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"]
            )
            with contextlib.suppress(ConnectionError):
                await client.send(start + randomness.randbytes(randomness.randrange(1, 3000)))
            client.writer.close()
        client = await connect()
        await client.send(b"GET /alive HTTP/1.1\r\n\r\n")
        assert (await client.response())[0] == 200

    run_server(scenario)
