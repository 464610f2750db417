"""Writing to groups of CloudWatch Logs, into streams that are created with the first event.

`Call` calls an operation of CloudWatch Logs, as whoever writes there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from cloudlet.core.aws.arn import Arn
from cloudlet.core.kernel.errors import AwsError

Call = Callable[[str, dict[str, Any]], Awaitable[Any]]

PREFIX = "log-group:"
"""What the resource in the ARN of a log group begins with."""


def group_of(arn: Arn) -> str:
    """Return the name of the log group with an ARN, which may end in `:*`."""
    return arn.resource.removeprefix(PREFIX).removesuffix(":*")


async def write(call: Call, group: str, stream: str, events: Sequence[Mapping[str, Any]]) -> None:
    """Put events (`timestamp`, `message`), the oldest first. Raises AwsError."""
    params = {"logGroupName": group, "logStreamName": stream, "logEvents": events}
    try:
        await call("PutLogEvents", params)
        return
    except AwsError as error:
        if error.code != "ResourceNotFoundException":
            raise
    # It is the stream that is not there yet, or the group, which is then what this says.
    await create_stream(call, group, stream)
    await call("PutLogEvents", params)


async def create_stream(call: Call, group: str, stream: str) -> None:
    """Create a stream, if it is not there. Raises AwsError."""
    await _create(call, "CreateLogStream", {"logGroupName": group, "logStreamName": stream})


async def create_group(call: Call, group: str) -> None:
    """Create a group, if it is not there. Raises AwsError."""
    await _create(call, "CreateLogGroup", {"logGroupName": group})


async def _create(call: Call, operation: str, params: dict[str, Any]) -> None:
    try:
        await call(operation, params)
    except AwsError as error:
        if error.code != "ResourceAlreadyExistsException":
            raise
