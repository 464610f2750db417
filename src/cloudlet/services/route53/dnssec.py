"""DNSSEC: signed answers (RFC 4034), and proofs of absence (RFC 9824).

Answers are signed when they are asked for, with ECDSA on P-256 and SHA-256. A name or type that is missing is denied by
one NSEC record, made for the very name, so that nobody learns of others.
"""

from __future__ import annotations

from typing import Final

import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from cloudlet.engines.dns.dns_reply import Reply, compile_reply
from cloudlet.services.route53.answering import NXDOMAIN, Answer, ServedZone, find_sets
from cloudlet.services.route53.compiling import make_response, to_dns_name
from cloudlet.services.route53.dnssec_record import ServedKeys
from cloudlet.services.route53.name_cache import CachedNames
from cloudlet.services.route53.names import Labels, is_within, parse_name
from cloudlet.services.route53.signatures import (
    VALID_SECONDS,
    ZONE_SIGNING,
    get_signed_data,
    make_dnskey,
    make_unsigned,
    to_raw_signature,
)

_IN: Final = dns.rdataclass.IN
_NXNAME: Final = "TYPE128"
"""The type of names that are not there (RFC 9824, NXNAME)."""


def compile_signed(names: CachedNames, labels: Labels, kind: int, found: Answer, now: float) -> Reply:
    """Return an answer to a question as a reply with signatures. Raises Missing."""
    zone, last = found.zone, found.signer
    if zone is None or last is None:
        raise ValueError("no zone has answered")
    keys = names.get_keys(zone.id)
    response = make_response(labels, kind, found)
    if zone == last:
        _deny(names, zone, labels, kind, found, response)
    for section in (response.answer, response.authority):
        for rrset in list(section):
            owner = rrset.name.labels[:-1]
            is_own = is_within(owner, zone.labels) and (zone == last or not is_within(owner, last.labels))
            is_referral = rrset.rdtype == dns.rdatatype.NS and owner != zone.labels
            if is_own and not is_referral:
                section.append(_sign(rrset, zone, keys, now))
    return compile_reply(response)


def _sign(rrset: dns.rrset.RRset, zone: ServedZone, keys: ServedKeys, now: float) -> dns.rrset.RRset:
    """Return the RRSIG records of records; those of DNSKEY records were made with KMS."""
    made = dns.rrset.RRset(rrset.name, _IN, dns.rdatatype.RRSIG, rrset.rdtype)
    if rrset.rdtype == dns.rdatatype.DNSKEY:
        for text in keys.signatures:
            made.add(dns.rdata.from_text(_IN, dns.rdatatype.RRSIG, text), rrset.ttl)
        return made
    unsigned = make_unsigned(
        rrset, to_dns_name(zone.labels), make_dnskey(ZONE_SIGNING, keys.zone_public_key), now, VALID_SECONDS
    )
    signature = keys.private_key.sign(get_signed_data(rrset, unsigned), ec.ECDSA(SHA256()))
    made.add(unsigned.replace(signature=to_raw_signature(signature)), rrset.ttl)
    return made


def _deny(
    names: CachedNames, zone: ServedZone, labels: Labels, kind: int, found: Answer, response: dns.message.Message
) -> None:
    """Add the proof that a name, a type or a signed delegation is not there."""
    if not found.authority:
        return
    first = found.authority[0]
    if first.type == "NS":
        if len(found.authority) == 1:
            response.authority.append(_make_nsec(parse_name(first.name), {"NS"}, 900))
        return
    # What a chain of CNAME records leads to is what is not there.
    name = parse_name(found.answers[-1].values[0]) if found.answers else labels
    types = {_NXNAME}
    if found.exists:
        types = {each.type for each in find_sets(names, zone, name) or ()}
        types -= {dns.rdatatype.to_text(dns.rdatatype.RdataType.make(kind))}
        if name == zone.labels:
            types.add("DNSKEY")
        elif "NS" in types:
            # All else that is at a delegation is not this zone's.
            types &= {"NS", "DS"}
    made = _make_nsec(name, types, first.ttl)
    if found.rcode == NXDOMAIN:
        response.set_rcode(dns.rcode.NOERROR)
    if kind == dns.rdatatype.NSEC:
        response.answer.append(made)
        response.authority.clear()
    else:
        response.authority.append(made)


def _make_nsec(labels: Labels, types: set[str], ttl: int) -> dns.rrset.RRset:
    owner = to_dns_name(labels)
    listed = " ".join(sorted({*types, "RRSIG", "NSEC"}))
    following = dns.name.Name((b"\0", *owner.labels)) if len(owner.to_wire() or b"") < 253 else owner
    made = dns.rrset.RRset(owner, _IN, dns.rdatatype.NSEC)
    made.add(dns.rdata.from_text(_IN, dns.rdatatype.NSEC, f"{following.to_text()} {listed}"), ttl)
    return made
