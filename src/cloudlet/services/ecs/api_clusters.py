"""The operations on clusters."""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import listing, tags
from cloudlet.services.ecs import (
    account_settings,
    arns,
    capacity,
    clusters,
    errors,
    instance_events,
    instances,
    managed_instances,
    namespaces,
    resource_tags,
    services,
    tasks,
)
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.cluster_record import Cluster

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
_INSIGHTS: Final = ("enabled", "disabled", "enhanced")
_MAX_DESCRIBED_ITEMS: Final = 100
_MAX_PAGE_ITEMS: Final = 100


async def _provide_namespace(ctx: Context, params: Params) -> str | None:
    """Return the ARN of the default namespace that a request gives a cluster. None is where it says nothing."""
    given = params.get("serviceConnectDefaults")
    if given is None:
        return None
    return (await namespaces.provide(ctx, given["namespace"])).arn if given["namespace"] else ""


@service.direct("CreateCluster")
async def create_cluster(ctx: Context, params: Params) -> Result:
    namespace = await _provide_namespace(ctx, params)
    return await ctx.transact(lambda tx: _create(ctx, tx, params, namespace or ""))


async def _create(ctx: Context, tx: Transaction, params: Params, namespace: str) -> Result:
    name = params.get("clusterName") or clusters.DEFAULT
    if not _NAME.fullmatch(name):
        raise errors.InvalidParameter("Invalid identifier: Identifier is for a cluster name, which has up to 255 "
                                      "letters, numbers, underscores, and hyphens.")  # fmt: skip
    _refuse(params)
    known = await clusters.find(tx, ctx.account, ctx.region, name)
    if known is not None and known.is_active:
        return {"cluster": await _describe(tx, known, {"SETTINGS", "CONFIGURATIONS", "TAGS"})}
    insights = await account_settings.get_effective(tx, ctx.account, ctx.region, ctx.principal.arn, "containerInsights")
    providers = _check_providers(params.get("capacityProviders") or [], [])
    made = Cluster(
        ctx.account,
        ctx.region,
        name,
        ctx.now(),
        settings={"containerInsights": insights, **_read_settings(params)},
        configuration=params.get("configuration") or {},
        capacity_providers=providers,
        default_strategy=_check_default(params, providers),
        namespace=namespace,
    )
    clusters.save(tx, made)
    instance_events.request(tx, *made.key)
    tags.save(tx, made.arn, resource_tags.add({}, params.get("tags")))
    return {"cluster": await _describe(tx, made, {"SETTINGS", "CONFIGURATIONS", "TAGS"})}


def _refuse(params: Params) -> None:
    """Raise ClientException for what Cloudlet does not have."""
    if (params.get("configuration") or {}).get("managedStorageConfiguration"):
        raise errors.NotBuilt("encryption of tasks' storage with a key (managedStorageConfiguration)")
    execution = (params.get("configuration") or {}).get("executeCommandConfiguration") or {}
    if execution.get("kmsKeyId"):
        raise errors.NotBuilt("encryption of commands' sessions with a key (executeCommandConfiguration)")
    if execution.get("logging") == "OVERRIDE" or execution.get("logConfiguration"):
        raise errors.NotBuilt("logs of commands' sessions (executeCommandConfiguration)")


def _read_settings(params: Params) -> dict[str, str]:
    settings: dict[str, str] = {}
    for setting in params.get("settings") or ():
        if setting.get("name") != "containerInsights" or setting.get("value") not in _INSIGHTS:
            raise errors.InvalidParameter("The specified cluster setting is not valid.")
        settings["containerInsights"] = setting["value"]
    return settings


def _check_providers(names: list[str], managed: list[str]) -> list[str]:
    """Return the capacity providers of a cluster.

    They are those that a request names, and those that were made for it.
    """
    for name in names:
        if name not in capacity.PROVIDERS and name not in managed:
            raise errors.InvalidParameter(
                f"The specified capacity provider '{name}' was not found. Specify a valid name or ARN and try again."
            )
    if len({*names}) < len(names):
        raise errors.InvalidParameter("A capacity provider may be specified only once.")
    return [*names, *(name for name in managed if name not in names)]


def _check_default(params: Params, providers: list[str]) -> list[dict[str, Any]]:
    strategy = params.get("defaultCapacityProviderStrategy")
    return capacity.check_strategy(strategy, providers) if strategy else []


@service.direct("UpdateCluster")
async def update_cluster(ctx: Context, params: Params) -> Result:
    namespace = await _provide_namespace(ctx, params)
    return await ctx.transact(lambda tx: _update(ctx, tx, params, namespace))


async def _update(ctx: Context, tx: Transaction, params: Params, namespace: str | None) -> Result:
    found = await clusters.get(tx, ctx.account, ctx.region, params["cluster"])
    _refuse(params)
    changed = replace(found, settings={**found.settings, **_read_settings(params)})
    if params.get("configuration") is not None:
        changed = replace(changed, configuration=params["configuration"])
    if namespace is not None:
        changed = replace(changed, namespace=namespace)
    clusters.save(tx, changed)
    return {"cluster": await _describe(tx, changed, {"SETTINGS", "CONFIGURATIONS", "TAGS"})}


@service.operation("UpdateClusterSettings")
async def update_cluster_settings(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await clusters.get(tx, ctx.account, ctx.region, params["cluster"])
    changed = replace(found, settings={**found.settings, **_read_settings(params)})
    clusters.save(tx, changed)
    return {"cluster": await _describe(tx, changed, {"SETTINGS"})}


@service.operation("PutClusterCapacityProviders")
async def put_cluster_capacity_providers(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await clusters.get(tx, ctx.account, ctx.region, params["cluster"])
    managed = [name for name in found.capacity_providers if name not in capacity.PROVIDERS]
    providers = _check_providers(params["capacityProviders"], managed)
    for gone in {*found.capacity_providers} - {*providers}:
        if await services.has_provider(tx, found, gone):
            raise errors.ResourceInUse("The specified capacity provider is in use and cannot be removed.")
    strategy = _check_default(params, providers)
    changed = replace(found, capacity_providers=providers, default_strategy=strategy)
    clusters.save(tx, changed)
    return {"cluster": await _describe(tx, changed, {"SETTINGS"})}


@service.operation("DeleteCluster")
async def delete_cluster(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await clusters.get(tx, ctx.account, ctx.region, params["cluster"])
    if await services.has_active(tx, found):
        raise AwsError("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
    if await tasks.has_tasks(tx, found.account, found.region, found.name):
        raise AwsError("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
    if await managed_instances.has_providers(tx, *found.key):
        raise AwsError(
            "ClusterContainsCapacityProviderException",
            "The Cluster cannot be deleted while it contains capacity providers.",
        )
    return {"cluster": await _describe(tx, clusters.delete(tx, found, ctx.now()), {"SETTINGS"})}


@service.operation("DescribeClusters")
async def describe_clusters(ctx: Context, tx: Transaction, params: Params) -> Result:
    references = params.get("clusters") or [clusters.DEFAULT]
    if len(references) > _MAX_DESCRIBED_ITEMS:
        raise errors.InvalidParameter(f"Clusters can have at most {_MAX_DESCRIBED_ITEMS} items.")
    included = {*(params.get("include") or ())}
    found, failures = [], []
    for reference in references:
        cluster = await clusters.find(tx, ctx.account, ctx.region, reference)
        if cluster is not None:
            found.append(await _describe(tx, cluster, included))
        else:
            is_name = not reference.startswith("arn:")
            arn = arns.make_arn(ctx.region, ctx.account, "cluster", reference) if is_name else reference
            failures.append({"arn": arn, "reason": "MISSING"})
    return {"clusters": found, "failures": failures}


@service.operation("ListClusters")
async def list_clusters(ctx: Context, tx: Transaction, params: Params) -> Result:
    def select(raw: bytes) -> str | None:
        cluster = clusters.decode(raw)
        return cluster.arn if cluster.is_active else None

    limit = params.get("maxResults") or _MAX_PAGE_ITEMS
    if not 1 <= limit <= _MAX_PAGE_ITEMS:
        raise errors.InvalidParameter(f"maxResults must be between 1 and {_MAX_PAGE_ITEMS}.")
    space = clusters.get_space(ctx.account, ctx.region)
    wrong = errors.InvalidParameter("Invalid token: the nextToken is not valid.")
    found, following = await listing.list_page(tx, space, params.get("nextToken"), limit, select, wrong)
    return {"clusterArns": found, "nextToken": following}


async def _describe(tx: Transaction, cluster: Cluster, included: set[str]) -> dict[str, Any]:
    counts = await tasks.count_tasks(tx, cluster.account, cluster.region, cluster.name)
    by_service = await services.count_services(tx, cluster)
    answer: dict[str, Any] = {
        "clusterArn": cluster.arn,
        "clusterName": cluster.name,
        "status": cluster.status,
        "registeredContainerInstancesCount": len(await instances.list_instances(tx, cluster)),
        "runningTasksCount": sum(count for (_, status), count in counts.items() if status == "RUNNING"),
        "pendingTasksCount": sum(count for (_, status), count in counts.items() if status == "PENDING"),
        "activeServicesCount": sum(count for (_, status), count in by_service.items() if status == "ACTIVE"),
        "capacityProviders": cluster.capacity_providers,
        "defaultCapacityProviderStrategy": cluster.default_strategy,
        "statistics": [],
        "tags": [],
        "settings": [],
    }
    if cluster.namespace:
        answer["serviceConnectDefaults"] = {"namespace": cluster.namespace}
    if "SETTINGS" in included:
        answer["settings"] = [{"name": name, "value": value} for name, value in cluster.settings.items()]
    if "CONFIGURATIONS" in included and cluster.configuration:
        answer["configuration"] = cluster.configuration
    if "TAGS" in included:
        answer["tags"] = resource_tags.to_api(await tags.load(tx, cluster.arn))
    if "STATISTICS" in included:
        answer["statistics"] = [
            {"name": name, "value": str(table.get(key, 0))}
            for launch_type, word in (("EC2", "EC2"), ("FARGATE", "Fargate"))
            for name, table, key in (
                (f"running{word}TasksCount", counts, (launch_type, "RUNNING")),
                (f"pending{word}TasksCount", counts, (launch_type, "PENDING")),
                (f"active{word}ServiceCount", by_service, (launch_type, "ACTIVE")),
                (f"draining{word}ServiceCount", by_service, (launch_type, "DRAINING")),
            )
        ]
    return answer
