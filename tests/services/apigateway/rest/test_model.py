"""Moving parts of REST APIs by themselves: patches, the table of resources, schemas, periods of quotas."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core import AwsError
from cloudlet.services.apigateway.rest import patches, plans, schemas, stages
from cloudlet.services.apigateway.rest.schemas import Schema
from cloudlet.services.apigateway.rest.table import Router
from tests.services.apigateway.endpoint import Endpoint

STAGE: dict[str, Any] = {"stageName": "dev", "deploymentId": "d", "variables": {"a": "b"}, "methodSettings": {}}
_POINTERS = st.one_of(
    st.sampled_from([path.pattern.replace("*", "x") for path in stages.PATHS]),
    st.text("/~01abc*", max_size=20),
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"op": st.sampled_from(["add", "replace", "remove", "copy", "move"]), "path": _POINTERS},
            optional={"value": st.text(max_size=8), "from": _POINTERS},
        ),
        max_size=4,
    )
)
def test_patches_change_a_copy_or_are_refused(operations: list[dict[str, str]]) -> None:
    before = copy.deepcopy(STAGE)
    with suppress(AwsError):
        patched = patches.patched(STAGE, operations, stages.PATHS)
        assert patched["stageName"] == "dev"
    assert before == STAGE


_PARTS = st.sampled_from(["a", "b", "{x}", "{y}"])


@given(st.lists(st.lists(_PARTS, min_size=1, max_size=4), min_size=1, max_size=8), st.lists(st.sampled_from("abc")))
def test_the_resource_that_is_found_matches(resources: list[list[str]], parts: list[str]) -> None:
    table: Router[list[str]] = Router()
    for resource in resources:
        table.add("/" + "/".join(resource), resource)
    found = table.find("/" + "/".join(parts))

    def matches(resource: list[str]) -> bool:
        return len(resource) == len(parts) and all(
            known.startswith("{") or known == part for known, part in zip(resource, parts, strict=True)
        )

    if found is None:
        assert not any(matches(resource) for resource in resources) or not parts
    else:
        assert matches(found[0])


@pytest.mark.parametrize(
    ("path", "resource", "variables"),
    [
        ("/", "/", {}),
        ("/a", "/a", {}),
        ("/a/", "/a", {}),
        ("/b", "/{x}", {"x": "b"}),
        ("/a/b", "/a/{y}", {"y": "b"}),
        ("/a/b/c", "/a/{rest+}", {"rest": "b/c"}),
        ("/b/c", "/{x}/c", {"x": "b"}),
        ("/b/d", None, None),
    ],
)
def test_which_resource_a_path_is_for(path: str, resource: str | None, variables: dict[str, str] | None) -> None:
    table: Router[str] = Router()
    for each in ("/", "/a", "/{x}", "/a/{y}", "/a/{rest+}", "/{x}/c"):
        table.add(each, each)
    assert table.find(path) == (None if resource is None else (resource, variables))


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "object", "additionalProperties": False, "properties": {"a": {}}}, '{"a": 1}', '{"b": 1}'),
        ({"patternProperties": {"^a": {"type": "integer"}}, "additionalProperties": False}, '{"ab": 1}', '{"ab": ""}'),
        ({"additionalProperties": {"type": "string"}}, '{"a": "b"}', '{"a": 1}'),
        ({"pattern": "^[a-z]{2}$"}, '"ab"', '"abc"'),
        ({"type": "number", "minimum": 1, "exclusiveMinimum": True}, "2", "1"),
        ({"enum": ["a"]}, '"a"', '"b"'),
        ({"type": "array", "uniqueItems": True, "maxItems": 2}, "[1, 2]", "[1, 1]"),
        ({"$ref": "#/definitions/a", "definitions": {"a": {"type": "null"}}}, "null", "1"),
        ({"$ref": "https://apigateway.amazonaws.com/restapis/x/models/Other"}, "true", "1"),
    ],
)
def test_bodies_are_checked(schema: dict[str, Any], good: str, bad: str) -> None:
    text = json.dumps(schema)
    schemas.check(text)
    compiled = Schema(text, {"Other": '{"type": "boolean"}'})
    assert compiled.errors(good.encode()) == []
    assert compiled.errors(bad.encode())


def test_no_pattern_takes_long() -> None:
    compiled = Schema('{"pattern": "^(a+)+$"}', {})
    assert compiled.errors(json.dumps("a" * 5000 + "b").encode())


TWICE = {f"a{at}": {"allOf": [{"$ref": f"#/definitions/a{at + 1}"}] * 2} for at in range(40)} | {"a40": {}}


@pytest.mark.parametrize(
    ("schema", "body"),
    [
        ({"$ref": "#/definitions/a0", "definitions": TWICE}, {}),
        ({"patternProperties": {f"^a{at}": {} for at in range(40)}}, {f"b{at}": 1 for at in range(3000)}),
        ({"anyOf": [{"type": "string"}] * 1000}, ["x"] * 10_000),
        ({"items": {"enum": [f"a{at}" for at in range(10_000)]}}, ["a9999"] * 1000),
    ],
)
def test_no_schema_takes_long(schema: dict[str, Any], body: Any) -> None:
    text, written = json.dumps(schema), json.dumps(body).encode()
    schemas.check(text)
    compiled = Schema(text, {})
    assert compiled.takes_long(written)
    assert compiled.errors(written) == ["The body takes too long to check"]


def test_a_body_is_not_shown_as_a_whole_in_each_error() -> None:
    [error] = Schema('{"type": "string"}', {}).errors(json.dumps(["x"] * 10_000).encode())
    assert len(error) == 1000


@pytest.mark.parametrize("reference", ["#/definitions/none", 5])
def test_references_that_lead_nowhere(reference: Any) -> None:
    assert Schema(json.dumps({"$ref": reference}), {}).errors(b"1") == ["The model has a reference that leads nowhere"]


def test_numbers_that_no_double_holds() -> None:
    assert Schema('{"multipleOf": 0.1}', {}).errors(b"9" * 400) == ["The body has a number that is too large to check"]


def test_nothing_is_fetched_for_a_schema(endpoint: Endpoint) -> None:
    assert Schema(json.dumps({"$ref": f"{endpoint.url}/schema"}), {}).errors(b"1")
    assert endpoint.seen == []


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.sampled_from(["DAY", "WEEK", "MONTH"]))
def test_periods_follow_each_other(day: date, period: str) -> None:
    first, after = plans.period_of(day, period)
    assert first <= day < after
    assert plans.period_of(after, period)[0] == after
    assert plans.period_of(after - timedelta(days=1), period) == (first, after)
