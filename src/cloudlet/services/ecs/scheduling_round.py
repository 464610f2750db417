"""One look of the service scheduler at a service and its tasks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from typing import Final

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.aws import tags
from cloudlet.services.ecs import capacity, connecting, definitions, instances, placement, tasks
from cloudlet.services.ecs.capacity import Capacity
from cloudlet.services.ecs.cluster_record import Cluster
from cloudlet.services.ecs.connect_record import TaskConnect
from cloudlet.services.ecs.definition_record import Definition
from cloudlet.services.ecs.instances import Instance
from cloudlet.services.ecs.load_balancing import LEFT, Health
from cloudlet.services.ecs.placement import Problem
from cloudlet.services.ecs.rolling import TaskState
from cloudlet.services.ecs.service_news import News
from cloudlet.services.ecs.service_record import Revision, Service, StoppedTask
from cloudlet.services.ecs.target_states import REGISTERED
from cloudlet.services.ecs.task_record import Task, TaskTarget
from cloudlet.services.ecs.tasks import TaskRequest

SETTLING_SECONDS: Final = 3.0
"""The time after which a task without health checks counts as healthy. AWS waits for 40 seconds."""
_BY_US: Final = "ServiceSchedulerInitiated"
_PLANNED: Final = (_BY_US, "UserInitiated", "TerminationNotice")
_STARTING: Final = ("PROVISIONING", "PENDING", "ACTIVATING")
_CONTAINER_CHECKS: Final = "Task failed container health checks"
_SERVING: Final = ("healthy", "unavailable")
"""The states of targets that get requests; the latter is for groups without health checks."""
_RETRY_SECONDS: Final = 60.0
_MORE: Final = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
_MAX_DELAY_SECONDS: Final = 300.0
_MAX_STARTED_TASKS: Final = 100
"""Tasks that are started in one transaction."""


class Round:
    """A look at a service, in a transaction."""

    def __init__(
        self,
        tx: Transaction,
        cluster: Cluster,
        service: Service,
        live: list[Task],
        stopped: list[StoppedTask],
        now: float,
        health: Health,
        draining: Collection[str] = (),
    ) -> None:
        """`draining` has the ARNs of container instances that are drained."""
        self.tx = tx
        self.service = service
        self.live = live
        self.now = now
        self.news = News(service, now)
        self.pause: float | None = None
        """After how many seconds to look again, if nothing happens before."""
        self.is_in_own_way = False
        """Whether a task could not be placed since others of the service have its ports.

        It is so, too, where no instance takes it.
        """
        self.is_rolling_back = False
        """Whether a deployment is rolled back, which waits for no load balancer that is gone."""
        self._cluster = cluster
        self._stopped = stopped
        self._checked: dict[str, set[str]] = {}
        self._health = health
        self._draining = draining

    def look_again(self, seconds: float) -> None:
        """Look again after so many seconds at most."""
        self.pause = seconds if self.pause is None else min(self.pause, seconds)

    def list_active(self, starter: str) -> list[Task]:
        """Return the tasks of a deployment or task set that are to run."""
        return [task for task in self.live if task.started_by == starter and task.desired_status == "RUNNING"]

    def is_present(self, starter: str) -> bool:
        """Whether a deployment or task set has tasks that run or are about to."""
        return any(task.started_by == starter and task.last_status in (*_STARTING, "RUNNING") for task in self.live)

    def count_failures(self, starter: str) -> int:
        """Return how many tasks of a deployment have ended though nobody has stopped them."""
        return sum(task.started_by == starter and task.code not in _PLANNED for task in self._stopped)

    async def find_states(self, starter: str) -> list[TaskState]:
        """Return the tasks of a deployment or task set that are to run."""
        return [await self._make_state(task) for task in self.list_active(starter)]

    async def _make_state(self, task: Task) -> TaskState:
        since = self.now - (task.started_at or self.now)
        grace = self.service.options.get("healthCheckGracePeriodSeconds") or 0
        problem = _CONTAINER_CHECKS if task.health_status == "UNHEALTHY" else self._find_bad_target(task)
        has_failed = bool(problem)
        if has_failed and since < grace:
            self.look_again(grace - since)
        is_protected = (task.protected_until or 0) > self.now
        if is_protected:
            self.look_again((task.protected_until or 0) - self.now)
        return TaskState(
            task.id,
            task.last_status == "RUNNING" and await self._is_healthy(task, since),
            has_failed and since >= grace,
            is_protected,
            task.created_at,
            problem,
            task.container_instance in self._draining,
        )

    def _find_bad_target(self, task: Task) -> str:
        """Return why a task is to be replaced that its load balancer calls unhealthy."""
        for target in task.targets:
            if target.state == REGISTERED and target.key in self._health:
                state = self._health[target.key].state
                if state == "unhealthy":
                    return f"Task failed ELB health checks in (target-group {target.group})"
        return ""

    def tell_unhealthy(self, ids: Collection[str]) -> None:
        """Tell of tasks that their load balancers call unhealthy."""
        for task in self.live:
            for target in task.targets if task.id in ids else ():
                found = self._health.get(target.key)
                if found is not None and found.state == "unhealthy":
                    where = f"(task {task.id}) (port {target.port}) is unhealthy in"
                    name = target.group.split("/")[1]
                    self.news.tell(f"{where} (target-group {name}) due to (reason {found.reason})")

    async def _is_healthy(self, task: Task, since: float) -> bool:
        checked = await self._list_checked(task)
        if not all(each.health == "HEALTHY" for each in task.containers if each.name in checked):
            return False
        if task.targets:
            states = [self._health[each.key].state for each in task.targets if each.key in self._health]
            good = (*_SERVING, *LEFT) if self.is_rolling_back else _SERVING
            return len(states) == len(task.targets) and all(state in good for state in states)
        if checked:
            return True
        if since < SETTLING_SECONDS:
            self.look_again(SETTLING_SECONDS - since)
        return since >= SETTLING_SECONDS

    async def _list_checked(self, task: Task) -> set[str]:
        """Return the names of essential containers that have health checks."""
        arn = task.definition_arn
        if arn not in self._checked:
            found = await definitions.find(self.tx, task.account, task.region, arn)
            self._checked[arn] = found.checked if found else set()
        return self._checked[arn]

    def stop(self, ids: list[str], reason: str = "") -> None:
        """Stop tasks."""
        if not ids:
            return
        for task in self.live:
            if task.id in ids:
                tasks.stop_task(self.tx, task, reason or f"Scaling activity initiated by ({_get_source(task)})", _BY_US,
                                self.now)  # fmt: skip
        self.live = [replace(task, desired_status="STOPPED") if task.id in ids else task for task in self.live]
        self.news.tell_stopped(ids)
        self.news.note_action("TASKS_STOPPED", taskArns=[task.arn for task in self.live if task.id in ids])

    def is_throttled(self, failures: int, failed_at: float) -> bool:
        """Whether no task is started now, as all have failed twice. Each time more doubles the delay."""
        times = failures // max(1, self.service.desired)
        if times < 2:
            return False
        left = failed_at + min(math.ldexp(0.5, min(times - 1, 20)), _MAX_DELAY_SECONDS) - self.now
        if left > 0:
            self.look_again(left)
        return left > 0

    async def start(self, starter: str, revision: Revision, count: int) -> int:
        """Start tasks by a revision; return how many could be started."""
        if count <= 0:
            return 0
        if count > _MAX_STARTED_TASKS:
            self.look_again(0)
        arn = revision.members["taskDefinition"]
        definition = await definitions.find(self.tx, self.service.account, self.service.region, arn)
        if definition is None:
            self._get_stuck("was unable to place a task. Reason: The task definition does not exist.")
            return 0
        connect = await connecting.find_endpoints(self.tx, self.service, revision.connect)
        running = Counter(task.capacity_provider for task in self.list_active(starter))
        made: list[Task] = []
        problem: Problem | None = None
        instance: Instance | None = None
        for _ in range(min(count, _MAX_STARTED_TASKS)):
            picked = capacity.pick(revision.choice, running)
            instance = None
            if picked.launch_type != "FARGATE":
                instance = await instances.choose(self.tx, self._cluster, picked.provider)
                if (problem := await self._find_problem(instance, definition)) is not None:
                    break
            running[picked.provider] += 1
            request = await self._make_request(starter, revision, definition, picked, instance, connect)
            made += await tasks.start_tasks(self.tx, self._cluster, request, 1, self.now)
            self.live = [*self.live, made[-1]]
        if made:
            self.news.tell_started([task.id for task in made])
        if problem is not None:
            self._get_unplaced(problem, instance)
        elif made:
            self.service = replace(self.service, stuck="")
        if problem == placement.NO_INSTANCE:
            self.is_in_own_way = True
        elif problem == placement.PORTS:
            holders = await placement.list_port_holders(self.tx, self._cluster, definition)
            self.is_in_own_way = all(task.service == self.service.name for task in holders)
        return len(made)

    async def _make_request(
        self,
        starter: str,
        revision: Revision,
        definition: Definition,
        picked: Capacity,
        instance: Instance | None,
        connect: TaskConnect | None,
    ) -> TaskRequest:
        service, members = self.service, revision.members
        source = {"TASK_DEFINITION": definition.arn, "SERVICE": service.arn}.get(
            service.options.get("propagateTags") or ""
        )
        return TaskRequest(
            definition,
            launch_type="" if picked.provider else picked.launch_type,
            capacity_provider=picked.provider,
            platform_version=members.get("platformVersion") or "",
            network=(members.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {},
            group=f"service:{service.name}",
            service=service.name,
            started_by=starter,
            tags=await tags.load(self.tx, source) if source else {},
            has_managed_tags=bool(service.options.get("enableECSManagedTags")),
            is_command_enabled=bool(service.options.get("enableExecuteCommand")),
            container_instance=instance.arn if instance else "",
            targets=[
                TaskTarget(group, each["containerName"], each["containerPort"])
                for each, group in zip(revision.balancers, revision.groups, strict=True)
            ],
            connect=connect,
        )

    async def _find_problem(self, instance: Instance | None, definition: Definition) -> Problem | None:
        """Return why no more task can be on a container instance; None where one can."""
        if instance is None:
            return placement.NO_INSTANCE
        constraints = self.service.options.get("placementConstraints") or ()
        return await placement.find_problem(self.tx, instance, definition, constraints, f"service:{self.service.name}")

    def _get_unplaced(self, problem: Problem, instance: Instance | None) -> None:
        """Tell why a task cannot be placed, once."""
        words = "was unable to place a task because no container instance met all of its requirements."
        if instance is None:
            words = f"{words} Reason: {placement.NO_INSTANCE_WORDS}"
        elif problem.words:
            words = f"{words} The closest matching (container-instance {instance.id}) {problem.words}."
        if self.service.stuck != (message := f"{words} {_MORE}"):
            self.news.note_action("SERVICE_TASK_PLACEMENT_FAILURE", "ERROR", reason=problem.event)
        self._get_stuck(message)

    def _get_stuck(self, message: str) -> None:
        self.tell_stuck(message)
        self.look_again(_RETRY_SECONDS)

    def tell_stuck(self, message: str) -> None:
        """Tell why nothing can be done, once."""
        if self.service.stuck != message:
            self.service = replace(self.service, stuck=message)
            self.news.tell(message)


def _get_source(task: Task) -> str:
    return f"deployment {task.started_by}"
