"""API destinations and methods of REST APIs as enrichments and targets, through EventBridge: one event at a time."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Arn
from cloudlet.core.kernel.block import Block
from cloudlet.services.pipes import transforming
from cloudlet.services.pipes.calling import invoke_destination
from cloudlet.services.pipes.event import Event
from cloudlet.services.pipes.pipe import Parameters, Pipe


async def invoke(block: Block, pipe: Pipe, arn: Arn, event: Event, text: str, parameters: Parameters) -> bytes:
    """Send a text, made of an event, to what is reached over HTTP; return what it answers. Raises AwsError."""
    answer = await invoke_destination(block, pipe, arn, text, _for(event, parameters))
    return bytes(answer.get("Body") or b"")


def _for(event: Event, parameters: Parameters) -> Parameters:
    """Return HTTP parameters with the paths in them followed."""
    made: dict[str, Any] = {}
    for name, given in parameters.items():
        if isinstance(given, dict):
            found = {key: transforming.parameter(value, event) for key, value in given.items()}
            made[name] = {key: value for key, value in found.items() if value is not None}
        else:
            made[name] = [transforming.parameter(value, event) or "" for value in given]
    return made
