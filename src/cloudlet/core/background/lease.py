"""Who delivers: of several processes that run this block on one store, one at a time.

The lease is a row with its owner and the time at which it ends. Its owner renews it while there is work; another
process takes it over once it has ended, or at once where the owner's process is known to be gone. The clocks of two
machines are apart: one that is not the owner's takes it over where it has not seen it renewed for as long as it lasts.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.timing import sleep_until
from cloudlet.store import StoreError, Transaction, pack

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_SECONDS = 10.0
_RENEWED_SECONDS = 6.0
"""It is renewed when no more than this is left of it."""
_SLACK_SECONDS = 1.0
_LOOK_SECONDS = 2.0
_APART_SECONDS = 60.0
"""The clocks of two machines are no further apart: what ended so long ago by one has ended by the other, too."""


class _Owner(msgspec.Struct, frozen=True, array_like=True):
    host: str
    process: int
    token: str
    """Tells leases of one process apart: it may have the number of one that is gone."""


class _Row(msgspec.Struct, frozen=True, array_like=True):
    owner: _Owner
    ends: float


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Row).decode
_decode_owner = msgspec.msgpack.Decoder(_Owner).decode
_living: set[str] = set()
"""The tokens of this process's leases."""


def _machine() -> str:
    """Return where a process's number means the same: containers may have one machine's name, but own numbers."""
    name = socket.gethostname()
    try:
        return f"{name}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return name


MACHINE = _machine()


class Lease:
    """One process's claim to deliver, which it gives up at the end of the `async with` block.

    A block has one, or several for works that have nothing to do with each other, each of its own name. Times are in
    seconds since the epoch.
    """

    def __init__(self, block: Block, work: str = "delivery") -> None:
        self._block = block
        self._key = pack((f"{work}-lease",))
        self._owner = _Owner(MACHINE, os.getpid(), uuid4())
        self._ends = 0.0
        self._holding = asyncio.Lock()
        self._seen: tuple[_Row, float] | None = None
        """The row of another machine's process, and when it was first seen."""
        self.turns = 0
        """Greater each time that another process may have had it: what was read before that may be done by now."""
        _living.add(self._owner.token)

    async def __aenter__(self) -> Lease:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.release()

    @property
    def owner(self) -> bytes:
        """This process, as others know it by what is stored."""
        return _encode(self._owner)

    def has_owner_ended(self, owner: bytes) -> bool:
        """Whether a process is known to have ended."""
        return self._is_gone(_decode_owner(owner))

    async def hold(self) -> None:
        """Return once this process may deliver, and for seconds to come.

        Another one may have delivered until then, as `turns` says: what there is to do is to be read afterwards.
        """
        clock = self._block.clock
        if self._is_held():
            return
        async with self._holding:
            while not self._is_held():
                now = clock.now()
                other = await self._block.store.transact(lambda tx, now=now: self._claim(tx, now))  # type: ignore[misc]
                if other is None:
                    self._ends = now + _SECONDS
                else:
                    await sleep_until(self._block, other)

    @asynccontextmanager
    async def during(self) -> AsyncIterator[None]:
        """Hold it for as long as a work takes, which may be longer than it lasts."""
        await self.hold()
        renewing = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            renewing.cancel()

    async def _renew(self) -> None:
        while True:
            await sleep_until(self._block, self._ends - _RENEWED_SECONDS)
            with suppress(StoreError):
                await self.hold()
                continue
            await asyncio.sleep(_SLACK_SECONDS)

    def _is_held(self) -> bool:
        now = self._block.clock.now()
        return self._ends - now > _RENEWED_SECONDS and _is_credible(self._ends, now)

    async def _claim(self, tx: Transaction, now: float) -> float | None:
        """Take the lease, or return when that of another may have ended."""
        raw = await tx.get(self._key)
        if raw is None or _decode(raw).owner != self._owner:
            self.turns += 1
        if raw is not None:
            row = _decode(raw)
            ends = self._end(row, now)
            if row.owner != self._owner and now < ends and not self._is_gone(row.owner):
                return ends
        tx.put(self._key, _encode(_Row(self._owner, now + _SECONDS)))
        return None

    def _end(self, row: _Row, now: float) -> float:
        """Return when a lease ends by this process's clock, or before that, when it is worth another look."""
        if row.owner.host == self._owner.host:
            return row.ends if _is_credible(row.ends, now) else now
        if now > row.ends + _APART_SECONDS:
            return now
        if self._seen is None or self._seen[0] != row or now < self._seen[1]:
            self._seen = row, now
        ends = self._seen[1] + _SECONDS
        # It may have been renewed by the next look.
        return ends if ends <= now else min(ends, now + _LOOK_SECONDS)

    def _is_gone(self, owner: _Owner) -> bool:
        """Whether the process of an owner is known to have ended."""
        if owner.host != self._owner.host:
            return False
        if owner.process == self._owner.process:
            return owner.token not in _living
        try:
            os.kill(owner.process, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    async def release(self) -> None:
        """Let another process deliver at once."""
        _living.discard(self._owner.token)

        async def body(tx: Transaction) -> None:
            raw = await tx.get(self._key)
            if raw is not None and _decode(raw).owner == self._owner:
                tx.delete(self._key)

        if self._ends:
            await self._block.store.transact(body)


def _is_credible(ends: float, now: float) -> bool:
    """Whether a lease may end then: where the clock has been set back, more seems to be left than there ever was."""
    return ends - now <= _SECONDS + _SLACK_SECONDS
