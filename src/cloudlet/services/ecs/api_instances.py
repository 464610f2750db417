"""The operations on container instances and their attributes."""

from __future__ import annotations

from typing import Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.ecs import (
    clusters,
    instance_shape,
    instances,
    offsets,
    placement,
    query_language,
    resource_tags,
    tasks,
)
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.cluster_record import Cluster
from cloudlet.services.ecs.errors import InvalidParameter
from cloudlet.services.ecs.instances import Instance

_MAX_ATTRIBUTES: Final = 10
_MAX_PAGE_ITEMS: Final = 100


@service.operation("ListContainerInstances")
async def list_container_instances(ctx: Context, tx: Transaction, params: Params) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    is_wanted = query_language.parse(params["filter"]) if params.get("filter") else None
    live = await tasks.list_tasks(tx, *cluster.key)
    found = []
    for instance in await instances.list_instances(tx, cluster):
        placed = [task for task in live if task.container_instance == instance.arn]
        if params.get("status") not in (None, instance.status):
            continue
        if is_wanted is None or is_wanted(await placement.load_facts(tx, instance, placed)):
            found.append(instance.arn)
    page, following = offsets.cut_page(found, params, _MAX_PAGE_ITEMS, _MAX_PAGE_ITEMS)
    return {"containerInstanceArns": page, "nextToken": following}


@service.operation("DescribeContainerInstances")
async def describe_container_instances(ctx: Context, tx: Transaction, params: Params) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    if not params["containerInstances"]:
        raise InvalidParameter("Container instance cannot be empty.")
    found, failures = [], []
    for reference in params["containerInstances"]:
        if (instance := await instances.find(tx, cluster, reference)) is not None:
            shape = await instance_shape.describe(tx, instance)
            if "TAGS" in (params.get("include") or ()):
                shape["tags"] = resource_tags.to_api(await tags.load(tx, instance.arn))
            found.append(shape)
        else:
            failures.append({"arn": reference, "reason": "MISSING"})
    return {"containerInstances": found, "failures": failures}


@service.operation("PutAttributes")
async def put_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    instance = await _find_target(tx, cluster, params)
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
    instance = await _find_target(tx, cluster, params)
    gone = {attribute["name"] for attribute in params["attributes"]}
    known = await instances.load_attributes(tx, instance)
    instances.save_attributes(tx, instance, {name: value for name, value in known.items() if name not in gone})
    return {"attributes": params["attributes"]}


async def _find_target(tx: Transaction, cluster: Cluster, params: Params) -> Instance:
    """Return the instance that all attributes of a request are for."""
    targets = {each.get("targetId") or "" for each in params["attributes"]}
    found = [await instances.find(tx, cluster, each) for each in targets]
    target = found[0] if found else None
    if target is None or any(each is None or each.id != target.id for each in found):
        raise AwsError("TargetNotFoundException", "The specified target was not found.")
    return target


@service.operation("ListAttributes")
async def list_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    name, value = params.get("attributeName"), params.get("attributeValue")
    if value and not name:
        raise InvalidParameter("attributeName must be specified with attributeValue.")
    found = [
        {**attribute, "targetId": instance.arn}
        for instance in await instances.list_instances(tx, cluster)
        for attribute in await instance_shape.list_attributes(tx, instance)
        if name in (None, attribute["name"]) and value in (None, attribute.get("value"))
    ]
    page, following = offsets.cut_page(found, params, _MAX_PAGE_ITEMS, _MAX_PAGE_ITEMS)
    return {"attributes": page, "nextToken": following}
