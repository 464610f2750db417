"""The operations on tags of resources: log groups, destinations and lookup tables, by their ARNs."""

from __future__ import annotations

from cloudlet.core import Arn, Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.logs import destination, errors, lookup_table, tagging
from cloudlet.services.logs import group as groups
from cloudlet.services.logs.block import service
from cloudlet.services.logs.destination import Destination
from cloudlet.services.logs.group_record import Group
from cloudlet.services.logs.lookup_table_record import LookupTable


@service.operation("TagResource")
async def tag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    tagged = await _tagged(ctx, tx, params)
    _save(tx, tagged, tagging.merged(tagged.tags, params["tags"]))
    return None


@service.operation("UntagResource")
async def untag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    tagged = await _tagged(ctx, tx, params)
    _save(tx, tagged, tags.remove(tagged.tags, params["tagKeys"]))
    return None


@service.operation("ListTagsForResource")
async def list_tags_for_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"tags": (await _tagged(ctx, tx, params)).tags}


async def _tagged(ctx: Context, tx: Transaction, params: Params) -> Group | Destination | LookupTable:
    text = params["resourceArn"]
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise errors.invalid(f"The ARN {text} is invalid.") from None
    if arn.service == "logs" and arn.resource.startswith("destination:"):
        if (arn.account, arn.region) != (ctx.account, ctx.region):
            raise destination.missing()
        return await destination.named(ctx, tx, arn.resource.removeprefix("destination:"))
    if arn.service == "logs" and arn.resource.startswith(lookup_table.PREFIX):
        return await lookup_table.of_arn(ctx, tx, text)
    return await groups.named(ctx, tx, groups.name_of(ctx, text))


def _save(tx: Transaction, tagged: Group | Destination | LookupTable, changed: tags.Tags) -> None:
    tagged.tags = changed
    if isinstance(tagged, Group):
        groups.save(tx, tagged)
    elif isinstance(tagged, LookupTable):
        lookup_table.save(tx, tagged)
    else:
        destination.save(tx, tagged)
