"""API Gateway of an account, over a real socket."""

from __future__ import annotations

import http.client
import io
import json
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from websockets.sync.client import ClientConnection, connect

from cloudlet.testing.server import Aws
from tests.iam_users import allow, make_policy
from tests.modes import MODE

FUNCTION = """
import json
import os

def handler(event, context):
    kind = event.get("type")
    if kind in ("REQUEST", "TOKEN"):
        return authorize(event)
    connection = event.get("requestContext", {}).get("connectionId")
    body = event.get("body")
    if connection is not None:
        return told(event, body)
    answer = {name.lower(): value for name, value in (event.get("headers") or {}).items()}.get("x-answer")
    if answer == "fail":
        raise ValueError("as asked")
    if answer == "trace":
        return os.environ.get("_X_AMZN_TRACE_ID", "")
    if answer is not None:
        return json.loads(answer)
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(event)}

def told(event, body):
    query = event.get("queryStringParameters") or {}
    if "refuse" in query:
        return {"statusCode": int(query["refuse"])}
    headers = {"Sec-WebSocket-Protocol": query["protocol"]} if "protocol" in query else {}
    if body is not None and "back" in body:
        call_back(event["requestContext"])
    if body is not None and "raise" in body:
        raise ValueError("as asked")
    return {"statusCode": 200, "headers": headers, "body": json.dumps(event)}

def call_back(context):
    import boto3
    url = "http://" + context["domainName"] + "/" + context["stage"]
    client = boto3.client("apigatewaymanagementapi", endpoint_url=url)
    client.post_to_connection(ConnectionId=context["connectionId"], Data=b"from the function")

def authorize(event):
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    asked = (event.get("queryStringParameters") or {}).get("token")
    token = headers.get("authorization") or asked or event.get("authorizationToken")
    if token == "nobody":
        raise Exception("Unauthorized")
    if token == "broken":
        return "nonsense"
    if event.get("version") == "2.0":
        return {"isAuthorized": token == "friend", "context": {"who": token, "level": 3, "event": json.dumps(event)}}
    if token == "silent":
        elsewhere = "arn:aws:execute-api:*:*:none/*"
        return policy([{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": elsewhere}])
    effect = "Allow" if token in ("friend", "roles", "nowhere") else "Deny"
    resource = [] if token == "nowhere" else event["methodArn"]
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    context = {"who": token, "level": 3, "trusted": True, **({"roles": ["a"]} if token == "roles" else {})}
    return {**policy([statement]), "context": context}

def policy(statements):
    return {"principalId": "me", "policyDocument": {"Version": "2012-10-17", "Statement": statements}}
"""


@dataclass(frozen=True)
class Answer:
    """What came back. Header names are in lower case; of repeated ones there are several."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known == name), None)


def _add_role(aws: Aws) -> None:
    """Make the role by which tests have API Gateway and Lambda act, which must be there in strict mode."""
    iam = aws.client("iam")
    services = {"Service": ["apigateway.amazonaws.com", "lambda.amazonaws.com"]}
    trust = make_policy({"Effect": "Allow", "Principal": services, "Action": "sts:AssumeRole"})
    # It may be there, or a server may be without IAM.
    with suppress(ClientError):
        iam.create_role(RoleName="gateway", AssumeRolePolicyDocument=trust)
        iam.put_role_policy(RoleName="gateway", PolicyName="all", PolicyDocument=make_policy(allow("*")))
        change = {"op": "replace", "path": "/cloudwatchRoleArn", "value": f"arn:aws:iam::{aws.account}:role/gateway"}
        aws.client("apigateway").update_account(patchOperations=[change])


class GatewayCloud:
    """Clients of one account, and what tests do with them again and again."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.account = aws.account
        self.client: Any = aws.client("apigatewayv2")
        parts = urlsplit(aws.endpoint)
        self.host, self.port = parts.hostname or "", parts.port or 80
        self._function = ""
        if MODE == "strict":
            _add_role(aws)

    # -- what is made

    def api(self, **more: Any) -> str:
        """Create an HTTP API with a stage $default that is deployed automatically; return its id."""
        id: str = self.client.create_api(**{"Name": "shop", "ProtocolType": "HTTP", **more})["ApiId"]
        if "Target" not in more:
            self.client.create_stage(ApiId=id, StageName="$default", AutoDeploy=True)
        return id

    def websocket_api(self, *routes: str, stage: str = "live", **more: Any) -> str:
        """Create a WebSocket API whose routes go to the function, and answer; return its id."""
        given = {
            "Name": "chat",
            "ProtocolType": "WEBSOCKET",
            "RouteSelectionExpression": "$request.body.action",
            **more,
        }
        id: str = self.client.create_api(**given)["ApiId"]
        integration = self.to_function(id, version="1.0")
        for key in routes:
            route = self.route(id, key, integration, RouteResponseSelectionExpression="$default")
            if key not in ("$connect", "$disconnect"):
                self.client.create_route_response(ApiId=id, RouteId=route, RouteResponseKey="$default")
        self.client.create_stage(ApiId=id, StageName=stage, AutoDeploy=True)
        return id

    def websocket_api_without_function(self) -> str:
        """Create a WebSocket API with nothing in it; return its id."""
        given = {"Name": "chat", "ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "$request.body.action"}
        id: str = self.client.create_api(**given)["ApiId"]
        return id

    def integration(self, api: str, **more: Any) -> str:
        id: str = self.client.create_integration(ApiId=api, **more)["IntegrationId"]
        return id

    def to_url(self, api: str, url: str, **more: Any) -> str:
        """Create an integration with an HTTP endpoint; return its id."""
        given = {"IntegrationType": "HTTP_PROXY", "IntegrationMethod": "ANY", "IntegrationUri": url, **more}
        return self.integration(api, **given)

    def to_function(self, api: str, version: str = "2.0", **more: Any) -> str:
        """Create an integration with the account's function; return its id."""
        return self.integration(
            api,
            IntegrationType="AWS_PROXY",
            IntegrationUri=self.function(),
            PayloadFormatVersion=version,
            **more,
        )

    def route(self, api: str, key: str, integration: str | None = None, **more: Any) -> str:
        """Create a route; return its id."""
        target = {} if integration is None else {"Target": f"integrations/{integration}"}
        id: str = self.client.create_route(ApiId=api, RouteKey=key, **target, **more)["RouteId"]
        return id

    def function(self) -> str:
        """Return the ARN of the account's function, which API Gateway may call."""
        if not self._function:
            client = self.aws.client("lambda")
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as file:
                file.writestr("index.py", FUNCTION)
            created = client.create_function(
                FunctionName="echo",
                Runtime="python3.13",
                Role=f"arn:aws:iam::{self.account}:role/gateway",
                Timeout=20,
                Handler="index.handler",
                Code={"ZipFile": packed.getvalue()},
            )
            client.get_waiter("function_active_v2").wait(
                FunctionName="echo", WaiterConfig={"Delay": 0.05, "MaxAttempts": 200}
            )
            client.add_permission(
                FunctionName="echo",
                StatementId="gateway",
                Action="lambda:InvokeFunction",
                Principal="apigateway.amazonaws.com",
            )
            self._function = created["FunctionArn"]
        return self._function

    def authorizer(self, api: str, **more: Any) -> str:
        """Create an authorizer that asks the account's function; return its id."""
        region = self.aws.region
        uri = f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{self.function()}/invocations"
        given = {"AuthorizerType": "REQUEST", "Name": "ask", "AuthorizerUri": uri, **more}
        id: str = self.client.create_authorizer(ApiId=api, **given)["AuthorizerId"]
        return id

    # -- what is asked

    def ask(
        self,
        api: str,
        path: str = "/",
        *,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: bytes | str | None = None,
        host: str | None = None,
    ) -> Answer:
        """Send a request to an API (by path), or to a host."""
        target = f"/_aws/execute-api/{api}{path}" if host is None else path
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request(method, target, body, {**({"Host": host} if host else {}), **(headers or {})})
            response = connection.getresponse()
            return Answer(
                response.status, [(name.lower(), value) for name, value in response.getheaders()], response.read()
            )
        finally:
            connection.close()

    def connect(self, api: str, path: str = "/live", **more: Any) -> ClientConnection:
        """Open a WebSocket to an API."""
        return connect(f"ws://{self.host}:{self.port}/_aws/execute-api/{api}{path}", **more)

    def refused(self, operation: str, **params: Any) -> tuple[str, str, int]:
        """Call an operation that fails; return the error's code, its message and the HTTP status."""
        with pytest.raises(ClientError) as caught:
            getattr(self.client, operation)(**params)
        answer = caught.value.response
        return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]
