"""Tags of groups and sampling rules. API reference, "TagResource"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cloudlet.core import AwsError, Transaction, tags
from cloudlet.services.xray.errors import invalid


async def add(tx: Transaction, arn: str, given: Iterable[Mapping[str, str]]) -> None:
    """Add tags to a resource, in the place of those with their keys. Raises AwsError."""
    too_many = AwsError("TooManyTagsException", f"A resource has {tags.MOST_TAGS} tags at most.", ResourceName=arn)
    tags.save(tx, arn, tags.merged(await tags.of(tx, arn), tags.read(given), reserved=_reserved, too_many=too_many))


def _reserved(key: str) -> AwsError:
    return invalid("Tag keys must not begin with aws:")
