"""API destinations of EventBridge and methods of REST APIs as targets and enrichments, with a real HTTP endpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.services.events.endpoint import Endpoint, endpoint
from tests.services.events.test_gateway import method
from tests.services.pipes.cloud import PipesCloud
from tests.standing import eventually


@pytest.fixture
def there() -> Iterator[Endpoint]:
    with endpoint() as running:
        yield running


def _destination(cloud: PipesCloud, there: Endpoint) -> str:
    events = cloud.aws.client("events")
    key = {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "secret"}}
    connection = events.create_connection(Name="c", AuthorizationType="API_KEY", AuthParameters=key)
    arn: str = events.create_api_destination(
        Name="d",
        ConnectionArn=connection["ConnectionArn"],
        InvocationEndpoint=f"{there.url}/orders/*",
        HttpMethod="POST",
    )["ApiDestinationArn"]
    return arn


def test_an_endpoint_gets_messages(cloud: PipesCloud, there: Endpoint) -> None:
    http = {"PathParameterValues": ["$.body.id"], "HeaderParameters": {"X-From": "$.eventSource"}}
    target = {"InputTemplate": '{"total": <$.body.total>}', "HttpParameters": http}
    cloud.pipe(_destination(cloud, there), TargetParameters=target)
    cloud.send({"id": "7", "total": 5})
    request = there.next()
    assert (request.method, request.path, json.loads(request.body)) == ("POST", "/orders/7", {"total": 5})
    assert (request.headers["x-key"], request.headers["x-from"]) == ("secret", "aws:sqs")
    eventually(lambda: cloud.left(cloud.source), lambda left: left == 0)


def test_what_an_endpoint_refuses_comes_again(cloud: PipesCloud, there: Endpoint) -> None:
    cloud.hurry()
    answers = iter(((500, {}, b""), (200, {}, b"")))
    there.answer = lambda request: next(answers)
    cloud.pipe(_destination(cloud, there), TargetParameters={"HttpParameters": {"PathParameterValues": ["x"]}})
    cloud.send("x")
    first, second = there.next(), there.next()
    assert json.loads(first.body)["messageId"] == json.loads(second.body)["messageId"]
    eventually(lambda: cloud.left(cloud.source), lambda left: left == 0)


def test_an_endpoint_enriches(cloud: PipesCloud, there: Endpoint) -> None:
    there.answer = lambda request: (200, {}, json.dumps({"name": "Ada", "of": json.loads(request.body)}).encode())
    url, arn = cloud.queue()
    parameters = {"InputTemplate": "<$.body.id>", "HttpParameters": {"PathParameterValues": ["x"]}}
    cloud.pipe(arn, Enrichment=_destination(cloud, there), EnrichmentParameters=parameters)
    cloud.send({"id": "7"})
    assert cloud.bodies(url) == [{"name": "Ada", "of": "7"}]


def test_a_method_of_iam_gets_messages_and_enriches(cloud: PipesCloud, there: Endpoint) -> None:
    there.answer = lambda request: (200, {}, json.dumps({"name": "Ada", "at": request.path}).encode())
    arn = f"{method(cloud.aws, there, authorizationType='AWS_IAM')}/POST/orders/*"
    http = {"HttpParameters": {"PathParameterValues": ["$.body.id"]}}
    again = {"HttpParameters": {"PathParameterValues": ["$.name"]}}
    cloud.pipe(arn, TargetParameters=again, Enrichment=arn, EnrichmentParameters=http)
    cloud.send({"id": "7"})
    assert there.next().path == "/got/7"
    request = there.next()
    assert (request.path, json.loads(request.body)) == ("/got/Ada", {"name": "Ada", "at": "/got/7"})
