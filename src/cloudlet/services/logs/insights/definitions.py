"""Queries that are kept under names. API reference, "PutQueryDefinition"."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import AwsError, Context, Subspace, Transaction

_DEFINITIONS = Subspace("query-definition")
MOST = 1000


class Definition(msgspec.Struct, array_like=True):
    """A query under a name; when it was changed is in milliseconds since the epoch."""

    id: str
    name: str
    text: str
    groups: list[str]
    modified: int
    parameters: list[dict[str, Any]] = []
    client_token: str | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Definition).decode


def not_found() -> AwsError:
    return AwsError("ResourceNotFoundException", "The specified query definition does not exist.")


async def find(ctx: Context, tx: Transaction, id: str) -> Definition:
    """Return a definition. Raises AwsError."""
    raw = await tx.get(_DEFINITIONS.key(ctx.account, ctx.region, id))
    if raw is None:
        raise not_found()
    return _decode(raw)


def put(ctx: Context, tx: Transaction, definition: Definition) -> None:
    tx.put(_DEFINITIONS.key(ctx.account, ctx.region, definition.id), _encode(definition))


def remove(ctx: Context, tx: Transaction, id: str) -> None:
    tx.delete(_DEFINITIONS.key(ctx.account, ctx.region, id))


async def all_of(ctx: Context, tx: Transaction) -> list[Definition]:
    """Return all definitions of an account, at most a thousand, by their names."""
    space = _DEFINITIONS.sub(ctx.account, ctx.region)
    rows = await tx.range(space.begin, space.end, limit=MOST)
    return sorted((_decode(raw) for _, raw in rows), key=lambda one: (one.name, one.id))
