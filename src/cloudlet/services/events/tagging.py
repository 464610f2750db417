"""Tags of buses and rules. API reference, "TagResource"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.events import errors

_MOST_TAGS = 50
_TAGS = Subspace("tags")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, str]).decode


def checked(given: Iterable[dict[str, str]] | None, known: dict[str, str] | None = None) -> dict[str, str]:
    """Return tags with those of a request. Raises AwsError."""
    tags = dict(known or {})
    for tag in given or ():
        if tag["Key"].lower().startswith("aws:"):
            raise errors.validation("Tag keys that start with aws: are reserved.")
        tags[tag["Key"]] = tag["Value"]
    if len(tags) > _MOST_TAGS:
        raise errors.validation(f"A resource can have at most {_MOST_TAGS} tags.")
    return tags


async def of(tx: Transaction, arn: str) -> dict[str, str]:
    """Return the tags of a resource."""
    raw = await tx.get(_TAGS.key(arn))
    return {} if raw is None else _decode(raw)


def save(tx: Transaction, arn: str, tags: dict[str, str]) -> None:
    """Set the tags of a resource; none at all where it is removed."""
    if tags:
        tx.put(_TAGS.key(arn), _encode(tags))
    else:
        tx.delete(_TAGS.key(arn))


def shown(tags: dict[str, str]) -> list[dict[str, Any]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
