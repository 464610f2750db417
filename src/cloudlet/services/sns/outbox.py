"""The outbox: messages that are acknowledged and not yet on their way to all of their subscribers.

One row a message, however many subscribers there are, in the order of publishing. There is an outbox for queues and
one for all other subscribers, and in each a lane for every account that has topics, so that none waits for another.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec.structs import replace

from cloudlet.core import Arn, Subspace, Transaction
from cloudlet.core.background.keyed_queues import list_queues
from cloudlet.services.sns.message import Message, strip

Kind = Literal["queues", "others"]


class Row(msgspec.Struct, frozen=True, array_like=True):
    """A message in an outbox."""

    message: Message
    after: str = ""
    """Subscriptions up to this id are done."""
    only: tuple[str, ...] = ()
    """The ids of the subscriptions it is for, by their filters too; empty for all of the topic's that want it."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Row).decode
_SPACES: dict[Kind, Subspace] = {"queues": Subspace("outbox-of", "queues"), "others": Subspace("outbox-of", "others")}
_WITHOUT_LANES: dict[Kind, Subspace] = {"queues": Subspace("outbox", "queues"), "others": Subspace("outbox", "others")}
"""Where earlier Cloudlets have put messages, of all accounts."""
TOPICS: dict[Kind, bytes] = {kind: space.prefix for kind, space in _SPACES.items()}
"""What to watch for new rows."""


def add(tx: Transaction, kind: Kind, row: Row) -> None:
    """Put a message into an outbox, or back with less to do."""
    stored = row if row.message.envelope is None else replace(row, message=strip(row.message))
    tx.put(_key(kind, row), _encode(stored))
    tx.notify(TOPICS[kind])


def remove(tx: Transaction, kind: Kind, row: Row) -> None:
    """Take a message out of an outbox."""
    tx.delete(_key(kind, row))


async def accounts(tx: Transaction, kind: Kind, after: str | None, count: int) -> list[str]:
    """Return up to so many accounts for whose topics an outbox has messages, those that follow another one."""
    found = await list_queues(tx, _SPACES[kind], 1, None if after is None else (after,), count)
    return [account for (account,) in found]


async def first(tx: Transaction, kind: Kind, account: str, count: int) -> list[bytes]:
    """Return the keys of the oldest messages of an account in an outbox."""
    lane = _SPACES[kind].sub(account)
    return [key for key, _ in await tx.range(lane.begin, lane.end, limit=count)]


async def take_over(tx: Transaction, kind: Kind, count: int) -> bool:
    """Put messages of earlier Cloudlets into their lanes, up to so many; return whether there may be more."""
    space = _WITHOUT_LANES[kind]
    rows = await tx.range(space.begin, space.end, limit=count)
    for key, raw in rows:
        tx.delete(key)
        add(tx, kind, _decode(raw))
    return len(rows) == count


async def find(tx: Transaction, key: bytes) -> Row | None:
    """Return a message in an outbox, None where it is there no more."""
    raw = await tx.get(key)
    return None if raw is None else _decode(raw)


def _key(kind: Kind, row: Row) -> bytes:
    account = Arn.parse(row.message.topic).account
    return _SPACES[kind].key(account, row.message.published, row.message.id)
