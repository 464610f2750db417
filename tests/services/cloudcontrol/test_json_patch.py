"""JSON patches (RFC 6902) are applied as the standard says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.cloudcontrol.json_patch import InvalidPatch, apply_patch, parse_patch

CASES: list[tuple[Any, dict[str, Any], Any]] = [
    ({"a": 1}, {"op": "add", "path": "/b", "value": 2}, {"a": 1, "b": 2}),
    ({"a": [1, 3]}, {"op": "add", "path": "/a/1", "value": 2}, {"a": [1, 2, 3]}),
    ({"a": [1]}, {"op": "add", "path": "/a/-", "value": 2}, {"a": [1, 2]}),
    ({"a": 1}, {"op": "add", "path": "", "value": []}, []),
    ({"a": 1, "b": 2}, {"op": "remove", "path": "/b"}, {"a": 1}),
    ({"a": [1, 2]}, {"op": "remove", "path": "/a/0"}, {"a": [2]}),
    ({"a": {"b": 1}}, {"op": "replace", "path": "/a/b", "value": 5}, {"a": {"b": 5}}),
    ({"a": [1]}, {"op": "replace", "path": "/a/0", "value": 5}, {"a": [5]}),
    ({"a/b": 1, "m~n": 2}, {"op": "replace", "path": "/a~1b", "value": 3}, {"a/b": 3, "m~n": 2}),
    ({"m~n": 2}, {"op": "remove", "path": "/m~0n"}, {}),
    ({"a": 1}, {"op": "move", "from": "/a", "path": "/b"}, {"b": 1}),
    ({"a": {"x": 1}}, {"op": "copy", "from": "/a", "path": "/b"}, {"a": {"x": 1}, "b": {"x": 1}}),
    ({"a": 1.0}, {"op": "test", "path": "/a", "value": 1.0}, {"a": 1.0}),
]


@pytest.mark.parametrize(("value", "operation", "wanted"), CASES)
def test_an_operation_changes_a_value(value: Any, operation: dict[str, Any], wanted: Any) -> None:
    assert apply_patch(value, [operation]) == wanted


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/no"},
        {"op": "replace", "path": "/no", "value": 1},
        {"op": "add", "path": "/no/x", "value": 1},
        {"op": "add", "path": "/list/9", "value": 1},
        {"op": "add", "path": "/list/01", "value": 1},
        {"op": "replace", "path": "/list/-", "value": 1},
        {"op": "move", "from": "/object", "path": "/object/x"},
        {"op": "test", "path": "/yes", "value": 1},
        {"op": "remove", "path": "no-pointer"},
        {"op": "remove", "path": ""},
    ],
)
def test_what_does_not_fit_changes_nothing(operation: dict[str, Any]) -> None:
    value = {"list": [1], "object": {"x": 1}, "yes": True}
    before = repr(value)
    with pytest.raises(InvalidPatch):
        apply_patch(value, [{"op": "add", "path": "/new", "value": 1}, operation])
    assert repr(value) == before


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=3), _JSON, max_size=4), st.text(max_size=3), _JSON)
def test_what_is_added_is_there_and_can_be_removed(value: dict[str, Any], key: str, new: Any) -> None:
    path = "/" + key.replace("~", "~0").replace("/", "~1")
    added = apply_patch(value, [{"op": "add", "path": path, "value": new}])
    assert added == {**value, key: new}
    removed = apply_patch(added, [{"op": "test", "path": path, "value": new}, {"op": "remove", "path": path}])
    assert removed == {name: item for name, item in value.items() if name != key}


def test_copies_of_copies_end() -> None:
    doubling = [{"op": "copy", "from": "", "path": f"/{number}"} for number in range(60)]
    with pytest.raises(InvalidPatch, match="larger than 262144 characters"):
        apply_patch({"a": "x" * 1000}, doubling)


def test_a_document_does_not_become_too_deep() -> None:
    deep = parse_patch('[{"op": "add", "path": "/a", "value": ' + '{"a":' * 60 + "1" + "}" * 60 + "}]")
    deeper = [{**deep[0], "path": "/a" * (1 + 60 * times)} for times in range(100)]
    with pytest.raises(InvalidPatch, match="nested too deeply"):
        apply_patch({}, deeper)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '[{"op": "add", "path": "/a", "value": "\\ud800"}]',
        "[NaN]",
        '[{"op": "remove", "path": "/list/\u00b2"}]',
    ],
)
def test_what_is_no_patch(text: str) -> None:
    with pytest.raises(InvalidPatch):
        apply_patch({"list": [1, 2, 3]}, parse_patch(text))
