"""The operations on the instances of stack sets."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import listing
from cloudlet.core.aws.arn import Arn
from cloudlet.services.cloudformation import errors
from cloudlet.services.cloudformation.block import service
from cloudlet.services.cloudformation.operations.s3_objects import load_from_url
from cloudlet.services.cloudformation.stack_sets import requests, stack_set_store
from cloudlet.services.cloudformation.stack_sets.stack_set_record import StackInstance, StackSet, Target

_PAGE: Final = 100
MAX_IMPORTED_STACKS: Final = 10


@service.direct("CreateStackInstances")
async def create_stack_instances(ctx: Context, params: Params) -> Result:
    requests.check_supported(params)
    targets, vault = await _list_targets(ctx, params), ctx.block.cloud.vault

    async def create(tx: Transaction) -> Result:
        stack_set = await stack_set_store.get_live_set(ctx, tx, params["StackSetName"])
        instances = await stack_set_store.list_instances(tx, vault, stack_set)
        if len({*instances, *targets}) > stack_set_store.MAX_INSTANCES:
            raise AwsError(
                "LimitExceededException",
                f"A stack set of Cloudlet has {stack_set_store.MAX_INSTANCES} stack instances at most",
            )
        operation = await requests.begin(ctx, tx, stack_set, "CREATE", targets, params)
        if operation is None:
            return {"OperationId": params["OperationId"]}
        for target in targets:
            found = instances.get(target)
            if found is None:
                overrides = _read_overrides(stack_set, params, {})
                found = requests.make_instance(stack_set, target, operation.id, overrides)
            else:
                found = _begin(found, operation.id, _read_overrides(stack_set, params, found.overrides))
            stack_set_store.save_instance(tx, vault, stack_set, found)
        return {"OperationId": operation.id}

    return await ctx.transact(create)


def _begin(instance: StackInstance, operation: str, overrides: dict[str, str]) -> StackInstance:
    """Return an instance that an operation is to bring up to date."""
    return replace(instance, status="OUTDATED", detailed="PENDING", reason="", operation=operation, overrides=overrides)


def _read_overrides(stack_set: StackSet, params: Params, former: dict[str, str]) -> dict[str, str]:
    """Return the overrides of an instance after a request.

    They stay as they were where it names none.
    """
    if params.get("ParameterOverrides") is None:
        return former
    overrides = requests.read_parameters(params, "ParameterOverrides", former)
    requests.check_overrides(stack_set, overrides)
    return overrides


async def _list_targets(ctx: Context, params: Params) -> list[Target]:
    """Return the targets of a request that has to name some. Raises AwsError."""
    targets = await requests.list_targets(ctx, params)
    if not targets:
        raise errors.make_validation_error("At least one value must be specified for Accounts or DeploymentTargets")
    return targets


@service.direct("UpdateStackInstances")
async def update_stack_instances(ctx: Context, params: Params) -> Result:
    requests.check_supported(params)
    targets, vault = await _list_targets(ctx, params), ctx.block.cloud.vault

    async def update(tx: Transaction) -> Result:
        stack_set = await stack_set_store.get_live_set(ctx, tx, params["StackSetName"])
        found = [await _get_instance(ctx, tx, stack_set, target) for target in targets]
        operation = await requests.begin(ctx, tx, stack_set, "UPDATE", targets, params)
        if operation is None:
            return {"OperationId": params["OperationId"]}
        for instance in found:
            overrides = _read_overrides(stack_set, params, instance.overrides)
            stack_set_store.save_instance(tx, vault, stack_set, _begin(instance, operation.id, overrides))
        return {"OperationId": operation.id}

    return await ctx.transact(update)


@service.direct("DeleteStackInstances")
async def delete_stack_instances(ctx: Context, params: Params) -> Result:
    requests.check_supported(params)
    wanted, vault = await _list_targets(ctx, params), ctx.block.cloud.vault

    async def delete(tx: Transaction) -> Result:
        stack_set = await stack_set_store.get_live_set(ctx, tx, params["StackSetName"])
        instances = await stack_set_store.list_instances(tx, vault, stack_set)
        targets = [target for target in wanted if target in instances]
        operation = await requests.begin(
            ctx, tx, stack_set, "DELETE", targets, params, is_retaining=params["RetainStacks"]
        )
        if operation is None:
            return {"OperationId": params["OperationId"]}
        for target in targets:
            begun = replace(instances[target], detailed="PENDING", reason="", operation=operation.id)
            stack_set_store.save_instance(tx, vault, stack_set, begun)
        return {"OperationId": operation.id}

    return await ctx.transact(delete)


@service.direct("ImportStacksToStackSet")
async def import_stacks_to_stack_set(ctx: Context, params: Params) -> Result:
    requests.check_supported(params)
    if params.get("OrganizationalUnitIds"):
        raise errors.make_not_built("organizational units as targets of stack sets")
    stack_ids, url = list(params.get("StackIds") or ()), params.get("StackIdsUrl")
    if bool(stack_ids) == bool(url):
        raise errors.make_validation_error("Specify either StackIds or StackIdsUrl.")
    if url:
        stack_ids = (await load_from_url(ctx, url, "StackIdsUrl")).replace(",", " ").split()
    if len(stack_ids) > MAX_IMPORTED_STACKS:
        raise AwsError("LimitExceededException", f"You can import up to {MAX_IMPORTED_STACKS} stacks at a time")
    imported = {_parse_stack_id(one): one for one in stack_ids}
    if len(imported) < len(stack_ids):
        raise errors.make_validation_error("An account has one stack of a stack set in a region at most")
    targets, vault = sorted(imported), ctx.block.cloud.vault

    async def begin(tx: Transaction) -> Result:
        stack_set = await stack_set_store.get_live_set(ctx, tx, params["StackSetName"])
        instances = await stack_set_store.list_instances(tx, vault, stack_set)
        taken = [one for one in targets if one in instances and instances[one].stack_id != imported[one]]
        if taken:
            raise AwsError(
                "InvalidOperationException",
                f"The stack set has an instance in account {taken[0].account} and region {taken[0].region} already",
            )
        operation = await requests.begin(ctx, tx, stack_set, "CREATE", targets, params, is_import=True)
        if operation is None:
            return {"OperationId": params["OperationId"]}
        for target in targets:
            stack_id = imported[target]
            instance = StackInstance(target, stack_id.split("/")[1], stack_id, operation=operation.id)
            stack_set_store.save_instance(tx, vault, stack_set, instance)
        return {"OperationId": operation.id}

    return await ctx.transact(begin)


def _parse_stack_id(stack_id: str) -> Target:
    """Return the account and the region of a stack, by its ARN. Raises AwsError."""
    try:
        arn = Arn.parse(stack_id)
    except ValueError:
        arn = None
    if arn is None or arn.service != "cloudformation" or not arn.resource.startswith("stack/"):
        raise errors.make_validation_error(f"Stack ID {stack_id} is invalid")
    return Target(arn.account, arn.region)


# Looking


async def _get_instance(ctx: Context, tx: Transaction, stack_set: StackSet, target: Target) -> StackInstance:
    found = await stack_set_store.find_instance(tx, ctx.block.cloud.vault, stack_set, target)
    if found is None:
        raise AwsError(
            "StackInstanceNotFoundException",
            f"Stack instance not found for account {target.account} and region {target.region}",
        )
    return found


@service.operation("DescribeStackInstance")
async def describe_stack_instance(ctx: Context, tx: Transaction, params: Params) -> Result:
    requests.check_supported(params)
    stack_set = await stack_set_store.get_set(ctx, tx, params["StackSetName"])
    target = Target(params["StackInstanceAccount"], params["StackInstanceRegion"])
    found = await _get_instance(ctx, tx, stack_set, target)
    overrides = requests.describe_parameters(stack_set, found.overrides)
    return {"StackInstance": {**_describe_instance(stack_set, found), "ParameterOverrides": overrides}}


def _describe_instance(stack_set: StackSet, instance: StackInstance) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "StackSetId": stack_set.full_id,
        "Account": instance.target.account,
        "Region": instance.target.region,
        "Status": instance.status,
        "StackInstanceStatus": {"DetailedStatus": instance.detailed},
        "OrganizationalUnitId": "",
        "DriftStatus": instance.drift,
        "LastOperationId": instance.operation,
    }
    optional: dict[str, Any] = {
        "StackId": instance.stack_id,
        "StatusReason": instance.reason,
        "LastDriftCheckTimestamp": instance.drift_checked,
    }
    return shown | {key: value for key, value in optional.items() if value}


@service.operation("ListStackInstances")
async def list_stack_instances(ctx: Context, tx: Transaction, params: Params) -> Result:
    requests.check_supported(params)
    stack_set, vault = await stack_set_store.get_set(ctx, tx, params["StackSetName"]), ctx.block.cloud.vault
    account, region = params.get("StackInstanceAccount"), params.get("StackInstanceRegion")
    filters = [(one.get("Name"), one.get("Values") or "") for one in params.get("Filters") or ()]

    def select(raw: bytes) -> dict[str, Any] | None:
        found = stack_set_store.decode_instance(vault, raw)
        values = {
            "DETAILED_STATUS": found.detailed,
            "LAST_OPERATION_ID": found.operation,
            "DRIFT_STATUS": found.drift,
        }
        is_wanted = account in (None, found.target.account) and region in (None, found.target.region)
        is_wanted = is_wanted and all(values.get(name) == wanted for name, wanted in filters)
        return _describe_instance(stack_set, found) if is_wanted else None

    space, token = stack_set_store.get_instance_space(stack_set), params.get("NextToken")
    limit = params.get("MaxResults") or _PAGE
    shown, following = await listing.list_page(tx, space, token, limit, select, errors.make_wrong_token())
    return {"Summaries": shown, "NextToken": following}
