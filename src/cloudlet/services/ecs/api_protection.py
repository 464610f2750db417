"""The operations on the protection of tasks from scaling in. Developer guide, "Task scale-in protection"."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.ecs import api_tasks, clusters, errors, tasks
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.task_record import Task
from cloudlet.services.ecs.task_states import STOPPED

_MAX_TASKS: Final = 10
_MAX_DESCRIBED_TASKS: Final = 100
_MAX_PROTECTION_MINUTES: Final = 2880
_DEFAULT_PROTECTION_MINUTES: Final = 120


@service.operation("UpdateTaskProtection")
async def update_task_protection(ctx: Context, tx: Transaction, params: Params) -> Result:
    minutes = params.get("expiresInMinutes")
    if minutes is not None and not 1 <= minutes <= _MAX_PROTECTION_MINUTES:
        raise errors.InvalidParameter(f"expiresInMinutes must be between 1 and {_MAX_PROTECTION_MINUTES}.")
    is_protected = params["protectionEnabled"]
    found, failures = await _find_all(ctx, tx, params["cluster"], params["tasks"], _MAX_TASKS)
    until = ctx.now() + 60 * (minutes or _DEFAULT_PROTECTION_MINUTES) if is_protected else None
    changed = [tasks.save(tx, task, replace(task, protected_until=until), ctx.now()) for task in found]
    return {"protectedTasks": [_describe(task, ctx.now()) for task in changed], "failures": failures}


@service.operation("GetTaskProtection")
async def get_task_protection(ctx: Context, tx: Transaction, params: Params) -> Result:
    listed = params.get("tasks")
    if listed is None:
        cluster = await clusters.get(tx, ctx.account, ctx.region, params["cluster"])
        listed = [task.id for task in await tasks.list_tasks(tx, ctx.account, ctx.region, cluster.name) if task.service]
        listed = listed[:_MAX_DESCRIBED_TASKS]
    found, failures = await _find_all(ctx, tx, params["cluster"], listed, _MAX_DESCRIBED_TASKS)
    return {"protectedTasks": [_describe(task, ctx.now()) for task in found], "failures": failures}


async def _find_all(
    ctx: Context, tx: Transaction, cluster_name: str, references: list[str], limit: int
) -> tuple[list[Task], list[dict[str, str]]]:
    """Return the tasks that can be protected, and why others cannot."""
    cluster = await clusters.get(tx, ctx.account, ctx.region, cluster_name)
    if len(references) > limit:
        raise errors.InvalidParameter(f"Tasks can have at most {limit} items.")
    found: list[Task] = []
    failures: list[dict[str, str]] = []
    for reference in references:
        task = await api_tasks.find_task(ctx, tx, cluster, reference)
        if task is None:
            failures.append({"arn": api_tasks.make_task_arn(cluster, reference), "reason": "MISSING"})
        elif not task.service:
            detail = "The task is not one of a service."
            failures.append({"arn": task.arn, "reason": "TASK_NOT_VALID", "detail": detail})
        elif task.desired_status == STOPPED:
            detail = "The task is stopping or has stopped."
            failures.append({"arn": task.arn, "reason": "TASK_NOT_VALID", "detail": detail})
        else:
            found.append(task)
    return found, failures


def _describe(task: Task, now: float) -> dict[str, Any]:
    is_protected = task.protected_until is not None and task.protected_until > now
    return {
        "taskArn": task.arn,
        "protectionEnabled": is_protected,
        "expirationDate": task.protected_until if is_protected else None,
    }
