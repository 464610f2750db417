"""The operations on tasks: run, start, stop, describe and list."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import listing, tags
from cloudlet.services.ecs import (
    arns,
    capacity,
    clusters,
    definitions,
    errors,
    instances,
    network_rules,
    placement,
    resource_tags,
    role_rules,
    run_tokens,
    task_shape,
    tasks,
)
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.capacity import Capacity
from cloudlet.services.ecs.cluster_record import Cluster
from cloudlet.services.ecs.definition_record import Definition
from cloudlet.services.ecs.instances import Instance
from cloudlet.services.ecs.managed_states import ACTIVE
from cloudlet.services.ecs.task_record import Task
from cloudlet.services.ecs.task_states import RUNNING, STOPPED

_MAX_STARTED_TASKS: Final = 10
_MAX_DESCRIBED_TASKS: Final = 100
_MAX_PAGE_TASKS: Final = 100
_MAX_REASON_CHARACTERS: Final = 1024
_STARTED_BY: Final = re.compile(r"[\w./-]{0,128}", re.ASCII)


@service.direct("RunTask")
async def run_task(ctx: Context, params: Params) -> Result:
    role_rules.check(ctx, "RunTask", params)
    await network_rules.check_subnets(ctx, params)
    return await ctx.transact(lambda tx: _run(ctx, tx, params))


async def _run(ctx: Context, tx: Transaction, params: Params) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    known = await run_tokens.find_tasks(ctx, tx, cluster, params)
    if known is not None:
        return {"tasks": [await _describe(tx, task, {"TAGS"}) for task in known], "failures": []}
    definition = await definitions.get_active(tx, ctx.account, ctx.region, params["taskDefinition"])
    count = 1 if params.get("count") is None else params["count"]
    if not 1 <= count <= _MAX_STARTED_TASKS:
        raise errors.InvalidParameter(f"count must be between 1 and {_MAX_STARTED_TASKS}.")
    choice = capacity.decide(cluster, params.get("launchType"), params.get("capacityProviderStrategy"))
    capacity.check(definition, choice, params.get("platformVersion"))
    network_rules.check_network(definition, params.get("networkConfiguration"), choice.launch_type)
    _check_placement(params, is_on_fargate=choice.is_fargate)
    made: list[Task] = []
    failures: list[dict[str, str]] = []
    for kind, number in Counter(capacity.pick_all(choice, count)).items():
        instance = None
        if kind.launch_type != "FARGATE":
            instance = await instances.choose(tx, cluster, kind.provider)
            if instance is None:
                raise errors.InvalidParameter(placement.NO_INSTANCE_WORDS)
        request = await _make_request(ctx, tx, params, definition, kind, instance.arn if instance else "")
        if instance is not None:
            constraints = params.get("placementConstraints") or []
            started, failed = await _start_on_instance(tx, instance, request, number, constraints, ctx.now())
            failures += failed
        else:
            started = await tasks.start_tasks(tx, cluster, request, number, ctx.now())
        made += started
    run_tokens.note(ctx, tx, cluster, params, made)
    return {"tasks": [await _describe(tx, task, {"TAGS"}) for task in made], "failures": failures}


def _check_placement(params: Params, *, is_on_fargate: bool) -> None:
    """Raise InvalidParameterException for placement that makes no sense."""
    constraints, strategies = params.get("placementConstraints") or [], params.get("placementStrategy") or []
    if is_on_fargate and (constraints or strategies):
        raise errors.InvalidParameter(
            "Placement constraints and strategies are not supported with FARGATE launch type."
        )
    placement.check(constraints, strategies)


async def _start_on_instance(
    tx: Transaction,
    instance: Instance,
    request: tasks.TaskRequest,
    count: int,
    constraints: list[dict[str, Any]],
    now: float,
) -> tuple[list[Task], list[dict[str, str]]]:
    """Start tasks on a container instance; return them, and why others were not."""
    made: list[Task] = []
    group = request.group or f"family:{request.definition.family}"
    for _ in range(count):
        problem = await placement.find_problem(tx, instance, request.definition, constraints, group)
        if problem is not None:
            failure = {"arn": instance.arn, "reason": problem.failure}
            return made, [failure] * (count - len(made))
        made += await tasks.start_tasks(tx, instance.cluster, request, 1, now)
    return made, []


@service.operation("StartTask")
async def start_task(ctx: Context, tx: Transaction, params: Params) -> Result:
    role_rules.check(ctx, "StartTask", params)
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    definition = await definitions.get_active(tx, ctx.account, ctx.region, params["taskDefinition"])
    listed = params["containerInstances"]
    if not 1 <= len(listed) <= _MAX_STARTED_TASKS:
        raise errors.InvalidParameter(f"containerInstances must have between 1 and {_MAX_STARTED_TASKS} items.")
    capacity.check(definition, capacity.Choice("EC2", []))
    network_rules.check_network(definition, params.get("networkConfiguration"), "EC2")
    made, failures = [], []
    for reference in listed:
        instance = await instances.find(tx, cluster, reference)
        if instance is None:
            failures.append({"arn": reference, "reason": "MISSING"})
            continue
        if instance.managed is not None:
            raise errors.InvalidParameter("Tasks cannot be started on instances of Amazon ECS Managed Instances.")
        problem = await placement.find_missing_resource(tx, instance, definition)
        problem = placement.NO_INSTANCE if instance.status != ACTIVE else problem
        if problem is not None:
            failures.append({"arn": instance.arn, "reason": problem.failure})
            continue
        request = await _make_request(ctx, tx, params, definition, Capacity("EC2"), instance.arn)
        made += await tasks.start_tasks(tx, cluster, request, 1, ctx.now())
    return {"tasks": [await _describe(tx, task, {"TAGS"}) for task in made], "failures": failures}


async def _make_request(
    ctx: Context, tx: Transaction, params: Params, definition: Definition, kind: Capacity, instance: str
) -> tasks.TaskRequest:
    """Return what tasks are to be like. Raises AwsError."""
    if params.get("volumeConfigurations"):
        raise errors.NotBuilt("volumes of Amazon EBS (volumeConfigurations)")
    started_by = params.get("startedBy") or ""
    if not _STARTED_BY.fullmatch(started_by):
        raise errors.InvalidParameter("startedBy has up to 128 letters, numbers, hyphens, slashes and underscores.")
    if params.get("propagateTags") == "SERVICE":
        raise errors.InvalidParameter("The SERVICE option is not valid for propagateTags of a task.")
    given = resource_tags.add({}, params.get("tags"))
    if params.get("propagateTags") == "TASK_DEFINITION":
        given = {**await tags.load(tx, definition.arn), **given}
    return tasks.TaskRequest(
        definition,
        launch_type=kind.launch_type,
        capacity_provider=kind.provider,
        platform_version=params.get("platformVersion") or "",
        network=(params.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {},
        group=params.get("group") or "",
        started_by=started_by,
        overrides=_check_overrides(params.get("overrides") or {}, definition),
        tags=given,
        has_managed_tags=bool(params.get("enableECSManagedTags")),
        is_command_enabled=bool(params.get("enableExecuteCommand")),
        container_instance=instance,
    )


def _check_overrides(overrides: Mapping[str, Any], definition: Definition) -> dict[str, Any]:
    names = {each["name"] for each in definition.containers}
    if overrides.get("inferenceAcceleratorOverrides"):
        raise errors.NotBuilt("accelerators for tasks")
    for each in overrides.get("containerOverrides") or ():
        if each.get("name") not in names:
            raise errors.InvalidParameter(
                f"Override for container named {each.get('name')} is not a container in the TaskDefinition."
            )
        if each.get("resourceRequirements"):
            raise errors.NotBuilt("GPUs and accelerators for containers")
    for size in ("cpu", "memory"):
        if overrides.get(size) and not str(overrides[size]).isdecimal():
            raise errors.InvalidParameter(f"Invalid value for '{size}' in overrides.")
    return dict(overrides)


@service.operation("StopTask")
async def stop_task(ctx: Context, tx: Transaction, params: Params) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    found = await find_task(ctx, tx, cluster, params["task"])
    if found is None:
        raise errors.InvalidParameter("The referenced task was not found.")
    reason = params.get("reason") or "Task stopped by user"
    if len(reason) > _MAX_REASON_CHARACTERS:
        raise errors.InvalidParameter(f"reason has up to {_MAX_REASON_CHARACTERS} characters.")
    stopping = tasks.stop_task(tx, found, reason, "UserInitiated", ctx.now())
    return {"task": await _describe(tx, stopping, {"TAGS"})}


async def find_task(ctx: Context, tx: Transaction, cluster: Cluster, reference: str) -> Task | None:
    """Return a task of a cluster by its id or ARN."""
    names = arns.parse_names("task", reference, ctx.account, ctx.region)
    if len(names) == 2 and names[0] == cluster.name:
        names = names[1:]
    if len(names) != 1:
        return None
    return await tasks.find(tx, cluster.account, cluster.region, cluster.name, names[0])


@service.operation("DescribeTasks")
async def describe_tasks(ctx: Context, tx: Transaction, params: Params) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    listed = params["tasks"]
    if not listed:
        raise errors.InvalidParameter("Tasks cannot be empty.")
    if len(listed) > _MAX_DESCRIBED_TASKS:
        raise errors.InvalidParameter(f"Tasks can have at most {_MAX_DESCRIBED_TASKS} items.")
    included = {*(params.get("include") or ())}
    found, failures = [], []
    for reference in listed:
        task = await find_task(ctx, tx, cluster, reference)
        if task is not None:
            found.append(await _describe(tx, task, included))
        else:
            failures.append({"arn": make_task_arn(cluster, reference), "reason": "MISSING"})
    return {"tasks": found, "failures": failures}


def make_task_arn(cluster: Cluster, reference: str) -> str:
    """Return the ARN that a task would have, by its id or its ARN."""
    is_arn = reference.startswith("arn:")
    return reference if is_arn else arns.make_arn(cluster.region, cluster.account, "task", cluster.name, reference)


async def _describe(tx: Transaction, task: Task, included: set[str]) -> dict[str, Any]:
    described = task_shape.describe(task)
    if "TAGS" in included:
        described["tags"] = resource_tags.to_api(await tags.load(tx, task.arn))
    return described


@service.operation("ListTasks")
async def list_tasks(ctx: Context, tx: Transaction, params: Params) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    started_by, group = params.get("startedBy"), params.get("serviceName")
    filters = [params.get(name) for name in ("family", "serviceName", "containerInstance")]
    if started_by and any(filters):
        raise errors.InvalidParameter("startedBy must be the only filter.")
    daemon = params.get("daemonName")
    instance = params.get("containerInstance")
    if instance:
        instance = (await instances.get(tx, cluster, instance)).arn
    service_name = group.rpartition("/")[2] if group else None
    if service_name is not None:
        await _check_service(ctx, tx, cluster, service_name)
    desired, launch_type = params.get("desiredStatus") or RUNNING, params.get("launchType")
    limit = params.get("maxResults") or _MAX_PAGE_TASKS
    if not 1 <= limit <= _MAX_PAGE_TASKS:
        raise errors.InvalidParameter(f"maxResults must be between 1 and {_MAX_PAGE_TASKS}.")

    def select(raw: bytes) -> str | None:
        task = tasks.decode(raw)
        wanted = (
            # What AWS calls PENDING here never is: no task wants to be that.
            task.desired_status == (desired if desired == STOPPED else RUNNING if desired == RUNNING else "")
            and params.get("family") in (None, task.family)
            and started_by in (None, task.started_by)
            and service_name in (None, task.service)
            and daemon in (None, task.daemon)
            and instance in (None, task.container_instance)
            and launch_type in (None, task.kind)
        )
        return task.arn if wanted else None

    space = tasks.get_space(cluster.account, cluster.region, cluster.name)
    wrong = errors.InvalidParameter("Invalid token: the nextToken is not valid.")
    found, following = await listing.list_page(tx, space, params.get("nextToken"), limit, select, wrong)
    return {"taskArns": found, "nextToken": following}


async def _check_service(ctx: Context, tx: Transaction, cluster: Cluster, name: str) -> None:
    # Imported late: services start tasks.
    from cloudlet.services.ecs import services

    await services.get_active(tx, cluster, name)
