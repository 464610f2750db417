"""WebSocket connections that are opened and then rest."""

import asyncio
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.scenarios import Wrong

_AT_ONCE = 50
_OPEN_SECONDS = 60.0
_REST_SECONDS = 2.0
_HEAD_BYTES = 4096


@dataclass(frozen=True)
class Rested:
    """How many seconds it took to open all, and what was measured while they rested."""

    seconds: float
    figure: float


def allow_connections() -> None:
    """Let this process, and the servers that it starts, have as many connections as they may."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def rest(server: str, host: str, path: str, connections: int, figure: Callable[[], float]) -> Rested:
    """Open so many connections to `server` ("127.0.0.1:4566"), and measure a figure once all rest.

    Wrong where one is refused, or has ended by then.
    """
    return asyncio.run(_rest(server, host, path, connections, figure))


async def _rest(server: str, host: str, path: str, connections: int, figure: Callable[[], float]) -> Rested:
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()
    address, _, port = server.partition(":")
    opened: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def connect() -> None:
        reader, writer = await asyncio.open_connection(address, int(port), limit=_HEAD_BYTES)
        opened.append((reader, writer))
        writer.write(request)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            raise Wrong(f"a connection was closed instead of opened: {error.partial[:300]!r}") from error
        if b" 101 " not in head.partition(b"\r\n")[0]:
            raise Wrong(f"a connection was refused: {head[:300]!r}")

    began = time.perf_counter()
    try:
        async with asyncio.timeout(_OPEN_SECONDS):
            while len(opened) < connections:
                await asyncio.gather(*(connect() for _ in range(min(_AT_ONCE, connections - len(opened)))))
        took = time.perf_counter() - began
        await asyncio.sleep(_REST_SECONDS)
        if ended := sum(reader.at_eof() for reader, _ in opened):
            raise Wrong(f"{ended} of {connections} connections had ended")
        return Rested(took, figure())
    except TimeoutError as error:
        raise Wrong(f"{len(opened)} of {connections} connections were opened in {_OPEN_SECONDS:.0f} s") from error
    finally:
        for _, writer in opened:
            writer.transport.abort()
