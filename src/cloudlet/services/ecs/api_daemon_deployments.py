"""The operations on deployments and revisions of daemons."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.ecs import arns, daemon_shape, daemons, errors, service_history
from cloudlet.services.ecs.api_deployments import check_number, matches
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.daemon_record import Daemon

T = TypeVar("T")
_DEFAULT_PAGE: Final = 20
_MAX_PAGE_ITEMS: Final = 100


async def _find_daemon(ctx: Context, tx: Transaction, kind: str, arn: str) -> tuple[Daemon | None, str]:
    """Return the daemon of an ARN's resource, and the ARN's last part."""
    names = arns.parse_names(kind, arn, ctx.account, ctx.region)
    if len(names) != 3:
        raise errors.InvalidParameter(f"Invalid ARN: {arn}.")
    return await daemons.find(tx, ctx.account, ctx.region, names[0], names[1]), names[2]


@service.operation("ListDaemonDeployments")
async def list_daemon_deployments(ctx: Context, tx: Transaction, params: Params) -> Result:
    daemon = await daemons.get(tx, ctx.account, ctx.region, params["daemonArn"])
    limit = params.get("maxResults") or _DEFAULT_PAGE
    if not 1 <= limit <= _MAX_PAGE_ITEMS:
        raise errors.InvalidParameter(f"maxResults must be between 1 and {_MAX_PAGE_ITEMS}.")
    wrong = errors.InvalidParameter("Invalid token: the nextToken is not valid.")
    listed, following = await service_history.list_page(
        tx, daemon.history_key, params.get("nextToken"), limit, lambda each: matches(each, params), wrong
    )
    described = [daemon_shape.describe_deployment_briefly(daemon, each) for each in listed]
    return {"daemonDeployments": described, "nextToken": following}


@service.operation("DescribeDaemonDeployments")
async def describe_daemon_deployments(ctx: Context, tx: Transaction, params: Params) -> Result:
    find, describe = service_history.find_deployment, daemon_shape.describe_deployment
    described = await _describe(ctx, tx, "daemon-deployment", params["daemonDeploymentArns"], find, describe)
    return {"daemonDeployments": described[0], "failures": described[1]}


@service.operation("DescribeDaemonRevisions")
async def describe_daemon_revisions(ctx: Context, tx: Transaction, params: Params) -> Result:
    find, describe = service_history.find_revision, daemon_shape.describe_revision
    described = await _describe(ctx, tx, "daemon-revision", params["daemonRevisionArns"], find, describe)
    return {"daemonRevisions": described[0], "failures": described[1]}


async def _describe(
    ctx: Context,
    tx: Transaction,
    kind: str,
    references: list[str],
    find: Callable[[Transaction, Any, str], Awaitable[T | None]],
    describe: Callable[[Transaction, Daemon, T], Awaitable[dict[str, Any]]],
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return the descriptions of what ARNs name, and the failures of those that name nothing."""
    check_number(references)
    described, failures = [], []
    for arn in references:
        daemon, name = await _find_daemon(ctx, tx, kind, arn)
        found = await find(tx, daemon.history_key, name) if daemon else None
        if daemon is None or found is None:
            failures.append({"arn": arn, "reason": "MISSING"})
        else:
            described.append(await describe(tx, daemon, found))
    return described, failures
