"""The operations that show and stop operations on stack sets."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import listing
from cloudlet.services.cloudformation import errors
from cloudlet.services.cloudformation.block import service
from cloudlet.services.cloudformation.stack_sets import requests, running, stack_set_states, stack_set_store
from cloudlet.services.cloudformation.stack_sets import stack_set_record as record
from cloudlet.services.cloudformation.stack_sets.drift_summary import describe_drift, summarize_drift
from cloudlet.services.cloudformation.stack_sets.role_chain import EXECUTION, get_administration_role

_PAGE: Final = 100


@service.operation("DescribeStackSetOperation")
async def describe_stack_set_operation(ctx: Context, tx: Transaction, params: Params) -> Result:
    requests.check_supported(params)
    stack_set = await stack_set_store.get_set(ctx, tx, params["StackSetName"])
    found = await stack_set_store.get_operation(tx, stack_set, params["OperationId"])
    shown = {
        **await _summarize(tx, stack_set, found),
        "StackSetId": stack_set.full_id,
        "AdministrationRoleARN": get_administration_role(stack_set, found.administration_role),
        "ExecutionRoleName": found.execution_role or EXECUTION,
    }
    if found.action == "DELETE":
        shown["RetainStacks"] = found.is_retaining
    elif found.action == "DETECT_DRIFT":
        results = await stack_set_store.list_results(tx, stack_set, found)
        shown["StackSetDriftDetectionDetails"] = describe_drift(summarize_drift(found, results))
    return {"StackSetOperation": shown}


async def _summarize(tx: Transaction, stack_set: record.StackSet, found: record.Operation) -> dict[str, Any]:
    results = await stack_set_store.list_results(tx, stack_set, found)
    shown: dict[str, Any] = {
        "OperationId": found.id,
        "Action": found.action,
        "Status": found.status,
        "CreationTimestamp": found.created,
        "OperationPreferences": _show_preferences(found.preferences),
        "StatusDetails": {
            "FailedStackInstancesCount": sum(result.status == "FAILED" for result in results),
            "TotalAccountsCount": len({result.target.account for result in results}),
            "TotalStackInstancesCount": len(results),
        },
    }
    optional = {"EndTimestamp": found.ended, "StatusReason": found.reason}
    return shown | {key: value for key, value in optional.items() if value}


def _show_preferences(preferences: record.Preferences) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "RegionConcurrencyType": "PARALLEL" if preferences.is_parallel else "SEQUENTIAL",
        "RegionOrder": preferences.regions,
        "ConcurrencyMode": "SOFT_FAILURE_TOLERANCE" if preferences.is_soft else "STRICT_FAILURE_TOLERANCE",
    }
    numbers = {
        "FailureToleranceCount": preferences.tolerance_count,
        "FailureTolerancePercentage": preferences.tolerance_percentage,
        "MaxConcurrentCount": preferences.concurrency_count,
        "MaxConcurrentPercentage": preferences.concurrency_percentage,
    }
    return shown | {key: value for key, value in numbers.items() if value is not None}


@service.operation("ListStackSetOperations")
async def list_stack_set_operations(ctx: Context, tx: Transaction, params: Params) -> Result:
    requests.check_supported(params)
    stack_set = await stack_set_store.get_set(ctx, tx, params["StackSetName"])
    space, token = stack_set_store.get_order_space(stack_set), params.get("NextToken")
    limit = params.get("MaxResults") or _PAGE
    rows, following = await listing.list_rows(tx, space, token, limit, errors.make_wrong_token())
    found = [await stack_set_store.get_operation(tx, stack_set, raw.decode()) for _, raw in rows]
    return {"Summaries": [await _summarize(tx, stack_set, one) for one in found], "NextToken": following}


@service.operation("StopStackSetOperation")
async def stop_stack_set_operation(ctx: Context, tx: Transaction, params: Params) -> Result:
    requests.check_supported(params)
    stack_set = await stack_set_store.get_live_set(ctx, tx, params["StackSetName"])
    found = await stack_set_store.get_operation(tx, stack_set, params["OperationId"])
    status = stack_set_states.STOPPED_BY_USER.get(found.status)
    if status is None:
        raise AwsError(
            "InvalidOperationException", f"Operation {found.id} is in {found.status} state and cannot be stopped"
        )
    stack_set_store.move_operation(tx, stack_set, found, status, ctx.now(), "The operation was stopped by the user")
    running.request(tx, stack_set)
    return {}


@service.operation("ListStackSetOperationResults")
async def list_stack_set_operation_results(ctx: Context, tx: Transaction, params: Params) -> Result:
    requests.check_supported(params)
    stack_set = await stack_set_store.get_set(ctx, tx, params["StackSetName"])
    operation = await stack_set_store.get_operation(tx, stack_set, params["OperationId"])
    wanted = {one.get("Values") for one in params.get("Filters") or ()}

    def select(raw: bytes) -> dict[str, Any] | None:
        found = stack_set_store.decode_result(raw)
        return _show_result(found) if not wanted or wanted == {found.status} else None

    space, token = stack_set_store.get_result_space(stack_set, operation), params.get("NextToken")
    limit = params.get("MaxResults") or _PAGE
    shown, following = await listing.list_page(tx, space, token, limit, select, errors.make_wrong_token())
    return {"Summaries": shown, "NextToken": following}


def _show_result(result: record.Result) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Account": result.target.account,
        "Region": result.target.region,
        "Status": result.status,
        "OrganizationalUnitId": "",
    }
    if result.reason:
        shown["StatusReason"] = result.reason
    if result.gate:
        shown["AccountGateResult"] = {"Status": result.gate, "StatusReason": result.gate_reason}
    return shown
