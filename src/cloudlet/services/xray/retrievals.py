"""Retrievals of traces: which traces somebody asked for, to be read a page at a time.

API reference, "StartTraceRetrieval" and "ListRetrievedTraces". Nothing has to be fetched from anywhere, so a
retrieval is complete at once; its traces are read when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.core.background.retention import delete_expired
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.xray import finding
from cloudlet.services.xray.errors import not_found
from cloudlet.services.xray.trace import Trace

T = TypeVar("T")

KEPT_SECONDS = 3600.0
_SWEEP_SECONDS = 600.0

_RETRIEVALS = Subspace("retrieval")
"""Account, region, token → Retrieval."""
_STARTED = Subspace("retrieval-time")
"""When it was started in whole seconds, key of a retrieval → nothing."""


class Retrieval(msgspec.Struct, frozen=True):
    """What is stored of a retrieval. Times are in seconds since the epoch."""

    ids: list[str]
    begin: float
    end: float
    started: float
    cancelled: bool = False

    @property
    def status(self) -> str:
        return "CANCELLED" if self.cancelled else "COMPLETE"


_decode = msgspec.msgpack.Decoder(Retrieval).decode


def start(ctx: Context, tx: Transaction, ids: Sequence[str], begin: float, end: float) -> str:
    """Store a new retrieval; return its token."""
    token = uuid4()
    key = _RETRIEVALS.key(ctx.account, ctx.region, token)
    tx.put(_STARTED.key(int(ctx.now()), key), b"")
    tx.put(key, msgspec.msgpack.encode(Retrieval(list(dict.fromkeys(ids)), begin, end, ctx.now())))
    return token


async def find(ctx: Context, tx: Transaction, token: str) -> Retrieval:
    """Return the retrieval of a token. Raises AwsError."""
    raw = await tx.get(_RETRIEVALS.key(ctx.account, ctx.region, token))
    found = None if raw is None else _decode(raw)
    if found is None or found.started < ctx.now() - KEPT_SECONDS:
        raise not_found(token)
    return found


async def cancel(ctx: Context, tx: Transaction, token: str) -> None:
    """Have a retrieval give no traces any more. Raises AwsError."""
    found = msgspec.structs.replace(await find(ctx, tx, token), cancelled=True)
    tx.put(_RETRIEVALS.key(ctx.account, ctx.region, token), msgspec.msgpack.encode(found))


async def traces(ctx: Context, of: Retrieval, ids: Sequence[str], make: Callable[[Trace], T]) -> list[T]:
    """Return what is made of those of some of its traces that are there, and were under way in the time asked for."""
    if of.cancelled:
        return []

    def made(trace: Trace) -> list[T]:
        return [make(trace)] if trace.start <= of.end and trace.end >= of.begin else []

    return [each for identity in ids for each in await finding.of_id(ctx, identity, made) or ()]


def place(token: str | None, wrong: AwsError) -> int:
    """Return with which of the asked-for traces a page begins. Raises `wrong` for what is no token."""
    if token is None:
        return 0
    if not token.isascii() or not token.isdigit() or len(token) > 3:
        raise wrong
    return int(token)


async def forget(block: Block) -> None:
    """Delete retrievals that are too old, now and then, until the block ends."""

    async def delete(tx: Transaction, key: bytes) -> None:
        tx.delete(_STARTED.unpack(key)[1])

    await delete_expired(block, _STARTED, KEPT_SECONDS, delete, every=_SWEEP_SECONDS)
