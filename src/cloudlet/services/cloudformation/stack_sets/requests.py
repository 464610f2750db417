"""Requests about stack sets: what they give, checked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec

from cloudlet.core import AwsError, Context, Params, Transaction
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.cloudformation import errors
from cloudlet.services.cloudformation.compiling import compile_target
from cloudlet.services.cloudformation.operations import preparing
from cloudlet.services.cloudformation.operations.s3_objects import load_from_url
from cloudlet.services.cloudformation.stack_record import Stack
from cloudlet.services.cloudformation.stack_record import Target as StackTarget
from cloudlet.services.cloudformation.stack_sets import running, stack_set_store
from cloudlet.services.cloudformation.stack_sets.stack_set_record import (
    Operation,
    Preferences,
    Result,
    StackInstance,
    StackSet,
    Target,
)
from cloudlet.services.cloudformation.templates import parameters, transforms
from cloudlet.services.cloudformation.templates.parsing import parse_template
from cloudlet.services.cloudformation.templates.template import read_template

_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
_NOT_BUILT: Final = (
    "AutoDeployment",
    "ExecutionRoleTemplateBody",
    "ExecutionRoleTemplateUrl",
    "StackSetOutputBucket",
    "UseAdminExecutionRole",
)


def check_supported(params: Params) -> None:
    """Raise AwsError for what cannot be honoured: there is no AWS Organizations."""
    if params.get("PermissionModel") == "SERVICE_MANAGED":
        raise errors.make_not_built("stack sets with service-managed permissions")
    if params.get("CallAs") == "DELEGATED_ADMIN":
        raise errors.make_not_built("delegated administrators of stack sets")
    for name in _NOT_BUILT:
        if params.get(name):
            raise errors.make_not_built(f"the parameter {name} of stack sets")


def check_template(
    text: str, given: Mapping[str, str], capabilities: list[str], account: str, region: str
) -> dict[str, Any]:
    """Return a set's template, read. Raises AwsError for one that no stack can be made of."""
    raw = parse_template(text)
    names = transforms.list_names(raw)
    declared = read_template(raw, is_processed=not names)
    parameters.check_declarations(declared)
    values = parameters.bind_parameters(declared, given)
    preparing.check_expansion(names, capabilities)
    if not names:
        target = StackTarget("", text, json.dumps(raw), values, capabilities=capabilities)
        compiled = compile_target(Stack(account, region, "", "stack", "", 0.0), target)
        preparing.check_capabilities(compiled)
    return raw


def parse_preferences(params: Params) -> Preferences:
    """Return the preferences of an operation. Raises AwsError."""
    given = params.get("OperationPreferences") or {}
    for one, other in (
        ("FailureToleranceCount", "FailureTolerancePercentage"),
        ("MaxConcurrentCount", "MaxConcurrentPercentage"),
    ):
        if given.get(one) is not None and given.get(other) is not None:
            raise errors.make_validation_error(f"You can specify either {one} or {other}, but not both.")
    return Preferences(
        list(given.get("RegionOrder") or ()),
        given.get("RegionConcurrencyType") == "PARALLEL",
        given.get("FailureToleranceCount"),
        given.get("FailureTolerancePercentage"),
        given.get("MaxConcurrentCount"),
        given.get("MaxConcurrentPercentage"),
        given.get("ConcurrencyMode") == "SOFT_FAILURE_TOLERANCE",
    )


async def list_targets(ctx: Context, params: Params) -> list[Target]:
    """Return the accounts and regions that a request names, none where it names none. Raises AwsError."""
    accounts, regions = await _list_accounts(ctx, params), list(params.get("Regions") or ())
    if bool(accounts) != bool(regions):
        missing = "Regions" if accounts else "Accounts or DeploymentTargets"
        raise errors.make_validation_error(f"At least one value must be specified for {missing}")
    wrong = [one for one in accounts if not _ACCOUNT.fullmatch(one)]
    if wrong:
        raise errors.make_validation_error(f"Invalid account IDs: [{', '.join(wrong)}]")
    unknown = [one for one in regions if not _REGION.fullmatch(one)]
    if unknown:
        raise errors.make_validation_error(f"Regions [{', '.join(unknown)}] are not supported")
    order = (params.get("OperationPreferences") or {}).get("RegionOrder") or ()
    if regions and not set(order) <= set(regions):
        raise errors.make_validation_error("RegionOrder may only have regions of the operation")
    return sorted({Target(account, region) for account in accounts for region in regions})


async def _list_accounts(ctx: Context, params: Params) -> list[str]:
    targets = params.get("DeploymentTargets") or {}
    accounts = list(params.get("Accounts") or ())
    if accounts and targets:
        raise errors.make_validation_error("You can specify Accounts or DeploymentTargets, but not both.")
    if targets.get("OrganizationalUnitIds") or targets.get("AccountFilterType") not in (None, "NONE"):
        raise errors.make_not_built("organizational units as targets of stack sets")
    if url := targets.get("AccountsUrl"):
        return re.split(r"[\s,]+", (await load_from_url(ctx, url, "AccountsUrl")).strip())
    return accounts or list(targets.get("Accounts") or ())


def read_parameters(params: Params, name: str, former: Mapping[str, str]) -> dict[str, str]:
    """Return the values of parameters that a request gives. Raises AwsError.

    Those that it says to keep are as they were.
    """
    given = {}
    for one in params.get(name) or ():
        key = one.get("ParameterKey")
        if key is None:
            raise errors.make_validation_error("Every parameter must have a ParameterKey.")
        if one.get("UsePreviousValue"):
            if key not in former:
                raise errors.make_validation_error(
                    f"Invalid input for parameter key {key}. Cannot specify usePreviousValue as true for a parameter "
                    "key not in the previous template"
                )
            given[key] = former[key]
        elif one.get("ParameterValue") is not None:
            given[key] = one["ParameterValue"]
    return given


def check_overrides(stack_set: StackSet, overrides: Mapping[str, str]) -> None:
    """Raise AwsError for values that no parameter of the set's template takes."""
    raw = parse_template(stack_set.template)
    declared = read_template(raw, is_processed=False)
    parameters.bind_parameters(declared, {**stack_set.parameters, **overrides})


def describe_parameters(stack_set: StackSet, values: Mapping[str, str]) -> list[dict[str, str]]:
    """Return values of parameters as the API has them; hidden ones are masked."""
    declared = read_template(parse_template(stack_set.template), is_processed=False).parameters
    bound = {name: parameters.is_hidden(declared.get(name, {})) for name in values}
    return [
        {"ParameterKey": name, "ParameterValue": parameters.NO_ECHO if bound[name] else value}
        for name, value in values.items()
    ]


# Operations


async def begin(
    ctx: Context,
    tx: Transaction,
    stack_set: StackSet,
    action: str,
    targets: list[Target],
    params: Params,
    *,
    is_retaining: bool = False,
    is_import: bool = False,
) -> Operation | None:
    """Write an operation that is to be carried out, and return it. Raises AwsError.

    Return None where this very request was made before.
    """
    fingerprint = sha256(msgspec.json.encode([action, params], order="sorted", enc_hook=str)).hexdigest()
    operation_id = params.get("OperationId") or uuid4()
    former = await stack_set_store.find_operation(tx, stack_set, operation_id)
    if former is not None:
        if former.fingerprint == fingerprint:
            return None
        raise AwsError("OperationIdAlreadyExistsException", f"Operation {operation_id} already exists")
    active = await stack_set_store.list_active_operations(tx, stack_set)
    if active and not stack_set.is_managed:
        raise AwsError(
            "OperationInProgressException",
            f"Another Operation on StackSet {stack_set.arn} is in progress: {active[0].id}",
        )
    millis = int(ctx.now() * 1000)
    operation = Operation(
        operation_id,
        action,
        "QUEUED" if active else "RUNNING",
        max(millis, active[-1].order + 1) if active else millis,
        ctx.now(),
        parse_preferences(params),
        is_retaining,
        stack_set.administration_role,
        stack_set.execution_role,
        is_import=is_import,
        fingerprint=fingerprint,
    )
    stack_set_store.add_operation(tx, stack_set, operation)
    for target in targets:
        stack_set_store.save_result(tx, stack_set, operation, Result(target))
    running.request(tx, stack_set)
    return operation


def make_instance(stack_set: StackSet, target: Target, operation: str, overrides: dict[str, str]) -> StackInstance:
    """Return a new instance, whose stack has a name by now."""
    return StackInstance(target, f"StackSet-{stack_set.name[:80]}-{uuid4()}", overrides=overrides, operation=operation)
