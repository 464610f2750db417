"""Which socket of this machine has a connection, or listens, as the system tells it (sock_diag(7), proc(5))."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_SOCK_DIAG = 4
_BY_FAMILY, _REQUEST, _ERROR = 20, 1, 2
_ESTABLISHED, _LISTENING = 1, 10
_ANY = 0xFFFFFFFF
_HEAD = struct.Struct("=IHHII")
_INODE = _HEAD.size + 4 + 48 + 16
"""Where an answer has the inode: behind its head, four bytes, the ends of the connection, and four numbers."""
_TABLES = ("tcp", "tcp6")


class End(NamedTuple):
    """An end of a connection of TCP; `host` is an address of IPv4."""

    host: str
    port: int


def connected(near: End, far: End, folder: str | None = None) -> int | None:
    """Return the inode of the socket at one end of a connection; None where there is none, or nobody has it yet.

    `folder` has the lists of another network than this process's, as `/proc/PID/net` has.
    """
    return _inode(near, far, _ESTABLISHED, folder)


def listening(at: End, folder: str | None = None) -> int | None:
    """Return the inode of the socket that gets connections to a host and port; None where none does."""
    return _inode(at, End(at.host, 0), _LISTENING, folder)


def _inode(near: End, far: End, state: int, folder: str | None) -> int | None:
    # The list may lack one while others come and go.
    if folder is not None:
        found = next(_listed(near, far, state, folder), None)
    else:
        try:
            found = _asked(near, far)
        except OSError:
            # Not every kernel has what is asked.
            found = next(_listed(near, far, state, "/proc/net"), None)
    if found is None or found[0] != state:
        return None
    return found[1] or None


def _asked(near: End, far: End) -> tuple[int, int] | None:
    """Return the state and the inode of a socket. Raises OSError."""
    ends = b"".join(socket.inet_aton(end.host).ljust(16, b"\0") for end in (near, far))
    wanted = struct.pack(">HH", near.port, far.port) + ends + struct.pack("=III", 0, _ANY, _ANY)
    body = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ANY) + wanted
    head = _HEAD.pack(_HEAD.size + len(body), _BY_FAMILY, _REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, _SOCK_DIAG) as asking:
        asking.sendto(head + body, (0, 0))
        answer = asking.recv(8192)
    if _HEAD.unpack_from(answer)[1] == _ERROR:
        (number,) = struct.unpack_from("=i", answer, _HEAD.size)
        if -number == errno.ENOENT:
            return None
        raise OSError(-number, "sock_diag")
    (inode,) = struct.unpack_from("=I", answer, _INODE)
    return answer[_HEAD.size + 1], inode


def _listed(near: End, far: End, state: int, folder: str) -> Iterator[tuple[int, int]]:
    listens = state == _LISTENING
    for table in (Path(folder) / name for name in _TABLES):
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            fields = line.split()
            if (
                int(fields[3], 16) == state
                and _is(fields[1], near, listens)
                and (listens or _is(fields[2], far, False))
            ):
                yield state, int(fields[9])


def _is(said: str, end: End, wild: bool) -> bool:
    """Whether an end in a list is one; `wild`: any address stands for all of them."""
    address, _, port = said.partition(":")
    mapped = f"0000000000000000FFFF0000{(own := socket.inet_aton(end.host)[::-1].hex().upper())}"
    return int(port, 16) == end.port and (address in (own, mapped) or (wild and not address.strip("0")))
