"""Messages of the keeper: requests by name with their arguments, answers, and events.

They travel in packets over a Unix socket, with descriptors beside them where a message hands some over. The first byte
of a packet says whether more of its message follows.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

MAX_MESSAGE_BYTES: Final = 32 << 20
_PACKET_BYTES: Final = 64 << 10
_PART, _END = b"\0", b"\1"
MAX_DESCRIPTORS: Final = 8


NETWORKS_CHANGED: Final = "networks_changed"
"""The event of a network that is made or removed."""


class Request(msgspec.Struct, tag="request"):
    """A call of one of the keeper's functions."""

    id: int
    function: str
    arguments: dict[str, Any]


class Answer(msgspec.Struct, tag="answer"):
    """The result of a request; `error` says why there is none."""

    id: int
    result: Any = None
    error: str = ""


class Event(msgspec.Struct, tag="event"):
    """News that nobody asked for, such as the end of a program."""

    name: str
    about: dict[str, Any]


Message = Request | Answer | Event
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Message).decode
Receiver = Callable[[Message, list[int]], None]
"""A function that gets a message, and descriptors, which it has to close."""


class Descriptor(Protocol):
    """A socket, or something else that has a descriptor."""

    def fileno(self) -> int: ...
    def close(self) -> None: ...


class OpenFile:
    """An open file that is known by its descriptor alone."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        os.close(self._descriptor)


@contextmanager
def open_folder(path: Path) -> Iterator[str]:
    """Yield a name of a socket that fits into the kernel's 107 bytes."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class Connection:
    """One end of a connection. Used from one event loop."""

    def __init__(self, end: socket.socket, receive: Receiver, lost: Callable[[], None]) -> None:
        """`receive` gets each message; `lost` is called once, when the other end is gone."""
        self._end = end
        self._receive = receive
        self._lost = lost
        self._waiting: deque[tuple[bytes, Sequence[Descriptor]]] = deque()
        self._begun: list[bytes] = []
        """The parts that are there of a message."""
        self._loop = asyncio.get_running_loop()
        self._is_closed = False
        end.setblocking(False)
        self._loop.add_reader(end.fileno(), self._read)

    def send(self, message: Message, handed: Sequence[Descriptor] = ()) -> None:
        """Send a message, and hand something over with it. Raises ValueError for a large one."""
        content = _encode(message)
        if len(content) > MAX_MESSAGE_BYTES:
            raise ValueError(f"a message of {len(content)} bytes is too large")
        if self._is_closed:
            for each in handed:
                each.close()
            return
        is_idle = not self._waiting
        *parts, last = (content[start : start + _PACKET_BYTES] for start in range(0, len(content), _PACKET_BYTES))
        self._waiting.extend((_PART + part, ()) for part in parts)
        self._waiting.append((_END + last, handed))
        if is_idle:
            self._write()

    def _write(self) -> None:
        while self._waiting and not self._is_closed:
            packet, handed = self._waiting[0]
            try:
                if handed:
                    socket.send_fds(self._end, [packet], [each.fileno() for each in handed])
                else:
                    self._end.send(packet)
            except BlockingIOError:
                self._loop.add_writer(self._end.fileno(), self._write_again)
                return
            except OSError:
                self._break()
                return
            self._waiting.popleft()
            for each in handed:
                each.close()

    def _write_again(self) -> None:
        self._loop.remove_writer(self._end.fileno())
        self._write()

    def _read(self) -> None:
        try:
            packet, descriptors, _, _ = socket.recv_fds(self._end, 1 + _PACKET_BYTES, MAX_DESCRIPTORS)
        except BlockingIOError:
            return
        except OSError:
            packet, descriptors = b"", []
        if not packet:
            self._break()
            return
        self._begun.append(packet[1:])
        if packet.startswith(_END):
            content = b"".join(self._begun)
            self._begun.clear()
            self._receive(_decode(content), descriptors)

    def _break(self) -> None:
        if not self._is_closed:
            self.close()
            self._lost()

    def close(self) -> None:
        """Close this end."""
        if self._is_closed:
            return
        self._is_closed = True
        self._loop.remove_reader(self._end.fileno())
        self._loop.remove_writer(self._end.fileno())
        self._end.close()
        for _, handed in self._waiting:
            for each in handed:
                each.close()
        self._waiting.clear()
