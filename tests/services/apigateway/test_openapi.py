"""HTTP APIs from OpenAPI documents, and as such."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.services.apigateway.cloud import GatewayCloud
from tests.services.apigateway.endpoint import Endpoint


def _definition(url: str) -> dict[str, Any]:
    integration = {"type": "http_proxy", "httpMethod": "ANY", "uri": f"{url}/pets", "payloadFormatVersion": "1.0"}
    return {
        "openapi": "3.0.1",
        "info": {"title": "pets", "version": "2.0", "description": "all of them"},
        "servers": [{"url": "https://example.com/{base}", "variables": {"base": {"default": "shop/v1"}}}],
        "tags": [{"name": "team", "x-amazon-apigateway-tag-value": "red"}],
        "security": [],
        "paths": {
            "/pets": {"get": {"operationId": "list", "x-amazon-apigateway-integration": integration}},
            "/pets/{id}": {
                "x-amazon-apigateway-any-method": {
                    "security": [{"tokens": ["read"]}],
                    "x-amazon-apigateway-integration": {"$ref": "#/components/x-amazon-apigateway-integrations/one"},
                }
            },
            "/signed": {"post": {"security": [{"sigv4": []}], "x-amazon-apigateway-integration": integration}},
            "/$default": {
                "x-amazon-apigateway-any-method": {
                    "isDefaultRoute": True,
                    "x-amazon-apigateway-integration": {**integration, "uri": f"{url}/default"},
                }
            },
        },
        "components": {
            "securitySchemes": {
                "tokens": {
                    "type": "oauth2",
                    "flows": {},
                    "x-amazon-apigateway-authorizer": {
                        "type": "jwt",
                        "identitySource": "$request.header.Authorization",
                        "jwtConfiguration": {"issuer": "https://issuer.example", "audience": ["shop"]},
                    },
                },
                "sigv4": {
                    "type": "apiKey",
                    "name": "Authorization",
                    "in": "header",
                    "x-amazon-apigateway-authtype": "awsSigv4",
                },
            },
            "x-amazon-apigateway-integrations": {"one": {**integration, "uri": f"{url}/one/{{id}}"}},
        },
        "x-amazon-apigateway-cors": {"allowOrigins": ["https://shop.example"], "maxAge": 5},
    }


@pytest.mark.parametrize("write", [json.dumps, yaml.safe_dump])
def test_an_api_is_imported(cloud: GatewayCloud, endpoint: Endpoint, write: Any) -> None:
    api = cloud.client.import_api(Body=write(_definition(endpoint.url)))
    assert (api["Name"], api["Version"], api["Description"]) == ("pets", "2.0", "all of them")
    assert api["Tags"] == {"team": "red"}
    assert api["CorsConfiguration"] == {"AllowOrigins": ["https://shop.example"], "MaxAge": 5}
    id = api["ApiId"]
    routes = {route["RouteKey"]: route for route in cloud.client.get_routes(ApiId=id)["Items"]}
    assert set(routes) == {"GET /pets", "ANY /pets/{id}", "POST /signed", "$default"}
    assert routes["GET /pets"]["OperationName"] == "list"
    assert routes["ANY /pets/{id}"]["AuthorizationType"] == "JWT"
    assert routes["ANY /pets/{id}"]["AuthorizationScopes"] == ["read"]
    assert routes["POST /signed"]["AuthorizationType"] == "AWS_IAM"
    cloud.client.create_stage(ApiId=id, StageName="$default", AutoDeploy=True)
    assert cloud.ask(id, "/pets").json["path"] == "/pets"
    assert cloud.ask(id, "/other").json["path"] == "/default"
    assert cloud.ask(id, "/pets/1").status == 401
    assert cloud.ask(id, "/signed", method="POST").status == 403


def test_an_api_is_imported_over_another(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    api = cloud.api(Target=f"{endpoint.url}/old", Description="old")
    changed = cloud.client.reimport_api(ApiId=api, Body=json.dumps(_definition(endpoint.url)))
    assert (changed["ApiId"], changed["Name"], changed["Description"]) == (api, "pets", "all of them")
    assert cloud.ask(api, "/other").json["path"] == "/default"
    assert len(cloud.client.get_integrations(ApiId=api)["Items"]) == 4


def test_variables_of_aws_are_resolved(cloud: GatewayCloud) -> None:
    definition = _definition("https://${AWS::AccountId}.${AWS::Region}.${AWS::Partition}.${stageVariables.x}")
    api = cloud.client.import_api(Body=json.dumps(definition))["ApiId"]
    found = {each["IntegrationUri"] for each in cloud.client.get_integrations(ApiId=api)["Items"]}
    assert f"https://{cloud.aws.account}.us-east-1.aws.${{stageVariables.x}}/pets" in found


@pytest.mark.parametrize(
    ("basepath", "path"), [("ignore", "/pets"), ("prepend", "/shop/v1/pets"), ("split", "/v1/pets")]
)
def test_the_base_path(cloud: GatewayCloud, endpoint: Endpoint, basepath: str, path: str) -> None:
    api = cloud.client.import_api(Body=json.dumps(_definition(endpoint.url)), Basepath=basepath)["ApiId"]
    assert f"GET {path}" in {route["RouteKey"] for route in cloud.client.get_routes(ApiId=api)["Items"]}


@pytest.mark.parametrize("output", ["JSON", "YAML"])
def test_what_is_exported_can_be_imported(cloud: GatewayCloud, endpoint: Endpoint, output: str) -> None:
    api = cloud.client.import_api(Body=json.dumps(_definition(endpoint.url)))["ApiId"]
    given = {"ApiId": api, "Specification": "OAS30", "OutputType": output}
    exported = cloud.client.export_api(**given)["body"].read()
    document = (json.loads if output == "JSON" else yaml.safe_load)(exported)
    assert document["openapi"] == "3.0.1"
    assert document["paths"]["/pets"]["get"]["operationId"] == "list"
    assert document["paths"]["/pets/{id}"]["x-amazon-apigateway-any-method"]["security"] == [{"tokens": ["read"]}]
    other = cloud.client.import_api(Body=exported.decode())["ApiId"]
    again = cloud.client.export_api(**{**given, "ApiId": other})["body"].read()
    assert again.decode().replace(other, api) == exported.decode()
    plain = cloud.client.export_api(**given, IncludeExtensions=False)["body"].read()
    assert b"x-amazon-apigateway-integration" not in plain


def test_a_stage_is_exported(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    api = cloud.api(Target=endpoint.url)
    given = {"ApiId": api, "Specification": "OAS30", "OutputType": "JSON"}
    exported = json.loads(cloud.client.export_api(**given, StageName="$default")["body"].read())
    assert list(exported["paths"]) == ["/$default"]
    assert cloud.refused("export_api", **given, StageName="nowhere")[0] == "NotFoundException"
    assert cloud.refused("export_api", **{**given, "Specification": "RAML"})[0] == "BadRequestException"


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        "a: [",
        '{"swagger": "2.0", "info": {"title": "x"}}',
        '{"openapi": "3.0.1"}',
        '{"openapi": "3.0.1", "info": {"title": "x"}, "paths": []}',
        '{"openapi": "3.0.1", "info": {"title": "x"}, "paths": {"pets": {}}}',
        '{"openapi": "3.0.1", "info": {"title": "x"}, "paths": {"/a": {"get": {"security": [{"nobody": []}]}}}}',
        '{"openapi": "3.0.1", "info": {"title": "x"}, "paths": {"/a": {"get": '
        '{"x-amazon-apigateway-integration": {"type": "MOCK"}}}}}',
        '{"openapi": "3.0.1", "info": {"title": "x"}, "paths": {"/a": {"get": '
        '{"x-amazon-apigateway-integration": {"$ref": "#/paths/~1a/get/x-amazon-apigateway-integration"}}}}}',
        "[" * 5000,
    ],
)
def test_definitions_that_make_no_sense(cloud: GatewayCloud, body: str) -> None:
    assert cloud.refused("import_api", Body=body)[0] == "BadRequestException"
    assert cloud.client.get_apis()["Items"] == []


def test_a_security_scheme_that_leads_nowhere(cloud: GatewayCloud) -> None:
    """A route whose security is not there would be open to all."""
    document = {
        "openapi": "3.0.1",
        "info": {"title": "pets"},
        "components": {"securitySchemes": {"mine": {"$ref": "#/components/securitySchemes/yours"}}},
        "paths": {"/pets": {"get": {"security": [{"mine": []}]}}},
    }
    code, message, _ = cloud.refused("import_api", Body=json.dumps(document))
    assert (code, message.partition(": ")[2]) == (
        "BadRequestException",
        "the reference #/components/securitySchemes/yours leads nowhere",
    )


def test_warnings(cloud: GatewayCloud) -> None:
    body = '{"openapi": "3.0.1", "info": {"title": "x"}, "paths": {"/a": {"get": {}}}}'
    assert cloud.refused("import_api", Body=body, FailOnWarnings=True)[0] == "BadRequestException"
    assert cloud.client.import_api(Body=body)["Warnings"] == ["There is no integration for the route GET /a"]


def test_a_definition_has_as_many_routes_as_an_api_may_have(cloud: GatewayCloud) -> None:
    def body(count: int) -> str:
        integration = {
            "type": "http_proxy",
            "httpMethod": "GET",
            "uri": "http://localhost/",
            "payloadFormatVersion": "1.0",
        }
        paths = {f"/{number}": {"get": {"x-amazon-apigateway-integration": integration}} for number in range(count)}
        return json.dumps({"openapi": "3.0.1", "info": {"title": "many"}, "paths": paths})

    code, message, _ = cloud.refused("import_api", Body=body(1001))
    assert (code, message) == ("TooManyRequestsException", "Maximum number of Routes for this API has been reached.")
    api = cloud.client.import_api(Body=body(30))["ApiId"]
    assert len(cloud.client.get_routes(ApiId=api)["Items"]) == 30
    given = {"ApiId": api, "RouteKey": "GET /7"}
    assert cloud.refused("create_route", **given)[1] == "Route with key GET /7 already exists for this API"
