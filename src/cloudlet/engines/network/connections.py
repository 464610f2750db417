"""Connections of the network namespace of this thread, ended by the kernel's sock_diag.

Whoever has one gets an error, and its peer a reset. Sources: sock_diag(7), and linux/inet_diag.h, sock_diag.h.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Collection, Iterator
from contextlib import suppress
from ipaddress import IPv4Address
from typing import Final

from cloudlet.engines.network.netlink import NetlinkError

_SOCK_DIAG: Final = 4
_BY_FAMILY: Final = 20
_DESTROY: Final = 21
_ERROR: Final = 2
_DONE: Final = 3
_REQUEST: Final = 0x1
_ACK: Final = 0x4
_DUMP: Final = 0x300
_HEADER: Final = struct.Struct("=IHHII")
_CODE: Final = struct.Struct("=i")
_ASKED: Final = struct.Struct("=BBBxI")
_PLACE: Final = struct.Struct("!HH4s12x4s12x")
"""The begin of what names a connection: its ports, its source and its target."""
_NAME_BYTES: Final = 48
_FOUND_HEAD_BYTES: Final = 4
_OPEN_STATES: Final = 0xFFF & ~(1 << 10) & ~(1 << 6)
"""All but LISTEN and TIME_WAIT."""
_MAX_ANSWER_BYTES: Final = 1 << 16


def end(target: IPv4Address, port: int, sources: Collection[IPv4Address]) -> int:
    """End all connections over TCP from some addresses to a port of a target. Return their number.

    Raises NetlinkError.
    """
    ended = 0
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as kernel:
        asked = struct.pack("!HH", 0, port).ljust(_NAME_BYTES, b"\0")
        for name in list(_ask(kernel, _BY_FAMILY, _DUMP, asked)):
            _, _, source, found = _PLACE.unpack_from(name)
            if found == target.packed and IPv4Address(source) in sources:
                with suppress(FileNotFoundError):
                    list(_ask(kernel, _DESTROY, _ACK, name))
                    ended += 1
    return ended


def _ask(kernel: socket.socket, kind: int, flags: int, name: bytes) -> Iterator[bytes]:
    """Yield what names each connection that the kernel answers. Raises NetlinkError and FileNotFoundError."""
    content = _ASKED.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, _OPEN_STATES) + name
    kernel.send(_HEADER.pack(_HEADER.size + len(content), kind, _REQUEST | flags, 1, 0) + content)
    while True:
        answers = kernel.recv(_MAX_ANSWER_BYTES)
        position = 0
        while position < len(answers):
            size, kind, *_ = _HEADER.unpack_from(answers, position)
            if kind in (_DONE, _ERROR):
                _check(*_CODE.unpack_from(answers, position + _HEADER.size))
                return
            start = position + _HEADER.size + _FOUND_HEAD_BYTES
            yield answers[start : start + _NAME_BYTES]
            position += size + -size % 4


def _check(code: int) -> None:
    if code == -errno.ENOENT:
        raise FileNotFoundError(errno.ENOENT, "the connection has ended")
    if code:
        raise NetlinkError(-code, f"connections are not ended: {os.strerror(-code)}")
