"""A chat of clients of WebSockets, with a function behind it that uses boto3: run by tests/e2e/test_python.py."""

from __future__ import annotations

import io
import json
import os
import sys
import zipfile
from typing import Any

import boto3
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

# As AWS's own example has it, but for the scheme: who is there is kept in a table, and the function posts to all.
CHAT = """
import json, os
import boto3
from botocore.exceptions import ClientError

present = boto3.resource("dynamodb").Table("present")


def handler(event, context):
    request = event["requestContext"]
    id, route = request["connectionId"], request["routeKey"]
    if route == "$connect":
        if (event.get("queryStringParameters") or {}).get("name") == "nobody":
            return {"statusCode": 403}
        present.put_item(Item={"id": id})
    elif route == "$disconnect":
        present.delete_item(Key={"id": id})
    elif route == "say":
        url = os.environ["MANAGEMENT"]
        management = boto3.client("apigatewaymanagementapi", endpoint_url=url)
        for item in present.scan(ConsistentRead=True)["Items"]:
            try:
                management.post_to_connection(ConnectionId=item["id"], Data=json.loads(event["body"])["text"])
            except management.exceptions.GoneException:
                present.delete_item(Key={"id": item["id"]})
    else:
        return {"statusCode": 200, "body": "no such route: " + event["body"]}
    return {"statusCode": 200}
"""
RUNTIME = f"python{sys.version_info[0]}.{sys.version_info[1]}"


def package() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("chat.py", CHAT)
    return packed.getvalue()


@pytest.fixture(scope="module")
def url() -> str:
    """The address of the chat."""
    boto3.client("dynamodb").create_table(
        TableName="present",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    gateway = boto3.client("apigatewayv2")
    api = gateway.create_api(Name="chat", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")
    functions = boto3.client("lambda")
    management = api["ApiEndpoint"].replace("ws", "http", 1) + "/live"
    function = functions.create_function(
        FunctionName="chat",
        Runtime=RUNTIME,
        Handler="chat.handler",
        Role=f"arn:aws:iam::{os.environ['AWS_ACCESS_KEY_ID']}:role/chat",
        Code={"ZipFile": package()},
        Environment={"Variables": {"MANAGEMENT": management}},
        MemorySize=1769,
        Timeout=30,
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName="chat", WaiterConfig={"Delay": 1})
    functions.add_permission(
        FunctionName="chat", StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )
    integration = gateway.create_integration(
        ApiId=api["ApiId"],
        IntegrationType="AWS_PROXY",
        IntegrationUri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations",
    )["IntegrationId"]
    for key in ("$connect", "$disconnect", "say", "$default"):
        more = {"RouteResponseSelectionExpression": "$default"} if key == "$default" else {}
        route = gateway.create_route(ApiId=api["ApiId"], RouteKey=key, Target=f"integrations/{integration}", **more)
        if more:
            gateway.create_route_response(ApiId=api["ApiId"], RouteId=route["RouteId"], RouteResponseKey="$default")
    gateway.create_stage(ApiId=api["ApiId"], StageName="live", AutoDeploy=True)
    return f"{api['ApiEndpoint']}/live"


def say(client: ClientConnection, **message: Any) -> None:
    client.send(json.dumps(message))


def test_who_is_there_hears_what_is_said(url: str) -> None:
    with connect(url) as ann, connect(url, compression=None) as bob:
        say(ann, action="say", text="Grüße an alle")
        assert [client.recv(timeout=20) for client in (ann, bob)] == ["Grüße an alle"] * 2
        ann.close()
        say(bob, action="say", text="x" * 30_000)
        assert bob.recv(timeout=20) == "x" * 30_000
        assert bob.ping().wait(20)


def test_what_has_no_route_goes_to_the_default(url: str) -> None:
    with connect(url) as client:
        client.send("plain text")
        assert client.recv(timeout=20) == "no such route: plain text"


def test_who_is_refused_gets_no_connection(url: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(f"{url}?name=nobody")
    assert refused.value.response.status_code == 403


def test_a_message_that_is_too_large_ends_the_connection(url: str) -> None:
    with connect(url) as client:
        client.send("x" * 200_000)
        with pytest.raises(ConnectionClosed) as ended:
            client.recv(timeout=20)
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == 1009


def test_a_connection_can_be_looked_at_and_ended(url: str) -> None:
    present = boto3.resource("dynamodb").Table("present")
    before = {item["id"] for item in present.scan()["Items"]}
    with connect(url) as client:
        (id,) = {item["id"] for item in present.scan(ConsistentRead=True)["Items"]} - before
        management = boto3.client("apigatewaymanagementapi", endpoint_url=url.replace("ws", "http", 1))
        assert management.get_connection(ConnectionId=id)["ConnectedAt"]
        management.delete_connection(ConnectionId=id)
        with pytest.raises(ConnectionClosed):
            client.recv(timeout=20)
        with pytest.raises(management.exceptions.GoneException):
            management.post_to_connection(ConnectionId=id, Data=b"hello?")
