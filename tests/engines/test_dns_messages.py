"""DNS messages: any bytes are a query or are refused, and replies are what dnspython reads."""

from __future__ import annotations

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.engines.dns.dns_query import MalformedQuery, parse_query
from cloudlet.engines.dns.dns_reply import compile_reply, make_error, make_message, make_refusal

LABELS = st.lists(st.binary(min_size=1, max_size=10), max_size=5)
HEADER = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00"


@given(st.one_of(st.binary(max_size=100), st.binary(max_size=60).map(lambda rest: HEADER + b"\x00" + rest)))
def test_any_bytes_are_a_query_or_refused(message: bytes) -> None:
    try:
        query = parse_query(message)
    except MalformedQuery as error:
        reply = make_error(message.ljust(12, b"\0"), error.rcode, error.question)
    else:
        assert query.name == query.question[:-4].lower()
        reply = make_message(query, message[:2], make_refusal(5), is_datagram=True, is_recursive=False)
    assert reply[:2] == message.ljust(12, b"\0")[:2]


@given(LABELS, st.sampled_from(["A", "TXT", "ANY"]), st.booleans(), st.booleans())
def test_a_query_is_what_a_client_has_asked(labels: list[bytes], kind: str, has_edns: bool, wants: bool) -> None:
    name = dns.name.Name((*labels, b""))
    asked = dns.message.make_query(name, kind, use_edns=0 if has_edns else False, want_dnssec=has_edns and wants)
    query = parse_query(asked.to_wire())
    assert dns.name.from_wire(query.question, 0)[0] == name
    assert query.type == dns.rdatatype.from_text(kind)
    assert (query.has_edns, query.wants_signatures) == (has_edns, has_edns and wants)


@given(LABELS, st.integers(0, 100), st.booleans())
def test_a_reply_is_what_was_compiled_or_truncated(labels: list[bytes], count: int, is_datagram: bool) -> None:
    name = dns.name.Name((*(label.lower() for label in labels), b""))
    asked = dns.message.make_query(name, "A", use_edns=0, payload=1232)
    response = dns.message.Message(id=0)
    response.flags = dns.flags.QR | dns.flags.AA
    response.question.append(dns.rrset.RRset(name, dns.rdataclass.IN, dns.rdatatype.A))
    records = [f"192.0.2.{number}" for number in range(count)]
    if records:
        response.answer.append(dns.rrset.from_text_list(name, 60, "IN", "A", records))
    query = parse_query(asked.to_wire())
    identifier = asked.id.to_bytes(2, "big")
    wire = make_message(query, identifier, compile_reply(response), is_datagram=is_datagram, is_recursive=False)
    read = dns.message.from_wire(wire)
    assert read.id == asked.id
    assert asked.is_response(read)
    assert not is_datagram or len(wire) <= 1232
    if read.flags & dns.flags.TC:
        assert is_datagram
        assert not read.answer
    else:
        assert {str(rdata) for rrset in read.answer for rdata in rrset} == set(records)


SUBNETS = {
    "another family": b"\x00\x03\x18\x00\x0a\x00\x00",
    "a scope": b"\x00\x01\x18\x01\x0a\x00\x00",
    "too long a prefix": b"\x00\x01\x21\x00\x0a\x00\x00\x00\x00",
    "too few bytes": b"\x00\x01\x18\x00\x0a\x00",
}


@pytest.mark.parametrize("option", SUBNETS.values(), ids=SUBNETS)
def test_subnets_that_make_no_sense_are_refused(option: bytes) -> None:
    generic = dns.edns.GenericOption(dns.edns.OptionType.ECS, option)
    wire = dns.message.make_query("example.com", "A", use_edns=0, options=[generic]).to_wire()
    with pytest.raises(MalformedQuery):
        parse_query(wire)


def test_a_refusal_has_no_records() -> None:
    query = parse_query(dns.message.make_query("example.com", "A").to_wire())
    wire = make_message(query, b"\x00\x01", make_refusal(5), is_datagram=True, is_recursive=True)
    read = dns.message.from_wire(wire)
    assert (read.rcode(), read.answer, bool(read.flags & dns.flags.RA)) == (5, [], True)
