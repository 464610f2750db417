"""Permissions on log groups that only the store tells: those of queries and pointers.

Service Authorization Reference, "Actions, resources, and condition keys for Amazon CloudWatch Logs"; user guide,
"Overview of managing access permissions": policies name a log group by its ARN with `:*`, as its streams.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from cloudlet.core import AwsError, Context, Transaction
from cloudlet.core.authorization import catalog, enforcement
from cloudlet.core.authorization.condition_keys import list_request_keys
from cloudlet.services.logs import group as groups
from cloudlet.services.logs.group_record import Group, arn_of

_UNMASK: Final = re.compile(r"\bunmask\s*\(")


async def check_groups(ctx: Context, tx: Transaction, action: str, names: Iterable[str]) -> None:
    """Raise AwsError unless the caller may do something to log groups of his account.

    Without names it is about all of them.
    """
    if not ctx.strict:
        return
    for name in list(names) or [""]:
        arn = f"{arn_of(ctx.region, ctx.account, name)}:log-stream:"
        enforcement.check_resource(ctx, "logs", action, arn, await find_tags(ctx, tx, action, name))


async def find_tags(ctx: Context, tx: Transaction, action: str, name: str) -> Mapping[str, str]:
    """Return the tags of a log group, where the caller's policies ask for them."""
    if not ctx.permissions.depends_on_tags(action):
        return {}
    group = await groups.find(tx, ctx.account, ctx.region, name)
    return {} if group is None else group.tags


def check_first_tags(ctx: Context, group: Group) -> None:
    """Raise AwsError unless the caller may give a new log group its tags. API reference, "CreateLogGroup"."""
    keys = list_request_keys(catalog.find("logs", "TagResource"), {"tags": group.tags})
    for action in ("logs:TagResource", "logs:TagLogGroup"):
        for arn in (group.arn, f"{group.arn}:log-stream:"):
            if ctx.permissions.allows(ctx, action, arn, group.account, keys):
                return
    raise AwsError(
        "AccessDeniedException",
        f"User with accountId: {group.account} is not authorized to perform CreateLogGroup with Tags. "
        'An additional permission "logs:TagResource" is required.',
    )


def is_unmasking(query: str) -> bool:
    """Whether a query shows what is masked."""
    return _UNMASK.search(query) is not None
