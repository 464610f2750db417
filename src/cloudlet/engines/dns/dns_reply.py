"""Replies, compiled: all but the identifier, the question as it was asked, and EDNS."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import dns.message

from cloudlet.engines.dns.dns_query import HEADER_BYTES, Query

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 0, 1, 2, 3, 4, 5
_RESPONSE, _AUTHORITATIVE, _TRUNCATED = 0x8000, 0x0400, 0x0200
_RECURSION_DESIRED, _RECURSION_AVAILABLE = 0x0100, 0x0080
_EDNS_BYTES: Final = 1232
_pack_header = struct.Struct("!6H").pack
_pack_opt = struct.Struct("!BHHBBHH").pack


@dataclass(frozen=True, slots=True)
class Reply:
    """The header's flags and counts, and the records that follow the question.

    Names in it may point into the question, which has the same length however its letters are written.
    """

    flags: int
    answers: int = 0
    authorities: int = 0
    additional: int = 0
    records: bytes = b""


def make_refusal(rcode: int) -> Reply:
    """Return a reply without records."""
    return Reply(_RESPONSE | rcode)


def compile_reply(response: dns.message.Message) -> Reply:
    """Return a response of one question as a reply."""
    wire = response.to_wire(max_size=65_535)
    _, flags, _, answers, authorities, additional = struct.unpack_from("!6H", wire)
    end = HEADER_BYTES + len(response.question[0].name.to_wire() or b"") + 4
    return Reply(flags | _RESPONSE, answers, authorities, additional, wire[end:])


def make_message(query: Query, identifier: bytes, reply: Reply, *, is_datagram: bool, is_recursive: bool) -> bytes:
    """Return a reply to a query as a message. A datagram that is too large is truncated."""
    flags = reply.flags | (query.flags & _RECURSION_DESIRED)
    if is_recursive:
        flags |= _RECURSION_AVAILABLE
    opt = _make_opt(query) if query.has_edns else b""
    extra = 1 if opt else 0
    size = HEADER_BYTES + len(query.question) + len(reply.records) + len(opt)
    if is_datagram and size > query.udp_bytes:
        header = _pack_header(0, flags | _TRUNCATED, 1, 0, 0, extra)
        return b"".join((identifier, header[2:], query.question, opt))
    header = _pack_header(0, flags, 1, reply.answers, reply.authorities, reply.additional + extra)
    return b"".join((identifier, header[2:], query.question, reply.records, opt))


def make_error(message: bytes, rcode: int, question: bytes) -> bytes:
    """Return the reply to a message that cannot be answered, with its question, if any."""
    flags = (message[2] << 8) & 0x7900
    count = 1 if question else 0
    if rcode <= 15:
        return message[:2] + _pack_header(0, _RESPONSE | flags | rcode, count, 0, 0, 0)[2:] + question
    opt = _pack_opt(0, 41, _EDNS_BYTES, rcode >> 4, 0, 0, 0)
    return message[:2] + _pack_header(0, _RESPONSE | flags | (rcode & 15), count, 0, 0, 1)[2:] + question + opt


def _make_opt(query: Query) -> bytes:
    """Return our OPT record. A client's subnet is told back, with the scope that the answer holds for."""
    option = b""
    if query.subnet is not None:
        told = bytearray(query.subnet.option)
        told[3] = told[2]
        option = struct.pack("!2H", 8, len(told)) + told
    return _pack_opt(0, 41, _EDNS_BYTES, 0, 0, 0x8000 if query.wants_signatures else 0, len(option)) + option
