"""Access logs: a line a request, in the format of the stage, to a group of CloudWatch Logs.

Developer guide, "Configure logging for HTTP APIs in API Gateway". Lines are gathered in memory and sent off the way of
requests; while CloudWatch Logs does not take them they are dropped, as are those of a crash.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from cloudlet.core import Arn, AwsError
from cloudlet.core.authorization.role_session import make_session
from cloudlet.core.aws import log_groups
from cloudlet.core.background.jobs import best_effort
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import make_principal
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.services.apigateway import errors
from cloudlet.services.apigateway.rest import store

log = logging.getLogger("cloudlet.apigateway")

_VARIABLE = re.compile(r"\$context((?:\.[A-Za-z0-9_-]+)+)")
_MOST_BYTES = 32 << 20
"""Of lines that wait to be sent, half of it for one account's; more are dropped."""
_LINE_CHARACTERS = 64 << 10
"""A line that is longer is cut off."""
_FORMAT_BYTES = 3 << 10
_BATCH_LINES = 5000
_BATCH_BYTES = 900_000
_LINE_OVERHEAD = 26
_GATHERING_SECONDS = 0.25
_SESSION = "BackplaneAssumeRoleSession"
_DELIVERY = "delivery.logs.amazonaws.com"
OWN_GROUPS = "API-Gateway-Execution-Logs_"
"""What the names of those log groups begin with that API Gateway itself makes: those of execution logs."""
Settings = dict[str, Any]


def check(account: str, settings: Settings) -> Settings:
    """Return settings as they are kept for a stage of an account. Raises AwsError."""
    destination, form = settings.get("DestinationArn"), settings.get("Format")
    if not destination:
        raise errors.bad_request("Access log destination must be a Firehose stream or a CloudWatch Logs log group")
    try:
        arn = Arn.parse(destination)
    except ValueError:
        raise errors.bad_request("Invalid ARN specified in the request") from None
    if arn.service == "firehose":
        raise errors.not_built("access logs to Amazon Data Firehose")
    if arn.service != "logs" or not arn.resource.startswith(log_groups.PREFIX):
        raise errors.bad_request("Access log destination must be a Firehose stream or a CloudWatch Logs log group")
    if not form:
        raise errors.bad_request("Access log format is required")
    if len(form.encode()) > _FORMAT_BYTES:
        raise errors.bad_request(f"Access log format must not be larger than {_FORMAT_BYTES} bytes")
    if "\n" in form.strip("\n"):
        raise errors.bad_request("Access Log format should be a single line")
    if "$context.requestId" not in form and "$context.extendedRequestId" not in form:
        raise errors.bad_request(
            "Failed to validate format: it must contain at least $context.requestId or $context.extendedRequestId"
        )
    if arn.account != account:
        raise errors.bad_request(f"Access log destination must belong to the account {account}: {destination}")
    return {"DestinationArn": destination.removesuffix(":*"), "Format": form}


class Group(NamedTuple):
    """A log group, and the stream in it."""

    account: str
    region: str
    name: str
    stream: str


class Format:
    """Compiled settings of a stage."""

    def __init__(self, settings: Settings, stream: str) -> None:
        arn = Arn.parse(settings["DestinationArn"])
        self.group = Group(arn.account, arn.region, log_groups.group_of(arn), stream)
        self._parts = _VARIABLE.split(settings["Format"].strip("\n"))

    def line(self, context: Callable[[str], str | None]) -> str:
        """Return the line of a request; `context` gives the value of a variable."""
        parts = self._parts
        return "".join(part if number % 2 == 0 else context(part[1:]) or "-" for number, part in enumerate(parts))


def format_of(account: str, settings: Settings | None, stream: str) -> Format | None:
    """Return the compiled settings of a stage of an account; None where it has no access log."""
    # Older stages may have named another account's group, into which an API does not write.
    if not settings or Arn.parse(settings["DestinationArn"]).account != account:
        return None
    return Format(settings, stream)


class _Lines:
    """The lines of a block that wait to be sent."""

    def __init__(self) -> None:
        self.waiting: defaultdict[Group, list[tuple[int, str]]] = defaultdict(list)
        self.size = 0
        self.sizes: Counter[str] = Counter()
        """Account → how large its lines are."""
        self.dropped = 0
        self.there = asyncio.Event()


_LINES: PerBlock[_Lines] = PerBlock(lambda _: _Lines())


def note(block: Block, group: Group, millis: int, line: str) -> None:
    """Note a line, of a time in milliseconds since the epoch."""
    lines = _LINES.get(block)
    line = line[:_LINE_CHARACTERS]
    size = len(line) + _LINE_OVERHEAD
    if lines.sizes[group.account] + size > _MOST_BYTES // 2 or lines.size + size > _MOST_BYTES:
        lines.dropped += 1
        return
    lines.size += size
    lines.sizes[group.account] += size
    lines.waiting[group].append((millis, line))
    lines.there.set()


async def send(block: Block) -> None:
    """Send what is noted, until the block ends."""
    lines = _LINES.get(block)
    while True:
        await lines.there.wait()
        await asyncio.sleep(_GATHERING_SECONDS)
        lines.there.clear()
        waiting, lines.waiting = lines.waiting, defaultdict(list)
        lines.size, lines.sizes = 0, Counter()
        if lines.dropped:
            log.warning("%d lines of access logs were dropped: there are too many", lines.dropped)
            lines.dropped = 0
        await asyncio.gather(
            *(
                best_effort(block, f"the access log {group.name}", partial(_send, block, group, events))
                for group, events in waiting.items()
            )
        )


async def _send(block: Block, group: Group, events: list[tuple[int, str]]) -> None:
    events.sort(key=lambda event: event[0])
    batch: list[dict[str, Any]] = []
    size = 0
    for millis, line in events:
        batch.append({"timestamp": millis, "message": line})
        size += len(line.encode()) + _LINE_OVERHEAD
        if len(batch) == _BATCH_LINES or size > _BATCH_BYTES:
            await _put(block, group, batch)
            batch, size = [], 0
    if batch:
        await _put(block, group, batch)


async def _find_caller(block: Block, group: Group) -> log_groups.Call:
    """Return the principal that calls CloudWatch Logs.

    It is the role in the account's settings, or else the delivery of logs. Developer guide, "Permissions for CloudWatch
    logging"; CloudWatch Logs user guide, "Logs sent to CloudWatch Logs".
    """
    role = await block.store.transact(lambda tx: store.find_log_role(tx, group.account, group.region))
    if role:
        principal = make_session(role, _SESSION, by="apigateway.amazonaws.com")
    else:
        principal = make_principal("service", group.account, _DELIVERY, "", "")
    return partial(block.cloud.call, "logs", principal=principal, account=group.account, region=group.region)


async def _put(block: Block, group: Group, batch: list[dict[str, Any]]) -> None:
    call = await _find_caller(block, group)
    try:
        try:
            await log_groups.write(call, group.name, group.stream, batch)
        except AwsError as error:
            if error.code != "ResourceNotFoundException" or not group.name.startswith(OWN_GROUPS):
                raise
            await log_groups.create_group(call, group.name)
            await log_groups.write(call, group.name, group.stream, batch)
    except AwsError as error:
        log.warning("%d lines of an access log are lost, %s does not take them: %s", len(batch), group.name, error)
