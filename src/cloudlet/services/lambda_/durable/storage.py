"""The store of durable executions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.lambda_.durable.execution import Execution, Key, Operation
from cloudlet.services.lambda_.functions.function import Place

TOPIC: Final = b"durable"
"""The topic of changes: there may be something to do."""
_EXECUTIONS: Final = Subspace("durable")
_NAMES: Final = Subspace("durable-name")
"""Function, name → the id of its last execution."""
_DUE: Final = Subspace("durable-due")
"""The time at which there is something to do, the execution."""
_INVOKED: Final = Subspace("durable-invoked")
"""The executions whose function is being invoked."""
_CALLS: Final = Subspace("durable-call")
"""Execution, operation → what is called for it."""
_OPERATIONS: Final = Subspace("durable-operation")
_NUMBERS: Final = Subspace("durable-number")
"""Execution, the id of an operation → its number."""
_EVENTS: Final = Subspace("durable-event")
_INPUTS: Final = Subspace("durable-input")
_RESULTS: Final = Subspace("durable-result")
_OF_EXECUTIONS: Final = (_CALLS, _OPERATIONS, _NUMBERS, _EVENTS)
_PAGE: Final = 50
_encode = msgspec.msgpack.Encoder().encode
decode_execution = msgspec.msgpack.Decoder(Execution).decode
_operation = msgspec.msgpack.Decoder(Operation).decode
_Result = tuple[str | None, dict[str, Any] | None]
_result = msgspec.msgpack.Decoder(_Result).decode


class Call(msgspec.Struct, frozen=True):
    """A function that is called for an execution."""

    function: str
    payload: str
    trace: str = ""


_call = msgspec.msgpack.Decoder(Call).decode


def make_done_topic(key: Key) -> bytes:
    """Return the topic that tells of an execution's end."""
    return b"durable-done:" + key.id.encode()


async def find(tx: Transaction, key: Key) -> Execution | None:
    raw = await tx.get(_EXECUTIONS.key(*key.elements))
    return None if raw is None else decode_execution(raw)


def put(tx: Transaction, before: Execution | None, execution: Execution) -> None:
    """Keep an execution, and when there is something to do for it."""
    key = execution.key.elements
    if before is not None:
        tx.delete(_DUE.key(before.due, *key))
    if execution.invoked is not None:
        tx.put(_INVOKED.key(*key), b"")
    elif before is not None and before.invoked is not None:
        tx.delete(_INVOKED.key(*key))
    tx.put(_DUE.key(execution.due, *key), b"")
    tx.put(_EXECUTIONS.key(*key), _encode(execution))
    tx.notify(TOPIC)
    if execution.has_ended:
        tx.notify(make_done_topic(execution.key))


async def find_named(tx: Transaction, place: Place, name: str) -> Key | None:
    """Return the last execution of a name."""
    raw = await tx.get(_NAMES.key(place.account, place.region, place.name, name))
    return None if raw is None else Key(place, raw.decode())


def put_name(tx: Transaction, key: Key, name: str) -> None:
    tx.put(_NAMES.key(*key.elements[:3], name), key.id.encode())


async def remove(tx: Transaction, execution: Execution) -> None:
    """Forget an execution and all that is kept of it."""
    key = execution.key.elements
    tx.delete(_EXECUTIONS.key(*key))
    tx.delete(_DUE.key(execution.due, *key))
    tx.delete(_INVOKED.key(*key))
    tx.delete(_INPUTS.key(*key))
    tx.delete(_RESULTS.key(*key))
    for space in _OF_EXECUTIONS:
        own = space.sub(*key)
        tx.delete_range(own.begin, own.end)
    if await find_named(tx, execution.key.place, execution.name) == execution.key:
        tx.delete(_NAMES.key(*key[:3], execution.name))


def put_input(tx: Transaction, key: Key, payload: bytes) -> None:
    tx.put(_INPUTS.key(*key.elements), payload)


async def load_input(tx: Transaction, key: Key) -> bytes:
    return await tx.get(_INPUTS.key(*key.elements)) or b"{}"


def put_result(tx: Transaction, key: Key, result: str | None, error: dict[str, Any] | None) -> None:
    tx.put(_RESULTS.key(*key.elements), _encode((result, error)))


async def load_result(tx: Transaction, key: Key) -> _Result:
    """Return the result and the error of an execution that has ended."""
    raw = await tx.get(_RESULTS.key(*key.elements))
    return (None, None) if raw is None else _result(raw)


async def find_operation(tx: Transaction, key: Key, id: str) -> Operation | None:
    number = await tx.get(_NUMBERS.key(*key.elements, id))
    if number is None:
        return None
    raw = await tx.get(_OPERATIONS.key(*key.elements, int(number)))
    return None if raw is None else _operation(raw)


def put_operation(tx: Transaction, key: Key, operation: Operation) -> None:
    tx.put(_NUMBERS.key(*key.elements, operation.id), b"%d" % operation.number)
    tx.put(_OPERATIONS.key(*key.elements, operation.number), _encode(operation))


async def list_operations(tx: Transaction, key: Key) -> AsyncIterator[Operation]:
    """Give the operations of an execution in the order in which they have started."""
    space = _OPERATIONS.sub(*key.elements)
    begin = space.begin
    while rows := await tx.range(begin, space.end, limit=_PAGE):
        for _, raw in rows:
            yield _operation(raw)
        begin = rows[-1][0] + b"\0"


def put_event(tx: Transaction, key: Key, number: int, event: dict[str, Any]) -> None:
    tx.put(_EVENTS.key(*key.elements, number), _encode(event))


def get_event_space(key: Key) -> Subspace:
    return _EVENTS.sub(*key.elements)


def get_execution_space(place: Place) -> Subspace:
    """Return the executions of a function, in the order in which they have started."""
    return _EXECUTIONS.sub(place.account, place.region, place.name)


def put_call(tx: Transaction, key: Key, operation: str, call: Call) -> None:
    tx.put(_CALLS.key(*key.elements, operation), _encode(call))


def remove_call(tx: Transaction, key: Key, operation: str) -> None:
    tx.delete(_CALLS.key(*key.elements, operation))


async def find_call(tx: Transaction, key: Key, operation: str) -> Call | None:
    raw = await tx.get(_CALLS.key(*key.elements, operation))
    return None if raw is None else _call(raw)


def remove_calls(tx: Transaction, key: Key) -> None:
    """Have nothing called any more for an execution."""
    own = _CALLS.sub(*key.elements)
    tx.delete_range(own.begin, own.end)


async def list_due(tx: Transaction, after: bytes, count: int) -> list[tuple[bytes, float, Key]]:
    """Return executions with the times at which there is something to do, the first first."""
    rows = await tx.range(after + b"\0" if after else _DUE.begin, _DUE.end, limit=count)
    return [(key, *_unpack_due(_DUE.unpack(key))) for key, _ in rows]


def _unpack_due(elements: tuple[Any, ...]) -> tuple[float, Key]:
    due, *place, id = elements
    return due, Key(Place(*place), id)


async def list_invoked(tx: Transaction, after: bytes, count: int) -> list[tuple[bytes, Key]]:
    """Return executions whose function is being invoked, those after a row."""
    rows = await tx.range(after + b"\0" if after else _INVOKED.begin, _INVOKED.end, limit=count)
    return [(key, _unpack_due((0.0, *_INVOKED.unpack(key)))[1]) for key, _ in rows]


async def list_calls(tx: Transaction, after: bytes, count: int) -> list[tuple[bytes, Key, str]]:
    """Return calls that are to be made, by execution and operation, those after a row."""
    rows = await tx.range(after + b"\0" if after else _CALLS.begin, _CALLS.end, limit=count)
    called = [(key, *_CALLS.unpack(key)) for key, _ in rows]
    return [(key, Key(Place(*place), id), operation) for key, *place, id, operation in called]
