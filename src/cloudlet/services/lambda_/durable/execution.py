"""Records of durable executions and their operations, and their names.

Times are in seconds since the epoch, durations in seconds.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from typing import Any, Final

import msgspec

from cloudlet.core import AwsError
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.functions.function import DurableConfig, Place

Error = dict[str, Any]
"""An ErrorObject of the API."""

RUNNING: Final = "RUNNING"
PAUSING: Final = "PAUSING"
PAUSED: Final = "PAUSED"
SUCCEEDED: Final = "SUCCEEDED"
FAILED: Final = "FAILED"
TIMED_OUT: Final = "TIMED_OUT"
STOPPED: Final = "STOPPED"
STARTED: Final = "STARTED"
PENDING: Final = "PENDING"
READY: Final = "READY"
CANCELLED: Final = "CANCELLED"
ENDED: Final = frozenset({SUCCEEDED, FAILED, TIMED_OUT, STOPPED})
"""The statuses of executions and operations that nothing follows; for operations also `CANCELLED`."""

_MAX_EXECUTION_SECONDS: Final = 366 * 86_400
_DAY_SECONDS: Final = 86_400
_ERROR_TEXTS: Final = ("ErrorType", "ErrorMessage", "ErrorData")
_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:lambda:([a-z0-9-]+):(\d{12}):function:([a-zA-Z0-9_-]+):(\$LATEST|[0-9]+)"
    r"/durable-execution/([a-zA-Z0-9_-]+)/([a-zA-Z0-9_-]+)",
    re.ASCII,
)


class Key(msgspec.Struct, frozen=True, array_like=True):
    """The name of an execution in the store."""

    place: Place
    id: str

    @property
    def elements(self) -> tuple[str, str, str, str]:
        return self.place.account, self.place.region, self.place.name, self.id


class Pause(msgspec.Struct, frozen=True, array_like=True):
    """The pause of an execution: its beginning and its reason."""

    requested: float
    reason: str = ""
    stops_timeout: bool = True
    """Whether the execution's timeout does not go on meanwhile."""


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """A durable execution; its payloads are kept beside it."""

    key: Key
    name: str
    version: str
    qualifier: str
    """The version or alias that was named."""
    config: DurableConfig
    started: float
    deadline: float
    digest: bytes
    """Of the input: another execution of that name has to have the same."""
    request_id: str
    trace: str = ""
    is_asynchronous: bool = False
    """Whether destinations and dead-letter queues are told of its end."""
    status: str = RUNNING
    ended: float = 0.0
    token: int = 0
    """The number of the checkpoint token that holds now."""
    client_token: str = ""
    """The ClientToken of the last checkpoint."""
    operations: int = 0
    """The number of its operations."""
    stored: int = 0
    """The characters that it has saved."""
    events: int = 0
    """The number of events in its history."""
    waiting: dict[str, float | None] = {}
    """Operations that it waits for: id → the end of their time, None for never."""
    changed: tuple[str, ...] = ()
    """The operations that have changed and that the function was not told of yet."""
    has_to_run: bool = True
    """Whether the function is to be invoked."""
    invoked: float | None = None
    """Since when it is being invoked; None while it is not."""
    failures: int = 0
    """The number of invocations in a row that have failed."""
    not_before: float = 0.0
    """The time from which it may be invoked again."""
    pause: Pause | None = None
    pause_token: str = ""
    """The ClientToken of the last request to pause or to go on."""

    @property
    def arn(self) -> str:
        function = self.key.place.qualified(self.version)
        return f"{function}/durable-execution/{self.name}/{self.key.id}"

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED

    @property
    def is_runnable(self) -> bool:
        """Whether its function is to be invoked as soon as may be."""
        return self.has_to_run and self.invoked is None and self.pause is None

    @property
    def times_out(self) -> float:
        """Return the time at which it times out, paused or not."""
        last = self.started + _MAX_EXECUTION_SECONDS
        return last if self.pause is not None and self.pause.stops_timeout else min(self.deadline, last)

    @property
    def expires(self) -> float:
        """Return the time at which it is forgotten, once it has ended."""
        return self.ended + self.config.retention_days * _DAY_SECONDS

    @property
    def due(self) -> float:
        """Return the time at which there is something to do for it next."""
        if self.has_ended:
            return self.expires
        due = [self.times_out, *(when for when in self.waiting.values() if when is not None)]
        if self.is_runnable:
            due.append(self.not_before)
        return min(due)

    @property
    def checkpoint_token(self) -> str:
        """Return the token by which the function saves what comes next."""
        return make_token(self.key.id, self.token)


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """An operation of a durable execution, such as a step, a wait, or a callback."""

    id: str
    number: int
    """Operations of an execution are in the order in which they have started."""
    type: str
    status: str
    started: float
    parent: str = ""
    name: str = ""
    subtype: str = ""
    ended: float | None = None
    due: float | None = None
    """The end of a wait, or the next try of a step."""
    attempt: int = 0
    """The number of times that a step has failed."""
    result: str | None = None
    error: Error | None = None
    replays_children: bool = False
    callback: str = ""
    timeout: int = 0
    """Of a callback; 0 for none."""
    heartbeat: int = 0
    """Within which a callback has to show signs of life; 0 for none."""
    deadline: float | None = None
    """The end of a callback's whole timeout."""
    function: str = ""
    """The function that is called."""

    @property
    def is_closed(self) -> bool:
        return self.status in ENDED or self.status == CANCELLED


def parse(arn: str, account: str, region: str) -> Key:
    """Return the execution that an ARN names. Raises AwsError where it is no ARN of this account and region."""
    match = _ARN.fullmatch(arn)
    if match is None:
        raise errors.invalid(f"Invalid durable execution ARN: {arn}")
    if (match[1], match[2]) != (region, account):
        raise make_not_found(arn)
    return Key(Place(account, region, match[3]), match[6])


def read_error(given: object) -> Error:
    """Return the error that a function gives, without what an ErrorObject has not."""
    if not isinstance(given, dict):
        return {}
    error = {name: given[name] for name in _ERROR_TEXTS if isinstance(given.get(name), str)}
    trace = given.get("StackTrace")
    return {**error, "StackTrace": [str(line) for line in trace]} if isinstance(trace, list) else error


def make_not_found(arn: str) -> AwsError:
    """Return the error for an execution that is not there."""
    return errors.not_found(f"Durable execution not found: {arn}")


def make_token(*parts: object) -> str:
    """Return a text of base64 that stands for parts, none of which has a colon."""
    return b64encode(":".join(map(str, parts)).encode()).decode()


def parse_token(token: str) -> list[str]:
    """Return the parts of a token; none where it is none of ours."""
    try:
        return b64decode(token, validate=True).decode().split(":")
    except ValueError:
        return []
