"""The language of filter patterns.

Most cases are those of the user guide, "Filter pattern syntax for metric filters, subscription filters, filter log
events, and Live Tail".
"""

from __future__ import annotations

import json
import re
import string
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.logs.patterns import PatternProblem, parse
from cloudlet.services.logs.patterns.fields import values_of

TERMS = [
    ("ERROR", "[ERROR 400] BAD REQUEST", True),
    ("ERROR", "[error 400] bad request", False),
    ("ERROR ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", True),
    ("ERROR ARGUMENTS", "[ERROR 401] UNAUTHORIZED REQUEST", False),
    ("?ERROR ?ARGUMENTS", "[INFO 419] MISSING ARGUMENTS", True),
    ("?ERROR ?ARGUMENTS", "[ERROR 400] BAD REQUEST", True),
    ("?ERROR ?ARGUMENTS", "[INFO 200] OK", False),
    ("?ERROR REQUEST", "[INFO] REQUEST FAILED", True),
    ("?ERROR REQUEST", "[ERROR] NOTHING", False),
    ('"INTERNAL SERVER ERROR"', "[ERROR 500] INTERNAL SERVER ERROR", True),
    ('"INTERNAL SERVER ERROR"', "[ERROR 500] INTERNAL ERROR SERVER", False),
    ("ERROR -ARGUMENTS", "[ERROR 400] BAD REQUEST", True),
    ("ERROR -ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", False),
    ('-"not ok"', "all is ok", True),
    ('-"not ok"', "this is not ok", False),
    (r'"say \"hi\""', 'they say "hi" to all', True),
    ("%AUTHORIZED%", "[ERROR 401] UNAUTHORIZED REQUEST", True),
    ("%AUTHORIZED%", "[ERROR 400] BAD REQUEST", False),
    ("%^[hc]at%", "hat on", True),
    ("%^[hc]at%", "a hat", False),
    ("%[hc]at$%", "a cat", True),
    ("%colou?r%", "color", True),
    ("%gray|grey%", "grey", True),
    ("%a{3,5}%", "aaaa", True),
    ("%a{3,5}%", "aa", False),
    (r"%10\.10\.0\.1%", "10.10.0.1", True),
    (r"%10\.10\.0\.1%", "10a10.0.1", False),
    (r"%\d{3} \w+%", "status 404 missing", True),
    ("?%4\\d\\d% ?WARN", "got 404", True),
]


@pytest.mark.parametrize(("pattern", "message", "expected"), TERMS)
def test_terms(pattern: str, message: str, expected: bool) -> None:
    check(pattern, message, expected)


def check(pattern: str, message: str, expected: bool) -> None:
    parsed = parse(pattern)
    assert parsed.matches(message) is expected
    if expected:
        # What rules rows out by their bytes may never rule out one that matches.
        assert parsed.may_match(msgspec.msgpack.encode([1, [2], ["other", message]]))


EVENT = {
    "eventType": "UpdateTrail",
    "sourceIPAddress": "111.111.111.111",
    "arrayKey": ["value", "another value"],
    "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
    "SomeObject": None,
    "cluster.name": "c",
    "bandwidth": 75,
    "latency": 50.5,
    "thread": True,
    "quiet": False,
    "errorCode": "AccessDenied.Unauthorized",
    "status": "404",
    "user": {"id": 1, "email": "John.Doe@example.com", "groups": ["x", "y"]},
    "path": "/a/ü",
    "order": 1234567890123456789,
    "parcel": "1234567890123456789",
    "zeros": "0" * 5000 + "7",
}

JSON = [
    ('{ $.eventType = "UpdateTrail" }', True),
    ("{ $.eventType = UpdateTrail }", True),
    ('{ $.eventType = "updateTrail" }', False),
    ("{ $.sourceIPAddress != 123.123.* }", True),
    ("{ $.sourceIPAddress = 111.111.* }", True),
    ('{ $.arrayKey[0] = "value" }', True),
    ('{ $.arrayKey[1] = "value" }', False),
    ('{ $.arrayKey[*] = "another value" }', True),
    ("{ $.objectList[1].id = 2 }", True),
    ("{ $.objectList[*].id > 2 }", False),
    ("{ $.objectList[9].id = 2 }", False),
    ("{ $['cluster.name'] = \"c\" }", True),
    ("{ $.['cluster.name'] = \"c\" }", True),
    ("{ $.objectList[0].['name'] = \"a\" }", True),
    ("{ $.eventType = %Trail$% }", True),
    ("{ $.eventType != %Trail$% }", False),
    ("{ $.bandwidth > 75 }", False),
    ("{ $.bandwidth >= 75 }", True),
    ("{ $.bandwidth = 7.5e1 }", True),
    ("{ $.bandwidth != 75 }", False),
    ("{ $.latency < 50 }", False),
    ("{ $.latency <= 50.5 }", True),
    ("{ $.status = 404 }", True),
    ("{ $.status = 4* }", True),
    ("{ $.eventType > 3 }", False),
    ("{ $.order = 1234567890123456789 }", True),
    ("{ $.order = 1234567890123456788 }", False),
    ("{ $.parcel = 1234567890123456789 }", True),
    ("{ $.parcel > 1234567890123456788 }", True),
    ("{ $.zeros = 7 }", True),
    ("{ $.zeros < " + "9" * 900 + " }", True),
    ("{ $.SomeObject IS NULL }", True),
    ("{ $.eventType IS NULL }", False),
    ("{ $.nothing IS NULL }", False),
    ("{ $.SomeOtherObject NOT EXISTS }", True),
    ("{ $.SomeObject NOT EXISTS }", False),
    ("{ $.thread IS TRUE }", True),
    ("{ $.quiet IS FALSE }", True),
    ("{ $.bandwidth IS TRUE }", False),
    ('{ $.nothing != "x" }', False),
    ('{ ($.errorCode = "*Unauthorized") || ($.errorCode = "AccessDenied*") }', True),
    ('{ $.errorCode = "A*.*ed" }', True),
    ('{ $.errorCode = "A*x*ed" }', False),
    ('{ ($.user.id = 1) && ($.user.email = "John.Doe@example.com") }', True),
    ('{ $.user.id = 2 && $.bandwidth = 75 || $.eventType = "UpdateTrail" }', True),
    ('{ $.user.id = 2 && ($.bandwidth = 75 || $.eventType = "UpdateTrail") }', False),
    ('{ $.user.groups[*] = "y" && $.user.* = 1 }', True),
    ('{ $.path = "/a/ü" }', True),
    ('{ $.path = "*ü" }', True),
]


@pytest.mark.parametrize(("pattern", "expected"), JSON)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_json(pattern: str, expected: bool, ascii_only: bool) -> None:
    check(pattern, json.dumps(EVENT, ensure_ascii=ascii_only), expected)


_ATOMS = {
    "$.bandwidth > 70": True,
    "$.latency<50": False,
    '$.eventType = "Up*"': True,
    "$.errorCode=%^Denied%": False,
    "$.SomeObject IS NULL": True,
    "$.user['id'] != 1": False,
    "$.none NOT EXISTS": True,
}
_FORMULAS = st.recursive(
    st.sampled_from(sorted(_ATOMS.items())),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: (f"({two[0][0]} && {two[1][0]})", two[0][1] and two[1][1])),
        st.tuples(inner, inner).map(lambda two: (f"( {two[0][0]}||{two[1][0]} )", two[0][1] or two[1][1])),
    ),
    max_leaves=12,
)


@given(_FORMULAS)
def test_formulas_hold_as_logic_says(formula: tuple[str, bool]) -> None:
    text, expected = formula
    if text.count("%") > 4:
        with pytest.raises(PatternProblem, match="2 regular expressions at most"):
            parse(f"{{{text}}}")
    else:
        check(f"{{{text}}}", json.dumps(EVENT), expected)


def test_what_is_no_json_does_not_match() -> None:
    for message in ("", "text", "{", "[" * 100_000, '"a"', "3"):
        assert not parse("{ $.a NOT EXISTS }").matches(message)
    assert parse("{ $.a NOT EXISTS }").matches("{}")


LINE = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'

DELIMITED = [
    ("[]", False),
    ("[ip, user, username, timestamp, request, status_code, bytes]", True),
    ("[ip, user, username, timestamp, request, status_code]", False),
    ("[ip, user, username, timestamp, request =*.html*, status_code = 4*, bytes]", True),
    ("[ip, user, username, timestamp, request =*.html*, status_code = 5*, bytes]", False),
    ("[..., status_code=404, bytes]", True),
    ("[ip, ..., bytes > 1000]", True),
    ("[ip, ..., bytes > 2000]", False),
    ("[ip, ...]", True),
    ("[..., status_code = 404 || status_code = 410, bytes]", True),
    ("[..., status_code > 399 && status_code < 500, bytes]", True),
    ("[ip = %127\\.0\\.0\\.[1-9]%, ...]", True),
    ("[ip != %127\\.0\\.0\\.[1-9]%, ...]", False),
    ("[ip, user, username, timestamp = 10/Oct*, ...]", True),
    ('[ip, user, username = "frank", ...]', True),
    ("[ip, (user = Prod || user = Test) && user != Beta, ...]", True),
]


@pytest.mark.parametrize(("pattern", "expected"), DELIMITED)
def test_fields_between_spaces(pattern: str, expected: bool) -> None:
    check(pattern, LINE, expected)


@given(st.lists(st.sampled_from(["a", "b1", '"x y"', "[z  w]", "[]", '""', "c-d"]), min_size=1, max_size=8))
def test_each_field_is_one(said: list[str]) -> None:
    names = [f"n{number}" for number in range(len(said))]
    values = [field[1:-1] if field[0] in '"[' else field for field in said]
    expected = {f"${name}": value for name, value in zip(names, values, strict=True)}
    assert parse(f"[{', '.join(names)}]").extract("  ".join(said)) == expected


@given(st.text('ab "[] ', max_size=60))
def test_brackets_that_never_close_change_nothing_about_fields(message: str) -> None:
    open_ones = " " + "[ " * 60
    assert values_of(message) + ["["] * 60 == values_of(message + open_ones) or '"' in message


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("[a=*a*a*a*a*a*a*a*b, ...]", "a" * 200_000),
        ("[..., a=*a*a*a*a*a*a*a*b]", "a" * 200_000),
        ("[a!=*a*a*a*a*a*a*a*a, ...]", "a" * 200_000),
        ("[a, b, ..., c=3]", "[ " * 100_000),
    ],
)
def test_long_fields_are_not_gone_through_again_and_again(pattern: str, message: str) -> None:
    """That would take days."""
    assert not parse(pattern).matches(message)


def test_values_are_extracted_by_their_names() -> None:
    found = parse("[ip, ..., request, status, bytes]").extract(LINE)
    assert found == {
        "$ip": "127.0.0.1",
        "$request": "GET /index.html HTTP/1.0",
        "$status": "404",
        "$bytes": "1534",
    }
    message = json.dumps(EVENT)
    pattern = "{ $.bandwidth = 75 && $.user.email = * && $.arrayKey[*] = * && $.x NOT EXISTS }"
    assert parse(pattern).extract(message) == {
        "$.bandwidth": "75",
        "$.user.email": "John.Doe@example.com",
        "$.arrayKey[*]": "value",
    }


INVALID = [
    '"not closed',
    "%not closed",
    "two-words",
    "a%b",
    "?",
    "-",
    "%something!%",
    "%(group)%",
    "%ü%",
    "%[%",
    "%a{9999999999999}%",
    r"%\Z%",
    "%a% %b% %c%",
    "{ }",
    "{ $.a }",
    "{ $ = 1 }",
    "{ a = 1 }",
    "{ $.a = }",
    "{ $.a > b }",
    "{ $.a = 1",
    "{ $.a = 1 } x",
    "{ $.a = 1 && }",
    "{ ($.a = 1 }",
    "{ $.a = 1 $.b = 2 }",
    "{" + "(" * 400 + "$.a = 1" + ")" * 400 + "}",
    "[a, b",
    "[a, a]",
    "[..., a, ...]",
    "[a = 1 && b = 2]",
    "[a b]",
    "[a] x",
]


@pytest.mark.parametrize("pattern", INVALID)
def test_a_pattern_that_cannot_be_read_is_refused(pattern: str) -> None:
    with pytest.raises(PatternProblem):
        parse(pattern)


@given(st.text(alphabet=string.ascii_letters + ' {}[]()"%?-$.=!<>&|,*\\0', max_size=40), st.text(max_size=40))
def test_any_pattern_is_refused_or_tells_of_any_message(pattern: str, message: str) -> None:
    try:
        parsed = parse(pattern)
    except PatternProblem:
        return
    if parsed.matches(message):
        assert parsed.may_match(msgspec.msgpack.encode(message))
        parsed.extract(message)


words = st.text(alphabet=string.ascii_letters + string.digits + "_", min_size=1, max_size=3)


@given(st.lists(words, max_size=3), st.lists(words, max_size=3), st.lists(words, max_size=8))
def test_terms_are_all_there_and_others_are_not(required: list[str], excluded: list[str], said: list[str]) -> None:
    message = " ".join(said)
    pattern = " ".join([*required, *(f"-{word}" for word in excluded)])
    expected = all(word in message for word in required) and not any(word in message for word in excluded)
    assert parse(pattern).matches(message) is expected


values: Any = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(-5, 5), words, st.text(max_size=5))


@given(values, st.integers(-5, 5), st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), st.booleans())
def test_numbers_compare_as_numbers(value: Any, number: int, operator: str, ascii_only: bool) -> None:
    message = json.dumps({"a": value}, ensure_ascii=ascii_only)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    expected = {
        "=": value == number,
        "!=": value != number,
        "<": value < number,
        "<=": value <= number,
        ">": value > number,
        ">=": value >= number,
    }[operator]
    check(f"{{ $.a {operator} {number} }}", message, expected)


@given(st.text(max_size=6), st.booleans())
def test_any_text_equals_itself(value: str, ascii_only: bool) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    check(f'{{ $.a = "{quoted}" }}', json.dumps({"a": value}, ensure_ascii=ascii_only), True)


_NUMBERS = ["0", "-0", "7", "07", "+7", "9.99", "10", "-10", "99", "100", "100.5", "1e2", "-1E1", ".5", "-.5", "x", ""]
_OPERATORS = ["=", "!=", "<", "<=", ">", ">="]


@given(
    st.sampled_from(_OPERATORS),
    st.one_of(st.integers(-1300, 1300), st.sampled_from([0.5, -0.5, 9.99, 99.5, -10.25, 1e15, -1e20])),
    st.one_of(st.sampled_from(_NUMBERS), st.integers(-1300, 1300).map(str), st.floats(-1300, 1300).map(str)),
    st.sampled_from(["{}", '"{}"', "[{}]"]),
)
def test_what_rules_messages_out_by_numbers_rules_out_nothing_that_fits(
    operator: str, number: float, value: str, written: str
) -> None:
    try:
        fits = {
            "=": float(value) == number,
            "!=": float(value) != number,
            "<": float(value) < number,
            "<=": float(value) <= number,
            ">": float(value) > number,
            ">=": float(value) >= number,
        }[operator]
    except ValueError:
        fits = operator == "!="
    document = json.dumps({"a": {"b": value}, "b": 3})
    parsed = parse(f"{{ $.a.b {operator} {number} }}")
    assert parsed.matches(document) is fits
    assert parsed.may_match(document.encode()) or not fits
    field = written.format(value)
    if not field:
        return
    for pattern, message in (
        (f"[a, b {operator} {number}]", f"first {field}"),
        (f"[..., b {operator} {number}]", f'"a b" [c] {field}'),
        (f"[..., b {operator} {number}, c]", f"a {field} z"),
        (f"[b {operator} {number} && b != none, ...]", f"{field} and more"),
        (f"[b {operator} {number} || b = none, ...]", field),
    ):
        assert parse(pattern).matches(message) is fits, (pattern, message)


_FIELDS = {"a": "a", "ab": "ab", '"x y"': "x y", "[z  w]": "z  w", "[]": "", '""': "", "a]": "a]", 'b"c"': 'b"c"'}


@given(
    st.lists(st.sampled_from(list(_FIELDS)), min_size=1),
    st.sampled_from(["a*", "*b", "*x*", "z  w", "a", "*", "ab", "*w", "a]", '*"c*', "c", "*a*b*", "*a*a", "x*y*"]),
    st.booleans(),
    st.data(),
)
def test_what_rules_messages_out_by_texts_rules_out_nothing_that_fits(
    written: list[str], wanted: str, equal: bool, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(written) - 1))
    operand = wanted.replace('"', '\\"')
    value, operator = _FIELDS[written[at]], "=" if equal else "!="
    fits = re.fullmatch(".*".join(map(re.escape, wanted.split("*"))), value) is not None
    names = [f"f{number}" for number in range(len(written))]
    names[at] = f'v {operator} "{operand}"'
    message = " ".join(written)
    for fields in (names, [*names[: at + 1], "..."], ["...", *names[at:]]):
        pattern = f"[{', '.join(fields)}]"
        assert parse(pattern).matches(message) is (fits is equal), (pattern, message)
