"""The operations on deployments and revisions of daemons."""

from __future__ import annotations

from typing import Final

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.ecs import arns, daemon_shape, daemons, errors, service_history
from cloudlet.services.ecs.api_deployments import check_number, matches
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.daemon_record import Daemon

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
    check_number(params["daemonDeploymentArns"])
    described, failures = [], []
    for arn in params["daemonDeploymentArns"]:
        daemon, name = await _find_daemon(ctx, tx, "daemon-deployment", arn)
        found = await service_history.find_deployment(tx, daemon.history_key, name) if daemon else None
        if daemon is None or found is None:
            failures.append({"arn": arn, "reason": "MISSING"})
        else:
            described.append(await daemon_shape.describe_deployment(tx, daemon, found))
    return {"daemonDeployments": described, "failures": failures}


@service.operation("DescribeDaemonRevisions")
async def describe_daemon_revisions(ctx: Context, tx: Transaction, params: Params) -> Result:
    check_number(params["daemonRevisionArns"])
    described, failures = [], []
    for arn in params["daemonRevisionArns"]:
        daemon, name = await _find_daemon(ctx, tx, "daemon-revision", arn)
        found = await service_history.find_revision(tx, daemon.history_key, name) if daemon else None
        if daemon is None or found is None:
            failures.append({"arn": arn, "reason": "MISSING"})
        else:
            described.append(await daemon_shape.describe_revision(tx, daemon, found))
    return {"daemonRevisions": described, "failures": failures}
