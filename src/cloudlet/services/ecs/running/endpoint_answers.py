"""Answers of the task metadata endpoint: metadata, statistics, and credentials of the task's role."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

import msgspec

from cloudlet.core import AwsError, Transaction
from cloudlet.core.aws import iso8601, tags
from cloudlet.engines.keeper.client import KeeperError
from cloudlet.services.ecs import tasks
from cloudlet.services.ecs.running import log_sending, roles
from cloudlet.services.ecs.running.described import load_definition
from cloudlet.services.ecs.running.runner import Runner, make_container_name
from cloudlet.services.ecs.task_record import Task, TaskContainer
from cloudlet.services.ecs.task_shape import make_container_arn, make_runtime_id

_MAX_HEAD_BYTES: Final = 16 * 1024
_MAX_LOOKS: Final = 50
_LOOK_SECONDS: Final = 0.02
_IDLE_SECONDS: Final = 60.0
_CREDENTIALS_SECONDS: Final = 6 * 3600.0
_PATH: Final = re.compile(r"/v[34]/([0-9a-f]+)-(\d+)(/.*)?", re.ASCII)
_CREDENTIALS: Final = re.compile(r"/v2/credentials/([0-9a-f]+)", re.ASCII)
_PROTECTION: Final = re.compile(r"/api/([0-9a-f]+)-\d+/task-protection/v1/state", re.ASCII)
_encode: Final = msgspec.json.Encoder().encode

Reply = tuple[int, Any]


async def serve(runner: Runner, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of a connection."""
    try:
        while True:
            async with asyncio.timeout(_IDLE_SECONDS):
                head = (await reader.readuntil(b"\r\n\r\n"))[:_MAX_HEAD_BYTES].decode("latin-1")
                lines = head.split("\r\n")
                method, _, target = lines[0].partition(" ")
                sizes = [int(each.partition(":")[2]) for each in lines if each.lower().startswith("content-length:")]
                body = await reader.readexactly(min(sizes[0], _MAX_HEAD_BYTES)) if sizes else b""
            status, answer = await _answer(runner, method, target.partition(" ")[0].partition("?")[0], body)
            content = _encode(answer)
            head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
            writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
            await writer.drain()
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass
    finally:
        with suppress(OSError):
            writer.close()


async def _answer(runner: Runner, method: str, path: str, body: bytes) -> Reply:
    if (match := _CREDENTIALS.fullmatch(path)) is not None:
        task = await _find(runner, match[1])
        if task is None or not task.task_role or match[1] != task.credentials_id:
            return 400, {"code": "InvalidIdInRequest", "message": "CredentialsV2Request: ID not found"}
        return await _make_credentials(runner, task)
    if (match := _PROTECTION.fullmatch(path)) is not None:
        task = await _find(runner, match[1])
        return (404, {"error": "not found"}) if task is None else await _protect(runner, task, method, body)
    match = _PATH.fullmatch(path)
    task = None if match is None else await _find(runner, match[1])
    if match is None or task is None or int(match[2]) >= len(task.containers):
        return 404, f"unable to get task arn from request: unable to get task ARN: {path}"
    task = await _wait_until_started(runner, task, int(match[2]))
    container, rest = task.containers[int(match[2])], (match[3] or "").rstrip("/")
    if rest == "":
        return 200, await _describe_container(runner, task, container)
    if rest == "/task":
        return 200, await _describe_task(runner, task)
    if rest == "/taskWithTags":
        return 200, {**await _describe_task(runner, task), **await _load_tags(runner, task)}
    if rest == "/stats":
        return 200, (await measure(runner, task)).get(make_runtime_id(task, container))
    if rest == "/task/stats":
        return 200, await measure(runner, task)
    return 404, "not found"


async def _find(runner: Runner, name: str) -> Task | None:
    key = runner.endpoints.get(name)
    return None if key is None else await runner.block.store.transact(lambda tx: tasks.find(tx, *key))


async def _wait_until_started(runner: Runner, task: Task, index: int) -> Task:
    """Return a task once it is stored that the container which asks runs.

    It may be quicker than we are.
    """
    for _ in range(_MAX_LOOKS):
        if task.containers[index].started_at is not None:
            break
        await asyncio.sleep(_LOOK_SECONDS)
        task = await _find(runner, task.endpoint_id) or task
    return task


async def _make_credentials(runner: Runner, task: Task) -> Reply:
    try:
        session = await roles.open_task_session(runner.block, task)
    except AwsError as error:
        return 400, {"code": "InvalidTaskRole", "message": error.message}
    expires = runner.block.clock.now() + _CREDENTIALS_SECONDS
    issued = runner.block.cloud.tokens.issue(session, expires)
    return 200, {
        "RoleArn": roles.make_role_arn(task, task.task_role),
        "AccessKeyId": issued.access_key,
        "SecretAccessKey": issued.secret_key,
        "Token": issued.session_token,
        "Expiration": iso8601.second(int(expires)),
    }


class _Protection(msgspec.Struct):
    """The protection that a task asks for."""

    is_enabled: bool = msgspec.field(name="ProtectionEnabled")
    minutes: int | None = msgspec.field(name="ExpiresInMinutes", default=None)


async def _protect(runner: Runner, task: Task, method: str, body: bytes) -> Reply:
    """Answer for the task scale-in protection endpoint, as the task's own role."""
    params: dict[str, Any] = {"cluster": task.cluster, "tasks": [task.id]}
    try:
        session = await roles.open_task_session(runner.block, task)
        if method == "PUT":
            given = msgspec.json.decode(body, type=_Protection)
            params["protectionEnabled"] = given.is_enabled
            if given.minutes is not None:
                params["expiresInMinutes"] = given.minutes
        operation = "UpdateTaskProtection" if method == "PUT" else "GetTaskProtection"
        answer = await runner.block.cloud.call(
            "ecs", operation, params, principal=session, account=task.account, region=task.region
        )
    except AwsError as error:
        return 400, {"error": {"Arn": task.arn, "Code": error.code, "Message": error.message}}
    except ValueError as error:
        return 400, {"error": {"Arn": task.arn, "Code": "InvalidParameterException", "Message": str(error)}}
    said = dict(answer or {})
    if said.get("failures"):
        failed = said["failures"][0]
        return 200, {"failure": {"Arn": failed["arn"], "Reason": failed["reason"]}}
    found = said["protectedTasks"][0]
    protection = {"ProtectionEnabled": found["protectionEnabled"], "TaskArn": task.arn}
    if found.get("expirationDate") is not None:
        protection["ExpirationDate"] = iso8601.second(int(found["expirationDate"]))
    return 200, {"protection": protection}


async def _describe_task(runner: Runner, task: Task) -> dict[str, Any]:
    limits = {"CPU": int(task.cpu) / 1024 if task.cpu else None, "Memory": int(task.memory) if task.memory else None}
    return _drop_empty(
        {
            "Cluster": task.cluster_arn if task.is_on_fargate else task.cluster,
            "TaskARN": task.arn,
            "Family": task.family,
            "Revision": str(task.revision),
            "ServiceName": task.service,
            "DesiredStatus": task.desired_status,
            "KnownStatus": task.last_status,
            "Limits": _drop_empty(limits),
            "PullStartedAt": _format(task.pull_started_at),
            "PullStoppedAt": _format(task.pull_stopped_at),
            "AvailabilityZone": task.availability_zone,
            "LaunchType": task.kind,
            "VPCID": task.interface.get("network"),
            "Containers": [
                await _describe_container(runner, task, each) for each in task.containers if each.started_at is not None
            ],
        }
    )


async def _load_tags(runner: Runner, task: Task) -> dict[str, Any]:
    """Return the tags of a task, and those of its container instance."""

    async def read(tx: Transaction) -> dict[str, Any]:
        arns = {"TaskTags": task.arn, "ContainerInstanceTags": task.container_instance}
        return {name: await tags.load(tx, arn) for name, arn in arns.items() if arn}

    return _drop_empty(await runner.block.store.transact(read))


async def _describe_container(runner: Runner, task: Task, container: TaskContainer) -> dict[str, Any]:
    definition = await load_definition(runner, task)
    described = next(each for each in definition.containers if each["name"] == container.name)
    configuration = described.get("logConfiguration") or {}
    target = log_sending.find_target(task, container, described)
    options = dict(configuration.get("options") or {})
    if target is not None:
        options = {
            "awslogs-group": target.group,
            "awslogs-region": target.region,
            "awslogs-stream": target.stream,
            **({"awslogs-create-group": "true"} if target.creates_group else {}),
        }
    address = task.private_ip or container.address
    network = {"NetworkMode": task.network_mode, **({"IPv4Addresses": [address]} if address else {})}
    limits = {"CPU": int(container.cpu or 0), "Memory": int(container.memory) if container.memory else None}
    return _drop_empty(
        {
            "DockerId": make_runtime_id(task, container),
            "Name": container.name,
            "DockerName": f"ecs-{task.family}-{task.revision}-{container.name}-{task.id[:20]}",
            "Image": container.image,
            "ImageID": container.image_digest,
            "Labels": {
                "com.amazonaws.ecs.cluster": task.cluster_arn if task.is_on_fargate else task.cluster,
                "com.amazonaws.ecs.container-name": container.name,
                "com.amazonaws.ecs.task-arn": task.arn,
                "com.amazonaws.ecs.task-definition-family": task.family,
                "com.amazonaws.ecs.task-definition-version": str(task.revision),
                **(described.get("dockerLabels") or {}),
            },
            "DesiredStatus": task.desired_status,
            "KnownStatus": container.status,
            "ExitCode": container.exit_code,
            "Limits": _drop_empty(limits),
            "CreatedAt": _format(container.started_at),
            "StartedAt": _format(container.started_at),
            "FinishedAt": _format(container.finished_at),
            "Type": "NORMAL",
            "RestartCount": container.attempt if described.get("restartPolicy") else None,
            "Health": None if container.health == "UNKNOWN" else {"status": container.health},
            "LogDriver": configuration.get("logDriver"),
            "LogOptions": options,
            "ContainerARN": make_container_arn(task, container),
            "Networks": [] if task.network_mode == "none" else [network],
            "Ports": [
                {"ContainerPort": each["containerPort"], "HostPort": each["hostPort"], "Protocol": each["protocol"]}
                for each in container.bindings
            ],
        }
    )


async def measure(runner: Runner, task: Task) -> dict[str, Any]:
    """Return what the containers of a task have taken, as Docker tells it."""
    names = {make_container_name(task, each): each for each in task.containers if each.status == "RUNNING"}
    try:
        measured = await runner.keeper.call("measure", names=list(names))
    except KeeperError:
        return {}
    now = iso8601.millisecond(int(runner.block.clock.now() * 1000))
    found = {}
    for name, usage in measured.items():
        container = names[name]
        limit = int(container.memory or task.memory or 0) << 20
        found[make_runtime_id(task, container)] = {
            "read": now,
            "name": container.name,
            "id": make_runtime_id(task, container),
            "memory_stats": {"usage": usage["memory_bytes"] or 0, "limit": limit},
            "cpu_stats": {"cpu_usage": {"total_usage": int((usage["processor_seconds"] or 0) * 1e9)}},
            **({"networks": usage["networks"]} if usage["networks"] else {}),
        }
    return found


def _format(when: float | None) -> str | None:
    return None if when is None else iso8601.millisecond(int(when * 1000))


def _drop_empty(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value not in (None, "", {}, [])}
