"""Properties to the inputs of operations, as AWS's models of them say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties, find_path, render, to_text
from cloudlet.wire import load
from cloudlet.wire.shapes import Shape

_TOKENS: Final = frozenset({"clienttoken", "clientrequesttoken", "idempotencytoken"})
_TAG_MEMBERS: Final = {"TagKey", "TagValue"}


class UnsupportedProperty(Exception):
    """A property that has no place in the input of an operation."""


def get_operation(model: str, call: Call) -> tuple[str, str]:
    """Return the model and the name of a call's operation."""
    other, _, name = call.operation.rpartition(":")
    return other or model, name


@lru_cache(4096)
def list_members(model: str, operation: str) -> Mapping[str, str]:
    """Return the members of an operation's input, by their names in lower case."""
    found = _get_input(model, operation)
    return {} if found is None else {name.lower(): name for name in found.members}


def _get_input(model: str, operation: str) -> Shape | None:
    source = load(model).operations[operation].input
    return None if source is None else source.shape


def build_input(model: str, call: Call, properties: Properties, token: str = "") -> dict[str, Any]:
    """Return the input of a call for a resource. Raises UnsupportedProperty.

    Members that are tokens of clients have `token`, where the call does not say otherwise.
    """
    model, operation = get_operation(model, call)
    shape = _get_input(model, operation)
    if shape is None:
        return {}
    # What begins with a small letter is no property of the resource: where it is, and what it is to be called.
    by_name = {name.lower(): value for name, value in properties.items() if name[:1].isupper()}
    built: dict[str, Any] = {}
    for name, member in shape.members.items():
        if name in call.members:
            source = call.members[name]
            if source is None:
                continue
            value = source(properties) if callable(source) else _find(source, properties)
        elif name.lower() in _TOKENS and name.lower() not in by_name:
            value = _fit_token(member.shape, token) or None
        else:
            value = by_name.get(name.lower())
        if value is None:
            value = call.absent.get(name)
        if value is not None:
            built[name] = convert(member.shape, value, name)
    return built


def _fit_token(shape: Shape, token: str) -> str:
    return token.replace("-", "") if shape.maximum is not None and len(token) > shape.maximum else token


def _find(source: str, properties: Properties) -> Any:
    return render(source, properties) if "{" in source else find_path(properties, source)


def convert(shape: Shape, value: Any, path: str = "") -> Any:
    """Return a value in the form that a shape has. Raises UnsupportedProperty, which names the property."""
    match shape.kind:
        case "structure":
            return _convert_structure(shape, value, path)
        case "list":
            member = shape.element.shape
            return [convert(member, one, path) for one in _list_items_of(value)]
        case "map":
            pairs = _get_pairs(value)
            member = shape.value.shape
            return {str(key): convert(member, one, f"{path}.{key}") for key, one in pairs.items()}
        case "string":
            return to_text(value)
        case "boolean":
            return value.lower() == "true" if isinstance(value, str) else bool(value)
        case "integer" | "long":
            return int(value)
        case "float" | "double":
            return float(value)
        case "timestamp":
            return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else value
        case "blob":
            return value if isinstance(value, bytes) else to_text(value).encode()
        case _:
            return value


def _convert_structure(shape: Shape, value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise UnsupportedProperty(path)
    members = {name.lower(): name for name in shape.members}
    if set(shape.members) == _TAG_MEMBERS:
        value = {f"Tag{key}" if key in ("Key", "Value") else key: item for key, item in value.items()}
    converted: dict[str, Any] = {}
    for key, item in value.items():
        name = members.get(key.lower())
        if name is None:
            raise UnsupportedProperty(f"{path}.{key}")
        if item is not None:
            converted[name] = convert(shape.members[name].shape, item, f"{path}.{key}")
    return converted


def _list_items_of(value: Any) -> list[Any]:
    """Return a list; of a map of tags its keys and values."""
    if isinstance(value, Mapping):
        return [{"Key": key, "Value": item} for key, item in value.items()]
    return value if isinstance(value, list) else [value]


def _get_pairs(value: Any) -> Mapping[str, Any]:
    """Return a map; of a list of tags what it says."""
    if isinstance(value, list):
        return {one["Key"]: one.get("Value", "") for one in value}
    if not isinstance(value, Mapping):
        raise UnsupportedProperty("a map")
    return value
