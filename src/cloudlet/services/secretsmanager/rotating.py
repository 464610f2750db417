"""Rotations under way: calls of the functions, step by step, and again where one fails.

User guide, "Lambda rotation functions": createSecret, setSecret, testSecret, finishSecret. Functions are idempotent:
after a crash the whole rotation is done again, with the same version.
"""

from __future__ import annotations

import json
import logging
from functools import partial
from typing import Final

from msgspec.structs import replace

from cloudlet.core import Arn, AwsError, Transaction
from cloudlet.core.background.jobs import start_timers
from cloudlet.core.background.lease import Lease
from cloudlet.core.background.retrying import compute_back_off
from cloudlet.core.kernel.block import Block
from cloudlet.services.secretsmanager import (
    replication,
    rotation,
    rotation_schedule,
    rotation_task,
    secret,
    trail_events,
    version,
)
from cloudlet.services.secretsmanager.rotation_task import Key, Task
from cloudlet.services.secretsmanager.secret_record import Secret
from cloudlet.services.secretsmanager.staging import CURRENT, PENDING

log = logging.getLogger("cloudlet.secretsmanager")

_STEPS: Final = ("createSecret", "setSecret", "testSecret", "finishSecret")
_TESTED_STEPS: Final = ("testSecret",)
MAX_CONCURRENT_ROTATIONS: Final = 32
"""Beside those whose functions take longer than a second."""
_FIRST_PAUSE_SECONDS: Final = 5.0
MAX_PAUSE_SECONDS: Final = 900.0
_MAX_REASON_CHARACTERS: Final = 1024


class StepError(Exception):
    """A step that failed."""


async def rotate(block: Block) -> None:
    """Rotate what is due, until the block ends."""
    async with Lease(block) as lease:
        await start_timers(
            block,
            lease,
            rotation_task.TASK_TOPIC,
            rotation_task.list_due,
            "the rotation",
            partial(_attempt, block),
            at_once=MAX_CONCURRENT_ROTATIONS,
        )


async def _attempt(block: Block, due: int, key: Key) -> None:
    """Try a rotation that is due, and write down what became of it."""

    async def read(tx: Transaction) -> tuple[Secret, Task] | None:
        found, task = await secret.find(tx, *key), await rotation_task.find(tx, key)
        return None if found is None or task is None or task.due != due else (found, task)

    there = await block.store.transact(read)
    if there is None:
        return
    about, task = there
    failure = ""
    try:
        for step in _TESTED_STEPS if task.is_test else _STEPS:
            await _call(block, about, task, step)
            if await block.store.transact(read) is None:
                # It was cancelled or abandoned meanwhile.
                return
    except StepError as error:
        failure = str(error)
    await block.store.transact(lambda tx: _settle(tx, block, key, task, failure))


async def _call(block: Block, about: Secret, task: Task, step: str) -> None:
    """Have the function do a step. Raises StepError."""
    if about.rotation is None:
        raise StepError("No Lambda rotation function ARN is associated with this secret.")
    function = Arn.parse(about.rotation.lambda_arn)
    event = {
        "Step": step,
        "SecretId": about.arn,
        "ClientRequestToken": task.version,
        "RotationToken": task.token,
    }
    params = {"FunctionName": str(function), "InvocationType": "RequestResponse", "Payload": json.dumps(event).encode()}
    try:
        result = await block.call(
            "lambda", "Invoke", params, account=function.account, region=function.region, source_arn=about.arn
        )
    except AwsError as error:
        raise StepError(f"{step}: {error.code}: {error.message}") from error
    if result and result.get("FunctionError"):
        raise StepError(f"{step}: the rotation function failed ({result['FunctionError']})")


async def _settle(tx: Transaction, block: Block, key: Key, task: Task, failure: str) -> None:
    """Write down what became of an attempt; `failure` is empty where no step failed."""
    before = await secret.find(tx, *key)
    if before is None or await rotation_task.find(tx, key) != task:
        return
    now = block.clock.now()
    prefix = "TestRotation" if task.is_test else "Rotation"
    after = before
    if not task.is_test and before.stages.get(CURRENT) == task.version:
        after = _succeed(tx, before, now)
        trail_events.add(tx, block, before, f"{prefix}Succeeded")
    elif not task.is_test and before.stages.get(PENDING) != task.version:
        trail_events.add(tx, block, before, f"{prefix}Abandoned")
        after = rotation.reschedule(tx, before, now)
    elif task.is_test and not failure:
        trail_events.add(tx, block, before, f"{prefix}Succeeded")
        after = await _end_test(tx, before, task)
    else:
        reason = failure or "finishSecret did not move AWSCURRENT to the new version."
        trail_events.add(tx, block, before, f"{prefix}Failed", reason[:_MAX_REASON_CHARACTERS])
        log.warning("%s was not rotated: %s", before.arn, reason)
        due = int(
            (now + compute_back_off(task.attempts + 1, first=_FIRST_PAUSE_SECONDS, longest=MAX_PAUSE_SECONDS)) * 1000
        )
        if due <= task.ends:
            rotation_task.save(tx, key, replace(task, due=due, attempts=task.attempts + 1), task)
            return
        after = await _end_test(tx, before, task) if task.is_test else rotation.reschedule(tx, before, now)
    if task.is_test and after.rotation is not None and after.rotation.opens <= now:
        # The window has opened during the test.
        after = rotation.reschedule(tx, after, now)
    rotation_task.remove(tx, key, task)
    if after != before:
        secret.save(tx, await replication.update_replicas(tx, block, replace(after, changed=now)), before)


def _succeed(tx: Transaction, about: Secret, now: float) -> Secret:
    """Schedule the rotation after one that succeeded now; return the secret."""
    rotated = about.rotation
    if rotated is None:
        return about
    rules = dict(rotated.rules)
    if rules.get("ScheduleExpression"):
        # API reference, RotationRulesType: "this value is calculated … after every successful rotation".
        rules["AutomaticallyAfterDays"] = rotation_schedule.count_days(rules, now)
    rotation_task.unschedule(tx, about)
    return rotation.reschedule(tx, replace(about, rotation=replace(rotated, rotated=now, rules=rules)), now)


async def _end_test(tx: Transaction, about: Secret, task: Task) -> Secret:
    """Delete the version that was made for a test; return the secret."""
    if about.stages.get(PENDING) == task.version:
        about = replace(about, stages={label: id for label, id in about.stages.items() if label != PENDING})
    if task.version not in about.stages.values():
        about = await version.remove(tx, about, task.version)
    return about
