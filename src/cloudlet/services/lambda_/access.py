"""Permissions on functions: the caller's policies and the function's, in strict mode.

Each qualifier has a policy of its own. Within the function's account one of the two has to allow a call; principals of
other accounts need both, services the function's (developer guide, "Working with resource-based IAM policies in
Lambda", "Fine-tuning the Resources and Conditions sections of policies").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from cloudlet.core import Context, Params, Transaction
from cloudlet.core.authorization import catalog
from cloudlet.core.authorization.condition_keys import Keys, list_request_keys
from cloudlet.core.authorization.enforcement import deny
from cloudlet.core.authorization.resource_policy import decide, is_admitted
from cloudlet.core.aws import tags
from cloudlet.services.lambda_.functions import directory
from cloudlet.services.lambda_.functions.directory import FunctionReference
from cloudlet.services.lambda_.functions.function import Function
from cloudlet.services.lambda_.functions.settings import Setting

GENERAL: Final = frozenset(
    {
        "CreateCodeSigningConfig",
        "DeleteCodeSigningConfig",
        "GetAccountSettings",
        "GetCodeSigningConfig",
        "ListCodeSigningConfigs",
        "ListEventSourceMappings",
        "ListFunctions",
        "ListFunctionsByCodeSigningConfig",
        "ListLayerVersions",
        "ListLayers",
        "PublishLayerVersion",
        "UpdateCodeSigningConfig",
    }
)
"""The operations that the caller's own policies decide alone, before they run.

All others are decided here.
"""

_Keys = Mapping[str, str | Sequence[str]]


class Policy(msgspec.Struct, frozen=True):
    """A policy of a resource as JSON, and the id of its present form."""

    text: str
    revision: str


POLICY = Setting("policy", Policy)


def list_keys(operation: str, params: Params) -> Keys:
    """Return the condition keys that a request's members fill."""
    return list_request_keys(catalog.find("lambda", operation), params)


async def authorize(
    ctx: Context, tx: Transaction, what: FunctionReference, action: str, keys: _Keys | None = None
) -> None:
    """Raise AwsError unless the caller may do this to a function, a version or an alias.

    `action` is as in "Invoke" + "Function"; `keys` are condition keys of this action.
    """
    if not ctx.strict:
        return
    policy = await POLICY.find(tx, what.place, what.qualifier or "")
    name, account = f"lambda:{action}", what.place.account
    if policy is None and ctx.permissions.ignores_parameters(name) and is_admitted(ctx, name, what.arn, account):
        return
    known = await _list_tag_keys(tx, what.place.arn)
    decide_call(ctx, what.arn, account, action, {**known, **(keys or {})}, "" if policy is None else policy.text)


async def authorize_own(ctx: Context, tx: Transaction, arn: str, action: str, keys: _Keys | None = None) -> None:
    """Raise AwsError unless the caller may do this to what has no policy.

    It may have tags.
    """
    if not ctx.strict:
        return
    ctx.was_decided = True
    name, known = f"lambda:{action}", {**await _list_tag_keys(tx, arn), **(keys or {})}
    if not ctx.permissions.allows(ctx, name, arn, ctx.account, known):
        raise deny(ctx, "lambda", ctx.permissions.decide(ctx, name, arn, ctx.account, known))


def decide_call(ctx: Context, arn: str, account: str, action: str, keys: _Keys, policy: str) -> None:
    """Raise AwsError unless the caller may do this to a resource with a policy, or none."""
    decision = decide(ctx, f"lambda:{action}", arn, account, policy or None, keys)
    if not decision.allowed:
        raise deny(ctx, "lambda", decision)


async def _list_tag_keys(tx: Transaction, arn: str) -> Keys:
    return {f"aws:ResourceTag/{name}": value for name, value in (await tags.load(tx, arn)).items()}


async def function(ctx: Context, tx: Transaction, name: str, action: str, keys: _Keys | None = None) -> Function:
    """Return a function that the caller may do this to, named with no version and no alias. Raises AwsError."""
    what = directory.function_only(directory.named(ctx, name))
    await authorize(ctx, tx, what, action, keys)
    return await directory.function(tx, what.place)
