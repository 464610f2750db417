"""The way of a block to the keeper, which is started at the first need."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from cloudlet.engines.keeper.protocol import Answer, Connection, Event, Message, Request, open_folder

_START_SECONDS: Final = 20.0
_FIRST_PAUSE_SECONDS: Final = 0.005
_MAX_PAUSE_SECONDS: Final = 0.2
_MAX_END_MILLISECONDS: Final = 40_000
LOST: Final = Event("lost", {})
"""The news that a keeper is gone: the next call starts another one."""


_PEER: Final = struct.Struct("=iII")


class KeeperError(Exception):
    """The keeper cannot be reached or do something; the text says why."""


class KeeperClient:
    """Calls the keeper's functions. Used from one event loop."""

    def __init__(self, path: Path, owner: int, heard: Callable[[Event], None] | None = None) -> None:
        """Use the keeper of the Cloudlet whose process is `owner`.

        `heard` is told of its events, and of `LOST` when the keeper is gone, with all that it held.
        """
        self._path = path
        self._owner = owner
        self._heard = heard
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self._asked: dict[int, asyncio.Future[tuple[Any, list[int]]]] = {}
        self._numbers = iter(range(1, 1 << 62))

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection to a keeper."""
        return self._connection is not None

    async def connect_if_running(self) -> bool:
        """Return whether a keeper runs, and be told of its events from now on. None is started."""
        async with self._connecting:
            if self._connection is None and (end := _try(self._path)) is not None:
                self._connection = Connection(end, self._receive, self._lose)
            return self._connection is not None

    async def call(self, function: str, **arguments: Any) -> Any:
        """Return the result of a function of the keeper. Raises KeeperError."""
        result, descriptors = await self._call(function, arguments)
        for each in descriptors:
            os.close(each)
        return result

    async def call_for_descriptor(self, function: str, **arguments: Any) -> int:
        """Return the descriptor that a function of the keeper hands over. Raises KeeperError."""
        _, descriptors = await self._call(function, arguments)
        if not descriptors:
            raise KeeperError(f"{function} has handed over nothing")
        for each in descriptors[1:]:
            os.close(each)
        return descriptors[0]

    async def call_for_socket(self, function: str, **arguments: Any) -> socket.socket:
        """Return the socket that a function of the keeper hands over. Raises KeeperError."""
        made = socket.socket(fileno=await self.call_for_descriptor(function, **arguments))
        made.setblocking(False)
        return made

    async def open_terminal(self, name: str, command: list[str]) -> int:
        """Run a program in a container at a terminal; return its descriptor. Raises KeeperError."""
        return await self.call_for_descriptor("open_terminal", name=name, command=command)

    async def _call(self, function: str, arguments: dict[str, Any]) -> tuple[Any, list[int]]:
        connection = await self._connect()
        number = next(self._numbers)
        answer: asyncio.Future[tuple[Any, list[int]]] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            connection.send(Request(number, function, arguments))
            return await answer
        except ValueError as error:
            raise KeeperError(f"{function}: {error}") from error
        finally:
            del self._asked[number]

    async def _connect(self) -> Connection:
        async with self._connecting:
            if self._connection is None:
                end = await self._find()
                self._connection = Connection(end, self._receive, self._lose)
            return self._connection

    async def _find(self) -> socket.socket:
        """Return a connection to the keeper, which is started where there is none. Raises KeeperError."""
        started: subprocess.Popen[bytes] | None = None
        pause = _FIRST_PAUSE_SECONDS
        try:
            async with asyncio.timeout(_START_SECONDS):
                while (end := _try(self._path)) is None:
                    if started is None or started.poll() == 0:
                        # One that has ended so found another keeper, which may be ending itself.
                        started = await asyncio.to_thread(self._start)
                    elif started.returncode is not None:
                        raise KeeperError(
                            f"the keeper of programs and networks ends ({started.returncode}): see the log"
                        )
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _MAX_PAUSE_SECONDS)
        except TimeoutError:
            raise KeeperError("the keeper of programs and networks does not start: see the log") from None
        return end

    def _start(self) -> subprocess.Popen[bytes]:
        # It outlives this process, which may be that of one block.
        command = [sys.executable, "-m", "cloudlet.engines.keeper", str(self._path), str(self._owner)]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)

    def _receive(self, message: Message, descriptors: list[int]) -> None:
        waiting = self._asked.get(message.id) if isinstance(message, Answer) else None
        if isinstance(message, Answer) and waiting is not None and not waiting.done():
            if message.error:
                waiting.set_exception(KeeperError(message.error))
            else:
                waiting.set_result((message.result, descriptors))
                return
        elif isinstance(message, Event) and self._heard is not None:
            self._heard(message)
        for each in descriptors:
            os.close(each)

    def _lose(self) -> None:
        self._forget_connection()
        if self._heard is not None:
            self._heard(LOST)

    def _forget_connection(self) -> None:
        self._connection = None
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(KeeperError("the keeper of programs and networks has ended"))

    def close(self) -> None:
        """Close the connection. What the keeper runs goes on."""
        if self._connection is not None:
            self._connection.close()
            self._forget_connection()


def _try(path: Path) -> socket.socket | None:
    end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        with open_folder(path) as short:
            end.connect(short)
    except OSError:
        end.close()
        return None
    return end


def end_keeper(path: Path) -> None:
    """End the keeper of a socket, if there is one, and all that it runs. Waits for it."""
    connection = _try(path)
    if connection is None:
        return
    with connection:
        process, _, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
        with suppress(ProcessLookupError):
            watched = os.pidfd_open(process)
            try:
                _end(watched)
            finally:
                os.close(watched)


def _end(watched: int) -> None:
    ended = select.poll()
    ended.register(watched, select.POLLIN)
    for number in (signal.SIGTERM, signal.SIGKILL):
        signal.pidfd_send_signal(watched, number)
        if ended.poll(_MAX_END_MILLISECONDS):
            return
