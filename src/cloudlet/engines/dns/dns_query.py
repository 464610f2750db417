"""Queries as they come: one question, and what EDNS says besides."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

HEADER_BYTES: Final = 12
MAX_NAME_BYTES: Final = 255
MAX_UDP_BYTES: Final = 1232
"""The largest datagram that arrives in one piece (DNS flag day 2020)."""
_MIN_UDP_BYTES: Final = 512
_QUERY_BIT, _OPCODE_BITS = 0x8000, 0x7800
_OPT: Final = 41
_CLIENT_SUBNET: Final = 8
_DO: Final = 0x8000
_header = struct.Struct("!6H").unpack_from
_question_end = struct.Struct("!2H").unpack_from
_opt = struct.Struct("!xHHBBHH").unpack_from
_option = struct.Struct("!2H").unpack_from

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class MalformedQuery(Exception):
    """A message that is no query to be answered, with the code that says so."""

    def __init__(self, rcode: int, question: bytes = b"") -> None:
        super().__init__()
        self.rcode = rcode
        self.question = question


@dataclass(frozen=True, slots=True)
class Subnet:
    """The part of a client's address that its resolver tells (RFC 7871)."""

    network: Network
    option: bytes
    """The option as it came: family, prefix length, scope and address."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question from somebody."""

    question: bytes
    """The question as it came: name, type and class."""
    name: bytes
    """On the wire, in lower case."""
    type: int
    klass: int
    flags: int
    udp_bytes: int
    """The size of the largest datagram that the client takes."""
    is_datagram: bool = True
    has_edns: bool = False
    wants_signatures: bool = False
    subnet: Subnet | None = None


def parse_query(message: bytes, is_datagram: bool = True) -> Query:
    """Return the query that a message is. Raises MalformedQuery."""
    if len(message) < HEADER_BYTES:
        raise MalformedQuery(1)
    _, flags, questions, answers, authorities, additional = _header(message)
    if flags & _OPCODE_BITS:
        raise MalformedQuery(4)
    if questions != 1 or answers or authorities or additional > 1:
        raise MalformedQuery(1)
    end = HEADER_BYTES
    size = len(message)
    while end < size and (length := message[end]):
        if length > 63:
            raise MalformedQuery(1)
        end += length + 1
    end += 5
    if end > size or end - HEADER_BYTES > MAX_NAME_BYTES + 4:
        raise MalformedQuery(1)
    name = message[HEADER_BYTES : end - 4].lower()
    kind, klass = _question_end(message, end - 4)
    question = message[HEADER_BYTES:end]
    if not additional:
        return Query(question, name, kind, klass, flags, _MIN_UDP_BYTES, is_datagram)
    return _parse_edns(message, end, Query(question, name, kind, klass, flags, _MIN_UDP_BYTES, is_datagram))


def is_query(message: bytes) -> bool:
    """Whether a message is to be answered at all. Responses are not: that would go on for ever."""
    return len(message) >= HEADER_BYTES and not message[2] & 0x80


def _parse_edns(message: bytes, start: int, query: Query) -> Query:
    """Return a query with what its OPT record says. Another record is no reason to refuse it."""
    if len(message) < start + 11 or message[start]:
        raise MalformedQuery(1)
    kind, udp_bytes, _, version, flags, length = _opt(message, start)
    if kind != _OPT:
        return query
    if version:
        raise MalformedQuery(16, query.question)
    if len(message) != start + 11 + length:
        raise MalformedQuery(1)
    subnet = None
    at, end = start + 11, start + 11 + length
    while at + 4 <= end:
        code, option_length = _option(message, at)
        at += 4
        if at + option_length > end:
            raise MalformedQuery(1)
        if code == _CLIENT_SUBNET:
            subnet = _parse_subnet(message[at : at + option_length])
        at += option_length
    size = max(_MIN_UDP_BYTES, min(udp_bytes, MAX_UDP_BYTES))
    return replace(query, udp_bytes=size, has_edns=True, wants_signatures=bool(flags & _DO), subnet=subnet)


def _parse_subnet(option: bytes) -> Subnet | None:
    """Return what a client subnet option says; None where it tells nothing. Raises MalformedQuery."""
    if len(option) < 4:
        raise MalformedQuery(1)
    family, prefix = int.from_bytes(option[:2], "big"), option[2]
    if family not in (1, 2) or option[3]:
        raise MalformedQuery(1)
    bits = 32 if family == 1 else 128
    if prefix > bits or len(option) - 4 != (prefix + 7) // 8:
        raise MalformedQuery(1)
    if not prefix:
        return None
    packed = option[4:].ljust(bits // 8, b"\0")
    address = IPv4Address(packed) if family == 1 else IPv6Address(packed)
    return Subnet(ip_network((address, prefix), strict=False), option)
