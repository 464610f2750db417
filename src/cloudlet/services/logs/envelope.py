"""What subscribers get. User guide, "Log group-level subscription filters"."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from cloudlet.core.background.workers import run_in_worker
from cloudlet.services.logs.patterns import Pattern
from cloudlet.services.logs.subscription import Subscription

_encode = msgspec.json.Encoder().encode


class Batch(NamedTuple):
    """Events of one stream that go to one subscriber."""

    subscription: Subscription
    group: str
    stream: str
    events: list[dict[str, Any]]


class Sealed(NamedTuple):
    """A batch, or a part of one, as it is sent."""

    data: bytes
    """Compressed."""
    events: int


def event(pattern: Pattern | None, event_id: str, timestamp: int, message: str) -> dict[str, Any]:
    """Return an event as subscribers see it: with its fields, where the pattern names them between spaces."""
    shown: dict[str, Any] = {"id": event_id, "timestamp": timestamp, "message": message}
    if pattern is not None and pattern.names:
        shown["extractedFields"] = {name.removeprefix("$"): value for name, value in pattern.extract(message).items()}
    return shown


async def sealed(batch: Batch, most_bytes: int) -> list[Sealed]:
    """Return a batch in as many parts as are needed for each to have so many bytes at most.

    An event that is too large by itself is a part with no data.
    """
    # Compressing takes long, and goes on beside the event loop.
    return await run_in_worker(batch.subscription.account, lambda: list(_parts(batch, most_bytes)))


def _parts(batch: Batch, most_bytes: int) -> Iterator[Sealed]:
    pending: list[Sequence[dict[str, Any]]] = [batch.events]
    while pending:
        some = pending.pop()
        data = _data(batch, some)
        if len(data) <= most_bytes:
            yield Sealed(data, len(some))
        elif len(some) == 1:
            yield Sealed(b"", 1)
        else:
            half = len(some) // 2
            pending += [some[half:], some[:half]]


def _data(batch: Batch, some: Sequence[dict[str, Any]]) -> bytes:
    subscription = batch.subscription
    message: dict[str, Any] = {
        "messageType": "DATA_MESSAGE",
        "owner": subscription.account,
        "logGroup": batch.group,
        "logStream": batch.stream,
        "subscriptionFilters": [subscription.name],
        "logEvents": some,
    }
    if not subscription.group:
        message["policyLevel"] = "ACCOUNT_LEVEL_POLICY"
    return gzip.compress(_encode(message), compresslevel=1, mtime=0)


def test_of(what: str, now: float) -> bytes:
    """Return the message that tries out a destination, compressed; `now` is in seconds since the epoch."""
    text = f"CWL CONTROL MESSAGE: Checking health of destination {what}."
    message = {
        "messageType": "CONTROL_MESSAGE",
        "owner": "CloudwatchLogs",
        "logGroup": "",
        "logStream": "",
        "subscriptionFilters": [],
        "logEvents": [{"id": "", "timestamp": int(now * 1000), "message": text}],
    }
    return gzip.compress(_encode(message), mtime=0)
