"""The operations on the tags of a kind of resource: the same but for names."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.iam import paging, tagging
from cloudlet.services.iam.block import service
from cloudlet.services.iam.entities import E, Kind

Get = Callable[[Context, Transaction, Params], Coroutine[Any, Any, E]]
"""Returns the resource that a request names. Raises AwsError where there is none."""


def declare(noun: str, kind: Kind[E], get: Get[E]) -> None:
    """Declare the operations on the tags of a kind, whose names have a noun."""

    @service.operation(f"Tag{noun}")
    async def tag(ctx: Context, tx: Transaction, params: Params) -> Result:
        found = await get(ctx, tx, params)
        merged = tagging.merge(found.tags, params["Tags"], is_by_case=kind.is_tagged_by_case)
        kind.save(tx, replace(found, tags=merged))
        return {}

    @service.operation(f"Untag{noun}")
    async def untag(ctx: Context, tx: Transaction, params: Params) -> Result:
        found = await get(ctx, tx, params)
        left = tagging.remove(found.tags, params["TagKeys"], is_by_case=kind.is_tagged_by_case)
        kind.save(tx, replace(found, tags=left))
        return {}

    @service.operation(f"List{noun}Tags")
    async def list_tags(ctx: Context, tx: Transaction, params: Params) -> Result:
        found = await get(ctx, tx, params)
        return paging.list_items(params, "Tags", {tag["Key"]: tag for tag in tags.to_list(found.tags)})
