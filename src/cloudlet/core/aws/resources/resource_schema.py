"""AWS's schemas of resource types: what properties may be, and what follows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from cloudlet.core.aws.resources.declaration import to_text
from cloudlet.core.aws.tags import is_system_key

_INTEGER: Final = re.compile(r"-?\d+")
_KINDS: Final = {
    "string": "String",
    "integer": "Integer",
    "number": "Number",
    "boolean": "Boolean",
    "object": "JSONObject",
    "array": "JSONArray",
}
MAX_REPORTED_VIOLATIONS: Final = 10


@dataclass(frozen=True, slots=True)
class Violation:
    """A property, or a part of one, that a schema does not allow."""

    keyword: str
    """The keyword of the schema: "required", "enum" …"""
    place: str
    """The path to it, "" for the properties themselves."""
    words: str
    value: Any
    """The key that is missing or too much, or else the value."""


class Schema:
    """The schema of one resource type."""

    def __init__(self, name: str, raw: Mapping[str, Any]) -> None:
        self.name = name
        self.raw = raw
        self.properties: Mapping[str, Any] = raw.get("properties", {})
        self.identifier = tuple(_list_paths(raw, "primaryIdentifier"))
        self.read_only = frozenset(_list_paths(raw, "readOnlyProperties"))
        self.create_only = frozenset(_list_paths(raw, "createOnlyProperties"))
        self.conditionally_create_only = frozenset(_list_paths(raw, "conditionalCreateOnlyProperties"))
        self.write_only = frozenset(_list_paths(raw, "writeOnlyProperties"))
        tagging = raw.get("tagging", {})
        path = tagging.get("tagProperty", "/properties/Tags" if "Tags" in self.properties else "")
        self.tag_property: str = path.removeprefix("/properties/") if tagging.get("taggable", True) else ""
        self.has_system_tags: bool = bool(self.tag_property) and tagging.get("cloudFormationSystemTags", True)
        """Whether CloudFormation gives resources tags of its own."""

    @cached_property
    def _validator(self) -> Any:
        # Imported late: it takes a tenth of a second.
        from jsonschema import Draft7Validator

        return Draft7Validator(self.raw)

    @property
    def has_tag_map(self) -> bool:
        """Whether tags are a map here, and no list of keys and values."""
        return "object" in _list_types(self.resolve(self.properties.get(self.tag_property, {})))

    def add_tags(self, properties: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
        """Return properties with tags; those that are there stay as they are."""
        name = self.tag_property
        if not tags or not name:
            return dict(properties)
        given = properties.get(name)
        if self.has_tag_map:
            return {**properties, name: {**tags, **(given or {})}}
        known = {tag.get("Key") for tag in given or ()}
        added = [{"Key": key, "Value": value} for key, value in tags.items() if key not in known]
        return {**properties, name: [*(given or ()), *added]}

    def list_tag_keys(self, properties: Mapping[str, Any]) -> list[str]:
        """Return the keys of the tags that properties have."""
        given = properties.get(self.tag_property)
        if isinstance(given, Mapping):
            return list(given)
        tags = given if isinstance(given, list) else ()
        return [str(tag.get("Key")) for tag in tags if isinstance(tag, Mapping)]

    def drop_system_tags(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Return properties without the tags that services of AWS have set."""
        name, given = self.tag_property, properties.get(self.tag_property)
        if not any(map(is_system_key, self.list_tag_keys(properties))):
            return dict(properties)
        left: Any = (
            {key: value for key, value in given.items() if not is_system_key(key)}
            if isinstance(given, Mapping)
            else [tag for tag in given or () if not is_system_key(str(tag.get("Key")))]
        )
        others = {key: value for key, value in properties.items() if key != name}
        return {**others, name: left} if left else others

    def convert_types(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Return properties in the types that the schema has: texts, numbers, booleans."""
        coerced = self._convert_types(self.raw, properties)
        assert isinstance(coerced, dict)  # noqa: S101
        return coerced

    def _convert_types(self, node: Mapping[str, Any], value: Any) -> Any:
        node = self.resolve(node)
        if isinstance(value, Mapping):
            known = node.get("properties", {})
            others: Any = next(iter(node.get("patternProperties", {}).values()), {})
            return {key: self._convert_types(known.get(key, others), item) for key, item in value.items()}
        if isinstance(value, list):
            items = node.get("items", {})
            return [self._convert_types(items if isinstance(items, Mapping) else {}, item) for item in value]
        return _convert_scalar(_list_types(node), value)

    def resolve(self, node: Any) -> Mapping[str, Any]:
        """Return a part of the schema, or the definition that it refers to."""
        while isinstance(node, Mapping) and "$ref" in node:
            found: Any = self.raw
            for step in node["$ref"].removeprefix("#/").split("/"):
                found = found.get(step, {})
            node = found
        return node if isinstance(node, Mapping) else {}

    def list_types(self, node: Mapping[str, Any]) -> frozenset[str]:
        """Return the types that values of a part may have."""
        return _list_types(node)

    def convert_scalar(self, node: Mapping[str, Any], value: Any) -> Any:
        """Return a value that is no structure in the type that a part has."""
        return _convert_scalar(_list_types(node), value)

    def list_violations(self, properties: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with properties, in AWS's words; nothing where they are right."""
        return [f"#{one.place}: {one.words}" for one in self.find_violations(properties)]

    def find_violations(self, properties: Mapping[str, Any]) -> list[Violation]:
        """Return what is wrong with properties, and where."""
        read_only = [name for name in properties if name in self.read_only]
        found = [Violation("readOnly", "", f"extraneous key [{name}] is not permitted", name) for name in read_only]
        for error in self._validator.iter_errors(properties):
            place = "".join(f"/{step}" for step in error.absolute_path)
            found += [Violation(error.validator, place, words, value) for words, value in _describe(error)]
            if len(found) >= MAX_REPORTED_VIOLATIONS:
                break
        return found

    def find_changes(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
        """Return the properties that differ, by name."""
        return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))

    def needs_replacement(self, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Whether a change of a property makes another resource."""
        return self._is_changed(self.create_only, name, old, new)

    def can_need_replacement(self, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Whether a change of a property makes another resource in some cases."""
        return self._is_changed(self.conditionally_create_only, name, old, new)

    def _is_changed(self, paths: frozenset[str], name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        for path in paths:
            steps = path.split("/")
            if steps[0] == name and list(_walk(old, steps)) != list(_walk(new, steps)):
                return True
        return False


def _list_paths(raw: Mapping[str, Any], key: str) -> list[str]:
    return [path.removeprefix("/properties/") for path in raw.get(key, ())]


def _list_types(node: Mapping[str, Any]) -> frozenset[str]:
    kinds = node.get("type", ())
    return frozenset([kinds] if isinstance(kinds, str) else kinds)


def _convert_scalar(kinds: frozenset[str], value: Any) -> Any:
    if isinstance(value, str) and kinds and not kinds & {"string"}:
        if "boolean" in kinds and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if kinds & {"integer", "number"} and _INTEGER.fullmatch(value):
            return int(value)
        if "number" in kinds:
            try:
                return float(value)
            except ValueError:
                return value
    if isinstance(value, bool | int | float) and kinds == {"string"}:
        return to_text(value)
    return value


def _walk(value: Any, steps: list[str]) -> Iterator[Any]:
    """Yield all values at a path, in which `*` stands for every item."""
    if not steps:
        yield value
    elif isinstance(value, list) and steps[0] == "*":
        for item in value:
            yield from _walk(item, steps[1:])
    elif isinstance(value, Mapping) and steps[0] in value:
        yield from _walk(value[steps[0]], steps[1:])


def _describe(error: Any) -> list[tuple[str, Any]]:
    """Return violations in AWS's words, and what each is about.

    That is the key that is missing or too much, or else the value.
    """
    value = error.instance
    match error.validator:
        case "required":
            missing = [name for name in error.validator_value if name not in value]
            return [(f"required key [{name}] not found", name) for name in missing[:1]]
        case "additionalProperties":
            known = error.schema.get("properties", {})
            patterns = error.schema.get("patternProperties", {})
            extra = [name for name in value if name not in known and not any(re.search(one, name) for one in patterns)]
            return [(f"extraneous key [{name}] is not permitted", name) for name in extra]
        case "type":
            wanted = error.validator_value if isinstance(error.validator_value, str) else error.validator_value[0]
            words = f"expected type: {_KINDS.get(wanted, wanted)}, found: {_describe_kind(value)}"
        case "enum":
            words = f"{to_text(value)} is not a valid enum value"
        case "minimum":
            words = f"{value} is not greater or equal to {error.validator_value}"
        case "maximum":
            words = f"{value} is not less or equal to {error.validator_value}"
        case "minLength":
            words = f"expected minLength: {error.validator_value}, actual: {len(value)}"
        case "maxLength":
            words = f"expected maxLength: {error.validator_value}, actual: {len(value)}"
        case "pattern":
            words = f"string [{value}] does not match pattern {error.validator_value}"
        case keyword:
            words = f"failed validation constraint for keyword [{keyword}]"
    return [(words, value)]


def _describe_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "Boolean"
    for kind, name in ((str, "String"), (int, "Integer"), (float, "Number"), (list, "JSONArray")):
        if isinstance(value, kind):
            return name
    return "JSONObject"
