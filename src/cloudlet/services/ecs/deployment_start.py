"""The beginning of a deployment: a new revision of a service."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.kernel.ids import token, uuid4
from cloudlet.services.ecs import deployment_states, service_history
from cloudlet.services.ecs.deployment_record import ServiceDeployment
from cloudlet.services.ecs.service_record import ACTIVE, Deployment, Revision, Service

_DIGITS = "0123456789"


def make_starter_id() -> str:
    """Return the id of a new deployment or task set."""
    return "ecs-svc/" + token(1, _DIGITS[1:]) + token(18, _DIGITS)


def make_revision(members: dict[str, Any], now: float) -> Revision:
    """Return a new revision of a service."""
    return Revision(token(1, _DIGITS[1:]) + token(18, _DIGITS), now, members)


async def begin(tx: Transaction, service: Service, members: dict[str, Any], now: float) -> Service:
    """Begin the deployment of a new revision; what was being deployed is given up."""
    await _give_up(tx, service, now)
    revision = make_revision(members, now)
    service_history.save_revision(tx, service.key, revision)
    starter = make_starter_id()
    operation = ServiceDeployment(
        # By their ids, the oldest deployment comes first.
        f"{int(now * 1000):013d}{uuid4()[:8]}",
        now,
        now,
        starter,
        revision.id,
        [deployment.revision.id for deployment in service.deployments],
        service.configuration,
        reason="",
    )
    service_history.save_deployment(tx, service.key, operation)
    await service_history.forget_old(tx, service.key)
    made = Deployment(
        starter, revision, now, now, reason=f"ECS deployment {starter} in progress.", operation=operation.id
    )
    others = [replace(each, status=ACTIVE) for each in service.deployments]
    return replace(service, deployments=[made, *others], is_steady=False, stuck="")


async def _give_up(tx: Transaction, service: Service, now: float) -> None:
    """Note that a deployment that has not ended is replaced by another one."""
    primary = service.primary
    if primary is None:
        return
    operation = await service_history.find_deployment(tx, service.key, primary.operation)
    if operation is None or deployment_states.is_final(operation.status):
        return
    is_back = operation.status == deployment_states.ROLLBACK_IN_PROGRESS
    given_up = replace(
        operation,
        status=deployment_states.ROLLBACK_FAILED if is_back else deployment_states.STOPPED,
        reason="Service deployment was superseded by a newer one.",
        stopped=now,
        finished=now,
        updated=now,
        hooks=[],
    )
    service_history.save_deployment(tx, service.key, given_up)
