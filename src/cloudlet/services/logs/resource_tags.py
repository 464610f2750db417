"""The tags of resources by their ARNs, for policies with conditions on them (`aws:ResourceTag/…`)."""

from __future__ import annotations

from collections.abc import Mapping

from cloudlet.core import Arn, Context, Transaction
from cloudlet.services.logs import destination, lookup_table
from cloudlet.services.logs import group as groups


async def find(ctx: Context, tx: Transaction, text: str) -> Mapping[str, str]:
    """Return the tags of a log group, a destination or a lookup table. Streams have those of their group."""
    arn = Arn.parse(text)
    kind, _, rest = arn.resource.partition(":")
    name, place = rest.partition(":")[0], (arn.account, arn.region)
    if kind == "log-group":
        group = await groups.find(tx, *place, name)
        return {} if group is None else group.tags
    if kind == "destination":
        made = await destination.find(tx, *place, name)
        return {} if made is None else made.tags
    table = await lookup_table.find(tx, *place, name) if kind == "lookup-table" else None
    return {} if table is None else table.tags
