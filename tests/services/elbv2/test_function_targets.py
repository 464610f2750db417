"""Events that functions get of load balancers, and what becomes of their answers."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from cloudlet.core.aws.function_response import MalformedResponse
from cloudlet.services.elbv2.proxy.block_server import BlockServer, Request, Response
from cloudlet.services.elbv2.proxy.functions import make_event, parse_response
from cloudlet.services.elbv2.proxy.target_health import HEALTHY, parse_event
from cloudlet.services.elbv2.proxy.view import Target, TargetGroup
from tests.services.elbv2.envoys import (
    Envoy,
    ask,
    forward,
    make_group,
    make_listener,
    make_view,
    wait_for,
)

_GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/f/0123456789abcdef"


def _make_request(target: str = "/", body: bytes = b"", *headers: tuple[str, str]) -> Request:
    return Request("POST", target, [("host", "x"), *headers], body)


def test_an_event() -> None:
    request = _make_request("/a%20b?c=%20d&e&c=f", b'{"g":1}', ("content-type", "application/json; charset=utf-8"))
    assert make_event(_GROUP, request, has_lists=False) == {
        "requestContext": {"elb": {"targetGroupArn": _GROUP}},
        "httpMethod": "POST",
        "path": "/a%20b",
        "queryStringParameters": {"c": "f", "e": ""},
        "headers": {"host": "x", "content-type": "application/json; charset=utf-8"},
        "body": '{"g":1}',
        "isBase64Encoded": False,
    }


def test_an_event_with_lists() -> None:
    request = _make_request("/?a=1&a=2", b"", ("cookie", "a"), ("cookie", "b"))
    event = make_event(_GROUP, request, has_lists=True)
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"]}
    assert event["multiValueHeaders"] == {"host": ["x"], "cookie": ["a", "b"]}
    assert "headers" not in event


@pytest.mark.parametrize(
    ("headers", "is_encoded"),
    [
        ([("content-type", "text/csv")], False),
        ([("content-type", "application/xml")], False),
        ([("content-type", "image/png")], True),
        ([], True),
        ([("content-type", "text/csv"), ("content-encoding", "gzip")], True),
    ],
)
def test_bodies_of_events(headers: list[tuple[str, str]], is_encoded: bool) -> None:
    event = make_event(_GROUP, _make_request("/", b"body", *headers), has_lists=False)
    assert event["isBase64Encoded"] == is_encoded
    assert event["body"] == (b64encode(b"body").decode() if is_encoded else "body")


def test_a_response() -> None:
    said = {
        "statusCode": 201,
        "statusDescription": "201 Created",
        "headers": {"Content-Type": "text/plain", "X-Number": 1, "Connection": "close"},
        "body": b64encode(b"\0\1").decode(),
        "isBase64Encoded": True,
    }
    response = parse_response(json.dumps(said).encode(), has_lists=False)
    assert (response.status, response.body) == (201, b"\0\1")
    assert response.headers == [("Server", "awselb/2.0"), ("Content-Type", "text/plain"), ("X-Number", "1")]
    assert response.reason == "Created"


def test_a_response_with_lists() -> None:
    said = {"statusCode": 200, "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}}
    headers = parse_response(json.dumps(said).encode(), has_lists=True).headers
    assert [value for name, value in headers if name == "Set-Cookie"] == ["a=1", "b=2"]


@pytest.mark.parametrize(
    "said",
    [
        "text",
        None,
        {},
        {"statusCode": "OK"},
        {"statusCode": 99},
        {"statusCode": True},
        {"statusCode": 200, "headers": []},
        {"statusCode": 200, "headers": {"a": ["b"]}},
        {"statusCode": 200, "headers": {"a b": "c"}},
        {"statusCode": 200, "headers": {"a": "b\r\nc: d"}},
        {"statusCode": 200, "body": {}},
        {"statusCode": 200, "statusDescription": "a\nb"},
        {"statusCode": 200, "body": "?", "isBase64Encoded": True},
    ],
)
def test_what_is_no_response(said: Any) -> None:
    with pytest.raises(MalformedResponse):
        parse_response(json.dumps(said).encode(), has_lists=False)


def test_envoy_asks_the_block_for_functions(envoy: Envoy) -> None:
    asked: list[Request] = []

    async def handle(request: Request) -> Response:
        asked.append(request)
        return Response(201, [("x-own", "1")], b"hello")

    close = envoy.listen(BlockServer(handle))
    made = make_group("f", TargetType="lambda")
    group = TargetGroup(made.description, {}, (Target("arn:aws:lambda:us-east-1:123456789012:function:f", 0),))
    listener = make_listener(forward(group))
    envoy.apply(make_view(listener, groups=(group,)))
    port = listener.description["Port"]
    answered = ask(port, "/path?a=b", "POST", b"body", Host="x.example.com")
    assert (answered.status, answered.body, answered.get("x-own")) == (201, b"hello", "1")
    request = asked[-1]
    assert (request.method, request.target, request.body) == ("POST", "/path?a=b", b"body")
    assert request.get("x-cloudlet-target-group") == group.arn
    event = make_event(group.arn, request, has_lists=False)
    assert sorted(event["headers"]) == [
        "accept-encoding",
        "host",
        "x-amzn-trace-id",
        "x-forwarded-for",
        "x-forwarded-port",
        "x-forwarded-proto",
    ]
    assert ask(port, "/", "HEAD").status == 201
    ask(port, "/", "POST", b"x" * (1 << 20) + b"x")
    assert (asked[-1].is_too_large, asked[-1].body) == (True, b"")
    close()
    assert ask(port).status == 502


def test_functions_have_health_checks(envoy: Envoy) -> None:
    asked: list[Request] = []

    async def handle(request: Request) -> Response:
        asked.append(request)
        return Response(200 if request.target == "/health?a=b" else 500)

    close = envoy.listen(BlockServer(handle))
    made = make_group("checked", TargetType="lambda", HealthCheckEnabled=True, HealthCheckPath="/health?a=b")
    group = TargetGroup(made.description, {}, (Target("arn:aws:lambda:us-east-1:123456789012:function:f", 0),))
    listener = make_listener(forward(group))
    envoy.apply(make_view(listener, groups=(group,)))
    events = wait_for(
        lambda: [each for each in map(parse_event, envoy.read_lines()) if each and each.group == group.arn]
    )
    assert events[0][:4] == (group.arn, "", 0, HEALTHY)
    assert asked[0].get("user-agent") == "ELB-HealthChecker/2.0"
    assert asked[0].get("x-cloudlet-target-group") == group.arn
    close()
