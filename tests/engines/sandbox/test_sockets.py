"""Which socket has a connection, or listens."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import pytest

from cloudlet.engines.sandbox import socket_owners
from cloudlet.engines.sandbox.socket_owners import End

HOST = "127.0.0.1"


@pytest.fixture(params=["asked", "listed"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to know: the kernel is asked for one, or has only its list."""
    if request.param == "listed":

        def missing(near: End, far: End) -> tuple[int, int] | None:
            raise OSError("no such protocol")

        monkeypatch.setattr(socket_owners, "_asked", missing)


def inode(of: socket.socket) -> int:
    return os.fstat(of.fileno()).st_ino


def _four() -> socket.socket:
    return socket.create_server((HOST, 0))


def _all() -> socket.socket:
    return socket.create_server(("", 0))


def _six() -> socket.socket:
    return socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("listen", [_four, _all, _six])
def test_ends_of_connections_are_found(listen: Callable[[], socket.socket]) -> None:
    with listen() as server:
        port = server.getsockname()[1]
        at = End(HOST, port)
        assert socket_owners.listening(at) == inode(server)
        with socket.create_connection((HOST, port)) as near:
            own = End(*near.getsockname()[:2])
            assert socket_owners.connected(own, at) == inode(near)
            # Nobody has taken the other end yet.
            assert socket_owners.connected(at, own) is None
            with server.accept()[0] as far:
                assert socket_owners.connected(at, own) == inode(far)
        assert socket_owners.listening(own) is None
    assert socket_owners.listening(at) is None


@pytest.mark.usefixtures("way")
def test_who_listens_at_another_address_does_not_listen_here() -> None:
    with socket.socket() as kept:
        # Who is bound to it lets nobody else listen there.
        kept.bind((HOST, 0))
        port = kept.getsockname()[1]
        with socket.create_server(("127.0.0.9", port)) as server:
            assert socket_owners.listening(End(HOST, port)) is None
            assert socket_owners.listening(End("127.0.0.9", port)) == inode(server)
