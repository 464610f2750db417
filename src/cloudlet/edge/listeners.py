"""The sockets that a Cloudlet listens on."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from errno import EADDRINUSE
from ipaddress import ip_address
from socket import (
    AI_PASSIVE,
    IPPROTO_TCP,
    SOCK_DGRAM,
    SOCK_STREAM,
    TCP_CONGESTION,
    create_server,
    gaierror,
    getaddrinfo,
    socket,
)

BACKLOG = 1024


def bind(host: str, port: int) -> list[socket]:
    """Return sockets that listen on a host, all on one port; the system chooses it where 0 is asked for.

    Raises OSError.
    """
    if host != "localhost":
        return [_bound(host, port)]
    first = _bound("127.0.0.1", port)
    sockets = [first]
    # Some clients take localhost for ::1; a machine without IPv6 does without.
    with suppress(OSError):
        sockets.append(_bound("::1", port_of(first)))
    return sockets


def _bound(host: str, port: int) -> socket:
    try:
        family, _, _, _, address = getaddrinfo(host, port, type=SOCK_STREAM, flags=AI_PASSIVE)[0]
        made = non_blocking(create_server((str(address[0]), int(address[1])), family=family, backlog=BACKLOG))
    except gaierror as error:
        raise OSError(f"cannot listen on {host}, port {port}: {error.strerror}") from error
    except OSError as error:
        # What Python adds to the system's text says the same again.
        reason = os.strerror(error.errno).lower() if error.errno else str(error).lower()
        if error.errno == EADDRINUSE:
            reason += " (name another one, or 0 for any that is free)"
        raise OSError(f"cannot listen on {host}, port {port}: {reason}") from error
    if ip_address(str(address[0])).is_loopback:
        _send_without_pacing(made)
    return made


def _send_without_pacing(listening: socket) -> None:
    """Have what is accepted send as fast as it is read. BBR paces, for the sake of a network: here is none."""
    # A kernel without Reno, or one that keeps it from us: then as the system does.
    with suppress(OSError):
        listening.setsockopt(IPPROTO_TCP, TCP_CONGESTION, b"reno")


@dataclass(frozen=True, slots=True)
class DaemonSockets:
    """One address for connections and for datagrams."""

    listening: socket
    datagrams: socket

    @classmethod
    def bound(cls, host: str, port: int) -> DaemonSockets:
        """Take an address; the system chooses the port where 0 is asked for. Raises OSError."""
        listening = _bound(host, port)
        try:
            return cls(listening, _datagrams(listening))
        except OSError:
            listening.close()
            raise

    @classmethod
    def inherited(cls, listening: int, datagrams: int) -> DaemonSockets:
        """Return those that the process was started with, by their descriptors. Raises OSError."""
        return cls(open_inherited(listening), open_inherited(datagrams))

    @property
    def descriptors(self) -> tuple[int, int]:
        return self.listening.fileno(), self.datagrams.fileno()

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port."""
        host, port, *_ = self.listening.getsockname()
        return host, port

    def close(self) -> None:
        self.listening.close()
        self.datagrams.close()


def _datagrams(listening: socket) -> socket:
    made = socket(listening.family, SOCK_DGRAM)
    try:
        made.bind(listening.getsockname())
    except OSError as error:
        made.close()
        raise OSError(f"cannot take datagrams on port {port_of(listening)}: {error.strerror}") from error
    return non_blocking(made)


def open_inherited(descriptor: int) -> socket:
    """Return a socket that the process was started with. Raises OSError."""
    return non_blocking(socket(fileno=descriptor))


def non_blocking(made: socket) -> socket:
    made.setblocking(False)
    return made


def port_of(listening: socket) -> int:
    return int(listening.getsockname()[1])
