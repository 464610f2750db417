"""Decisions about resources that have tags, but no policies of their own.

The frame's check does not know what is stored. A block that keeps tags by `cloudlet.core.aws.tags` declares the
operations on what there is already as `Service(decides=…)`, and decides them by this.
"""

from __future__ import annotations

from cloudlet.core.authorization import catalog, resource_policy
from cloudlet.core.authorization.condition_keys import list_request_keys
from cloudlet.core.aws import tags
from cloudlet.core.kernel.context import Context
from cloudlet.core.kernel.service import Params
from cloudlet.store import Transaction


async def authorize(
    ctx: Context, tx: Transaction, operation: str, arn: str, params: Params, *, tagged: str | None = None
) -> None:
    """Raise AwsError unless the caller may do an operation to a resource of its account.

    `tagged` is the ARN of the resource whose tags count, where that is another one.
    """
    if not ctx.strict:
        return
    rule = catalog.find(ctx.block.service.name, operation)
    (action,) = rule.actions
    if resource_policy.is_plainly_admitted(ctx, action, arn, ctx.account, None):
        return
    stored = {f"aws:ResourceTag/{name}": value for name, value in (await tags.load(tx, tagged or arn)).items()}
    keys = {**stored, **list_request_keys(rule, params)}
    resource_policy.authorize(ctx, action, arn, ctx.account, None, lambda: keys)
