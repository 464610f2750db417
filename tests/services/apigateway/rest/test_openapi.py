"""REST APIs out of OpenAPI definitions, and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.refused import code_of
from tests.services.apigateway.rest.cloud import RestCloud

MOCK: dict[str, Any] = {
    "type": "mock",
    "requestTemplates": {"application/json": '{"statusCode": 200}'},
    "tlsConfig": {"insecureSkipVerification": False},
    "responses": {
        "default": {
            "statusCode": "200",
            "responseParameters": {"method.response.header.X-One": "'1'"},
            "responseTemplates": {"application/json": "pet $input.params('id')"},
        }
    },
}
SWAGGER: dict[str, Any] = {
    "swagger": "2.0",
    "info": {"title": "pets", "version": "7", "description": "all of them"},
    "basePath": "/v1",
    "x-amazon-apigateway-binary-media-types": ["image/png"],
    "x-amazon-apigateway-request-validators": {"all": {"validateRequestBody": True, "validateRequestParameters": True}},
    "x-amazon-apigateway-request-validator": "all",
    "x-amazon-apigateway-gateway-responses": {
        "DEFAULT_4XX": {"responseParameters": {"gatewayresponse.header.X-Mine": "'yes'"}}
    },
    "securityDefinitions": {
        "key": {"type": "apiKey", "name": "x-api-key", "in": "header"},
        "signed": {
            "type": "apiKey",
            "name": "Authorization",
            "in": "header",
            "x-amazon-apigateway-authtype": "awsSigv4",
        },
    },
    "definitions": {
        "Tag": {"type": "string"},
        "Pet": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "tag": {"$ref": "#/definitions/Tag"}},
        },
    },
    "paths": {
        "/pets/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "type": "string"}],
            "get": {
                "operationId": "getPet",
                "parameters": [{"name": "q", "in": "query", "required": True, "type": "string"}],
                "responses": {"200": {"description": "ok", "headers": {"X-One": {"type": "string"}}}},
                "x-amazon-apigateway-integration": MOCK,
            },
        },
        "/pets": {
            "post": {
                "consumes": ["application/json"],
                "parameters": [{"in": "body", "name": "Pet", "schema": {"$ref": "#/definitions/Pet"}}],
                "responses": {
                    "200": {
                        "description": "ok",
                        "headers": {"X-One": {"type": "string"}},
                        "schema": {"$ref": "#/definitions/Pet"},
                    }
                },
                "x-amazon-apigateway-integration": MOCK,
            },
            "delete": {
                "security": [{"key": []}],
                "responses": {"200": {"description": "ok", "headers": {"X-One": {"type": "string"}}}},
                "x-amazon-apigateway-integration": MOCK,
            },
            "put": {
                "security": [{"signed": []}],
                "responses": {"200": {"description": "ok", "headers": {"X-One": {"type": "string"}}}},
                "x-amazon-apigateway-integration": MOCK,
            },
        },
    },
}


def _imported(cloud: RestCloud, document: dict[str, Any], **more: Any) -> str:
    id: str = cloud.client.import_rest_api(body=json.dumps(document).encode(), **more)["id"]
    return id


def test_swagger(cloud: RestCloud) -> None:
    api = _imported(cloud, SWAGGER, parameters={"endpointConfigurationTypes": "REGIONAL"})
    made = cloud.client.get_rest_api(restApiId=api)
    assert (made["name"], made["version"], made["description"]) == ("pets", "7", "all of them")
    assert made["binaryMediaTypes"] == ["image/png"]
    assert made["endpointConfiguration"]["types"] == ["REGIONAL"]
    cloud.deploy(api)
    answer = cloud.call(api, "/pets/7?q=1")
    assert (answer.body, answer.header("x-one")) == (b"pet 7", "1")
    assert cloud.call(api, "/pets/7").status == 400
    headers = {"Content-Type": "application/json"}
    assert cloud.call(api, "/pets", method="POST", body='{"name": "Ada", "tag": "t"}', headers=headers).status == 200
    refused = cloud.call(api, "/pets", method="POST", body='{"name": "Ada", "tag": 1}', headers=headers)
    assert (refused.status, refused.header("x-mine")) == (400, "yes")
    assert cloud.call(api, "/pets", method="DELETE").status == 403
    assert cloud.call(api, "/pets", method="PUT").json == {"message": "Missing Authentication Token"}


def test_variables_of_aws_are_resolved(cloud: RestCloud) -> None:
    uri = "arn:${AWS::Partition}:apigateway:${AWS::Region}:s3:path/${AWS::AccountId}"
    integration = {
        "type": "aws",
        "httpMethod": "GET",
        "uri": uri,
        "credentials": "arn:aws:iam::${AWS::AccountId}:role/r",
    }
    get = {"responses": {}, "x-amazon-apigateway-integration": integration}
    api = _imported(cloud, {"swagger": "2.0", "info": {"title": "x"}, "paths": {"/a": {"get": get}}})
    items = cloud.client.get_resources(restApiId=api)["items"]
    resource = next(each["id"] for each in items if each["path"] == "/a")
    found = cloud.client.get_integration(restApiId=api, resourceId=resource, httpMethod="GET")
    account = cloud.aws.account
    assert found["uri"] == f"arn:aws:apigateway:us-east-1:s3:path/{account}"
    assert found["credentials"] == f"arn:aws:iam::{account}:role/r"


def test_streamed_answers_are_not_taken_for_others(cloud: RestCloud) -> None:
    get = {"responses": {}, "x-amazon-apigateway-integration": {**MOCK, "responseTransferMode": "STREAM"}}
    document = {"swagger": "2.0", "info": {"title": "x"}, "paths": {"/a": {"get": get}}}
    assert code_of(cloud.client.import_rest_api, body=json.dumps(document).encode()) == "NotImplemented"


def test_tags_and_warnings(cloud: RestCloud) -> None:
    document = {
        "swagger": "2.0",
        "info": {"title": "x"},
        "tags": [{"name": "team", "x-amazon-apigateway-tag-value": "a"}, {"name": "other"}],
        "x-amazon-apigateway-magic": 1,
    }
    body = json.dumps(document).encode()
    made = cloud.client.import_rest_api(body=body)
    assert made["tags"] == {"team": "a"}
    assert made["warnings"] == ["The extension x-amazon-apigateway-magic is not supported, and ignored"]
    assert cloud.refused("import_rest_api", body=body, failOnWarnings=True)[0] == "BadRequestException"
    assert len(cloud.client.get_rest_apis()["items"]) == 1


def test_openapi_in_yaml(cloud: RestCloud) -> None:
    document = {
        "openapi": "3.0.1",
        "info": {"title": "pets", "version": "1"},
        "servers": [{"url": "https://x.example/{base}", "variables": {"base": {"default": "one/two"}}}],
        "paths": {
            "/pets": {
                "x-amazon-apigateway-any-method": {
                    "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}},
                    "responses": {"200": {"description": "ok", "headers": {"X-One": {"schema": {"type": "string"}}}}},
                    "x-amazon-apigateway-integration": MOCK,
                }
            }
        },
        "components": {"schemas": {"Pet": {"type": "object"}}},
    }
    text = yaml.safe_dump(document).encode()
    for basepath, path in (("ignore", "/pets"), ("prepend", "/one/two/pets"), ("split", "/two/pets")):
        api = cloud.client.import_rest_api(body=text, parameters={"basepath": basepath})["id"]
        cloud.deploy(api)
        assert cloud.call(api, path, method="PATCH", body="{}").status == 200


def test_an_api_is_put_again(cloud: RestCloud) -> None:
    api = _imported(cloud, SWAGGER)
    more = {
        "swagger": "2.0",
        "info": {"title": "more"},
        "paths": {"/more": {"get": {"x-amazon-apigateway-integration": {"type": "mock"}}}},
    }
    body = json.dumps(more).encode()
    merged = cloud.client.put_rest_api(restApiId=api, mode="merge", body=body)
    assert merged["name"] == "more"
    paths = {each["path"] for each in cloud.client.get_resources(restApiId=api)["items"]}
    assert paths == {"/", "/pets", "/pets/{id}", "/more"}
    cloud.client.put_rest_api(restApiId=api, mode="overwrite", body=body)
    paths = {each["path"] for each in cloud.client.get_resources(restApiId=api)["items"]}
    assert paths == {"/", "/more"}


def test_a_security_scheme_without_an_authorizer_is_a_warning(cloud: RestCloud) -> None:
    document = {
        "swagger": "2.0",
        "info": {"title": "pets"},
        "securityDefinitions": {"password": {"type": "basic"}},
        "paths": {"/pets": {"get": {"responses": {}, "security": [{"password": []}]}}},
    }
    body = json.dumps(document).encode()
    warning = "The security scheme password of GET /pets has no authorizer: it is ignored"
    assert cloud.client.import_rest_api(body=body)["warnings"] == [warning]
    code, message, _ = cloud.refused("import_rest_api", body=body, failOnWarnings=True)
    assert (code, warning in message) == ("BadRequestException", True)


@pytest.mark.parametrize("place", ["securityDefinitions", "parameters", "integration"])
def test_references_that_lead_nowhere(cloud: RestCloud, place: str) -> None:
    """A method whose security is not there would be open to all."""
    nowhere = {"$ref": "#/nowhere/at-all"}
    method: dict[str, Any] = {"responses": {}}
    document: dict[str, Any] = {"swagger": "2.0", "info": {"title": "pets"}, "paths": {"/pets": {"get": method}}}
    if place == "securityDefinitions":
        document[place] = {"mine": nowhere}
        method["security"] = [{"mine": []}]
    elif place == "parameters":
        method[place] = [nowhere]
    else:
        method["x-amazon-apigateway-integration"] = nowhere
    code, message, _ = cloud.refused("import_rest_api", body=json.dumps(document).encode())
    assert code == "BadRequestException"
    assert "the reference #/nowhere/at-all leads nowhere" in message


def test_many_references_keep_nobody_waiting(cloud: RestCloud) -> None:
    names = [f"p{number}" for number in range(20_000)]
    parameters = [{"$ref": f"#/parameters/{name}"} for name in (*names, "none")]
    document = {
        "swagger": "2.0",
        "info": {"title": "pets"},
        "parameters": {name: {"name": name, "in": "query", "type": "string"} for name in names},
        "paths": {"/pets": {"get": {"responses": {}, "parameters": parameters}}},
    }
    code, message, _ = cloud.refused("import_rest_api", body=json.dumps(document).encode())
    assert (code, "#/parameters/none leads nowhere" in message) == ("BadRequestException", True)


_MANY = "".join(f"  A{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]\n" for n in range(9))
_HEAD = "swagger: '2.0'\ninfo: {title: pets, version: '1'}\npaths: {}\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{_HEAD}x-many:\n  A0: &a0 [text]\n{_MANY}definitions:\n  All: {{enum: *a9}}\n", "stand for too much"),
        (f"{_HEAD}definitions:\n  A: &a\n    properties: *a\n", "stand for too much"),
        (f"{_HEAD}definitions:\n  A: {'{a: ' * 300}1{'}' * 300}\n", "nested too deeply"),
    ],
)
def test_definitions_that_are_larger_than_they_look(cloud: RestCloud, text: str, reason: str) -> None:
    code, message, _ = cloud.refused("import_rest_api", body=text.encode())
    assert code == "BadRequestException"
    assert reason in message


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"swagger": "2.0", "info": "x"},
        {"swagger": "2.0", "info": {"title": 1}},
        {"openapi": "4.0", "info": {"title": "x"}},
        {"swagger": "2.0", "info": {"title": "x"}, "paths": []},
        {"swagger": "2.0", "info": {"title": "x"}, "paths": {"/{a": {}}},
        {"swagger": "2.0", "info": {"title": "x"}, "paths": {"/": {"get": {"security": [{"none": []}]}}}},
        {
            "swagger": "2.0",
            "info": {"title": "x"},
            "paths": {"/": {"get": {"x-amazon-apigateway-integration": {"type": "magic"}}}},
        },
        {
            "swagger": "2.0",
            "info": {"title": "x"},
            "paths": {"/": {"get": {"x-amazon-apigateway-integration": MOCK}}},
        },
        {"swagger": "2.0", "info": {"title": "x"}, "paths": {"/": {"$ref": "#/paths/~1"}}},
    ],
)
def test_definitions_that_make_no_sense(cloud: RestCloud, document: dict[str, Any]) -> None:
    code, _, status = cloud.refused("import_rest_api", body=json.dumps(document).encode())
    assert (code, status) == ("BadRequestException", 400)
    assert cloud.client.get_rest_apis()["items"] == []


@pytest.mark.parametrize(("kind", "accepts"), [("swagger", "application/json"), ("oas30", "application/yaml")])
def test_what_is_exported_can_be_imported(cloud: RestCloud, kind: str, accepts: str) -> None:
    api = _imported(cloud, SWAGGER)
    cloud.deploy(api)
    exported = cloud.client.get_export(
        restApiId=api, stageName="dev", exportType=kind, accepts=accepts, parameters={"extensions": "apigateway"}
    )
    text = exported["body"].read()
    document = yaml.safe_load(text)
    assert document["info"] == {"title": "pets", "version": "7", "description": "all of them"}
    assert set(document["paths"]["/pets"]) == {"post", "delete", "put"}
    integration = document["paths"]["/pets/{id}"]["get"]["x-amazon-apigateway-integration"]
    assert integration["tlsConfig"] == MOCK["tlsConfig"]
    assert "timeoutInMillis" not in integration
    assert exported["contentType"] == "application/octet-stream"
    # Neither Empty nor Error is used.
    models = document["definitions"] if kind == "swagger" else document["components"]["schemas"]
    assert "Pet" in models
    assert {"Empty", "Error"}.isdisjoint(models)
    if kind == "swagger":
        assert document["paths"]["/pets"]["post"]["produces"] == ["application/json"]
    again = cloud.client.import_rest_api(body=text)["id"]
    cloud.deploy(again)
    assert cloud.call(again, "/pets/7?q=1").body == b"pet 7"
    assert cloud.call(again, "/pets/7").status == 400
    assert cloud.call(again, "/pets", method="DELETE").status == 403
    assert cloud.refused("get_export", restApiId=api, stageName="dev", exportType="x")[0] == "BadRequestException"


def test_an_authorizer_of_a_definition(shared: RestCloud) -> None:
    document = {
        "swagger": "2.0",
        "info": {"title": "guarded"},
        "securityDefinitions": {
            "ask": {
                "type": "apiKey",
                "name": "Authorization",
                "in": "header",
                "x-amazon-apigateway-authtype": "custom",
                "x-amazon-apigateway-authorizer": {"type": "token", "authorizerUri": shared.invocation()},
            }
        },
        "paths": {
            "/{proxy+}": {
                "x-amazon-apigateway-any-method": {
                    "security": [{"ask": []}],
                    "x-amazon-apigateway-integration": {
                        "type": "aws_proxy",
                        "httpMethod": "POST",
                        "uri": shared.invocation(),
                        "passthroughBehavior": "when_no_match",
                    },
                }
            }
        },
    }
    api = _imported(shared, document)
    shared.deploy(api)
    assert shared.call(api, "/a", headers={"Authorization": "friend"}).status == 200
    assert shared.call(api, "/b", headers={"Authorization": "enemy"}).status == 403


def test_a_definition_may_have_no_title(cloud: RestCloud) -> None:
    body = json.dumps({"openapi": "3.0.1", "paths": {}})
    made = cloud.client.import_rest_api(body=body)
    assert made["name"] == "Untitled"
    cloud.client.update_rest_api(
        restApiId=made["id"], patchOperations=[{"op": "replace", "path": "/name", "value": "pets"}]
    )
    assert cloud.client.put_rest_api(restApiId=made["id"], mode="overwrite", body=body)["name"] == "pets"
