"""Functions of templates, by their properties; they are evaluated without a server here."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.cloudformation.templates.functions import NO_VALUE, Scope
from cloudlet.services.cloudformation.templates.language_extensions import expand_loops
from cloudlet.services.cloudformation.templates.parsing import parse_template
from cloudlet.services.cloudformation.templates.template import sort_resources

_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)
_SCALARS = st.one_of(st.booleans(), st.integers(-1000, 1000), _TEXT)
_KEYS = st.text("abcdefgh", min_size=1, max_size=5)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_KEYS, inner, max_size=4))
)
SCOPE = Scope(values={"AWS::Region": "us-east-1"}, has_language_extensions=True)


@given(_VALUES)
def test_what_has_no_function_stays_as_it_is(value: Any) -> None:
    assert SCOPE.resolve(value) == value


@given(st.lists(_TEXT.filter(lambda text: "|" not in text), min_size=1, max_size=5))
def test_split_undoes_join(items: list[str]) -> None:
    assert SCOPE.resolve({"Fn::Split": ["|", {"Fn::Join": ["|", items]}]}) == items


@given(st.lists(_TEXT, min_size=1, max_size=6), st.data())
def test_select_takes_one(items: list[str], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(items) - 1))
    assert SCOPE.resolve({"Fn::Select": [str(index), items]}) == items[index]


@given(_TEXT)
def test_base64_is_base64(text: str) -> None:
    assert b64decode(SCOPE.resolve({"Fn::Base64": text})).decode() == text


@given(st.dictionaries(_KEYS, _TEXT.filter(lambda text: "${" not in text), min_size=1, max_size=4))
def test_sub_puts_values_where_their_names_are(values: dict[str, str]) -> None:
    template = "/".join(f"${{{name}}}" for name in values)
    assert SCOPE.resolve({"Fn::Sub": [template, values]}) == "/".join(values.values())


@given(_VALUES)
def test_to_json_string_is_json(value: Any) -> None:
    assert json.loads(SCOPE.resolve({"Fn::ToJsonString": value})) == value


@given(st.booleans(), st.booleans())
def test_conditions_are_boolean_algebra(a: bool, b: bool) -> None:
    conditions = {
        "A": {"Fn::Equals": [str(a), "True"]},
        "B": {"Fn::Equals": [str(b), "True"]},
        "And": {"Fn::And": [{"Condition": "A"}, {"Condition": "B"}]},
        "NotOr": {"Fn::Not": [{"Fn::Or": [{"Condition": "A"}, {"Condition": "B"}]}]},
    }
    scope = Scope(values={}, conditions=conditions)
    assert scope.is_met("And") == (a and b)
    assert scope.is_met("NotOr") == (not (a or b))
    assert scope.resolve({"x": {"Fn::If": ["And", 1, {"Ref": "AWS::NoValue"}]}}) == ({"x": 1} if a and b else {})
    assert NO_VALUE not in scope.resolve([{"Ref": "AWS::NoValue"}, 2])


@given(st.lists(_KEYS, unique=True, max_size=5))
def test_a_loop_makes_one_of_each(names: list[str]) -> None:
    raw = {
        "Resources": {"Fn::ForEach::X": ["N", names, {"R${N}": {"Type": "T", "Properties": {"Name": {"Ref": "N"}}}}]}
    }
    made = expand_loops(raw, SCOPE.resolve)["Resources"]
    assert {key: one["Properties"]["Name"] for key, one in made.items()} == {f"R{name}": name for name in names}


@given(st.dictionaries(_KEYS, _VALUES, min_size=1, max_size=4))
def test_json_is_read_as_it_is_written(value: dict[str, Any]) -> None:
    assert parse_template(json.dumps(value)) == value


@given(st.integers(1, 12), st.data())
def test_resources_come_after_what_they_depend_on(count: int, data: st.DataObject) -> None:
    names = [f"R{number}" for number in range(count)]
    dependencies = {
        name: data.draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else []
        for index, name in enumerate(names)
    }
    order = sort_resources(dependencies)
    assert sorted(order) == sorted(names)
    assert all(order.index(other) < order.index(name) for name in names for other in dependencies[name])
