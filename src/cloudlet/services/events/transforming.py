"""What a target gets of an event: all of it, a part, a constant, or a text made by a template.

User guide, "Amazon EventBridge input transformation".
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from typing import Any, Final

from cloudlet.core.aws import iso8601
from cloudlet.core.aws.input_template import MISSING, TemplateTooLong, as_json, is_path, render, resolve_path
from cloudlet.core.background.retrying import DeliveryError
from cloudlet.services.events import errors
from cloudlet.services.events.delivery_record import Delivery
from cloudlet.services.events.rule_record import Target

_PLACE: Final = re.compile(r"<([\w.-]+)>")
_NAME: Final = re.compile(r"[\w.-]+")
_PREDEFINED: Final = frozenset(
    (
        "aws.events.rule-arn",
        "aws.events.rule-name",
        "aws.events.event.ingestion-time",
        "aws.events.event",
        "aws.events.event.json",
    )
)
_MOST_CHARACTERS: Final = 1 << 20
"""No target takes more."""
MEMBERS: Final = frozenset(("Input", "InputPath", "InputTransformer"))
"""What of a target says what it gets; where it has none of them, it gets the event."""


def check(target: Target) -> None:
    """Raise AwsError where a target's input makes no sense."""
    if len(MEMBERS.intersection(target)) > 1:
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
        _check_template(target["Id"], target["InputTransformer"]["InputTemplate"], paths)


def _check_template(id: str, template: str, paths: Collection[str]) -> None:
    """Raise AwsError for a template that is not JSON: one value, or several, such as a text for each line.

    API reference, "InputTransformer": a place cannot be the key of an object. User guide, "Common issues with
    transforming input": texts are in quotation marks.
    """
    known = {*paths, *_PREDEFINED}
    for name in _PLACE.findall(template):
        if name not in known:
            raise errors.validation(f"Invalid InputTemplate for target {id} : [Placeholder {name} is not defined.].")
    # Places have become texts, which are JSON within quotation marks and without.
    marked = render(template, known.__contains__, lambda _: _MARK, _MOST_CHARACTERS)
    try:
        _check_json(marked, _MARKED)
    except ValueError as problem:
        raise errors.validation(f"Invalid InputTemplate for target {id} : [{problem}].") from None


def _check_json(text: str, decoder: json.JSONDecoder) -> None:
    """Raise ValueError for a text that is not JSON: one value, or several one after the other."""
    at = _past_space(text, 0)
    for _ in range(_MOST_VALUES):
        try:
            _, at = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError):
            raise ValueError("JSON syntax error") from None
        at = _past_space(text, at)
        if at == len(text):
            return
    raise ValueError(f"There are more than {_MOST_VALUES} values")


def _past_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _without_places(pairs: list[tuple[str, Any]]) -> None:
    if any(_MARK in key for key, _ in pairs):
        raise ValueError("A placeholder cannot be the key of an object")


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")


_MARK: Final = "\ufdd0"
"""No character, and so in no template."""
_SPACE: Final = re.compile(r"[ \t\r\n]+")
_MOST_VALUES: Final = 8192
"""No template has room for more."""
_NAMES: Final = {"detail-type": "detailType"}
"""The members of an event that have another name in `aws.events.event`."""
_MARKED: Final = json.JSONDecoder(object_pairs_hook=_without_places, parse_constant=_no_number)
_DECODER: Final = json.JSONDecoder(parse_constant=_no_number)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def check_paths(values: Iterable[str]) -> None:
    """Raise AwsError where one of the values of HttpParameters is a path that makes no sense."""
    for value in values:
        if value.startswith("$."):
            _check_path(value)


def _check_path(path: str) -> None:
    if not is_path(path):
        raise errors.validation(f"JSON path {path} is not valid.")


def text(delivery: Delivery) -> str:
    """Return what a target gets. Raises Failed where no target could take it."""
    target = delivery.target
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        found = resolve_path(json.loads(delivery.event), target["InputPath"])
        return as_json(None if found is MISSING else found)
    if "InputTransformer" in target:
        return _filled(delivery, target["InputTransformer"])
    return delivery.event


def http_parameters(delivery: Delivery) -> dict[str, Any]:
    """Return the HttpParameters of a target, with what the event has at the paths in them.

    User guide, "Amazon EventBridge targets", "Target parameters": a value that is a path stands for what is there.
    """
    given = delivery.target.get("HttpParameters") or {}
    event = json.loads(delivery.event) if given else None

    def value(text: str) -> str:
        if not text.startswith("$."):
            return text
        found = resolve_path(event, text)
        return "" if found is MISSING else found if isinstance(found, str) else as_json(found)

    return {
        name: [value(each) for each in part]
        if isinstance(part, list)
        else {key: value(each) for key, each in part.items()}
        for name, part in given.items()
    }


def _filled(delivery: Delivery, transformer: dict[str, Any]) -> str:
    """Return a template with its places filled. Raises Failed where that is not JSON, or too long."""
    event = json.loads(delivery.event)
    values = {name: resolve_path(event, path) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    values |= {
        "aws.events.rule-arn": delivery.rule.arn,
        "aws.events.rule-name": delivery.rule.name,
        "aws.events.event.ingestion-time": iso8601.second(delivery.noted // 1000),
        "aws.events.event": {_NAMES.get(name, name): value for name, value in event.items() if name != "detail"},
        "aws.events.event.json": event,
    }
    template = transformer["InputTemplate"]
    quoted_as = _bare if template.lstrip().startswith('"') else _unescaped
    try:
        made = render(template, values.__contains__, values.__getitem__, _MOST_CHARACTERS, quoted_as)
    except TemplateTooLong as error:
        raise DeliveryError("INVALID_PARAMETER", str(error), permanent=True) from None
    try:
        _check_json(made, _DECODER)
    except ValueError as problem:
        message = f"What the template makes of the event is not JSON: {problem}"
        raise DeliveryError("INVALID_JSON", message, permanent=True) from None
    return made


def _unescaped(value: Any) -> str:
    """Return what a value becomes within quotation marks.

    User guide, "Common issues with transforming input": EventBridge does not escape values.
    """
    return value if isinstance(value, str) else as_json(value)


def _bare(value: Any) -> str:
    """Return what a value becomes in a template that is a text: an object or an array loses its quotation marks."""
    return value if isinstance(value, str) else as_json(value).replace('"', "")
