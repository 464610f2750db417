"""The language of filter expressions: the guide's examples, and each keyword."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core import AwsError
from cloudlet.core.aws.logic import All, AnyOf, Not
from cloudlet.services.xray import document, filter_grammar, filtering
from cloudlet.services.xray.filter_grammar import (
    AnnotationTest,
    Causes,
    Edges,
    Filter,
    JsonCauses,
    Selector,
    Services,
    Value,
)
from cloudlet.services.xray.trace import Trace
from tests.services.xray.segments import part, segment, trace_id

ACCOUNT = "123456789012"


def traced(*segments: dict[str, Any]) -> Trace:
    return Trace(segments[0]["trace_id"], [document.parse(json.dumps(each)) for each in segments], ACCOUNT)


def request() -> Trace:
    """A slow request to api.example.com, which called backend.example.com (that failed) and a table."""
    trace = trace_id(0x60000000)
    api = segment(
        trace,
        "api.example.com",
        took=6,
        origin="AWS::EC2::Instance",
        user="ada",
        annotations={"account": "12345", "retries": 2, "vip": False, "my-key": "v"},
        aws={"ec2": {"instance_id": "i-1", "availability_zone": "us-east-1a"}},
        resource_arn="arn:aws:ec2:::i-1",
        http={
            "request": {
                "url": "http://api.example.com/v2/orders",
                "method": "POST",
                "user_agent": "curl/8",
                "client_ip": "10.1.2.3",
            },
            "response": {"status": 200},
        },
    )
    to_backend = part(api, "backend.example.com", took=4, namespace="remote", annotations={"step": 1})
    to_table = part(api, "DynamoDB", took=1, namespace="aws", aws={"table_name": "orders"}, throttle=True)
    backend = segment(
        trace,
        "backend.example.com",
        took=3.5,
        parent_id=to_backend["id"],
        fault=True,
        cause={"exceptions": [{"id": "1" * 16, "type": "Timeout", "message": "gave up"}]},
    )
    return traced(api | {"subsegments": [to_backend, to_table]}, backend)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("", True),
        ("responsetime > 5", True),
        ("duration >= 5 AND duration <= 8", True),
        ("duration >= 5 AND duration <= 5.5", False),
        ("ok", True),
        ("!ok", False),
        ("ok = true", True),
        ("ok != true", False),
        ("fault", False),
        ("error OR throttle", False),
        ("ok !partial duration <3", False),
        ("ok !partial duration <7", True),
        ("ok AND (fault OR !error)", True),
        ("fault OR ok AND error", False),
        ("http.status != 200", False),
        ("http.status = 200", True),
        ('http.url CONTAINS "/v2/"', True),
        ('http.url BEGINSWITH "http://api.example.com/" AND http.url CONTAINS "/v2/"', True),
        ('http.url ENDSWITH "orders" AND !service("api.example.com")', False),
        ('http.method = "POST"', True),
        ('http.useragent BEGINSWITH "curl"', True),
        ('http.clientip = "10.1.2.3"', True),
        ('user = "ada"', True),
        ('user != "ada"', False),
        ("user", True),
        ('instance.id = "i-1" availabilityzone = "us-east-1a" resource.arn CONTAINS "i-1"', True),
        ('type = "AWS::DynamoDB::Table"', True),
        ('message CONTAINS "gave"', True),
        ('annotation.account = "12345"', True),
        ('annotation[account] = "12345"', True),
        ('annotation["my-key"] = "v"', True),
        ('annotation[my-key] CONTAINS "v"', True),
        ("annotation.account = 12345", False),
        ("annotation.retries >= 2", True),
        ("annotation.retries != 2", False),
        ("annotation.vip", False),
        ("!annotation.vip", True),
        ("annotation.retries", True),
        ('user CONTAINS ""', True),
        ('annotation.none CONTAINS ""', False),
        ("http.url AND responseTime > 2", True),
        ('http.url contains "/v2/" and ok', True),
        ("ok = false or duration > 5", True),
        ("inferred", True),
        ('service("api.example.com") {root = true and ok = true}', True),
        ('service("backend.example.com") {root = true}', False),
        ('rootcause.fault.entity { last and name = "Timeout" }', True),
        ('rootcause.fault.entity { first and name = "Timeout" }', False),
        ("rootcause.fault.service { index > 5 }", False),
        ('rootcause.fault.exception { last and message = "gave up" }', True),
        ('rootcause.fault.exception { message = "other" }', False),
        ('rootcause.error.service { inferred and name = "orders" and type = "AWS::DynamoDB::Table" }', True),
        ('rootcause.json = #[{"Services": [{"Name": "api.example.com"}, {"Name": "backend.example.com"}]}]', True),
        ('rootcause.json = #[{"Services": [{"Name": "api.example.com"}, {"Name": "other"}]}] OR fault', False),
        ('rootcause.json != #[{"Services": []}] AND ok', True),
        ('rootcause.json = #[{"Services": [{}, {"EntityPath": [{"Name": "backend.example.com"}]}]}]', True),
        ("annotation.vip = false", True),
        ("annotation.vip = true", False),
        ("!annotation.other", True),
        ('annotation.other != "x"', True),
        ('service("backend.example.com")', True),
        ('!service("other")', True),
        ("service() { fault }", True),
        ('service("api.example.com") { fault = true OR responsetime > 2.5 } AND annotation.account = "12345"', True),
        ('service("api.example.com") { fault }', False),
        ('service(id(name: "orders", type: "AWS::DynamoDB::Table")) { throttle }', True),
        ('service(id(type: "AWS::EC2::Instance")) { ok }', True),
        (f'service(id(account.id: "{ACCOUNT}"))', True),
        ('service(id(account.id: "1"))', False),
        ('edge("api.example.com", "backend.example.com")', True),
        ('edge("api.example.com", "backend.example.com") { duration > 3.8 }', True),
        ('edge("backend.example.com", "api.example.com")', False),
        ('edge(id(type: "AWS::EC2::Instance"), id(name: "orders")) { throttle }', True),
        ('rootcause.fault.service { name = "backend.example.com" }', True),
        ('rootcause.fault.entity { message = "gave up" AND last }', True),
        ('rootcause.fault.entity { name = "api.example.com" AND first AND root }', True),
        ("rootcause.fault.entity { remote AND index = 1 }", True),
        ("rootcause.error.entity", True),
        ('rootcause.responsetime.entity { name = "backend.example.com" AND coverage > 0.5 }', True),
        ("rootcause.responsetime.entity { coverage < 0.5 }", False),
        ('group.name = "known"', True),
        ('group.name = "failing"', False),
        ('group.arn != "failing"', True),
        ('group.name = "unknown"', False),
    ],
)
def test_a_filter_holds(expression: str, expected: bool) -> None:
    groups = {"known": filter_grammar.parse("ok"), "failing": filter_grammar.parse("fault")}
    assert filtering.holds(filter_grammar.parse(expression), request(), groups) is expected


@pytest.mark.parametrize(
    "expression",
    [
        "nonsense",
        "responsetime",
        "responsetime >",
        'responsetime > "5"',
        "ok > true",
        "ok = maybe",
        'user < "a"',
        "user = ada",
        "duration > 1 AND",
        "(ok",
        "ok)",
        'service("a"',
        'service("a") { }',
        'service("a") { service("b") }',
        'service("a") { annotation.b }',
        "rootcause.json = #[",
        'rootcause.json = "{}"',
        "rootcause.json",
        "ok #1",
        'edge("a", "b") { group.name = "g" }',
        'edge("a")',
        'edge("a", "b", "c")',
        'service(id(colour: "a"))',
        'service(id(name: "a", name: "b"))',
        "annotation.",
        "annotation[]",
        "annotation.a >= true",
        "annotation.a CONTAINS 1",
        "group.name",
        'json = "{}"',
        'user = "open',
        "(" * 60 + "ok" + ")" * 60,
        "!" * 6000,
        "ok §",
    ],
)
def test_what_is_no_filter(expression: str) -> None:
    with pytest.raises(AwsError) as raised:
        filter_grammar.parse(expression)
    assert raised.value.code == "InvalidRequestException"


@given(st.text(st.sampled_from("ok!(){}[]=<>#\"' ANDORfault1.,:x"), max_size=40))
def test_any_text_is_a_filter_or_an_error(text: str) -> None:
    try:
        found = filter_grammar.parse(text)
    except AwsError as error:
        assert error.code == "InvalidRequestException"  # noqa: PT017
    else:
        assert filtering.holds(found, request(), {}) in (True, False)


_ATOMS = {"ok": True, "fault": False, "duration > 5": True, "duration > 9": False}
_formulas = st.recursive(
    st.sampled_from(sorted(_ATOMS.items())),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: (f"({two[0][0]} AND {two[1][0]})", two[0][1] and two[1][1])),
        st.tuples(inner, inner).map(lambda two: (f"({two[0][0]} {two[1][0]})", two[0][1] and two[1][1])),
        st.tuples(inner, inner).map(lambda two: (f"({two[0][0]} OR {two[1][0]})", two[0][1] or two[1][1])),
        inner.map(lambda one: (f"!({one[0]})", not one[1])),
    ),
    max_leaves=12,
)


@given(_formulas)
def test_formulas_hold_as_logic_says(formula: tuple[str, bool]) -> None:
    text, expected = formula
    assert filtering.holds(filter_grammar.parse(text), _REQUEST, {}) is expected


_TEXTS = st.text("ab \"'\\\\)}", max_size=3)
_NUMBERS = st.integers(-9, 9).map(float) | st.sampled_from([0.5, 1e-7, -2e20])
_SELECTORS = st.builds(Selector, st.none() | _TEXTS, _TEXTS, st.none() | _TEXTS)
_EQUALITY, _LIKENESS = ["=", "!="], ["CONTAINS", "BEGINSWITH", "ENDSWITH"]
_ORDER = ["<", "<=", ">", ">="]
_TESTS = st.one_of(
    st.builds(
        filter_grammar.Test, st.sampled_from(["ok", "partial", "root"]), st.sampled_from(_EQUALITY), st.booleans()
    ),
    st.builds(
        filter_grammar.Test, st.sampled_from(["duration", "http.status"]), st.sampled_from(_EQUALITY + _ORDER), _NUMBERS
    ),
    st.builds(
        filter_grammar.Test, st.sampled_from(["user", "http.url"]), st.sampled_from(_EQUALITY + _LIKENESS), _TEXTS
    ),
    st.builds(filter_grammar.Test, st.sampled_from(["fault", "name"])),
)
_ANNOTATIONS = st.one_of(
    st.builds(AnnotationTest, _TEXTS, st.sampled_from(_EQUALITY), st.booleans() | _NUMBERS | _TEXTS),
    st.builds(AnnotationTest, _TEXTS, st.sampled_from(_ORDER), _NUMBERS),
    st.builds(AnnotationTest, _TEXTS, st.sampled_from(_LIKENESS), _TEXTS),
    st.builds(AnnotationTest, _TEXTS),
)


def _trees(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, min_size=2, max_size=3).map(lambda parts: All(tuple(parts))),
            st.lists(inner, min_size=2, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
            inner.filter(lambda part: not isinstance(part, Not)).map(Not),
        ),
        max_leaves=6,
    )


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=6,
)
_FILTERS = _trees(
    st.one_of(
        _TESTS,
        _ANNOTATIONS,
        st.builds(filter_grammar.Test, st.just("group.name"), st.just("="), _TEXTS),
        st.builds(Services, _SELECTORS | st.just(Selector()), st.none() | _trees(_TESTS)),
        st.builds(Edges, _SELECTORS, _SELECTORS, st.none() | _trees(_TESTS)),
        st.builds(
            Causes,
            st.sampled_from(["fault", "responsetime"]),
            st.sampled_from(["service", "exception"]),
            st.none() | _trees(_TESTS | _ANNOTATIONS),
        ),
        st.builds(JsonCauses, _JSON),
    )
)


def _written(filter: Filter) -> str:
    """Return an expression that means a filter."""
    match filter:
        case filter_grammar.Test(keyword, operator, value):
            return f"{keyword} {_compared(operator, value)}"
        case AnnotationTest(key, operator, value):
            return f"annotation[{_literal(key)}] {_compared(operator, value)}"
        case Services(selector, inner):
            return f"service({_selector(selector)}){_braces(inner)}"
        case Edges(source, target, inner):
            return f"edge({_selector(source)}, {_selector(target)}){_braces(inner)}"
        case Causes(kind, of, inner):
            return f"rootcause.{kind}.{of}{_braces(inner)}"
        case JsonCauses(causes):
            return f"rootcause.json = #{json.dumps(causes)}"
        case Not(part):
            return f"!({_written(part)})"
        case All(parts):
            return "(" + " ".join(map(_written, parts)) + ")"
        case AnyOf(parts):
            return "(" + " OR ".join(map(_written, parts)) + ")"


def _compared(operator: str | None, value: Value) -> str:
    return "" if operator is None else f"{operator} {_literal(value)}"


def _literal(value: Value) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value).lower()


def _selector(selector: Selector) -> str:
    given = {"name": selector.name, "type": selector.type, "account.id": selector.account}
    parts = ", ".join(f"{name}: {_literal(text)}" for name, text in given.items() if text is not None)
    return parts and f"id({parts})"


def _braces(filter: Filter | None) -> str:
    return "" if filter is None else f" {{ {_written(filter)} }}"


@given(_FILTERS)
def test_what_is_written_is_read(filter: Filter) -> None:
    assert filter_grammar.parse(_written(filter)) == filter


_REQUEST = request()
