"""Functions asked through their URLs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from socket import create_connection
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloudlet.testing.server import Aws, Server
from tests.services.lambda_.cloud import FunctionCloud, make_role
from tests.services.lambda_.programs import program, python
from tests.standing import eventually


class Response:
    """What a URL has answered."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    cloud: FunctionCloud,
    url: str,
    path: str = "/",
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Send a request to a path below a function's URL."""
    server = urlsplit(cloud.aws.endpoint)
    at = urlsplit(url)
    connection = HTTPConnection(server.hostname or "", server.port, timeout=30)
    connection.request(method, at.path.rstrip("/") + path, body, {"Host": at.netloc, **(headers or {})})
    answer = connection.getresponse()
    found = Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    connection.close()
    return found


def _id(url: str) -> str:
    """Return the id of a URL."""
    return url.rstrip("/").rpartition("/")[2]


def with_url(cloud: FunctionCloud, body: str = "return event", **more: Any) -> str:
    """Create a function with a URL for everybody and return that."""
    python(cloud, body)
    permit_all(cloud)
    return make_url(cloud, **more)


def make_url(cloud: FunctionCloud, **more: Any) -> str:
    """Give the function a URL and return that."""
    given = {"AuthType": "NONE", **more}
    return str(cloud.client.create_function_url_config(FunctionName="f", **given)["FunctionUrl"])


ASKING = {"StatementId": "url", "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"}
RUNNING = {"StatementId": "run", "Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True}


def permit_all(cloud: FunctionCloud) -> None:
    """Let everybody ask the function by its URL."""
    for statement in (ASKING, RUNNING):
        cloud.client.add_permission(FunctionName="f", Principal="*", **statement)


def test_the_event_is_that_of_payload_format_2(cloud: FunctionCloud) -> None:
    url = with_url(cloud)
    answer = ask(
        cloud,
        url,
        "/orders/7?a=1&a=2&b=",
        "POST",
        b'{"k":"v"}',
        {"Cookie": "x=1; y=2", "Content-Type": "application/json"},
    )
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    event = answer.json
    assert (event["version"], event["routeKey"]) == ("2.0", "$default")
    assert (event["rawPath"], event["rawQueryString"]) == ("/orders/7", "a=1&a=2&b=")
    assert event["queryStringParameters"] == {"a": "1,2", "b": ""}
    assert event["cookies"] == ["x=1", "y=2"]
    assert "cookie" not in event["headers"]
    assert (event["body"], event["isBase64Encoded"]) == ('{"k":"v"}', False)
    context = event["requestContext"]
    assert context["http"]["method"] == "POST"
    assert context["accountId"] == "anonymous"
    assert context["domainPrefix"] == context["apiId"] == _id(url)


def test_bytes_come_in_base64(cloud: FunctionCloud) -> None:
    event = ask(cloud, with_url(cloud), "/", "POST", b"\xff\x00", {"Content-Type": "image/png"}).json
    assert (event["body"], event["isBase64Encoded"]) == ("/wA=", True)


def test_the_answer_says_status_headers_and_cookies(cloud: FunctionCloud) -> None:
    url = with_url(
        cloud,
        """
return {"statusCode": 201, "headers": {"X-One": "1"}, "cookies": ["a=1"], "body": "aGk=", "isBase64Encoded": True}
""",
    )
    answer = ask(cloud, url)
    assert (answer.status, answer.headers["x-one"], answer.body) == (201, "1", b"hi")


def test_by_name_where_that_can_be_resolved(cloud: FunctionCloud) -> None:
    name = f"{_id(with_url(cloud))}.lambda-url.{cloud.aws.region}.localhost"
    event = ask(cloud, f"http://{name}/", "/deep/path").json
    assert event["rawPath"] == "/deep/path"
    assert event["requestContext"]["domainName"] == name


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError('boom')",
        "return {'statusCode': 'no number'}",
        "return {'statusCode': 200, 'headers': {'not a name': 'x'}}",
    ],
)
def test_a_function_that_fails_is_a_bad_gateway(cloud: FunctionCloud, body: str) -> None:
    answer = ask(cloud, with_url(cloud, body))
    assert (answer.status, answer.body) == (502, b"Internal Server Error")
    assert answer.headers["content-type"] == "text/plain"


@pytest.mark.parametrize(
    ("returned", "body"),
    [
        ('{"statusCode": 200, "body": {"a": [1, 2]}}', b'{"a":[1,2]}'),
        ('{"statusCode": 200, "body": "text"}', b"text"),
        ("[1, {'b': 2}]", b'[1,{"b":2}]'),
        ("'text'", b"text"),
    ],
)
def test_what_says_no_content_type_is_json(cloud: FunctionCloud, returned: str, body: bytes) -> None:
    answer = ask(cloud, with_url(cloud, f"return {returned}"))
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "application/json", body)


def test_a_function_that_is_throttled_is_too_many_requests(cloud: FunctionCloud) -> None:
    url = with_url(cloud)
    cloud.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    assert ask(cloud, url).status == 429


def test_no_function_has_a_url_that_was_deleted(cloud: FunctionCloud) -> None:
    url = with_url(cloud)
    assert ask(cloud, url).status == 200
    cloud.client.delete_function_url_config(FunctionName="f")
    assert ask(cloud, url).status == 403


def test_who_must_sign_and_has_not_is_refused(cloud: FunctionCloud) -> None:
    url = with_url(cloud, AuthType="AWS_IAM")
    assert ask(cloud, url).status == 403

    def signed(service: str) -> dict[str, str]:
        request = AWSRequest("GET", url, headers={"Host": urlsplit(url).netloc})
        SigV4Auth(Credentials(cloud.account, "test"), service, cloud.aws.region).add_auth(request)
        return dict(request.headers)

    assert ask(cloud, url, headers=signed("s3")).status == 403
    event = ask(cloud, url, headers=signed("lambda")).json
    assert event["requestContext"]["authorizer"]["iam"]["accountId"] == cloud.account


def test_a_url_for_all_needs_both_permissions_where_they_are_enforced(tmp_path: Path) -> None:
    with Server.start(
        "--data", str(tmp_path), "--auth", "strict", "--root-key=111111111111:111111111111:test"
    ) as server:
        cloud = FunctionCloud(Aws(server.endpoint, "111111111111"))
        make_role(cloud.aws.client("iam"))
        python(cloud, "return 'hello'")
        url = make_url(cloud)
        for_all = {"FunctionName": "f", "Principal": "*"}
        assert ask(cloud, url).status == 403
        cloud.client.add_permission(**for_all, **ASKING)
        assert ask(cloud, url).status == 403
        cloud.client.add_permission(**for_all, **RUNNING)
        assert ask(cloud, url).body == b"hello"
        cloud.client.remove_permission(FunctionName="f", StatementId="url")
        assert ask(cloud, url).status == 403


def test_cors_is_done_for_the_function(cloud: FunctionCloud) -> None:
    url = with_url(
        cloud,
        Cors={"AllowOrigins": ["https://shop.example"], "AllowMethods": ["GET"], "MaxAge": 60},
    )
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}
    preflight = ask(cloud, url, method="OPTIONS", headers=asked)
    assert preflight.status == 200
    assert preflight.headers["access-control-allow-origin"] == "https://shop.example"
    assert preflight.headers["access-control-max-age"] == "60"
    assert ask(cloud, url, headers=asked).headers["access-control-allow-origin"] == "https://shop.example"
    other = ask(cloud, url, headers={"Origin": "https://other.example"})
    assert "access-control-allow-origin" not in other.headers


STREAMING = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  stream = awslambda.HttpResponseStream.from(stream, { statusCode: 202, headers: { "x-kind": "streamed" } });
  stream.write("one ");
  stream.write("two");
  stream.end();
});
"""


def test_an_answer_is_streamed(cloud: FunctionCloud, node_runtime: str) -> None:
    cloud.function("f", Runtime=node_runtime, Code={"ZipFile": program({"index.js": STREAMING})})
    permit_all(cloud)
    url = make_url(cloud, InvokeMode="RESPONSE_STREAM")
    answer = ask(cloud, url)
    assert (answer.status, answer.headers["x-kind"], answer.body) == (202, "streamed", b"one two")
    assert answer.headers["transfer-encoding"] == "chunked"


LARGE = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  for (let n = 0; n < 100; n++) {
    if (!stream.write("x".repeat(100_000))) await new Promise((go) => stream.once("drain", go));
  }
  stream.end();
  console.log("all of it was written");
});
"""


@pytest.mark.parametrize("patience", ["leaves at once", "reads a little"])
def test_a_function_goes_on_when_who_reads_its_answer_has_gone(
    cloud: FunctionCloud, node_runtime: str, patience: str
) -> None:
    cloud.function("f", Runtime=node_runtime, Code={"ZipFile": program({"index.js": LARGE})}, Timeout=300)
    permit_all(cloud)
    url = make_url(cloud, InvokeMode="RESPONSE_STREAM")
    server = urlsplit(cloud.aws.endpoint)
    with create_connection((server.hostname or "", server.port or 0)) as connection:
        at = urlsplit(url)
        connection.sendall(f"GET {at.path} HTTP/1.1\r\nHost: {at.netloc}\r\n\r\n".encode())
        if patience == "reads a little":
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    eventually(lambda: cloud.logged(filterPattern='"all of it was written"'))


def test_a_function_that_fails_before_it_streams_is_a_bad_gateway(cloud: FunctionCloud, node_runtime: str) -> None:
    failing = "exports.handler = awslambda.streamifyResponse(async () => { throw new Error('no'); });"
    cloud.function("f", Runtime=node_runtime, Code={"ZipFile": program({"index.js": failing})})
    permit_all(cloud)
    url = make_url(cloud, InvokeMode="RESPONSE_STREAM")
    answer = ask(cloud, url)
    assert (answer.status, answer.body) == (502, b"Internal Server Error")


@pytest.mark.parametrize("metadata", ["[1]", "null"])
def test_metadata_that_make_no_sense_are_a_bad_gateway(cloud: FunctionCloud, node_runtime: str, metadata: str) -> None:
    wrong = f"""
exports.handler = awslambda.streamifyResponse(async (event, stream) => {{
  stream.setContentType("application/vnd.awslambda.http-integration-response");
  stream.write(Buffer.concat([Buffer.from("{metadata}", "latin1"), Buffer.alloc(8)]));
  stream.end();
}});
"""
    cloud.function("f", Runtime=node_runtime, Code={"ZipFile": program({"index.js": wrong})})
    permit_all(cloud)
    url = make_url(cloud, InvokeMode="RESPONSE_STREAM")
    assert ask(cloud, url).status == 502


def test_a_body_that_is_too_large_is_refused(cloud: FunctionCloud) -> None:
    answer = ask(cloud, with_url(cloud), "/", "POST", b"x" * 6_300_000)
    assert answer.status == 413
