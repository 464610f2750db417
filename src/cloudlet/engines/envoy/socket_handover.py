"""Sockets of the machine for an Envoy that stands in a virtual network.

Envoy asks its predecessor for listening sockets when it is restarted while it runs ("Hot restart" in its docs). We are
that predecessor: an Envoy starts as the second one, asks for each address that it is to listen on, and gets a socket of
the machine's own network where there is one for it. It binds all others itself, in its network.
Source: envoy's source/server/hot_restart.proto and hot_restarting_base.cc, version 11 of the protocol.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
import struct
from array import array
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from cloudlet.engines.keeper.protocol import open_folder

log = logging.getLogger("cloudlet.engines")

SOCKET_NAME: Final = "restart"
"""The first part of the names of both sockets: Envoy's option `--socket-path`."""
SHARED_MEMORY: Final = "envoy_shared_memory_0"
_PARENT: Final = f"{SOCKET_NAME}_parent_0"
_CHILD: Final = f"{SOCKET_NAME}_child_1"
_SIZE: Final = struct.Struct("!Q")
_MAX_REQUEST_BYTES: Final = 64 * 1024
_ASKED: Final = re.compile(rb"(tcp|udp)://([0-9.]+):(\d+)")
_KINDS: Final = {b"tcp": socket.SOCK_STREAM, b"udp": socket.SOCK_DGRAM}
# The first byte of a request (field 1 of the message) names its kind: a field of its own.
_REQUEST: Final = b"\n"
_SOCKET: Final = b"\n"
_ADMIN: Final = b"\x12"
_STATISTICS: Final = b"\x1a"
_SOCKET_HANDED: Final = bytes.fromhex("1204 0a02 0805")
_NO_SOCKET: Final = bytes.fromhex("120d 0a0b 08 ffffffffffffffffff01")
_ADMIN_CLOSED: Final = bytes.fromhex("1204 1202 1001")
_NO_STATISTICS: Final = bytes.fromhex("1202 1a00")
_MEMORY_BYTES: Final = 104
_MEMORY_VERSION: Final = 11

Listen = Callable[[IPv4Address, int, socket.SocketKind], socket.socket | None]
"""A function that returns a socket of the machine for an address and a port.

It returns None where Envoy is to bind it itself.
"""


class SocketHandover:
    """Answers an Envoy that asks for its predecessor's sockets. Used from one event loop."""

    def __init__(self, folder: Path, listen: Listen) -> None:
        """Answer in a folder that the Envoy sees, too. Raises OSError."""
        self._folder = folder
        self._listen = listen
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        with suppress(FileNotFoundError):
            (folder / _PARENT).unlink()
        with open_folder(folder / _PARENT) as short:
            self._socket.bind(short)
        (folder / _PARENT).chmod(0o666)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)

    def prepare(self) -> None:
        """Prepare for an Envoy that is about to start. Raises OSError."""
        (self._folder / _CHILD).unlink(missing_ok=True)
        memory = self._folder / "shm" / SHARED_MEMORY
        memory.write_bytes(struct.pack("=QQ", _MEMORY_BYTES, _MEMORY_VERSION).ljust(_MEMORY_BYTES, b"\0"))
        memory.chmod(0o666)

    def _read(self) -> None:
        while True:
            try:
                packet = self._socket.recv(_MAX_REQUEST_BYTES)
            except BlockingIOError:
                return
            request = packet[_SIZE.size :]
            # Behind the field's number is its size, of one byte or two.
            kind = request[2 if len(request) < 2 or request[1] < 0x80 else 3 :][:1] if request[:1] == _REQUEST else b""
            if kind == _SOCKET:
                self._hand_over(request)
            elif kind == _ADMIN:
                self._send(_ADMIN_CLOSED)
            elif kind == _STATISTICS:
                self._send(_NO_STATISTICS)

    def _hand_over(self, request: bytes) -> None:
        asked = _ASKED.search(request)
        made: socket.socket | None = None
        if asked is not None:
            try:
                made = self._listen(IPv4Address(asked[2].decode()), int(asked[3]), _KINDS[asked[1]])
            except OSError as error:
                log.error("a listener of a load balancer cannot be had on this machine: %s", error)
        if made is None:
            self._send(_NO_SOCKET)
            return
        with made:
            self._send(_SOCKET_HANDED, made.fileno())

    def _send(self, answer: bytes, *descriptors: int) -> None:
        folder = os.open(self._folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            target = f"/proc/self/fd/{folder}/{_CHILD}"
            handed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))] if descriptors else []
            self._socket.sendmsg([_SIZE.pack(len(answer)) + answer], handed, 0, target)
        except OSError as error:
            log.warning("an Envoy has not got its answer: %s", error)
        finally:
            os.close(folder)

    def close(self) -> None:
        """Answer no more. An Envoy that goes on cannot get new listeners."""
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()
