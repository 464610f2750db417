"""All clients of a server together: what each may ask, who answers them, and what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudlet.edge.exchange import Handler

if TYPE_CHECKING:
    from cloudlet.edge.connection import Connection


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may ask of the server; sizes in bytes, times in seconds."""

    head: int = 64 << 10
    buffered_body: int = 1536 << 10
    """A body up to this size is collected before the handler is called; a larger one is streamed."""
    held: int = 512 << 20
    """How much may be in memory of bodies that are collected and not complete, of all clients together."""
    connections: int = 20_000
    pipelined: int = 16
    idle: int = 120
    head_time: int = 10
    stalled: int = 30
    """How long a body may stand still, and a client may leave a response unread."""


class Clients:
    """What the connections of a server share."""

    def __init__(self, handler: Handler, limits: Limits) -> None:
        self.handler = handler
        self.limits = limits
        self.connections: set[Connection] = set()
        self.tick = 1
        """The seconds that the server has run for."""
        self.held = 0
        """How much is in memory of bodies that are being collected, in bytes."""
        self.stopping = False

    def admit(self, connection: Connection) -> bool:
        """Count a new connection; return whether it is not one too many."""
        if len(self.connections) >= self.limits.connections:
            return False
        self.connections.add(connection)
        return True

    def forget(self, connection: Connection) -> None:
        """Count a connection that has ended no more."""
        self.connections.discard(connection)

    def check(self) -> None:
        """Hang up on those that have kept still for too long; called once a second."""
        self.tick += 1
        for connection in list(self.connections):
            connection.check(self.tick)
