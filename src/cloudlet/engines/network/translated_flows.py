"""Flows that the router of this thread's namespace translates, forgotten by the kernel's ctnetlink.

A router leads what belongs to a flow where its first packet went, however its rules have changed since. Once it has
forgotten the flow, the rules are asked again.
Sources: linux/netfilter/nfnetlink.h and nfnetlink_conntrack.h.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address
from typing import Final

from cloudlet.engines.network.netlink_dialogue import ACK, DUMP, ask, open_socket

_NETFILTER: Final = 12
_GET: Final = 0x101
_DELETE: Final = 0x102
_FAMILY: Final = struct.pack("!BBH", socket.AF_INET, 0, 0)
_ATTRIBUTE: Final = struct.Struct("=HH")
_KIND: Final = 0x3FFF
"""The bits of an attribute's kind; the others are flags."""
_ORIGINAL: Final = 1
_REPLY: Final = 2
_ADDRESSES: Final = 1
_PROTOCOL: Final = 2
_SOURCE: Final = 1
_TARGET: Final = 2
_SOURCE_PORT: Final = 2


def forget(target: IPv4Address, port: int) -> int:
    """Forget all flows that are led to a port of a target from another address. Return their number.

    Raises NetlinkError.
    """
    forgotten = 0
    with open_socket(_NETFILTER) as kernel:
        for flow in list(ask(kernel, _GET, DUMP, _FAMILY)):
            ends = dict(_read_attributes(flow[len(_FAMILY) :]))
            asked, answered = (_read_tuple(ends.get(kind, b"")) for kind in (_ORIGINAL, _REPLY))
            is_led = answered[:2] == (target.packed, port) and asked[2] != target.packed
            if is_led:
                named = ends[_ORIGINAL]
                with suppress(FileNotFoundError):
                    attribute = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(named), _ORIGINAL | 0x8000) + named
                    list(ask(kernel, _DELETE, ACK, _FAMILY + attribute))
                    forgotten += 1
    return forgotten


def _read_tuple(content: bytes) -> tuple[bytes, int, bytes]:
    """Return the source of one direction of a flow, its port, and the target."""
    parts = dict(_read_attributes(content))
    addresses = dict(_read_attributes(parts.get(_ADDRESSES, b"")))
    port = dict(_read_attributes(parts.get(_PROTOCOL, b""))).get(_SOURCE_PORT, b"\0\0")
    return addresses.get(_SOURCE, b""), int.from_bytes(port), addresses.get(_TARGET, b"")


def _read_attributes(content: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + _ATTRIBUTE.size <= len(content):
        size, kind = _ATTRIBUTE.unpack_from(content, position)
        yield kind & _KIND, content[position + _ATTRIBUTE.size : position + size]
        position += size + -size % 4
