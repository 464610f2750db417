"""The operations on service deployments and service revisions."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.ecs import (
    arns,
    clusters,
    deployment_states,
    errors,
    ingress_pending,
    lifecycle_hooks,
    service_history,
    service_scheduler,
    service_shape,
    services,
)
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.deployment_record import ServiceDeployment
from cloudlet.services.ecs.service_record import INACTIVE, Service

_MAX_DESCRIBED_ITEMS: Final = 20
_MAX_PAGE_ITEMS: Final = 100


async def _find_service(ctx: Context, tx: Transaction, kind: str, arn: str) -> tuple[Service | None, str]:
    """Return the service of an ARN's resource, and the ARN's last part."""
    names = arns.parse_names(kind, arn, ctx.account, ctx.region)
    if len(names) != 3:
        raise errors.InvalidParameter(f"Invalid ARN: {arn}.")
    return await services.find(tx, ctx.account, ctx.region, names[0], names[1]), names[2]


async def _find(ctx: Context, tx: Transaction, arn: str) -> tuple[Service, ServiceDeployment] | None:
    found, name = await _find_service(ctx, tx, "service-deployment", arn)
    if found is None:
        return None
    operation = await service_history.find_deployment(tx, found.key, name)
    return None if operation is None else (found, operation)


async def _get(ctx: Context, tx: Transaction, arn: str) -> tuple[Service, ServiceDeployment]:
    found = await _find(ctx, tx, arn)
    if found is None:
        raise errors.ServiceDeploymentNotFound
    return found


def check_number(references: list[str]) -> None:
    """Raise InvalidParameterException unless a request names some ARNs, but not too many."""
    if not 1 <= len(references) <= _MAX_DESCRIBED_ITEMS:
        raise errors.InvalidParameter(f"Specify between 1 and {_MAX_DESCRIBED_ITEMS} ARNs.")


@service.operation("DescribeServiceDeployments")
async def describe_service_deployments(ctx: Context, tx: Transaction, params: Params) -> Result:
    check_number(params["serviceDeploymentArns"])
    described, failures = [], []
    for arn in params["serviceDeploymentArns"]:
        found = await _find(ctx, tx, arn)
        if found is None:
            failures.append({"arn": arn, "reason": "MISSING"})
        else:
            described.append(await service_shape.describe_operation(tx, *found))
    return {"serviceDeployments": described, "failures": failures}


@service.operation("DescribeServiceRevisions")
async def describe_service_revisions(ctx: Context, tx: Transaction, params: Params) -> Result:
    check_number(params["serviceRevisionArns"])
    described, failures = [], []
    for arn in params["serviceRevisionArns"]:
        found, name = await _find_service(ctx, tx, "service-revision", arn)
        revision = await service_history.find_revision(tx, found.key, name) if found else None
        if found is not None and revision is None:
            revision = await ingress_pending.find_revision(tx, found.key, name)
        if found is None or revision is None:
            failures.append({"arn": arn, "reason": "MISSING"})
        else:
            described.append(await service_shape.describe_revision(tx, found, revision))
    return {"serviceRevisions": described, "failures": failures}


@service.operation("ListServiceDeployments")
async def list_service_deployments(ctx: Context, tx: Transaction, params: Params) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    found = await services.find_by_reference(tx, cluster, params["service"])
    if found is None or found.status == INACTIVE:
        raise errors.ServiceNotFound
    limit = params.get("maxResults") or _MAX_PAGE_ITEMS
    if not 1 <= limit <= _MAX_PAGE_ITEMS:
        raise errors.InvalidParameter(f"maxResults must be between 1 and {_MAX_PAGE_ITEMS}.")
    wrong = errors.InvalidParameter("Invalid token: the nextToken is not valid.")
    listed, following = await service_history.list_page(
        tx, found.key, params.get("nextToken"), limit, lambda each: matches(each, params), wrong
    )
    described = [service_shape.describe_briefly(found, each) for each in listed]
    return {"serviceDeployments": described, "nextToken": following}


def matches(operation: ServiceDeployment, params: Params) -> bool:
    """Whether a deployment has the status and the time that a request asks for."""
    times = params.get("createdAt") or {}
    return (
        (not params.get("status") or operation.status in params["status"])
        and operation.created <= (times.get("before") or operation.created)
        and operation.created >= (times.get("after") or operation.created)
    )


@service.operation("StopServiceDeployment")
async def stop_service_deployment(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = params["serviceDeploymentArn"]
    found, operation = await _get(ctx, tx, arn)
    if (params.get("stopType") or "ROLLBACK") != "ROLLBACK":
        raise errors.InvalidParameter("The stop type ABORT is not supported.")
    if not deployment_states.can_follow(operation.status, deployment_states.ROLLBACK_REQUESTED):
        message = f"The service deployment cannot be stopped, as its status is {operation.status}."
        raise errors.Conflict(message)
    _request_rollback(ctx, tx, found, operation)
    return {"serviceDeploymentArn": arn}


def _request_rollback(ctx: Context, tx: Transaction, found: Service, operation: ServiceDeployment) -> None:
    if found.last_completed is None:
        raise errors.ClientError("There is no service revision to roll back to.")
    requested = replace(operation, status=deployment_states.ROLLBACK_REQUESTED, updated=ctx.now())
    service_history.save_deployment(tx, found.key, requested)
    service_scheduler.request(tx, *found.key)


@service.operation("ContinueServiceDeployment")
async def continue_service_deployment(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = params["serviceDeploymentArn"]
    found, operation = await _get(ctx, tx, arn)
    hook = next((hook for hook in operation.hooks if hook.id == params["hookId"]), None)
    if hook is None or hook.status != lifecycle_hooks.AWAITING_ACTION:
        raise errors.InvalidParameter("The specified hook does not await an action.")
    if (params.get("action") or "CONTINUE") == "ROLLBACK":
        _request_rollback(ctx, tx, found, operation)
    else:
        lifecycle_hooks.save(tx, found.key, operation, replace(hook, status=lifecycle_hooks.SUCCEEDED))
        service_scheduler.request(tx, *found.key)
    return {"serviceDeploymentArn": arn}
