"""What is told of requests: access logs, and metrics."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudlet.services.apigateway import access_log
from cloudlet.testing.server import Aws
from tests.own_metrics import total
from tests.services.apigateway.cloud import GatewayCloud
from tests.services.apigateway.endpoint import Endpoint
from tests.standing import Standing, eventually

FORMAT = json.dumps(
    {
        name: f"$context.{name}"
        for name in (
            "requestId",
            "httpMethod",
            "path",
            "routeKey",
            "stage",
            "status",
            "protocol",
            "responseLength",
            "integration.status",
            "integrationErrorMessage",
            "error.message",
            "identity.sourceIp",
            "identity.userAgent",
            "requestTimeEpoch",
            "requestTime",
            "accountId",
            "apiId",
            "domainName",
            "authorizer.claims.sub",
            "nothing.of.this.name",
        )
    }
)


def _lines(aws: Aws, group: str, count: int) -> list[str]:
    logs = aws.client("logs")
    return eventually(
        lambda: [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]],
        lambda seen: len(seen) == count,
    )


def test_a_line_for_each_request(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    cloud.aws.client("logs").create_log_group(logGroupName="access")
    arn = f"arn:aws:logs:us-east-1:{cloud.account}:log-group:access"
    api = cloud.api()
    cloud.route(api, "GET /a/{id}", cloud.to_url(api, endpoint.url))
    cloud.client.update_stage(
        ApiId=api, StageName="$default", AccessLogSettings={"DestinationArn": f"{arn}:*", "Format": FORMAT}
    )
    shown = cloud.client.get_stage(ApiId=api, StageName="$default")
    assert shown["AccessLogSettings"] == {"DestinationArn": arn, "Format": FORMAT}
    answer = cloud.ask(api, "/a/7?x=1", headers={"User-Agent": "tests/1"})
    cloud.ask(api, "/b", method="POST")
    lines = sorted((json.loads(line) for line in _lines(cloud.aws, "access", 2)), key=lambda line: line["status"])
    seen = lines[0]
    assert seen["requestId"] == answer.header("apigw-requestid")
    assert (seen["httpMethod"], seen["path"], seen["routeKey"]) == ("GET", "/a/7", "GET /a/{id}")
    assert (seen["stage"], seen["status"], seen["protocol"]) == ("$default", "200", "HTTP/1.1")
    assert (seen["responseLength"], seen["integration.status"]) == (str(len(answer.body)), "200")
    assert (seen["identity.sourceIp"], seen["identity.userAgent"]) == ("127.0.0.1", "tests/1")
    assert (seen["accountId"], seen["apiId"]) == (cloud.account, api)
    assert (seen["authorizer.claims.sub"], seen["nothing.of.this.name"]) == ("-", "-")
    assert (lines[1]["status"], lines[1]["routeKey"], lines[1]["error.message"]) == ("404", "-", "Not Found")
    cloud.client.delete_access_log_settings(ApiId=api, StageName="$default")
    assert "AccessLogSettings" not in cloud.client.get_stage(ApiId=api, StageName="$default")


def test_lines_go_to_groups_of_the_api_s_account(cloud: GatewayCloud) -> None:
    settings = {"DestinationArn": "arn:aws:logs:us-east-1:123456789012:log-group:access", "Format": FORMAT}
    refused = (
        "BadRequestException",
        f"Access log destination must belong to the account {cloud.account}: {settings['DestinationArn']}",
        400,
    )
    api, named = cloud.api(), {"StageName": "$default", "AccessLogSettings": settings}
    assert cloud.refused("update_stage", ApiId=api, **named) == refused
    assert cloud.refused("create_stage", ApiId=cloud.websocket_api(), **{**named, "StageName": "x"}) == refused
    # That of a stage which an older Cloudlet has stored.
    assert access_log.format_of(cloud.account, settings, "x") is None


def test_lines_that_wait_have_bounds_and_an_account_half_of_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "_MOST_BYTES", 1_000)
    monkeypatch.setattr(access_log, "_LINE_CHARACTERS", 74)
    lines = access_log._Lines()
    monkeypatch.setattr(access_log._LINES, "get", lambda block: lines)
    block: Any = None
    for account in "123":
        for number in range(10):
            access_log.note(block, access_log.Group(account * 12, "us-east-1", "g", "s"), number, "x" * 1_000)
    kept = {group.account[0]: [len(line) for _, line in noted] for group, noted in lines.waiting.items()}
    assert kept == {"1": [74] * 5, "2": [74] * 5}
    assert lines.dropped == 20


def test_a_format_has_up_to_3_kb(cloud: GatewayCloud) -> None:
    settings = {
        "DestinationArn": f"arn:aws:logs:us-east-1:{cloud.account}:log-group:access",
        "Format": "$context.requestId" + "x" * 3_072,
    }
    refused = cloud.refused("update_stage", ApiId=cloud.api(), StageName="$default", AccessLogSettings=settings)
    assert refused[0] == "BadRequestException"


def test_connections_are_logged_too(cloud: GatewayCloud) -> None:
    cloud.aws.client("logs").create_log_group(logGroupName="chat")
    api = cloud.websocket_api_without_function()
    cloud.route(api, "$connect", cloud.integration(api, IntegrationType="MOCK"))
    settings = {
        "DestinationArn": f"arn:aws:logs:us-east-1:{cloud.account}:log-group:chat",
        "Format": "$context.eventType $context.routeKey $context.status "
        "$context.requestId $context.disconnectStatusCode",
    }
    cloud.client.create_stage(ApiId=api, StageName="live", AutoDeploy=True, AccessLogSettings=settings)
    with cloud.connect(api) as socket:
        socket.send("hello")
        socket.recv(30)
    lines = [line.split() for line in _lines(cloud.aws, "chat", 3)]
    assert sorted((line[0], line[1], line[2], line[4]) for line in lines) == [
        ("CONNECT", "$connect", "200", "-"),
        ("DISCONNECT", "-", "200", "1000"),
        ("MESSAGE", "-", "403", "-"),
    ]


def _total(cloud: GatewayCloud, api: str, metric: str, **more: str) -> float:
    return eventually(
        lambda: total(cloud.aws, "AWS/ApiGateway", metric, ApiId=api, **more), lambda got: got is not None
    )


def test_stages_are_measured(standing: Standing, endpoint: Endpoint) -> None:
    cloud, chat = GatewayCloud(standing.account()), GatewayCloud(standing.account())
    api = cloud.api()
    cloud.route(api, "GET /a", cloud.to_url(api, endpoint.url))
    settings = {"DetailedMetricsEnabled": True}
    cloud.client.update_stage(ApiId=api, StageName="$default", DefaultRouteSettings=settings)
    for path in ("/a", "/a?status=500", "/b"):
        cloud.ask(api, path)
    talk = chat.websocket_api_without_function()
    chat.route(talk, "say", chat.to_url(talk, "http://127.0.0.1:1"))
    chat.client.create_stage(ApiId=talk, StageName="live", AutoDeploy=True)
    with chat.connect(talk) as socket:
        for action in ("say", "sing"):
            socket.send(json.dumps({"action": action}))
            socket.recv(30)
    standing.advance("2m")
    for more in ({}, {"Stage": "$default"}):
        assert [_total(cloud, api, metric, **more) for metric in ("Count", "4xx", "5xx")] == [3, 1, 1]
    assert _total(cloud, api, "Count", Stage="$default", Method="GET", Resource="/a") == 2
    assert _total(cloud, api, "DataProcessed") > 100
    assert _total(cloud, api, "Latency") >= 0
    assert _total(cloud, api, "IntegrationLatency") >= 0
    metrics = ("ConnectCount", "MessageCount", "ClientError", "IntegrationError")
    assert [_total(chat, talk, metric) for metric in metrics] == [1, 2, 1, 1]
    assert _total(chat, talk, "MessageCount", Stage="live", Route="say") == 1
