"""Tags of clusters, task definitions, services and tasks, which are kept by ARN."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cloudlet.core import Context, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.aws.tags import Tags
from cloudlet.services.ecs import errors


async def find_tags(ctx: Context, tx: Transaction, arn: str) -> Tags:
    """Return the tags of a resource, for policies."""
    return await tags.load(tx, arn)


def add(known: Mapping[str, str], given: Iterable[Mapping[str, str]] | None) -> Tags:
    """Return tags with more of them, as requests have them. Raises InvalidParameterException."""
    added = {tag.get("key", ""): tag.get("value", "") for tag in given or ()}
    return tags.merge(known, added, errors.InvalidParameter)


def to_api(known: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as answers have them."""
    return [{"key": key, "value": value} for key, value in known.items()]
