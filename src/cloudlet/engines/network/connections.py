"""Connections of the network namespace of this thread, ended by the kernel's sock_diag.

Whoever has one gets an error, and its peer a reset. Sources: sock_diag(7), and linux/inet_diag.h, sock_diag.h.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Collection
from contextlib import suppress
from ipaddress import IPv4Address
from typing import Final

from cloudlet.engines.network.netlink_dialogue import ACK, DUMP, ask, open_socket

_SOCK_DIAG: Final = 4
_BY_FAMILY: Final = 20
_DESTROY: Final = 21
_ASKED: Final = struct.Struct("=BBBxI")
_PLACE: Final = struct.Struct("!HH4s12x4s12x")
"""The begin of what names a connection: its ports, its source and its target."""
_NAME_BYTES: Final = 48
_FOUND_HEAD_BYTES: Final = 4
_OPEN_STATES: Final = 0xFFF & ~(1 << 10) & ~(1 << 6)
"""All but LISTEN and TIME_WAIT."""


def end(target: IPv4Address, port: int, sources: Collection[IPv4Address]) -> int:
    """End all connections over TCP from some addresses to a port of a target. Return their number.

    Raises NetlinkError.
    """
    ended = 0
    asked = _ASKED.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, _OPEN_STATES)
    with open_socket(_SOCK_DIAG) as kernel:
        place = struct.pack("!HH", 0, port).ljust(_NAME_BYTES, b"\0")
        for record in list(ask(kernel, _BY_FAMILY, DUMP, asked + place)):
            name = record[_FOUND_HEAD_BYTES : _FOUND_HEAD_BYTES + _NAME_BYTES]
            _, _, source, found = _PLACE.unpack_from(name)
            if found == target.packed and IPv4Address(source) in sources:
                with suppress(FileNotFoundError):
                    list(ask(kernel, _DESTROY, ACK, asked + name))
                    ended += 1
    return ended
