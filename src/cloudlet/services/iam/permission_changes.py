"""Drops what is kept in memory of an account's permissions once IAM may have changed it."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result
from cloudlet.services.iam.block import service
from cloudlet.wire import WireError


@service.observe
def forget_permissions(ctx: Context, operation: str, params: Params, result: Result, error: WireError | None) -> None:
    """Drop the permissions of a caller's account after an operation that may have changed them."""
    handler = service.handlers[operation]
    if not (handler.is_internal or handler.is_read_only):
        ctx.block.cloud.permissions.forget(ctx.account)
