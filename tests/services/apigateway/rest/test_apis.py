"""REST APIs, and what they are made of, as their operations show them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.services.apigateway.rest.cloud import RestCloud
from tests.standing import eventually


def test_an_api(cloud: RestCloud) -> None:
    made = cloud.client.create_rest_api(
        name="shop", description="of pets", endpointConfiguration={"types": ["REGIONAL"]}, tags={"team": "a"}
    )
    api = made["id"]
    assert made["endpointConfiguration"]["types"] == ["REGIONAL"]
    assert made["apiKeySource"] == "HEADER"
    known = cloud.client.get_rest_api(restApiId=api)
    assert {key: known[key] for key in ("name", "description", "tags")} == {
        "name": "shop",
        "description": "of pets",
        "tags": {"team": "a"},
    }
    assert [each["id"] for each in cloud.client.get_rest_apis()["items"]] == [api]
    patched = cloud.patch(
        "update_rest_api",
        ("replace", "/name", "store"),
        ("add", "/binaryMediaTypes/image~1png"),
        ("replace", "/minimumCompressionSize", "100"),
        ("replace", "/disableExecuteApiEndpoint", "true"),
        ("replace", "/endpointConfiguration/types/REGIONAL", "EDGE"),
        restApiId=api,
    )
    assert (patched["name"], patched["binaryMediaTypes"], patched["minimumCompressionSize"]) == (
        "store",
        ["image/png"],
        100,
    )
    assert patched["disableExecuteApiEndpoint"] is True
    assert patched["endpointConfiguration"]["types"] == ["EDGE"]
    patched = cloud.patch(
        "update_rest_api",
        ("remove", "/binaryMediaTypes/image~1png"),
        ("replace", "/minimumCompressionSize", ""),
        restApiId=api,
    )
    assert "minimumCompressionSize" not in patched
    cloud.client.delete_rest_api(restApiId=api)
    code, message, status = cloud.refused("get_rest_api", restApiId=api)
    assert (code, status) == ("NotFoundException", 404)
    assert message == f"Invalid API identifier specified {cloud.account}:{api}"


def test_patches_that_make_no_sense(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    for patch in (
        {"op": "replace", "path": "/nonsense", "value": "x"},
        {"op": "add", "path": "/name", "value": "x"},
        {"op": "replace", "path": "name", "value": "x"},
        {"op": "replace", "path": "/disableExecuteApiEndpoint", "value": "perhaps"},
        {"op": "replace", "path": "/minimumCompressionSize", "value": "99999999999"},
        {"op": "replace", "path": "/apiKeySource", "value": "NOWHERE"},
        {"op": "move", "path": "/name", "from": "/description"},
        {"op": "replace", "path": "/name"},
    ):
        code, message, status = cloud.refused("update_rest_api", restApiId=api, patchOperations=[patch])
        assert (code, status) == ("BadRequestException", 400), patch
    code, message, _ = cloud.refused(
        "update_rest_api", restApiId=api, patchOperations=[{"op": "replace", "path": "/x", "value": "1"}]
    )
    assert message.startswith("Invalid patch path  '/x' specified for op 'replace'. Must be one of: [")


def test_pages(cloud: RestCloud) -> None:
    made = {cloud.rest_api(f"api-{number}") for number in range(3)}
    pages = cloud.client.get_paginator("get_rest_apis").paginate(PaginationConfig={"PageSize": 2})
    found = [[each["id"] for each in page["items"]] for page in pages]
    assert [len(page) for page in found] == [2, 1]
    assert {id for page in found for id in page} == made


def test_resources(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    (root,) = cloud.client.get_resources(restApiId=api)["items"]
    assert root["path"] == "/"
    pets = cloud.client.create_resource(restApiId=api, parentId=root["id"], pathPart="pets")
    assert (pets["path"], pets["parentId"]) == ("/pets", root["id"])
    one = cloud.client.create_resource(restApiId=api, parentId=pets["id"], pathPart="{id}")
    rest = cloud.client.create_resource(restApiId=api, parentId=one["id"], pathPart="{proxy+}")
    assert rest["path"] == "/pets/{id}/{proxy+}"
    for parent, part, code in (
        (root["id"], "pets", "ConflictException"),
        (pets["id"], "{other}", "BadRequestException"),
        (root["id"], "a/b", "BadRequestException"),
        (root["id"], "{a", "BadRequestException"),
        (rest["id"], "more", "BadRequestException"),
        ("nowhere", "more", "NotFoundException"),
    ):
        assert cloud.refused("create_resource", restApiId=api, parentId=parent, pathPart=part)[0] == code
    moved = cloud.patch("update_resource", ("replace", "/pathPart", "animals"), restApiId=api, resourceId=pets["id"])
    assert moved["path"] == "/animals"
    assert cloud.client.get_resource(restApiId=api, resourceId=rest["id"])["path"] == "/animals/{id}/{proxy+}"
    assert cloud.refused("delete_resource", restApiId=api, resourceId=root["id"])[0] == "BadRequestException"
    cloud.client.delete_resource(restApiId=api, resourceId=pets["id"])
    assert [each["path"] for each in cloud.client.get_resources(restApiId=api)["items"]] == ["/"]


def test_methods(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    names = cloud.method(api, "/pets/{id}", "GET", requestParameters={"method.request.path.id": True})
    cloud.to_mock(names)
    cloud.response(names, "200", headers={"X-One": "'1'"})
    method = cloud.client.get_method(**names)
    assert method["authorizationType"] == "NONE"
    assert method["apiKeyRequired"] is False
    assert method["requestParameters"] == {"method.request.path.id": True}
    assert method["methodIntegration"]["type"] == "MOCK"
    assert method["methodIntegration"]["passthroughBehavior"] == "WHEN_NO_MATCH"
    assert method["methodIntegration"]["timeoutInMillis"] == 29000
    response = method["methodIntegration"]["integrationResponses"]["200"]
    assert response["responseParameters"] == {"method.response.header.X-One": "'1'"}
    resource: dict[str, Any] = {"restApiId": api, "resourceId": names["resourceId"]}
    assert cloud.client.get_resource(**resource)["resourceMethods"] == {"GET": {}}
    embedded = cloud.client.get_resource(**resource, embed=["methods"])["resourceMethods"]
    assert embedded["GET"]["methodIntegration"]["type"] == "MOCK"
    patched = cloud.patch(
        "update_method",
        ("replace", "/apiKeyRequired", "true"),
        ("add", "/requestParameters/method.request.querystring.q", "false"),
        **names,
    )
    assert patched["apiKeyRequired"] is True
    assert patched["requestParameters"]["method.request.querystring.q"] is False
    patched = cloud.patch(
        "update_integration",
        ("add", "/requestTemplates/text~1plain", "x"),
        ("replace", "/timeoutInMillis", "100"),
        **names,
    )
    assert patched["requestTemplates"]["text/plain"] == "x"
    assert patched["timeoutInMillis"] == 100
    patched = cloud.patch(
        "update_integration_response", ("replace", "/selectionPattern", "2.."), **names, statusCode="200"
    )
    assert patched["selectionPattern"] == "2.."
    cloud.client.delete_integration_response(**names, statusCode="200")
    assert cloud.refused("get_integration_response", **names, statusCode="200")[0] == "NotFoundException"
    cloud.client.delete_method_response(**names, statusCode="200")
    cloud.client.delete_integration(**names)
    assert cloud.refused("get_integration", **names)[0] == "NotFoundException"
    cloud.client.delete_method(**names)
    assert cloud.refused("get_method", **names)[0] == "NotFoundException"


def test_methods_that_make_no_sense(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    names = cloud.method(api, "/")
    assert cloud.refused("put_method", **names, authorizationType="NONE")[0] == "ConflictException"
    other = {**names, "httpMethod": "POST"}
    for given in (
        {"authorizationType": "MAGIC"},
        {"authorizationType": "CUSTOM"},
        {"authorizationType": "CUSTOM", "authorizerId": "none"},
        {"authorizationType": "NONE", "requestParameters": {"q": True}},
        {"authorizationType": "NONE", "requestModels": {"application/json": "Unknown"}},
    ):
        assert cloud.refused("put_method", **other, **given)[0] == "BadRequestException", given
    assert cloud.refused("put_method", **{**names, "httpMethod": "GETT"}, authorizationType="NONE")[2] == 400
    code, _, status = cloud.refused("put_method", **other, authorizationType="COGNITO_USER_POOLS")
    assert (code, status) == ("NotImplemented", 501)
    function = "arn:aws:lambda:us-east-1:1:function:f"
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"
    for given in (
        {"type": "HTTP", "integrationHttpMethod": "GET", "uri": "nonsense"},
        {"type": "HTTP", "uri": "http://x.example"},
        {"type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": "arn:aws:lambda:us-east-1:1:function:f"},
        {"type": "AWS", "integrationHttpMethod": "POST", "uri": "arn:aws:apigateway:us-east-1:sqs:path/1/q"},
        {"type": "MOCK", "timeoutInMillis": 20},
        {"type": "MOCK", "passthroughBehavior": "SOMETIMES"},
        {"type": "MOCK", "requestTemplates": {"application/json": "#if("}},
        {"type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": uri, "connectionType": "VPC_LINK"},
        {"type": "MOCK", "requestParameters": {"integration.request.header.x": "method.request.header.unknown"}},
        {"type": "MOCK", "requestParameters": {"nonsense": "'x'"}},
        {"type": "MOCK", "cacheKeyParameters": ["method.request.header.unknown"]},
    ):
        assert cloud.refused("put_integration", **names, **given)[0] == "BadRequestException", given
    cloud.to_mock(names)
    cloud.client.put_method_response(**names, statusCode="200")
    wrong = {"responseParameters": {"method.response.header.X": "'1'"}}
    assert cloud.refused("put_integration_response", **names, statusCode="200", **wrong)[0] == "BadRequestException"
    wrong = {"selectionPattern": "("}
    assert cloud.refused("put_integration_response", **names, statusCode="200", **wrong)[0] == "BadRequestException"


def test_what_is_empty_is_not_shown(cloud: RestCloud) -> None:
    made = cloud.client.create_rest_api(name="shop", tags={})
    assert "tags" not in made
    assert "tags" not in cloud.client.create_api_key(name="k")
    names = {"restApiId": made["id"], "resourceId": made["rootResourceId"], "httpMethod": "GET"}
    empty: dict[str, str] = {}
    shown = cloud.client.put_method(
        **names, authorizationType="none", requestParameters=empty, requestModels=empty, operationName=""
    )
    assert shown["authorizationType"] == "NONE"
    assert {"requestParameters", "requestModels", "operationName"}.isdisjoint(shown)
    shown = cloud.client.put_integration(
        **names, type="MOCK", credentials="", requestParameters=empty, requestTemplates=empty
    )
    assert {"requestParameters", "requestTemplates", "credentials"}.isdisjoint(shown)
    for operation in ("put_integration_response", "put_method_response"):
        more = {"responseTemplates": empty} if operation == "put_integration_response" else {"responseModels": empty}
        shown = getattr(cloud.client, operation)(**names, statusCode="200", responseParameters=empty, **more)
        assert {"responseParameters", "responseTemplates", "responseModels"}.isdisjoint(shown)
    added = "/responseParameters/method.response.header.x"
    cloud.patch("update_method_response", ("add", added, "true"), **names, statusCode="200")
    shown = cloud.patch("update_method_response", ("remove", added), **names, statusCode="200")
    assert "responseParameters" not in shown


def test_values_that_the_model_does_not_know(cloud: RestCloud) -> None:
    names = cloud.method(cloud.rest_api(), "/")
    for operation, given, path in (
        ("put_integration", {**names, "type": "HTTPS_PROXY"}, "putIntegrationInput.type"),
        ("create_rest_api", {"name": "a", "apiKeySource": "MAGIC"}, "createRestApiInput.apiKeySource"),
        ("put_gateway_response", {"restApiId": names["restApiId"], "responseType": "MAGIC"}, "responseType"),
    ):
        code, message, status = cloud.refused(operation, **given)
        assert (code, status) == ("ValidationException", 400)
        assert f"at '{path}' failed to satisfy constraint: Member must satisfy enum value set: [" in message


def test_what_is_missing_is_what_was_looked_for(cloud: RestCloud) -> None:
    """Where the API is not there, neither is the part of it that is asked for."""
    names = {"restApiId": "none", "resourceId": "none", "httpMethod": "GET"}
    for operation, given, message in (
        ("get_resource", {"restApiId": "none", "resourceId": "r"}, "Invalid Resource identifier specified"),
        ("put_method", {**names, "authorizationType": "NONE"}, "Invalid Resource identifier specified"),
        ("get_stage", {"restApiId": "none", "stageName": "s"}, "Invalid stage identifier specified"),
        ("get_deployment", {"restApiId": "none", "deploymentId": "d"}, "Invalid Deployment identifier specified"),
        ("get_authorizer", {"restApiId": "none", "authorizerId": "a"}, "Invalid Authorizer identifier specified"),
        ("get_resources", {"restApiId": "none"}, f"Invalid API identifier specified {cloud.account}:none"),
    ):
        assert cloud.refused(operation, **given) == ("NotFoundException", message, 404)


def test_updates_that_are_refused(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    cloud.mocked(api, "/")
    cloud.deploy(api)
    stage = {"restApiId": api, "stageName": "dev"}
    method = {"restApiId": api, "resourceId": cloud.resource(api, "/"), "httpMethod": "GET"}
    key = {"apiKey": cloud.client.create_api_key(name="k")["id"]}
    response = {"restApiId": api, "responseType": "DEFAULT_4XX"}
    for operation, names, patch, message in (
        (
            "update_stage",
            stage,
            {"op": "remove", "path": "/*/*"},
            "Cannot remove method setting */* because there is no method setting for this method",
        ),
        ("update_stage", stage, {"op": "remove", "path": "/*"}, "Invalid method setting path: /*"),
        (
            "update_stage",
            stage,
            {"op": "replace", "path": "/tags/a", "value": "b"},
            "Invalid patch path  '/tags/a' specified for op 'replace'. Must be one of: [/deploymentId, ",
        ),
        (
            "update_api_key",
            key,
            {"op": "add", "path": "/customerId", "value": "c"},
            "Invalid patch path  '/customerId'",
        ),
        ("update_method", method, {"op": "add", "path": "/operationName", "value": "o"}, "Invalid patch path  '/oper"),
        ("update_gateway_response", response, {"op": "remove", "path": "/statusCode"}, "Invalid patch path  '/status"),
    ):
        refused = cloud.refused(operation, **names, patchOperations=[patch])
        assert (refused[0], refused[2]) == ("BadRequestException", 400)
        assert refused[1].startswith(message), refused[1]
    for schema in ({}, {"schema": ""}):
        refused = cloud.refused("create_model", restApiId=api, name="m", contentType="application/json", **schema)
        message = "Model schema must have at least 1 property or array items defined"
        assert refused == ("BadRequestException", message, 400)
    assert cloud.refused("create_rest_api", name="a", policy="{}")[1] == (
        "Invalid policy document. Please check the policy syntax and ensure that Principals are valid."
    )


def test_models(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    assert {each["name"] for each in cloud.client.get_models(restApiId=api)["items"]} == {"Empty", "Error"}
    cloud.client.create_model(restApiId=api, name="Tag", contentType="application/json", schema='{"type": "string"}')
    reference = f"https://apigateway.amazonaws.com/restapis/{api}/models/Tag"
    cloud.client.create_model(
        restApiId=api,
        name="Pet",
        contentType="application/json",
        schema=json.dumps({"type": "object", "properties": {"tag": {"$ref": reference}}}),
    )
    flat = json.loads(cloud.client.get_model(restApiId=api, modelName="Pet", flatten=True)["schema"])
    assert flat["definitions"] == {"Tag": {"type": "string"}}
    pet = {"restApiId": api, "name": "Pet", "contentType": "application/json"}
    assert cloud.refused("create_model", **pet)[0] == "ConflictException"
    for wrong in ({"schema": "nonsense"}, {"schema": '{"type": 7}'}):
        given = {"restApiId": api, "name": "Other", "contentType": "application/json", **wrong}
        assert cloud.refused("create_model", **given)[0] == "BadRequestException"
    assert cloud.refused("delete_model", restApiId=api, modelName="Tag")[0] == "ConflictException"
    cloud.method(api, "/", "POST", requestModels={"application/json": "Pet"})
    assert cloud.refused("delete_model", restApiId=api, modelName="Pet")[0] == "ConflictException"
    cloud.client.delete_model(restApiId=api, modelName="Error")


def test_stages_and_deployments(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    assert cloud.refused("create_deployment", restApiId=api)[0] == "BadRequestException"
    names = cloud.method(api, "/pets")
    assert cloud.refused("create_deployment", restApiId=api)[1] == "No integration defined for method"
    cloud.to_mock(names)
    cloud.response(names, template="one")
    first = cloud.deploy(api, "dev", description="the first")
    summary = cloud.client.get_deployment(restApiId=api, deploymentId=first, embed=["apisummary"])["apiSummary"]
    assert summary == {"/pets": {"GET": {"authorizationType": "NONE", "apiKeyRequired": False}}}
    cloud.client.create_stage(restApiId=api, stageName="live", deploymentId=first, tags={"a": "b"})
    assert [each["stageName"] for each in cloud.client.get_stages(restApiId=api)["item"]] == ["dev", "live"]
    cloud.patch(
        "update_integration_response",
        ("replace", "/responseTemplates/application~1json", "two"),
        **names,
        statusCode="200",
    )
    assert cloud.call(api, "/pets").body == b"one"
    second = cloud.deploy(api, "dev")
    assert cloud.call(api, "/pets").body == b"two"
    assert cloud.call(api, "/pets", stage="live").body == b"one"
    assert cloud.refused("delete_deployment", restApiId=api, deploymentId=first)[0] == "BadRequestException"
    stage = cloud.patch(
        "update_stage",
        ("replace", "/deploymentId", second),
        ("replace", "/variables/color", "red"),
        ("replace", "/*/*/throttling/rateLimit", "5"),
        ("replace", "/~1pets/GET/metrics/enabled", "true"),
        ("replace", "/pets/{id}/GET/metrics/enabled", "true"),
        restApiId=api,
        stageName="live",
    )
    assert stage["variables"] == {"color": "red"}
    assert stage["methodSettings"]["*/*"]["throttlingRateLimit"] == 5.0
    assert stage["methodSettings"]["~1pets/GET"]["metricsEnabled"] is True
    assert stage["tags"] == {"a": "b"}
    stage = cloud.patch("update_stage", ("remove", "/*/*"), restApiId=api, stageName="live")
    assert set(stage["methodSettings"]) == {"~1pets/GET", "pets/{id}/GET"}
    cloud.client.delete_deployment(restApiId=api, deploymentId=first)
    for given, code in (
        ({"stageName": "live", "deploymentId": second}, "ConflictException"),
        ({"stageName": "a b", "deploymentId": second}, "BadRequestException"),
        ({"stageName": "more", "deploymentId": "none"}, "BadRequestException"),
        ({"stageName": "more", "deploymentId": second, "variables": {"a b": "x"}}, "BadRequestException"),
    ):
        assert cloud.refused("create_stage", restApiId=api, **given)[0] == code
    # Where permissions are enforced, the account has a role from the beginning.
    cloud.patch("update_account", ("replace", "/cloudwatchRoleArn", ""))
    logs = ("replace", "/*/*/logging/loglevel", "INFO")
    patch = [dict(zip(("op", "path", "value"), logs, strict=True))]
    refused = cloud.refused("update_stage", restApiId=api, stageName="live", patchOperations=patch)
    assert refused[1] == "CloudWatch Logs role ARN must be set in account settings to enable logging"
    cloud.client.delete_stage(restApiId=api, stageName="live")
    assert cloud.call(api, "/pets", stage="live").status == 403


def test_a_clone(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    cloud.mocked(api, "/pets/{id}", template="pet")
    clone = cloud.rest_api("clone", cloneFrom=api)
    cloud.deploy(clone)
    assert cloud.call(clone, "/pets/7").body == b"pet"


def test_gateway_responses_as_they_are_shown(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    every = cloud.client.get_gateway_responses(restApiId=api)["items"]
    assert len(every) == 21
    assert all(each["defaultResponse"] for each in every)
    cloud.client.put_gateway_response(restApiId=api, responseType="THROTTLED", statusCode="503")
    one = cloud.client.get_gateway_response(restApiId=api, responseType="THROTTLED")
    assert (one["statusCode"], one["defaultResponse"]) == ("503", False)
    cloud.client.delete_gateway_response(restApiId=api, responseType="THROTTLED")
    gone = {"restApiId": api, "responseType": "THROTTLED"}
    assert cloud.refused("delete_gateway_response", **gone)[0] == "NotFoundException"


def test_the_account(cloud: RestCloud) -> None:
    account = cloud.client.get_account()
    assert account["throttleSettings"] == {"burstLimit": 5000, "rateLimit": 10000.0}
    account = cloud.patch("update_account", ("replace", "/cloudwatchRoleArn", cloud.role))
    assert account["cloudwatchRoleArn"] == cloud.role


def test_tags(cloud: RestCloud) -> None:
    api = cloud.rest_api(tags={"a": "1"})
    arn = f"arn:aws:apigateway:{cloud.aws.region}::/restapis/{api}"
    cloud.client.tag_resource(resourceArn=arn, tags={"b": "2"})
    cloud.client.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert cloud.client.get_tags(resourceArn=arn)["tags"] == {"b": "2"}
    assert cloud.refused("get_tags", resourceArn=f"{arn}x")[0] == "NotFoundException"
    assert cloud.refused("get_tags", resourceArn="nonsense")[0] == "BadRequestException"


def test_client_certificates(cloud: RestCloud) -> None:
    made = cloud.client.generate_client_certificate(description="mine")
    assert made["pemEncodedCertificate"].startswith("-----BEGIN CERTIFICATE-----")
    id = made["clientCertificateId"]
    assert [each["clientCertificateId"] for each in cloud.client.get_client_certificates()["items"]] == [id]
    api = cloud.rest_api()
    cloud.mocked(api, "/")
    cloud.deploy(api, "live")
    stage = {"restApiId": api, "stageName": "live"}
    certify = [{"op": "replace", "path": "/clientCertificateId", "value": id}]
    cloud.client.update_stage(**stage, patchOperations=certify)
    assert cloud.refused("delete_client_certificate", clientCertificateId=id) == (
        "BadRequestException",
        f"Cannot delete Client Certificate {id} because there are API Stages associated with it, including {api}:live",
        400,
    )
    cloud.client.update_stage(**stage, patchOperations=[{"op": "remove", "path": "/clientCertificateId"}])
    cloud.client.delete_client_certificate(clientCertificateId=id)
    assert cloud.refused("get_client_certificate", clientCertificateId=id)[0] == "NotFoundException"


def test_vpc_links(cloud: RestCloud) -> None:
    target = f"arn:aws:elasticloadbalancing:us-east-1:{cloud.account}:loadbalancer/net/x/1"
    link = cloud.client.create_vpc_link(name="inside", targetArns=[target])
    found = eventually(lambda: cloud.client.get_vpc_link(vpcLinkId=link["id"]), lambda one: one["status"] != "PENDING")
    assert (found["status"], target in found["statusMessage"]) == ("FAILED", True)
    api = cloud.rest_api()
    names = cloud.method(api, "/")
    cloud.client.put_integration(
        **names,
        type="HTTP_PROXY",
        integrationHttpMethod="GET",
        uri="http://inside.example/",
        connectionType="VPC_LINK",
        connectionId=link["id"],
    )
    cloud.deploy(api)
    assert cloud.call(api).status == 504
    assert cloud.refused("delete_vpc_link", vpcLinkId=link["id"])[0] == "BadRequestException"
    cloud.client.delete_rest_api(restApiId=api)
    cloud.client.delete_vpc_link(vpcLinkId=link["id"])


def test_documentation(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    place = {"type": "METHOD", "path": "/pets", "method": "GET"}
    part = cloud.client.create_documentation_part(
        restApiId=api, location=place, properties='{"description": "lists pets"}'
    )
    assert part["location"] == place
    again = {"restApiId": api, "location": place, "properties": "{}"}
    assert cloud.refused("create_documentation_part", **again)[0] == "ConflictException"
    wrong = {"restApiId": api, "location": {"type": "API", "path": "/"}, "properties": "{}"}
    assert cloud.refused("create_documentation_part", **wrong)[0] == "BadRequestException"
    body = {
        "x-amazon-apigateway-documentation": {
            "documentationParts": [{"location": {"type": "API"}, "properties": {"info": {"description": "pets"}}}]
        }
    }
    imported = cloud.client.import_documentation_parts(restApiId=api, mode="merge", body=json.dumps(body).encode())
    assert len(imported["ids"]) == 1
    assert len(cloud.client.get_documentation_parts(restApiId=api)["items"]) == 2
    assert len(cloud.client.get_documentation_parts(restApiId=api, type="METHOD")["items"]) == 1
    cloud.client.create_documentation_version(restApiId=api, documentationVersion="1")
    assert [each["version"] for each in cloud.client.get_documentation_versions(restApiId=api)["items"]] == ["1"]
    cloud.client.delete_documentation_version(restApiId=api, documentationVersion="1")
    cloud.client.delete_documentation_part(restApiId=api, documentationPartId=part["id"])


@pytest.mark.parametrize("operation", ["get_sdk_types"])
def test_what_is_not_built(cloud: RestCloud, operation: str) -> None:
    code, message, status = cloud.refused(operation)
    assert (code, status) == ("NotImplemented", 501)
    assert "Cloudlet does not implement apigateway:" in message


def test_records_of_calls_have_no_secrets(cloud: RestCloud) -> None:
    secret = "nobody-may-know-this-0123456789"
    api = cloud.rest_api()
    cloud.mocked(api, "/pets")
    cloud.client.create_api_key(name="key", value=secret)
    file = f"name,key\nother,{secret}+".encode()
    cloud.client.import_api_keys(body=file, format="csv")
    names = {"restApiId": api, "resourceId": cloud.resource(api, "/pets"), "httpMethod": "GET"}
    headers = {"Authorization": secret}
    cloud.client.test_invoke_method(
        **names, headers=headers, multiValueHeaders={"X-Api-Key": [secret]}, pathWithQueryString=f"/pets?token={secret}"
    )
    domain = {"domainName": f"{cloud.account}.example", "certificateName": "c", "certificateBody": "b"}
    assert cloud.refused("create_domain_name", **domain, certificatePrivateKey=secret)[2] == 501
    trails = cloud.aws.client("cloudtrail")

    def records() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = trails.lookup_events(MaxResults=50)["Events"]
        return found

    wanted = {"CreateApiKey", "ImportApiKeys", "TestInvokeMethod", "CreateDomainName"}
    found = eventually(records, lambda got: wanted <= {each["EventName"] for each in got})
    assert not any(secret in each["CloudTrailEvent"] for each in found)


def test_patterns_of_models_that_cannot_be_matched(cloud: RestCloud) -> None:
    """They would admit no body at all."""
    api = cloud.rest_api()
    members: tuple[dict[str, Any], ...] = ({"pattern": "^(?=.*[A-Z]).{8,}$"}, {"patternProperties": {"(?!x)a": {}}})
    for member in members:
        schema = json.dumps({"properties": {"password": {"type": "string", **member}}})
        given = {"restApiId": api, "name": "Login", "contentType": "application/json", "schema": schema}
        code, message, _ = cloud.refused("create_model", **given)
        assert code == "BadRequestException"
        assert "no lookaround" in message
    schema = json.dumps({"properties": {"pattern": {"type": "string", "pattern": "^[a-z]+$"}}})
    cloud.client.create_model(restApiId=api, name="Login", contentType="application/json", schema=schema)
