"""Log groups, as targets and for what pipes log of themselves."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Arn, AwsError
from cloudlet.core.block import Block
from cloudlet.services.pipes.calling import call
from cloudlet.services.pipes.pipe import Pipe

_GROUP = "log-group:"


def is_group(arn: Arn) -> bool:
    return arn.service == "logs" and arn.resource.startswith(_GROUP)


async def write(block: Block, pipe: Pipe, group: Arn, stream: str, lines: list[tuple[int, str]]) -> None:
    """Write lines, each with its time (ms since the epoch), to a stream, which is created where it is not there.

    Raises AwsError.
    """
    name = {"logGroupName": group.resource.removeprefix(_GROUP).removesuffix(":*"), "logStreamName": stream}
    events = [{"timestamp": time, "message": text} for time, text in sorted(lines, key=lambda line: line[0])]
    params: dict[str, Any] = {**name, "logEvents": events}
    try:
        await call(block, pipe, group, "PutLogEvents", params)
    except AwsError as error:
        if error.code != "ResourceNotFoundException":
            raise
        try:
            await call(block, pipe, group, "CreateLogStream", name)
        except AwsError as refused:
            if refused.code != "ResourceAlreadyExistsException":
                raise
        await call(block, pipe, group, "PutLogEvents", params)
