"""The beginning of a deployment: a new revision of a service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.kernel.ids import token, uuid4
from cloudlet.services.ecs import deployment_states, service_history
from cloudlet.services.ecs.connect_record import Connect
from cloudlet.services.ecs.deployment_record import ServiceDeployment
from cloudlet.services.ecs.deployment_states import ROLLING
from cloudlet.services.ecs.service_record import ACTIVE, Deployment, Revision, Service

_DIGITS: Final = "0123456789"
_UNKNOWN: Final = -1.0


def make_starter_id() -> str:
    """Return the id of a new deployment or task set."""
    return "ecs-svc/" + token(1, _DIGITS[1:]) + token(18, _DIGITS)


def make_deployment_id(now: float) -> str:
    """Return the id of a new service deployment. By their ids, the oldest comes first."""
    return f"{int(now * 1000):013d}{uuid4()[:8]}"


def make_revision_id() -> str:
    """Return the id of a new revision."""
    return token(1, _DIGITS[1:]) + token(18, _DIGITS)


def make_revision(
    members: dict[str, Any],
    now: float,
    serving: Revision | None = None,
    *,
    is_opposite: bool = False,
    managed: Sequence[dict[str, Any]] = (),
) -> Revision:
    """Return a new revision of a service.

    Its tasks are in the same target groups as those of the revision that serves now, or in the other ones. `managed`
    are the load balancers of gateways.
    """
    used = serving.groups if serving else []
    groups = []
    for each in (*(members.get("loadBalancers") or ()), *managed):
        group = each["targetGroupArn"]
        other = (each.get("advancedConfiguration") or {}).get("alternateTargetGroupArn")
        groups.append(other if other and (group in used if is_opposite else other in used) else group)
    return Revision(make_revision_id(), now, members, groups, managed=[*managed])


def plan(service: Service, revision: str, now: float) -> ServiceDeployment:
    """Return the service deployment of a new revision, which has not begun."""
    return ServiceDeployment(
        make_deployment_id(now),
        now,
        now,
        make_starter_id(),
        revision,
        [deployment.revision.id for deployment in service.deployments],
        service.configuration,
        reason="",
    )


async def begin(
    tx: Transaction,
    service: Service,
    members: dict[str, Any],
    now: float,
    connect: Connect | None = None,
    *,
    planned: ServiceDeployment | None = None,
    managed: Sequence[dict[str, Any]] = (),
) -> Service:
    """Begin the deployment of a new revision; what was being deployed is given up.

    `planned` is the service deployment, where it was told of before.
    """
    if service.primary is not None:
        await give_up(tx, service.key, service.primary.operation, now)
    is_staged = (service.configuration.get("strategy") or ROLLING) != ROLLING
    revision = make_revision(members, now, service.last_completed, is_opposite=is_staged, managed=managed)
    revision = replace(revision, connect=connect, id=planned.target if planned else revision.id)
    service_history.save_revision(tx, service.key, revision)
    operation = plan(service, revision.id, now)
    if planned is not None:
        operation = replace(operation, id=planned.id, created=planned.created)
    starter = operation.deployment
    if len(operation.sources) > 1:
        # Where the traffic goes was left to chance by what was given up.
        operation = replace(operation, shifted_test=_UNKNOWN, shifted_production=_UNKNOWN)
    service_history.save_deployment(tx, service.key, operation)
    await service_history.forget_old(tx, service.key)
    made = Deployment(
        starter, revision, now, now, reason=f"ECS deployment {starter} in progress.", operation=operation.id
    )
    others = [replace(each, status=ACTIVE) for each in service.deployments]
    return replace(service, deployments=[made, *others], is_steady=False, stuck="")


async def give_up(tx: Transaction, key: tuple[str, str, str, str], deployment: str, now: float) -> None:
    """Note that a deployment that has not ended is replaced by another one."""
    operation = await service_history.find_deployment(tx, key, deployment)
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
    service_history.save_deployment(tx, key, given_up)
