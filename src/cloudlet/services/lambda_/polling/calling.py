"""Calls that a mapping makes: of its function, and of other blocks as a session of the function's role."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from cloudlet.core import Transaction
from cloudlet.core.aws.polling.source_record import Record
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.lambda_ import errors, invoking, measuring, tracing
from cloudlet.services.lambda_.execution.invocation import Invocation
from cloudlet.services.lambda_.functions import directory
from cloudlet.services.lambda_.functions.roles import make_lambda_session
from cloudlet.services.lambda_.invoking import Target
from cloudlet.services.lambda_.mappings.mapping import Mapping

PARTIAL = "ReportBatchItemFailures"


class Answer(NamedTuple):
    """What a function has made of a batch."""

    failed: list[Record]
    """In the order of the batch; all of it, where the function failed as a whole."""
    error: str
    """The kind of the function's error; empty where it has answered."""
    version: str
    request_id: str
    state: bytes | None = None
    """What it has returned for the window that is open, as JSON; None where there is none, or it has failed."""


class _Windowed(msgspec.Struct):
    """What a function returns for a window."""

    state: msgspec.Raw


async def invoke(block: Block, mapping: Mapping, batch: list[Record], window: dict[str, Any] | None = None) -> Answer:
    """Give a batch to the function, and what is told of a window. Raises AwsError where it cannot be invoked now."""
    found = await block.store.transact(lambda tx: invoking.target_of(tx, mapping.target))
    version = found.resolved.version
    if version.state != "Active":
        raise errors.conflict(f"The function is currently in the following state: {version.state}")
    invocation = Invocation(uuid4(), event_of(batch, window), mapping.target.arn, trace=_lineage(found, batch))
    outcome = await invoking.run(block, found, invocation)
    failed = batch if outcome.error else _failed(mapping, batch, outcome.payload)
    if window is None or outcome.error:
        return Answer(failed, outcome.error, version.version, invocation.request_id)
    state = _state(outcome.payload)
    return Answer(batch if state is None else failed, "", version.version, invocation.request_id, state)


async def without_loops(block: Block, mapping: Mapping, batch: list[Record]) -> list[Record]:
    """Return the messages of a batch that a function may get; not those that it has caused itself, over and over.

    Developer guide, "Use Lambda recursive loop detection to prevent infinite loops": such a message stays in its queue,
    whose redrive policy counts that. In a FIFO queue what came after it waits, too.
    """
    if not any(_trace(record) for record in batch):
        return batch
    found = await block.store.transact(lambda tx: invoking.target_of(tx, mapping.target))
    version = found.resolved.version
    if found.function.recursion == "Allow":
        return batch
    is_looping = [tracing.loops(_trace(record), version) for record in batch]
    if not any(is_looping):
        return batch
    measuring.recursive(block, found.resolved)
    if mapping.source.endswith(".fifo"):
        return batch[: is_looping.index(True)]
    return [record for record, loops in zip(batch, is_looping, strict=True) if not loops]


def _lineage(found: Target, batch: list[Record]) -> str:
    """Return which functions what is in a batch came through, where all of it came through some.

    Of several chains it is the one that came through this function least: what a function does for a message that is
    new must not be taken for a part of an old chain, only since both came in one batch.
    """
    headers = [_trace(record) for record in batch]
    return tracing.lineage(min(headers, key=lambda header: tracing.passes(header, found.resolved.version), default=""))


def _trace(record: Record) -> str:
    """Return the trace header with which a message was sent; empty where there is none."""
    return str((record.document.get("attributes") or {}).get("AWSTraceHeader") or "")


def _state(payload: bytes) -> bytes | None:
    """Return what a function has returned for a window; None where that is not as it should be."""
    try:
        state = bytes(msgspec.json.decode(payload, type=_Windowed).state)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return state if state.lstrip().startswith(b"{") else None


def _failed(mapping: Mapping, batch: list[Record], payload: bytes) -> list[Record]:
    """Return what a function says of a batch that it has taken. An answer that makes no sense fails all of it.

    Developer guide, "Implementing partial batch responses", "Success and failure conditions".
    """
    if PARTIAL not in mapping.response_types:
        return []
    try:
        answer = msgspec.json.decode(payload or b"null")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return batch
    if answer is None:
        return []
    if not isinstance(answer, dict):
        return batch
    failures = answer.get("batchItemFailures")
    if not failures:
        return []
    if not isinstance(failures, list):
        return batch
    known = {_name(mapping, record) for record in batch}
    named = [each.get("itemIdentifier") if isinstance(each, dict) else None for each in failures]
    if not all(isinstance(name, str) and name in known for name in named):
        return batch
    return [record for record in batch if _name(mapping, record) in named]


def _name(mapping: Mapping, record: Record) -> str:
    """Return what a function calls a record: a message's id, a change's sequence number."""
    return record.id if mapping.source_service == "sqs" else record.handle


def event_of(batch: list[Record], window: dict[str, Any] | None = None) -> bytes:
    """Return the event that a function gets."""
    return msgspec.json.encode({"Records": [each.document for each in batch], **(window or {})})


async def get_session(block: Block, mapping: Mapping) -> Principal:
    """Return the session of the function's role by which a mapping's calls are made. Raises AwsError."""

    async def role(tx: Transaction) -> str:
        return (await directory.resolve(tx, mapping.target)).version.role

    return make_lambda_session(mapping.function, await block.store.transact(role))


async def call(
    block: Block, mapping: Mapping, service: str, operation: str, params: dict[str, Any], *, region: str = ""
) -> dict[str, Any]:
    """Call another block's API. Raises AwsError."""
    result = await block.cloud.call(
        service,
        operation,
        params,
        principal=await get_session(block, mapping),
        account=mapping.account,
        region=region or mapping.region,
        source_arn=mapping.arn,
    )
    return dict(result or {})
