"""The values of records, by their types.

Developer Guide, "Supported DNS record types". Names in values are absolute, and characters are escaped in octal.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Final

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from cloudlet.services.route53.names import MalformedName, parse_name

MAX_STRING_BYTES: Final = 255
MAX_TEXT_CHARACTERS: Final = 4_000
_ESCAPED = re.compile(r"\\(?:([0-3][0-7]{2})|.)", re.DOTALL)
"""An escaped character, in octal or as it is."""
_STRINGS = re.compile(r'\s*"((?:[^"\\]|\\.)*)"', re.DOTALL)
_QUOTED_TYPES: Final = frozenset(("TXT", "SPF"))


class InvalidValue(ValueError):
    """A value that its type does not admit, with Route 53's code and reason."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


def validate_value(kind: str, value: str) -> None:
    """Raise InvalidValue unless a value is one of its type."""
    if not value.strip():
        raise InvalidValue(f"{kind}RRDATAEmpty", "Value is empty")
    check = _CHECKS.get(kind)
    if check is not None:
        check(value)
    try:
        make_rdata(kind, value)
    except (dns.exception.DNSException, ValueError, OverflowError):
        raise InvalidValue(f"{kind}RRDATAInvalid", f"Value is not a valid {kind} record") from None


def make_rdata(kind: str, value: str) -> dns.rdata.Rdata:
    """Return the data of a record. Raises DNSException and ValueError."""
    text = _ESCAPED.sub(lambda match: f"\\{int(match[1], 8):03d}" if match[1] else match[0], value)
    rdtype = dns.rdatatype.from_text(kind)
    return dns.rdata.from_text(dns.rdataclass.IN, rdtype, text, origin=dns.name.root, relativize=False)


def _check_ipv4(value: str) -> None:
    try:
        IPv4Address(value)
    except ValueError:
        raise InvalidValue("ARRDATAIllegalIPv4Address", "Value is not a valid IPv4 address") from None


def _check_ipv6(value: str) -> None:
    try:
        IPv6Address(value)
    except ValueError:
        raise InvalidValue("AAAARRDATAIllegalIPv6Address", "Value is not a valid IPv6 address") from None


def _check_name(value: str) -> None:
    try:
        parse_name(value)
    except MalformedName as error:
        raise InvalidValue(error.code, error.why) from None
    if any(character.isspace() for character in value):
        raise InvalidValue("RRDATANotSingleField", "Value contains spaces")


def _check_strings(value: str) -> None:
    at = 0
    for match in _STRINGS.finditer(value):
        if match.start() != at:
            break
        at = match.end()
        if len(_ESCAPED.sub("x", match[1])) > MAX_STRING_BYTES:
            raise InvalidValue("CharacterStringTooLong", "Value is too long")
    if value[at:].strip():
        raise InvalidValue("InvalidCharacterString", "Value should be enclosed in quotation marks")
    if len(value) > MAX_TEXT_CHARACTERS:
        raise InvalidValue("TXTRRDATATooLong", "Value is too long")


def _check_fields(kind: str, count: int, word: str, named: int) -> Callable[[str], None]:
    def check(value: str) -> None:
        fields = value.split()
        if len(fields) != count:
            raise InvalidValue(f"{kind}RRDATANot{word.title()}Fields", f"Value doesn't have {word} fields")
        _check_name(fields[named])

    return check


_CHECKS: Final[dict[str, Callable[[str], None]]] = {
    "A": _check_ipv4,
    "AAAA": _check_ipv6,
    "CNAME": _check_name,
    "MX": _check_fields("MX", 2, "two", 1),
    "NS": _check_name,
    "PTR": _check_name,
    "SOA": _check_fields("SOA", 7, "seven", 0),
    "SPF": _check_strings,
    "SRV": _check_fields("SRV", 4, "four", 3),
    "TXT": _check_strings,
}
