"""What a pipe logs of its executions, step by step, to a log group.

User guide, "Logging Amazon EventBridge Pipes performance". A log that cannot be written holds nothing up.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec

from cloudlet.core import Arn, AwsError
from cloudlet.core.aws.input_template import as_json
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.pipes import log_group
from cloudlet.services.pipes.pipe import Pipe

log = logging.getLogger("cloudlet.pipes")

_ERROR, _INFO, _TRACE = "ERROR", "INFO", "TRACE"
_LEVELS = {"OFF": (), _ERROR: (_ERROR,), _INFO: (_ERROR, _INFO), _TRACE: (_ERROR, _INFO, _TRACE)}
_TRACED = ("TRANSFORMATION_STARTED", "TRANSFORMATION_SUCCEEDED", "INVOCATION_STARTED", "INVOCATION_SUCCEEDED")
_LARGEST_PAYLOAD = 60_000
"""Characters; an event of a log has 256 KB at most."""
_PATIENCE_SECONDS = 5.0


def _level_of(step: str) -> str:
    if step.endswith("FAILED"):
        return _ERROR
    return _TRACE if step.endswith(_TRACED) else _INFO


class Journal:
    """The log of one execution."""

    def __init__(self, block: Block, pipe: Pipe) -> None:
        self._block = block
        self._pipe = pipe
        self._id = uuid4()
        self._level: str = pipe.log.get("Level") or "OFF"
        self._has_data = "ALL" in (pipe.log.get("IncludeExecutionData") or ())
        self._lines: list[tuple[int, str]] = []

    def note(self, step: str, payload: Any = None, error: str = "") -> None:
        """Note a step, with what goes on after it, or with what was wrong."""
        if _level_of(step) not in _LEVELS[self._level]:
            return
        now = int(self._block.clock.now() * 1000)
        record: dict[str, Any] = {
            "executionId": self._id,
            "timestamp": now,
            "messageType": step,
            "resourceArn": self._pipe.arn,
            "logLevel": self._level,
        }
        if payload is not None and self._has_data:
            text = as_json(payload)
            if len(text) > _LARGEST_PAYLOAD:
                text = text[:_LARGEST_PAYLOAD]
                record["truncatedFields"] = ["payload"]
            record["payload"] = text
        if error:
            record["error"] = {"message": error}
        self._lines.append((now, msgspec.json.encode(record).decode()))

    async def write(self) -> None:
        """Write what was noted."""
        if not self._lines:
            return
        group = Arn.parse(self._pipe.log["CloudwatchLogsLogDestination"]["LogGroupArn"])
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await log_group.write(self._block, self._pipe, group, self._pipe.name, self._lines)
        except (AwsError, TimeoutError) as error:
            log.warning("%s cannot log to %s: %s", self._pipe.arn, group, error)
