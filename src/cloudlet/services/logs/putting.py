"""What PutLogEvents takes. API reference, "PutLogEvents"."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, Final

from cloudlet.core.aws import utf8
from cloudlet.services.logs import errors
from cloudlet.services.logs.events import Batch
from cloudlet.services.logs.group_record import DAY_MILLIS, Group
from cloudlet.services.logs.row_record import OVERHEAD

MOST_BYTES: Final = 1_048_576
_OLDEST_MILLIS: Final = 14 * DAY_MILLIS
_NEWEST_MILLIS: Final = 2 * 3_600_000


def accepted(group: Group, given: list[dict[str, Any]], now: float) -> tuple[Batch, int, dict[str, int] | None]:
    """Return the events that are stored, how many bytes they count, and which ones are rejected.

    Raises AwsError.
    """
    timestamps = [event["timestamp"] for event in given]
    messages = [event["message"] for event in given]
    size = size_of(messages)
    if size > MOST_BYTES:
        raise errors.invalid(f"Upload too large: {size} bytes exceeds limit of {MOST_BYTES}")
    if timestamps != sorted(timestamps):
        raise errors.invalid("Log events in a single PutLogEvents request must be in chronological order.")
    millis = int(now * 1000)
    old = bisect_left(timestamps, millis - _OLDEST_MILLIS)
    expired = bisect_left(timestamps, group.horizon(now))
    new = bisect_left(timestamps, millis + _NEWEST_MILLIS + 1)
    rejected = {}
    if old or expired or new < len(given):
        timestamps, messages = timestamps[max(old, expired) : new], messages[max(old, expired) : new]
        size = size_of(messages)
    if timestamps and timestamps[-1] - timestamps[0] > DAY_MILLIS:
        raise errors.invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
    if new < len(given):
        rejected["tooNewLogEventStartIndex"] = new
    if old:
        rejected["tooOldLogEventEndIndex"] = old
    if expired > old:
        rejected["expiredLogEventEndIndex"] = expired
    return Batch(timestamps, messages), size, rejected or None


def size_of(messages: list[str]) -> int:
    """Return how many bytes events with these messages count. It looks at all at once, which is quicker."""
    text = "".join(messages)
    return utf8.size(text) + OVERHEAD * len(messages)
