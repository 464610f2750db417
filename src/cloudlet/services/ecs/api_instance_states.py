"""The operation that drains container instances, and takes them back."""

from __future__ import annotations

from typing import Final

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.ecs import clusters, errors, instance_shape, instances, managed_states, service_scheduler
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.managed_states import ACTIVE, DRAINING

_MAX_INSTANCES: Final = 10


@service.operation("UpdateContainerInstancesState")
async def update_container_instances_state(ctx: Context, tx: Transaction, params: Params) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    references, status = params["containerInstances"], params["status"]
    if status not in (ACTIVE, DRAINING):
        raise errors.InvalidParameter("The status of a container instance can only be updated to ACTIVE or DRAINING.")
    if not 1 <= len(references) <= _MAX_INSTANCES:
        raise errors.InvalidParameter(f"Specify between 1 and {_MAX_INSTANCES} container instances.")
    updated, failures = [], []
    for reference in references:
        instance = await instances.find(tx, cluster, reference)
        if instance is None:
            failures.append({"arn": reference, "reason": "MISSING"})
            continue
        if not managed_states.can_update_instance(instance.status, status, is_managed=instance.managed is not None):
            text = f"The container instance cannot be updated to {status}, as its status is {instance.status}."
            raise errors.ClientError(text)
        if instance.status != status:
            instance = instances.change_status(tx, instance, status)
            await service_scheduler.request_all(tx, *cluster.key)
        updated.append(await instance_shape.describe(tx, instance))
    return {"containerInstances": updated, "failures": failures}
