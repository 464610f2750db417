"""State that all processes on one PostgreSQL share: the clock's setting and the master key."""

from __future__ import annotations

import socket
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from cloudlet.core.kernel.clock_setting import Setting
from cloudlet.store import Store, StoreError, Transaction, pack

KEYSPACE: Final = "cloudlet"
_CLOCK: Final = pack(("clock",))
_KEY: Final = pack(("master-key",))


class OtherKey(StoreError):
    """The processes on a database have another master key."""


class _KnownKey(msgspec.Struct, frozen=True):
    digest: bytes
    place: str
    """The first process that had it, for people."""


class SharedState:
    """See above. `store` is the keyspace for it. Raises StoreError, each method."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def check_key(self, key: bytes, data: Path) -> None:
        """See that the others have the same master key, without which credentials differ. Raises OtherKey."""
        own = _KnownKey(blake2b(key, person=b"master key").digest(), f"{data} on {socket.gethostname()}")

        async def body(tx: Transaction) -> _KnownKey:
            raw = await tx.get(_KEY)
            if raw is not None:
                return msgspec.msgpack.decode(raw, type=_KnownKey)
            tx.put(_KEY, msgspec.msgpack.encode(own))
            return own

        known = await self._store.transact(body)
        if known.digest != own.digest:
            raise OtherKey(
                f"the processes on this database have another master key, first that of {known.place}: start this one "
                "with the same, in CLOUDLET_MASTER_KEY or master.key of the data folder. Where it is lost: cloudlet "
                "store adopt"
            )

    async def forget_key(self) -> None:
        """Let whoever starts next say what the master key is."""

        async def body(tx: Transaction) -> None:
            tx.delete(_KEY)

        await self._store.transact(body)

    async def clock(self) -> Setting | None:
        """Return how the clock is set, None where it never was."""
        raw = await self._store.transact(lambda tx: tx.get(_CLOCK))
        return None if raw is None else msgspec.msgpack.decode(raw, type=Setting)

    async def set_clock(self, change: Callable[[Setting], Setting]) -> Setting:
        """Set the clock anew, for all processes, and return how."""

        async def body(tx: Transaction) -> Setting:
            raw = await tx.get(_CLOCK)
            setting = change(Setting() if raw is None else msgspec.msgpack.decode(raw, type=Setting))
            tx.put(_CLOCK, msgspec.msgpack.encode(setting))
            tx.notify(_CLOCK)
            return setting

        return await self._store.transact(body)

    def watch_clock(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` where the clock may have been set; return a function that ends the watch."""
        return self._store.watch(_CLOCK, callback)

    @property
    def is_available(self) -> bool:
        """Whether the database is there and takes writes."""
        return self._store.is_available

    async def close(self) -> None:
        await self._store.close()
