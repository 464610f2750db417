"""Update expressions."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.expressions import Substitutions, parse_update
from tests.services.dynamodb.expressions.refusals import refused
from tests.sizes import examples

KEY: dict[str, Any] = {"p": {"S": "k"}}
ITEM: dict[str, Any] = {
    **KEY,
    "a": {"N": "1"},
    "s": {"S": "x"},
    "ss": {"SS": ["x", "y"]},
    "l": {"L": [{"N": "0"}, {"N": "1"}, {"N": "2"}, {"N": "3"}]},
    "m": {"M": {"x": {"N": "1"}, "l": {"L": [{"S": "p"}, {"S": "q"}]}}},
}
VALUES: dict[str, Any] = {
    ":n": {"N": "5"},
    ":s": {"S": "new"},
    ":ss": {"SS": ["y", "z"]},
    ":gone": {"SS": ["x", "y"]},
    ":ns": {"NS": ["1"]},
    ":l": {"L": [{"S": "i"}]},
}


def _apply(text: str, item: dict[str, Any] = ITEM, *, exists: bool = True) -> dict[str, Any]:
    before = copy.deepcopy(item)
    after = parse_update(text, Substitutions({"#a": "a", "#m": "m"}, VALUES)).apply(item, exists=exists)
    assert item == before
    return after


def _numbers(*members: int) -> dict[str, Any]:
    return {"L": [{"N": str(member)} for member in members]}


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("SET z = :s", {"z": {"S": "new"}}),
        ("set #a=:s", {"a": {"S": "new"}}),
        ("SET z = a", {"z": {"N": "1"}}),
        ("SET z = m.l[1]", {"z": {"S": "q"}}),
        ("SET a = a + :n, z = a - :n", {"a": {"N": "6"}, "z": {"N": "-4"}}),
        ("SET a = (a + :n)", {"a": {"N": "6"}}),
        ("SET a = (a) + (:n)", {"a": {"N": "6"}}),
        ("SET a = if_not_exists(a, :n), z = if_not_exists(z, :n) + a", {"z": {"N": "6"}}),
        ("SET z = if_not_exists(y, if_not_exists(w, :n))", {"z": {"N": "5"}}),
        ("SET z = list_append(:l, l)", {"z": {"L": [{"S": "i"}, *_numbers(0, 1, 2, 3)["L"]]}}),
        ("SET z = list_append(if_not_exists(z, :l), :l)", {"z": {"L": [{"S": "i"}, {"S": "i"}]}}),
        ("SET #m.x = :n", {"m": {"M": {**ITEM["m"]["M"], "x": {"N": "5"}}}}),
        ("SET m.l[0] = m.x", {"m": {"M": {**ITEM["m"]["M"], "l": {"L": [{"N": "1"}, {"S": "q"}]}}}}),
        ("SET l[9] = a, l[7] = :n", {"l": _numbers(0, 1, 2, 3, 5, 1)}),
        ("REMOVE l[1] SET l[3] = :n", {"l": _numbers(0, 2, 5)}),
        ("REMOVE l[0], l[2], l[99]", {"l": _numbers(1, 3)}),
        ("REMOVE m.l[0], m.nope, nope", {"m": {"M": {"x": {"N": "1"}, "l": {"L": [{"S": "q"}]}}}}),
        ("SET z = a REMOVE y", {"z": {"N": "1"}}),
        (
            "ADD a :n, y :n, ss :ss, z :ns",
            {"a": {"N": "6"}, "y": {"N": "5"}, "ss": {"SS": ["x", "y", "z"]}, "z": {"NS": ["1"]}},
        ),
        ("ADD m.x :n DELETE ss :ss", {"m": {"M": {**ITEM["m"]["M"], "x": {"N": "6"}}}, "ss": {"SS": ["x"]}}),
        ("DELETE nope :ss", {}),
    ],
)
def test_what_an_item_becomes(text: str, changed: dict[str, Any]) -> None:
    assert _apply(text) == {**ITEM, **changed}


def test_a_set_without_members_is_removed() -> None:
    assert "ss" not in _apply("DELETE ss :gone")
    assert "a" not in _apply("REMOVE a SET z = a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SET z = nope", "The provided expression refers to an attribute that does not exist in the item"),
        ("SET z = :n, y = z", "The provided expression refers to an attribute that does not exist in the item"),
        ("SET z = a + s", "An operand in the update expression has an incorrect data type"),
        ("SET z = list_append(a, l)", "An operand in the update expression has an incorrect data type"),
        ("ADD s :n", "An operand in the update expression has an incorrect data type"),
        ("ADD ss :ns", "An operand in the update expression has an incorrect data type"),
        ("DELETE a :ss", "An operand in the update expression has an incorrect data type"),
        ("SET nope.x = :n", "The document path provided in the update expression is invalid for update"),
        ("SET a.x = :n", "The document path provided in the update expression is invalid for update"),
        ("SET m[0] = :n", "The document path provided in the update expression is invalid for update"),
        ("SET l[9][0] = :n", "The document path provided in the update expression is invalid for update"),
        ("REMOVE l.x", "The document path provided in the update expression is invalid for update"),
        ("REMOVE nope.x", "The document path provided in the update expression is invalid for update"),
        ("REMOVE m.nope.x", "The document path provided in the update expression is invalid for update"),
        ("DELETE nope.x :ss", "The document path provided in the update expression is invalid for update"),
    ],
)
def test_what_an_item_does_not_admit(text: str, message: str) -> None:
    assert refused(_apply, text) == message


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "The expression can not be empty;"),
        ("SET", 'Syntax error; token: "<EOF>", near: "SET"'),
        ("HELLO a = :n", 'Syntax error; token: "HELLO", near: "HELLO a"'),
        ("SET _1 = :n", 'Syntax error; token: "_", near: "SET _1"'),
        ("SET 1a = :n", 'Syntax error; token: "1", near: "SET 1a"'),
        ("SET :n = a", 'Syntax error; token: ":n", near: "SET :n ="'),
        ("SET a = :n + a + :n", 'Syntax error; token: "+", near: "a + :n"'),
        ("SET a = if_not_exists(a, a + :n)", 'Syntax error; token: "+", near: "a + :n"'),
        ("SET a = (b", 'Syntax error; token: "<EOF>", near: "b"'),
        ("ADD a b", 'Syntax error; token: "b", near: "a b"'),
        ("SET a = ((b))", "The expression has redundant parentheses;"),
        ("SET a = :n SET z = :n", 'The "SET" section can only be used once in an update expression;'),
        (
            "SET a = :n REMOVE a",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; "
            "path one: [a], path two: [a]",
        ),
        (
            "SET m.x.y = :n, m = :n",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; "
            "path one: [m, x, y], path two: [m]",
        ),
        (
            "SET m.x = :n, m[1] = :n",
            "Two document paths conflict with each other; must remove or rewrite one of these paths; "
            "path one: [m, x], path two: [m, [1]]",
        ),
        ("SET a = f(b)", "Invalid function name; function: f"),
        ("SET a = size(b)", "The function is not allowed in an update expression; function: size"),
        (
            "SET a = list_append(list_append(l, l), l)",
            "The function is not allowed to be used this way in an expression; function: list_append",
        ),
        (
            "SET a = list_append(l)",
            "Incorrect number of operands for operator or function; "
            "operator or function: list_append, number of operands: 1",
        ),
        (
            "SET a = if_not_exists(:n, :n)",
            "Operator or function requires a document path; operator or function: if_not_exists",
        ),
        (
            "SET a = :s + :n",
            "Incorrect operand type for operator or function; operator or function: +, operand type: S",
        ),
        (
            "SET a = list_append(l, :s)",
            "Incorrect operand type for operator or function; operator or function: list_append, operand type: S",
        ),
        ("ADD a :s", "Incorrect operand type for operator or function; operator: ADD, operand type: STRING"),
        ("ADD a :l", "Incorrect operand type for operator or function; operator: ADD, operand type: LIST"),
        ("DELETE a :n", "Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER"),
        ("SET status = :n", "Attribute name is a reserved keyword; reserved keyword: status"),
    ],
)
def test_what_is_wrong_is_said_as_aws_says_it(text: str, problem: str) -> None:
    assert refused(_apply, text) == f"Invalid UpdateExpression: {problem}"


def test_an_item_that_does_not_exist_is_made_of_its_key() -> None:
    assert _apply("ADD c :n SET z = :s", KEY, exists=False) == {**KEY, "c": {"N": "5"}, "z": {"S": "new"}}


def test_removing_from_an_item_that_does_not_exist_is_no_error() -> None:
    assert _apply("REMOVE x.y, z[0]", KEY, exists=False) == KEY
    assert refused(_apply, "SET x.y = :n", KEY, exists=False).startswith("The document path provided")


def test_only_removals_do_not_make_an_item() -> None:
    def removes(text: str) -> bool:
        return parse_update(text, Substitutions(None, VALUES)).only_removes

    assert removes("REMOVE a DELETE b :ss")
    assert not removes("REMOVE a ADD b :n")


def test_nesting_is_limited_where_a_value_comes_to_be() -> None:
    deep: dict[str, Any] = {"S": "x"}
    for _ in range(31):
        deep = {"L": [deep]}
    subs = Substitutions(None, {":deep": deep})
    item = {**KEY, "m": {"M": {"n": {"M": {}}}}}
    assert parse_update("SET m.x = :deep", subs).apply(item)["m"]["M"]["x"] == deep
    message = refused(parse_update("SET m.n.x = :deep", subs).apply, item)
    assert message.startswith("Nesting Levels have exceeded supported limits")


def test_what_was_updated_is_shown_of_the_old_and_the_new_item() -> None:
    update = parse_update("SET m.x = :n, z = :s REMOVE a", Substitutions(None, VALUES))
    assert update.targets.attributes == {"m", "z", "a"}
    assert update.targets.of(ITEM) == {"m": {"M": {"x": {"N": "1"}}}, "a": {"N": "1"}}
    assert update.targets.of(update.apply(ITEM)) == {"m": {"M": {"x": {"N": "5"}}}, "z": {"S": "new"}}


# -- random updates of a document, against a model that works on plain Python data


def _render(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {"M": {name: _render(inner) for name, inner in value.items()}}
    if isinstance(value, list):
        return {"L": [_render(inner) for inner in value]}
    return {"N": str(value)}


_DOCUMENTS = st.recursive(
    st.integers(0, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
    max_leaves=8,
)
_PATHS = st.lists(st.sampled_from("xy") | st.integers(0, 3), max_size=3)


class _NoSuchPath(Exception):
    pass


def _modelled(document: Any, path: list[Any], value: int | None) -> Any:
    """Return a document with what is at a path replaced, or removed (None)."""
    head, rest = path[0], path[1:]
    if not isinstance(document, dict if isinstance(head, str) else list):
        raise _NoSuchPath
    changed = copy.copy(document)
    present = head in document if isinstance(head, str) else head < len(document)
    if rest:
        if not present:
            raise _NoSuchPath
        changed[head] = _modelled(document[head], rest, value)
    elif value is None:
        if present:
            del changed[head]
    elif isinstance(head, int) and not present:
        changed.append(value)
    else:
        changed[head] = value
    return changed


@settings(max_examples=examples(300))
@given(st.dictionaries(st.sampled_from("ab"), _DOCUMENTS), st.sampled_from("ab"), _PATHS, st.none() | st.integers(0, 9))
def test_random_paths_are_set_and_removed_as_in_plain_data(
    document: dict[str, Any], name: str, rest: list[Any], value: int | None
) -> None:
    path = name + "".join(f".{element}" if isinstance(element, str) else f"[{element}]" for element in rest)
    text, values = (f"SET {path} = :v", {":v": {"N": str(value)}}) if value is not None else (f"REMOVE {path}", None)
    item = _render(document)["M"]
    try:
        expected = _modelled(document, [name, *rest], value)
    except _NoSuchPath:
        with pytest.raises(AwsError):
            parse_update(text, Substitutions(None, values)).apply(item)
    else:
        assert parse_update(text, Substitutions(None, values)).apply(item) == _render(expected)["M"]
