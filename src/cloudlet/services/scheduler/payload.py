"""What a target gets: its input with the context's attributes filled in, or a notification where it has no input.

User guide, "Adding context attributes in EventBridge Scheduler".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from cloudlet.core.aws import iso8601
from cloudlet.core.kernel.ids import uuid4

if TYPE_CHECKING:
    from cloudlet.services.scheduler.firing import Firing

_ATTRIBUTE = re.compile(r"<aws\.scheduler\.(schedule-arn|scheduled-time|execution-id|attempt-number)>")
_SAMPLE = {"schedule-arn": "arn", "scheduled-time": "time", "execution-id": "id", "attempt-number": "1"}


def of(firing: Firing) -> str:
    """Return what the target gets at the next attempt of a firing."""
    given = firing.target.get("Input")
    if given is None:
        return _notification(firing)
    return _filled(
        given,
        {
            "schedule-arn": firing.schedule,
            "scheduled-time": iso8601.second(firing.scheduled // 1000),
            "execution-id": firing.id,
            "attempt-number": str(firing.attempts + 1),
        },
    )


def is_json(given: str) -> bool:
    """Whether an input is JSON once its attributes are filled in."""
    try:
        msgspec.json.decode(_filled(given, _SAMPLE))
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return False
    return True


def _filled(given: str, values: dict[str, str]) -> str:
    return _ATTRIBUTE.sub(lambda found: values[found[1]], given)


def _notification(firing: Firing) -> str:
    """Return the event that Scheduler sends for schedules without an input."""
    event = {
        "version": "0",
        "id": uuid4(),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": firing.account,
        "time": iso8601.second(firing.scheduled // 1000),
        "region": firing.region,
        "resources": [firing.schedule],
        "detail": "{}",
    }
    return msgspec.json.encode(event).decode()
