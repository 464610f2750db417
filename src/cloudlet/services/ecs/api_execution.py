"""The operation that opens a terminal in a container: ExecuteCommand."""

from __future__ import annotations

import shlex
from typing import Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.kernel.ids import random_bytes, token
from cloudlet.services.ecs import api_tasks, clusters, errors, task_shape
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.running import sessions
from cloudlet.services.ecs.running.runner import make_container_name
from cloudlet.services.ecs.task_record import Task, TaskContainer
from cloudlet.services.ecs.task_states import RUNNING

_TOKEN_CHARACTERS: Final = 64
_NOT_ENABLED: Final = (
    "The execute command failed because execute command was not enabled when the task was run or the execute command "
    "agent isn’t running. Wait and try again or run a new task with execute command enabled and try again."
)


@service.operation("ExecuteCommand")
async def execute_command(ctx: Context, tx: Transaction, params: Params) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    if not params["interactive"]:
        raise errors.InvalidParameter("Interactive is the only mode supported currently.")
    task = await api_tasks.find_task(ctx, tx, cluster, params["task"])
    if task is None:
        raise errors.InvalidParameter("The referenced task was not found.")
    if not task.is_command_enabled:
        raise errors.InvalidParameter(_NOT_ENABLED)
    container = _find_container(task, params.get("container"))
    try:
        command = shlex.split(params["command"])
    except ValueError as error:
        raise errors.InvalidParameter(f"The command is not valid: {error}") from None
    if not command:
        raise errors.InvalidParameter("The command must not be empty.")
    name, secret = f"ecs-execute-command-{random_bytes(9).hex()}", token(_TOKEN_CHARACTERS)
    expires = ctx.now() + sessions.OPENED_SECONDS
    session = sessions.Session(secret, make_container_name(task, container), command, expires)
    sessions.save(tx, name, session, ctx.now())
    base = ctx.endpoint.replace("http", "ws", 1)
    return {
        "clusterArn": cluster.arn,
        "containerArn": task_shape.make_container_arn(task, container),
        "containerName": container.name,
        "interactive": True,
        "taskArn": task.arn,
        "session": {
            "sessionId": name,
            "streamUrl": f"{base}/_aws/{sessions.KIND}/{name}/v1/data-channel/{name}?role=publish_subscribe",
            "tokenValue": secret,
        },
    }


def _find_container(task: Task, name: str | None) -> TaskContainer:
    """Return the container in which a command is run. Raises AwsError."""
    if name is None and len(task.containers) > 1:
        raise errors.InvalidParameter("A container name must be specified for a task with several containers.")
    found = task.containers[0] if name is None else task.find_container(name)
    if found is None:
        raise errors.InvalidParameter("The referenced container was not found.")
    if found.status != RUNNING:
        text = "The execute command failed due to an internal error. Try again later."
        raise AwsError("TargetNotConnectedException", text)
    return found
