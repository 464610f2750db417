"""Questions that the name servers of this machine are asked in turn."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rdatatype

MAX_FORWARDED_QUERIES: Final = 200
"""Queries under way at a time, a socket each."""
_CONFIGURATION: Final = Path("/etc/resolv.conf")
_MAX_SERVERS: Final = 3
"""The number that a machine's own resolver asks (resolv.conf(5))."""
_SECONDS: Final = 3.0
"""The time that a server has to answer."""
_PORT: Final = 53


class Forwarder:
    """A client of the name servers in a file like resolv.conf, one after the other."""

    def __init__(self, configuration: Path = _CONFIGURATION, port: int = _PORT) -> None:
        self._configuration = configuration
        self._port = port
        self._count = 0

    async def ask(self, name: dns.name.Name, kind: int, *, wants_signatures: bool) -> dns.message.Message | None:
        """Return the response to a question; None where no server has answered."""
        if self._count >= MAX_FORWARDED_QUERIES:
            return None
        self._count += 1
        try:
            for server in await asyncio.to_thread(_read_servers, self._configuration):
                rdtype = dns.rdatatype.RdataType.make(kind)
                query = dns.message.make_query(name, rdtype, use_edns=True, want_dnssec=wants_signatures)
                try:
                    response, _ = await dns.asyncquery.udp_with_fallback(query, server, _SECONDS, self._port)
                except (OSError, dns.exception.DNSException):
                    continue
                return response
            return None
        finally:
            self._count -= 1


def _read_servers(configuration: Path) -> list[str]:
    """Return the addresses of the name servers in a file."""
    try:
        lines = configuration.read_text(errors="replace").splitlines()
    except OSError:
        return []
    found = [fields[1] for fields in map(str.split, lines) if len(fields) > 1 and fields[0] == "nameserver"]
    return [server for server in found if _is_address(server)][:_MAX_SERVERS]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
