"""Have durable executions go on until they have ended.

Functions are invoked, and the end of waits and timeouts is noted.

The job may be killed at any point. What was being invoked or called then is so again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from hashlib import sha256
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.background.lease import Lease
from cloudlet.core.background.retrying import compute_back_off, is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.timing import duty_cycle, wait_until, watching
from cloudlet.services.lambda_ import invoking
from cloudlet.services.lambda_.durable import ending, history, progress, showing, starting, storage
from cloudlet.services.lambda_.durable.execution import FAILED, SUCCEEDED, Error, Execution, Key, read_error
from cloudlet.services.lambda_.execution.invocation import Invocation, Outcome, error_message, error_type
from cloudlet.services.lambda_.functions import directory
from cloudlet.services.lambda_.functions.directory import FunctionReference
from cloudlet.services.lambda_.functions.roles import make_lambda_session

_MAX_TASKS: Final = 200
_PAGE: Final = 100
_LOOKED_AT: Final = 2_000
_SHARE: Final = 4
_LOOK_SECONDS: Final = 600.0
"""Between looks where nothing changes."""
_MAX_PAUSE_SECONDS: Final = 60.0
_STATE_BYTES: Final = 1_048_576
"""The part of the state that comes with an invocation; functions ask for the rest."""
_STATE_OPERATIONS: Final = 1_000
_NOTHING_PENDING: Final = "Cannot return PENDING status with no pending operations."
_WRONG_STATUS: Final = "Invalid Status in invocation output."

R = TypeVar("R", bound=tuple[Any, ...])
Lister = Callable[[Transaction, bytes, int], Awaitable[list[R]]]
"""Returns rows after a key, at most so many; each begins with its key."""
Change = Callable[[Transaction, Execution, float], Awaitable[Execution]]
"""Returns what an execution becomes at a time."""


async def run(block: Block) -> None:
    """Have durable executions go on until the block ends."""
    async with (
        Lease(block, "durable") as lease,
        watching(block, storage.TOPIC) as changed,
        asyncio.TaskGroup() as group,
    ):
        driver = _Driver(block, group, changed)
        while True:
            changed.clear()
            if await driver.has_any():
                await lease.hold()
                async with duty_cycle(_SHARE):
                    due = await driver.start_due()
                await wait_until(block, changed, due)
            else:
                await changed.wait()


class _Driver:
    """The tasks of this process for durable executions."""

    def __init__(self, block: Block, group: asyncio.TaskGroup, changed: asyncio.Event) -> None:
        self._block = block
        self._group = group
        self._steps = KeyedTasks(block, changed, _MAX_TASKS)
        self._invocations = KeyedTasks(block, changed, _MAX_TASKS)
        self._calls = KeyedTasks(block, changed, _MAX_TASKS)

    async def has_any(self) -> bool:
        return bool(await self._block.store.transact(lambda tx: storage.list_due(tx, b"", 1)))

    async def start_due(self) -> float:
        """Start all there is to do; return when there is something to do next."""
        async for _, key, operation in self._read_rows(storage.list_calls):
            what, work = f"a call of {key.place.arn}", partial(self._call, key, operation)
            self._calls.start(self._group, (key, operation), what, work, account=key.place.account)
        async for _, key in self._read_rows(storage.list_invoked):
            if key not in self._invocations and key not in self._steps:
                # Its invocation has ended with the process that made it.
                await self._change(key, _forget_invocation)
        now = self._block.clock.now()
        async for _, due, key in self._read_rows(storage.list_due):
            if due > now:
                return min(due, now + _LOOK_SECONDS)
            if self._invocations.free_slots <= 0:
                break
            if self._invocations.has_reached_quota(key.place.account):
                continue
            self._steps.start(self._group, key, f"a durable execution of {key.place.arn}", partial(self._advance, key))
        return now + _LOOK_SECONDS

    async def _read_rows(self, list_rows: Lister[R]) -> AsyncIterator[R]:
        """Give rows, which begin with their keys, page by page."""
        after = b""
        for _ in range(_LOOKED_AT // _PAGE):
            rows = await self._block.store.transact(partial(_list, list_rows, after))
            for row in rows:
                yield row
            if len(rows) < _PAGE:
                return
            after = rows[-1][0]

    async def _change(self, key: Key, change: Change) -> Execution | None:
        """Change an execution, after all that is due."""
        return (await change_execution(self._block, key, change))[0]

    async def _advance(self, key: Key) -> None:
        """Do what is due for an execution."""
        request_id = uuid4()

        async def body(tx: Transaction, execution: Execution, now: float) -> Execution:
            if not execution.is_runnable or now < execution.not_before:
                return execution
            return replace(execution, invoked=now, has_to_run=False, token=execution.token + 1, client_token="")

        execution = await self._change(key, body)
        if execution is not None and execution.invoked is not None and not execution.has_ended:
            what, work = f"an invocation of {key.place.arn}", partial(self._invoke, key, request_id)
            self._invocations.start(self._group, key, what, work, account=key.place.account)
            if key not in self._invocations:
                # Others were quicker, and there is no room any more.
                await self._change(key, _forget_invocation)

    async def _invoke(self, key: Key, request_id: str) -> None:
        """Invoke the function of an execution, once, and note what comes of it."""
        prepared = await self._block.store.transact(lambda tx: _prepare(tx, key))
        if prepared is None:
            return
        execution, event = prepared
        what = FunctionReference(key.place, execution.version)
        try:
            target = await self._block.store.transact(lambda tx: invoking.target_of(tx, what))
            invocation = Invocation(request_id, event, what.arn, None, execution.trace)
            outcome = await invoking.run_once(self._block, target, invocation)
        except AwsError as error:
            await self._change(key, partial(_note_refusal, execution.invoked, error))
            return
        await self._change(key, partial(_note_outcome, execution.invoked, request_id, outcome))

    async def _call(self, key: Key, operation: str) -> None:
        """Call a function for an execution, and note what it answers."""
        try:
            found = await self._block.store.transact(lambda tx: _find_call(tx, key, operation))
        except AwsError as error:
            # The function that calls is deleted.
            told = {"ErrorType": error.code, "ErrorMessage": error.message}
            await self._change(key, partial(_note_answer, operation, FAILED, None, told))
            return
        if found is None:
            return
        call, role, durable = found
        name = sha256(f"{key.id}/{operation}".encode()).hexdigest()
        params: dict[str, Any] = {"FunctionName": call.function, "Payload": call.payload.encode()}
        if durable:
            params |= {"InvocationType": "Event", "DurableExecutionName": name}
        place = key.place
        try:
            answer: Any = await self._block.cloud.call(
                "lambda",
                "Invoke",
                params,
                principal=make_lambda_session(place, role),
                account=place.account,
                region=place.region,
                source_arn=place.arn,
                trace=call.trace or None,
            )
        except AwsError as error:
            if is_transient(error.code, error.status):
                raise
            told = {"ErrorType": error.code, "ErrorMessage": error.message}
            await self._change(key, partial(_note_answer, operation, FAILED, None, told))
            return
        if durable:
            await self._await_called(key, operation, str(answer["DurableExecutionArn"]))
            return
        payload = await _read(answer["Payload"])
        if answer.get("FunctionError"):
            await self._change(key, partial(_note_answer, operation, FAILED, None, _make_error(payload)))
        else:
            text = payload.decode("utf-8", "replace")
            await self._change(key, partial(_note_answer, operation, SUCCEEDED, text, None))

    async def _await_called(self, key: Key, operation: str, arn: str) -> None:
        """Wait until an execution ends that was started for another one, and note how."""
        called = Key(replace(key.place, name=arn.split(":")[6]), arn.rpartition("/")[2])
        execution = await starting.wait(self._block, called)
        if execution is None:
            gone = {"ErrorType": "ResourceNotFoundException", "ErrorMessage": f"Durable execution not found: {arn}"}
            await self._change(key, partial(_note_answer, operation, FAILED, None, gone))
            return
        result, error = await self._block.store.transact(lambda tx: storage.load_result(tx, called))
        await self._change(key, partial(_note_answer, operation, execution.status, result, error))


async def _list(list_rows: Lister[R], after: bytes, tx: Transaction) -> list[R]:
    return await list_rows(tx, after, _PAGE)


async def change_execution(block: Block, key: Key, change: Change) -> tuple[Execution | None, bool]:
    """Change an execution, after all that is due, within one transaction.

    Returns its new form, None where there is none any more, and whether it had not ended: only then it is changed.
    """
    now = block.clock.now()

    async def body(tx: Transaction) -> tuple[Execution | None, bool, bool]:
        before = await storage.find(tx, key)
        if before is None:
            return None, False, False
        if before.has_ended and now >= before.expires:
            await storage.remove(tx, before)
            return None, False, False
        execution = await progress.advance(tx, before, now)
        was_open = not execution.has_ended
        if was_open:
            execution = await change(tx, execution, now)
        ends = execution.has_ended and not before.has_ended
        if execution is not before:
            storage.put(tx, before, execution)
        if ends:
            await ending.tell(block, tx, execution, now)
        return execution, was_open, ends

    execution, was_open, ends = await block.store.transact(body)
    if execution is not None and ends:
        ending.measure(block, execution)
    return execution, was_open


async def _forget_invocation(tx: Transaction, execution: Execution, now: float) -> Execution:
    return replace(execution, invoked=None, has_to_run=True, not_before=now)


async def _prepare(tx: Transaction, key: Key) -> tuple[Execution, bytes] | None:
    """Return an execution that is to be invoked, and the event that its function gets."""
    execution = await storage.find(tx, key)
    if execution is None or execution.invoked is None:
        return None
    shown, last = await showing.list_state(tx, key, 0, _STATE_OPERATIONS, _STATE_BYTES)
    event = {
        "DurableExecutionArn": execution.arn,
        "CheckpointToken": execution.checkpoint_token,
        "InitialExecutionState": {
            "Operations": [showing.convert_times(each) for each in shown],
            "NextMarker": "" if last is None else str(last),
        },
        "UpdatedOperationIds": list(execution.changed),
    }
    storage.put(tx, execution, replace(execution, changed=(), has_to_run=False))
    return execution, msgspec.json.encode(event)


async def _note_refusal(
    began: float | None, error: AwsError, tx: Transaction, execution: Execution, now: float
) -> Execution:
    """Note that a function could not be invoked, and try again later.

    Where the function is gone, the execution fails.
    """
    if execution.invoked != began:
        return execution
    if error.code == "ResourceNotFoundException":
        told = {"ErrorType": error.code, "ErrorMessage": error.message}
        return progress.finish(tx, execution, FAILED, now, None, told)
    return _try_again(execution, now)


def _try_again(execution: Execution, now: float) -> Execution:
    failures = execution.failures + 1
    not_before = now + compute_back_off(failures, longest=_MAX_PAUSE_SECONDS)
    return replace(execution, invoked=None, has_to_run=True, failures=failures, not_before=not_before)


async def _note_outcome(
    began: float | None, request_id: str, outcome: Outcome, tx: Transaction, execution: Execution, now: float
) -> Execution:
    """Note what came of an invocation, unless another one has followed it."""
    if execution.invoked != began:
        return execution
    error = _make_error(outcome.payload) if outcome.error else None
    details: dict[str, Any] = {"StartTimestamp": began, "EndTimestamp": now, "RequestId": request_id}
    if error is not None:
        details |= history.show_error(error)
    execution = progress.settle_pause(history.add(tx, execution, "InvocationCompleted", now, details))
    if error is not None:
        return _try_again(execution, now)
    try:
        answer = msgspec.json.decode(outcome.payload)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        answer = {}
    match answer.get("Status"):
        case "SUCCEEDED":
            return progress.finish(tx, execution, SUCCEEDED, now, _get_text(answer, "Result"))
        case "FAILED":
            return progress.finish(tx, execution, FAILED, now, None, read_error(answer.get("Error")))
        case "PENDING":
            if not (execution.waiting or execution.has_to_run):
                return _fail(tx, execution, now, _NOTHING_PENDING)
            return replace(execution, invoked=None, failures=0, not_before=now)
    return _fail(tx, execution, now, _WRONG_STATUS)


def _get_text(answer: dict[str, Any], name: str) -> str | None:
    value = answer.get(name)
    return value if isinstance(value, str) else None


def _fail(tx: Transaction, execution: Execution, now: float, message: str) -> Execution:
    error = {"ErrorType": "InvalidParameterValueException", "ErrorMessage": message}
    return progress.finish(tx, execution, FAILED, now, None, error)


async def _find_call(tx: Transaction, key: Key, operation: str) -> tuple[storage.Call, str, bool] | None:
    """Return a call to be made, its role, and whether the called function is durable."""
    call, execution = await storage.find_call(tx, key, operation), await storage.find(tx, key)
    if call is None or execution is None:
        return None
    caller = await directory.resolve(tx, FunctionReference(key.place, execution.version))
    try:
        called = await directory.resolve(tx, directory.parse(call.function, key.place.account, key.place.region))
    except AwsError:
        # The call itself says what is wrong.
        return call, caller.version.role, False
    return call, caller.version.role, called.version.durable is not None


async def _note_answer(
    operation: str,
    status: str,
    result: str | None,
    error: Error | None,
    tx: Transaction,
    execution: Execution,
    now: float,
) -> Execution:
    """Note what a called function has answered."""
    storage.remove_call(tx, execution.key, operation)
    found = await storage.find_operation(tx, execution.key, operation)
    if found is None or found.is_closed:
        return execution
    return replace(progress.end(tx, execution, found, status, now, result, error), has_to_run=True)


def _make_error(document: bytes) -> Error:
    """Return the error of an error document."""
    return {"ErrorType": error_type(document), "ErrorMessage": error_message(document)}


async def _read(payload: Any) -> bytes:
    return payload if isinstance(payload, bytes) else bytes(await payload.read(invoking.PAYLOAD_BYTES))
