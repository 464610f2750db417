"""Alarms of CloudWatch that make a deployment fail.

Developer guide, "How CloudWatch alarms detect Amazon ECS deployment failures".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cloudlet.core import AwsError, Transaction
from cloudlet.services.ecs import service_history, services
from cloudlet.services.ecs.deployment_states import IN_PROGRESS, PENDING
from cloudlet.services.ecs.service_record import Service

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

LOOK_SECONDS: Final = 10.0


async def find_triggered(block: Block, key: tuple[str, str, str, str]) -> tuple[bool, list[str]]:
    """Return whether a deployment's alarms are watched, and those that are in ALARM."""

    async def find(tx: Transaction) -> list[str]:
        service = await services.find(tx, *key)
        return await _list_watched(tx, service) if service is not None else []

    account, region, *_ = key
    names = await block.store.transact(find)
    return bool(names), await list_in_alarm(block, account, region, names)


async def list_in_alarm(block: Block, account: str, region: str, names: list[str]) -> list[str]:
    """Return the alarms that are in ALARM, of those that are watched."""
    if not names or not block.cloud.has("cloudwatch"):
        return []
    params = {"AlarmNames": names, "StateValue": "ALARM", "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}
    try:
        answer = await block.call("cloudwatch", "DescribeAlarms", params, account=account, region=region) or {}
    except AwsError:
        # It is asked again soon.
        return []
    found = [*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())]
    return [alarm["AlarmName"] for alarm in found]


async def _list_watched(tx: Transaction, service: Service) -> list[str]:
    alarms = service.configuration.get("alarms") or {}
    primary = service.primary
    if not alarms.get("enable") or primary is None:
        return []
    operation = await service_history.find_deployment(tx, service.key, primary.operation)
    is_watched = operation is not None and operation.is_watched and operation.status in (PENDING, IN_PROGRESS)
    return alarms["alarmNames"] if is_watched else []
