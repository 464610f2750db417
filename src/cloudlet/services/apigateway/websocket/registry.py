"""The connections: those of this process in memory, of all of them in the store who has them.

What is to be done with a connection that another process has is written down, and that process is told of it. The
connections of a process that has ended are forgotten by the others.
"""

from __future__ import annotations

import asyncio
import os
import socket
from functools import partial

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.kernel.system_clock import wall_time
from cloudlet.core.kernel.timing import watching
from cloudlet.services.apigateway.websocket.client import NORMAL, Client, Full
from cloudlet.store import pack
from cloudlet.store.eager import spawn

_CONNECTIONS = Subspace("connection")
_HELD = Subspace("held")
_OWNERS = Subspace("owner")
_ERRANDS = Subspace("errand")
_LIVES_SECONDS = 30.0
_RENEWED_SECONDS = 10.0
_MOST_ERRANDS = 1000
_AT_ONCE = 100
_FORGOTTEN_AT_ONCE = 1000


class Record(msgspec.Struct, frozen=True, array_like=True):
    """What is known of a connection everywhere. Times are in seconds since the epoch."""

    owner: str
    """The process that has it."""
    account: str
    api_id: str
    stage: str
    connected: float
    peer: str
    user_agent: str


class _Owner(msgspec.Struct, frozen=True, array_like=True):
    """A process that has connections, and when it last said so, in seconds since the epoch."""

    host: str
    process: int
    renewed: float

    @classmethod
    def own(cls) -> _Owner:
        return cls(socket.gethostname(), os.getpid(), wall_time())

    def is_gone(self, now: float) -> bool:
        """Whether the process is known to have ended, or has said nothing for long."""
        if now - self.renewed > _LIVES_SECONDS:
            return True
        if self.host != socket.gethostname() or self.process == os.getpid():
            return False
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


class _RemoteCommand(msgspec.Struct, frozen=True, array_like=True):
    """What another process is to do with a connection: send something, or, without data, end it."""

    connection: str
    data: bytes | None


_encode = msgspec.msgpack.Encoder().encode
_record = msgspec.msgpack.Decoder(Record).decode
_errand = msgspec.msgpack.Decoder(_RemoteCommand).decode
_owner = msgspec.msgpack.Decoder(_Owner).decode


class Registry:
    """The connections that a block has in this process."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.owner = uuid4()
        self.clients: dict[str, Client] = {}
        self.used = asyncio.Event()
        """Set once there was a connection."""
        self._is_known = False

    def add(self, client: Client) -> None:
        """Take in a connection, and let other processes know who has it."""
        self.clients[client.session.id] = client
        self.used.set()
        client.noting = spawn(self._note(client))

    async def _note(self, client: Client) -> None:
        session = client.session
        record = Record(
            self.owner,
            session.place.account,
            session.api_id,
            session.stage,
            session.connected,
            session.peer,
            session.user_agent,
        )

        async def body(tx: Transaction) -> None:
            tx.put(_CONNECTIONS.key(session.id), _encode(record))
            tx.put(_HELD.key(self.owner, session.id), b"")
            if not self._is_known:
                # From then on the job renews it.
                tx.put(_OWNERS.key(self.owner), _encode(_Owner.own()))

        await self.block.store.transact(body)
        self._is_known = True

    async def forget(self, client: Client) -> None:
        """Forget a connection that is over."""
        id = client.session.id
        self.clients.pop(id, None)
        if client.noting is not None:
            await client.noting

        async def body(tx: Transaction) -> None:
            tx.delete(_CONNECTIONS.key(id))
            tx.delete(_HELD.key(self.owner, id))

        await self.block.store.transact(body)


REGISTRIES: PerBlock[Registry] = PerBlock(Registry)
"""The connections that a block has in this process."""


async def find(tx: Transaction, id: str) -> Record | None:
    """Return what is known of a connection, whoever has it."""
    raw = await tx.get(_CONNECTIONS.key(id))
    return None if raw is None else _record(raw)


def _topic(owner: str) -> bytes:
    return pack(("errand", owner))


async def send_errand(tx: Transaction, id: str, record: Record, data: bytes | None) -> bool:
    """Let the process that has a connection send something, or end it; False where it has too much to do."""
    space = _ERRANDS.sub(record.owner)
    rows = await tx.range(space.begin, space.end, limit=1, reverse=True)
    last = space.unpack(rows[0][0])[0] if rows else 0
    first = await tx.range(space.begin, space.end, limit=1)
    if first and last - space.unpack(first[0][0])[0] >= _MOST_ERRANDS:
        return False
    tx.put(space.key(last + 1), _encode(_RemoteCommand(id, data)))
    tx.notify(_topic(record.owner))
    return True


async def deliver_remote_commands(block: Block) -> None:
    """Do what other processes want of the connections of this one, until the block ends."""
    registry = REGISTRIES.get(block)
    await registry.used.wait()
    space = _ERRANDS.sub(registry.owner)
    async with watching(block, _topic(registry.owner)) as changed:
        works = KeyedTasks(block)
        while True:
            changed.clear()
            rows = await block.store.transact(lambda tx: tx.range(space.begin, space.end, limit=_AT_ONCE))
            for key, raw in rows:
                # One that fails is given up: API Gateway promises no more than that it was taken.
                await works.attempt(key, f"the errand {key!r}", partial(_do, registry, raw))
            if rows:
                await _delete(block, space.begin, rows[-1][0] + b"\x00")
            else:
                await changed.wait()


async def _delete(block: Block, begin: bytes, end: bytes) -> None:
    async def body(tx: Transaction) -> None:
        tx.delete_range(begin, end)

    await block.store.transact(body)


async def _do(registry: Registry, raw: bytes) -> None:
    errand = _errand(raw)
    client = registry.clients.get(errand.connection)
    if client is None:
        return
    if errand.data is None:
        client.close(NORMAL)
        return
    try:
        await client.send(errand.data)
    except (Full, ConnectionError):
        return


async def heartbeat(block: Block) -> None:
    """Tell the other processes that this one is there, and forget the connections of those that are not.

    Processes are told apart from dead ones by the system's time, whatever that of the cloud is.
    """
    registry = REGISTRIES.get(block)
    while True:
        others = await _forget_the_dead(block, registry.owner)
        if not others and not registry.used.is_set():
            await registry.used.wait()
        if registry.used.is_set():
            await _renew(block, registry.owner)
        await asyncio.sleep(_RENEWED_SECONDS)


async def _renew(block: Block, owner: str) -> None:
    async def body(tx: Transaction) -> None:
        tx.put(_OWNERS.key(owner), _encode(_Owner.own()))

    await block.store.transact(body)


async def _forget_the_dead(block: Block, own: str) -> bool:
    """Forget what belongs to processes that have ended; return whether there are others that have not."""
    now = wall_time()

    async def body(tx: Transaction) -> bool:
        others = False
        for key, raw in await tx.range(_OWNERS.begin, _OWNERS.end, limit=_AT_ONCE):
            (owner,) = _OWNERS.unpack(key)
            if owner == own:
                continue
            if not _owner(raw).is_gone(now):
                others = True
                continue
            held = _HELD.sub(owner)
            rows = await tx.range(held.begin, held.end, limit=_FORGOTTEN_AT_ONCE)
            for row, _ in rows:
                tx.delete(row)
                tx.delete(_CONNECTIONS.key(*held.unpack(row)))
            if len(rows) == _FORGOTTEN_AT_ONCE:
                others = True
                continue
            errands = _ERRANDS.sub(owner)
            tx.delete_range(errands.begin, errands.end)
            tx.delete(key)
        return others

    return await block.store.transact(body)
