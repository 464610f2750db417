"""Methods of API Gateway's REST APIs as targets of rules, with a real HTTP endpoint behind them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws
from tests.roles import make_role
from tests.services.apigateway.rest.cloud import RestCloud
from tests.services.events.cloud import EventCloud
from tests.services.events.endpoint import Endpoint, endpoint


@pytest.fixture
def there() -> Iterator[Endpoint]:
    with endpoint() as running:
        yield running


def method(aws: Aws, there: Endpoint, verb: str = "POST", **more: Any) -> str:
    """Create a REST API with a method /orders/{id} in front of an endpoint; return the ARN of the API's stage."""
    cloud = RestCloud(aws)
    api = cloud.rest_api()
    given = {"method.request.path.id": True}
    names = cloud.method(api, "/orders/{id}", verb, requestParameters=given, **more)
    mapped = {"integration.request.path.id": "method.request.path.id"}
    kind = {"type": "HTTP_PROXY", "integrationHttpMethod": verb, "uri": f"{there.url}/got/{{id}}"}
    cloud.client.put_integration(**names, **kind, requestParameters=mapped)
    cloud.deploy(api)
    return f"arn:aws:execute-api:{aws.region}:{aws.account}:{api}/dev"


def test_a_method_gets_the_event(cloud: EventCloud, aws: Aws, there: Endpoint) -> None:
    stage = method(aws, there)
    http = {
        "PathParameterValues": ["$.detail.id"],
        "QueryStringParameters": {"q": "a b"},
        "HeaderParameters": {"X-Kind": "$.detail-type"},
    }
    cloud.rule({"Id": "1", "Arn": f"{stage}/POST/orders/*", "HttpParameters": http})
    cloud.put({"id": "ä 7"}, TraceHeader="Root=1-5759e988-bd862e3fe1be46a994272793")
    request = there.next()
    assert (request.method, request.path) == ("POST", "/got/%C3%A4%207?q=a+b")
    assert json.loads(request.body)["detail"] == {"id": "ä 7"}
    assert (request.headers["x-kind"], request.headers["content-type"]) == ("order", "application/json")
    assert "1-5759e988-bd862e3fe1be46a994272793" in request.headers["x-amzn-trace-id"]


def test_a_method_of_iam_is_called_as_the_role(cloud: EventCloud, aws: Aws, there: Endpoint) -> None:
    stage = method(aws, there, authorizationType="AWS_IAM")
    role = make_role(aws, "events")
    url, letters = cloud.queue()
    target = {"Arn": f"{stage}/*/orders/7", "DeadLetterConfig": {"Arn": letters}}
    cloud.rule({"Id": "signed", **target, "RoleArn": role, "Input": '"signed"'})
    cloud.put()
    assert there.next().body == '"signed"'
    cloud.events.remove_targets(Rule="r", Ids=["signed"])
    cloud.rule({"Id": "unsigned", **target, "Input": '"unsigned"'})
    cloud.put()
    (letter,) = cloud.received(url)
    assert (letter["Body"].find("shop") > 0, there.is_quiet()) == (True, True)
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "ERROR_FROM_TARGET"


def test_what_a_method_answers_with_a_server_error_is_tried_again(cloud: EventCloud, aws: Aws, there: Endpoint) -> None:
    answers = iter(((503, {}, b""), (200, {}, b"")))
    there.answer = lambda request: next(answers)
    cloud.rule({"Id": "1", "Arn": f"{method(aws, there)}/POST/orders/7"})
    cloud.put()
    assert there.next().body == there.next().body


@pytest.mark.parametrize(
    ("resource", "headers"),
    [
        ("abc/dev", {}),
        ("abc/*/POST/x", {}),
        ("abc/dev/FETCH/x", {}),
        ("abc/dev/POST/x y", {}),
        ("abc/dev/POST/x", {"Authorization": "x"}),
        ("abc/dev/POST/x", {"X-Amz-Date": "x"}),
    ],
)
def test_methods_that_are_refused(cloud: EventCloud, resource: str, headers: dict[str, str]) -> None:
    cloud.rule()
    arn = f"arn:aws:execute-api:us-east-1:{cloud.aws.account}:{resource}"
    target = {"Id": "1", "Arn": arn, "HttpParameters": {"HeaderParameters": headers}}
    with pytest.raises(ClientError) as refused:
        cloud.events.put_targets(Rule="r", Targets=[target])
    assert refused.value.response["Error"]["Code"] == "ValidationException"
