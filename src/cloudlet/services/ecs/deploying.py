"""Brings the tasks of a service, step by step, to those of its primary deployment.

Developer guide, "Amazon ECS deployment controllers and strategies". What was deployed last without failing is what a
deployment that fails is rolled back to.
"""

from __future__ import annotations

import math
from typing import Final

from msgspec.structs import replace

from cloudlet.services.ecs import deployment_states, lifecycle_hooks, rolling, service_history, steady_services, traffic
from cloudlet.services.ecs.deployment_record import ServiceDeployment
from cloudlet.services.ecs.deployment_start import make_starter_id
from cloudlet.services.ecs.deployment_states import (
    BAKE_TIME,
    CLEAN_UP,
    PRODUCTION_TRAFFIC_SHIFT,
    RECONCILE_SERVICE,
    SCALE_UP,
    TEST_TRAFFIC_SHIFT,
)
from cloudlet.services.ecs.rolling import Bounds, TaskState
from cloudlet.services.ecs.scheduling_round import Round
from cloudlet.services.ecs.service_record import (
    ACTIVE,
    COMPLETED,
    FAILED,
    IN_PROGRESS,
    PRIMARY,
    Deployment,
    Revision,
    Service,
)

_IMPAIRED_FAILURES: Final = 3
_MIN_FAILURES: Final = 3
_MAX_FAILURES: Final = 200
_DEFAULT_PERCENT: Final = 50
_BAKE_MINUTES: Final = 15


class Deploying:
    """A step of the deployment of a service."""

    def __init__(self, look: Round, operation: ServiceDeployment | None, alarms: list[str]) -> None:
        self._round = look
        self._operation = operation
        self._alarms = alarms
        self._new: list[TaskState] = []

    async def advance(self) -> bool:
        """Do what can be done now; return whether lifecycle hooks are to be run."""
        look = self._round
        known = self._operation.hooks if self._operation else []
        await self._count_failures()
        self._begin()
        self._find_failure()
        look.is_rolling_back = self._is_rolling_back()
        if self._operation is not None and self._is_staged():
            await self._run_stages(self._operation)
        else:
            await self._roll()
        self._forget_replaced()
        self._settle()
        if self._operation is not None:
            service_history.save_deployment(look.tx, look.service.key, self._operation)
        return self._operation is not None and self._operation.hooks != known

    @property
    def _primary(self) -> Deployment:
        return self._round.service.deployments[0]

    @property
    def _others(self) -> list[Deployment]:
        return self._round.service.deployments[1:]

    def _change_primary(self, **changes: object) -> None:
        self._round.service = self._round.service.change_primary(**changes)

    def _change_operation(self, **changes: object) -> None:
        if self._operation is not None:
            self._operation = replace(self._operation, updated=self._round.now, **changes)

    def _is_going(self) -> bool:
        """Whether a deployment is under way that may yet fail."""
        return self._operation is not None and self._operation.status == deployment_states.IN_PROGRESS

    def _is_rolling_back(self) -> bool:
        return self._operation is not None and self._operation.status == deployment_states.ROLLBACK_IN_PROGRESS

    def _is_staged(self) -> bool:
        return self._is_going() and self._operation is not None and self._operation.is_staged

    async def _count_failures(self) -> None:
        look, primary = self._round, self._primary
        self._new = await look.find_states(primary.id)
        count = look.count_failures(primary.id)
        bad = sum(task.is_unhealthy and not task.is_protected for task in self._new)
        failed = primary.failed_tasks + count
        if count:
            self._change_primary(failed_tasks=failed, failed_at=look.now, updated=look.now)
            self._change_operation(failures=failed)
            if primary.failed_tasks < _IMPAIRED_FAILURES <= failed:
                look.news.tell(
                    "is unable to consistently start tasks successfully. For more information, see the Troubleshooting "
                    "section of the Amazon ECS Developer Guide."
                )
                look.news.note_action("SERVICE_TASK_START_IMPAIRED", "WARN")
        elif failed and not bad and any(task.is_healthy for task in self._new) and self._can_reset():
            self._change_primary(failed_tasks=0)
            self._change_operation(failures=0)

    def _can_reset(self) -> bool:
        breaker = self._round.service.configuration.get("deploymentCircuitBreaker") or {}
        return breaker.get("resetOnHealthyTask") is not False

    def _begin(self) -> None:
        operation, look = self._operation, self._round
        if operation is None or operation.status != deployment_states.PENDING:
            return
        stage = ""
        if operation.is_staged:
            stage = deployment_states.find_first_stage(len(operation.sources) > 1)
        self._change_operation(
            status=deployment_states.IN_PROGRESS, started=look.now, is_watched=operation.is_watched and not self._alarms
        )
        if stage:
            self._enter(stage)
        look.news.note_deployment("SERVICE_DEPLOYMENT_IN_PROGRESS", self._primary, self._primary.reason)

    def _find_failure(self) -> None:
        """Give up a deployment that has failed, or that somebody wants to be given up."""
        operation = self._operation
        if operation is None:
            return
        if operation.status == deployment_states.ROLLBACK_REQUESTED:
            self._fail("stopped by user", "Service deployment rolled back because of a user request.", True)
        elif not self._is_going():
            return
        elif self._is_broken():
            breaker = operation.configuration["deploymentCircuitBreaker"]
            self._change_operation(is_broken=True)
            self._fail("tasks failed to start", "ECS deployment circuit breaker: tasks failed to start.",
                       breaker["rollback"])  # fmt: skip
        elif self._alarms and operation.is_watched:
            self._change_operation(triggered_alarms=self._alarms)
            self._fail("alarm detected", "ECS deployment alarms: alarm detected.",
                       operation.configuration["alarms"]["rollback"])  # fmt: skip
        elif operation.traffic_error:
            self._fail("unable to shift traffic", f"ECS was unable to shift traffic: {operation.traffic_error}", True)
        elif failed := lifecycle_hooks.find_failed(operation):
            self._fail("lifecycle hook failed", f"Lifecycle hook failed at {failed.stage}.", True)

    def _is_broken(self) -> bool:
        """Whether too many tasks have failed (developer guide, "Amazon ECS deployment circuit breaker")."""
        operation = self._operation
        breaker = (operation.configuration if operation else {}).get("deploymentCircuitBreaker") or {}
        return bool(breaker.get("enable")) and self._primary.failed_tasks >= find_threshold(self._round.service)

    def _fail(self, why: str, reason: str, is_rolled_back: bool) -> None:
        look = self._round
        look.news.tell_failed(self._primary, why, reason)
        target = look.service.last_completed
        if is_rolled_back and target is not None and target.id != self._primary.revision.id:
            self._roll_back(target, reason)
            return
        self._change_primary(rollout=FAILED, reason=reason, updated=look.now)
        self._change_operation(status=deployment_states.STOPPED, reason=reason, stopped=look.now, hooks=[])

    def _roll_back(self, target: Revision, reason: str) -> None:
        look, failed = self._round, self._primary
        known = next((each for each in self._others if each.revision.id == target.id), None)
        back = known or Deployment(make_starter_id(), target, look.now, look.now, was_completed=True)
        words = f"{reason.partition(':')[0]}: rolling back to deploymentId {back.id}."
        others = [each for each in self._others if each.id != back.id]
        first = replace(
            back,
            status=PRIMARY,
            rollout=IN_PROGRESS,
            reason=words,
            failed_tasks=0,
            operation=failed.operation,
            updated=look.now,
        )
        failed = replace(failed, status=ACTIVE, rollout=FAILED, reason=reason, updated=look.now)
        look.service = replace(look.service, deployments=[first, failed, *others])
        arn = look.service.make_arn("service-revision", target.id)
        self._change_operation(
            status=deployment_states.ROLLBACK_IN_PROGRESS,
            reason=reason,
            rollback={"reason": reason, "startedAt": look.now, "serviceRevisionArn": arn},
            hooks=[],
            traffic_error="",
        )
        look.news.tell(f"rolling back to deployment {back.id}.")
        look.news.note_deployment("SERVICE_DEPLOYMENT_IN_PROGRESS", first, words)
        self._new = []

    async def _roll(self) -> None:
        """Replace old tasks by new ones, as far as it may go."""
        look = self._round
        primary = self._primary
        self._new = await look.find_states(primary.id)
        old = [task for each in self._others for task in await look.find_states(each.id)]
        may_start = primary.rollout != FAILED and not look.is_throttled(primary.failed_tasks, primary.failed_at)
        bounds = find_bounds(look.service)
        if look.service.scheduling == "DAEMON" and any(task.is_draining for task in (*self._new, *old)):
            # The instance is no place for it any more.
            bounds = Bounds(0, 0, bounds.highest)
        if primary.rollout == FAILED:
            # What runs yet is all that there is: it stays.
            bounds = Bounds(min(bounds.desired, len(self._new) + len(old)), bounds.lowest, bounds.highest)
        if self._is_serving_old():
            # Traffic goes to the others yet.
            self._request_traffic()
            old = []
        planned = rolling.plan(bounds, self._new, old, may_start)
        if not planned.stop and not planned.start and may_start and self._is_stuck(bounds, old):
            look.tell_stuck(
                "was unable to stop or start tasks during a deployment because of the service deployment "
                "configuration. Update the minimumHealthyPercent or maximumPercent value and try again."
            )
        self._replace_unhealthy(planned.stop)
        started = await look.start(primary.id, primary.revision, planned.start)
        if look.is_in_own_way:
            full = bounds._replace(highest=len(self._new) + len(old) + started)
            again = rolling.plan(full, self._new, old, may_start)
            self._replace_unhealthy([each for each in again.stop if each not in planned.stop])

    def _is_serving_old(self) -> bool:
        """Whether traffic goes, or may go, to tasks of other deployments than the primary one."""
        operation = self._operation
        if operation is None or not operation.is_staged or not self._primary.revision.shifts_traffic:
            return False
        if operation.status == deployment_states.ROLLBACK_IN_PROGRESS:
            return bool(operation.production_percent or operation.test_percent or not operation.is_shifted)
        return self._primary.rollout == FAILED

    def _request_traffic(self) -> None:
        """Have traffic shifted back to the old revision, once its tasks can take it."""
        if self._is_rolling_back() and self._has_all():
            self._change_operation(test_percent=0.0, production_percent=0.0)

    def _is_stuck(self, bounds: Bounds, old: list[TaskState]) -> bool:
        """Whether nothing will ever happen.

        There is no room for a task, and none may be stopped to make some.
        """
        return len(self._new) < bounds.desired and all(
            task.is_healthy and not task.is_protected and not task.is_draining for task in (*self._new, *old)
        )

    def _replace_unhealthy(self, ids: list[str]) -> None:
        """Stop tasks; those that have failed their health checks are counted as failures."""
        look, bad = self._round, {task.id: task.problem for task in self._new if task.is_unhealthy}
        failed = [each for each in ids if each in bad]
        look.tell_unhealthy(failed)
        for reason in sorted({bad[each] for each in failed}):
            look.stop([each for each in failed if bad[each] == reason], reason)
        if failed:
            count = self._primary.failed_tasks + len(failed)
            self._change_primary(failed_tasks=count, failed_at=look.now)
            self._change_operation(failures=count)
        look.stop([each for each in ids if each not in bad])

    async def _run_stages(self, operation: ServiceDeployment) -> None:
        """Go on in the lifecycle of a deployment that is not a rolling one.

        Both revisions run, each with all of its tasks.
        """
        look = self._round
        desired = look.service.desired
        for each in look.service.deployments:
            is_new = each.status == PRIMARY
            is_wanted = deployment_states.has_new_tasks(operation.stage) if is_new else self._is_source(each)
            target = desired if is_wanted else 0
            states = await look.find_states(each.id)
            may_start = not look.is_throttled(each.failed_tasks, each.failed_at)
            planned = rolling.plan(Bounds(target, 0, 2 * target + 1), states, [], may_start)
            self._replace_unhealthy(planned.stop)
            await look.start(each.id, each.revision, planned.start)
        self._new = await look.find_states(self._primary.id)
        if self._is_stage_done(operation):
            has_all_traffic = not self._has_traffic() or operation.production_percent >= traffic.ALL
            following = deployment_states.find_next_stage(operation.stage, has_all_traffic=has_all_traffic)
            if following is not None:
                self._enter(following)
                look.look_again(0)

    def _is_stage_done(self, operation: ServiceDeployment) -> bool:
        look = self._round
        if not lifecycle_hooks.has_finished(operation):
            return False
        if operation.stage == RECONCILE_SERVICE:
            is_alone = not any(look.is_present(each.id) for each in self._others if not self._is_source(each))
            return is_alone and (operation.is_shifted or not self._has_traffic())
        if operation.stage == SCALE_UP:
            return self._has_all()
        if operation.stage in (TEST_TRAFFIC_SHIFT, PRODUCTION_TRAFFIC_SHIFT) and self._has_traffic():
            return operation.is_shifted and self._has_waited(traffic.find_step_end(operation))
        if operation.stage == BAKE_TIME and operation.sources:
            minutes = operation.configuration.get("bakeTimeInMinutes")
            return self._has_waited(operation.stage_since + (_BAKE_MINUTES if minutes is None else minutes) * 60)
        return True

    def _has_waited(self, end: float) -> bool:
        """Whether a time has come. Otherwise it is looked again then."""
        left = end - self._round.now
        if left > 0:
            self._round.look_again(left)
        return left <= 0

    def _has_traffic(self) -> bool:
        return self._primary.revision.shifts_traffic

    def _enter(self, stage: str) -> None:
        now = self._round.now
        self._change_operation(stage=stage, stage_since=now)
        if self._operation is not None and self._has_traffic():
            self._operation = traffic.enter(self._operation, stage)
        if self._operation is not None:
            self._operation = lifecycle_hooks.enter(self._operation, stage, now)

    def _has_all(self) -> bool:
        """Whether all tasks of the primary deployment run and are healthy."""
        desired = find_bounds(self._round.service).desired
        return len(self._new) == desired and all(
            task.is_healthy and not task.is_unhealthy and not task.is_draining for task in self._new
        )

    def _forget_replaced(self) -> None:
        look = self._round
        left = [each for each in self._others if look.is_present(each.id)]
        left = [each for each in self._others if each in left or self._is_source(each)]
        look.service = replace(look.service, deployments=[self._primary, *left])

    def _is_source(self, deployment: Deployment) -> bool:
        """Whether a staged deployment may yet be rolled back to another one, which runs on."""
        source = self._round.service.last_completed
        is_over = not self._is_staged() or self._operation is None or self._operation.stage == CLEAN_UP
        return not is_over and source is not None and deployment.revision.id == source.id

    def _settle(self) -> None:
        """Note whether a service has all that it wants, and nothing else."""
        look = self._round
        if self._others or not self._has_all() or self._primary.rollout == FAILED or not self._is_last_stage():
            look.service = replace(look.service, is_steady=False)
            return
        if self._primary.rollout == IN_PROGRESS:
            self._complete()
        if not look.service.is_steady:
            look.service = steady_services.tell(look.tx, look.service, look.news, look.now)

    def _is_last_stage(self) -> bool:
        """Whether a deployment has gone through all stages, or was watched for long enough."""
        operation, look = self._operation, self._round
        if operation is None or not self._is_going():
            return True
        if operation.is_staged:
            return operation.stage == CLEAN_UP
        minutes = operation.configuration.get("bakeTimeInMinutes") or 0
        if not minutes or not operation.sources:
            return True
        if operation.stage != BAKE_TIME:
            self._change_operation(stage=BAKE_TIME, stage_since=look.now)
            look.look_again(minutes * 60)
            return False
        return self._has_waited(operation.stage_since + minutes * 60)

    def _complete(self) -> None:
        look, operation = self._round, self._operation
        self._change_primary(
            rollout=COMPLETED,
            reason=f"ECS deployment {self._primary.id} completed.",
            was_completed=True,
            updated=look.now,
        )
        look.service = replace(look.service, last_completed=self._primary.revision)
        look.news.tell_deployed(self._primary)
        if operation is not None and not deployment_states.is_final(operation.status):
            is_back = operation.status == deployment_states.ROLLBACK_IN_PROGRESS
            self._change_operation(
                status=deployment_states.ROLLBACK_SUCCESSFUL if is_back else deployment_states.SUCCESSFUL,
                finished=look.now,
                hooks=[],
            )


def find_bounds(service: Service) -> Bounds:
    """Return how many tasks a service wants.

    A daemon wants one on each container instance, of which there is one.
    """
    desired = 1 if service.scheduling == "DAEMON" else service.desired
    configuration = service.configuration
    is_draining = service.status != "ACTIVE"
    return rolling.find_bounds(
        0 if is_draining else desired, configuration["minimumHealthyPercent"], configuration["maximumPercent"]
    )


def find_threshold(service: Service) -> int:
    """Return how many failures of tasks make a deployment fail."""
    breaker = service.configuration.get("deploymentCircuitBreaker") or {}
    threshold = breaker.get("thresholdConfiguration") or {"type": "BOUNDED_PERCENT", "value": _DEFAULT_PERCENT}
    if threshold["type"] == "COUNT":
        return int(threshold["value"])
    count: int = math.ceil(threshold["value"] * service.desired / 100)
    if threshold["type"] == "UNBOUNDED_PERCENT":
        return max(1, count)
    return min(max(count, _MIN_FAILURES), _MAX_FAILURES)
