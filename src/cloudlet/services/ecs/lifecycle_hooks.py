"""Lifecycle hooks of deployments: functions that say whether to go on, and pauses.

Developer guide, "Lifecycle hooks for Amazon ECS service deployments".
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.authorization.role_session import make_session
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.ecs import service_history, services
from cloudlet.services.ecs.deployment_record import Hook, ServiceDeployment
from cloudlet.services.ecs.service_record import Service

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

log = logging.getLogger("cloudlet.ecs")

AWAITING_ACTION: Final = "AWAITING_ACTION"
IN_PROGRESS: Final = "IN_PROGRESS"
SUCCEEDED: Final = "SUCCEEDED"
FAILED: Final = "FAILED"
TIMED_OUT: Final = "TIMED_OUT"
_TIMEOUT_MINUTES: Final = 1440
_CALLBACK_SECONDS: Final = 30.0
_MAX_DETAILS_BYTES: Final = 65_536


def enter(operation: ServiceDeployment, stage: str, now: float) -> ServiceDeployment:
    """Return a deployment with the hooks of a stage that it has reached."""
    reached = [
        Hook(
            uuid4(),
            stage,
            index,
            AWAITING_ACTION if _is_pause(hook) else IN_PROGRESS,
            now + 60 * ((hook.get("timeoutConfiguration") or {}).get("timeoutInMinutes") or _TIMEOUT_MINUTES),
            now,
            hook.get("hookDetails") or {},
        )
        for index, hook in enumerate(_list_hooks(operation))
        if stage in (hook.get("lifecycleStages") or ())
    ]
    return replace(operation, hooks=reached)


def _list_hooks(operation: ServiceDeployment) -> list[dict[str, Any]]:
    return operation.configuration.get("lifecycleHooks") or []


def _is_pause(hook: Mapping[str, Any]) -> bool:
    return hook.get("targetType") == "PAUSE"


def can_store(value: object) -> bool:
    """Whether a JSON value is an object that can be stored.

    Its integers have 64 bits at most.
    """
    try:
        msgspec.msgpack.encode(value)
    except (OverflowError, RecursionError):
        return False
    return isinstance(value, dict)


def get_timeout_action(operation: ServiceDeployment, hook: Hook) -> str:
    """Return what is done where nobody answers a hook in time."""
    configuration = _list_hooks(operation)[hook.index].get("timeoutConfiguration") or {}
    return str(configuration.get("action") or "ROLLBACK")


def has_finished(operation: ServiceDeployment) -> bool:
    """Whether all hooks of the present stage let a deployment go on."""
    return all(
        hook.status == SUCCEEDED or (hook.status == TIMED_OUT and get_timeout_action(operation, hook) == "CONTINUE")
        for hook in operation.hooks
    )


def find_failed(operation: ServiceDeployment) -> Hook | None:
    """Return a hook that wants a deployment to be rolled back, if there is one."""
    for hook in operation.hooks:
        if hook.status == FAILED:
            return hook
        if hook.status == TIMED_OUT and get_timeout_action(operation, hook) == "ROLLBACK":
            return hook
    return None


def to_api(operation: ServiceDeployment) -> list[dict[str, Any]]:
    """Return the hooks of the present stage as answers have them."""
    return [
        {
            "hookId": hook.id,
            "targetType": _list_hooks(operation)[hook.index].get("targetType") or "AWS_LAMBDA",
            "targetArn": _list_hooks(operation)[hook.index].get("hookTargetArn"),
            "status": hook.status,
            "expiresAt": hook.expires,
            "timeoutAction": get_timeout_action(operation, hook),
        }
        for hook in operation.hooks
    ]


async def run(block: Block, key: tuple[str, str, str, str]) -> tuple[float | None, bool]:
    """Invoke the functions that are due of a service's deployment.

    Return after how many seconds to look again, and whether a hook has another status now.
    """

    async def find(tx: Transaction) -> tuple[Service, ServiceDeployment] | None:
        service = await services.find(tx, *key)
        primary = service.primary if service else None
        if service is None or primary is None:
            return None
        operation = await service_history.find_deployment(tx, key, primary.operation)
        return None if operation is None else (service, operation)

    found = await block.store.transact(find)
    if found is None:
        return None, False
    service, operation = found
    pauses: list[float] = []
    has_changed = False
    for hook in operation.hooks:
        now = block.clock.now()
        if hook.status not in (AWAITING_ACTION, IN_PROGRESS):
            continue
        if now >= hook.expires:
            await _change(block, key, operation.id, replace(hook, status=TIMED_OUT))
            has_changed = True
        elif hook.status == IN_PROGRESS and now >= hook.next_at:
            changed = await _invoke(block, service, operation, hook)
            await _change(block, key, operation.id, changed)
            if changed.status == IN_PROGRESS:
                pauses.append(max(0.0, changed.next_at - now))
            has_changed = has_changed or changed.status != IN_PROGRESS
        else:
            next_at = hook.next_at if hook.status == IN_PROGRESS else hook.expires
            pauses.append(min(next_at, hook.expires) - now)
    return min(pauses, default=None), has_changed


async def _change(block: Block, key: tuple[str, str, str, str], deployment: str, changed: Hook) -> None:
    async def body(tx: Transaction) -> None:
        operation = await service_history.find_deployment(tx, key, deployment)
        if operation is not None:
            save(tx, key, operation, changed)

    await block.store.transact(body)


def save(tx: Transaction, key: tuple[str, str, str, str], operation: ServiceDeployment, changed: Hook) -> None:
    """Write a deployment with one of its hooks changed."""
    hooks = [changed if hook.id == changed.id else hook for hook in operation.hooks]
    service_history.save_deployment(tx, key, replace(operation, hooks=hooks))


async def _invoke(block: Block, service: Service, operation: ServiceDeployment, hook: Hook) -> Hook:
    """Return a hook as it is after its function was invoked. One that fails, or says nothing valid, has failed."""
    configured = _list_hooks(operation)[hook.index]
    try:
        answer = await _call(block, service, operation, hook, configured)
    except (AwsError, ValueError) as error:
        log.info("a lifecycle hook of %s has failed: %s", service.arn, error)
        return replace(hook, status=FAILED)
    status = answer.get("hookStatus")
    if status == SUCCEEDED:
        return replace(hook, status=SUCCEEDED)
    if status != IN_PROGRESS:
        return replace(hook, status=FAILED)
    delay = answer.get("callBackDelay")
    seconds = _CALLBACK_SECONDS
    if isinstance(delay, int | float) and delay > 0:
        seconds = float(min(delay, 60 * _TIMEOUT_MINUTES))
    details = answer.get("hookDetails")
    known = details if can_store(details) else hook.details
    return replace(hook, next_at=block.clock.now() + seconds, details=known)


async def _call(
    block: Block, service: Service, operation: ServiceDeployment, hook: Hook, configured: Mapping[str, Any]
) -> dict[str, Any]:
    payload = {
        "executionId": hook.id,
        "lifecycleStage": hook.stage,
        "resourceArn": service.make_arn("service-deployment", operation.id),
        "executionDetails": {
            "serviceArn": service.arn,
            "targetServiceRevisionArn": service.make_arn("service-revision", operation.target),
        },
        "hookDetails": hook.details,
    }
    session = make_session(configured["roleArn"], "ecs-service-deployment", by="ecs.amazonaws.com")
    answer = await block.cloud.call(
        "lambda",
        "Invoke",
        {"FunctionName": configured["hookTargetArn"], "Payload": msgspec.json.encode(payload)},
        principal=session,
        account=service.account,
        region=service.region,
        source_arn=service.arn,
    )
    raw = await _read_whole((answer or {}).get("Payload"))
    if (answer or {}).get("FunctionError"):
        raise ValueError(raw[:1024].decode(errors="replace"))
    decoded = msgspec.json.decode(raw)
    if not isinstance(decoded, dict) or len(raw) > _MAX_DETAILS_BYTES:
        raise ValueError("the function has answered no JSON object")
    return decoded


async def _read_whole(body: Any) -> bytes:
    """Return a payload that has come whole or in parts."""
    if body is None or isinstance(body, bytes | bytearray | memoryview):
        return bytes(body or b"")
    if hasattr(body, "__aiter__"):
        return b"".join([bytes(part) async for part in body])
    return b"".join(bytes(part) for part in body)
