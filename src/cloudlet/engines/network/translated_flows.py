"""Flows that the router of this thread's namespace translates, forgotten by the kernel's ctnetlink.

A router leads what belongs to a flow where its first packet went, however its rules have changed since. Once it has
forgotten the flow, the rules are asked again.
Sources: linux/netfilter/nfnetlink.h and nfnetlink_conntrack.h.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address
from typing import Final

from cloudlet.engines.network.netlink import NetlinkError

_NETFILTER: Final = 12
_GET: Final = 0x101
_DELETE: Final = 0x102
_ERROR: Final = 2
_DONE: Final = 3
_REQUEST: Final = 0x1
_ACK: Final = 0x4
_DUMP: Final = 0x300
_HEADER: Final = struct.Struct("=IHHII")
_CODE: Final = struct.Struct("=i")
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
_MAX_ANSWER_BYTES: Final = 1 << 16


def forget(target: IPv4Address, port: int) -> int:
    """Forget all flows that are led to a port of a target from another address. Return their number.

    Raises NetlinkError.
    """
    forgotten = 0
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETFILTER) as kernel:
        for flow in list(_ask(kernel, _GET, _DUMP, b"")):
            ends = dict(_read_attributes(flow))
            asked, answered = (_read_tuple(ends.get(kind, b"")) for kind in (_ORIGINAL, _REPLY))
            is_led = answered[:2] == (target.packed, port) and asked[2] != target.packed
            if is_led:
                named = ends[_ORIGINAL]
                with suppress(FileNotFoundError):
                    attribute = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(named), _ORIGINAL | 0x8000) + named
                    list(_ask(kernel, _DELETE, _ACK, attribute))
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


def _ask(kernel: socket.socket, kind: int, flags: int, attributes: bytes) -> Iterator[bytes]:
    """Yield the attributes of each flow that the kernel answers. Raises NetlinkError and FileNotFoundError."""
    content = _FAMILY + attributes
    kernel.send(_HEADER.pack(_HEADER.size + len(content), kind, _REQUEST | flags, 1, 0) + content)
    while True:
        answers = kernel.recv(_MAX_ANSWER_BYTES)
        position = 0
        while position < len(answers):
            size, kind, *_ = _HEADER.unpack_from(answers, position)
            if kind in (_DONE, _ERROR):
                _check(*_CODE.unpack_from(answers, position + _HEADER.size))
                return
            yield answers[position + _HEADER.size + len(_FAMILY) : position + size]
            position += size + -size % 4


def _check(code: int) -> None:
    if code == -errno.ENOENT:
        raise FileNotFoundError(errno.ENOENT, "the flow has ended")
    if code:
        raise NetlinkError(-code, f"flows are not forgotten: {os.strerror(-code)}")
