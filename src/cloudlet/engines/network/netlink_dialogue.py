"""Requests of the kernel over netlink(7), and the records that it answers."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import Final

from cloudlet.engines.network.netlink import NetlinkError

_ERROR: Final = 2
_DONE: Final = 3
_REQUEST: Final = 0x1
ACK: Final = 0x4
"""The flag of a request that is answered by whether it was carried out."""
DUMP: Final = 0x300
"""The flags of a request for all records."""
_HEADER: Final = struct.Struct("=IHHII")
_CODE: Final = struct.Struct("=i")
_MAX_ANSWER_BYTES: Final = 1 << 16


def open_socket(family: int) -> socket.socket:
    """Return a socket to a part of the kernel, for the namespace of this thread. Raises OSError."""
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family)


def ask(kernel: socket.socket, kind: int, flags: int, content: bytes) -> Iterator[bytes]:
    """Yield the records that the kernel answers, without their headers.

    Raises FileNotFoundError where what is named is gone, and NetlinkError.
    """
    kernel.send(_HEADER.pack(_HEADER.size + len(content), kind, _REQUEST | flags, 1, 0) + content)
    while True:
        answers = kernel.recv(_MAX_ANSWER_BYTES)
        position = 0
        while position < len(answers):
            size, kind, *_ = _HEADER.unpack_from(answers, position)
            if kind in (_DONE, _ERROR):
                _check(*_CODE.unpack_from(answers, position + _HEADER.size))
                return
            yield answers[position + _HEADER.size : position + size]
            position += size + -size % 4


def _check(code: int) -> None:
    if code == -errno.ENOENT:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    if code:
        raise NetlinkError(-code, os.strerror(-code))
