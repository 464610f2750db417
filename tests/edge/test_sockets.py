"""Sockets that a Cloudlet listens on."""

from __future__ import annotations

from pathlib import Path
from socket import IPPROTO_TCP, TCP_CONGESTION, create_connection

import pytest

from cloudlet.edge.listeners import bind, port_of


def congestion_control(host: str) -> bytes:
    """How the answers of a connection from this machine are sent, where a Cloudlet listens on a host."""
    (listening,) = bind(host, 0)
    with listening, create_connection(("127.0.0.1", port_of(listening))):
        listening.setblocking(True)
        accepted, _ = listening.accept()
        with accepted:
            return accepted.getsockopt(IPPROTO_TCP, TCP_CONGESTION, 16).rstrip(b"\0")


def test_what_goes_to_clients_of_this_machine_is_not_paced() -> None:
    assert congestion_control("127.0.0.1") == b"reno"


def test_what_may_go_through_a_network_is_sent_as_the_system_does() -> None:
    default = Path("/proc/sys/net/ipv4/tcp_congestion_control").read_bytes().strip()
    assert congestion_control("0.0.0.0") == default


def test_a_host_that_nobody_knows_is_named() -> None:
    with pytest.raises(OSError, match=r"cannot listen on no\.such\.host\.invalid, port 0"):
        bind("no.such.host.invalid", 0)
