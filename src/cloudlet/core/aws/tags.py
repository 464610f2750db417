"""Tags of resources: what all services have in common, and where to keep them by a resource's ARN."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from cloudlet.core.kernel.errors import AwsError
from cloudlet.store import Subspace, Transaction

MOST_TAGS = 50
Tags = dict[str, str]
STACK_TAGS: Final = tuple(f"aws:cloudformation:{name}" for name in ("logical-id", "stack-id", "stack-name"))
"""The keys of the tags that CloudFormation gives what it makes.

`cloudlet.core.authorization.system_tags` sees to it that nobody else sets or removes them.
"""

_TAGS = Subspace("tags")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Tags).decode


def is_system_key(key: str) -> bool:
    """Whether a key is one that only services of AWS set."""
    return key[:4].lower() == "aws:"


def is_reserved(key: str) -> bool:
    """Whether no request can set a tag with a key."""
    return is_system_key(key) and key not in STACK_TAGS


def count(tags: Iterable[str]) -> int:
    """Return how many tags count towards limits, given their keys."""
    return sum(not is_system_key(key) for key in tags)


def read(given: Iterable[Mapping[str, str]] | Mapping[str, str] | None) -> Tags:
    """Return tags that are given as a list or as a map. Not all models say that one has a key."""
    if isinstance(given, Mapping):
        return dict(given)
    return {tag.get("Key", ""): tag.get("Value", "") for tag in given or ()}


def to_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as a list of keys and values."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def merge(
    tags: Mapping[str, str],
    given: Iterable[Mapping[str, str]] | Mapping[str, str] | None,
    wrong: Callable[[str], AwsError],
    too_many: Callable[[str], AwsError] | None = None,
) -> Tags:
    """Return tags with more of them, given as to `read`.

    Raises what `wrong` makes of a message for a key that is missing or begins with `aws:`, and what `too_many` does,
    or else `wrong`, where they become more than 50.
    """
    added = read(given)
    if "" in added:
        raise wrong("A tag must have a key.")
    for key in added:
        if is_reserved(key):
            raise wrong(f"The tag key {key} is invalid: keys that begin with aws: are reserved.")
    both = {**tags, **added}
    if count(both) > MOST_TAGS:
        raise (too_many or wrong)(f"A resource can have {MOST_TAGS} tags at most.")
    return both


def remove(tags: Mapping[str, str], keys: Iterable[str]) -> Tags:
    """Return tags without some; those that are not there are no error."""
    gone = set(keys)
    return {key: value for key, value in tags.items() if key not in gone}


async def load(tx: Transaction, arn: str) -> Tags:
    """Return the tags that are kept of a resource."""
    raw = await tx.get(_TAGS.key(arn))
    return {} if raw is None else _decode(raw)


def save(tx: Transaction, arn: str, tags: Mapping[str, str]) -> None:
    """Keep the tags of a resource; none at all where it is removed."""
    if tags:
        tx.put(_TAGS.key(arn), _encode(tags))
    else:
        tx.delete(_TAGS.key(arn))
