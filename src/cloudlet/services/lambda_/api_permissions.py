"""The operations on policies of functions. Developer guide, "Working with resource-based IAM policies in Lambda"."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.authorization.condition_keys import Keys
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.lambda_ import access, errors
from cloudlet.services.lambda_.access import POLICY
from cloudlet.services.lambda_.block import service
from cloudlet.services.lambda_.functions import directory, statements
from cloudlet.services.lambda_.functions.directory import FunctionReference
from cloudlet.services.lambda_.functions.function import LATEST

_URL_ACTION = "lambda:InvokeFunctionUrl"


async def _resource(
    ctx: Context, tx: Transaction, name: str, qualifier: str | None, action: str, keys: Keys | None = None
) -> FunctionReference:
    """Return the function, version or alias whose policy a request is about. Raises AwsError."""
    what = directory.named(ctx, name, qualifier)
    await access.authorize(ctx, tx, what, action, keys)
    await directory.resolve(tx, what)
    if what.qualifier == LATEST:
        raise errors.invalid("We currently do not support adding policies for $LATEST.")
    return what


def _conditions(params: Params) -> dict[str, dict[str, str]]:
    equal = {
        "AWS:SourceAccount": params.get("SourceAccount"),
        "lambda:EventSourceToken": params.get("EventSourceToken"),
        "lambda:FunctionUrlAuthType": params.get("FunctionUrlAuthType"),
        "aws:PrincipalOrgID": params.get("PrincipalOrgID"),
    }
    conditions = {"StringEquals": {key: value for key, value in equal.items() if value}}
    if params.get("SourceArn"):
        conditions["ArnLike"] = {"AWS:SourceArn": params["SourceArn"]}
    if params.get("InvokedViaFunctionUrl") is not None:
        conditions["Bool"] = {"lambda:InvokedViaFunctionUrl": "true" if params["InvokedViaFunctionUrl"] else "false"}
    return {operator: keys for operator, keys in conditions.items() if keys}


@service.operation("AddPermission")
async def add_permission(ctx: Context, tx: Transaction, params: Params) -> Result:
    keys = access.list_keys("AddPermission", params)
    what = await _resource(ctx, tx, params["FunctionName"], params.get("Qualifier"), "AddPermission", keys)
    if params.get("FunctionUrlAuthType") and params["Action"] != _URL_ACTION:
        raise errors.invalid(f"FunctionUrlAuthType is only supported for {_URL_ACTION} action")
    if params.get("InvokedViaFunctionUrl") is not None and params["Action"] != "lambda:InvokeFunction":
        raise errors.invalid("InvokedViaFunctionUrl is only supported for lambda:InvokeFunction action")
    statement: dict[str, Any] = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": statements.principal(params["Principal"], partition_of(ctx.region)),
        "Action": params["Action"],
        "Resource": what.arn,
    }
    if conditions := _conditions(params):
        statement["Condition"] = conditions
    qualifier = what.qualifier or ""
    policy = await POLICY.find(tx, what.place, qualifier)
    changed = statements.added(policy, statement, params.get("RevisionId"))
    POLICY.save(tx, what.place, qualifier, changed)
    return {"Statement": statements.dumped(statement)}


@service.operation("RemovePermission")
async def remove_permission(ctx: Context, tx: Transaction, params: Params) -> Result:
    named = directory.named(ctx, params["FunctionName"], params.get("Qualifier"))
    policy = await POLICY.find(tx, named.place, named.qualifier or "")
    keys = statements.list_keys(each for each in statements.of(policy) if each.get("Sid") == params["StatementId"])
    what = await _resource(ctx, tx, params["FunctionName"], params.get("Qualifier"), "RemovePermission", keys)
    qualifier = what.qualifier or ""
    changed = statements.removed(policy, params["StatementId"], params.get("RevisionId"))
    if changed is None:
        POLICY.remove(tx, what.place, qualifier)
    else:
        POLICY.save(tx, what.place, qualifier, changed)
    return None


@service.operation("GetPolicy")
async def get_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    what = await _resource(ctx, tx, params["FunctionName"], params.get("Qualifier"), "GetPolicy")
    policy = await POLICY.find(tx, what.place, what.qualifier or "")
    if policy is None:
        raise errors.not_found()
    return {"Policy": policy.text, "RevisionId": policy.revision}


async def _by_arn(
    ctx: Context, tx: Transaction, params: Params, action: str, keys: Keys | None = None
) -> FunctionReference:
    arn = params["ResourceArn"]
    if ":function:" not in arn:
        raise errors.not_built("policies of runtimes")
    return await _resource(ctx, tx, arn, None, action, keys)


@service.operation("PutResourcePolicy")
async def put_resource_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    policy = statements.whole(params["Policy"])
    what = await _by_arn(ctx, tx, params, "PutResourcePolicy", statements.list_keys(statements.of(policy)))
    qualifier = what.qualifier or ""
    statements.check_revision(await POLICY.find(tx, what.place, qualifier), params.get("RevisionId"))
    POLICY.save(tx, what.place, qualifier, policy)
    return {"Policy": policy.text, "RevisionId": policy.revision}


@service.operation("GetResourcePolicy")
async def get_resource_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    what = await _by_arn(ctx, tx, params, "GetResourcePolicy")
    policy = await POLICY.find(tx, what.place, what.qualifier or "")
    if policy is None:
        raise errors.not_found()
    return {"Policy": policy.text, "RevisionId": policy.revision}


@service.operation("DeleteResourcePolicy")
async def delete_resource_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    what = await _by_arn(ctx, tx, params, "DeleteResourcePolicy")
    qualifier = what.qualifier or ""
    policy = await POLICY.find(tx, what.place, qualifier)
    if policy is None:
        raise errors.not_found()
    statements.check_revision(policy, params.get("RevisionId"))
    POLICY.remove(tx, what.place, qualifier)
    return None
