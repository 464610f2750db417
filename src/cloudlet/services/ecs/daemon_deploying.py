"""Brings the deployment of a daemon, step by step, to its end.

Developer guide, "Daemon deployments". The states are those of service deployments (`deployment_states`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from cloudlet.services.ecs import daemon_tasks, daemons, deployment_states, service_history
from cloudlet.services.ecs.daemon_record import Daemon, list_providers
from cloudlet.services.ecs.deployment_record import ServiceDeployment
from cloudlet.services.ecs.deployment_states import BAKE_TIME
from cloudlet.services.ecs.managed_states import ACTIVE, DELETE_IN_PROGRESS, DRAINING

if TYPE_CHECKING:
    from cloudlet.services.ecs.daemon_scheduler import Look

MAX_FAILED_TASKS: Final = 3
"""The count of failures by which the circuit breaker gives a deployment up."""


class DaemonDeploying:
    """A step of the deployment of a daemon."""

    def __init__(self, look: Look, daemon: Daemon, alarms: list[str]) -> None:
        """`alarms` has those that are in ALARM, of the deployment's."""
        self._look = look
        self._daemon = daemon
        self._alarms = alarms

    async def advance(self) -> None:
        """Do what can be done now."""
        look, daemon = self._look, self._daemon
        if daemon.status == DELETE_IN_PROGRESS:
            if not any(daemon.name in each.daemons for each in look.instances):
                daemons.remove(look.tx, daemon)
                del look.daemons[daemon.name]
            return
        known = await service_history.find_deployment(look.tx, daemon.history_key, daemon.deployment)
        if known is None or deployment_states.is_final(known.status):
            return
        operation = self._find_failure(self._begin(known))
        if not deployment_states.is_final(operation.status) and await self._has_waited(operation):
            operation = self._complete(operation)
        elif operation.stage == "" and await self._is_deployed():
            operation = replace(operation, stage=BAKE_TIME, stage_since=look.now)
            look.look_again(0)
        if operation != known:
            service_history.save_deployment(look.tx, daemon.history_key, replace(operation, updated=look.now))

    def _begin(self, operation: ServiceDeployment) -> ServiceDeployment:
        if operation.status != deployment_states.PENDING:
            return operation
        is_watched = operation.is_watched and not self._alarms
        now = self._look.now
        return replace(operation, status=deployment_states.IN_PROGRESS, started=now, is_watched=is_watched)

    def _find_failure(self, operation: ServiceDeployment) -> ServiceDeployment:
        """Return a deployment that is given up where it has failed."""
        if operation.status != deployment_states.IN_PROGRESS:
            return operation
        if operation.failures >= MAX_FAILED_TASKS:
            reason = "Daemon deployment circuit breaker: tasks failed to start."
            return self._fail(replace(operation, is_broken=True), reason)
        if self._alarms and operation.is_watched:
            return self._fail(replace(operation, triggered_alarms=self._alarms), "Daemon deployment alarms: alarm "
                              "detected.")  # fmt: skip
        return operation

    def _fail(self, operation: ServiceDeployment, reason: str) -> ServiceDeployment:
        """Roll back to the revision that was complete last. Without one, no instance is to have the daemon."""
        look, target = self._look, self._daemon.last_completed
        look.look_again(0)
        self._daemon = look.save_daemon(replace(self._daemon, target=target, failed_tasks=0))
        if target is None:
            return replace(operation, status=deployment_states.STOPPED, reason=reason, stopped=look.now)
        arn = self._daemon.make_arn("daemon-revision", target.id)
        rollback = {"reason": reason, "startedAt": look.now, "rollbackTargetDaemonRevisionArn": arn}
        return replace(
            operation,
            status=deployment_states.ROLLBACK_IN_PROGRESS,
            reason=reason,
            rollback={**rollback, "rollbackCapacityProviders": list_providers(target)},
            stage="",
        )

    async def _is_deployed(self) -> bool:
        """Whether all instances have the target revision, and only they."""
        look, daemon = self._look, self._daemon
        target = daemon.target
        for instance in look.instances:
            if instance.daemons.get(daemon.name, target and target.id) != (target and target.id):
                return False
            if instance.provider in list_providers(target) and instance.status == DRAINING:
                return False
        for name in list_providers(target):
            active = next((each for each in look.instances if (each.provider, each.status) == (name, ACTIVE)), None)
            if active is None or not await daemon_tasks.has_daemon(look, active, daemon.name):
                return False
        return True

    async def _has_waited(self, operation: ServiceDeployment) -> bool:
        """Whether a deployment has reached all instances, and was watched for long enough."""
        if operation.stage != BAKE_TIME:
            return False
        is_back = operation.status == deployment_states.ROLLBACK_IN_PROGRESS
        minutes = 0 if is_back else operation.configuration.get("bakeTimeInMinutes") or 0
        left = operation.stage_since + minutes * 60 - self._look.now
        if left > 0:
            self._look.look_again(left)
        return left <= 0

    def _complete(self, operation: ServiceDeployment) -> ServiceDeployment:
        self._look.save_daemon(replace(self._look.daemons[self._daemon.name], last_completed=self._daemon.target))
        is_back = operation.status == deployment_states.ROLLBACK_IN_PROGRESS
        status = deployment_states.ROLLBACK_SUCCESSFUL if is_back else deployment_states.SUCCESSFUL
        return replace(operation, status=status, finished=self._look.now)
