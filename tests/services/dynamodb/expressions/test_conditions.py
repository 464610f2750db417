"""Condition and filter expressions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.expressions import Substitutions, parse_condition
from tests.services.dynamodb.expressions.refusals import refused
from tests.sizes import examples

ITEM: dict[str, Any] = {
    "a": {"N": "1"},
    "b": {"N": "2"},
    "c": {"N": "3"},
    "s": {"S": "hello"},
    "bin": {"B": b"\x01\x80"},
    "yes": {"BOOL": True},
    "nil": {"NULL": True},
    "ss": {"SS": ["x", "y"]},
    "ns": {"NS": ["1", "2"]},
    "digits": {"SS": ["1", "2"]},
    "l": {"L": [{"N": "1"}, {"S": "x"}, {"M": {"y": {"N": "5"}}}, {"NS": ["1", "2"]}]},
    "m": {"M": {"x": {"N": "1"}, "ls": {"L": [{"N": "-1"}, {"N": "2"}]}, "a.b": {"S": "dot"}}},
}
VALUES: dict[str, Any] = {
    ":one": {"N": "1.0"},
    ":two": {"N": "2"},
    ":five": {"N": "5"},
    ":h": {"S": "hel"},
    ":S": {"S": "S"},
    ":x": {"S": "x"},
    ":xs": {"SS": ["y", "x"]},
    ":list": {"L": []},
    ":bin": {"B": b"\x01\x7f"},
    ":set": {"NS": ["2", "1"]},
    ":DOG": {"S": "DOG"},
}
NAMES = {"#dot": "a.b", "#and": "and", "#m": "m"}


def _matches(text: str) -> bool:
    return parse_condition(text, Substitutions(NAMES, VALUES)).matches(ITEM)


@pytest.mark.parametrize(
    "text",
    [
        "a = :one",
        ":one = a",
        "a <> b",
        "a < b",
        "b <= :two",
        "c > b",
        "c >= c.d OR b >= :two",
        "bin > :bin",
        "ss = :xs",
        "a <> :x",
        "gone <> :x",
        "gone <> els",
        "b BETWEEN a AND c",
        "b between :one aNd :two",
        "a IN (:five, b, :one)",
        "s IN (:one, :x) OR a IN (:one)",
        "a IN (" + ", ".join([":one"] * 99) + ", :five)",
        "attribute_exists(m.ls[1])",
        "attribute_not_exists(m.ls[2])",
        "attribute_not_exists(a.b.c)",
        "attribute_not_exists(l.y)",
        "attribute_type(s, :S)",
        "begins_with(s, :h)",
        "contains(s, :h)",
        "contains(ss, :x)",
        "contains(ns, :two)",
        "contains(l, :x)",
        "contains(l, :set)",
        "size(s) = :five",
        "size(m) > b",
        "size(ss) BETWEEN a AND c",
        "size(:h) > b",
        "m.x < m.ls[1]",
        "#m.#dot <> s",
        "l[2].y = :five",
        "NOT a = b",
        "not NOT a < b",
        "a < b OR c < b AND b < a",
        "NOT (a < b AND c < b)",
        "NOT a = b AND a < b",
        "b BETWEEN a AND c AND a < b",
        "((a<b) AND (b<c))",
        "(a) = :one",
        "\t a\n=\r :one ",
    ],
)
def test_true_conditions(text: str) -> None:
    assert _matches(text)


@pytest.mark.parametrize(
    "text",
    [
        "a = b",
        "a = :x",
        "a <> :one",
        "gone = els",
        "gone < :one",
        ":one < gone",
        "s < :one",
        "l < :one",
        "gone BETWEEN a AND c",
        "a BETWEEN b AND c",
        "a BETWEEN l AND m",
        "gone IN (els, :x)",
        "attribute_exists(m.ls[9])",
        "attribute_exists(gone)",
        "attribute_type(gone, :S)",
        "attribute_type(a, :S)",
        "begins_with(a, :h)",
        "begins_with(gone, s)",
        "contains(s, :one)",
        "contains(ss, :one)",
        "contains(digits, :one)",
        "attribute_exists(l[2147483647])",
        "contains(m, :x)",
        "contains(gone, :x)",
        "size(a) = :one",
        "size(yes) <> :one AND a = b",
        "size(gone) < :five",
        "size(s) = :x",
        "NOT a < b AND a < b",
        "NOT (a < b)",
        "a = b OR c < b AND b < c",
    ],
)
def test_false_conditions(text: str) -> None:
    assert not _matches(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "The expression can not be empty;"),
        (" \n", "The expression can not be empty;"),
        ("a", 'Syntax error; token: "<EOF>", near: "a"'),
        (":one", 'Syntax error; token: "<EOF>", near: ":one"'),
        ("NOT a", 'Syntax error; token: "<EOF>", near: "a"'),
        ("a AND b = c", 'Syntax error; token: "AND", near: "a AND b"'),
        ("a = b OR NOT :one", 'Syntax error; token: "<EOF>", near: ":one"'),
        ("a = b = c", 'Syntax error; token: "=", near: "b = c"'),
        ("a != b", 'Syntax error; token: "!", near: "a !="'),
        ("a IN ()", 'Syntax error; token: ")", near: "()"'),
        ("a = b)", 'Syntax error; token: ")", near: "b)"'),
        ("(a = b", 'Syntax error; token: "<EOF>", near: "b"'),
        ("a[-1] = b", 'Syntax error; token: "-", near: "[-1"'),
        ("a[:one] = b", 'Syntax error; token: ":one", near: "[:one]"'),
        ("_a = b", 'Syntax error; token: "_", near: "_a"'),
        ("a BETWEEN b OR c", 'Syntax error; token: "OR", near: "b OR c"'),
        ("a = (b = c)", 'Syntax error; token: "<EOF>", near: ")"'),
        ("((a = b))", "The expression has redundant parentheses;"),
        ("(" * 2000 + "a = b" + ")" * 2000, "The expression has redundant parentheses;"),
        ("a = b" + " OR a = b" * 150, "The expression contains too many operators; operator count: 301"),
        ("not " * 301 + "a = b", "The expression contains too many operators; operator count: 301"),
        ("a" * 4097, "Expression size has exceeded the maximum allowed size; expression size: 4097"),
        ("a[2147483648] = b", "List index is not within the allowable range; index: [2147483648]"),
        ("a" + ".b" * 32 + " = b", "The document path has too many nesting levels; nesting levels: 33"),
        ("Name = b", "Attribute name is a reserved keyword; reserved keyword: Name"),
        ("a.size = b", "Attribute name is a reserved keyword; reserved keyword: size"),
        (
            "#nope = b",
            "An expression attribute name used in the document path is not defined; attribute name: #nope",
        ),
        ("a = :nope", "An expression attribute value used in expression is not defined; attribute value: :nope"),
        ("dog(a) = b", "Invalid function name; function: dog"),
        ("BEGINS_WITH(a, b)", "Invalid function name; function: BEGINS_WITH"),
        ("size(a)", "The function is not allowed to be used this way in an expression; function: size"),
        (
            "attribute_exists(a) = b",
            "The function is not allowed to be used this way in an expression; function: attribute_exists",
        ),
        ("if_not_exists(a, b) = c", "The function is not allowed in a condition expression; function: if_not_exists"),
        (
            "size(a, b) = c",
            "Incorrect number of operands for operator or function; operator or function: size, number of operands: 2",
        ),
        (
            "begins_with(a)",
            "Incorrect number of operands for operator or function; "
            "operator or function: begins_with, number of operands: 1",
        ),
        (
            "attribute_exists(:one)",
            "Operator or function requires a document path; operator or function: attribute_exists",
        ),
        (
            "a < :list",
            "Incorrect operand type for operator or function; operator or function: <, operand type: L",
        ),
        (
            "begins_with(a, :one)",
            "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
        ),
        (
            "size(:one) = a",
            "Incorrect operand type for operator or function; operator or function: size, operand type: N",
        ),
        (
            "size(size(a)) = a",
            "Incorrect operand type for operator or function; operator or function: size, operand type: N",
        ),
        (
            "attribute_type(a, :DOG)",
            "Invalid attribute type name found; type: DOG, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
        ),
        (
            "a BETWEEN :two AND :one",
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
            "lower bound operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: {N:1}",
        ),
        (
            "a BETWEEN :one AND :x",
            "The BETWEEN operator requires same data type for lower and upper bounds; "
            "lower bound operand: AttributeValue: {N:1}, upper bound operand: AttributeValue: {S:x}",
        ),
        (
            "contains(m.x, m.x)",
            "The first operand must be distinct from the remaining operands for this operator or function; "
            "operator: contains, first operand: [m, x]",
        ),
        (
            "a IN (" + ", ".join([":one"] * 101) + ")",
            "Incorrect number of operands for operator or function; operator or function: IN, number of operands: 101",
        ),
    ],
)
def test_what_is_wrong_is_said_as_aws_says_it(text: str, problem: str) -> None:
    assert refused(_matches, text) == f"Invalid ConditionExpression: {problem}"


def test_the_parameter_is_named() -> None:
    message = refused(parse_condition, "a", Substitutions(), "FilterExpression")
    assert message.startswith("Invalid FilterExpression: Syntax error")


def test_three_hundred_operators_may_be_nested_as_deep_as_they_go() -> None:
    assert _matches("a<b " + "or (a<b " * 149 + ")" * 149)
    assert _matches("not " * 298 + "a < b")


@pytest.mark.parametrize("text", ["(" * 4096, "a < " + "f(" * 1300 + "b" + ")" * 1300, "not (" * 800])
def test_no_nesting_exhausts_the_parser(text: str) -> None:
    assert refused(_matches, text).startswith("Invalid ConditionExpression: ")


def test_a_condition_knows_the_attributes_it_looks_at() -> None:
    text = "a = :one OR NOT (size(m.x) IN (b, l[0].q) AND begins_with(#dot, :h))"
    assert parse_condition(text, Substitutions(NAMES, VALUES)).attributes == {"a", "b", "m", "l", "a.b"}


# -- random conditions, evaluated by a model of their own

_ATTRIBUTES = ("n", "k", "t", "gone")
_Model = tuple[str, Any]


def _value(rendered: str, item: dict[str, Any]) -> Any:
    name = rendered if rendered in _ATTRIBUTES else None
    return item.get(name) if name else int(rendered[2:])


def _atom(comparator: str, left: str, right: str) -> _Model:
    def truth(item: dict[str, Any]) -> bool:
        one, other = _value(left, item), _value(right, item)
        if one is None or other is None or type(one) is not type(other):
            return comparator == "<>"
        results = {"=": one == other, "<>": one != other, "<": one < other, "<=": one <= other}
        return results.get(comparator, one > other if comparator == ">" else one >= other)

    return f"{left} {comparator} {right}", truth


_OPERANDS = st.sampled_from([*_ATTRIBUTES, ":v0", ":v1", ":v2", ":v3"])
_ATOMS = st.builds(
    _atom, st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), st.sampled_from(_ATTRIBUTES), _OPERANDS
).filter(lambda atom: atom[0].split()[0] != atom[0].split()[2])


def _not(inner: _Model) -> _Model:
    return f"NOT ({inner[0]})", lambda item: not inner[1](item)


def _and(one: _Model, other: _Model) -> _Model:
    return f"({one[0]}) AND ({other[0]})", lambda item: one[1](item) and other[1](item)


def _or(one: _Model, other: _Model) -> _Model:
    return f"({one[0]}) OR {other[0]}", lambda item: one[1](item) or other[1](item)


_CONDITIONS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(st.builds(_not, inner), st.builds(_and, inner, inner), st.builds(_or, inner, inner)),
    max_leaves=12,
)


@settings(max_examples=examples(300))
@given(
    _CONDITIONS,
    st.dictionaries(st.sampled_from(_ATTRIBUTES[:2]), st.integers(0, 3)),
    st.none() | st.sampled_from(["a", "b"]),
)
def test_random_conditions_mean_what_they_say(condition: _Model, numbers: dict[str, int], text: str | None) -> None:
    plain = {**numbers, **({} if text is None else {"t": text})}
    item = {name: {"N": str(value)} if isinstance(value, int) else {"S": value} for name, value in plain.items()}
    values = {f":v{number}": {"N": str(number)} for number in range(4)}
    assert parse_condition(condition[0], Substitutions(None, values)).matches(item) == condition[1](plain)


@given(st.text(alphabet="ab:#v1.,()[]<>=+- \n\"'?é", max_size=40) | st.text(max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        condition = parse_condition(text, Substitutions({"#a": "a"}, {":v": {"N": "1"}}))
    except AwsError:
        return
    assert condition.matches({"a": {"N": "1"}}) in (True, False)
