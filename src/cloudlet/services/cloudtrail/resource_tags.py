"""The tags of resources by their ARNs, for policies with conditions on them (`aws:ResourceTag/…`)."""

from __future__ import annotations

from collections.abc import Mapping

from cloudlet.core import Arn, Context, Transaction
from cloudlet.services.cloudtrail import trail
from cloudlet.services.cloudtrail.lake import stores


async def find(ctx: Context, tx: Transaction, arn: str) -> Mapping[str, str]:
    """Return the tags of a trail or event data store. There are none where it is missing."""
    kind = Arn.parse(arn).resource.partition("/")[0]
    found = await (trail if kind == "trail" else stores).find_by_arn(tx, arn)
    return {} if found is None else found.tags
