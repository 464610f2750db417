"""The operations that make, update, delete and show stack sets."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import listing, tags
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.cloudformation import errors, stacks
from cloudlet.services.cloudformation.block import service
from cloudlet.services.cloudformation.operations import preparing
from cloudlet.services.cloudformation.stack_sets import requests, stack_set_store
from cloudlet.services.cloudformation.stack_sets.drift_summary import describe_drift
from cloudlet.services.cloudformation.stack_sets.role_chain import EXECUTION, get_administration_role
from cloudlet.services.cloudformation.stack_sets.stack_set_record import StackSet

_PAGE: Final = 100


@service.direct("CreateStackSet")
async def create_stack_set(ctx: Context, params: Params) -> Result:
    requests.check_supported(params)
    name, vault = params["StackSetName"], ctx.block.cloud.vault
    check_name(name)
    text, values = await _load(ctx, params)
    capabilities = list(params.get("Capabilities") or ())
    raw = requests.check_template(text, values, capabilities, ctx.account, ctx.region)
    made = StackSet(
        ctx.account,
        ctx.region,
        name,
        uuid4(),
        text,
        ctx.now(),
        description=params.get("Description") or str(raw.get("Description") or ""),
        parameters=values,
        capabilities=capabilities,
        tags=tags.read(params.get("Tags")),
        administration_role=params.get("AdministrationRoleARN") or "",
        execution_role=params.get("ExecutionRoleName") or "",
        is_managed=bool((params.get("ManagedExecution") or {}).get("Active")),
        token=params.get("ClientRequestToken") or "",
    )

    async def create(tx: Transaction) -> Result:
        existing = await stack_set_store.find_set_by_name(tx, vault, ctx.account, ctx.region, name)
        if existing is None:
            stack_set_store.save_set(tx, vault, made)
            return {"StackSetId": made.full_id}
        if made.token and existing.token == made.token:
            if existing.template == made.template and existing.parameters == made.parameters:
                return {"StackSetId": existing.full_id}
            raise AwsError("CreatedButModifiedException", f"StackSet {name} was created and has been modified since")
        raise AwsError("NameAlreadyExistsException", f"StackSet {name} already exists")

    return await ctx.transact(create)


def check_name(name: str) -> None:
    """Raise AwsError for what is no name of a new stack set."""
    if not (name[:1].isalpha() and name.isascii() and name.replace("-", "").isalnum() and len(name) <= 128):
        raise errors.make_validation_error(
            f"1 validation error detected: Value '{name}' at 'stackSetName' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]{0,127}"
        )


async def _load(ctx: Context, params: Params) -> tuple[str, dict[str, str]]:
    """Return the template of a new set and the values of its parameters.

    Both may be those of a stack.
    """
    if not params.get("StackId"):
        return await preparing.load_template(ctx, params, None), requests.read_parameters(params, "Parameters", {})
    if params.get("TemplateBody") or params.get("TemplateURL"):
        raise errors.make_validation_error("StackId cannot be specified together with a template.")

    async def load(tx: Transaction) -> tuple[str, dict[str, str]]:
        stack = await stacks.get_live(ctx, tx, params["StackId"])
        target = await stacks.find_target(tx, ctx.block.cloud.vault, stack, stack.target)
        if target is None:
            raise errors.make_validation_error(f"Stack {params['StackId']} has no template")
        return target.template, {name: value.given for name, value in target.values.items()}

    text, values = await ctx.transact(load)
    return text, {**values, **requests.read_parameters(params, "Parameters", values)}


@service.direct("UpdateStackSet")
async def update_stack_set(ctx: Context, params: Params) -> Result:
    requests.check_supported(params)
    vault = ctx.block.cloud.vault
    former = await ctx.transact(lambda tx: stack_set_store.get_live_set(ctx, tx, params["StackSetName"]))
    is_changed = not params.get("UsePreviousTemplate") or params.get("Parameters") is not None
    text = former.template
    if not params.get("UsePreviousTemplate"):
        text = await preparing.load_template(ctx, params, None)
    values = requests.read_parameters(params, "Parameters", former.parameters)
    capabilities = list(params.get("Capabilities") or ())
    requests.check_template(text, values, capabilities, ctx.account, ctx.region)
    wanted = await requests.list_targets(ctx, params)
    managed = params.get("ManagedExecution")

    async def update(tx: Transaction) -> Result:
        stack_set = await stack_set_store.get_live_set(ctx, tx, params["StackSetName"])
        instances = await stack_set_store.list_instances(tx, vault, stack_set)
        missing = [target for target in wanted if target not in instances]
        if missing:
            raise AwsError(
                "StackInstanceNotFoundException",
                f"Stack instance not found for account {missing[0].account} and region {missing[0].region}",
            )
        targets = [target for target in (wanted or sorted(instances)) if instances[target].status != "INOPERABLE"]
        changed = replace(
            stack_set,
            template=text,
            parameters=values,
            capabilities=capabilities,
            description=params.get("Description") or stack_set.description,
            tags=stack_set.tags if params.get("Tags") is None else tags.read(params["Tags"]),
            administration_role=params.get("AdministrationRoleARN") or stack_set.administration_role,
            execution_role=params.get("ExecutionRoleName") or stack_set.execution_role,
            is_managed=stack_set.is_managed if managed is None else bool(managed.get("Active")),
        )
        if managed is not None and await stack_set_store.list_active_operations(tx, stack_set):
            raise AwsError(
                "InvalidOperationException",
                "The execution configuration cannot be modified while there are running or queued operations",
            )
        operation = await requests.begin(ctx, tx, changed, "UPDATE", targets, params)
        if operation is None:
            return {"OperationId": params["OperationId"]}
        stack_set_store.save_set(tx, vault, changed)
        for target, instance in instances.items():
            if instance.status == "INOPERABLE" or not (is_changed or target in targets):
                continue
            begun = replace(instance, status="OUTDATED")
            if target in targets:
                begun = replace(begun, detailed="PENDING", operation=operation.id, reason="")
            stack_set_store.save_instance(tx, vault, changed, begun)
        return {"OperationId": operation.id}

    return await ctx.transact(update)


@service.operation("DeleteStackSet")
async def delete_stack_set(ctx: Context, tx: Transaction, params: Params) -> Result:
    requests.check_supported(params)
    stack_set, vault = await stack_set_store.get_live_set(ctx, tx, params["StackSetName"]), ctx.block.cloud.vault
    active = await stack_set_store.list_active_operations(tx, stack_set)
    if active:
        raise AwsError(
            "OperationInProgressException",
            f"Another Operation on StackSet {stack_set.arn} is in progress: {active[0].id}",
        )
    if await stack_set_store.list_instances(tx, vault, stack_set):
        raise AwsError("StackSetNotEmptyException", "StackSet is not empty")
    stack_set_store.save_set(tx, vault, replace(stack_set, status="DELETED"))
    return {}


@service.operation("DescribeStackSet")
async def describe_stack_set(ctx: Context, tx: Transaction, params: Params) -> Result:
    requests.check_supported(params)
    stack_set = await stack_set_store.get_set(ctx, tx, params["StackSetName"])
    instances = await stack_set_store.list_instances(tx, ctx.block.cloud.vault, stack_set)
    shown = {
        **_summarize(stack_set),
        "TemplateBody": stack_set.template,
        "Parameters": requests.describe_parameters(stack_set, stack_set.parameters),
        "Capabilities": stack_set.capabilities,
        "Tags": tags.to_list(stack_set.tags),
        "StackSetARN": stack_set.arn,
        "AdministrationRoleARN": get_administration_role(stack_set, stack_set.administration_role),
        "ExecutionRoleName": stack_set.execution_role or EXECUTION,
        "OrganizationalUnitIds": [],
        "StackSetDriftDetectionDetails": describe_drift(stack_set.drift),
        "Regions": sorted({target.region for target in instances}),
    }
    return {"StackSet": shown}


def _summarize(stack_set: StackSet) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "StackSetName": stack_set.name,
        "StackSetId": stack_set.full_id,
        "Status": stack_set.status,
        "PermissionModel": "SELF_MANAGED",
        "ManagedExecution": {"Active": stack_set.is_managed},
    }
    return shown | ({"Description": stack_set.description} if stack_set.description else {})


@service.operation("ListStackSets")
async def list_stack_sets(ctx: Context, tx: Transaction, params: Params) -> Result:
    requests.check_supported(params)
    wanted, vault = params.get("Status"), ctx.block.cloud.vault

    def select(raw: bytes) -> dict[str, Any] | None:
        found = stack_set_store.decode_set(vault, raw)
        if wanted not in (None, found.status):
            return None
        checked = {"LastDriftCheckTimestamp": found.drift.checked} if found.drift.checked else {}
        return {**_summarize(found), "DriftStatus": found.drift.status, **checked}

    space, token = stack_set_store.get_space(ctx.account, ctx.region), params.get("NextToken")
    limit = params.get("MaxResults") or _PAGE
    shown, following = await listing.list_page(tx, space, token, limit, select, errors.make_wrong_token())
    return {"Summaries": shown, "NextToken": following}
