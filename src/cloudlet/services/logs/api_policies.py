"""The operations on policies: of resources, and of accounts."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.authorization.enforcement import check_passed_role
from cloudlet.core.aws import page_tokens
from cloudlet.services.logs import account_policy, api_protection, api_subscriptions, errors, resource_policy
from cloudlet.services.logs import group as groups
from cloudlet.services.logs.block import service
from cloudlet.services.logs.group_record import arn_of

_PAGE = 50


@service.operation("PutResourcePolicy")
async def put_resource_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    text = params.get("policyDocument")
    if text is None:
        raise errors.invalid("policyDocument is required.")
    arn = await _group_arn(ctx, tx, params)
    revision = params.get("expectedRevisionId")
    made = await resource_policy.put(ctx, tx, params.get("policyName"), arn, text, revision)
    shown = made.shown()
    return {"resourcePolicy": shown, "revisionId": shown.get("revisionId")}


@service.operation("DescribeResourcePolicies")
async def describe_resource_policies(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = await _group_arn(ctx, tx, params)
    if arn is not None:
        return {"resourcePolicies": [one.shown() for one in await resource_policy.of_group(ctx, tx, arn)]}
    after = page_tokens.parse_name_token(params.get("nextToken"), errors.invalid_token())
    most = params.get("limit", _PAGE)
    found = await resource_policy.listed(ctx, tx, params.get("policyScope", "ACCOUNT"), after, most + 1)
    token = page_tokens.make_page_token(found[most - 1].name.encode()) if len(found) > most else None
    return {"resourcePolicies": [one.shown() for one in found[:most]], "nextToken": token}


@service.operation("DeleteResourcePolicy")
async def delete_resource_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = await _group_arn(ctx, tx, params)
    await resource_policy.remove(ctx, tx, params.get("policyName"), arn, params.get("expectedRevisionId"))
    return None


async def _group_arn(ctx: Context, tx: Transaction, params: Params) -> str | None:
    """Return the ARN of the log group that a request is about, if it names one. Raises AwsError."""
    given = params.get("resourceArn")
    if given is None:
        return None
    if not given.startswith("arn:"):
        raise errors.invalid(f"The ARN {given} is invalid.")
    return (await groups.named(ctx, tx, groups.name_of(ctx, given))).arn


@service.direct("PutAccountPolicy")
async def put_account_policy(ctx: Context, params: Params) -> Result:
    kind, name, text = params["policyType"], params["policyName"], params["policyDocument"]
    account_policy.check_kind(kind)
    if params.get("dryRun"):
        raise errors.invalid("dryRun is for policies of the type RETENTION_POLICY.")
    if not name or name.startswith("aws/"):
        raise errors.invalid("The name of a policy is not empty, and does not begin with aws/.")
    selection = params.get("selectionCriteria")
    if kind == account_policy.PROTECTION:
        if selection is not None:
            raise errors.invalid("selectionCriteria is not for policies of the type DATA_PROTECTION_POLICY.")
        await api_protection.check(ctx, text)
        policy = await ctx.transact(lambda tx: account_policy.put_protection(ctx, tx, name, text))
    else:
        account_policy.excluded_by(selection)
        made = account_policy.subscription_of(ctx, name, text)
        if made.role is not None:
            check_passed_role(ctx, "logs", made.role, "logs.amazonaws.com")
        await api_subscriptions.check_destination(ctx, made, arn_of(ctx.region, ctx.account, "*"))
        policy = await ctx.transact(lambda tx: account_policy.put_subscription(ctx, tx, name, text, selection, made))
    return {"accountPolicy": policy.shown(ctx.account)}


@service.operation("DescribeAccountPolicies")
async def describe_account_policies(ctx: Context, tx: Transaction, params: Params) -> Result:
    account_policy.check_kind(params["policyType"])
    others = [one for one in params.get("accountIdentifiers") or () if one != ctx.account]
    if others:
        raise errors.not_built("policies of linked accounts")
    if params.get("nextToken") is not None:
        raise errors.invalid_token()
    kind, name = params["policyType"], params.get("policyName")
    found = await account_policy.of_account(tx, ctx.account, ctx.region)
    shown = [one.shown(ctx.account) for one in found if one.kind == kind and name in (None, one.name)]
    return {"accountPolicies": shown}


@service.operation("DeleteAccountPolicy")
async def delete_account_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("dryRun"):
        raise errors.invalid("dryRun is for policies of the type RETENTION_POLICY.")
    account_policy.check_kind(params["policyType"])
    await account_policy.remove(ctx, tx, params["policyName"], params["policyType"])
    return None
