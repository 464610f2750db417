"""The operations on tags. Tags decide on permissions: nobody may take his own away by them."""

from __future__ import annotations

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.secretsmanager import access, errors, replication, secret
from cloudlet.services.secretsmanager.access import open_secret
from cloudlet.services.secretsmanager.block import service
from cloudlet.services.secretsmanager.secret_record import Secret


@service.operation("TagResource")
async def tag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    before = await open_secret(ctx, tx, params, "TagResource")
    await _save(
        ctx, tx, params, "TagResource", before, tags.merge(before.tags, params["Tags"], errors.InvalidParameter)
    )
    return {}


@service.operation("UntagResource")
async def untag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    before = await open_secret(ctx, tx, params, "UntagResource")
    await _save(ctx, tx, params, "UntagResource", before, tags.remove(before.tags, params["TagKeys"]))
    return {}


async def _save(
    ctx: Context, tx: Transaction, params: Params, action: str, before: Secret, changed: dict[str, str]
) -> None:
    access.authorize(ctx, before, action, params, changed)
    if changed != before.tags:
        after = replace(before, tags=changed, changed=ctx.now())
        secret.save(tx, await replication.update_replicas(tx, ctx.block, after), before)
