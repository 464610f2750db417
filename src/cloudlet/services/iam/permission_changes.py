"""Changes of IAM, of which those who keep permissions in memory have to know."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result
from cloudlet.services.iam.block import service
from cloudlet.wire import WireError


@service.observe
def drop_permissions(ctx: Context, operation: str, params: Params, result: Result, error: WireError | None) -> None:
    """Drop what this process keeps of an account's permissions, once something of it has changed."""
    handler = service.handlers[operation]
    if not handler.is_read_only and not handler.is_internal:
        ctx.block.cloud.permissions.forget(ctx.account)
