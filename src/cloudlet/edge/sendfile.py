"""Sending parts of files: from the disk to the socket inside the kernel, in threads of their own.

The event loop never waits for the disk, nor a thread for a client, but for a moment where he is quick: where the socket
is full, the loop waits for it.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TypeVar

from cloudlet.edge.back_pressure import WriteGate
from cloudlet.wire.http import FileBody, FilePart

T = TypeVar("T")

_THREADS = 8
_TURN_SECONDS = 0.05
"""For so long a thread serves a client before it looks who else waits for one."""
_AT_ONCE_BYTES = 4 << 20
_READ_BYTES = 256 << 10
_QUICK_MILLISECONDS = 2
"""For so long a thread waits for a client: one who is quick takes more before the loop could tell."""

_executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="sendfile")


class Truncated(Exception):
    """A file is shorter than was said."""


class FileSender:
    """Sends to one client, whose transport has nothing else to write meanwhile."""

    def __init__(self, transport: asyncio.Transport, gate: WriteGate) -> None:
        self._transport = transport
        self._gate = gate
        self._socket: socket.socket | None = None

    async def send(self, body: FileBody) -> None:
        """Send all of a body. Raises OSError and Truncated; ConnectionError where the client has gone."""
        if self._transport.get_extra_info("sslcontext") is not None:
            async for piece in pieces(body):
                self._transport.write(piece)
                await self._gate.wait()
            return
        # A socket of our own: the event loop allows nobody to wait for that of a transport.
        number: int = self._transport.get_extra_info("socket").fileno()
        self._socket = socket.socket(fileno=os.dup(number))
        try:
            for part in body.parts:
                file = await _in_thread(partial(os.open, part.path, os.O_RDONLY))
                try:
                    await self._send_part(self._socket, file, part)
                finally:
                    os.close(file)
        finally:
            self._socket.close()
            self._socket = None

    def stop(self) -> None:
        """Give up: the client has gone."""
        if self._socket is not None:
            # It may have been closed at the other end already: then there is nobody left to be told.
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    async def _send_part(self, to: socket.socket, file: int, part: FilePart) -> None:
        offset, end = part.offset, part.offset + part.size
        while offset < end:
            sent, full = await _in_thread(partial(_send_some, to.fileno(), file, offset, end))
            offset += sent
            if full:
                await self._writable(to)

    async def _writable(self, to: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()

        def now() -> None:
            loop.remove_writer(to.fileno())
            ready.set_result(None)

        loop.add_writer(to.fileno(), now)
        # The server looks after those who take nothing for too long.
        self._gate.pause()
        try:
            await ready
        finally:
            self._gate.resume()
            if not ready.done():
                loop.remove_writer(to.fileno())


def _send_some(to: int, file: int, offset: int, end: int) -> tuple[int, bool]:
    """Send as much as a client takes within his turn; return the bytes sent, and whether the socket is full now."""
    start, over = offset, monotonic() + _TURN_SECONDS
    while offset < end and monotonic() < over:
        try:
            sent = os.sendfile(to, file, offset, min(_AT_ONCE_BYTES, end - offset))
        except BlockingIOError:
            if not _is_soon_writable(to):
                return offset - start, True
            continue
        if not sent:
            raise Truncated("a file ended before its part did")
        offset += sent
    return offset - start, False


def _is_soon_writable(to: int) -> bool:
    poll = select.poll()
    poll.register(to, select.POLLOUT)
    return bool(poll.poll(_QUICK_MILLISECONDS))


async def pieces(body: FileBody) -> AsyncIterator[bytes]:
    """Read a body piece by piece. Raises OSError and Truncated."""
    for part in body.parts:
        file = await _in_thread(partial(os.open, part.path, os.O_RDONLY))
        try:
            offset, end = part.offset, part.offset + part.size
            while offset < end:
                piece = await _in_thread(partial(os.pread, file, min(_READ_BYTES, end - offset), offset))
                if not piece:
                    raise Truncated("a file ended before its part did")
                offset += len(piece)
                yield piece
        finally:
            os.close(file)


async def _in_thread(function: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_executor, function)
