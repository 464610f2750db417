"""The operations on daemons."""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import listing, tags
from cloudlet.services.ecs import (
    arns,
    clusters,
    daemon_shape,
    daemons,
    definitions,
    deployment_start,
    errors,
    instance_requirements,
    managed_instances,
    resource_tags,
    service_history,
)
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.cluster_record import Cluster
from cloudlet.services.ecs.daemon_record import Daemon
from cloudlet.services.ecs.definition_record import ACTIVE as DEFINITION_ACTIVE
from cloudlet.services.ecs.definition_record import OF_DAEMONS, Definition
from cloudlet.services.ecs.deployment_record import ServiceDeployment
from cloudlet.services.ecs.deployment_states import IN_PROGRESS
from cloudlet.services.ecs.managed_states import ACTIVE, DELETE_IN_PROGRESS
from cloudlet.services.ecs.service_record import Revision

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
_TOKEN: Final = re.compile(r"[!-~]{0,36}", re.ASCII)
_MAX_PAGE_ITEMS: Final = 100
_MAX_BAKE_MINUTES: Final = 1440
_DEFAULTS: Final[dict[str, Any]] = {
    "propagateTags": "NONE",
    "enableECSManagedTags": False,
    "enableExecuteCommand": False,
    "critical": True,
}


@service.operation("CreateDaemon")
async def create_daemon(ctx: Context, tx: Transaction, params: Params) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("clusterArn"))
    name, token = params["daemonName"], params.get("clientToken") or ""
    if not _NAME.fullmatch(name):
        raise errors.InvalidParameter("Invalid identifier: a daemon name has up to 255 letters, numbers, underscores, "
                                      "and hyphens.")  # fmt: skip
    if not _TOKEN.fullmatch(token):
        raise errors.InvalidParameter("clientToken has up to 36 characters in the range of 33 to 126.")
    known = await daemons.find(tx, ctx.account, ctx.region, cluster.name, name)
    if known is not None:
        if token and token == known.token:
            return _answer_creation(known)
        raise errors.InvalidParameter("A daemon with the specified name already exists.")
    revision = await _make_revision(ctx, tx, cluster, params)
    configuration = _check_configuration(params.get("deploymentConfiguration") or {})
    now = ctx.now()
    made = Daemon(
        ctx.account, ctx.region, cluster.name, name, now, now, configuration, "", revision, token=token
    )  # fmt: skip
    made = await _begin(tx, made, revision, [], now)
    tags.save(tx, made.arn, resource_tags.add({}, params.get("tags")))
    return _answer_creation(made)


@service.operation("UpdateDaemon")
async def update_daemon(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await daemons.get_active(tx, ctx.account, ctx.region, params["daemonArn"])
    cluster = await clusters.get(tx, ctx.account, ctx.region, found.cluster)
    revision = await _make_revision(ctx, tx, cluster, params)
    configuration = _check_configuration(params.get("deploymentConfiguration") or {})
    changed = replace(found, configuration=configuration, updated=ctx.now(), target=revision, failed_tasks=0)
    return _answer(await _begin(tx, changed, revision, [found.target] if found.target else [], ctx.now()))


@service.operation("DeleteDaemon")
async def delete_daemon(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Delete a daemon: its instances are replaced by others without it."""
    found = await daemons.get_active(tx, ctx.account, ctx.region, params["daemonArn"])
    gone = replace(found, status=DELETE_IN_PROGRESS, updated=ctx.now(), target=None)
    return _answer(await _begin(tx, gone, None, [found.target] if found.target else [], ctx.now()))


def _answer_creation(daemon: Daemon) -> dict[str, Any]:
    return {name: value for name, value in _answer(daemon).items() if name != "updatedAt"}


def _answer(daemon: Daemon) -> dict[str, Any]:
    arn = daemon.make_arn("daemon-deployment", daemon.deployment)
    return {**daemon_shape.describe_briefly(daemon), "deploymentArn": arn}


async def _begin(
    tx: Transaction, daemon: Daemon, target: Revision | None, sources: list[Revision], now: float
) -> Daemon:
    """Begin the deployment of a revision, or of none.

    What was being deployed is given up.
    """
    if daemon.deployment:
        await deployment_start.give_up(tx, daemon.history_key, daemon.deployment, now)
    operation = ServiceDeployment(
        deployment_start.make_deployment_id(now),
        now,
        now,
        "",
        target.id if target else "",
        [each.id for each in sources],
        daemon.configuration,
    )
    if target is None:
        # What is left to do is the instances': it ends with the daemon.
        operation = replace(operation, status=IN_PROGRESS, started=now)
    else:
        service_history.save_revision(tx, daemon.history_key, target)
    service_history.save_deployment(tx, daemon.history_key, operation)
    await service_history.forget_old(tx, daemon.history_key)
    begun = replace(daemon, deployment=operation.id)
    daemons.save(tx, begun)
    managed_instances.request(tx, daemon.account, daemon.region, daemon.cluster)
    return begun


async def _make_revision(ctx: Context, tx: Transaction, cluster: Cluster, params: Params) -> Revision:
    """Return a revision as a request gives it: an update, too, gives all of it. Raises AwsError."""
    reference = params["daemonTaskDefinitionArn"]
    definition = await definitions.find(tx, ctx.account, ctx.region, reference, kind=OF_DAEMONS)
    if definition is None:
        raise errors.ClientError("The specified daemon task definition does not exist.")
    if definition.status != DEFINITION_ACTIVE:
        raise errors.ClientError("The specified daemon task definition is not in ACTIVE status.")
    members = {**_DEFAULTS, **{name: params[name] for name in _DEFAULTS if params.get(name) is not None}}
    members["daemonTaskDefinitionArn"] = definition.arn
    members["capacityProviders"] = await _check_providers(tx, cluster, params["capacityProviderArns"], definition)
    return Revision(deployment_start.make_revision_id(), ctx.now(), members)


async def _check_providers(
    tx: Transaction, cluster: Cluster, references: list[str], definition: Definition
) -> list[str]:
    """Return the names of capacity providers that a daemon can run on. Raises AwsError."""
    if not references:
        raise errors.InvalidParameter("capacityProviderArns can not be empty.")
    names = []
    for arn in references:
        name = "/".join(arns.parse_names("capacity-provider", arn, cluster.account, cluster.region))
        found = await managed_instances.find_provider(tx, cluster.account, cluster.region, name)
        if found is None or found.cluster != cluster.name or found.status != ACTIVE:
            raise errors.InvalidParameter(
                f"The specified capacity provider '{arn}' is not a Managed Instances capacity provider of the cluster."
            )
        cpu, memory = instance_requirements.measure(found.managed)
        if definition.reserved[0] > cpu or definition.reserved[1] > memory:
            raise errors.ClientError("The daemon task definition reserves more than an instance has.")
        names.append(name)
    return [*dict.fromkeys(names)]


def _check_configuration(configuration: dict[str, Any]) -> dict[str, Any]:
    """Return a deployment configuration with defaults. Raises InvalidParameterException."""
    minutes, alarms = configuration.get("bakeTimeInMinutes") or 0, configuration.get("alarms") or {}
    if not 0 <= minutes <= _MAX_BAKE_MINUTES:
        raise errors.InvalidParameter(f"bakeTimeInMinutes must be between 0 and {_MAX_BAKE_MINUTES}.")
    if alarms.get("enable") and not alarms.get("alarmNames"):
        raise errors.InvalidParameter("Alarm names must be specified when alarms are enabled.")
    return {"drainPercent": 25.0, "bakeTimeInMinutes": 0, **configuration}


@service.operation("DescribeDaemon")
async def describe_daemon(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await daemons.get(tx, ctx.account, ctx.region, params["daemonArn"])
    return {"daemon": await daemon_shape.describe(tx, found)}


@service.operation("ListDaemons")
async def list_daemons(ctx: Context, tx: Transaction, params: Params) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("clusterArn"))
    limit = params.get("maxResults") or _MAX_PAGE_ITEMS
    if not 1 <= limit <= _MAX_PAGE_ITEMS:
        raise errors.InvalidParameter(f"maxResults must be between 1 and {_MAX_PAGE_ITEMS}.")
    wanted = {*(params.get("capacityProviderArns") or ())}

    def select(raw: bytes) -> dict[str, Any] | None:
        daemon = daemons.decode(raw)
        names = daemon.target.members["capacityProviders"] if daemon.target else []
        used = {daemon_shape.make_provider_arn(daemon, name) for name in names}
        return daemon_shape.describe_briefly(daemon) if not wanted or used & wanted else None

    wrong = errors.InvalidParameter("Invalid token: the nextToken is not valid.")
    space = daemons.get_space(*cluster.key)
    found, following = await listing.list_page(tx, space, params.get("nextToken"), limit, select, wrong)
    return {"daemonSummariesList": found, "nextToken": following}
