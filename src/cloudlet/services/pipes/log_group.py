"""Log groups, as targets and for what pipes log of themselves."""

from __future__ import annotations

from functools import partial

from cloudlet.core import Arn, AwsError
from cloudlet.core.aws import log_groups
from cloudlet.core.kernel.block import Block
from cloudlet.services.pipes.calling import call
from cloudlet.services.pipes.pipe import Pipe


def is_group(arn: Arn) -> bool:
    return arn.service == "logs" and arn.resource.startswith(log_groups.PREFIX)


async def write(block: Block, pipe: Pipe, group: Arn, stream: str, lines: list[tuple[int, str]]) -> None:
    """Write lines, each with its time (ms since the epoch), to a stream, which is created where it is not there.

    Raises AwsError.
    """
    if group.account != pipe.account:
        # Pipes from before this was asked when they were created.
        raise AwsError("AccessDeniedException", f"The log group {group} is of another account.", status=403)
    events = [{"timestamp": time, "message": text} for time, text in sorted(lines, key=lambda line: line[0])]
    await log_groups.write(partial(call, block, pipe, group), log_groups.group_of(group), stream, events)
