"""Tags of groups and sampling rules.

API reference, "TagResource": 50 a resource at most, and none that begins with `aws:`.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.services.xray.errors import invalid

_MOST = 50
_TAGS = Subspace("tags")
"""Account, region, ARN → keys and values."""
_decode = msgspec.msgpack.Decoder(dict[str, str]).decode


async def of(ctx: Context, tx: Transaction, arn: str) -> dict[str, str]:
    """Return the tags of a resource."""
    raw = await tx.get(_TAGS.key(ctx.account, ctx.region, arn))
    return {} if raw is None else _decode(raw)


async def add(ctx: Context, tx: Transaction, arn: str, tags: Iterable[dict[str, str]]) -> None:
    """Add tags to a resource, in the place of those with their keys. Raises AwsError."""
    merged = await of(ctx, tx, arn)
    for tag in tags:
        if tag["Key"].lower().startswith("aws:"):
            raise invalid("Tag keys must not begin with aws:")
        merged[tag["Key"]] = tag["Value"]
    if len(merged) > _MOST:
        raise AwsError("TooManyTagsException", f"A resource has {_MOST} tags at most.", ResourceName=arn)
    _save(ctx, tx, arn, merged)


async def remove(ctx: Context, tx: Transaction, arn: str, keys: Iterable[str]) -> None:
    """Take tags from a resource; those that it has not are no error."""
    gone = set(keys)
    _save(ctx, tx, arn, {key: value for key, value in (await of(ctx, tx, arn)).items() if key not in gone})


def clear(ctx: Context, tx: Transaction, arn: str) -> None:
    """Forget the tags of a resource that is no more."""
    tx.delete(_TAGS.key(ctx.account, ctx.region, arn))


def _save(ctx: Context, tx: Transaction, arn: str, tags: dict[str, str]) -> None:
    if tags:
        tx.put(_TAGS.key(ctx.account, ctx.region, arn), msgspec.msgpack.encode(tags))
    else:
        clear(ctx, tx, arn)
