"""What stages do: answers of the gateway's own, canaries, caches, compression, logs, metrics, traces; and domains."""

from __future__ import annotations

import gzip
import json
import re
import time
from typing import Any

import pytest

from tests.certificates import bring
from tests.modes import meaningless_in
from tests.own_metrics import total
from tests.services.apigateway.endpoint import Endpoint
from tests.services.apigateway.rest.cloud import RestCloud
from tests.standing import Standing, eventually

one_process = meaningless_in("replicas", because="each process has a cache of its own")


def test_answers_of_the_gateway_itself(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    cloud.mocked(api, "/pets")
    cloud.client.put_gateway_response(
        restApiId=api,
        responseType="MISSING_AUTHENTICATION_TOKEN",
        statusCode="404",
        responseParameters={
            "gatewayresponse.header.Access-Control-Allow-Origin": "'*'",
            "gatewayresponse.header.X-Method": "context.httpMethod",
            "gatewayresponse.header.X-Own": "method.request.header.X-In",
        },
        responseTemplates={
            "application/json": '{"type": "$context.error.responseType", "said": $context.error.messageString}',
            "text/plain": "gone: ${context.error.message}",
        },
    )
    cloud.client.put_gateway_response(
        restApiId=api,
        responseType="DEFAULT_5XX",
        responseParameters={"gatewayresponse.header.X-Default": "'yes'"},
    )
    broken = cloud.method(api, "/broken")
    cloud.to_mock(broken, "{}")
    cloud.response(broken)
    cloud.deploy(api)
    answer = cloud.call(api, "/nowhere", headers={"X-In": "1"})
    assert (answer.status, answer.json) == (
        404,
        {"type": "MISSING_AUTHENTICATION_TOKEN", "said": "Missing Authentication Token"},
    )
    assert answer.header("access-control-allow-origin") == "*"
    assert (answer.header("x-method"), answer.header("x-own")) == ("GET", "1")
    answer = cloud.call(api, "/nowhere", headers={"Accept": "text/plain"})
    assert answer.body == b"gone: Missing Authentication Token"
    answer = cloud.call(api, "/broken")
    assert (answer.status, answer.header("x-default")) == (500, "yes")


def test_a_canary(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    names = cloud.method(api, "/")
    cloud.to_mock(names)
    cloud.response(names, template="old $stageVariables.color")
    cloud.deploy(api, variables={"color": "blue"})
    template = ("replace", "/responseTemplates/application~1json", "new $stageVariables.color")
    cloud.patch("update_integration_response", template, **names, statusCode="200")
    settings = {"percentTraffic": 100.0, "stageVariableOverrides": {"color": "red"}}
    second = cloud.deploy(api, canarySettings=settings)
    assert cloud.call(api).body == b"new red"
    stage = {"restApiId": api, "stageName": "dev"}
    cloud.patch("update_stage", ("replace", "/canarySettings/percentTraffic", "0"), **stage)
    assert cloud.call(api).body == b"old blue"
    cloud.patch("update_stage", ("replace", "/canarySettings/percentTraffic", "50"), **stage)
    assert {cloud.call(api).body for _ in range(40)} == {b"old blue", b"new red"}
    promoted = cloud.patch(
        "update_stage",
        ("copy", "/deploymentId", None, "/canarySettings/deploymentId"),
        ("copy", "/variables", None, "/canarySettings/stageVariableOverrides"),
        ("remove", "/canarySettings"),
        **stage,
    )
    assert (promoted["deploymentId"], promoted["variables"]) == (second, {"color": "red"})
    assert "canarySettings" not in promoted
    assert cloud.call(api).body == b"new red"


@one_process
def test_a_cache(standing: Standing, endpoint: Endpoint) -> None:
    cloud = RestCloud(standing.account())
    api = cloud.rest_api()
    query = {"method.request.querystring.q": False}
    names = cloud.method(api, "/pets", requestParameters=query)
    cloud.client.put_integration(
        **names,
        type="HTTP_PROXY",
        integrationHttpMethod="GET",
        uri=f"{endpoint.url}/cached",
        cacheKeyParameters=["method.request.querystring.q"],
    )
    cloud.deploy(api, cacheClusterEnabled=True, cacheClusterSize="0.5")
    stage = cloud.patch(
        "update_stage",
        ("replace", "/*/*/caching/enabled", "true"),
        ("replace", "/*/*/caching/ttlInSeconds", "60"),
        restApiId=api,
        stageName="dev",
    )
    assert (stage["cacheClusterStatus"], stage["cacheClusterSize"]) == ("AVAILABLE", "0.5")

    def asked(path: str, **headers: str) -> int:
        """Return how often the endpoint was asked for one request."""
        before = len(endpoint.seen)
        answer = cloud.call(api, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        assert answer.status == 200
        return len(endpoint.seen) - before

    assert [asked("/pets?q=1"), asked("/pets?q=1"), asked("/pets?q=2"), asked("/pets?q=1&other=1")] == [1, 0, 1, 0]
    ignored = cloud.call(api, "/pets?q=1", headers={"Cache-Control": "max-age=0"})
    assert (ignored.header("warning") or "").startswith("199")
    open_to_all = ("replace", "/*/*/caching/requireAuthorizationForCacheControl", "false")
    cloud.patch("update_stage", open_to_all, restApiId=api, stageName="dev")
    assert [asked("/pets?q=1"), asked("/pets?q=1", Cache_Control="max-age=0"), asked("/pets?q=1")] == [1, 1, 0]
    standing.advance("61s")
    assert asked("/pets?q=1") == 1
    cloud.client.flush_stage_cache(restApiId=api, stageName="dev")
    assert asked("/pets?q=1") == 1


@one_process
def test_other_methods_are_cached_where_that_is_said_of_them(cloud: RestCloud, endpoint: Endpoint) -> None:
    api = cloud.rest_api()
    names = cloud.method(api, "/pets", "POST")
    cloud.client.put_integration(**names, type="HTTP_PROXY", integrationHttpMethod="POST", uri=f"{endpoint.url}/posted")
    cloud.deploy(api, cacheClusterEnabled=True, cacheClusterSize="0.5")

    def asked() -> int:
        before = len(endpoint.seen)
        assert cloud.call(api, "/pets", method="POST", body=b"{}").status == 200
        return len(endpoint.seen) - before

    stage = {"restApiId": api, "stageName": "dev"}
    cloud.patch("update_stage", ("replace", "/*/*/caching/enabled", "true"), **stage)
    assert [asked(), asked()] == [1, 1]
    cloud.patch("update_stage", ("replace", "/pets/POST/caching/enabled", "true"), **stage)
    assert [asked(), asked()] == [1, 0]


def test_compression(cloud: RestCloud) -> None:
    api = cloud.rest_api(minimumCompressionSize=10)
    names = cloud.method(api, "/", "POST")
    cloud.to_mock(names)
    cloud.response(names, template="a text that is long enough: $input.params('q')")
    echo = cloud.method(api, "/check", "POST", requestParameters={"method.request.querystring.q": True})
    cloud.to_mock(echo, '{"statusCode": 200, "seen": $input.body} ')
    cloud.response(echo, template="ok")
    cloud.deploy(api)
    answer = cloud.call(api, method="POST", headers={"Accept-Encoding": "gzip, br"})
    assert answer.header("content-encoding") == "gzip"
    assert gzip.decompress(answer.body).startswith(b"a text that is long enough")
    refused = cloud.call(api, method="POST", headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert (refused.header("content-encoding"), refused.body[:6]) == (None, b"a text")
    assert cloud.call(api, method="POST").header("content-encoding") is None
    packed = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert cloud.call(api, "/check", method="POST", body=gzip.compress(b"1"), headers=packed).status == 200
    assert cloud.call(api, "/check", method="POST", body=b"nonsense", headers=packed).status == 400
    assert cloud.call(api, "/check", method="POST", body=b"1", headers={"Content-Encoding": "x"}).status == 415


def _lines(cloud: RestCloud, group: str, count: int) -> list[str]:
    logs = cloud.aws.client("logs")

    def look() -> list[str]:
        groups = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        if not groups:
            return []
        return [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]

    return eventually(look, lambda seen: len(seen) >= count)


def test_access_logs(cloud: RestCloud) -> None:
    cloud.aws.client("logs").create_log_group(logGroupName="access")
    api = cloud.rest_api()
    cloud.mocked(api, "/pets/{id}", template="{}")
    cloud.deploy(api)
    names = ("requestId", "resourcePath", "path", "status", "httpMethod", "stage", "error.responseType", "nothing")
    form = json.dumps({name: f"$context.{name}" for name in names})
    arn = f"arn:aws:logs:us-east-1:{cloud.account}:log-group:access"
    cloud.patch(
        "update_stage",
        ("replace", "/accessLogSettings/destinationArn", arn),
        ("replace", "/accessLogSettings/format", form),
        restApiId=api,
        stageName="dev",
    )
    answer = cloud.call(api, "/pets/7")
    cloud.call(api, "/none")
    lines = sorted((json.loads(line) for line in _lines(cloud, "access", 2)), key=lambda line: line["status"])
    assert lines[0] == {
        "requestId": answer.header("x-amzn-requestid"),
        "resourcePath": "/pets/{id}",
        "path": "/dev/pets/7",
        "status": "200",
        "httpMethod": "GET",
        "stage": "dev",
        "error.responseType": "-",
        "nothing": "-",
    }
    assert (lines[1]["status"], lines[1]["error.responseType"]) == ("403", "MISSING_AUTHENTICATION_TOKEN")


def test_execution_logs(cloud: RestCloud) -> None:
    cloud.patch("update_account", ("replace", "/cloudwatchRoleArn", cloud.role))
    api = cloud.rest_api()
    cloud.mocked(api, "/pets", "POST", template="answer")
    cloud.deploy(api)
    cloud.patch(
        "update_stage",
        ("replace", "/*/*/logging/loglevel", "INFO"),
        ("replace", "/*/*/logging/dataTrace", "true"),
        restApiId=api,
        stageName="dev",
    )
    answer = cloud.call(api, "/pets", method="POST", body=b"{}")
    id = answer.header("x-amzn-requestid")
    lines = _lines(cloud, f"API-Gateway-Execution-Logs_{api}/dev", 10)
    assert f"({id}) Starting execution for request: {id}" in lines
    assert f"({id}) Method response body after transformations: answer" in lines
    assert f"({id}) Method completed with status: 200" in lines


_KEY = "a-key-that-nobody-may-know-123456"


def test_execution_logs_show_no_secrets(shared: RestCloud) -> None:
    """Developer guide, "Set up CloudWatch logging for REST APIs": they are redacted."""
    shared.patch("update_account", ("replace", "/cloudwatchRoleArn", shared.role))
    api = shared.rest_api()
    uri = shared.invocation()
    authorizer = shared.client.create_authorizer(restApiId=api, name="token", type="TOKEN", authorizerUri=uri)["id"]
    names = shared.method(api, "/pets", apiKeyRequired=True, authorizationType="CUSTOM", authorizerId=authorizer)
    shared.to_the_function(names)
    shared.deploy(api)
    key = shared.client.create_api_key(name="secret", value=_KEY, enabled=True)["id"]
    stages = [{"apiId": api, "stage": "dev"}]
    plan = shared.client.create_usage_plan(name="secret", apiStages=stages)["id"]
    shared.client.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")
    level, trace = ("replace", "/*/*/logging/loglevel", "INFO"), ("replace", "/*/*/logging/dataTrace", "true")
    shared.patch("update_stage", level, trace, restApiId=api, stageName="dev")
    answer = shared.call(api, "/pets", headers={"X-Api-Key": _KEY, "Authorization": "friend"})
    assert answer.status == 200
    id = answer.header("x-amzn-requestid")
    lines = _lines(shared, f"API-Gateway-Execution-Logs_{api}/dev", 15)
    assert not any(_KEY in line or "=friend" in line for line in lines)
    hidden = f"{'*' * 27}123456"
    assert f"({id}) Usage Plan check succeeded for API Key {hidden} and API Stage {api}/dev" in lines
    assert f"({id}) Starting authorizer: {authorizer} for request: {id}" in lines
    assert any(f"X-Api-Key={hidden}" in line for line in lines)
    names = {"restApiId": api, "resourceId": shared.resource(api, "/pets"), "httpMethod": "GET"}
    tested = shared.client.test_invoke_method(**names, headers={"x-api-key": _KEY})
    assert _KEY not in tested["log"]


def test_access_logs_go_to_groups_of_the_api_s_account(shared: RestCloud) -> None:
    api = shared.rest_api()
    shared.mocked(api, "/pets", template="{}")
    shared.deploy(api)
    patches = [
        {
            "op": "replace",
            "path": "/accessLogSettings/destinationArn",
            "value": "arn:aws:logs:us-east-1:123456789012:log-group:a",
        },
        {"op": "replace", "path": "/accessLogSettings/format", "value": "$context.requestId"},
    ]
    code, message, _ = shared.refused("update_stage", restApiId=api, stageName="dev", patchOperations=patches)
    assert (code, "must belong to the account" in message) == ("BadRequestException", True)


def test_access_logs_tell_of_authorizers(shared: RestCloud) -> None:
    group = "authorizers"
    shared.aws.client("logs").create_log_group(logGroupName=group)
    api = shared.rest_api()
    uri = shared.invocation()
    authorizer = shared.client.create_authorizer(restApiId=api, name="token", type="TOKEN", authorizerUri=uri)["id"]
    shared.mocked(api, "/asked", authorizationType="CUSTOM", authorizerId=authorizer)
    shared.mocked(api, "/signed", authorizationType="AWS_IAM")
    shared.deploy(api)
    said = ("status", "latency", "error", "integrationStatus", "integrationLatency")
    variables = [
        "requestId",
        *(f"{who}.{each}" for who in ("authorizer", "authenticate", "authorize") for each in said),
    ]
    shared.patch(
        "update_stage",
        ("replace", "/accessLogSettings/destinationArn", f"arn:aws:logs:us-east-1:{shared.account}:log-group:{group}"),
        ("replace", "/accessLogSettings/format", " ".join(f"{each}=$context.{each}" for each in variables)),
        restApiId=api,
        stageName="dev",
    )
    asked = [
        shared.call(api, path, headers=headers).header("x-amzn-requestid")
        for path, headers in (
            ("/asked", {"Authorization": "friend"}),
            ("/asked", {"Authorization": "enemy"}),
            ("/signed", {}),
        )
    ]
    split = [dict(re.findall(r"(\S+)=(.*?)(?= \S+=|$)", line)) for line in _lines(shared, group, 3)]
    friend, enemy, unsigned = (next(each for each in split if each["requestId"] == id) for id in asked)
    assert (friend["authorizer.status"], friend["authorizer.error"]) == ("200", "-")
    assert int(friend["authorizer.latency"]) >= int(friend["authorizer.integrationLatency"]) >= 0
    assert friend["authorizer.integrationStatus"] == "200"
    assert (enemy["authorizer.status"], enemy["authenticate.status"]) == ("403", "-")
    assert enemy["authorizer.error"] == "the authorizer does not let the caller in"
    assert (unsigned["authenticate.status"], unsigned["authorize.status"]) == ("403", "-")
    assert unsigned["authenticate.error"] == "the request is not signed"


def test_metrics(standing: Standing) -> None:
    cloud = RestCloud(standing.account())
    api = cloud.rest_api("measured")
    cloud.mocked(api, "/pets")
    cloud.deploy(api)
    detailed = ("replace", "/*/*/metrics/enabled", "true")
    cloud.patch("update_stage", detailed, restApiId=api, stageName="dev")
    for path in ("/pets", "/pets", "/none"):
        cloud.call(api, path)
    standing.advance("2m")

    def seen(metric: str, **more: str) -> float | None:
        return eventually(
            lambda: total(cloud.aws, "AWS/ApiGateway", metric, ApiName="measured", **more), lambda got: got is not None
        )

    assert [seen("Count"), seen("4XXError"), seen("5XXError")] == [3, 1, 0]
    assert seen("Count", Stage="dev") == 3
    assert seen("Count", Stage="dev", Method="GET", Resource="/pets") == 2


def test_traces(cloud: RestCloud) -> None:
    api = cloud.rest_api("traced")
    cloud.mocked(api, "/pets")
    cloud.deploy(api, tracingEnabled=True)
    trace = f"1-{int(time.time()):08x}-bd862e3fe1be46a994272793"
    cloud.call(api, "/pets", headers={"X-Amzn-Trace-Id": f"Root={trace};Parent=53995c3f42cd8ad8;Sampled=1"})
    xray = cloud.aws.client("xray")
    found = eventually(lambda: xray.batch_get_traces(TraceIds=[trace])["Traces"])
    segment = json.loads(found[0]["Segments"][0]["Document"])
    assert (segment["name"], segment["origin"]) == ("traced/dev", "AWS::ApiGateway::Stage")
    assert segment["parent_id"] == "53995c3f42cd8ad8"
    assert segment["http"]["response"]["status"] == 200


@pytest.mark.parametrize("version", [1, 2])
def test_domains(cloud: RestCloud, version: int) -> None:
    api = cloud.rest_api()
    cloud.mocked(api, "/pets/{id}", template="$context.path $context.stage $context.domainName")
    cloud.deploy(api)
    name = f"v{version}.{cloud.account}.example"
    certificate = bring(cloud.aws, name)
    if version == 1:
        made = cloud.client.create_domain_name(
            domainName=name, regionalCertificateArn=certificate, endpointConfiguration={"types": ["REGIONAL"]}
        )
        assert made["regionalDomainName"].endswith(".execute-api.us-east-1.amazonaws.com")
        cloud.client.create_base_path_mapping(domainName=name, basePath="shop", restApiId=api, stage="dev")
        again = {"domainName": name, "basePath": "shop", "restApiId": api, "stage": "dev"}
        assert cloud.refused("create_base_path_mapping", **again)[0] == "ConflictException"
        assert cloud.refused("delete_stage", restApiId=api, stageName="dev")[0] == "BadRequestException"
    else:
        other: Any = cloud.aws.client("apigatewayv2")
        other.create_domain_name(DomainName=name, DomainNameConfigurations=[{"CertificateArn": certificate}])
        other.create_api_mapping(DomainName=name, ApiId=api, Stage="dev", ApiMappingKey="shop")
    assert cloud.client.get_base_path_mappings(domainName=name)["items"] == [
        {"basePath": "shop", "restApiId": api, "stage": "dev"}
    ]
    answer = cloud.ask(api, "/shop/pets/7", host=name)
    assert answer.body.decode() == f"/shop/pets/7 dev {name}"
    assert cloud.ask(api, "/other/pets/7", host=name).status in (403, 404)
    cloud.patch("update_base_path_mapping", ("replace", "/basePath", "(none)"), domainName=name, basePath="shop")
    assert cloud.ask(api, "/pets/7", host=name).status == 200
    mapping = {"domainName": name, "basePath": "(none)"}
    cloud.patch("update_base_path_mapping", ("replace", "/stage", ""), **mapping)
    assert cloud.ask(api, "/dev/pets/7", host=name).status == 200
    cloud.client.delete_base_path_mapping(**mapping)
    cloud.client.delete_domain_name(domainName=name)
    assert cloud.refused("get_domain_name", domainName=name)[0] == "NotFoundException"


def test_an_api_that_only_domains_lead_to(cloud: RestCloud) -> None:
    api = cloud.rest_api(disableExecuteApiEndpoint=True)
    cloud.mocked(api, "/")
    cloud.deploy(api)
    assert cloud.call(api).status == 403


def test_a_method_by_itself(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    names = cloud.method(api, "/pets/{id}", "POST", apiKeyRequired=True)
    assert cloud.refused("test_invoke_method", **names)[0] == "BadRequestException"
    cloud.to_mock(names)
    template = "$input.params('id') $input.params('q') $stageVariables.color"
    cloud.response(names, headers={"X-One": "'1'"}, template=template)
    answer = cloud.client.test_invoke_method(
        **names, pathWithQueryString="/pets/7?q=x", body="{}", stageVariables={"color": "red"}
    )
    assert (answer["status"], answer["body"]) == (200, "7 x red")
    assert answer["headers"]["x-one"] == "1"
    assert "Method completed with status: 200" in answer["log"]
    cloud.patch("update_integration", ("replace", "/requestTemplates/application~1json", "{}"), **names)
    assert cloud.client.test_invoke_method(**names)["status"] == 500
    cloud.mocked(api, "/any", "ANY", template="$context.httpMethod")
    any_method = {"restApiId": api, "resourceId": cloud.resource(api, "/any")}
    for verb, seen in (("GET", "GET"), ("PUT", "PUT"), ("ANY", "GET")):
        assert cloud.client.test_invoke_method(**any_method, httpMethod=verb)["body"] == seen
