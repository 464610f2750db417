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


def _make_rest_api(*, has_all: bool) -> dict[str, Any]:
    """Return a REST API with a stage and a usage plan, whose properties are given, or taken away again."""

    def choose(**properties: Any) -> dict[str, Any]:
        return properties if has_all else {}

    api = {"Name": "shop", "EndpointConfiguration": {"Types": ["REGIONAL"]}}
    api |= choose(Description="ours", ApiKeySourceType="AUTHORIZER", MinimumCompressionSize=10)
    api |= choose(DisableExecuteApiEndpoint=True)
    plain = {"HttpMethod": "*", "ResourcePath": "/*", "MetricsEnabled": True}
    settings = [
        {**plain, "ThrottlingBurstLimit": 7} if has_all else plain,
        *([{"HttpMethod": "GET", "ResourcePath": "/orders", "MetricsEnabled": True}] if has_all else []),
    ]
    stage = {"StageName": "live", "RestApiId": {"Ref": "Api"}, "DeploymentId": {"Ref": "Deployment"}}
    stage |= {"MethodSettings": settings, "Variables": {"kept": "1", **choose(gone="2")}}
    stage |= choose(Description="ours", TracingEnabled=True)
    plan = {"UsagePlanName": "all", "Throttle": {"RateLimit": 1.0, **choose(BurstLimit=2)}}
    plan |= choose(Description="ours", Quota={"Limit": 10, "Period": "DAY"})
    mock = {"Type": "MOCK", "RequestTemplates": {"application/json": '{"statusCode": 200}'}}
    method = {"RestApiId": {"Ref": "Api"}, "ResourceId": {"Fn::GetAtt": ["Api", "RootResourceId"]}}
    method |= {"HttpMethod": "GET", "AuthorizationType": "NONE", "Integration": mock}
    return {
        "Resources": {
            "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": api},
            "Get": {"Type": "AWS::ApiGateway::Method", "Properties": method},
            "Deployment": {
                "Type": "AWS::ApiGateway::Deployment",
                "DependsOn": "Get",
                "Properties": {"RestApiId": {"Ref": "Api"}},
            },
            "Stage": {"Type": "AWS::ApiGateway::Stage", "Properties": stage},
            "Plan": {"Type": "AWS::ApiGateway::UsagePlan", "Properties": plan},
        },
        "Outputs": {"Id": {"Value": {"Ref": "Api"}}, "Plan": {"Value": {"Ref": "Plan"}}},
    }


def test_what_a_template_takes_away_from_a_rest_api_goes(aws: Aws) -> None:
    stacks, client = Stacks(aws), aws.client("apigateway")
    assert stacks.create("s", _make_rest_api(has_all=True))["StackStatus"] == "CREATE_COMPLETE", stacks.events("s")
    outputs = stacks.outputs("s")
    assert client.get_stage(restApiId=outputs["Id"], stageName="live")["tracingEnabled"] is True
    assert stacks.update("s", _make_rest_api(has_all=False))["StackStatus"] == "UPDATE_COMPLETE", stacks.events("s")
    api = client.get_rest_api(restApiId=outputs["Id"])
    assert (api.get("description", ""), api["apiKeySource"], api.get("minimumCompressionSize")) == ("", "HEADER", None)
    assert api["disableExecuteApiEndpoint"] is False
    stage = client.get_stage(restApiId=outputs["Id"], stageName="live")
    assert (stage.get("description", ""), stage["tracingEnabled"], stage["variables"]) == ("", False, {"kept": "1"})
    assert list(stage["methodSettings"]) == ["*/*"]
    assert stage["methodSettings"]["*/*"]["throttlingBurstLimit"] == 5000
    plan = client.get_usage_plan(usagePlanId=outputs["Plan"])
    assert (plan.get("description", ""), plan["throttle"], "quota" in plan) == ("", {"rateLimit": 1.0}, False)
    without = _make_rest_api(has_all=False)
    del without["Resources"]["Stage"]["Properties"]["MethodSettings"]
    assert stacks.update("s", without)["StackStatus"] == "UPDATE_COMPLETE", stacks.events("s")
    assert client.get_stage(restApiId=outputs["Id"], stageName="live")["methodSettings"] == {}


def _make_http_api(*, has_all: bool) -> dict[str, Any]:
    def choose(**properties: Any) -> dict[str, Any]:
        return properties if has_all else {}

    api = {"Name": "shop", "ProtocolType": "HTTP"}
    api |= choose(Description="ours", Version="1", CorsConfiguration={"AllowOrigins": ["https://shop.example"]})
    api |= choose(DisableExecuteApiEndpoint=True)
    integration = {"ApiId": {"Ref": "Api"}, "IntegrationType": "HTTP_PROXY", "IntegrationMethod": "GET"}
    integration |= {"IntegrationUri": "https://shop.example", "PayloadFormatVersion": "1.0"}
    integration |= {
        "RequestParameters": {"append:header.kept": "1", **({"append:header.gone": "2"} if has_all else {})}
    }
    parameters = {"ResponseParameters": [{"Destination": "append:header.x", "Source": "1"}]}
    integration |= choose(Description="ours", ResponseParameters={"200": parameters})
    route = {"ApiId": {"Ref": "Api"}, "RouteKey": "GET /orders"}
    route |= {"Target": {"Fn::Sub": "integrations/${Integration}"}}
    route |= choose(AuthorizationType="AWS_IAM", OperationName="list")
    stage = {"ApiId": {"Ref": "Api"}, "StageName": "live", "StageVariables": {"kept": "1", **choose(gone="2")}}
    logs = {"DestinationArn": {"Fn::GetAtt": ["Logs", "Arn"]}, "Format": "$context.requestId"}
    stage |= choose(Description="ours", AutoDeploy=True, AccessLogSettings=logs)
    stage |= choose(DefaultRouteSettings={"ThrottlingBurstLimit": 7})
    kinds = {"Api": api, "Integration": integration, "Route": route, "Stage": stage}
    resources: dict[str, Any] = {
        name: {"Type": f"AWS::ApiGatewayV2::{name}", "Properties": properties} for name, properties in kinds.items()
    }
    return {
        "Resources": {**resources, "Logs": {"Type": "AWS::Logs::LogGroup"}},
        "Outputs": {name: {"Value": {"Ref": name}} for name in ("Api", "Integration", "Route")},
    }


def test_what_a_template_takes_away_from_an_http_api_goes(aws: Aws) -> None:
    stacks, client = Stacks(aws), aws.client("apigatewayv2")
    assert stacks.create("s", _make_http_api(has_all=True))["StackStatus"] == "CREATE_COMPLETE", stacks.events("s")
    outputs = stacks.outputs("s")
    id = outputs["Api"]
    assert "AccessLogSettings" in client.get_stage(ApiId=id, StageName="live")
    assert stacks.update("s", _make_http_api(has_all=False))["StackStatus"] == "UPDATE_COMPLETE", stacks.events("s")
    api = client.get_api(ApiId=id)
    assert not {"Description", "Version", "CorsConfiguration"} & set(api)
    assert api["DisableExecuteApiEndpoint"] is False
    integration = client.get_integration(ApiId=id, IntegrationId=outputs["Integration"])
    assert integration["RequestParameters"] == {"append:header.kept": "1"}
    assert "Description" not in integration
    assert not integration.get("ResponseParameters")
    route = client.get_route(ApiId=id, RouteId=outputs["Route"])
    assert (route["AuthorizationType"], route.get("OperationName")) == ("NONE", None)
    stage = client.get_stage(ApiId=id, StageName="live")
    assert (stage["StageVariables"], stage["AutoDeploy"]) == ({"kept": "1"}, False)
    assert not {"Description", "AccessLogSettings"} & set(stage)
    assert not stage["DefaultRouteSettings"].get("ThrottlingBurstLimit")
