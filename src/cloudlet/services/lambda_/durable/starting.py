"""Durable executions are started, and waited for.

Developer guide, "Invoking durable Lambda functions" and "Idempotency".
"""

from __future__ import annotations

import math
from hashlib import sha256
from typing import Final

from cloudlet.core import AwsError, Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.timing import wait_until, watching
from cloudlet.services.lambda_ import errors, measuring
from cloudlet.services.lambda_.durable import ending, progress, showing, storage
from cloudlet.services.lambda_.durable.execution import SUCCEEDED, Execution, Key
from cloudlet.services.lambda_.execution.invocation import Invocation, Outcome
from cloudlet.services.lambda_.functions.directory import FunctionReference, Resolved
from cloudlet.services.lambda_.functions.function import DurableConfig

MAX_SYNCHRONOUS_SECONDS: Final = 900
_ENDINGS: Final = {
    "TIMED_OUT": ("DurableExecution.TimedOut", "The durable execution timed out."),
    "STOPPED": ("DurableExecution.Stopped", "The durable execution was stopped."),
}


def check_synchronous(config: DurableConfig) -> None:
    """Raise AwsError where nobody may wait for the end of a durable function's executions."""
    if config.execution_timeout > MAX_SYNCHRONOUS_SECONDS:
        raise errors.invalid(
            "You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes."
        )


def check_named(what: FunctionReference) -> None:
    """Raise AwsError where no version and no alias of a durable function is named."""
    if what.qualifier is None:
        raise errors.invalid("You cannot invoke a durable function using an unqualified ARN.")


async def start(
    tx: Transaction,
    found: Resolved,
    config: DurableConfig,
    invocation: Invocation,
    now: float,
    *,
    name: str | None,
    is_asynchronous: bool,
) -> tuple[Execution, bool]:
    """Return the execution of a name, or a new one, and whether it is new. Raises AwsError."""
    version = found.version
    place, digest = version.place, sha256(invocation.payload).digest()
    known = await storage.find_named(tx, place, name) if name else None
    existing = await storage.find(tx, known) if known else None
    if existing is not None:
        if existing.digest != digest:
            raise AwsError(
                "DurableExecutionAlreadyStartedException",
                f"A durable execution with the name {name} already exists with a different payload.",
                status=409,
            )
        return existing, False
    # Ids are in the order of time: so are executions in lists.
    id = f"{int(now * 1000):012x}{uuid4().replace('-', '')[12:]}"
    execution = Execution(
        key=Key(place, id),
        name=name or uuid4(),
        version=version.version,
        qualifier=found.qualifier,
        config=config,
        started=now,
        deadline=now + config.execution_timeout,
        digest=digest,
        request_id=invocation.request_id,
        trace=invocation.trace,
        is_asynchronous=is_asynchronous,
        not_before=now,
    )
    execution = progress.begin(tx, execution, invocation.payload)
    storage.put(tx, None, execution)
    ending.tell_status(tx, execution, now)
    return execution, True


async def wait(block: Block, key: Key, until: float = math.inf) -> Execution | None:
    """Wait for the end of an execution, or a moment.

    Returns the execution, None where it is gone.
    """
    async with watching(block, storage.make_done_topic(key)) as ended:
        while True:
            ended.clear()
            execution = await block.store.transact(lambda tx: storage.find(tx, key))
            if execution is None or execution.has_ended or block.clock.now() >= until:
                return execution
            await wait_until(block, ended, min(until, execution.times_out + 1))


async def load_outcome(block: Block, execution: Execution) -> Outcome:
    """Return what an execution that was waited for answers."""
    result, error = await block.store.transact(lambda tx: storage.load_result(tx, execution.key))
    if execution.status == SUCCEEDED:
        return Outcome((result or "null").encode())
    kind, message = _ENDINGS.get(execution.status, ("Error", ""))
    if not execution.has_ended:
        kind, message = "DurableExecution.StillRunning", "The durable execution goes on."
    return Outcome(showing.make_document(error, kind, message), (error or {}).get("ErrorType") or kind)


async def run(
    block: Block, found: Resolved, config: DurableConfig, invocation: Invocation, name: str | None = None
) -> tuple[Execution, Outcome]:
    """Have a durable function serve an invocation; return its execution, and what came of it. Raises AwsError."""
    check_synchronous(config)
    now = block.clock.now()

    async def body(tx: Transaction) -> tuple[Execution, bool]:
        return await start(tx, found, config, invocation, now, name=name, is_asynchronous=False)

    execution, is_new = await block.store.transact(body)
    if is_new:
        measuring.note_durable(block, execution.key.place, "DurableExecutionStarted")
    ended = await wait(block, execution.key, now + MAX_SYNCHRONOUS_SECONDS + 1) or execution
    return ended, await load_outcome(block, ended)
