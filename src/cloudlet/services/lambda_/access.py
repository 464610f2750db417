"""Who may do what with a function: its policy, enforced where permissions are (`--auth strict`).

Each qualifier has a policy of its own. Principals of the function's account need no allowance by it, but can be denied;
all others, services among them, need one (developer guide, "Working with resource-based IAM policies in Lambda").
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from cloudlet.core import AwsError, Context, Transaction
from cloudlet.core.authorization.resource_policy import decide
from cloudlet.services.lambda_.functions import directory
from cloudlet.services.lambda_.functions.directory import FunctionReference
from cloudlet.services.lambda_.functions.function import Function
from cloudlet.services.lambda_.functions.settings import Setting


class Policy(msgspec.Struct, frozen=True):
    """A policy of a resource as JSON, and the id of its present form."""

    text: str
    revision: str


POLICY = Setting("policy", Policy)


async def authorize(
    ctx: Context, tx: Transaction, what: FunctionReference, action: str, keys: Mapping[str, str] | None = None
) -> None:
    """Raise AwsError unless the caller may do this to a function, a version or an alias.

    `action` is as in "Invoke" + "Function"; `keys` are condition keys of this action.
    """
    if not ctx.strict:
        return
    policy = await POLICY.find(tx, what.place, what.qualifier or "")
    if policy is None and ctx.principal.kind != "service" and ctx.principal.account == what.place.account:
        return
    text = None if policy is None else policy.text
    decision = decide(ctx, f"lambda:{action}", what.arn, what.place.account, text, keys)
    if not decision.allowed:
        raise AwsError("AccessDeniedException", decision.message, status=403)


async def function(ctx: Context, tx: Transaction, name: str, action: str) -> Function:
    """Return a function that the caller may do this to, named with no version and no alias. Raises AwsError."""
    what = directory.function_only(directory.named(ctx, name))
    await authorize(ctx, tx, what, action)
    return await directory.function(tx, what.place)
