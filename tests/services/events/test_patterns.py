"""The language of event patterns: by the tables of AWS's documentation, and by laws that hold for all patterns."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core import AwsError
from cloudlet.services.events.pattern import compile
from tests.services.events.cloud import EventCloud


def matches(pattern: Any, event: Any) -> bool:
    return compile(json.dumps(pattern)).matches(event)


@pytest.mark.parametrize(
    ("alternatives", "admitted", "others"),
    [
        (["New York"], ["New York", ["x", "New York"]], ["new york", "", None, 1, [], {}]),
        ([""], [""], [None, " ", "x"]),
        ([None], [None], ["", "null", 0, False]),
        ([True], [True], [1, "true", False]),
        ([300], [300, 300.0], ["300", 301, True]),
        ([0], [0], [False, ""]),
        (["a", 5], ["a", 5, ["b", 5]], ["b", 6]),
        ([{"prefix": "us-"}], ["us-east-1", "us-"], ["eu-us-", "US-east-1", 1]),
        ([{"prefix": {"equals-ignore-case": "eventb"}}], ["EventBridge", "eventb"], ["event"]),
        ([{"suffix": ".png"}], ["a.png", ".png"], ["a.PNG", "png"]),
        ([{"suffix": {"equals-ignore-case": "tbridge"}}], ["EventBRIDGE", "tbridge"], ["bridge"]),
        ([{"equals-ignore-case": "alice"}], ["ALICE", "alice"], ["alic", 1]),
        ([{"wildcard": "dir/*.png"}], ["dir/a/b.png", "dir/.png"], ["dir/png", "x/dir/a.png"]),
        ([{"wildcard": "*a*b*"}], ["ab", "xaxbx", "aab"], ["ba", "b"]),
        ([{"wildcard": "a\\*\\\\b*"}], ["a*\\b", "a*\\bc"], ["axb", "a*b"]),
        ([{"wildcard": "abc"}], ["abc"], ["abcd"]),
        ([{"wildcard": "ab*ba"}], ["abba", "abxba"], ["aba"]),
        ([{"numeric": ["=", 100]}], [100, 100.0], [99, "100", True]),
        ([{"numeric": [">", 0, "<=", 5]}], [0.1, 5], [0, 5.000001]),
        ([{"numeric": ["<", 10]}], [9, -1, 0], [10, None]),
        ([{"numeric": [">=", 10]}], [10, 11], [9.999999]),
        ([{"numeric": [">", 1]}], [2], [6e9, "2"]),
        ([{"cidr": "10.0.0.0/24"}], ["10.0.0.0", "10.0.0.255"], ["10.0.1.0", "x", "10.0.0", 1]),
        ([{"cidr": "2001:db8::/32"}], ["2001:db8::1"], ["2001:db9::1", "10.0.0.1"]),
        ([{"anything-but": "initializing"}], ["running", 5, True, None], ["initializing", [], {}]),
        ([{"anything-but": ["stopped", "overloaded"]}], ["running"], ["stopped", "overloaded"]),
        ([{"anything-but": [100, 200, 255]}], [101, "100"], [100, 255]),
        ([{"anything-but": 123}], [124], [123, 123.0]),
        ([{"anything-but": {"prefix": "us-"}}], ["eu-west-1", 1], ["us-east-1"]),
        ([{"anything-but": {"prefix": ["us-", "eu-"]}}], ["ap-1"], ["us-1", "eu-1"]),
        ([{"anything-but": {"suffix": ".png"}}], ["a.jpg"], ["a.png"]),
        ([{"anything-but": {"suffix": [".png", ".txt"]}}], ["a.jpg"], ["a.png", "b.txt"]),
        ([{"anything-but": {"equals-ignore-case": "initializing"}}], ["running"], ["INITIALIZING"]),
        ([{"anything-but": {"equals-ignore-case": ["a", "b"]}}], ["c"], ["A", "b"]),
        ([{"anything-but": {"wildcard": "*/lib/*"}}], ["/bin/x"], ["/a/lib/b"]),
        ([{"anything-but": {"wildcard": ["*/lib/*", "*/bin/*"]}}], ["/usr/x"], ["/lib/x", "/a/bin/x"]),
        ([{"exists": True}], ["x", None, "", 0, False, [1]], [[], {}, {"inner": 1}]),
        ([{"exists": False}], [[], {}, {"inner": 1}], ["x", None, 0, [1]]),
        (["x", {"exists": False}], ["x", []], ["y"]),
    ],
)
def test_a_property_matches_what_its_alternatives_admit(
    alternatives: list[Any], admitted: list[Any], others: list[Any]
) -> None:
    pattern = {"detail": {"p": alternatives}}
    assert [value for value in admitted if not matches(pattern, {"detail": {"p": value}})] == []
    assert [value for value in others if matches(pattern, {"detail": {"p": value}})] == []


@pytest.mark.parametrize(
    ("pattern", "admitted", "others"),
    [
        ({"a": ["x"], "b": ["y"]}, [{"a": "x", "b": "y", "c": 1}], [{"a": "x"}, {"a": "x", "b": "z"}, {}]),
        (
            {"$or": [{"a": ["x"]}, {"b": [{"numeric": [">", 1]}]}]},
            [{"a": "x"}, {"b": 2}, {"a": "z", "b": 3}],
            [{"a": "y", "b": 1}, {}],
        ),
        (
            {"d": {"$or": [{"a": ["x"]}, {"b": ["y"]}], "c": [1]}},
            [{"d": {"a": "x", "c": 1}}, {"d": {"b": "y", "c": 1}}],
            [{"d": {"a": "x"}}, {"d": {"c": 1}}],
        ),
        ({"$or": ["x"]}, [{"$or": "x"}], [{}]),
        (
            {"a": {"b": [{"exists": False}]}},
            [{}, {"a": {}}, {"a": 1}, {"a": []}],
            [{"a": {"b": 1}}, {"a": [{"b": 1}, {}]}],
        ),
        ({"a": {"x": [1], "y": [2]}}, [{"a": [{"x": 0}, {"x": 1, "y": 2}]}], [{"a": [{"x": 1}, {"y": 2}]}]),
        ({"a": ["x"]}, [{"a": [["x"]]}], [{"a": {"x": "x"}}]),
        ({"a": {"b": [{"anything-but": "x"}]}}, [{"a": {"b": "y"}}], [{"a": {}}, {}]),
        (
            {"a.b": ["x"]},
            [{"a": {"b": "x"}}, {"a.b": "x"}, {"a": [{"b": "y"}, {"b": "x"}]}, {"a": "z", "a.b": "x"}],
            [{"a": {"b": "y"}}, {"b": "x"}, {"a": {}}, {"a.b.c": "x"}, {}],
        ),
        (
            {"a": {"b": {"c": ["x"]}, "d": [1]}},
            [{"a.b.c": "x", "a.d": 1}, {"a.b": {"c": "x"}, "a": {"d": 1}}, {"a": [{"d": 0}, {"d": 1}], "a.b.c": "x"}],
            [{"a.b.c": "x"}, {"a": [{"d": 1, "b.c": "y"}, {"d": 0, "b.c": "x"}]}],
        ),
        (
            {"a.b": ["x"], "a": {"c": [1]}, "a.d.e": ["y"]},
            [{"a": {"b": "x", "c": 1, "d": {"e": "y"}}}, {"a": {"b": "x", "c": 1}, "a.d": {"e": "y"}}],
            [{"a": [{"b": "x", "c": 2, "d.e": "y"}, {"b": "z", "c": 1, "d.e": "y"}]}, {"a": {"b": "x", "c": 1}}],
        ),
        ({"a": ["x"], "a.b": ["y"]}, [{"a": "x", "a.b": "y"}, {"a": ["x", {"b": "y"}]}], [{"a": "x"}, {"a.b": "y"}]),
        ({"a.b": [{"exists": False}]}, [{}, {"a": {}}, {"a.c": 1}], [{"a": {"b": 1}}, {"a.b": 1}]),
        ({"a": {"b.c": [{"exists": False}]}}, [{"a.b": {}}], [{"a.b": {"c": 1}}, {"a.b.c": 1}]),
        ({"a": {"$or": [{"b": [1]}, {"c.d": [2]}]}}, [{"a.b": 1}, {"a": {"c": {"d": 2}}}, {"a.c.d": 2}], [{"a.d": 2}]),
    ],
)
def test_properties_go_together(pattern: Any, admitted: list[Any], others: list[Any]) -> None:
    assert [event for event in admitted if not matches(pattern, event)] == []
    assert [event for event in others if matches(pattern, event)] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        "{}",
        '{"a":"x"}',
        '{"a":[]}',
        '{"a":{}}',
        '{"a":[[1]]}',
        '{"a":[{}]}',
        '{"a":[{"nonsense":1}]}',
        '{"a":[{"prefix":1}]}',
        '{"a":[{"prefix":{"suffix":"x"}}]}',
        '{"a":[{"prefix":"a","suffix":"b"}]}',
        '{"a":[{"exists":"true"}]}',
        '{"a":[{"cidr":"10.0.0.0"}]}',
        '{"a":[{"cidr":"10.0.0.0/99"}]}',
        '{"a":[{"wildcard":"a**b"}]}',
        '{"a":[{"wildcard":"a\\\\b"}]}',
        '{"a":[{"wildcard":"a\\\\"}]}',
        '{"a":[{"numeric":[]}]}',
        '{"a":[{"numeric":["="]}]}',
        '{"a":[{"numeric":["!",1]}]}',
        '{"a":[{"numeric":[[1],1]}]}',
        '{"a":[{"numeric":[">",5,"<",1]}]}',
        '{"a":[{"numeric":["<",5,">",1]}]}',
        '{"a":[{"numeric":[">","1"]}]}',
        '{"a":[{"numeric":[">",6000000000]}]}',
        '{"a":[{"anything-but":[]}]}',
        '{"a":[{"anything-but":["a",1]}]}',
        '{"a":[{"anything-but":null}]}',
        '{"a":[{"anything-but":{"numeric":["=",1]}}]}',
        '{"a":[{"anything-but":{"prefix":""}}]}',
        '{"a":[{"anything-but":{"prefix":[]}}]}',
        '{"a":[NaN]}',
        '{"a":' * 500,
        '{"a":' * 500 + "[1]" + "}" * 500,
        json.dumps({"a": {str(n): {"$or": [{"x": [1]}, {"y": [2]}]} for n in range(10)}}),
        '{"a":["' + "x" * 4096 + '"]}',
    ],
)
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(AwsError) as caught:
        compile(text)
    assert caught.value.code == "InvalidEventPatternException"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense", "Filter is not an object"),
        ('{"a":', "Filter is not an object"),
        ("[]", "Filter is not an object"),
        ('{"a":"x"}', '"a" must be an object or an array'),
        ('{"a":[{}]}', "Match expression name not found"),
        ('{"a":[{"prefix":1}]}', "prefix match pattern must be a string"),
        ('{"a":[{"suffix":null}]}', "suffix match pattern must be a string"),
        ('{"a":[{"prefix":{}}]}', "Prefix expression name not found"),
        ('{"a":[{"suffix":{"prefix":"x"}}]}', "Unsupported suffix pattern: prefix"),
        ('{"a":[{"prefix":"a","suffix":"b"}]}', "Only one key allowed in match expression"),
        ('{"a":[{"nonsense":1,"prefix":"b"}]}', "Unrecognized match type nonsense"),
        ('{"a":[{"equals-ignore-case":["x"]}]}', "equals-ignore-case match pattern must be a string"),
        ('{"a":[{"wildcard":"a**b"}]}', "Consecutive wildcard characters at pos 2"),
        ('{"a":[{"wildcard":"é**"}]}', "Consecutive wildcard characters at pos 3"),
        ('{"a":[{"anything-but":{"wildcard":"a**b"}}]}', "Consecutive wildcard characters at pos 2"),
        ('{"a":[{"wildcard":"a\\\\b"}]}', "Invalid escape character at pos 2"),
        ('{"a":[{"anything-but":{"prefix":123}}]}', "prefix/suffix match pattern must be a string"),
        ('{"a":[{"anything-but":{"suffix":["x",1]}}]}', "prefix/suffix match pattern must be a string"),
        ('{"a":[{"anything-but":{"suffix":""}}]}', "Null prefix/suffix not allowed"),
        ('{"a":[{"anything-but":{"wildcard":[1]}}]}', "wildcard match pattern must be a string"),
        (
            '{"a":[{"anything-but":{"equals-ignore-case":123}}]}',
            "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.",
        ),
        ('{"a":[{"anything-but":{}}]}', "Anything-But expression name not found"),
        ('{"a":[{"anything-but":{"numeric":1}}]}', "Unsupported anything-but pattern: numeric"),
        ('{"a":[{"anything-but":[true]}]}', "Inside anything but list, start|null|boolean is not supported."),
        (
            '{"a":[{"anything-but":["a",1]}]}',
            "Inside anything but list, either all values are number or string, mixed type is not supported",
        ),
        ('{"a":[{"anything-but":null}]}', "Value of anything-but must be an array or single string/number value."),
        ('{"a":[{"exists":"true"}]}', "exists match pattern must be either true or false."),
        ('{"a":[{"numeric":1}]}', "Value of numeric must be an array."),
        ('{"a":[{"numeric":[1]}]}', "Invalid member in numeric match: 1"),
        ('{"a":[{"numeric":["="]}]}', "Value of equals must be numeric"),
        ('{"a":[{"numeric":[">","1"]}]}', "Value of > must be numeric"),
        ('{"a":[{"numeric":["<",5,">",1]}]}', "Too many elements in numeric expression"),
        ('{"a":[{"numeric":[">",5,3]}]}', "Bad value in numeric range: 3"),
        ('{"a":[{"numeric":[">",5,"=",6]}]}', "Bad numeric range operator: ="),
        ('{"a":[{"numeric":[">",5,"<","6"]}]}', "Value of < must be numeric"),
        ('{"a":[{"numeric":[">",5,"<",6,7]}]}', "Too many terms in numeric range expression"),
        ('{"a":[{"numeric":[">",5,"<",1]}]}', "Bottom must be less than top"),
        ('{"' + "a." * 200 + '":[1]}', "it is nested more than 100 levels deep"),
    ],
)
def test_an_error_says_what_is_wrong_in_the_words_of_event_ruler(text: str, reason: str) -> None:
    with pytest.raises(AwsError) as caught:
        compile(text)
    assert caught.value.message == f"Event pattern is not valid. Reason: {reason}"


_SCALARS = st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=8)
_EVENTS = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner)),
    max_size=3,
)


@given(_EVENTS, _SCALARS)
def test_a_value_is_equal_or_another(event: dict[str, Any], value: Any) -> None:
    """Of a property with one string or number, exactly one of "it is" and "it is anything but" holds."""
    event["p"] = value
    if not isinstance(value, str | int) or isinstance(value, bool):
        value = "x"
    assert matches({"p": [value]}, event) is not matches({"p": [{"anything-but": value}]}, event)


@given(_EVENTS, st.lists(st.sampled_from("abc"), min_size=1, max_size=3))
def test_a_property_exists_or_does_not(event: dict[str, Any], path: list[str]) -> None:
    def pattern(there: bool) -> Any:
        inner: Any = [{"exists": there}]
        for name in reversed(path):
            inner = {name: inner}
        return inner

    assert matches(pattern(True), event) is not matches(pattern(False), event)


@given(_EVENTS, st.lists(st.tuples(st.sampled_from("abc"), _SCALARS), min_size=2, max_size=4))
def test_or_is_the_or_of_its_alternatives(event: dict[str, Any], alternatives: list[tuple[str, Any]]) -> None:
    patterns = [{name: [value]} for name, value in alternatives]
    assert matches({"$or": patterns}, event) is any(matches(each, event) for each in patterns)


def test_names_with_dots_take_no_time_beyond_the_size_of_an_event() -> None:
    """Neither many objects beside many names, nor levels upon levels of both, multiply."""
    wide = {"a": [{"c": 0}] * 20_000, **{f"a.b.{number}": 0 for number in range(20_000)}}
    assert not matches({"a": {"b": {"x": [1]}, "c": [1]}}, wide)
    deep: dict[str, Any] = {"a": 0}
    for _ in range(90):
        deep = {"a": deep, "a.b": 0, "a.a.b": 0}
    assert not matches({".".join("a" * 90): ["x"]}, deep)


def test_what_is_not_there_is_looked_for_once() -> None:
    assert not matches({"items": {"gone": [{"exists": False}]}}, {"items": [{}] * 60_000 + [{"gone": 1}]})


@given(
    st.lists(st.text("ab*\\", max_size=3), min_size=1, max_size=4), st.lists(st.text("ab*\\", max_size=3), min_size=4)
)
def test_a_wildcard_matches_its_pieces_with_anything_between(pieces: list[str], between: list[str]) -> None:
    escaped = [piece.replace("\\", "\\\\").replace("*", "\\*") for piece in pieces]
    if any(not piece for piece in escaped[1:-1]):
        return
    value = pieces[0] + "".join(filling + piece for filling, piece in zip(between, pieces[1:], strict=False))
    assert matches({"p": [{"wildcard": "*".join(escaped)}]}, {"p": value})


def test_patterns_are_tried_on_events(cloud: EventCloud) -> None:
    event = {
        "id": "1",
        "account": "1",
        "source": "shop",
        "time": "2026-01-01T00:00:00Z",
        "region": "r",
        "detail-type": "t",
    }
    for source, expected in (("shop", True), ("bank", False)):
        pattern = json.dumps({"source": [source]})
        assert cloud.events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"] is expected
    for text in ("nonsense", "[]", json.dumps({name: value for name, value in event.items() if name != "time"})):
        with pytest.raises(cloud.events.exceptions.ClientError) as caught:
            cloud.events.test_event_pattern(EventPattern='{"a":["x"]}', Event=text)
        error = caught.value.response["Error"]
        assert (error["Code"], error["Message"]) == ("ValidationException", "Parameter Event is not valid.")
    with pytest.raises(cloud.events.exceptions.InvalidEventPatternException, match="Event pattern is not valid"):
        cloud.events.test_event_pattern(EventPattern='{"a":1}', Event=json.dumps(event))
