"""Answers as replies: compiled to bytes by dnspython."""

from __future__ import annotations

from collections.abc import Iterable

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset

from cloudlet.engines.dns.dns_reply import Reply, compile_reply
from cloudlet.services.route53.answering import Answer, Part
from cloudlet.services.route53.names import Labels, parse_name
from cloudlet.services.route53.values import make_rdata

IN = dns.rdataclass.IN


def to_dns_name(labels: Labels) -> dns.name.Name:
    """Return a name as dnspython has it."""
    return dns.name.Name((*labels, b""))


def make_response(labels: Labels, kind: int, found: Answer) -> dns.message.Message:
    """Return an answer to a question as a message."""
    response = dns.message.Message(id=0)
    response.flags = dns.flags.QR
    if found.is_authoritative:
        response.flags |= dns.flags.AA
    response.set_rcode(dns.rcode.Rcode(found.rcode))
    question = dns.rrset.RRset(to_dns_name(labels), IN, dns.rdatatype.RdataType.make(kind))
    response.question.append(question)
    response.answer += _make_rrsets(found.answers)
    response.authority += _make_rrsets(found.authority)
    response.additional += _make_rrsets(found.additional)
    return response


def _make_rrsets(parts: Iterable[Part]) -> list[dns.rrset.RRset]:
    return [make_rrset(part) for part in parts]


def make_rrset(part: Part) -> dns.rrset.RRset:
    """Return records of one name and type as dnspython has them."""
    made = dns.rrset.RRset(to_dns_name(parse_name(part.name)), IN, dns.rdatatype.from_text(part.type))
    for value in part.values:
        made.add(make_rdata(part.type, value), part.ttl)
    return made


def compile_answer(labels: Labels, kind: int, found: Answer) -> Reply:
    """Return an answer to a question as a reply."""
    return compile_reply(make_response(labels, kind, found))
