"""Tags of groups and sampling rules. API reference, "TagResource"."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial

from cloudlet.core import AwsError, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.xray.errors import invalid


async def add(tx: Transaction, arn: str, given: Collection[Mapping[str, str]]) -> None:
    """Add tags to a resource, in the place of those with their keys. Raises AwsError."""
    too_many = partial(AwsError, "TooManyTagsException", ResourceName=arn)
    tags.save(tx, arn, tags.merge(await tags.load(tx, arn), given, invalid, too_many))
