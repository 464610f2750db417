"""Ports of endpoints on this machine."""

from __future__ import annotations

import os
import socket
from ipaddress import IPv4Address

import pytest

from cloudlet.engines.keeper.endpoint_ports import MOVED_BY, Endpoint, Endpoints

_ADDRESS = IPv4Address("127.65.43.21")


@pytest.fixture
def endpoints() -> Endpoints:
    made = Endpoints()
    made.set(_ADDRESS, Endpoint("vpc-1", IPv4Address("10.0.0.5"), is_public=True))
    return made


def _listen(endpoints: Endpoints, port: int) -> socket.socket:
    made = endpoints.listen(_ADDRESS, port, socket.SOCK_STREAM)
    assert made is not None
    return made


def test_what_is_no_endpoint_has_no_socket(endpoints: Endpoints) -> None:
    assert endpoints.listen(IPv4Address("127.65.43.22"), 8080, socket.SOCK_STREAM) is None
    assert endpoints.find_port(_ADDRESS, 8080) is None


def test_ports_that_are_in_use_give_way_to_the_next_free_one(endpoints: Endpoints) -> None:
    with socket.create_server((str(_ADDRESS), 8080)), _listen(endpoints, 8081), _listen(endpoints, 8080) as made:
        assert made.getsockname() == (str(_ADDRESS), 8082)
        assert [endpoints.find_port(_ADDRESS, port) for port in (8080, 8081)] == [8082, 8081]


def test_the_last_port_gives_way_to_any(endpoints: Endpoints) -> None:
    with socket.create_server((str(_ADDRESS), 65535)), _listen(endpoints, 65535) as made:
        assert endpoints.find_port(_ADDRESS, 65535) == made.getsockname()[1] > 0


def test_low_ports_and_those_that_they_become_do_not_collide(endpoints: Endpoints) -> None:
    moved = 80 if os.geteuid() == 0 else 80 + MOVED_BY
    with _listen(endpoints, 80), _listen(endpoints, 8080):
        assert endpoints.find_port(_ADDRESS, 80) == moved
        assert endpoints.find_port(_ADDRESS, 8080) == (8080 if moved == 80 else 8081)
