"""Forwarding: questions that the machine's name servers are asked."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from cloudlet.engines.dns.dns_forwarding import Forwarder
from cloudlet.engines.dns.dns_query import Address, Query
from cloudlet.engines.dns.dns_reply import Reply, compile_reply
from cloudlet.engines.dns.dns_server import DnsServer

NAME = dns.name.from_text("example.net")
SERVICES = [f"1 2 53 {number}{'x' * 50}.example.net." for number in range(40)]
"""More than a datagram holds."""


def answer(query: Query, address: Address) -> Reply:
    name, _ = dns.name.from_wire(query.question, 0)
    response = dns.message.make_response(dns.message.make_query(name, dns.rdatatype.RdataType.make(query.type)))
    if query.type == dns.rdatatype.SRV:
        response.answer.append(dns.rrset.from_text_list(name, 60, "IN", "SRV", SERVICES))
    else:
        response.set_rcode(dns.rcode.NXDOMAIN)
    return compile_reply(response)


def ask(port: int, configuration: Path, kind: dns.rdatatype.RdataType) -> dns.message.Message | None:
    """Ask a forwarder, with a server on a port of 127.0.0.1."""

    async def run() -> dns.message.Message | None:
        with socket.create_server(("127.0.0.1", port)) as listening, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            datagrams.bind(listening.getsockname())
            for each in (listening, datagrams):
                each.setblocking(False)
            serving = asyncio.create_task(DnsServer(answer, datagrams, listening).run())
            try:
                forwarder = Forwarder(configuration, listening.getsockname()[1])
                return await forwarder.ask(NAME, kind, wants_signatures=False)
            finally:
                serving.cancel()
                await asyncio.gather(serving, return_exceptions=True)

    return asyncio.run(run())


def test_servers_are_asked_over_udp_and_tcp(tmp_path: Path) -> None:
    configuration = tmp_path / "resolv.conf"
    # Nothing listens at the first one.
    configuration.write_text(
        "# ours\nsearch example.net\nnameserver nowhere\nnameserver 127.0.0.9\nnameserver 127.0.0.1\n"
    )
    found = ask(0, configuration, dns.rdatatype.SRV)
    assert found is not None
    assert len(found.answer[0]) == len(SERVICES)
    assert not found.flags & dns.flags.TC
    missing = ask(0, configuration, dns.rdatatype.MX)
    assert missing is not None
    assert missing.rcode() == dns.rcode.NXDOMAIN


def test_without_a_server_there_is_no_response(tmp_path: Path) -> None:
    assert ask(0, tmp_path / "nothing", dns.rdatatype.MX) is None
