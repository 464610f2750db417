"""Relays: connections that come to a socket go on over another one, byte by byte."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from cloudlet.engines.keeper.protocol import open_folder
from cloudlet.store.eager import spawn

_CHUNK_BYTES: Final = 64 * 1024
_ACCEPT_PAUSE_SECONDS: Final = 0.1
Open = Callable[[socket.socket], Awaitable["socket.socket | None"]]
"""Return the connection by which an accepted one goes on, None where there is none. Raises OSError."""


async def forward(listener: socket.socket, open_other: Open) -> None:
    """Pass on all connections that come to a listener, which is closed at the end."""
    loop = asyncio.get_running_loop()
    serving: set[asyncio.Task[None]] = set()
    try:
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError:
                # There are too many open files, say: connections wait, and are taken later.
                await asyncio.sleep(_ACCEPT_PAUSE_SECONDS)
                continue
            task = spawn(_serve(connection, open_other))
            serving.add(task)
            task.add_done_callback(serving.discard)
    finally:
        listener.close()
        for each in serving:
            each.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def _serve(connection: socket.socket, open_other: Open) -> None:
    with connection, suppress(OSError):
        other = await open_other(connection)
        if other is not None:
            with other:
                await _relay(connection, other)


async def connect(host: str, port: int) -> socket.socket:
    """Return a connection from the machine's own network. Raises OSError."""
    return await _connect(socket.AF_INET, (host, port))


async def connect_at(path: Path) -> socket.socket:
    """Return a connection to a socket of the machine. Raises OSError."""
    with open_folder(path) as short:
        return await _connect(socket.AF_UNIX, short)


async def _connect(family: socket.AddressFamily, address: tuple[str, int] | str) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(made, address)
    except BaseException:
        made.close()
        raise
    return made


async def _relay(one: socket.socket, other: socket.socket) -> None:
    """Pass on what either side sends, until both have ended."""
    one.setblocking(False)
    directions = [spawn(_copy(one, other)), spawn(_copy(other, one))]
    try:
        done, _ = await asyncio.wait(directions, return_when=asyncio.FIRST_EXCEPTION)
        for each in done:
            each.result()
    finally:
        for each in directions:
            each.cancel()


async def _copy(source: socket.socket, sink: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    buffer = bytearray(_CHUNK_BYTES)
    view = memoryview(buffer)
    while size := await loop.sock_recv_into(source, buffer):
        await loop.sock_sendall(sink, view[:size])
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
