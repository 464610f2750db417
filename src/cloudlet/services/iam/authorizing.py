"""The permissions that operations of IAM need, checked before each of them runs.

Resources are looked up first (`subjects`), in the transaction of the operation where it has one.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Final

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.authorization import catalog
from cloudlet.core.authorization.condition_keys import Keys, list_request_keys
from cloudlet.core.authorization.enforcement import deny
from cloudlet.core.authorization.permissions import Permissions
from cloudlet.core.kernel.service import Handler, Service
from cloudlet.services.iam import subjects
from cloudlet.services.iam.entities import ROLES

_TAGGED: Final = {"UploadServerCertificate": "TagServerCertificate", "CreateVirtualMFADevice": "TagMFADevice"}
"""Actions that tags of something new need, where the operation's name does not tell."""


def authorize_all(service: Service) -> None:
    """Have all operations of the block, which are declared by now, check permissions first."""
    for key, handler in service.handlers.items():
        if not handler.is_internal:
            service.handlers[key] = replace(handler, function=_authorize_first(handler))


def _authorize_first(handler: Handler) -> Callable[..., Coroutine[Any, Any, Any]]:
    operation, function = handler.name, handler.function

    async def run_in_transaction(ctx: Context, tx: Transaction, params: Params) -> Result:
        if ctx.strict and not ctx.permissions.is_unlimited:
            await check(ctx, tx, operation, params)
        result: Result = await function(ctx, tx, params)
        return result

    async def run(ctx: Context, params: Params) -> Any:
        if ctx.strict and not ctx.permissions.is_unlimited:
            await ctx.transact(lambda tx: check(ctx, tx, operation, params))
        return await function(ctx, params)

    return run_in_transaction if handler.transactional else run


async def check(ctx: Context, tx: Transaction, operation: str, params: Params) -> None:
    """Raise AwsError unless the caller's policies allow an operation."""
    ctx.was_decided = True
    rule = catalog.find("iam", operation)
    actions = list(rule.actions)
    if params.get("Tags") and not operation.startswith("Tag"):
        actions.append("iam:" + _TAGGED.get(operation, operation.replace("Create", "Tag", 1)))
    asked = list_request_keys(rule, params)
    for subject in await subjects.list_subjects(ctx, tx, operation, rule, params):
        keys: Keys = {**subject.list_keys(rule), **asked}
        if "iam:ServiceSpecificCredentialServiceName" in rule.condition_keys:
            name = await subjects.find_credential_service(ctx, tx, subject, params)
            keys |= {} if name is None else {"iam:ServiceSpecificCredentialServiceName": name}
        if days := params.get("CredentialAgeDays"):
            keys["iam:ServiceSpecificCredentialAgeDays"] = str(days)
        for action in actions:
            _check(ctx, action, subject.arn, keys)
    if operation == "AddRoleToInstanceProfile":
        role = await ROLES.find(tx, ctx.account, params["RoleName"])
        _check(ctx, "iam:PassRole", subjects.UNKNOWN if role is None else role.arn, _list_passing_keys())


def _list_passing_keys() -> Keys:
    return {"iam:PassedToService": "ec2.amazonaws.com"}


def _check(ctx: Context, action: str, arn: str, keys: Keys) -> None:
    permissions: Permissions = ctx.permissions
    # The ARNs of AWS's own policies have no account: they belong to whoever asks.
    if not permissions.allows(ctx, action, arn, ctx.account, keys):
        raise deny(ctx, "iam", permissions.decide(ctx, action, arn, ctx.account, keys))
