"""Methods that Lambda functions answer by proxy integrations."""

from __future__ import annotations

import base64
import http.client
import json

import pytest

from tests.services.apigateway.rest.cloud import RestCloud, echoed


@pytest.fixture(scope="module")
def api(shared: RestCloud) -> str:
    id = shared.rest_api(binaryMediaTypes=["image/png"])
    for path in ("/", "/pets/{id}", "/all/{proxy+}"):
        shared.to_the_function(shared.method(id, path, "ANY"))
    shared.deploy(id, variables={"color": "blue"})
    return id


def test_the_event(shared: RestCloud, api: str) -> None:
    answer = shared.call(
        api,
        "/pets/a%20b?x=1&x=2&y=",
        method="POST",
        body='{"a": "ä"}'.encode(),
        headers={"Content-Type": "application/json", "X-Own": "me"},
    )
    event = echoed(answer)
    assert event["resource"] == "/pets/{id}"
    assert event["path"] == "/pets/a b"
    assert event["httpMethod"] == "POST"
    assert event["pathParameters"] == {"id": "a b"}
    assert event["queryStringParameters"] == {"x": "2", "y": ""}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "y": [""]}
    assert event["stageVariables"] == {"color": "blue"}
    assert (event["body"], event["isBase64Encoded"]) == ('{"a": "ä"}', False)
    assert event["headers"]["X-Own"] == "me"
    assert event["multiValueHeaders"]["X-Own"] == ["me"]
    context = event["requestContext"]
    assert context["accountId"] == shared.account
    assert context["apiId"] == api
    assert context["resourcePath"] == "/pets/{id}"
    assert context["path"] == "/dev/pets/a b"
    assert context["stage"] == "dev"
    assert context["identity"]["sourceIp"] == "127.0.0.1"
    assert context["requestId"] == answer.header("x-amzn-requestid")


def test_what_is_not_given_is_null(shared: RestCloud, api: str) -> None:
    event = echoed(shared.call(api, "/"))
    assert event["resource"] == event["path"] == "/"
    for name in ("pathParameters", "queryStringParameters", "multiValueQueryStringParameters", "body"):
        assert event[name] is None


@pytest.mark.parametrize(
    ("path", "resource", "variables"),
    [
        ("/all/a/b", "/all/{proxy+}", {"proxy": "a/b"}),
        ("/all/", "/all/{proxy+}", {"proxy": ""}),
        ("/pets/1/", "/pets/{id}", {"id": "1"}),
    ],
)
def test_paths(shared: RestCloud, api: str, path: str, resource: str, variables: dict[str, str]) -> None:
    answer = shared.call(api, path)
    if path == "/all/":
        assert answer.status == 403
        return
    event = echoed(answer)
    assert (event["resource"], event["pathParameters"]) == (resource, variables)


@pytest.mark.parametrize("path", ["/nothing", "/pets", "/pets/1/2"])
def test_what_is_not_there(shared: RestCloud, api: str, path: str) -> None:
    answer = shared.call(api, path)
    assert (answer.status, answer.json) == (403, {"message": "Missing Authentication Token"})
    assert answer.header("x-amzn-errortype") == "MissingAuthenticationTokenException"


def test_a_stage_that_is_not_there(shared: RestCloud, api: str) -> None:
    answer = shared.call(api, "/", stage="other")
    assert (answer.status, answer.json) == (403, {"message": "Forbidden"})


def test_what_the_function_answers(shared: RestCloud, api: str) -> None:
    said = {
        "statusCode": 201,
        "headers": {"X-One": "1", "X-Many": "0"},
        "multiValueHeaders": {"X-Many": ["1", "2"]},
        "body": "hello",
    }
    answer = shared.call(api, "/", headers={"x-answer": json.dumps(said)})
    assert (answer.status, answer.body) == (201, b"hello")
    assert answer.header("x-one") == "1"
    assert [value for name, value in answer.headers if name == "x-many"] == ["1", "2"]
    assert answer.header("content-type") == "application/json"


@pytest.mark.parametrize(
    "said",
    [
        "fail",
        '"text"',
        "{}",
        '{"statusCode": "no"}',
        '{"statusCode": 200, "body": {}}',
        '{"statusCode": 200, "cookies": ["a=b"]}',
        '{"statusCode": 200, "body": "", "Body": ""}',
    ],
)
def test_answers_that_make_no_sense(shared: RestCloud, api: str, said: str) -> None:
    answer = shared.call(api, "/", headers={"x-answer": said})
    assert (answer.status, answer.json) == (502, {"message": "Internal server error"})


def test_names_of_headers_are_as_the_client_wrote_them(shared: RestCloud, api: str) -> None:
    connection = http.client.HTTPConnection(shared.host, shared.port, timeout=60)
    try:
        for number in range(2):
            connection.putrequest("GET", f"/_aws/execute-api/{api}/dev/", skip_accept_encoding=True)
            for name in ("x-lower", "X-ODD-case", f"X-Number{number}"):
                connection.putheader(name, "1")
            connection.putheader("x-lower", "2, 3")
            connection.putheader("Connection", "keep-alive")
            connection.endheaders()
            event = json.loads(connection.getresponse().read())
            assert (
                event["headers"].keys()
                == event["multiValueHeaders"].keys()
                == {
                    "Host",
                    "X-Amzn-Trace-Id",
                    "X-Forwarded-For",
                    "X-Forwarded-Port",
                    "X-Forwarded-Proto",
                    f"X-Number{number}",
                    "X-ODD-case",
                    "x-lower",
                }
            )
    finally:
        connection.close()


def test_a_function_is_called_by_post_only(shared: RestCloud) -> None:
    api = shared.rest_api()
    names = shared.method(api, "/")
    shared.client.put_integration(**names, type="AWS_PROXY", integrationHttpMethod="GET", uri=shared.invocation())
    shared.deploy(api)
    answer = shared.call(api)
    assert (answer.status, answer.json) == (500, {"message": "Internal server error"})


def test_what_has_not_the_method_leaves_it_to_a_greedy_variable(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    cloud.mocked(api, "/{proxy+}", "OPTIONS", template="greedy")
    cloud.mocked(api, "/pets/{id}", template="literal")
    cloud.deploy(api)
    assert cloud.call(api, "/pets/7").body == b"literal"
    assert cloud.call(api, "/pets/7", method="OPTIONS").body == b"greedy"
    assert cloud.call(api, "/other").status == 403


def test_the_trace_of_an_answer(shared: RestCloud, api: str) -> None:
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793"
    assert shared.call(api, "/", headers={"X-Amzn-Trace-Id": trace}).header("x-amzn-trace-id") == trace


def test_binary_bodies(shared: RestCloud, api: str) -> None:
    event = echoed(shared.call(api, "/", method="POST", body=b"\xff\x00", headers={"Content-Type": "image/png"}))
    assert (event["body"], event["isBase64Encoded"]) == (base64.b64encode(b"\xff\x00").decode(), True)
    said = json.dumps({"statusCode": 200, "body": "/wA=", "isBase64Encoded": True})
    wanted = shared.call(api, "/", headers={"x-answer": said, "Accept": "image/png"})
    assert wanted.body == b"\xff\x00"
    unwanted = shared.call(api, "/", headers={"x-answer": said, "Accept": "text/html"})
    assert unwanted.body == b"/wA="


def test_the_address_of_local_tools(shared: RestCloud, api: str) -> None:
    answer = shared.ask(api, f"/restapis/{api}/dev/_user_request_/pets/7", host="localhost")
    assert echoed(answer)["pathParameters"] == {"id": "7"}


def test_by_host(shared: RestCloud, api: str) -> None:
    answer = shared.ask(api, "/dev/pets/7", host=f"{api}.execute-api.us-east-1.amazonaws.com")
    assert echoed(answer)["requestContext"]["domainPrefix"] == api


def test_what_is_larger_than_functions_take(shared: RestCloud) -> None:
    api = shared.rest_api()
    shared.to_the_function(shared.method(api, "/", "POST"))
    shared.deploy(api)
    answer = shared.call(api, "/", method="POST", body=b"x" * (7 << 20))
    assert (answer.status, answer.json) == (413, {"message": "Request Too Long"})
