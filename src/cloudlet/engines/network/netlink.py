"""Interfaces, addresses and routes of the network namespace of this thread, by the kernel's rtnetlink.

Sources: rtnetlink(7), netlink(7), and linux/if_link.h, if_addr.h, rtnetlink.h. Several messages are sent at once, which
takes about a millisecond for all that a program's namespace needs; the `ip` program takes a hundred.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Final

_NEWLINK: Final = 16
_DELLINK: Final = 17
_NEWADDR: Final = 20
_DELADDR: Final = 21
_NEWROUTE: Final = 24
_DELROUTE: Final = 25
_NEWRULE: Final = 32
_ERROR: Final = 2
_REQUEST_ACK: Final = 0x1 | 0x4
_CREATE_EXCL: Final = 0x400 | 0x200
_CREATE_REPLACE: Final = 0x400 | 0x100
_IFF_UP: Final = 0x1
_IFA_F_NOPREFIXROUTE: Final = 0x200

_IFLA_ADDRESS: Final = 1
_IFLA_IFNAME: Final = 3
_IFLA_MTU: Final = 4
_IFLA_LINKINFO: Final = 18
_IFLA_NET_NS_FD: Final = 28
_INFO_KIND: Final = 1
_INFO_DATA: Final = 2
_VETH_PEER: Final = 1
_IFA_ADDRESS: Final = 1
_IFA_LOCAL: Final = 2
_IFA_FLAGS: Final = 8
_RTA_DST: Final = 1
_RTA_OIF: Final = 4
_RTA_GATEWAY: Final = 5

_FRA_FWMARK: Final = 10
_FR_ACT_TO_TBL: Final = 1

_RT_TABLE_MAIN: Final = 254
_RT_TABLE_LOCAL: Final = 255
_RTPROT_STATIC: Final = 4
_RT_SCOPE_UNIVERSE: Final = 0
_RT_SCOPE_LINK: Final = 253
_RT_SCOPE_HOST: Final = 254
_RTN_UNICAST: Final = 1
_RTN_LOCAL: Final = 2
_RTN_BLACKHOLE: Final = 6
_GONE: Final = {_DELROUTE: errno.ESRCH, _DELADDR: errno.EADDRNOTAVAIL}
"""The errors that say that what is to be deleted is not there."""
_HEADER: Final = struct.Struct("=IHHII")
_MAX_ANSWER_BYTES: Final = 1 << 16
LOOPBACK: Final = 1
"""The index of `lo` in each namespace."""
FIRST_INDEX: Final = 2
"""The index that a new namespace gives away first."""


class NetlinkError(OSError):
    """The kernel has refused a message; `errno` says why."""


Message = tuple[int, int, bytes]
"""A type, flags and the content."""


def _encode_attribute(kind: int, content: bytes) -> bytes:
    size = 4 + len(content)
    return struct.pack("=HH", size, kind) + content + b"\0" * (-size % 4)


def _link(index: int, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("=BxHiII", 0, 0, index, flags, change)


def add_veth(
    name: str, index: int, peer: str, peer_namespace: int, peer_index: int = FIRST_INDEX, peer_mac: str = ""
) -> Message:
    """Make a pair of interfaces, `name` here and `peer` in another namespace.

    Both have to be set up afterwards. The peer gets a hardware address of its own where none is given.
    """
    of_peer = _link(peer_index) + _encode_attribute(_IFLA_IFNAME, peer.encode() + b"\0")
    of_peer += _encode_attribute(_IFLA_NET_NS_FD, struct.pack("=i", peer_namespace))
    if peer_mac:
        of_peer += _encode_attribute(_IFLA_ADDRESS, bytes.fromhex(peer_mac.replace(":", "")))
    kind = _encode_attribute(_INFO_KIND, b"veth")
    info = _encode_attribute(
        _IFLA_LINKINFO, kind + _encode_attribute(_INFO_DATA, _encode_attribute(_VETH_PEER, of_peer))
    )
    return _NEWLINK, _CREATE_EXCL, _link(index) + _encode_attribute(_IFLA_IFNAME, name.encode() + b"\0") + info


def set_up(index: int, *, mtu_bytes: int | None = None) -> Message:
    """Set an interface up."""
    more = b"" if mtu_bytes is None else _encode_attribute(_IFLA_MTU, struct.pack("=I", mtu_bytes))
    return _NEWLINK, 0, _link(index, _IFF_UP, _IFF_UP) + more


def delete_link(index: int) -> Message:
    """Delete an interface, and the other one of its pair."""
    return _DELLINK, 0, _link(index)


def add_address(index: int, address: IPv4Interface, *, routes_prefix: bool = True) -> Message:
    """Give an interface an address, which it may have already.

    Without `routes_prefix` no route leads to the others of its network.
    """
    flags = 0 if routes_prefix else _IFA_F_NOPREFIXROUTE
    content = struct.pack("=BBBBi", socket.AF_INET, address.network.prefixlen, 0, _RT_SCOPE_UNIVERSE, index)
    content += _encode_attribute(_IFA_LOCAL, address.packed) + _encode_attribute(_IFA_ADDRESS, address.packed)
    return _NEWADDR, _CREATE_REPLACE, content + _encode_attribute(_IFA_FLAGS, struct.pack("=I", flags))


def delete_address(index: int, address: IPv4Interface) -> Message:
    """Take an address from an interface, unless it is gone."""
    content = struct.pack("=BBBBi", socket.AF_INET, address.network.prefixlen, 0, _RT_SCOPE_HOST, index)
    return _DELADDR, 0, content + _encode_attribute(_IFA_LOCAL, address.packed)


def add_route(target: IPv4Network, index: int, gateway: IPv4Address | None = None) -> Message:
    """Route a network to an interface, by a gateway or, without one, directly.

    It takes the place of another one: an address may come to an interface before it goes from another.
    """
    return _NEWROUTE, _CREATE_REPLACE, _route(target, index, gateway)


def delete_route(target: IPv4Network, index: int, gateway: IPv4Address | None = None) -> Message:
    """Delete a route, unless it is gone."""
    return _DELROUTE, 0, _route(target, index, gateway)


def add_local_route(target: IPv4Network, index: int, table: int = _RT_TABLE_LOCAL) -> Message:
    """Have all addresses of a network count for this machine's own."""
    content = _encode_route(target, table, _RT_SCOPE_HOST, _RTN_LOCAL)
    return _NEWROUTE, _CREATE_EXCL, content + _encode_attribute(_RTA_OIF, struct.pack("=i", index))


def add_mark_rule(mark: int, table: int) -> Message:
    """Have the routes of a table count for packets with a mark."""
    content = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, table, 0, 0, _FR_ACT_TO_TBL, 0)
    return _NEWRULE, _CREATE_EXCL, content + _encode_attribute(_FRA_FWMARK, struct.pack("=I", mark))


def add_blackhole(target: IPv4Network) -> Message:
    """Drop silently what goes to a network and has no other route."""
    return _NEWROUTE, _CREATE_EXCL, _encode_route(target, _RT_TABLE_MAIN, _RT_SCOPE_UNIVERSE, _RTN_BLACKHOLE)


def _route(target: IPv4Network, index: int, gateway: IPv4Address | None) -> bytes:
    scope = _RT_SCOPE_LINK if gateway is None else _RT_SCOPE_UNIVERSE
    content = _encode_route(target, _RT_TABLE_MAIN, scope, _RTN_UNICAST)
    if gateway is not None:
        content += _encode_attribute(_RTA_GATEWAY, gateway.packed)
    return content + _encode_attribute(_RTA_OIF, struct.pack("=i", index))


def _encode_route(target: IPv4Network, table: int, scope: int, kind: int) -> bytes:
    content = struct.pack("=BBBBBBBBI", socket.AF_INET, target.prefixlen, 0, 0, table, _RTPROT_STATIC, scope, kind, 0)
    if target.prefixlen:
        content += _encode_attribute(_RTA_DST, target.network_address.packed)
    return content


def send(messages: Sequence[Message]) -> None:
    """Send messages about the namespace of this thread, and wait for their answers. Raises NetlinkError.

    Those after one that is refused are carried out all the same.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as connection:
        connection.bind((0, 0))
        packed = b""
        for number, (kind, flags, content) in enumerate(messages, 1):
            header = _HEADER.pack(_HEADER.size + len(content), kind, _REQUEST_ACK | flags, number, 0)
            packed += header + content
        connection.send(packed)
        _read_answers(connection, messages)


def _read_answers(connection: socket.socket, messages: Sequence[Message]) -> None:
    refused: NetlinkError | None = None
    count = len(messages)
    while count:
        answers = connection.recv(_MAX_ANSWER_BYTES)
        position = 0
        while position < len(answers):
            size, kind, _, number, _ = _HEADER.unpack_from(answers, position)
            if kind == _ERROR:
                (code,) = struct.unpack_from("=i", answers, position + _HEADER.size)
                if code and -code != _GONE.get(messages[number - 1][0]) and refused is None:
                    refused = NetlinkError(-code, f"message {number}: {os.strerror(-code)}")
                count -= 1
            position += size + -size % 4
    if refused is not None:
        raise refused
