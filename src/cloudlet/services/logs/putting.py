"""What PutLogEvents takes. API reference, "PutLogEvents"."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from cloudlet.services.logs import errors
from cloudlet.services.logs.events import OVERHEAD
from cloudlet.services.logs.group import DAY_MILLIS, Group

MOST_BYTES = 1_048_576
_OLDEST_MILLIS = 14 * DAY_MILLIS
_NEWEST_MILLIS = 2 * 3_600_000


def accepted(
    group: Group, given: list[dict[str, Any]], now: float
) -> tuple[list[tuple[int, str]], int, dict[str, int] | None]:
    """Return the events of a batch that are stored, how many bytes they count, and which ones are rejected.

    Raises AwsError.
    """
    batch = [(event["timestamp"], event["message"]) for event in given]
    size = size_of(batch)
    if size > MOST_BYTES:
        raise errors.invalid(f"Upload too large: {size} bytes exceeds limit of {MOST_BYTES}")
    if any(one[0] > other[0] for one, other in pairwise(batch)):
        raise errors.invalid("Log events in a single PutLogEvents request must be in chronological order.")
    millis = int(now * 1000)
    old = _before(batch, millis - _OLDEST_MILLIS)
    expired = _before(batch, group.horizon(now))
    new = _before(batch, millis + _NEWEST_MILLIS + 1)
    kept = batch[max(old, expired) : new]
    if kept and kept[-1][0] - kept[0][0] > DAY_MILLIS:
        raise errors.invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
    rejected = {}
    if new < len(batch):
        rejected["tooNewLogEventStartIndex"] = new
    if old:
        rejected["tooOldLogEventEndIndex"] = old
    if expired > old:
        rejected["expiredLogEventEndIndex"] = expired
    return kept, size if len(kept) == len(batch) else size_of(kept), rejected or None


def size_of(batch: list[tuple[int, str]]) -> int:
    """Return how many bytes events count."""
    return bytes_of([message for _, message in batch]) + OVERHEAD * len(batch)


def bytes_of(messages: list[str]) -> int:
    """Return how many bytes messages have: of all at once, which is quicker."""
    text = "".join(messages)
    return len(text) if text.isascii() else len(text.encode())


def _before(batch: list[tuple[int, str]], when: int) -> int:
    """Return how many events of a batch are of before a time."""
    return next((number for number, (timestamp, _) in enumerate(batch) if timestamp >= when), len(batch))
