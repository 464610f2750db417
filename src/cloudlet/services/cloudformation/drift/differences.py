"""Differences between properties as they are expected and as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

from cloudlet.core.aws.resources.declaration import to_text
from cloudlet.core.aws.resources.outputs import parse_document
from cloudlet.core.aws.resources.resource_schema import Schema
from cloudlet.services.cloudformation.templates.dynamic_references import has_references

_EMPTY: Final[tuple[Any, ...]] = (None, "", [], {}, False)
_KEYS: Final = ("Key", "Id", "ID", "Name", "AttributeName", "IndexName", "Sid")
"""The members that tell items of a list apart."""


class Difference(msgspec.Struct, frozen=True):
    """A property, or a part of one, that is not as it is expected. Values are texts."""

    path: str
    kind: Literal["ADD", "REMOVE", "NOT_EQUAL"]
    expected: str
    actual: str


def list_differences(
    schema: Schema, expected: Mapping[str, Any], actual: Mapping[str, Any], unread: frozenset[str]
) -> list[Difference]:
    """Return where a resource differs from what is expected.

    Only what is expected is looked at, and nothing that cannot be read, or never changes.
    """
    found: list[Difference] = []
    fixed = schema.read_only | schema.create_only
    comparison = _Comparison(schema)
    for name, value in expected.items():
        if name in unread or name in fixed or has_references(value):
            continue
        found += comparison.compare(schema.properties.get(name, {}), value, actual.get(name), (name,))
    return found


class _Comparison:
    """The comparison of values by the parts of a schema that they belong to."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._write_only = [path.split("/") for path in schema.write_only if "/" in path]

    def compare(self, node: Any, expected: Any, actual: Any, path: tuple[str, ...]) -> Iterator[Difference]:
        if self._is_write_only(path):
            return
        node = self._schema.resolve(node)
        kinds = self._schema.list_types(node)
        if not kinds or "object" in kinds:
            expected, actual = _parse(expected), _parse(actual)
        if actual is None:
            if expected not in _EMPTY and not self._is_all_write_only(node, expected, path):
                yield _make(path, "REMOVE", expected, None)
        elif isinstance(expected, Mapping) and isinstance(actual, Mapping):
            yield from self._compare_structures(node, expected, actual, path)
        elif isinstance(expected, list) and isinstance(actual, list):
            yield from self._compare_lists(node, expected, actual, path)
        elif not _is_equal(expected, actual):
            yield _make(path, "NOT_EQUAL", expected, actual)

    def _is_write_only(self, path: tuple[str, ...]) -> bool:
        return any(
            len(one) == len(path) and all(a in ("*", b) for a, b in zip(one, path, strict=True))
            for one in self._write_only
        )

    def _is_all_write_only(self, node: Mapping[str, Any], expected: Any, path: tuple[str, ...]) -> bool:
        """Whether nothing of a structure can be read."""
        return isinstance(expected, Mapping) and all(
            self._is_write_only((*path, name))
            or self._is_all_write_only(self._schema.resolve(node.get("properties", {}).get(name)), item, (*path, name))
            for name, item in expected.items()
        )

    def _compare_structures(
        self, node: Mapping[str, Any], expected: Mapping[str, Any], actual: Mapping[str, Any], path: tuple[str, ...]
    ) -> Iterator[Difference]:
        known: Mapping[str, Any] = node.get("properties", {})
        others: Any = next(iter(node.get("patternProperties", {}).values()), {})
        for name, value in expected.items():
            yield from self.compare(known.get(name, others), value, actual.get(name), (*path, name))
        if not known:
            # All of a map is the template's; of a structure there are defaults that it does not name.
            for name, value in actual.items():
                if name not in expected:
                    yield _make((*path, name), "ADD", None, value)

    def _compare_lists(
        self, node: Mapping[str, Any], expected: list[Any], actual: list[Any], path: tuple[str, ...]
    ) -> Iterator[Difference]:
        items = node.get("items", {})
        items = items if isinstance(items, Mapping) else {}
        left = list(enumerate(actual))
        missing: list[tuple[int, Any]] = []
        is_ordered = not (node.get("insertionOrder") is False or node.get("uniqueItems") or path[-1] == "Tags")
        for number, value in enumerate(expected):
            same = (pair for pair in left if self._is_same(items, value, pair[1], (*path, str(number))))
            match = next((pair for pair in same if not is_ordered or pair[0] == number), None)
            if match is None:
                missing.append((number, value))
            else:
                left.remove(match)
        for number, value in missing:
            partner = next(
                (pair for pair in left if _is_partner(value, pair[1], is_ordered and pair[0] == number)), None
            )
            if partner is None:
                yield _make((*path, str(number)), "REMOVE", value, None)
            else:
                left.remove(partner)
                yield from self.compare(items, value, partner[1], (*path, str(number)))
        for number, value in left:
            yield _make((*path, str(number)), "ADD", None, value)

    def _is_same(self, node: Any, expected: Any, actual: Any, path: tuple[str, ...]) -> bool:
        return next(self.compare(node, expected, actual, path), None) is None


def _is_partner(expected: Any, actual: Any, is_in_place: bool) -> bool:
    """Whether two items are the same one, changed."""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        key = next((key for key in _KEYS if key in expected), None)
        return expected[key] == actual.get(key) if key is not None else is_in_place
    return is_in_place


def _parse(value: Any) -> Any:
    return parse_document(value) if isinstance(value, str) else value


def _is_equal(expected: Any, actual: Any) -> bool:
    if isinstance(expected, int | float) and isinstance(actual, int | float):
        return bool(expected == actual)
    if isinstance(expected, str) and isinstance(actual, list):
        # Policies have one value as a text, or as a list.
        return actual == [expected]
    if isinstance(expected, str) and isinstance(actual, str) and _is_name_of(expected, actual):
        return True
    return to_text(expected) == to_text(actual)


def _is_name_of(one: str, other: str) -> bool:
    """Whether one of two texts is an ARN, and the other the name in it."""
    arn, name = (one, other) if one.startswith("arn:") else (other, one)
    return arn.startswith("arn:") and bool(name) and arn.endswith((f":{name}", f"/{name}"))


def _make(path: tuple[str, ...], kind: Literal["ADD", "REMOVE", "NOT_EQUAL"], expected: Any, actual: Any) -> Difference:
    return Difference("/" + "/".join(path), kind, _format(expected), _format(actual))


def _format(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))
