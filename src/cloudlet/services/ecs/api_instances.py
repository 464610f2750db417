"""The operations on container instances and their attributes."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.ecs import clusters, instances, placement, query_language, resource_tags, tasks
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.cluster_record import Cluster
from cloudlet.services.ecs.errors import InvalidParameter
from cloudlet.services.ecs.instances import Instance

_MAX_ATTRIBUTES: Final = 10


@service.operation("ListContainerInstances")
async def list_container_instances(ctx: Context, tx: Transaction, params: Params) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    is_wanted = query_language.parse(params["filter"]) if params.get("filter") else None
    if (params.get("status") or "ACTIVE") != "ACTIVE":
        return {"containerInstanceArns": []}
    live = [task for task in await tasks.list_tasks(tx, *cluster.key) if task.container_instance]
    if is_wanted is not None and not is_wanted(await placement.load_facts(tx, cluster, live)):
        return {"containerInstanceArns": []}
    return {"containerInstanceArns": [instances.get_instance(cluster).arn]}


@service.operation("DescribeContainerInstances")
async def describe_container_instances(ctx: Context, tx: Transaction, params: Params) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    if not params["containerInstances"]:
        raise InvalidParameter("Container instance cannot be empty.")
    found, failures = [], []
    for reference in params["containerInstances"]:
        if (instance := instances.find(cluster, reference)) is not None:
            shape = await _describe(tx, cluster, instance)
            if "TAGS" in (params.get("include") or ()):
                shape["tags"] = resource_tags.to_api(await tags.load(tx, instance.arn))
            found.append(shape)
        else:
            failures.append({"arn": reference, "reason": "MISSING"})
    return {"containerInstances": found, "failures": failures}


async def _describe(tx: Transaction, cluster: Cluster, instance: Instance) -> dict[str, Any]:
    cpu, memory = instances.measure_cpu(), instances.measure_memory()
    counts = await tasks.count_tasks(tx, cluster.account, cluster.region, cluster.name)
    live = await tasks.list_tasks(tx, cluster.account, cluster.region, cluster.name)
    reserved = [task.reserved for task in live if task.container_instance]
    left = cpu - sum(each for each, _ in reserved), memory - sum(each for _, each in reserved)
    return {
        "containerInstanceArn": instance.arn,
        "ec2InstanceId": instance.ec2_id,
        "status": "ACTIVE",
        "agentConnected": True,
        "registeredAt": cluster.created,
        "registeredResources": instances.make_resources(cpu, memory),
        "remainingResources": instances.make_resources(*left),
        "runningTasksCount": counts.get(("EC2", "RUNNING"), 0) + counts.get(("EXTERNAL", "RUNNING"), 0),
        "pendingTasksCount": counts.get(("EC2", "PENDING"), 0) + counts.get(("EXTERNAL", "PENDING"), 0),
        "attributes": await _list_attributes(tx, instance),
    }


async def _list_attributes(tx: Transaction, instance: Instance) -> list[dict[str, Any]]:
    known = {**instances.list_own_attributes(instance.cluster), **await instances.load_attributes(tx, instance)}
    return [{"name": name, "value": value} if value else {"name": name} for name, value in known.items()]


@service.operation("PutAttributes")
async def put_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    instance = _find_target(cluster, params)
    known = await instances.load_attributes(tx, instance)
    known |= {attribute["name"]: attribute.get("value") or "" for attribute in params["attributes"]}
    if len(known) > _MAX_ATTRIBUTES:
        message = f"A resource can have at most {_MAX_ATTRIBUTES} custom attributes."
        raise AwsError("AttributeLimitExceededException", message)
    instances.save_attributes(tx, instance, known)
    return {"attributes": params["attributes"]}


@service.operation("DeleteAttributes")
async def delete_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    instance = _find_target(cluster, params)
    gone = {attribute["name"] for attribute in params["attributes"]}
    known = await instances.load_attributes(tx, instance)
    instances.save_attributes(tx, instance, {name: value for name, value in known.items() if name not in gone})
    return {"attributes": params["attributes"]}


def _find_target(cluster: Cluster, params: Params) -> Instance:
    """Return the instance that all attributes of a request are for."""
    instance = instances.get_instance(cluster)
    for attribute in params["attributes"]:
        if instances.find(cluster, attribute.get("targetId") or "") is None:
            raise AwsError("TargetNotFoundException", "The specified target was not found.")
    return instance


@service.operation("ListAttributes")
async def list_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    instance = instances.get_instance(cluster)
    name, value = params.get("attributeName"), params.get("attributeValue")
    if value and not name:
        raise InvalidParameter("attributeName must be specified with attributeValue.")
    found = [
        {**attribute, "targetId": instance.arn}
        for attribute in await _list_attributes(tx, instance)
        if name in (None, attribute["name"]) and value in (None, attribute.get("value"))
    ]
    return {"attributes": found}
