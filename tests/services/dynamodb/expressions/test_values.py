"""Attribute values: what is kept, how it compares and what it counts for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.dynamodb.item_data.values import checked_item, checked_value, compare, depth, equal, item_size
from tests.services.dynamodb.expressions.refusals import refused

SCALARS = st.one_of(
    st.builds(lambda text: {"S": text}, st.text(max_size=4)),
    st.builds(lambda number: {"N": str(number)}, st.integers(-50, 50)),
    st.builds(lambda data: {"B": data}, st.binary(max_size=4)),
    st.builds(lambda flag: {"BOOL": flag}, st.booleans()),
    st.just({"NULL": True}),
    st.builds(lambda members: {"SS": members}, st.lists(st.text(max_size=2), min_size=1, max_size=4, unique=True)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(lambda members: {"L": members}, st.lists(inner, max_size=3)),
        st.builds(lambda content: {"M": content}, st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    ),
    max_leaves=8,
)


def _nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "x"}
    for level in range(levels):
        value = {"L": [value]} if level % 2 else {"M": {"a": value}}
    return value


def test_numbers_are_kept_in_canonical_text_wherever_they_are() -> None:
    given_item = {"n": {"N": "1.0"}, "s": {"NS": ["1e1", "2"]}, "m": {"M": {"l": {"L": [{"N": "007"}]}}}}
    assert checked_item(given_item) == {
        "n": {"N": "1"},
        "s": {"NS": ["10", "2"]},
        "m": {"M": {"l": {"L": [{"N": "7"}]}}},
    }


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"),
        (
            {"S": "a", "N": "1"},
            "Supplied AttributeValue has more than one datatypes set, "
            "must contain exactly one of the supported datatypes",
        ),
        (
            {"NULL": False},
            "One or more parameter values were invalid: Null attribute value types must have the value of true",
        ),
        ({"SS": []}, "One or more parameter values were invalid: An string set  may not be empty"),
        ({"NS": []}, "One or more parameter values were invalid: An number set  may not be empty"),
        ({"BS": []}, "One or more parameter values were invalid: Binary sets should not be empty"),
        (
            {"SS": ["a", "a"]},
            'One or more parameter values were invalid: Input collection ["a", "a"] contains duplicates.',
        ),
        ({"NS": ["1", "1.0"]}, "One or more parameter values were invalid: Input collection contains duplicates."),
        ({"L": [{"N": "x"}]}, "The parameter cannot be converted to a numeric value: x"),
        (
            _nested(33),
            "Nesting Levels have exceeded supported limits: "
            "Attributes in the item have nested levels beyond supported limit",
        ),
    ],
)
def test_what_cannot_be_kept_is_refused(value: dict[str, Any], message: str) -> None:
    assert refused(checked_value, value) == message


def test_thirty_two_levels_are_kept() -> None:
    assert checked_value(_nested(32)) == _nested(32)
    assert depth(_nested(32)) == 32


@pytest.mark.parametrize(
    ("name", "part"), [("", "Empty attribute name"), ("x" * 65536, "must be less than 65536"), ("é" * 32768, "65536")]
)
def test_names_have_at_least_one_byte_and_at_most_65535(name: str, part: str) -> None:
    assert part in refused(checked_item, {name: {"S": "x"}})


def test_a_name_of_65535_bytes_is_kept() -> None:
    assert checked_item({"x" * 65535: {"S": "x"}})


def test_sets_are_equal_whatever_their_order_also_deep_inside() -> None:
    one = {"M": {"a": {"L": [{"SS": ["x", "y"]}]}}}
    assert equal(one, {"M": {"a": {"L": [{"SS": ["y", "x"]}]}}})
    assert not equal(one, {"M": {"a": {"L": [{"SS": ["y", "z"]}]}}})
    assert not equal({"L": [{"S": "a"}, {"S": "b"}]}, {"L": [{"S": "b"}, {"S": "a"}]})


@given(VALUES, VALUES)
def test_equality_is_reflexive_and_symmetric_and_minds_the_type(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert equal(one, one)
    assert equal(one, other) == equal(other, one)
    if one.keys() != other.keys():
        assert not equal(one, other)


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({"N": "9"}, {"N": "10"}),
        ({"N": "-10"}, {"N": "-9"}),
        ({"S": "a"}, {"S": "ab"}),
        ({"S": "z"}, {"S": "é"}),
        ({"S": "\uffff"}, {"S": "\U00010000"}),
        ({"B": b"\x7f"}, {"B": b"\x80"}),
    ],
)
def test_strings_numbers_and_binaries_are_ordered(less: dict[str, Any], more: dict[str, Any]) -> None:
    up, down = compare(less, more), compare(more, less)
    assert up is not None
    assert down is not None
    assert up < 0 < down
    assert compare(less, less) == 0


@pytest.mark.parametrize(
    ("one", "other"), [({"S": "1"}, {"N": "1"}), ({"BOOL": True}, {"BOOL": False}), ({"L": []}, {"L": []})]
)
def test_nothing_else_is_ordered(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert compare(one, other) is None


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"a": {"S": "hello"}}, 6),
        ({"é": {"S": "é"}}, 4),
        ({"a": {"B": b"12"}}, 3),
        ({"a": {"BOOL": True}, "b": {"NULL": True}}, 4),
        ({"a": {"N": "12345"}}, 5),
        ({"a": {"SS": ["ab", "c"]}}, 4),
        ({"a": {"NS": ["1", "12"]}}, 5),
        ({"a": {"L": []}}, 4),
        ({"a": {"M": {}}}, 4),
        ({"a": {"L": [{"S": "x"}]}}, 6),
        ({"a": {"M": {"k": {"S": "x"}}}}, 7),
    ],
)
def test_an_item_counts_its_names_and_values(item: dict[str, Any], size: int) -> None:
    assert item_size(item) == size
