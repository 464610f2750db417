"""The sockets that a Cloudlet listens on."""

from __future__ import annotations

import os
from contextlib import suppress
from socket import AI_PASSIVE, SOCK_DGRAM, SOCK_STREAM, create_server, gaierror, getaddrinfo, socket

BACKLOG = 1024


def bound(host: str, port: int) -> list[socket]:
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
        return non_blocking(create_server((str(address[0]), int(address[1])), family=family, backlog=BACKLOG))
    except gaierror as error:
        raise OSError(f"cannot listen on {host}, port {port}: {error.strerror}") from error
    except OSError as error:
        # What Python adds to the system's text says the same again.
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise OSError(f"cannot listen on {host}, port {port}: {reason.lower()}") from error


def datagrams(listening: socket) -> socket:
    """Return a socket for datagrams at the address of one that listens. Raises OSError."""
    made = socket(listening.family, SOCK_DGRAM)
    try:
        made.bind(listening.getsockname())
    except OSError as error:
        made.close()
        raise OSError(f"cannot take datagrams on port {port_of(listening)}: {error.strerror}") from error
    return non_blocking(made)


def inherited(descriptor: int) -> socket:
    """Return a listening socket that the process was started with. Raises OSError."""
    return non_blocking(socket(fileno=descriptor))


def non_blocking(listening: socket) -> socket:
    listening.setblocking(False)
    return listening


def port_of(listening: socket) -> int:
    return int(listening.getsockname()[1])
