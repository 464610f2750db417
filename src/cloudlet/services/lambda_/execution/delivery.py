"""How telemetry reaches an extension: gathered, and sent in batches to where it listens in its sandbox.

It waits in memory, within bounds: where nobody takes it, the oldest is dropped. A process that is halted answers once
it goes on, so that an answer is waited for as long as there is a sandbox.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from cloudlet.engines.sandbox import Sandbox
from cloudlet.services.lambda_.execution.networks import Network

_TRIES = 5
_PAUSE_SECONDS = 0.1
_CONNECT_SECONDS = 5.0
_LAST_SECONDS = 1.0
_HEAD_BYTES = 64 << 10


class Destination(NamedTuple):
    """Where it is sent: by HTTP to a path, or by TCP where there is none."""

    port: int
    path: str | None
    method: str


class Buffering(NamedTuple):
    """When a batch is sent: when it has so many events, is so large, or the first of it is so old."""

    items: int
    bytes: int
    seconds: float


class _NobodyThere(OSError):
    """No program of the sandbox listens, or it has refused what came."""


class Delivery:
    """The way to one extension."""

    def __init__(
        self,
        sandbox: Sandbox,
        destination: Destination,
        limits: Buffering,
        on_dropped: Callable[[int, int], None],
        network: Network | None = None,
    ) -> None:
        """`on_dropped` is told how many events, and bytes, nobody has taken, once somebody takes some again."""
        self._sandbox = sandbox
        self._network = network
        self._destination = destination
        self._limits = limits
        self._on_dropped = on_dropped
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._dropped, self._dropped_bytes = 0, 0
        self._full = asyncio.Event()
        """Set where what waits is to be sent at once."""
        self._writer: asyncio.StreamWriter | None = None
        """The connection, by TCP."""
        self._sending: asyncio.Task[None] | None = None
        self._closed = False

    def add(self, event: bytes) -> None:
        """Have an event delivered."""
        if self._closed:
            return
        self._waiting.append(event)
        self._bytes += len(event)
        # One batch may be on its way while the next one grows.
        while self._bytes > 2 * self._limits.bytes or len(self._waiting) > 2 * self._limits.items:
            size = len(self._waiting.popleft())
            self._bytes -= size
            self._drop(1, size)
        if self._bytes >= self._limits.bytes or len(self._waiting) >= self._limits.items:
            self._full.set()
        if self._sending is None:
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def flush(self) -> None:
        """Deliver at once what waits."""
        self._full.set()
        if self._sending is not None:
            await asyncio.wait([self._sending], timeout=_LAST_SECONDS)

    def close(self) -> None:
        """Deliver nothing more."""
        self._closed = True
        if self._sending is not None:
            self._sending.cancel()
        if self._writer is not None:
            self._writer.close()

    def _drop(self, records: int, size: int) -> None:
        self._dropped += records
        self._dropped_bytes += size

    async def _send(self) -> None:
        try:
            while self._waiting:
                await self._gathered()
                batch = list(self._waiting)
                self._waiting.clear()
                size, self._bytes = self._bytes, 0
                if not await self._delivered(batch):
                    self._drop(len(batch), size)
                    return
                if self._dropped:
                    records, size = self._dropped, self._dropped_bytes
                    self._dropped, self._dropped_bytes = 0, 0
                    self._on_dropped(records, size)
        finally:
            self._sending = None

    async def _gathered(self) -> None:
        try:
            await asyncio.wait_for(self._full.wait(), self._limits.seconds)
        except TimeoutError:
            return
        finally:
            self._full.clear()

    async def _delivered(self, batch: list[bytes]) -> bool:
        """Send events, again where that fails; return whether they have arrived."""
        deliver = self._by_tcp if self._destination.path is None else self._by_http
        pause = _PAUSE_SECONDS
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(pause)
                pause *= 2
            try:
                await deliver(batch)
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                continue
            return True
        return False

    async def _by_http(self, batch: list[bytes]) -> None:
        """Raises OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError."""
        reader, writer = await self._connected()
        try:
            body = b"[" + b",".join(batch) + b"]"
            head = (
                f"{self._destination.method} {self._destination.path} HTTP/1.1\r\n"
                f"Host: sandbox.localdomain:{self._destination.port}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode() + body)
            await writer.drain()
            status = (await reader.readuntil(b"\r\n")).split(b" ", 2)
            if len(status) < 2 or not status[1].startswith(b"2"):
                raise _NobodyThere("the extension has refused it")
        finally:
            writer.close()

    async def _by_tcp(self, batch: list[bytes]) -> None:
        """Raises OSError."""
        if self._writer is None or self._writer.is_closing():
            _, self._writer = await self._connected()
        try:
            self._writer.write(b"".join(event + b"\n" for event in batch))
            await self._writer.drain()
        except OSError:
            self._writer.close()
            self._writer = None
            raise

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to where the extension listens: at the sandbox's address, or anywhere. Raises OSError."""
        port = self._destination.port
        for host in dict.fromkeys((self._sandbox.address, "127.0.0.1")):
            if await asyncio.to_thread(self._sandbox.listens, host, port):
                async with asyncio.timeout(_CONNECT_SECONDS):
                    if self._network is None:
                        return await asyncio.open_connection(host, port, limit=_HEAD_BYTES)
                    connection = await self._network.connect(host, port)
                    return await asyncio.open_connection(sock=connection, limit=_HEAD_BYTES)
        raise _NobodyThere(f"no program of the sandbox listens at port {port}")
