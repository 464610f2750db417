"""Requests to HTTP APIs that Lambda functions answer."""

from __future__ import annotations

import http.client
import json

import pytest

from tests.services.apigateway.cloud import GatewayCloud


@pytest.fixture(scope="module")
def api(shared: GatewayCloud) -> str:
    """An API whose routes lead to a function, in both payload formats."""
    id = shared.api()
    new = shared.to_function(id, "2.0")
    shared.route(id, "ANY /new/{proxy+}", new)
    shared.route(id, "GET /items/{item}/parts/{part}", new)
    shared.route(id, "ANY /old/{proxy+}", shared.to_function(id, "1.0"))
    shared.client.create_stage(ApiId=id, StageName="dev", AutoDeploy=True, StageVariables={"color": "blue"})
    return id


def test_cookies_that_come_in_several_headers(shared: GatewayCloud, api: str) -> None:
    """As they do by HTTP/2, and so from proxies that speak it with their clients."""
    connection = http.client.HTTPConnection(shared.host, shared.port, timeout=30)
    connection.putrequest("GET", f"/_aws/execute-api/{api}/new/x")
    for cookie in ("a=1", "b=2"):
        connection.putheader("Cookie", cookie)
    connection.endheaders()
    assert json.loads(connection.getresponse().read())["cookies"] == ["a=1", "b=2"]
    connection.close()


def test_event_of_version_2(shared: GatewayCloud, api: str) -> None:
    answer = shared.ask(
        api,
        "/new/a%20b/c?x=1&x=2&y=a%26b&empty=",
        method="POST",
        headers={"Content-Type": "application/json", "Cookie": "a=1; b=2", "X-Own": "me", "User-Agent": "tests/1"},
        body='{"hello": "wörld"}'.encode(),
    )
    assert answer.status == 200
    event = answer.json
    assert event["version"] == "2.0"
    assert event["routeKey"] == "ANY /new/{proxy+}"
    assert event["rawPath"] == "/new/a b/c"
    assert event["rawQueryString"] == "x=1&x=2&y=a%26b&empty="
    assert event["queryStringParameters"] == {"x": "1,2", "y": "a&b", "empty": ""}
    assert event["cookies"] == ["a=1", "b=2"]
    assert event["headers"]["x-own"] == "me"
    assert "cookie" not in event["headers"]
    assert event["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert event["headers"]["x-amzn-trace-id"].startswith("Root=1-")
    assert event["pathParameters"] == {"proxy": "a b/c"}
    assert (event["body"], event["isBase64Encoded"]) == ('{"hello": "wörld"}', False)
    assert "stageVariables" not in event
    context = event["requestContext"]
    assert context["accountId"] == shared.account
    assert context["apiId"] == api
    assert context["domainPrefix"] == api
    assert context["routeKey"] == event["routeKey"]
    assert context["stage"] == "$default"
    assert context["http"] == {
        "method": "POST",
        "path": "/new/a b/c",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "tests/1",
    }
    assert context["requestId"] == answer.header("apigw-requestid")
    assert "authorizer" not in context


def test_event_of_version_1(shared: GatewayCloud, api: str) -> None:
    event = shared.ask(api, "/old/x?a=1&a=2", headers={"X-Own": "me"}).json
    assert event["version"] == "1.0"
    assert (event["resource"], event["path"], event["httpMethod"]) == ("/old/{proxy+}", "/old/x", "GET")
    assert event["headers"]["X-Own"] == "me"
    assert event["multiValueHeaders"]["X-Own"] == ["me"]
    assert event["queryStringParameters"] == {"a": "2"}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"]}
    assert event["pathParameters"] == {"proxy": "x"}
    assert event["stageVariables"] is None
    assert (event["body"], event["isBase64Encoded"]) == (None, False)
    context = event["requestContext"]
    assert context["identity"]["sourceIp"] == "127.0.0.1"
    assert context["resourcePath"] == "/old/{proxy+}"
    assert (context["httpMethod"], context["path"], context["stage"]) == ("GET", "/old/x", "$default")


def test_the_stage_is_in_the_path_of_events(shared: GatewayCloud, api: str) -> None:
    event = shared.ask(api, "/dev/items/7/parts/8").json
    assert event["rawPath"] == "/dev/items/7/parts/8"
    assert event["requestContext"]["http"]["path"] == "/dev/items/7/parts/8"
    assert event["requestContext"]["stage"] == "dev"
    assert event["pathParameters"] == {"item": "7", "part": "8"}
    assert event["stageVariables"] == {"color": "blue"}


@pytest.mark.parametrize(
    ("content_type", "body", "encoded"),
    [
        ("application/octet-stream", b"\x00\xff", "AP8="),
        ("text/plain", b"\xff", "/w=="),
        ("application/x-www-form-urlencoded", b"a=1", "YT0x"),
        ("text/plain; charset=utf-8", b"plain", None),
        ("application/vnd.api+json", b"{}", None),
    ],
)
def test_bodies_that_are_not_text_are_base64(
    shared: GatewayCloud, api: str, content_type: str, body: bytes, encoded: str | None
) -> None:
    event = shared.ask(api, "/new/x", method="PUT", headers={"Content-Type": content_type}, body=body).json
    assert (event["body"], event["isBase64Encoded"]) == (encoded or body.decode(), encoded is not None)


@pytest.mark.parametrize(
    ("returned", "body"),
    [({"a": 1}, b'{"a":1}'), ("Hello", b"Hello"), ([1], b"[1]"), (7, b"7")],
)
def test_what_has_no_status_is_the_body(shared: GatewayCloud, api: str, returned: object, body: bytes) -> None:
    answer = shared.ask(api, "/new/x", headers={"X-Answer": json.dumps(returned)})
    assert (answer.status, answer.header("content-type")) == (200, "application/json")
    assert answer.body.replace(b" ", b"") == body


def test_answer_of_version_2(shared: GatewayCloud, api: str) -> None:
    returned = {
        "statusCode": 201,
        "headers": {"X-One": "1", "X-Number": 5},
        "cookies": ["a=1; Path=/", "b=2"],
        "body": "AP8=",
        "isBase64Encoded": True,
    }
    answer = shared.ask(api, "/new/x", headers={"X-Answer": json.dumps(returned)})
    assert (answer.status, answer.body) == (201, b"\x00\xff")
    assert (answer.header("x-one"), answer.header("x-number")) == ("1", "5")
    assert [value for name, value in answer.headers if name == "set-cookie"] == ["a=1; Path=/", "b=2"]
    assert answer.header("content-type") == "text/plain;charset=UTF-8"


def test_answer_of_version_1(shared: GatewayCloud, api: str) -> None:
    returned = {"statusCode": "200", "headers": {"x-a": "1"}, "multiValueHeaders": {"x-b": ["2", "3"]}, "body": "hi"}
    answer = shared.ask(api, "/old/x", headers={"X-Answer": json.dumps(returned)})
    assert (answer.status, answer.body, answer.header("x-a")) == (200, b"hi", "1")
    assert [value for name, value in answer.headers if name == "x-b"] == ["2", "3"]


@pytest.mark.parametrize(
    ("path", "returned"),
    [
        ("/new/x", '"fail"'),
        ("/new/x", '{"statusCode": "many"}'),
        ("/new/x", '{"statusCode": 200, "body": {"not": "text"}}'),
        ("/new/x", '{"statusCode": 200, "headers": ["no"]}'),
        ("/new/x", '{"statusCode": 200, "body": "%", "isBase64Encoded": true}'),
        ("/old/x", '{"body": "no status"}'),
        ("/old/x", '"text"'),
    ],
)
def test_what_makes_no_sense_is_an_error_of_the_gateway(
    shared: GatewayCloud, api: str, path: str, returned: str
) -> None:
    answer = shared.ask(api, path, headers={"X-Answer": "fail" if "fail" in returned else returned})
    assert (answer.status, answer.json) == (500, {"message": "Internal Server Error"})


def test_a_function_that_is_not_there(shared: GatewayCloud, api: str) -> None:
    arn = f"arn:aws:lambda:{shared.aws.region}:{shared.account}:function:nowhere"
    integration = shared.integration(api, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0")
    shared.route(api, "GET /nowhere", integration)
    answer = shared.ask(api, "/nowhere")
    assert (answer.status, answer.json) == (500, {"message": "Internal Server Error"})


def test_stage_variables_name_functions(shared: GatewayCloud) -> None:
    api = shared.api()
    arn = shared.function().rpartition(":")[0]
    integration = shared.integration(
        api,
        IntegrationType="AWS_PROXY",
        IntegrationUri=f"{arn}:${{stageVariables.function}}",
        PayloadFormatVersion="2.0",
    )
    shared.route(api, "GET /", integration)
    shared.client.update_stage(ApiId=api, StageName="$default", StageVariables={"function": "echo"})
    assert shared.ask(api).json["routeKey"] == "GET /"


def test_quick_create_for_a_function(shared: GatewayCloud) -> None:
    api = shared.api(Target=shared.function())
    event = shared.ask(api, "/any/thing").json
    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "$default", "/any/thing")


def test_a_body_of_more_than_10_megabytes_is_refused(shared: GatewayCloud, api: str) -> None:
    answer = shared.ask(api, "/new/x", method="POST", body=b"x" * (10 * 1024 * 1024 + 1))
    assert (answer.status, answer.json) == (413, {"message": "Request Entity Too Large"})


def test_changed_parameters_reach_functions(shared: GatewayCloud) -> None:
    api = shared.api()
    integration = shared.to_function(
        api,
        RequestParameters={
            "overwrite:header.x-color": "is ${context.routeKey}",
            "append:header.x-id": "$request.path.id",
            "remove:querystring.secret": "''",
            "overwrite:path": "/moved/${request.path.id}",
        },
    )
    shared.route(api, "GET /things/{id}", integration)
    event = shared.ask(api, "/things/7?secret=1&open=2").json
    assert (event["headers"]["x-id"], event["headers"]["x-color"]) == ("7", "is GET /things/{id}")
    assert event["rawPath"] == "/moved/7"
    assert event["queryStringParameters"] == {"open": "2"}


def test_a_trace_goes_on(shared: GatewayCloud, api: str) -> None:
    root = "1-5759e988-bd862e3fe1be46a994272793"
    answer = shared.ask(api, "/new/x", headers={"X-Answer": "trace", "X-Amzn-Trace-Id": f"Root={root}"})
    assert root in answer.body.decode()


def test_a_role_calls_the_function(shared: GatewayCloud) -> None:
    api = shared.api()
    role = f"arn:aws:iam::{shared.account}:role/gateway"
    shared.route(api, "GET /", shared.to_function(api, CredentialsArn=role))
    assert shared.ask(api).status == 200
    given = {
        "ApiId": api,
        "IntegrationType": "AWS_PROXY",
        "PayloadFormatVersion": "2.0",
        "IntegrationUri": shared.function(),
    }
    stranger = "arn:aws:iam::123456789012:role/gateway"
    assert shared.refused("create_integration", **given, CredentialsArn=stranger) == (
        "AccessDeniedException",
        "Cross-account pass role is not allowed.",
        403,
    )
    assert shared.refused("create_integration", **given, CredentialsArn="role")[0] == "BadRequestException"
