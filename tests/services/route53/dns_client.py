"""Queries to a name server, over UDP and TCP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

_SECONDS = 10


@dataclass(frozen=True)
class DnsClient:
    """A client of the name server at an address."""

    host: str
    port: int

    def query(self, name: str, kind: str = "A", *, tcp: bool = False, **options: Any) -> dns.message.Message:
        """Return the response to a question."""
        return self.send(dns.message.make_query(name, kind, **options), tcp=tcp)

    def send(self, query: dns.message.Message, *, tcp: bool = False) -> dns.message.Message:
        """Return the response to a query."""
        ask = dns.query.tcp if tcp else dns.query.udp
        return ask(query, self.host, port=self.port, timeout=_SECONDS)

    def ask(self, name: str, kind: str = "A", **options: Any) -> list[str]:
        """Return the data of the answers, in order."""
        return get_data(self.query(name, kind, **options))

    def get_rcode(self, name: str, kind: str = "A") -> str:
        return dns.rcode.to_text(self.query(name, kind).rcode())


def get_data(response: dns.message.Message, section: str = "answer") -> list[str]:
    """Return the data of a section as type and text."""
    rrsets = getattr(response, section)
    return [f"{dns.rdatatype.to_text(rrset.rdtype)} {rdata}" for rrset in rrsets for rdata in rrset]
