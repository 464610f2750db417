"""REST and HTTP APIs of stacks that are given as definitions."""

from __future__ import annotations

from typing import Any

from cloudlet.testing.server import Aws
from tests.services.cloudformation.deploying import Stacks

_INTEGRATION = {"type": "mock", "responses": {"default": {"statusCode": "200"}}}
_PATHS = {
    "/": {"get": {"responses": {"200": {"description": "fine"}}, "x-amazon-apigateway-integration": _INTEGRATION}}
}


def _make_template(**properties: Any) -> dict[str, Any]:
    body = {"swagger": "2.0", "info": {"title": "theirs", "version": "1"}, "paths": _PATHS}
    return {
        "Resources": {"Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": body, **properties}}},
        "Outputs": {"Id": {"Value": {"Ref": "Api"}}},
    }


def test_properties_of_a_rest_api_come_before_its_definition(aws: Aws) -> None:
    stacks, client = Stacks(aws), aws.client("apigateway")
    given = {
        "ApiKeySourceType": "AUTHORIZER",
        "BinaryMediaTypes": ["image/png"],
        "Description": "ours",
        "DisableExecuteApiEndpoint": True,
        "EndpointConfiguration": {"Types": ["REGIONAL"]},
        "MinimumCompressionSize": 10,
        "Name": "shop",
        "Parameters": {"endpointConfigurationTypes": "REGIONAL"},
    }
    stack = stacks.create("s", _make_template(**given, FailOnWarnings=True))
    assert stack["StackStatus"] == "CREATE_COMPLETE", str(stacks.events("s"))
    wanted = {
        "apiKeySource": "AUTHORIZER",
        "binaryMediaTypes": ["image/png"],
        "description": "ours",
        "disableExecuteApiEndpoint": True,
        "minimumCompressionSize": 10,
        "name": "shop",
    }
    shown = client.get_rest_api(restApiId=stacks.outputs("s")["Id"])
    assert {name: shown[name] for name in wanted} == wanted
    assert shown["endpointConfiguration"]["types"] == ["REGIONAL"]

    changed = _make_template(**{**given, "Description": "changed"})
    assert stacks.update("s", changed)["StackStatus"] == "UPDATE_COMPLETE"
    shown = client.get_rest_api(restApiId=stacks.outputs("s")["Id"])
    assert {name: shown[name] for name in wanted} == {**wanted, "description": "changed"}


def test_the_default_route_may_lack_its_slash(aws: Aws) -> None:
    integration = {
        "type": "http_proxy",
        "uri": "https://example.com",
        "httpMethod": "GET",
        "payloadFormatVersion": "1.0",
    }
    route = {"isDefaultRoute": True, "x-amazon-apigateway-integration": integration}
    body = {
        "openapi": "3.0.1",
        "info": {"title": "shop", "version": "1"},
        "paths": {"$default": {"x-amazon-apigateway-any-method": route}},
    }
    stacks = Stacks(aws)
    template = {
        "Resources": {"Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Body": body}}},
        "Outputs": {"Id": {"Value": {"Ref": "Api"}}},
    }
    assert stacks.create("s", template)["StackStatus"] == "CREATE_COMPLETE", stacks.events("s")
    routes = aws.client("apigatewayv2").get_routes(ApiId=stacks.outputs("s")["Id"])["Items"]
    assert [each["RouteKey"] for each in routes] == ["$default"]
