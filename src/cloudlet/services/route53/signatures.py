"""Signatures of records with ECDSA on P-256 and SHA-256 (RFC 4034, RFC 6605)."""

from __future__ import annotations

import base64
import struct
from typing import Final

import dns.dnssec
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from dns.rdtypes.ANY.RRSIG import RRSIG

ALGORITHM: Final = 13
KEY_SIGNING, ZONE_SIGNING = 257, 256
VALID_SECONDS: Final = 2 * 86_400
KEYS_VALID_SECONDS: Final = 14 * 86_400
_BEFORE_SECONDS: Final = 3_600
"""Signatures are valid from a while ago: clocks differ."""
_PROTOCOL: Final = 3
_IN: Final = dns.rdataclass.IN


def make_dnskey(flags: int, public_key: str) -> DNSKEY:
    """Return a DNSKEY record of a public key in base64."""
    return DNSKEY(  # type: ignore[no-untyped-call]
        _IN, dns.rdatatype.DNSKEY, flags, _PROTOCOL, ALGORITHM, base64.b64decode(public_key)
    )


def encode_public_key(key: ec.EllipticCurvePublicKey) -> str:
    """Return a public key as DNSKEY records have it, in base64: x and y."""
    numbers = key.public_numbers()
    return base64.b64encode(numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")).decode()


def make_unsigned(rrset: dns.rrset.RRset, zone: dns.name.Name, key: DNSKEY, now: float, seconds: int) -> RRSIG:
    """Return an RRSIG record for records, without its signature."""
    labels = len(rrset.name) - 1
    return RRSIG(  # type: ignore[no-untyped-call]
        _IN,
        dns.rdatatype.RRSIG,
        rrset.rdtype,
        ALGORITHM,
        labels - 1 if rrset.name.is_wild() else labels,
        rrset.ttl,
        int(now) + seconds,
        int(now) - _BEFORE_SECONDS,
        dns.dnssec.key_id(key),
        zone,
        b"",
    )


def get_signed_data(rrset: dns.rrset.RRset, unsigned: RRSIG) -> bytes:
    """Return what a signature of records is of (RFC 4034, section 3.1.8.1)."""
    signer = unsigned.signer.to_digestable()
    head = struct.pack(
        "!HBBIIIH",
        unsigned.type_covered,
        unsigned.algorithm,
        unsigned.labels,
        unsigned.original_ttl,
        unsigned.expiration,
        unsigned.inception,
        unsigned.key_tag,
    )
    owner = rrset.name.to_digestable() + struct.pack("!HHI", rrset.rdtype, rrset.rdclass, unsigned.original_ttl)
    rdatas = sorted(rdata.to_digestable() for rdata in rrset)
    return head + signer + b"".join(owner + len(rdata).to_bytes(2, "big") + rdata for rdata in rdatas)


def to_raw_signature(der: bytes) -> bytes:
    """Return a signature as RRSIG records have it."""
    r, s = decode_dss_signature(der)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")
