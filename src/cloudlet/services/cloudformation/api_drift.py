"""The operations that detect drift, and tell of it."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import listing
from cloudlet.core.aws.resources.caller import Caller
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.cloudformation import errors, stacks
from cloudlet.services.cloudformation.block import service
from cloudlet.services.cloudformation.drift import drift_record
from cloudlet.services.cloudformation.drift.detecting import DETECTIONS, describe, detect, load
from cloudlet.services.cloudformation.drift.drift_record import Detection, detections
from cloudlet.services.cloudformation.operations.provisioning_steps import BY
from cloudlet.services.cloudformation.stack_record import Resource, Stack

_CHECKABLE: Final = frozenset(
    {
        "CREATE_COMPLETE",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "UPDATE_ROLLBACK_FAILED",
    }
)
"""The states in which drift of a stack can be detected.

User guide, "Detect drift on an entire CloudFormation stack".
"""
_PAGE: Final = 100


async def _get_checkable(ctx: Context, tx: Transaction, name: str) -> Stack:
    stack = await stacks.get_live(ctx, tx, name)
    if stack.status not in _CHECKABLE:
        raise errors.make_validation_error(
            f"Drift detection cannot be performed on stack [{stack.arn}] while it is in {stack.status} state."
        )
    return stack


def _make_missing(stack: Stack, names: list[str]) -> Exception:
    return errors.make_validation_error(f"Resource [{', '.join(names)}] does not exist for stack [{stack.name}]")


@service.operation("DetectStackDrift")
async def detect_stack_drift(ctx: Context, tx: Transaction, params: Params) -> Result:
    stack = await _get_checkable(ctx, tx, params["StackName"])
    wanted = list(params.get("LogicalResourceIds") or ())
    resources = await stacks.list_resources(tx, ctx.block.cloud.vault, stack)
    if missing := [name for name in wanted if name not in resources]:
        raise _make_missing(stack, missing)
    last = await detections.find(tx, ctx.account, ctx.region, stack.detection) if stack.detection else None
    if last is not None and last.status == "DETECTION_IN_PROGRESS":
        raise errors.make_validation_error(f"Drift detection is already in progress for stack [{stack.arn}].")
    if last is not None:
        # What a detection has found is kept until the next one.
        detections.remove(tx, last)
    found = Detection(
        ctx.account, ctx.region, uuid4(), stack.id, ctx.now(), Caller.from_principal(ctx.principal), wanted
    )
    detections.save(tx, found)
    stacks.save(tx, replace(stack, detection=found.name))
    DETECTIONS.request(tx, ctx.account, ctx.region, found.name)
    return {"StackDriftDetectionId": found.name}


@service.operation("DescribeStackDriftDetectionStatus")
async def describe_stack_drift_detection_status(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await detections.get(tx, ctx.account, ctx.region, params["StackDriftDetectionId"])
    stack = await stacks.find(tx, ctx.account, ctx.region, found.stack)
    shown: dict[str, Any] = {
        "StackId": "" if stack is None else stack.arn,
        "StackDriftDetectionId": found.name,
        "DetectionStatus": found.status,
        "Timestamp": found.started,
    }
    if found.reason:
        shown["DetectionStatusReason"] = found.reason
    if found.status != "DETECTION_IN_PROGRESS":
        shown |= {"StackDriftStatus": found.drift, "DriftedStackResourceCount": found.count}
    return shown


@service.direct("DetectStackResourceDrift")
async def detect_stack_resource_drift(ctx: Context, params: Params) -> Result:
    name = params["LogicalResourceId"]

    async def find(tx: Transaction) -> tuple[Stack, dict[str, Resource], list[str]]:
        stack = await _get_checkable(ctx, tx, params["StackName"])
        resources, hidden = await load(tx, ctx.block, stack)
        return stack, resources, hidden

    stack, resources, hidden = await ctx.transact(find)
    resource = resources.get(name)
    if resource is None or resource.instance is None:
        raise _make_missing(stack, [name])
    principal = Caller.from_principal(ctx.principal).make_principal(BY)
    found = await detect(ctx.block, stack, resource, resources, principal, hidden)
    if found.status == "NOT_CHECKED":
        raise errors.make_validation_error(
            f"Drift detection is not supported for resource type [{resource.type}] of resource [{name}]."
        )

    async def write(tx: Transaction) -> None:
        now = await stacks.get_live(ctx, tx, stack.arn)
        stacks.save(tx, replace(now, drift_checked=found.time))
        drift_record.save(tx, ctx.block.cloud.vault, stack, found)

    await ctx.transact(write)
    return {"StackResourceDrift": describe(stack, found)}


@service.operation("DescribeStackResourceDrifts")
async def describe_stack_resource_drifts(ctx: Context, tx: Transaction, params: Params) -> Result:
    stack = await stacks.get_live(ctx, tx, params["StackName"])
    wanted = params.get("StackResourceDriftStatusFilters")

    def select(raw: bytes) -> dict[str, Any] | None:
        found = drift_record.decode(ctx.block.cloud.vault, stack, raw)
        return describe(stack, found) if not wanted or found.status in wanted else None

    space, token = drift_record.get_space(stack), params.get("NextToken")
    limit = params.get("MaxResults") or _PAGE
    shown, following = await listing.list_page(tx, space, token, limit, select, errors.make_wrong_token())
    return {"StackResourceDrifts": shown, "NextToken": following}
