"""Projection expressions."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.services.dynamodb.expressions import Substitutions, parse_projection
from tests.services.dynamodb.expressions.refusals import refused

ITEM: dict[str, Any] = {
    "a": {"M": {"b": {"L": [{"N": "2"}, {"N": "4"}, {"M": {"x": {"S": "hi"}, "y": {"S": "yo"}}}]}, "c": {"N": "5"}}},
    "b": {"S": "hello"},
    "a.b": {"S": "dot"},
}


def _of(text: str, names: dict[str, str] | None = None) -> dict[str, Any]:
    return parse_projection(text, Substitutions(names)).of(ITEM)


def _b(*members: dict[str, Any]) -> dict[str, Any]:
    return {"a": {"M": {"b": {"L": list(members)}}}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b", {"b": {"S": "hello"}}),
        (" b ,  nope ", {"b": {"S": "hello"}}),
        ("a", {"a": ITEM["a"]}),
        ("a.c, b", {"a": {"M": {"c": {"N": "5"}}}, "b": {"S": "hello"}}),
        ("a.b[2].y", _b({"M": {"y": {"S": "yo"}}})),
        ("a.b[1], a.b[0]", _b({"N": "2"}, {"N": "4"})),
        ("a.x, a.b[0], x, a.b[3].x", _b({"N": "2"})),
        ("a.b.x", {}),
        ("a[0]", {}),
        ("a.b[0][0]", {}),
        ("a.b[7]", {}),
    ],
)
def test_what_is_wanted_keeps_its_place(text: str, expected: dict[str, Any]) -> None:
    assert _of(text) == expected


def test_a_name_that_is_substituted_is_one_element_whatever_it_contains() -> None:
    assert _of("#n", {"#n": "a.b"}) == {"a.b": {"S": "dot"}}
    assert _of("#a.#c", {"#a": "a", "#c": "c"}) == {"a": {"M": {"c": {"N": "5"}}}}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a,", 'Syntax error; token: "<EOF>", near: ","'),
        (",a", 'Syntax error; token: ",", near: ",a"'),
        ("a,,b", 'Syntax error; token: ",", near: ",,b"'),
        ("a[]", 'Syntax error; token: "]", near: "[]"'),
        ("a b", 'Syntax error; token: "b", near: "a b"'),
        ("a = b", 'Syntax error; token: "=", near: "a = b"'),
        ("", "The expression can not be empty;"),
        (
            "a.b, b, a.b[0]",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; "
            "path one: [a, b], path two: [a, b, [0]]",
        ),
        (
            "a[1], a.b",
            "Two document paths conflict with each other; must remove or rewrite one of these paths; "
            "path one: [a, [1]], path two: [a, b]",
        ),
        ("comment", "Attribute name is a reserved keyword; reserved keyword: comment"),
    ],
)
def test_what_is_wrong_is_said_as_aws_says_it(text: str, problem: str) -> None:
    assert refused(_of, text) == f"Invalid ProjectionExpression: {problem}"


def test_thirty_two_elements_are_not_too_many() -> None:
    assert _of("a" + ".b" * 31) == {}
