"""The operations on tags of a service whose resources have them by ARN: the same but for the names of members."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from cloudlet.core.aws import tags
from cloudlet.core.kernel.context import Context
from cloudlet.core.kernel.errors import AwsError
from cloudlet.core.kernel.service import Params, Result, Service
from cloudlet.store import Transaction

Check = Callable[[Context, Transaction, str], Coroutine[Any, Any, None]]
"""Raises AwsError for an ARN of nothing that can have tags."""
Authorize = Callable[[Context, Transaction, str, str, Params], Coroutine[Any, Any, None]]
"""A check of permissions: may the caller do an operation to an ARN?"""
Error = Callable[[str], AwsError]


async def _leave_to_frame(ctx: Context, tx: Transaction, operation: str, resource: str, params: Params) -> None:
    """Check nothing: the caller's own policies, which have been checked, decide alone."""


async def find_tags(ctx: Context, tx: Transaction, arn: str) -> tags.Tags:
    """Return the tags of a resource, for policies (`Service(resource_tags=…)`)."""
    return await tags.load(tx, arn)


def declare(
    service: Service,
    check: Check,
    wrong: Error,
    too_many: Error | None = None,
    *,
    check_listed: Check | None = None,
    authorize: Authorize = _leave_to_frame,
    arn: str = "ResourceARN",
    given: str = "Tags",
    keys: str = "TagKeys",
    are_mapped: bool = False,
    model: str = "",
) -> None:
    """Declare TagResource, UntagResource and ListTagsForResource.

    `wrong` and `too_many` make the errors of `tags.merged`. `check_listed` is the check of ListTagsForResource, where
    that is another one; `authorize` is for services that decide these operations by themselves. `arn`, `given` and
    `keys` are the members that have the ARN, the tags and the keys; tags that `are_mapped` are shown as a map, others
    as a list. `model` is that of the operations, where it has not the service's name.
    """
    prefix = f"{model}:" if model else ""

    @service.operation(f"{prefix}TagResource")
    async def tag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
        resource = params[arn]
        await check(ctx, tx, resource)
        await authorize(ctx, tx, "TagResource", resource, params)
        tags.save(tx, resource, tags.merge(await tags.load(tx, resource), params[given], wrong, too_many))
        return {}

    @service.operation(f"{prefix}UntagResource")
    async def untag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
        resource = params[arn]
        await check(ctx, tx, resource)
        await authorize(ctx, tx, "UntagResource", resource, params)
        tags.save(tx, resource, tags.remove(await tags.load(tx, resource), params[keys]))
        return {}

    @service.operation(f"{prefix}ListTagsForResource")
    async def list_tags_for_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
        await (check_listed or check)(ctx, tx, params[arn])
        await authorize(ctx, tx, "ListTagsForResource", params[arn], params)
        known = await tags.load(tx, params[arn])
        return {given: known if are_mapped else tags.to_list(known)}
