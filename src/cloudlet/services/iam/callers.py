"""Users that requests do not name: the caller."""

from __future__ import annotations

from cloudlet.core import Context, Params, Transaction
from cloudlet.services.iam import errors
from cloudlet.services.iam.entities import USERS
from cloudlet.services.iam.entity_record import User


async def get_user(ctx: Context, tx: Transaction, params: Params) -> User | None:
    """Return the user that a request names, or else the caller.

    None stands for the account's root. Raises AwsError where there is no such user, or the caller is none.
    """
    name = params.get("UserName")
    if name is None:
        name = get_name(ctx)
    return await USERS.get(tx, ctx.account, name) if name else None


def get_name(ctx: Context) -> str:
    """Return the caller's user name, empty for the account's root. Raises AwsError for others."""
    if ctx.principal.kind == "root":
        return ""
    if ctx.principal.kind != "user":
        raise errors.validation("Must specify userName when calling with non-User credentials")
    return ctx.principal.arn.rpartition("/")[2]


async def get_no_root(ctx: Context, tx: Transaction, params: Params) -> User:
    """Return the user that a request names, or else the caller. Raises AwsError also for the account's root."""
    user = await get_user(ctx, tx, params)
    if user is None:
        raise errors.validation("Must specify userName when calling with non-User credentials")
    return user
