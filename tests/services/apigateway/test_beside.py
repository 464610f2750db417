"""What users' templates, models and patterns may make long is done beside the event loop, in the account's share."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from cloudlet.services.apigateway import templates, verdicts
from cloudlet.services.apigateway.rest import gateway_responses, matching, schemas
from cloudlet.services.apigateway.rest.schemas import Schema
from cloudlet.services.apigateway.vtl import patterns
from tests.services.apigateway.rest.cloud import RestCloud

_ACCOUNT = "123456789012"


class _Noted:
    """Notes for which accounts something is done beside the event loop."""

    def __init__(self) -> None:
        self.accounts: list[str] = []

    async def __call__(self, account: str, function: Any, *args: Any) -> Any:
        self.accounts.append(account)
        return function(*args)


@pytest.mark.parametrize(
    ("template", "body", "is_beside"),
    [
        ("$input.json('$')", b"{}", False),
        ("#if($input.path('$.a') == 1)yes#end", b'{"a": 1}', False),
        ("#set($a = 1)", b"{}", True),
        ("$input.json('$..a')", b"{}", True),
        ("$input.json('$[?(@.a == 1)]')", b"[]", True),
        ("$input.body.matches('a+')", b"{}", True),
        ("$input.body.split('a+')", b"{}", True),
        ("$input.json('$')" * 100, b'"' + b"x" * 1000 + b'"', True),
        ("$input.json('$')", b'"' + b"x" * 40_000 + b'"', True),
    ],
)
def test_templates_are_rendered_where_nobody_waits_for_them(
    monkeypatch: pytest.MonkeyPatch, template: str, body: bytes, is_beside: bool
) -> None:
    noted = _Noted()
    monkeypatch.setattr("cloudlet.core.background.workers.run_in_worker", noted)
    asyncio.run(templates.rendered(_ACCOUNT, template, body, {}, {}, {}))
    assert noted.accounts == [_ACCOUNT] * is_beside


@pytest.mark.parametrize(
    ("schema", "is_beside"),
    [
        ('{"type": "object"}', False),
        ('{"pattern": "a+"}', True),
        ('{"patternProperties": {"a+": {}}}', True),
        ('{"\\u0070attern": "a+"}', True),
        ('{"$ref": "#"}', True),
        ('{"enum": ["%s"]}' % ("x" * 300_000), True),
    ],
)
def test_models_that_take_long_check_bodies_beside(schema: str, is_beside: bool) -> None:
    assert Schema(schema, {}).takes_long(b'{"a": 1}') == is_beside


def test_a_pattern_is_matched_with_all_texts_of_a_body_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    ask = patterns._ask

    def noted(question: str, *values: Any) -> Any:
        asked.append(question)
        return ask(question, *values)

    monkeypatch.setattr(patterns, "_ask", noted)
    schema = Schema('{"items": {"pattern": "^[a-z]+[0-9]*$"}, "patternProperties": {"^x": {}}}', {})
    assert schema.errors(json.dumps([f"word{number}" for number in range(500)]).encode()) == []
    assert len(asked) == 2


def test_a_long_text_is_matched_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    noted = _Noted()
    monkeypatch.setattr("cloudlet.core.background.workers.run_in_worker", noted)
    assert asyncio.run(matching.matches(_ACCOUNT, "x" * 300, "x+"))
    assert not asyncio.run(matching.matches(_ACCOUNT, "x" * 60_000, "(x{500}){9}"))
    assert asyncio.run(matching.matches(_ACCOUNT, "200", "2.."))
    assert noted.accounts == [_ACCOUNT] * 2


def test_a_model_that_takes_too_long_to_check_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas, "_MOST_CHECKS", 1_000)
    monkeypatch.setattr(schemas, "_SCHEMAS_SHARE", 0)
    many = ", ".join(f'"a{number}": {{"pattern": "a{number}"}}' for number in range(10))
    with pytest.raises(ValueError, match="it takes too long to check"):
        schemas.check(f'{{"properties": {{{many}}}}}')


def test_a_gateway_response_looks_up_each_variable_once_and_has_an_end() -> None:
    looked_up: list[str] = []

    def lookup(name: str) -> str:
        looked_up.append(name)
        return "x" * 100_000

    made = gateway_responses.checked(
        {"responseType": "ACCESS_DENIED", "responseTemplates": {"application/json": "$context.path" * 1_000}}
    )
    responses = gateway_responses.GatewayResponses([made])
    assert responses.takes_long("ACCESS_DENIED", 403)
    assert not responses.takes_long("THROTTLED", 429)
    assert responses.response("ACCESS_DENIED", 403, "", lookup).body == b"x" * (10 << 20)
    assert looked_up == ["context.path"]


def test_what_was_found_out_about_a_text_is_kept() -> None:
    read: list[str] = []

    def wrong(text: str) -> str:
        read.append(text)
        return "no" if text == "bad" else ""

    known = verdicts.Verdicts(wrong)
    assert [known.of("bad"), known.of("good"), known.of("bad")] == ["no", "", "no"]
    assert read == ["bad", "good"]


def test_large_templates_and_models_can_be_put(shared: RestCloud) -> None:
    cloud = RestCloud(shared.aws)
    api = cloud.rest_api()
    names = cloud.method(api, "/large")
    cloud.to_mock(names, '{"statusCode": 200}' + " " * 20_000)
    cloud.response(names, template="$input.json('$')" + " " * 20_000)
    cloud.client.create_model(
        restApiId=api, name="Large", contentType="application/json", schema='{"type": "object"}' + " " * 20_000
    )
    templates = {"application/json": "#if(" + " " * 20_000}
    code, message, _ = cloud.refused("put_integration", **names, type="MOCK", requestTemplates=templates)
    assert (code, message[:33]) == ("BadRequestException", "Invalid mapping template specifie")
