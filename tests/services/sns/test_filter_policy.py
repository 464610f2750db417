"""Filter policies: the examples of the developer guide, the limits, and a naive model of Event Ruler's rules."""

from __future__ import annotations

import ipaddress
import itertools
import json
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from cloudlet.core import AwsError
from cloudlet.services.sns import filter_patterns, filter_policy
from cloudlet.services.sns.message import Attribute, Message


def with_attributes(**attributes: tuple[str, str | bytes]) -> Message:
    given = {name: Attribute(*attribute) for name, attribute in attributes.items()}
    return Message("id", "topic", 0, None, {"default": "body"}, given)


def with_body(body: Any) -> Message:
    text = body if isinstance(body, str) else json.dumps(body)
    return Message("id", "topic", 0, None, {"default": text}, {})


def by_attributes(policy: Any, **attributes: tuple[str, str | bytes]) -> bool:
    return filter_policy.parse(json.dumps(policy), "MessageAttributes").matches(with_attributes(**attributes))


def by_body(policy: Any, body: Any) -> bool:
    return filter_policy.parse(json.dumps(policy), "MessageBody").matches(with_body(body))


def refusal(policy: Any, scope: str = "MessageBody") -> str:
    with pytest.raises(AwsError) as error:
        filter_policy.parse(policy if isinstance(policy, str) else json.dumps(policy), scope)
    return str(error.value).removeprefix("InvalidParameter: Invalid parameter: FilterPolicy: ")


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("rugby", ["rugby"], ["baseball", "Rugby", "", 1, None]),
        ("", [""], ["rugby", None]),
        (100, [100, 100.0, 1e2], [101, "100", True]),
        (301.5, [301.5, 3.015e2], [301.51, "301.5"]),
        (True, [True], [False, 1, "true", None]),
        (None, [None], ["", False, 0, "null"]),
        ({"prefix": "bas"}, ["baseball", "bas"], ["rugby", "a bas", 5]),
        ({"suffix": "ball"}, ["baseball", "ball"], ["rugby", "balls", 5]),
        ({"equals-ignore-case": "tennis"}, ["tennis", "Tennis", "TENNIS"], ["rugby", "tennis ", None]),
        ({"wildcard": "*-error"}, ["disk-error", "-error"], ["error", "disk-errors", 1]),
        ({"wildcard": "a*b*c"}, ["abc", "a1b2c", "abcbc"], ["ab", "acb", "cabc", "abca"]),
        ({"wildcard": "a*a"}, ["aa", "aba"], ["a"]),
        ({"wildcard": "*"}, ["", "anything"], [1, None]),
        ({"wildcard": r"\*\\*"}, ["*\\", "*\\x"], ["*", "x\\"]),
        ({"wildcard": "plain"}, ["plain"], ["plain text"]),
        ({"cidr": "10.0.0.0/24"}, ["10.0.0.0", "10.0.0.255"], ["10.1.1.0", "10.0.0.256", "::1", "x", 5]),
        ({"cidr": "2001:db8::/32"}, ["2001:db8::1"], ["2001:db9::1", "10.0.0.1"]),
        ({"anything-but": "rugby"}, ["tennis", 5, True, None], ["rugby"]),
        ({"anything-but": ["rugby", "tennis"]}, ["baseball", 5], ["rugby", "tennis"]),
        ({"anything-but": [100, 500]}, [101, 100.1, "100", None], [100, 500.0]),
        ({"anything-but": {"prefix": "order-"}}, ["data-entry", "order_number", 5], ["order-cancelled"]),
        ({"anything-but": {"prefix": ["a", "b"]}}, ["c"], ["a1", "b1"]),
        ({"anything-but": {"suffix": ".png"}}, ["a.jpg", None], ["a.png"]),
        ({"anything-but": {"equals-ignore-case": ["A", "b"]}}, ["c", 5], ["a", "B"]),
        ({"anything-but": {"wildcard": "*/lib/*"}}, ["/bin/x", 5], ["/usr/lib/x"]),
        ({"numeric": ["=", 301.5]}, [301.5, 3.015e2], [301.50001, "301.5", None]),
        ({"numeric": ["<", 0]}, [-1, -0.00001], [0, 1, True]),
        ({"numeric": ["<=", 0]}, [-1, 0], [0.00001]),
        ({"numeric": [">", 0, "<=", 150]}, [0.00001, 150], [0, 150.00001, 2e9]),
        ({"numeric": [">=", 0, "<", 150]}, [0, 149], [-1, 150]),
        ({"numeric": [">", 1]}, [2, 1e9], [1, 1e10]),
        ({"exists": True}, ["x", 0, False], [None, ""]),
    ],
    ids=repr,
)
def test_operators(pattern: Any, matching: list[Any], other: list[Any]) -> None:
    for value in matching:
        assert by_body({"key": [pattern]}, {"key": value}), value
        assert by_body({"key": [pattern]}, {"key": [value, {"an": "object"}]}), value
    for value in other:
        assert not by_body({"key": [pattern]}, {"key": value}), value


def test_attributes_are_matched_by_their_types() -> None:
    assert by_attributes({"sport": ["rugby"]}, sport=("String", "rugby"))
    assert by_attributes({"sport": ["rugby"]}, sport=("String.Array", '["tennis", "rugby"]'))
    assert by_attributes({"price": [100]}, price=("Number", "100.0"))
    assert by_attributes({"price": [{"numeric": [">", 99]}]}, price=("String.Array", "[1, 100]"))
    assert by_attributes({"on": [True], "off": [None]}, on=("String.Array", "[true]"), off=("String.Array", "[null]"))
    assert not by_attributes({"price": ["100"]}, price=("Number", "100"))
    assert not by_attributes({"price": [100]}, price=("String", "100"))
    assert not by_attributes({"on": [True]}, on=("String", "true"))
    assert not by_attributes({"key": [{"exists": True}]}, key=("Binary", b"x"), other=("String", "x"))
    assert by_attributes({"key": [{"exists": False}]}, key=("Binary", b"x"), other=("String", "x"))
    assert by_attributes({"sport": [{"anything-but": ["rugby"]}]}, sport=("String.Array", '["rugby", "tennis"]'))
    assert by_attributes({"broken": ["[1"]}, broken=("String.Array", "[1"))


def test_one_value_is_taken_for_an_array() -> None:
    assert by_attributes({"price": [100]}, price=("String.Array", "100"))
    assert by_attributes({"sport": ["rugby"]}, sport=("String.Array", '"rugby"'))


def test_a_name_with_dots_is_also_that_of_a_property_within_others() -> None:
    for body in ({"a.b.c": 1}, {"a": {"b": {"c": 1}}}, {"a.b": {"c": 1}}, {"a": [{"x": 1}, {"b.c": [2, 1]}]}):
        assert by_body({"a.b.c": [1]}, body), body
        assert not by_body({"a.b.c": [{"exists": False}]}, body), body
        assert by_body({"a.b.d": [{"exists": False}]}, body), body
    assert not by_body({"a.b.c": [1]}, {"a": {"b": {"c": 2}}})
    assert by_attributes({"store.name": ["x"]}, **{"store.name": ("String", "x")})


def test_all_keys_must_match_and_one_value_of_each() -> None:
    policy = {"sport": ["rugby", "tennis"], "price": [{"numeric": [">", 100]}]}
    assert by_attributes(policy, sport=("String", "tennis"), price=("Number", "101"), more=("String", "x"))
    assert not by_attributes(policy, sport=("String", "tennis"), price=("Number", "99"))
    assert not by_attributes(policy, sport=("String", "tennis"))


def test_or_is_between_keys() -> None:
    policy = {"source": ["aws"], "$or": [{"metric": ["cpu"]}, {"kind": ["x"], "space": ["y"]}]}
    assert by_body(policy, {"source": "aws", "metric": "cpu"})
    assert by_body(policy, {"source": "aws", "kind": "x", "space": "y"})
    assert not by_body(policy, {"source": "aws", "kind": "x"})
    assert not by_body(policy, {"metric": "cpu"})
    assert by_body({"a": {"$or": [{"b": [1]}, {"c": [1]}]}}, {"a": {"c": 1}})
    assert by_body({"$or": ["x"]}, {"$or": "x"}), "with anything but two objects it is a name like any other"
    assert "Unrecognized match type a" in refusal({"$or": [{"a": ["x"]}]})
    assert "prefix match pattern must be a string" in refusal({"$or": [{"prefix": ["x"]}, {"b": ["x"]}]})


def test_what_is_not_there() -> None:
    assert by_body({"store": [{"exists": False}]}, {"other": 1})
    assert by_body({"a": {"b": [{"exists": False}]}}, {"other": 1})
    assert by_body({"a": {"b": [{"exists": False}]}}, {"a": [], "other": 1})
    assert by_body({"store": [{"exists": False}]}, {"store": {"is": "an object"}}), "only leaves exist"
    assert by_body({"store": [{"anything-but": ["x"]}, {"exists": False}]}, {"other": 1})
    assert not by_body({"store": [{"exists": False}]}, {"store": None})
    assert not by_body({"a": {"b": [{"exists": False}]}}, {"a": [{"b": 1}, {"c": 1}]})
    assert not by_body({"store": [{"exists": False}]}, {}), "an empty set of properties matches nothing"
    assert not by_attributes({"store": [{"exists": False}]})


def test_objects_in_arrays_match_one_by_one() -> None:
    policy = {"items": {"kind": ["book"], "price": [{"numeric": ["<", 10]}]}}
    assert by_body(policy, {"items": [{"kind": "pen", "price": 20}, {"kind": "book", "price": 5}]})
    assert not by_body(policy, {"items": [{"kind": "pen", "price": 5}, {"kind": "book", "price": 20}]})


@pytest.mark.parametrize("body", ["no JSON", "[1]", '"x"', "5", "", '{"key": "x"', 5000 * '{"a":' + "1" + 5000 * "}"])
def test_a_body_that_is_no_object_matches_nothing(body: str) -> None:
    assert not by_body({"key": [{"anything-but": "y"}]}, body)


def test_an_empty_policy_matches_everything() -> None:
    assert by_body({}, "no JSON")
    assert by_attributes({})


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("{", "failed to parse JSON. Input data was truncated"),
        ("[]", "Filter is not an object"),
        ({"key": "x"}, '"key" must be an object or an array'),
        ({"key": []}, "Empty arrays are not allowed"),
        ({"key": {}}, "Empty objects are not allowed"),
        ({"key": [["x"]]}, "Match value must be String, number, true, false, or null"),
        ({"key": [{}]}, "Match expression name not found"),
        ({"key": [{"near": "x"}]}, "Unrecognized match type near"),
        ({"key": [{"prefix": 1}]}, "prefix match pattern must be a string"),
        ({"key": [{"suffix": None}]}, "suffix match pattern must be a string"),
        ({"key": [{"wildcard": 1}]}, "wildcard match pattern must be a string"),
        ({"key": [{"wildcard": "a**"}]}, "Consecutive wildcard characters at pos 2"),
        ({"key": [{"wildcard": "a\\b"}]}, "Invalid escape character at pos 2"),
        ({"key": [{"wildcard": "a\\"}]}, "Invalid escape character at pos 2"),
        ({"key": [{"wildcard": "*a*b*c*"}]}, "A wildcard pattern can have at most 3 wildcard characters"),
        ({"key": [{"equals-ignore-case": ["x"]}]}, "equals-ignore-case match pattern must be a string"),
        ({"key": [{"prefix": "x", "suffix": "y"}]}, "Only one key allowed in match expression"),
        ({"key": [{"exists": True, "prefix": "y"}]}, "Only one key allowed in match expression"),
        ({"key": [{"exists": 1}]}, "exists match pattern must be either true or false."),
        ({"key": [{"cidr": "10.0.0.0"}]}, "Malformed CIDR, one '/' required"),
        ({"key": [{"cidr": "10.0.0.0/x"}]}, "Malformed CIDR, mask bits must be an integer"),
        ({"key": [{"cidr": "10.0.0.0/-1"}]}, "Malformed CIDR, mask bits must not be negative"),
        ({"key": [{"cidr": "10.0.0.0/32"}]}, "IPv4 mask bits must be < 32"),
        ({"key": [{"cidr": "::/128"}]}, "IPv6 mask bits must be < 128"),
        ({"key": [{"cidr": "there/8"}]}, "Nonstandard IP address: there"),
        ({"key": [{"anything-but": []}]}, "Inside anything but list, either all values are number or string"),
        ({"key": [{"anything-but": ["x", 1]}]}, "Inside anything but list, either all values are number or string"),
        ({"key": [{"anything-but": [None]}]}, "Inside anything but list, start|null|boolean is not supported."),
        ({"key": [{"anything-but": True}]}, "Value of anything-but must be an array or single string/number value."),
        ({"key": [{"anything-but": {}}]}, "Anything-But expression name not found"),
        ({"key": [{"anything-but": {"numeric": ["<", 1]}}]}, "Unsupported anything-but pattern: numeric"),
        ({"key": [{"anything-but": {"prefix": ""}}]}, "Null prefix/suffix not allowed"),
        ({"key": [{"anything-but": {"prefix": 1}}]}, "prefix/suffix match pattern must be a string"),
        ({"key": [{"numeric": "<"}]}, "Value of numeric must be an array."),
        ({"key": [{"numeric": [1]}]}, "Invalid member in numeric match: 1"),
        ({"key": [{"numeric": ["!", 1]}]}, "Unrecognized numeric range operator: !"),
        ({"key": [{"numeric": ["=", "1"]}]}, "Value of equals must be numeric"),
        ({"key": [{"numeric": [">"]}]}, "Value of > must be numeric"),
        ({"key": [{"numeric": ["<", 1, ">", 0]}]}, "Too many elements in numeric expression"),
        ({"key": [{"numeric": [">", 1, "=", 2]}]}, "Bad numeric range operator: ="),
        ({"key": [{"numeric": [">", 1, "<", 2, 3]}]}, "Too many terms in numeric range expression"),
        ({"key": [{"numeric": [">", 2, "<", 1]}]}, "Bottom must be less than top"),
        ({"key": [{"numeric": [">", 1e10]}]}, "Value must be between -1.0E9 and 1.0E9, inclusive"),
    ],
    ids=repr,
)
def test_policies_that_are_refused(policy: Any, reason: str) -> None:
    assert refusal(policy).startswith(reason)


def test_limits() -> None:
    keys = {f"key{number}": ["x"] for number in range(6)}
    assert refusal(keys) == "Filter policy can not have more than 5 keys"
    assert refusal({"a": {**keys}, **dict(list(keys.items())[:5])}) == "Filter policy can not have more than 5 keys"
    assert by_body({"a": keys}, {"a": dict.fromkeys(keys, "x")}), "only the keys at the top are counted"
    values = [str(number) for number in range(150)]
    assert by_attributes({"key": values}, key=("String", "7"))
    assert refusal({"key": [*values, "150"]}, "MessageAttributes") == "Filter policy is too complex"
    assert refusal({"a": {"b": values[:76]}}) == "Filter policy is too complex", "76 values at depth 2"
    assert by_body({"$or": [{"a": values[:75]}, {"b": values[:75]}]}, {"b": "7"}), "75 + 75"
    assert refusal({"$or": [{"a": values[:75]}, {"b": values[:76]}]}) == "Filter policy is too complex"
    assert by_body({"key": [{"wildcard": f"{text}*"} for text in values[:10]]}, {"key": "7"}), "10 points x 10 patterns"
    assert refusal({"key": [{"wildcard": f"{text}*"} for text in values[:11]]}) == "Filter policy is too complex"
    assert "256" in refusal({"key": [(256 << 10) * "x"]}) or "262144" in refusal({"key": [(256 << 10) * "x"]})


def test_attributes_are_not_nested() -> None:
    with pytest.raises(AwsError, match="Filter policy scope MessageAttributes does not support nested filter policy"):
        filter_policy.parse('{"a": {"b": ["c"]}}', "MessageAttributes")


def test_a_wildcard_takes_linear_time() -> None:
    assert not by_body({"key": [{"wildcard": "*a*a*b"}]}, {"key": 200_000 * "a"})


@pytest.mark.parametrize(
    "alternatives",
    [
        [{"prefix": f"a{number}"} for number in range(150)],
        [{"suffix": f"a{number}"} for number in range(150)],
        [{"equals-ignore-case": f"A{number}"} for number in range(150)],
        [{"numeric": ["=", number]} for number in range(150)],
        [{"numeric": [">", 2 * number, "<=", 2 * number + 1]} for number in range(150)],
        [{"cidr": f"10.0.{number}.0/24"} for number in range(150)],
        [{"anything-but": ["x", f"a{number}"]} for number in range(150)],
        [{"anything-but": [-1, number]} for number in range(150)],
    ],
    ids=lambda alternatives: str(alternatives[0]),
)
def test_all_alternatives_of_a_kind_are_one_test(alternatives: list[Any]) -> None:
    policy = filter_policy.parse(json.dumps({"key": alternatives}), "MessageBody")
    assert policy.tests == 2, "one for the key, one for its value"


def test_one_test_of_many_alternatives_admits_what_one_of_them_does() -> None:
    bounds: list[Any] = [["<", -5], [">=", 3, "<", 5], [">", 4, "<=", 7], [">", 7, "<", 8], ["=", 9]]
    ranges = {"key": [{"numeric": bound} for bound in bounds]}
    admitted = [number for number in range(-7, 12) if by_body(ranges, {"key": number})]
    assert admitted == [-7, -6, 3, 4, 5, 6, 7, 9]
    assert by_body(ranges, {"key": 7.5})
    assert not by_body(ranges, {"key": 8})
    denied = {"key": [{"anything-but": ["a", "b"]}, {"anything-but": ["b", "c"]}]}
    assert [text for text in "abcd" if by_body(denied, {"key": text})] == ["a", "c", "d"]
    networks = {"key": [{"cidr": "10.0.0.0/8"}, {"cidr": "10.1.0.0/16"}, {"cidr": "::/1"}]}
    assert [by_body(networks, {"key": text}) for text in ("10.9.0.1", "11.0.0.1", "::1", "ffff::")] == [
        True,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    "policy",
    [
        {"key": list(range(30_000))},
        {"key": [{"anything-but": {"wildcard": [f"{number}*" for number in range(20_000)]}}]},
        {"$or": [{"key": [1]}] * 15_000},
        {"key": {str(number): [1] for number in range(15_000)}},
        '{"a":' * 200 + "[1]" + "}" * 200,
    ],
    ids=["values", "wildcards", "alternatives", "properties", "depth"],
)
def test_what_is_much_too_complex_is_not_read_to_its_end(policy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[None] = []
    for module, name in ((filter_patterns, "wildcard"), (filter_patterns, "rounded"), (filter_policy, "_Property")):
        plain = getattr(module, name)
        counted = lambda *args, plain=plain: (made.append(None), plain(*args))[1]  # noqa: E731
        monkeypatch.setattr(module, name, counted)
    assert refusal(policy) == "Filter policy is too complex"
    assert len(made) < 5_000


def test_what_is_not_there_is_looked_for_once() -> None:
    assert not by_body({"items": {"gone": [{"exists": False}]}}, {"items": [{}] * 60_000 + [{"gone": 1}]})


# -- A naive model: policies and bodies are flattened to paths, and all combinations are tried.

NAMES = st.sampled_from(["a", "b", "c"])
TEXTS = st.sampled_from(["", "a", "ab", "AB", "b", "10.0.0.1"])
NUMBERS = st.sampled_from([0, 1, -1, 1.5, 100, 100.0])
SCALARS = st.one_of(TEXTS, NUMBERS, st.booleans(), st.none())
PATTERNS = st.one_of(
    SCALARS,
    st.sampled_from(["prefix", "suffix", "equals-ignore-case"]).flatmap(
        lambda name: st.fixed_dictionaries({name: st.sampled_from(["a", "b", "ab"])})
    ),
    st.fixed_dictionaries({"wildcard": st.sampled_from(["*", "a*", "*b", "a*b", "*a*"])}),
    st.fixed_dictionaries({"cidr": st.just("10.0.0.0/8")}),
    st.fixed_dictionaries({"exists": st.booleans()}),
    st.fixed_dictionaries({"anything-but": st.one_of(TEXTS, NUMBERS, st.lists(TEXTS, min_size=1))}),
    st.sampled_from(["prefix", "suffix", "equals-ignore-case"]).flatmap(
        lambda name: st.fixed_dictionaries({"anything-but": st.fixed_dictionaries({name: st.sampled_from(["a", "b"])})})
    ),
    st.sampled_from([["=", 1], ["<", 1], ["<=", 1], [">", 0, "<=", 100]]).map(lambda terms: {"numeric": terms}),
)


def objects(leaves: st.SearchStrategy[Any], depth: int) -> st.SearchStrategy[Any]:
    if not depth:
        return st.dictionaries(NAMES, leaves, min_size=1, max_size=2)
    inner = objects(leaves, depth - 1)
    choices = st.lists(inner, min_size=2, max_size=2)
    plain = st.dictionaries(NAMES, st.one_of(leaves, inner), min_size=1, max_size=2)
    return st.one_of(plain, st.builds(lambda rest, both: {**rest, "$or": both}, plain, choices))


POLICIES = objects(st.lists(PATTERNS, min_size=1, max_size=3), 1)
BODIES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
).filter(lambda body: isinstance(body, dict))


def branches(policy: dict[str, Any], path: tuple[str, ...] = ()) -> list[list[tuple[tuple[str, ...], list[Any]]]]:
    """Return the alternatives that `$or` makes of a policy: (path, patterns) of each property."""
    result: list[list[tuple[tuple[str, ...], list[Any]]]] = [[]]
    for name, value in policy.items():
        if name == "$or":
            found = [branch for choice in value for branch in branches(choice, path)]
        elif isinstance(value, dict):
            found = branches(value, (*path, name))
        else:
            found = [[((*path, name), value)]]
        result = [[*before, *after] for before in result for after in found]
    return result


Place = dict[tuple[Any, ...], int]


def flatten(value: Any, path: tuple[str, ...] = (), at: tuple[Any, ...] = (), place: Place | None = None) -> list[Any]:
    """Return (path, place, scalar) of all values; the place says which element of which array it is in."""
    place = place or {}
    if isinstance(value, dict):
        return [leaf for name in value for leaf in flatten(value[name], (*path, name), (*at, name), place)]
    if isinstance(value, list):
        parts = [flatten(part, path, (*at, index), {**place, at: index}) for index, part in enumerate(value)]
        return list(itertools.chain(*parts))
    return [(path, place, value)]


def admits(pattern: Any, value: Any) -> bool:
    is_text, is_number = isinstance(value, str), isinstance(value, int | float) and not isinstance(value, bool)
    if not isinstance(pattern, dict):
        both_numbers = is_number and isinstance(pattern, int | float) and not isinstance(pattern, bool)
        return pattern == value and (both_numbers or type(pattern) is type(value))
    ((name, operand),) = pattern.items()
    if name == "exists":
        return operand and value not in (None, "")
    if name == "anything-but":
        if isinstance(operand, dict):
            return not admits(operand, value)
        return not any(admits(denied, value) for denied in (operand if isinstance(operand, list) else [operand]))
    if name == "numeric":
        tests = {"=": "==", "<": "<", "<=": "<=", ">": ">"}
        pairs = zip(operand[::2], operand[1::2], strict=True)
        return is_number and all(eval(f"{value} {tests[operator]} {bound}") for operator, bound in pairs)
    if not is_text:
        return False
    if name == "cidr":
        try:
            return ipaddress.ip_address(value) in ipaddress.ip_network(operand)
        except ValueError:
            return False
    if name == "equals-ignore-case":
        return value.lower() == operand.lower()
    expression = {"prefix": "{}.*", "suffix": ".*{}", "wildcard": "{}"}[name].format(operand)
    return re.fullmatch(expression.replace("*", ".*").replace("..*", ".*"), value) is not None


def consistent(places: tuple[Place, ...]) -> bool:
    return all(
        one[array] == other[array]
        for one, other in itertools.combinations(places, 2)
        for array in one
        if array in other
    )


def naive(policy: dict[str, Any], body: dict[str, Any]) -> bool:
    leaves = flatten(body)
    if not leaves:
        return False
    for branch in branches(policy):
        options = []
        for path, patterns in branch:
            places = [place for at, place, value in leaves if at == path and any(admits(p, value) for p in patterns)]
            if {"exists": False} in patterns and not any(at == path for at, _, _ in leaves):
                places.append({})
            options.append(places)
        if any(consistent(chosen) for chosen in itertools.product(*options)):
            return True
    return False


@given(POLICIES, BODIES)
def test_policies_do_what_the_model_does(policy: dict[str, Any], body: dict[str, Any]) -> None:
    try:
        matches = by_body(policy, body)
    except AwsError:
        reject()
    assert matches == naive(policy, body)


@given(st.dictionaries(NAMES, st.lists(PATTERNS, min_size=1, max_size=2), min_size=1), BODIES)
def test_attributes_do_what_a_flat_body_does(policy: dict[str, Any], body: dict[str, Any]) -> None:
    flat = {name: value for name, value in body.items() if isinstance(value, str | list) or type(value) in (int, float)}
    attributes = {
        name: ("String", value)
        if isinstance(value, str)
        else ("String.Array" if isinstance(value, list) else "Number", json.dumps(value))
        for name, value in flat.items()
    }
    assert by_attributes(policy, **attributes) == by_body(policy, flat)


JSON = st.recursive(SCALARS, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)), max_leaves=10)


@given(st.one_of(st.text(), JSON.map(json.dumps)), st.sampled_from(["MessageAttributes", "MessageBody"]))
def test_any_text_is_a_policy_or_refused(text: str, scope: str) -> None:
    with suppress(AwsError):
        filter_policy.parse(text, scope).matches(with_body({"a": 1}))
