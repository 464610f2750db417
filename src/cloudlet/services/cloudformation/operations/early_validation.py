"""Early validation: what can be known to fail before a change set is executed.

User guide, "Validate stack deployments": properties by their schemas, names that are taken, and buckets that are to be
deleted and are not empty, which is but a warning.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cloudlet.core import AwsError, Context, Params
from cloudlet.core.authorization.role_session import make_session
from cloudlet.core.aws.resources.caller import bind_invoke
from cloudlet.core.aws.resources.failures import ProvisioningError
from cloudlet.core.aws.resources.provisioner import Invoke
from cloudlet.core.aws.resources.resource_schema import Violation
from cloudlet.services.cloudformation.compiling import CompiledTarget, get_schema, is_custom, list_hidden, mask
from cloudlet.services.cloudformation.operations.planning import ResourceChange
from cloudlet.services.cloudformation.operations.provisioning_steps import BY
from cloudlet.services.cloudformation.provisioning.handlers import Handler, Work, get_given_name, make_handler
from cloudlet.services.cloudformation.stack_record import Stack, Validation
from cloudlet.services.cloudformation.templates.dynamic_references import has_references
from cloudlet.services.cloudformation.templates.functions import NOT_KNOWN
from cloudlet.wire import WireError

NAME_CONFLICT: Final = "NAME_CONFLICT_VALIDATION"
PROPERTIES: Final = "PROPERTY_VALIDATION"
BUCKET_EMPTINESS: Final = "BUCKET_EMPTINESS_VALIDATION"
_HOOKS: Final = {
    NAME_CONFLICT: "AWS::EarlyValidation::ResourceExistenceCheck",
    PROPERTIES: "AWS::EarlyValidation::PropertyValidation",
}
_BUCKET: Final = "AWS::S3::Bucket"
_BY_KEY: Final = ("additionalProperties", "readOnly", "required")


async def validate(
    ctx: Context, stack: Stack, role: str, compiled: CompiledTarget, changes: Iterable[ResourceChange]
) -> list[Validation]:
    """Return what is known to fail of changes, or to be dangerous."""
    principal = make_session(role, "AWSCloudFormation", BY) if role else ctx.principal.called_by(BY)
    invoke = bind_invoke(ctx.block, principal, ctx.account, ctx.region)
    scope = compiled.make_scope(lambda name: NOT_KNOWN, lambda name, attribute: NOT_KNOWN)
    found: list[Validation] = []
    checks = []
    for change in changes:
        if change.action == "Remove" or change.replacement == "True":
            checks.append(_check_emptiness(invoke, change))
        if change.action not in ("Add", "Modify") or is_custom(change.type):
            continue
        properties = compiled.resolve_properties(change.name, scope)
        found += _check_properties(change, properties)
        # Others take their turns between two of many resources.
        await asyncio.sleep(0)
        if change.action == "Add":
            handler = make_handler(Work(ctx.block, stack, change.name, change.type, invoke, ctx.now()))
            checks.append(_check_name(handler, change, properties))
    found += [one for one in await asyncio.gather(*checks) if one is not None]
    hidden = list_hidden(compiled.target)
    return [
        Validation(one.name, mask(one.reason, hidden), one.path, one.resource, one.type, one.physical_id, one.mode)
        for one in found
    ]


async def validate_operation(
    ctx: Context, params: Params, stack: Stack, compiled: CompiledTarget, changes: Iterable[ResourceChange]
) -> list[Validation]:
    """Return what is known to fail of an operation that a request begins."""
    if params.get("DisableValidation"):
        return []
    return await validate(ctx, stack, params.get("RoleARN") or stack.role, compiled, changes)


def count_errors(found: Iterable[Validation]) -> int:
    return sum(one.mode == "FAIL" for one in found)


def describe_failures(found: Iterable[Validation]) -> str:
    """Return the reason that a change set fails for; empty where it does not."""
    hooks = {_HOOKS[one.name]: None for one in found if one.mode == "FAIL"}
    if not hooks:
        return ""
    return (
        f"The following hook(s)/validation failed: [{', '.join(sorted(hooks, reverse=True))}]. To troubleshoot Early "
        "Validation errors, use the DescribeEvents API for detailed failure information."
    )


def _check_properties(change: ResourceChange, properties: Mapping[str, Any]) -> list[Validation]:
    """Return what a type's schema does not allow, as far as values are known."""
    return [
        Validation(
            PROPERTIES,
            _describe(violation),
            f"/Resources/{change.name}/Properties{violation.place}",
            change.name,
            change.type,
        )
        for violation in get_schema(change.type).find_violations(properties)
        if violation.keyword in _BY_KEY or not _is_unknown(violation.value)
    ]


def _describe(violation: Violation) -> str:
    match violation.keyword:
        case "required":
            return f"Required property [{violation.value}] not found"
        case "additionalProperties" | "readOnly":
            return f"Unsupported property [{violation.value}]"
        case _:
            return violation.words


def _is_unknown(value: Any) -> bool:
    """Whether a value, or something in it, is known only once it is applied."""
    if isinstance(value, Mapping):
        return any(map(_is_unknown, value.values()))
    if isinstance(value, list):
        return any(map(_is_unknown, value))
    return isinstance(value, str) and (NOT_KNOWN in value or has_references(value))


async def _check_name(handler: Handler, change: ResourceChange, properties: Mapping[str, Any]) -> Validation | None:
    """Return a conflict of names; what cannot be found out is none."""
    if not handler.has_given_name(properties):
        return None
    name = get_given_name(change.type, properties)
    if not name or _is_unknown(name):
        return None
    try:
        if not await handler.exists(properties):
            return None
    except (WireError, ProvisioningError):
        return None
    reason = f"Resource of type '{change.type}' with identifier '{name}' already exists."
    return Validation(NAME_CONFLICT, reason, f"/Resources/{change.name}", change.name, change.type)


async def _check_emptiness(invoke: Invoke, change: ResourceChange) -> Validation | None:
    """Return the warning that a bucket that is to be deleted has objects."""
    if change.type != _BUCKET or change.policy_action not in ("Delete", "ReplaceAndDelete"):
        return None
    bucket = change.physical_id
    try:
        answer = await invoke("s3", "ListObjectVersions", {"Bucket": bucket, "MaxKeys": 1}) or {}
    except AwsError:
        return None
    if not answer.get("Versions") and not answer.get("DeleteMarkers"):
        return None
    reason = (
        f"The bucket '{bucket}' is not empty. You must either delete all objects and versions or use the deletion "
        "policy to retain it, otherwise the delete operation will fail."
    )
    path = f"/Resources/{change.name}"
    return Validation(BUCKET_EMPTINESS, reason, path, change.name, change.type, bucket, "WARN")
