"""Flows of datagrams (UDP) that a proxy relays, until they are idle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, Protocol

from cloudlet.store.eager import spawn

MAX_FLOWS: Final = 256
"""The number of flows of a proxy. The one that was idle for longest gives way to a new one."""
_MAX_WAITING_DATAGRAMS: Final = 16
"""The number of datagrams of a flow whose sockets are being made."""
BATCH: Final = 64
"""The number of datagrams that are read before others have their turn."""
MAX_DATAGRAM_BYTES: Final = 65_535

Address = tuple[str, int]


class Flow(NamedTuple):
    """The addresses of a program and of what it sends datagrams to."""

    program: Address
    target: Address


class Relay(Protocol):
    """The sockets of a flow."""

    last_used: float

    def send(self, datagram: bytes) -> None:
        """Send a datagram to the target."""

    def close(self) -> None:
        """End the flow."""


Open = Callable[[Flow], Awaitable[Relay | None]]
"""A function that makes the sockets of a flow, None where it leads nowhere. Raises OSError."""


class Flows:
    """The flows of a proxy."""

    def __init__(self, open_relay: Open, idle_seconds: float) -> None:
        self._open = open_relay
        self._idle_seconds = idle_seconds
        self._relays: dict[Flow, Relay] = {}
        self._starting: dict[Flow, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(idle_seconds / 2, self._forget_idle)

    def take(self, flow: Flow, datagram: bytes) -> None:
        """Send a datagram of a flow, which may be new."""
        relay = self._relays.get(flow)
        if relay is not None:
            relay.send(datagram)
            return
        waiting = self._starting.get(flow)
        if waiting is not None:
            if len(waiting) < _MAX_WAITING_DATAGRAMS:
                waiting.append(datagram)
        elif len(self._starting) < MAX_FLOWS:
            self._starting[flow] = [datagram]
            task = spawn(self._start(flow))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _start(self, flow: Flow) -> None:
        """Make the sockets of a flow, and send what has waited for them."""
        try:
            relay = await self._open(flow)
            if relay is None:
                return
            if len(self._relays) >= MAX_FLOWS:
                oldest = min(self._relays, key=lambda each: self._relays[each].last_used)
                self._relays.pop(oldest).close()
            self._relays[flow] = relay
            for datagram in self._starting[flow]:
                relay.send(datagram)
        except OSError:
            # Datagrams may be lost: programs send again.
            pass
        finally:
            del self._starting[flow]

    def _forget_idle(self) -> None:
        end = self._loop.time() - self._idle_seconds
        for flow in [each for each, relay in self._relays.items() if relay.last_used < end]:
            self._relays.pop(flow).close()
        self._timer = self._loop.call_later(self._idle_seconds / 2, self._forget_idle)

    async def close(self) -> None:
        """End all flows."""
        self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for relay in self._relays.values():
            relay.close()
        self._relays.clear()
