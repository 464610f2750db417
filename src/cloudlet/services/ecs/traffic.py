"""Traffic of deployments, shifted by weights of target groups, and of tasks in proxies.

Developer guide, "Amazon ECS blue/green deployments", "linear deployments" and "canary deployments". The scheduler says
how much of it the target revision is to have; here that is made so, by the API of Elastic Load Balancing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.services.ecs import connect_services, elb_calls, service_history, services
from cloudlet.services.ecs.deployment_record import ServiceDeployment
from cloudlet.services.ecs.deployment_states import (
    CANARY,
    IN_PROGRESS,
    LINEAR,
    PRODUCTION_TRAFFIC_SHIFT,
    ROLLBACK_IN_PROGRESS,
    TEST_TRAFFIC_SHIFT,
)
from cloudlet.services.ecs.service_record import Revision, Service

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

log = logging.getLogger("cloudlet.ecs")

ALL: Final = 100.0
"""All traffic, in percent."""
DEFAULTS: Final[Mapping[str, tuple[str, dict[str, float]]]] = {
    LINEAR: ("linearConfiguration", {"stepPercent": 10.0, "stepBakeTimeInMinutes": 6}),
    CANARY: ("canaryConfiguration", {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10}),
}
"""The configuration of strategies that shift traffic in steps."""
_RETRY_SECONDS: Final = 5.0
_Key = tuple[str, str, str, str]


def enter(operation: ServiceDeployment, stage: str) -> ServiceDeployment:
    """Return a deployment in a stage, with the traffic that its target is to have."""
    if stage == TEST_TRAFFIC_SHIFT:
        return replace(operation, test_percent=ALL)
    if stage == PRODUCTION_TRAFFIC_SHIFT:
        return replace(operation, production_percent=_find_next_percent(operation))
    return operation


def _find_next_percent(operation: ServiceDeployment) -> float:
    """Return how much of the production traffic comes after what the target has."""
    if not operation.sources:
        # There is nobody else to have the rest.
        return ALL
    if operation.strategy == LINEAR:
        step = float(operation.configuration["linearConfiguration"]["stepPercent"])
        return min(ALL, round(operation.production_percent + step, 1))
    if operation.strategy == CANARY and operation.production_percent == 0:
        return float(operation.configuration["canaryConfiguration"]["canaryPercent"])
    return ALL


def find_step_end(operation: ServiceDeployment) -> float:
    """Return when the step is over that traffic was shifted by."""
    if operation.stage != PRODUCTION_TRAFFIC_SHIFT or operation.production_percent >= ALL:
        return operation.shifted_at
    minutes = {
        LINEAR: lambda: operation.configuration["linearConfiguration"]["stepBakeTimeInMinutes"],
        CANARY: lambda: operation.configuration["canaryConfiguration"]["canaryBakeTimeInMinutes"],
    }[operation.strategy]()
    return operation.shifted_at + 60 * float(minutes)


async def settle(block: Block, key: _Key) -> float | None:
    """Have the traffic of a service where its deployment wants it.

    Return after how many seconds to try again.
    """
    found = await block.store.transact(lambda tx: _read(tx, key))
    if found is None:
        return None
    service, operation, target = found
    try:
        for balancer, group in zip(target.balancers, target.groups, strict=True):
            if balancer.get("advancedConfiguration"):
                await _change_rules(block, service, operation, balancer, group)
    except AwsError as error:
        log.warning("the traffic of %s cannot be shifted: %s", service.arn, error)
        is_lasting = error.status is not None and error.status < 500
        if not is_lasting or operation.status != IN_PROGRESS:
            return _RETRY_SECONDS
        await _note_error(block, key, operation, error)
        return 0.0
    if target.connect is not None and target.connect.ports:
        await connect_services.move_traffic(block, key, operation)
    done = {
        "shifted_test": operation.test_percent,
        "shifted_production": operation.production_percent,
        "shifted_at": block.clock.now(),
    }
    await _note(block, key, operation, done)
    return 0.0


async def _read(tx: Transaction, key: _Key) -> tuple[Service, ServiceDeployment, Revision] | None:
    """Return a service, its deployment and the target revision, where traffic is to be shifted."""
    service = await services.find(tx, *key)
    primary = service.primary if service else None
    if service is None or primary is None or not primary.revision.shifts_traffic:
        return None
    operation = await service_history.find_deployment(tx, key, primary.operation)
    if operation is None or not operation.is_staged or operation.is_shifted or operation.traffic_error:
        return None
    target = await service_history.find_revision(tx, key, operation.target)
    return None if target is None else (service, operation, target)


async def _note(block: Block, key: _Key, operation: ServiceDeployment, changes: dict[str, Any]) -> None:
    async def body(tx: Transaction) -> None:
        current = await service_history.find_deployment(tx, key, operation.id)
        if current is not None:
            service_history.save_deployment(tx, key, replace(current, **changes))

    await block.store.transact(body)


async def _note_error(block: Block, key: _Key, operation: ServiceDeployment, error: AwsError) -> None:
    """Have a deployment fail, unless it is given up already.

    What is rolled back needs its traffic.
    """

    async def body(tx: Transaction) -> None:
        current = await service_history.find_deployment(tx, key, operation.id)
        if current is not None and current.status == IN_PROGRESS:
            service_history.save_deployment(tx, key, replace(current, traffic_error=error.message))

    await block.store.transact(body)


async def _change_rules(
    block: Block, service: Service, operation: ServiceDeployment, balancer: Mapping[str, Any], group: str
) -> None:
    """Change the rules of one load balancer for two groups. Raises AwsError."""
    advanced = balancer["advancedConfiguration"]
    other = advanced["alternateTargetGroupArn"]
    if group == other:
        other = balancer["targetGroupArn"]
    for rule, percent, shifted in (
        (advanced.get("testListenerRule"), operation.test_percent, operation.shifted_test),
        (advanced["productionListenerRule"], operation.production_percent, operation.shifted_production),
    ):
        if not rule or percent == shifted:
            continue
        try:
            await _set_weights(block, service, advanced["roleArn"], rule, make_weights(group, other, percent))
        except AwsError as error:
            # A rule that is gone leads nobody to what is rolled back.
            if operation.status != ROLLBACK_IN_PROGRESS or error.code not in elb_calls.GONE:
                raise


def make_weights(group: str, other: str, percent: float) -> dict[str, int]:
    """Return the weights of two target groups; the first gets so much traffic.

    Tenths of a percent need weights of 1000 together, of which none may be that much alone.
    """
    if percent.is_integer():
        return {group: int(percent), other: int(ALL - percent)}
    tenths = round(percent * 10)
    return {group: tenths, other: 1000 - tenths}


async def _set_weights(block: Block, service: Service, role: str, rule: str, weights: Mapping[str, int]) -> None:
    """Have a listener rule, or the default action of a listener, forward by weights. Raises AwsError."""
    is_rule = ":listener-rule/" in rule
    reading = ("DescribeRules", "RuleArns", "Rules") if is_rule else ("DescribeListeners", "ListenerArns", "Listeners")
    changing = ("ModifyRule", "RuleArn", "Actions") if is_rule else ("ModifyListener", "ListenerArn", "DefaultActions")
    operation, member, listed = reading
    found = (await elb_calls.call(block, service, operation, {member: [rule]}, role=role))[listed][0]
    operation, member, actions = changing
    if not any(each.get("Type") == "forward" for each in found[actions]):
        raise AwsError("InvalidConfigurationRequest", f"{rule} does not forward to target groups.", status=400)
    changed = [change_action(each, weights) for each in found[actions]]
    await elb_calls.call(block, service, operation, {member: rule, actions: changed}, role=role)


def change_action(action: Mapping[str, Any], weights: Mapping[str, int]) -> dict[str, Any]:
    """Return an action, with other weights for some target groups."""
    if action.get("Type") != "forward":
        return dict(action)
    config = action.get("ForwardConfig") or {}
    known = config.get("TargetGroups") or [{"TargetGroupArn": action.get("TargetGroupArn"), "Weight": 1}]
    kept = [each for each in known if each["TargetGroupArn"] not in weights]
    groups = [*kept, *({"TargetGroupArn": group, "Weight": weight} for group, weight in weights.items())]
    rest = {name: value for name, value in action.items() if name != "TargetGroupArn"}
    return {**rest, "ForwardConfig": {**config, "TargetGroups": groups}}
