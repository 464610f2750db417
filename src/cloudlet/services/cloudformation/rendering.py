"""Stacks, resources and events as the API has them."""

from __future__ import annotations

from typing import Any

from cloudlet.core.aws import tags
from cloudlet.services.cloudformation import rollback_configuration, stacks
from cloudlet.services.cloudformation.drift.drift_record import ResourceDrift
from cloudlet.services.cloudformation.stack_record import Event, Resource, Stack, Target, Validation
from cloudlet.services.cloudformation.templates import parameters


def to_api(stack: Stack, target: Target | None) -> dict[str, Any]:
    """Return a stack as DescribeStacks has it."""
    shown: dict[str, Any] = {
        "StackId": stack.arn,
        "StackName": stack.name,
        "CreationTime": stack.created,
        "StackStatus": stack.status,
        "DisableRollback": stack.on_failure == "DO_NOTHING",
        "NotificationARNs": [] if target is None else target.notification_arns,
        "Capabilities": [] if target is None else target.capabilities,
        "Tags": [] if target is None else tags.to_list(target.tags),
        "EnableTerminationProtection": stack.is_protected,
        "DriftInformation": _render_drift(stack),
        "RollbackConfiguration": rollback_configuration.to_api(stack.rollback),
        "Outputs": [
            {
                "OutputKey": output.key,
                "OutputValue": output.value,
                **({"Description": output.description} if output.description else {}),
                **({"ExportName": output.export} if output.export else {}),
            }
            for output in stack.outputs
        ],
    }
    if target is not None and target.values:
        shown["Parameters"] = [parameters.to_api(name, value) for name, value in target.values.items()]
    optional: dict[str, Any] = {
        "StackStatusReason": stack.reason,
        "Description": stack.description,
        "LastUpdatedTime": stack.updated,
        "DeletionTime": stack.deleted,
        "RoleARN": stack.role,
        "TimeoutInMinutes": stack.timeout_minutes,
        "ParentId": stack.parent,
        "RootId": stack.root,
        "ChangeSetId": stack.change_set,
        "LastOperations": _render_operations(stack),
    }
    return shown | {key: value for key, value in optional.items() if value}


def _render_operations(stack: Stack) -> list[dict[str, str]]:
    return [{"OperationId": name, "OperationType": kind} for name, kind in stacks.list_last_operations(stack.operation)]


def summarize(stack: Stack) -> dict[str, Any]:
    """Return a stack as ListStacks has it."""
    shown: dict[str, Any] = {
        "StackId": stack.arn,
        "StackName": stack.name,
        "CreationTime": stack.created,
        "StackStatus": stack.status,
        "DriftInformation": _render_drift(stack),
    }
    optional: dict[str, Any] = {
        "StackStatusReason": stack.reason,
        "TemplateDescription": stack.description,
        "LastUpdatedTime": stack.updated,
        "DeletionTime": stack.deleted,
        "ParentId": stack.parent,
        "RootId": stack.root,
        "LastOperations": _render_operations(stack),
    }
    return shown | {key: value for key, value in optional.items() if value}


def _render_drift(stack: Stack) -> dict[str, Any]:
    checked = {"LastCheckTimestamp": stack.drift_checked} if stack.drift_checked else {}
    return {"StackDriftStatus": stack.drift, **checked}


def render_resource(
    stack: Stack, resource: Resource, drift: ResourceDrift | None = None, *, time: str, has_stack: bool = True
) -> dict[str, Any]:
    """Return a resource, with its last change in the member `time`."""
    checked = {} if drift is None else {"LastCheckTimestamp": drift.time}
    shown: dict[str, Any] = {
        "LogicalResourceId": resource.name,
        "ResourceType": resource.type,
        "ResourceStatus": resource.status,
        time: resource.updated,
        "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED" if drift is None else drift.status, **checked},
    }
    if resource.physical_id:
        shown["PhysicalResourceId"] = resource.physical_id
    if resource.reason:
        shown["ResourceStatusReason"] = resource.reason
    return {"StackId": stack.arn, "StackName": stack.name, **shown} if has_stack else shown


def render_event(stack: Stack, event: Event) -> dict[str, Any]:
    """Return an event as DescribeStackEvents has it."""
    shown: dict[str, Any] = {
        "StackId": stack.arn,
        "StackName": stack.name,
        "EventId": event.id,
        "LogicalResourceId": event.name,
        "PhysicalResourceId": event.physical_id,
        "ResourceType": event.type,
        "ResourceStatus": event.status,
        "Timestamp": event.time,
    }
    optional: dict[str, Any] = {
        "ResourceStatusReason": event.reason,
        "ResourceProperties": event.properties,
        "ClientRequestToken": event.token,
        "OperationId": event.operation,
    }
    return shown | {key: value for key, value in optional.items() if value}


def is_failed(event: Event) -> bool:
    """Whether an event tells of a failure, or of what early validation has found."""
    return event.validation is not None or event.status.endswith("FAILED")


def render_operation_event(stack: Stack, event: Event, kind: str) -> dict[str, Any]:
    """Return an event as DescribeEvents has it; `kind` is the type of its operation."""
    shown: dict[str, Any] = {"EventId": event.id, "StackId": stack.arn, "Timestamp": event.time}
    optional: dict[str, Any] = {
        "OperationId": event.operation,
        "OperationType": kind,
        "ClientRequestToken": event.token,
        "ResourceStatusReason": event.reason,
        "ResourceProperties": event.properties,
    }
    shown |= {key: value for key, value in optional.items() if value}
    if event.validation is not None:
        return shown | _render_validation(event.validation)
    shown |= {"LogicalResourceId": event.name, "PhysicalResourceId": event.physical_id, "ResourceType": event.type}
    if event.physical_id != stack.arn:
        event_type = "PROVISIONING_ERROR" if is_failed(event) else "PROGRESS_EVENT"
        return shown | {"EventType": event_type, "ResourceStatus": event.status}
    shown |= {"EventType": "STACK_EVENT", "OperationStatus": _get_operation_status(event.status)}
    if event.started:
        shown["StartTime"] = event.started
    if not event.status.endswith("IN_PROGRESS"):
        shown["EndTime"] = event.time
    if kind != "CREATE_CHANGESET":
        return shown | {"ResourceStatus": event.status}
    is_validation = is_failed(event) and "AWS::EarlyValidation::" in event.reason
    return shown | ({"DetailedStatus": "VALIDATION_FAILED"} if is_validation else {})


def _get_operation_status(status: str) -> str:
    if status.endswith("IN_PROGRESS"):
        return "IN_PROGRESS"
    return "FAILED" if status.endswith("FAILED") else "SUCCEEDED"


def _render_validation(found: Validation) -> dict[str, Any]:
    return {
        "EventType": "VALIDATION_ERROR",
        "LogicalResourceId": found.resource,
        "PhysicalResourceId": found.physical_id,
        "ResourceType": found.type,
        "ValidationFailureMode": found.mode,
        "ValidationName": found.name,
        "ValidationStatus": "FAILED",
        "ValidationStatusReason": found.reason,
        "ValidationPath": found.path,
    }
