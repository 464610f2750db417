"""What a target gets of an event: all of it, a part, a constant, or a text made by a template.

User guide, "Amazon EventBridge input transformation".
"""

from __future__ import annotations

import json
import re
from typing import Any

from cloudlet.services.events import errors
from cloudlet.services.events.event import timestamp
from cloudlet.services.events.outbox import Delivery
from cloudlet.services.events.rule import Target

_STEP = re.compile(r"\.([\w/-]+|\*)|\[(\d+|\*)\]")
_PLACE = re.compile(r"<([\w.-]+)>")
_NAME = re.compile(r"[\w.-]+")
_PIECE = re.compile(r'\\.|"|<([\w.-]+)>', re.DOTALL)
_PREDEFINED = frozenset(
    (
        "aws.events.rule-arn",
        "aws.events.rule-name",
        "aws.events.event.ingestion-time",
        "aws.events.event",
        "aws.events.event.json",
    )
)
_MISSING = object()
MEMBERS = frozenset(("Input", "InputPath", "InputTransformer"))
"""What of a target says what it gets; where it has none of them, it gets the event."""


def check(target: Target) -> None:
    """Raise AwsError where a target's input makes no sense."""
    if len(MEMBERS & target.keys()) > 1:
        raise errors.validation(
            f"Only one of Input, InputPath, or InputTransformer must be provided for target {target['Id']}."
        )
    if "Input" in target and not _is_json(target["Input"]):
        raise errors.validation(f"JSON syntax error in input for target {target['Id']}.")
    if "InputPath" in target:
        _check_path(target["InputPath"])
    if "InputTransformer" in target:
        paths = target["InputTransformer"].get("InputPathsMap") or {}
        for name, path in paths.items():
            if name.lower().startswith("aws") or not _NAME.fullmatch(name):
                raise errors.validation(f"InputPathsMap key {name} is not valid for target {target['Id']}.")
            _check_path(path)
        for name in _PLACE.findall(target["InputTransformer"]["InputTemplate"]):
            if name not in paths and name not in _PREDEFINED:
                raise errors.validation(
                    f"Invalid InputTemplate for target {target['Id']} : [Placeholder {name} is not defined.]."
                )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _check_path(path: str) -> None:
    if not path.startswith("$") or _STEP.sub("", path[1:]):
        raise errors.validation(f"JSON path {path} is not valid.")


def text(delivery: Delivery) -> str:
    """Return what a target gets."""
    target = delivery.target
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        found = _at(json.loads(delivery.event), target["InputPath"])
        return _json(None if found is _MISSING else found)
    if "InputTransformer" in target:
        return _filled(delivery, target["InputTransformer"])
    return delivery.event


def _filled(delivery: Delivery, transformer: dict[str, Any]) -> str:
    """Return a template with its places filled: as JSON, or within a string's quotation marks as text."""
    event = json.loads(delivery.event)
    values = {name: _at(event, path) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    values |= {
        "aws.events.rule-arn": delivery.rule.arn,
        "aws.events.rule-name": delivery.rule.name,
        "aws.events.event.ingestion-time": timestamp(delivery.noted / 1000),
        "aws.events.event": {name: value for name, value in event.items() if name != "detail"},
        "aws.events.event.json": event,
    }
    quoted = False

    def fill(found: re.Match[str]) -> str:
        nonlocal quoted
        if found[1] is None:
            quoted ^= found[0] == '"'
            return found[0]
        value = values[found[1]]
        if value is _MISSING:
            return "" if quoted else '""'
        if not quoted:
            return _json(value)
        inner = value if isinstance(value, str) else _json(value)
        return _json(inner)[1:-1]

    return _PIECE.sub(fill, transformer["InputTemplate"])


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _at(document: Any, path: str) -> Any:
    """Return what is at a JSON path of an event: with a wildcard a list, else one value, or _MISSING."""
    found = [document]
    several = False
    for name, index in _STEP.findall(path):
        step = name or index
        several = several or step == "*"
        found = [inner for each in found for inner in _step(each, step, indexed=bool(index))]
    if several:
        return found
    return found[0] if found else _MISSING


def _step(part: Any, step: str, *, indexed: bool) -> list[Any]:
    if step == "*":
        return list(part) if isinstance(part, list) else list(part.values()) if isinstance(part, dict) else []
    if indexed:
        return [part[int(step)]] if isinstance(part, list) and int(step) < len(part) else []
    return [part[step]] if isinstance(part, dict) and step in part else []
