"""Detecting drift: resources are read, and compared with what their stack has."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.aws.resources.caller import bind_invoke
from cloudlet.core.aws.resources.failures import ProvisioningError
from cloudlet.core.aws.resources.outputs import parse_document
from cloudlet.core.aws.resources.reader import Reader
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import Principal
from cloudlet.services.cloudformation import stacks, states
from cloudlet.services.cloudformation.compiling import OWN_TYPES, get_schema, is_custom, list_hidden, mask
from cloudlet.services.cloudformation.drift import drift_record
from cloudlet.services.cloudformation.drift.differences import list_differences
from cloudlet.services.cloudformation.drift.drift_record import Detection, ResourceDrift
from cloudlet.services.cloudformation.operations.provisioning_steps import BY
from cloudlet.services.cloudformation.stack_record import Resource, Stack

MAX_CONCURRENT_READS: Final = 20


def make_reader(block: Block, stack: Stack, kind: str, principal: Principal) -> Reader | None:
    """Return what reads resources of a type; None where they cannot be read."""
    if is_custom(kind) or kind.startswith(OWN_TYPES):
        return None
    reader = Reader(kind, bind_invoke(block, principal, stack.account, stack.region), stack.account, stack.region)
    return reader if reader.can_read else None


async def detect(
    block: Block,
    stack: Stack,
    resource: Resource,
    resources: Mapping[str, Resource],
    principal: Principal,
    hidden: list[str],
) -> ResourceDrift:
    """Return whether a resource is as its stack has it. Raises AwsError for what may pass."""
    now = block.clock.now()
    found = ResourceDrift(resource.name, resource.physical_id, resource.type, "NOT_CHECKED", now)
    reader = make_reader(block, stack, resource.type, principal)
    instance = resource.instance
    if reader is None or instance is None:
        return found
    schema = get_schema(resource.type)
    known = {**instance.properties, **instance.attributes}
    # A name alone does not find what belongs to something else, as schedules do to their groups.
    names = (*schema.identifier, *schema.create_only)
    identifier = {name: known[name] for name in names if known.get(name) is not None}
    expected = {name: value for name, value in instance.properties.items() if name != instance.made_up}
    try:
        actual = await reader.find(identifier)
    except ProvisioningError as error:
        return replace(found, status="UNKNOWN", reason=error.message)
    shown = json.dumps(mask(expected, hidden), separators=(",", ":"))
    if actual is None:
        return replace(found, status="DELETED", expected=shown)
    others = _list_names(resources)
    differences = [
        one
        for one in list_differences(schema, expected, actual.properties, reader.unread)
        if not (one.kind == "ADD" and others & _list_texts(one.actual))
    ]
    shown_actual = {name: value for name, value in actual.properties.items() if name in expected}
    return replace(
        found,
        status="MODIFIED" if differences else "IN_SYNC",
        expected=shown,
        actual=json.dumps(mask(shown_actual, hidden), separators=(",", ":")),
        differences=[
            replace(one, expected=mask(one.expected, hidden), actual=mask(one.actual, hidden)) for one in differences
        ],
    )


def _list_names(resources: Mapping[str, Resource]) -> set[str]:
    """Return what a stack's resources are called: what they add to others is no drift."""
    names = {one.physical_id for one in resources.values() if one.physical_id}
    inline = (one.instance.properties.get("PolicyName") for one in resources.values() if one.instance is not None)
    return names | {name for name in inline if isinstance(name, str)}


def _list_texts(value: str) -> set[str]:
    """Return a value, or the texts in it where it is a structure."""
    found = parse_document(value)
    return {one for one in found.values() if isinstance(one, str)} if isinstance(found, dict) else {value}


async def load(tx: Transaction, block: Block, stack: Stack) -> tuple[dict[str, Resource], list[str]]:
    """Return the resources of a stack, and the values that are not shown."""
    vault = block.cloud.vault
    target = await stacks.find_target(tx, vault, stack, stack.target or stack.operation.target)
    return await stacks.list_resources(tx, vault, stack), [] if target is None else list_hidden(target)


async def _detect_all(block: Block, key: Key) -> float | None:
    """Carry out a detection. One that is done again after a crash finds the same."""
    account, region, name = key

    async def begin(tx: Transaction) -> tuple[Detection, Stack, dict[str, Resource], list[str]] | None:
        found = await drift_record.detections.find(tx, account, region, name)
        stack = None if found is None else await stacks.find(tx, account, region, found.stack)
        if found is None or stack is None or found.status != "DETECTION_IN_PROGRESS":
            return None
        return (found, stack, *await load(tx, block, stack))

    begun = await block.store.transact(begin)
    if begun is None:
        return None
    detection, stack, resources, hidden = begun
    wanted = [
        one
        for one in resources.values()
        if one.instance and (one.name in detection.resources or not detection.resources)
    ]
    principal = detection.caller.make_principal(BY)
    places = asyncio.Semaphore(MAX_CONCURRENT_READS)

    async def detect_one(resource: Resource) -> ResourceDrift:
        async with places:
            try:
                return await detect(block, stack, resource, resources, principal, hidden)
            except AwsError as error:
                return ResourceDrift(
                    resource.name,
                    resource.physical_id,
                    resource.type,
                    "UNKNOWN",
                    block.clock.now(),
                    reason=error.message,
                )

    found = await asyncio.gather(*map(detect_one, wanted))
    await block.store.transact(lambda tx: _conclude(tx, block, detection, found))
    return None


async def _conclude(tx: Transaction, block: Block, detection: Detection, found: list[ResourceDrift]) -> None:
    """Write down what a detection has found."""
    stack = await stacks.find(tx, detection.account, detection.region, detection.stack)
    if stack is None or stack.status == states.DELETED:
        drift_record.detections.save(
            tx, replace(detection, status="DETECTION_FAILED", reason="The stack was deleted during the detection.")
        )
        return
    if not detection.resources:
        drift_record.remove_drifts(tx, stack)
    for one in found:
        if one.status != "NOT_CHECKED":
            drift_record.save(tx, block.cloud.vault, stack, one)
    count = sum(one.status in ("MODIFIED", "DELETED") for one in found)
    unknown = [one.name for one in found if one.status == "UNKNOWN"]
    drift = "DRIFTED" if count else "UNKNOWN" if unknown else "IN_SYNC"
    reason = f"Failed to detect drift on resource [{', '.join(unknown)}]" if unknown else ""
    drift_record.detections.save(
        tx,
        replace(
            detection,
            status="DETECTION_FAILED" if unknown else "DETECTION_COMPLETE",
            reason=reason,
            drift=drift,
            count=count,
        ),
    )
    stacks.save(tx, replace(stack, drift=drift, drift_checked=detection.started))


DETECTIONS: Final = Reconciler("detections", _detect_all, patience_seconds=1.0)


def describe(stack: Stack, drift: ResourceDrift) -> dict[str, Any]:
    """Return the drift of a resource as DescribeStackResourceDrifts has it."""
    shown: dict[str, Any] = {
        "StackId": stack.arn,
        "LogicalResourceId": drift.name,
        "PhysicalResourceId": drift.physical_id,
        "ResourceType": drift.type,
        "StackResourceDriftStatus": drift.status,
        "Timestamp": drift.time,
        "PropertyDifferences": [
            {
                "PropertyPath": one.path,
                "ExpectedValue": one.expected,
                "ActualValue": one.actual,
                "DifferenceType": one.kind,
            }
            for one in drift.differences
        ],
    }
    optional = {
        "ExpectedProperties": drift.expected,
        "ActualProperties": drift.actual,
        "DriftStatusReason": drift.reason,
    }
    return shown | {key: value for key, value in optional.items() if value}
