"""What the enrichment and the target get of an event: all of it, or a text made by a template.

User guide, "Amazon EventBridge Pipes input transformation".
"""

from __future__ import annotations

import re
from typing import Any

from cloudlet.core.aws.input_template import MISSING, TemplateTooLong, as_json, is_path, render, resolve_path
from cloudlet.services.pipes import errors
from cloudlet.services.pipes.event import Event, decoded
from cloudlet.services.pipes.pipe import Parameters, Pipe
from cloudlet.services.pipes.stage import StageFailed
from cloudlet.wire.timestamps import milliseconds

_PLACE = re.compile(r"<(aws\.[^<>\s]*|\$[^<>\s]*)>")
_MOST_CHARACTERS = 10 << 20
"""Of a batch: as much as ten messages may have."""
_RESERVED = frozenset(
    (
        "aws.pipes.pipe-arn",
        "aws.pipes.pipe-name",
        "aws.pipes.source-arn",
        "aws.pipes.enrichment-arn",
        "aws.pipes.target-arn",
        "aws.pipes.event.ingestion-time",
        "aws.pipes.event",
        "aws.pipes.event.json",
    )
)


def check(template: str | None) -> None:
    """Raise ValidationException where a template has places that are none."""
    for name in _PLACE.findall(template or ""):
        if not _is_place(name):
            raise errors.validation(f"Invalid InputTemplate: {name} is not a supported variable or JSON path.")


def _is_place(name: str) -> bool:
    return is_path(name) or name in _RESERVED


def texts(pipe: Pipe, parameters: Parameters, events: list[Event], now: float) -> list[str]:
    """Return what a stage with some parameters gets of events; `now` is in seconds since the epoch.

    Raises StageFailed where that is too much.
    """
    template = parameters.get("InputTemplate")
    if not template:
        return [as_json(event.document) for event in events]
    made: list[str] = []
    left = _MOST_CHARACTERS
    for event in events:
        try:
            made.append(_text(pipe, template, event, now, left))
        except TemplateTooLong:
            raise StageFailed(
                "InvalidInput", f"what the template makes of the events is longer than {_MOST_CHARACTERS} characters"
            ) from None
        left -= len(made[-1])
    return made


def _text(pipe: Pipe, template: str, event: Event, now: float, most: int) -> str:
    plain = decoded(event)

    def value_of(name: str) -> Any:
        if name.startswith("$"):
            return resolve_path(plain, name)
        match name:
            case "aws.pipes.pipe-arn":
                return pipe.arn
            case "aws.pipes.pipe-name":
                return pipe.name
            case "aws.pipes.source-arn":
                return pipe.source
            case "aws.pipes.enrichment-arn":
                return pipe.enrichment or MISSING
            case "aws.pipes.target-arn":
                return pipe.target
            case "aws.pipes.event.ingestion-time":
                return milliseconds(now)
            case "aws.pipes.event":
                return event.document
            case _:
                return plain if isinstance(plain, dict | list) else MISSING

    return render(template, _is_place, value_of, most)


def parameter(value: str, event: Event) -> str | None:
    """Return what a parameter is for an event: what is at a path, as text, or the value itself; None for nothing.

    User guide, "Amazon EventBridge Pipes targets", "Dynamic path parameters".
    """
    if not is_path(value):
        return value
    found = resolve_path(decoded(event), value)
    if found is MISSING:
        return None
    return found if isinstance(found, str) else as_json(found)
