"""Answers of operations to properties, as AWS's schemas of them say: the inverse of `inputs`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from cloudlet.core.aws import iso8601
from cloudlet.core.aws.resources.declaration import Call, Part, ResourceType, find_path
from cloudlet.core.aws.resources.inputs import get_operation
from cloudlet.core.aws.resources.resource_schema import Schema
from cloudlet.wire import load
from cloudlet.wire.shapes import Shape

_EMPTY: Final[tuple[Any, ...]] = (None, "", [], {})


def render_answer(model: str, operation: str, answer: Any) -> dict[str, Any]:
    """Return an answer as JSON has it: times and blobs are texts."""
    source = load(model).operations[operation].output
    plain = answer or {} if source is None else _render(source.shape, answer or {})
    return plain if isinstance(plain, dict) else {}


def _render(shape: Shape, value: Any) -> Any:
    if value is None:
        return None
    match shape.kind:
        case "structure":
            members = shape.members
            return {key: _render(members[key].shape, item) if key in members else item for key, item in value.items()}
        case "list":
            return [_render(shape.element.shape, item) for item in value]
        case "map":
            return {key: _render(shape.value.shape, item) for key, item in value.items()}
        case "timestamp" if isinstance(value, int | float):
            return iso8601.second(int(value))
        case "blob" if isinstance(value, bytes):
            return value.decode(errors="replace")
        case _:
            return value


def list_renamed(declared: ResourceType) -> dict[str, str]:
    """Return the members of inputs whose properties have other names, by their paths."""
    renamed: dict[str, str] = {}
    for call in _list_calls(declared):
        for member, source in call.members.items():
            if isinstance(source, str) and "{" not in source and not source.startswith(("Item", "generated")):
                renamed.setdefault(source, member)
    return renamed


def _list_calls(declared: ResourceType) -> Iterator[Call]:
    if declared.create is not None:
        yield declared.create
    yield from declared.updates
    for part in declared.parts:
        if isinstance(part, Part):
            yield part.put


def list_candidates(answer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield an answer, and the structures in it that may tell of the resource."""
    yield answer
    for value in answer.values():
        if isinstance(value, Mapping):
            yield value
        elif isinstance(value, list) and len(value) == 1 and isinstance(value[0], Mapping):
            yield value[0]


def collect_properties(
    schema: Schema, renamed: Mapping[str, str], candidates: list[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the properties that structures tell by members of known names."""
    by_name = [{name.lower(): value for name, value in one.items()} for one in candidates]
    found: dict[str, Any] = {}
    for name in schema.properties:
        for member in (name, renamed.get(name, "")):
            value = next((one[member.lower()] for one in by_name if one.get(member.lower()) is not None), None)
            if member and value is not None:
                found[name] = value
                break
    for path, member in renamed.items():
        name, _, inner = path.partition(".")
        if inner and "." not in inner and name not in found:
            value = next((find_path(one, member) for one in candidates if one.get(member) is not None), None)
            if value is not None:
                found[name] = {inner: value}
    return fit_properties(schema, found)


def fit_properties(schema: Schema, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return properties in the forms that a schema has, without empty ones."""
    fitted = {name: _fit(schema, schema.properties.get(name, {}), value) for name, value in found.items()}
    return {name: value for name, value in fitted.items() if value not in _EMPTY}


def _fit(schema: Schema, node: Any, value: Any) -> Any:
    node = schema.resolve(node)
    kinds = schema.list_types(node)
    if isinstance(value, Mapping):
        if kinds and "object" not in kinds and "array" in kinds:
            return [_fit(schema, node.get("items", {}), item) for item in _make_tags(value)]
        return _fit_object(schema, node, value)
    if isinstance(value, list):
        if kinds and "array" not in kinds and "object" in kinds:
            return {tag["Key"]: tag.get("Value", "") for tag in map(_rename_tag, value) if "Key" in tag}
        items = node.get("items", {})
        return [_fit(schema, items if isinstance(items, Mapping) else {}, item) for item in value]
    if isinstance(value, str) and ("object" in kinds or not kinds):
        return parse_document(value)
    return schema.convert_scalar(node, value)


def _fit_object(schema: Schema, node: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, Any]:
    value = _rename_tag(value)
    known: Mapping[str, Any] = node.get("properties", {})
    others: Any = next(iter(node.get("patternProperties", {}).values()), {})
    names = {name.lower(): name for name in known}
    fitted: dict[str, Any] = {}
    for key, item in value.items():
        name = key if key in known else names.get(key.lower())
        if item is None or (name is None and known and node.get("additionalProperties") is False and not others):
            continue
        fitted[name or key] = _fit(schema, known[name] if name else others, item)
    return fitted


def parse_document(text: str) -> Any:
    """Return the object that a text of JSON, escaped as URLs are or not, has.

    Return the text where it has none.
    """
    for form in (text, unquote(text)):
        try:
            parsed = json.loads(form)
        except ValueError:
            continue
        if isinstance(parsed, dict):
            return parsed
    return text


def _make_tags(value: Mapping[str, Any]) -> list[Any]:
    return [{"Key": key, "Value": item} for key, item in value.items()]


def _rename_tag(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a tag with the names of members that schemas have."""
    if set(value) == {"TagKey", "TagValue"}:
        return {"Key": value["TagKey"], "Value": value["TagValue"]}
    if set(value) == {"key", "value"}:
        return {"Key": value["key"], "Value": value["value"]}
    return value


def render_call(declared: ResourceType, call: Call, answer: Any) -> dict[str, Any]:
    """Return the answer of a call as JSON has it."""
    return render_answer(*get_operation(declared.model, call), answer)
