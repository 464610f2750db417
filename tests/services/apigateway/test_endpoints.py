"""Requests to HTTP APIs that HTTP endpoints and services of AWS answer."""

from __future__ import annotations

import json

import pytest

from tests.services.apigateway.cloud import GatewayCloud
from tests.services.apigateway.endpoint import Endpoint
from tests.standing import eventually


def test_a_request_is_passed_on(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    api = cloud.api()
    cloud.route(api, "ANY /shop/{proxy+}", cloud.to_url(api, f"{endpoint.url}/base/{{proxy}}?fixed=1"))
    answer = cloud.ask(
        api, "/shop/a%20b/c?x=1&x=2", method="PUT", headers={"X-Own": "me", "Connection": "close"}, body="hi"
    )
    assert (answer.status, answer.header("x-endpoint")) == (200, "yes")
    asked = answer.json
    assert (asked["method"], asked["path"], asked["query"]) == ("PUT", "/base/a%20b/c", "fixed=1&x=1&x=2")
    assert asked["body"] == "hi"
    assert asked["headers"]["x-own"] == "me"
    assert asked["headers"]["host"] == endpoint.url.removeprefix("http://")
    assert asked["headers"]["via"] == "HTTP/1.1 AmazonAPIGateway"
    assert "for=127.0.0.1" in asked["headers"]["forwarded"]
    assert answer.header("apigw-requestid")


def test_the_method_of_the_integration_is_used(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    api = cloud.api()
    cloud.route(api, "GET /", cloud.to_url(api, f"{endpoint.url}/fixed", IntegrationMethod="POST"))
    assert cloud.ask(api).json["method"] == "POST"


def test_statuses_are_passed_back(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    api = cloud.api(Target=f"{endpoint.url}/base")
    for status in (201, 302, 404, 500):
        assert cloud.ask(api, f"/any?status={status}").status == status


def test_parameters_are_mapped(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    api = cloud.api()
    integration = cloud.to_url(
        api,
        endpoint.url,
        RequestParameters={
            "overwrite:path": "/moved/${request.path.id}",
            "append:header.x-many": "$request.querystring.q",
            "overwrite:header.x-body": "$request.body.order.items[1]",
            "overwrite:header.x-stage": "$context.stage",
            "overwrite:header.x-path": "$request.path",
            "overwrite:header.x-variable": "$stageVariables.color",
            "overwrite:header.x-missing": "$request.header.nowhere",
            "remove:header.x-secret": "''",
            "append:querystring.added": "${context.httpMethod}-${request.header.x-own}",
            "remove:querystring.q": "''",
        },
        ResponseParameters={
            "200": {
                "overwrite:statuscode": "202",
                "append:header.x-method": "$response.body.method",
                "overwrite:header.x-copied": "$response.header.x-endpoint",
                "remove:header.x-endpoint": "''",
                "overwrite:header.x-id": "$context.requestId",
            },
            "404": {"overwrite:header.x-lost": "yes"},
        },
    )
    cloud.route(api, "POST /things/{id}", integration)
    cloud.client.update_stage(ApiId=api, StageName="$default", StageVariables={"color": "blue"})
    answer = cloud.ask(
        api,
        "/things/7?q=1&r=2",
        method="POST",
        headers={"X-Many": "0", "X-Own": "me", "X-Secret": "no", "Content-Type": "application/json"},
        body='{"order": {"items": ["a", "b"]}}',
    )
    asked = answer.json
    assert (asked["path"], asked["query"]) == ("/moved/7", "r=2&added=POST-me")
    headers = asked["headers"]
    assert (headers["x-body"], headers["x-stage"], headers["x-variable"]) == ("b", "$default", "blue")
    assert headers["x-path"] == "/things/7"
    assert "x-secret" not in headers
    assert "x-missing" not in headers
    assert answer.status == 202
    assert (answer.header("x-method"), answer.header("x-copied")) == ("POST", "yes")
    assert answer.header("x-endpoint") is None
    assert answer.header("x-id") == answer.header("apigw-requestid")
    lost = cloud.ask(api, "/things/7?status=404", method="POST")
    assert (lost.status, lost.header("x-lost")) == (404, "yes")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"add:header.x": "1"}, "Invalid mapping expression specified: add:header.x"),
        ({"overwrite:body": "1"}, "Invalid mapping expression specified: overwrite:body"),
        ({"append:path": "1"}, "Invalid mapping expression specified: append:path"),
        ({"overwrite:header.Host": "1"}, "Operations on header host are restricted"),
        ({"append:header.x-amz-date": "1"}, "Operations on header x-amz-date are restricted"),
        ({"append:header.a:b": "1"}, "Invalid mapping expression specified: append:header.a:b"),
        ({"append:header.x": "$request.headers.x"}, "Invalid mapping expression specified: $request.headers.x"),
        ({"append:header.x": "a-${response.header.x}"}, "Invalid mapping expression specified: a-${response.header.x}"),
    ],
)
def test_mappings_that_make_no_sense(cloud: GatewayCloud, parameters: dict[str, str], message: str) -> None:
    refused = cloud.refused(
        "create_integration",
        ApiId=cloud.api(),
        IntegrationType="HTTP_PROXY",
        IntegrationMethod="GET",
        IntegrationUri="http://example.com",
        RequestParameters=parameters,
    )
    assert refused == ("BadRequestException", message, 400)


def test_an_endpoint_that_is_not_there(cloud: GatewayCloud) -> None:
    api = cloud.api()
    cloud.route(api, "GET /", cloud.to_url(api, "http://127.0.0.1:1/"))
    answer = cloud.ask(api)
    assert (answer.status, answer.json) == (503, {"message": "Service Unavailable"})


def test_an_endpoint_that_is_too_slow(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    api = cloud.api()
    cloud.route(api, "GET /", cloud.to_url(api, endpoint.url, TimeoutInMillis=50))
    answer = cloud.ask(api, "/?wait=1")
    assert (answer.status, answer.json) == (503, {"message": "Service Unavailable"})
    endpoint.released.set()


def test_nothing_is_behind_a_vpc_link_in_a_subnet_that_is_not_there(cloud: GatewayCloud) -> None:
    api = cloud.api()
    link = cloud.client.create_vpc_link(Name="link", SubnetIds=["subnet-1"])
    assert link["VpcLinkStatus"] == "PENDING"
    found = eventually(
        lambda: cloud.client.get_vpc_link(VpcLinkId=link["VpcLinkId"]), lambda one: one["VpcLinkStatus"] != "PENDING"
    )
    assert (found["VpcLinkStatus"], "subnet-1" in found["VpcLinkStatusMessage"]) == ("FAILED", True)
    uri = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/x/1/2"
    integration = cloud.to_url(api, uri, ConnectionType="VPC_LINK", ConnectionId=link["VpcLinkId"])
    cloud.route(api, "GET /", integration)
    assert cloud.ask(api).status == 503
    assert cloud.client.update_vpc_link(VpcLinkId=link["VpcLinkId"], Name="other")["Name"] == "other"
    assert [each["Name"] for each in cloud.client.get_vpc_links()["Items"]] == ["other"]
    cloud.client.delete_vpc_link(VpcLinkId=link["VpcLinkId"])
    assert cloud.refused("get_vpc_link", VpcLinkId=link["VpcLinkId"])[0] == "NotFoundException"


def test_a_message_is_sent_to_a_queue(cloud: GatewayCloud) -> None:
    sqs = cloud.aws.client("sqs")
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    api = cloud.api()
    integration = cloud.integration(
        api,
        IntegrationType="AWS_PROXY",
        IntegrationSubtype="SQS-SendMessage",
        PayloadFormatVersion="1.0",
        CredentialsArn=f"arn:aws:iam::{cloud.account}:role/gateway",
        RequestParameters={"QueueUrl": url, "MessageBody": "$request.body.text", "DelaySeconds": "0"},
    )
    cloud.route(api, "POST /orders", integration)
    answer = cloud.ask(api, "/orders", method="POST", body=json.dumps({"text": "one"}))
    assert answer.status == 200
    assert answer.json["MessageId"]
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "one"
    # Without a text SQS refuses, and says so.
    refused = cloud.ask(api, "/orders", method="POST", body="{}")
    assert refused.status == 400
    assert "messageBody" in refused.json["message"]


def test_an_event_is_put_on_a_bus(cloud: GatewayCloud) -> None:
    sqs, events = cloud.aws.client("sqs"), cloud.aws.client("events")
    url = sqs.create_queue(QueueName="seen")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="all", EventPattern=json.dumps({"source": ["shop"]}))
    events.put_targets(Rule="all", Targets=[{"Id": "queue", "Arn": arn}])
    api = cloud.api()
    integration = cloud.integration(
        api,
        IntegrationType="AWS_PROXY",
        IntegrationSubtype="EventBridge-PutEvents",
        PayloadFormatVersion="1.0",
        CredentialsArn=f"arn:aws:iam::{cloud.account}:role/gateway",
        RequestParameters={"Source": "shop", "DetailType": "order", "Detail": "$request.body"},
    )
    cloud.route(api, "POST /", integration)
    answer = cloud.ask(api, method="POST", body='{"n": 7}')
    assert (answer.status, answer.json["FailedEntryCount"]) == (200, 0)
    message = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"][0]
    assert json.loads(message["Body"])["detail"] == {"n": 7}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"IntegrationSubtype": "Kinesis-PutRecord"}, "NotImplemented"),
        ({"IntegrationSubtype": "SQS-Dance"}, "BadRequestException"),
        ({"RequestParameters": {"QueueUrl": "x"}}, "BadRequestException"),
        ({"RequestParameters": {"QueueUrl": "x", "MessageBody": "y", "Color": "z"}}, "BadRequestException"),
        ({"CredentialsArn": None}, "BadRequestException"),
    ],
)
def test_integrations_with_services_that_make_no_sense(
    cloud: GatewayCloud, changes: dict[str, object], code: str
) -> None:
    given = {
        "ApiId": cloud.api(),
        "IntegrationType": "AWS_PROXY",
        "IntegrationSubtype": "SQS-SendMessage",
        "PayloadFormatVersion": "1.0",
        "CredentialsArn": f"arn:aws:iam::{cloud.account}:role/gateway",
        "RequestParameters": {"QueueUrl": "x", "MessageBody": "y"},
        **changes,
    }
    assert cloud.refused("create_integration", **{key: value for key, value in given.items() if value})[0] == code


def test_a_client_does_not_say_which_host_is_asked(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    api = cloud.api()
    cloud.route(api, "GET /{shop+}", cloud.to_url(api, "http://{shop}.example.invalid/"))
    host = endpoint.url.removeprefix("http://")
    assert cloud.ask(api, f"/{host}/").status == 503
    assert not any(asked["path"].endswith(".example.invalid/") for asked in endpoint.seen)
