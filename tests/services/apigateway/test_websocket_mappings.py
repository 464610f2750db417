"""What integrations of WebSocket APIs make of messages and answers, by templates and parameters."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.services.apigateway.cloud import GatewayCloud
from tests.services.apigateway.endpoint import Endpoint


def _two_way(cloud: GatewayCloud, api: str, key: str, integration: str, template: str | None = None) -> None:
    """Make a route that gives its client the integration's answer."""
    route = cloud.route(api, key, integration, RouteResponseSelectionExpression="$default")
    cloud.client.create_route_response(ApiId=api, RouteId=route, RouteResponseKey="$default")
    given = {} if template is None else {"ResponseTemplates": {"$default": template}}
    cloud.client.create_integration_response(
        ApiId=api, IntegrationId=integration, IntegrationResponseKey="$default", **given
    )


def _said(cloud: GatewayCloud, api: str, message: dict[str, Any], count: int = 1) -> Any:
    with cloud.connect(api) as socket:
        for _ in range(count):
            socket.send(json.dumps(message))
            answer = socket.recv(30)
        return json.loads(answer)


@pytest.fixture
def api(cloud: GatewayCloud) -> str:
    api = cloud.websocket_api_without_function()
    cloud.client.create_stage(ApiId=api, StageName="live", AutoDeploy=True, StageVariables={"color": "blue"})
    return api


def test_an_endpoint_gets_what_the_template_says(cloud: GatewayCloud, api: str, endpoint: Endpoint) -> None:
    integration = cloud.integration(
        api,
        IntegrationType="HTTP",
        IntegrationMethod="PUT",
        IntegrationUri=f"{endpoint.url}/things/{{id}}",
        TemplateSelectionExpression="${request.body.kind}",
        RequestTemplates={
            "short": '{"text": $input.json(\'$.text\'), "from": "$context.connectionId"}',
            "$default": '{"other": "$stageVariables.color"}',
        },
        RequestParameters={
            "integration.request.path.id": "route.request.body.id",
            "integration.request.querystring.q": "'fixed'",
            "integration.request.header.X-Stage": "context.stage",
        },
    )
    _two_way(cloud, api, "say", integration, "{\"seen\": $input.json('$.body'), \"path\": $input.json('$.path')}")
    said = _said(cloud, api, {"action": "say", "kind": "short", "id": "a/b", "text": "hi"})
    seen = json.loads(said["seen"])
    assert (seen["text"], said["path"]) == ("hi", "/things/a%2Fb")
    assert len(seen["from"]) == 16
    asked = endpoint.seen[-1]
    assert (asked["method"], asked["query"], asked["headers"]["x-stage"]) == ("PUT", "q=fixed", "live")
    assert json.loads(_said(cloud, api, {"action": "say", "id": "1"})["seen"]) == {"other": "blue"}


def test_answers_are_chosen_by_status(cloud: GatewayCloud, api: str, endpoint: Endpoint) -> None:
    integration = cloud.integration(
        api,
        IntegrationType="HTTP",
        IntegrationMethod="POST",
        IntegrationUri=endpoint.url,
        RequestParameters={"integration.request.querystring.status": "route.request.body.status"},
    )
    _two_way(cloud, api, "say", integration, '{"was": "fine"}')
    cloud.client.create_integration_response(
        ApiId=api,
        IntegrationId=integration,
        IntegrationResponseKey="/4\\d\\d/",
        ResponseTemplates={"$default": '{"was": "wrong"}'},
    )
    assert _said(cloud, api, {"action": "say", "status": "404"}) == {"was": "wrong"}
    assert _said(cloud, api, {"action": "say", "status": "200"}) == {"was": "fine"}


def test_a_mock_answers_by_its_template(cloud: GatewayCloud, api: str) -> None:
    template = '#if($input.params("token") == "friend"){"statusCode": 200}#else{"statusCode": 403}#end'
    given = {"IntegrationType": "MOCK", "TemplateSelectionExpression": "\\$default"}
    integration = cloud.integration(api, RequestTemplates={"$default": template}, **given)
    cloud.route(api, "$connect", integration)
    with pytest.raises(InvalidStatus) as caught:
        cloud.connect(api)
    assert caught.value.response.status_code == 403
    with cloud.connect(api, "/live?token=friend") as socket:
        assert socket.ping().wait(30)


def test_services_are_asked(cloud: GatewayCloud, api: str) -> None:
    sqs, dynamodb = cloud.aws.client("sqs"), cloud.aws.client("dynamodb")
    url = sqs.create_queue(QueueName="said")["QueueUrl"]
    dynamodb.create_table(
        TableName="said",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    given = {"IntegrationType": "AWS", "CredentialsArn": f"arn:aws:iam::{cloud.account}:role/gateway"}
    put = cloud.integration(
        api,
        IntegrationUri="arn:aws:apigateway:us-east-1:dynamodb:action/PutItem",
        RequestTemplates={
            "$default": '{"TableName": "said", "Item": {"id": {"S": $input.json(\'$.id\')}}, "ReturnValues": "ALL_OLD"}'
        },
        **given,
    )
    _two_way(cloud, api, "put", put)
    send = cloud.integration(
        api,
        IntegrationUri=f"arn:aws:apigateway:us-east-1:sqs:path/{cloud.account}/said",
        RequestTemplates={"$default": "Action=SendMessage&MessageBody=$util.urlEncode($input.path('$.text'))"},
        RequestParameters={"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
        **given,
    )
    _two_way(cloud, api, "send", send, '{"sent": true}')
    assert _said(cloud, api, {"action": "put", "id": "7"}, count=2) == {"Attributes": {"id": {"S": "7"}}}
    assert dynamodb.get_item(TableName="said", Key={"id": {"S": "7"}})["Item"] == {"id": {"S": "7"}}
    assert "ValidationException" in _said(cloud, api, {"action": "put", "id": ""})["__type"]
    assert _said(cloud, api, {"action": "send", "text": "hello & more"}) == {"sent": True}
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "hello & more"


def test_functions_get_what_the_template_says(shared: GatewayCloud) -> None:
    cloud = shared
    api = cloud.websocket_api_without_function()
    cloud.client.create_stage(ApiId=api, StageName="live", AutoDeploy=True)
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{cloud.function()}/invocations"
    template = '{"headers": {"x-answer": "{\\"n\\": 1}"}, "from": "$context.routeKey"}'
    integration = cloud.integration(
        api, IntegrationType="AWS", IntegrationUri=uri, RequestTemplates={"$default": template}
    )
    _two_way(cloud, api, "say", integration)
    assert _said(cloud, api, {"action": "say"}) == {"n": 1}


@pytest.mark.parametrize(
    "given",
    [
        {"IntegrationType": "MOCK", "RequestTemplates": {"$default": "#if(true)"}},
        {"IntegrationType": "AWS", "IntegrationUri": "arn:aws:apigateway:us-east-1:sqs:action/SendMessage"},
        {"IntegrationType": "AWS", "IntegrationUri": "arn:aws:apigateway:us-east-1:nothing:action/Dance"},
        {"IntegrationType": "AWS", "IntegrationUri": "http://example.com"},
        {
            "IntegrationType": "HTTP",
            "IntegrationMethod": "GET",
            "IntegrationUri": "http://example.com",
            "RequestParameters": {"integration.request.body.x": "'a'"},
        },
    ],
)
def test_what_integrations_may_not_be(cloud: GatewayCloud, api: str, given: dict[str, Any]) -> None:
    assert cloud.refused("create_integration", ApiId=api, **given)[0] == "BadRequestException"


def test_events_of_functions_are_text(cloud: GatewayCloud, api: str) -> None:
    integration = cloud.to_function(api, "1.0", ContentHandlingStrategy="CONVERT_TO_TEXT")
    shown = cloud.client.get_integration(ApiId=api, IntegrationId=integration)
    assert shown["ContentHandlingStrategy"] == "CONVERT_TO_TEXT"
    given = {"ApiId": api, "IntegrationId": integration, "ContentHandlingStrategy": "CONVERT_TO_BINARY"}
    assert cloud.refused("update_integration", **given)[0] == "NotImplemented"


def test_answers_that_are_no_text_become_base64(cloud: GatewayCloud, api: str) -> None:
    s3, bucket = cloud.aws.client("s3"), f"labels-{cloud.account}"
    s3.create_bucket(Bucket=bucket)
    objects = {"text": b"plain", "bytes": b"\xff\x00"}
    for key, content in objects.items():
        s3.put_object(Bucket=bucket, Key=key, Body=content)
        integration = cloud.integration(
            api,
            IntegrationType="AWS",
            IntegrationMethod="GET",
            IntegrationUri=f"arn:aws:apigateway:us-east-1:s3:path/{bucket}/{key}",
            CredentialsArn=f"arn:aws:iam::{cloud.account}:role/gateway",
            ContentHandlingStrategy="CONVERT_TO_TEXT",
        )
        _two_way(cloud, api, key, integration)
    with cloud.connect(api) as socket:
        answers = []
        for key in objects:
            socket.send(json.dumps({"action": key}))
            answers.append(socket.recv(30))
    assert answers == ["plain", "/wA="]


def test_what_integration_responses_may_not_be(cloud: GatewayCloud, api: str) -> None:
    given = {"ApiId": api, "IntegrationId": cloud.integration(api, IntegrationType="MOCK")}
    for key in ("200", "/[/", "$other"):
        refused = cloud.refused("create_integration_response", **given, IntegrationResponseKey=key)
        assert refused[0] == "BadRequestException"


@pytest.mark.parametrize(
    "long",
    [
        "#foreach($i in [1..1000])#foreach($j in [1..30])#set($n = $i + $j)#end#end",
        "#set($l = [1])" + "#set($l = [$l, $l])" * 15 + "#set($t = $l.toString())",
    ],
)
def test_nobody_waits_for_a_template_that_takes_long(cloud: GatewayCloud, api: str, long: str) -> None:
    integration = cloud.integration(
        api,
        IntegrationType="MOCK",
        TemplateSelectionExpression="$default",
        RequestTemplates={"$default": f'{long}{{"statusCode": 200}}'},
    )
    _two_way(cloud, api, "$default", integration, "done")
    with cloud.connect(api) as socket:
        for _ in range(4):
            socket.send("go")
        # That it is done beside the event loop is shown in test_beside.
        cloud.client.get_api(ApiId=api)
        assert [socket.recv(60) for _ in range(4)] == ["done"] * 4


def test_templates_have_up_to_300_kilobytes(cloud: GatewayCloud, api: str) -> None:
    given = {"ApiId": api, "IntegrationType": "MOCK", "TemplateSelectionExpression": "$default"}
    cloud.client.create_integration(**given, RequestTemplates={"$default": "x" * (300 << 10)})
    code, message, _ = cloud.refused(
        "create_integration", **given, RequestTemplates={"$default": "x" * ((300 << 10) + 1)}
    )
    assert (code, message.rpartition(": ")[2]) == ("BadRequestException", "it is larger than 300 KB")


def test_messages_are_checked_by_the_model_of_their_kind(cloud: GatewayCloud, api: str, endpoint: Endpoint) -> None:
    client = cloud.client
    schema = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}
    client.create_model(ApiId=api, Name="order", Schema=json.dumps(schema))
    integration = cloud.integration(
        api, IntegrationType="HTTP_PROXY", IntegrationMethod="POST", IntegrationUri=f"{endpoint.url}/things"
    )
    _two_way(cloud, api, "buy", integration)
    route = client.get_routes(ApiId=api)["Items"][0]["RouteId"]
    client.update_route(
        ApiId=api,
        RouteId=route,
        ModelSelectionExpression="$request.body.kind",
        RequestModels={"order": "order", "lost": "nowhere"},
    )
    assert _said(cloud, api, {"action": "buy", "kind": "order", "count": 3})["path"] == "/things"
    for wrong in ({"kind": "order", "count": "three"}, {"kind": "other", "count": 3}, {"kind": "lost"}):
        told = _said(cloud, api, {"action": "buy", **wrong})
        assert told["message"] == "Invalid request body"
        assert told["connectionId"]
    with pytest.raises(client.exceptions.BadRequestException, match="Invalid model schema"):
        client.create_model(ApiId=api, Name="broken", Schema='{"type": "nonsense"}')
