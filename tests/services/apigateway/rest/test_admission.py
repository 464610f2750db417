"""Who may call a method: by a key, by a function's word, by a signature, by the API's policy; and with what."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.modes import meaningless_in
from tests.services.apigateway.rest.cloud import RestCloud, echoed
from tests.standing import Standing, eventually

one_process = meaningless_in("replicas", because="each process counts, and remembers, by itself")

FORBIDDEN = (403, {"message": "Forbidden"})


def _keyed(cloud: RestCloud, **plan: Any) -> tuple[str, str, dict[str, Any]]:
    """Make an API with a method that wants a key; return its id, that of a plan for it, and a key in the plan."""
    api = cloud.rest_api()
    cloud.mocked(api, "/pets", template="pets", apiKeyRequired=True)
    cloud.deploy(api)
    stages = [{"apiId": api, "stage": "dev", **plan.pop("stage", {})}]
    made = cloud.client.create_usage_plan(name="plan", apiStages=stages, **plan)["id"]
    key = cloud.client.create_api_key(name="key", enabled=True)
    cloud.client.create_usage_plan_key(usagePlanId=made, keyId=key["id"], keyType="API_KEY")
    return api, made, key


@one_process
def test_keys(cloud: RestCloud) -> None:
    api, plan, key = _keyed(cloud)
    headers = {"x-api-key": key["value"]}
    assert cloud.call(api, "/pets", headers=headers).body == b"pets"
    answer = cloud.call(api, "/pets")
    assert (answer.status, answer.json) == FORBIDDEN
    assert cloud.call(api, "/pets", headers={"x-api-key": "wrong"}).status == 403
    cloud.patch("update_api_key", ("replace", "/enabled", "false"), apiKey=key["id"])
    assert cloud.call(api, "/pets", headers=headers).status == 403
    cloud.patch("update_api_key", ("replace", "/enabled", "true"), apiKey=key["id"])
    assert cloud.call(api, "/pets", headers=headers).status == 200
    cloud.patch("update_usage_plan", ("remove", "/apiStages", f"{api}:dev"), usagePlanId=plan)
    assert cloud.call(api, "/pets", headers=headers).status == 403
    cloud.patch("update_usage_plan", ("add", "/apiStages", f"{api}:dev"), usagePlanId=plan)
    assert cloud.call(api, "/pets", headers=headers).status == 200
    cloud.client.delete_usage_plan_key(usagePlanId=plan, keyId=key["id"])
    assert cloud.call(api, "/pets", headers=headers).status == 403


def test_keys_as_they_are_shown(cloud: RestCloud) -> None:
    value = "a-value-of-more-than-twenty-characters"
    made = cloud.client.create_api_key(name="mine", value=value, enabled=True, tags={"a": "b"})
    assert made["value"] == value
    assert "value" not in cloud.client.get_api_key(apiKey=made["id"])
    assert cloud.client.get_api_key(apiKey=made["id"], includeValue=True)["value"] == value
    assert [each["id"] for each in cloud.client.get_api_keys(nameQuery="mi")["items"]] == [made["id"]]
    assert cloud.client.get_api_keys(nameQuery="other")["items"] == []
    assert cloud.refused("create_api_key", name="other", value=value)[0] == "ConflictException"
    assert cloud.refused("create_api_key", name="other", value="short")[0] == "BadRequestException"
    content = b"Name,key,description,Enabled\nfirst,abcdefghij0123456789,one,true\nsecond,abc,two,true\n"
    imported = cloud.client.import_api_keys(body=content, format="csv")
    assert (len(imported["ids"]), len(imported["warnings"])) == (1, 1)
    cloud.client.delete_api_key(apiKey=made["id"])
    assert cloud.refused("get_api_key", apiKey=made["id"])[0] == "NotFoundException"


def test_a_key_that_was_not_imported_is_not_there(cloud: RestCloud) -> None:
    file = b"name,key,usageplanIds\nlost,0123456789012345678901,nowhere\n"
    answer = cloud.client.import_api_keys(body=file, format="csv")
    assert (answer["ids"], len(answer["warnings"])) == ([], 1)
    assert cloud.client.get_api_keys()["items"] == []


def test_plans_as_they_are_shown(cloud: RestCloud) -> None:
    api, plan, key = _keyed(cloud, throttle={"rateLimit": 10.0, "burstLimit": 20}, quota={"limit": 5, "period": "DAY"})
    shown = cloud.client.get_usage_plan(usagePlanId=plan)
    assert shown["apiStages"] == [{"apiId": api, "stage": "dev"}]
    assert shown["quota"] == {"limit": 5, "offset": 0, "period": "DAY"}
    assert [each["id"] for each in cloud.client.get_usage_plans(keyId=key["id"])["items"]] == [plan]
    (in_plan,) = cloud.client.get_usage_plan_keys(usagePlanId=plan)["items"]
    assert (in_plan["id"], in_plan["type"], in_plan["value"]) == (key["id"], "API_KEY", key["value"])
    again = {"usagePlanId": plan, "keyId": key["id"], "keyType": "API_KEY"}
    assert cloud.refused("create_usage_plan_key", **again)[0] == "ConflictException"
    other = cloud.client.create_usage_plan(name="other", apiStages=[{"apiId": api, "stage": "dev"}])["id"]
    again["usagePlanId"] = other
    assert cloud.refused("create_usage_plan_key", **again)[0] == "ConflictException"
    assert cloud.refused("delete_usage_plan", usagePlanId=plan)[0] == "BadRequestException"
    patched = cloud.patch(
        "update_usage_plan",
        ("replace", "/quota/limit", "7"),
        ("replace", f"/apiStages/{api}:dev/throttle/~1pets/GET/rateLimit", "1.5"),
        # As Terraform has it.
        ("replace", f"/apiStages/{api}:dev/throttle//pets/GET/burstLimit", "7"),
        ("remove", "/throttle"),
        usagePlanId=plan,
    )
    assert patched["quota"]["limit"] == 7
    assert patched["apiStages"][0]["throttle"] == {"/pets/GET": {"rateLimit": 1.5, "burstLimit": 7}}
    assert "throttle" not in patched
    for given in (
        {"name": "x", "quota": {"limit": 1}},
        {"name": "x", "apiStages": [{"apiId": "none", "stage": "dev"}]},
        {"name": "x", "throttle": {"rateLimit": -1.0}},
    ):
        assert cloud.refused("create_usage_plan", **given)[2] in (400, 404), given


@one_process
def test_throttling_by_a_plan(cloud: RestCloud) -> None:
    api, _, key = _keyed(cloud, throttle={"rateLimit": 0.001, "burstLimit": 2})
    statuses = [cloud.call(api, "/pets", headers={"x-api-key": key["value"]}).status for _ in range(3)]
    assert statuses == [200, 200, 429]


@one_process
def test_throttling_of_a_method_by_a_plan(cloud: RestCloud) -> None:
    limits = {"/pets/GET": {"rateLimit": 0.001, "burstLimit": 1}}
    api, _, key = _keyed(cloud, stage={"throttle": limits})
    answers = [cloud.call(api, "/pets", headers={"x-api-key": key["value"]}) for _ in range(2)]
    assert [each.status for each in answers] == [200, 429]
    assert answers[1].json == {"message": "Too Many Requests"}


def test_a_stage_that_is_added_again_keeps_its_limits(cloud: RestCloud) -> None:
    api, id, _ = _keyed(cloud)
    stage = f"{api}:dev"
    cloud.patch("update_usage_plan", ("add", f"/apiStages/{stage}/throttle//pets/GET/rateLimit", "5"), usagePlanId=id)
    again = cloud.patch("update_usage_plan", ("add", "/apiStages", stage), usagePlanId=id)
    assert again["apiStages"] == [{"apiId": api, "stage": "dev", "throttle": {"/pets/GET": {"rateLimit": 5.0}}}]


@one_process
def test_throttling_by_a_stage(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    cloud.mocked(api, "/")
    cloud.deploy(api)
    cloud.patch(
        "update_stage",
        ("replace", "/*/*/throttling/rateLimit", "0.001"),
        ("replace", "/*/*/throttling/burstLimit", "1"),
        restApiId=api,
        stageName="dev",
    )
    assert [cloud.call(api).status for _ in range(2)] == [200, 429]


@one_process
def test_a_quota_is_that_of_a_day(standing: Standing) -> None:
    cloud = RestCloud(standing.account())
    api, plan, key = _keyed(cloud, quota={"limit": 2, "period": "DAY"})
    headers = {"x-api-key": key["value"]}
    answers = [cloud.call(api, "/pets", headers=headers) for _ in range(3)]
    assert [each.status for each in answers] == [200, 200, 429]
    assert answers[2].json == {"message": "Limit Exceeded"}
    used = cloud.client.get_usage(usagePlanId=plan, startDate="2030-03-13", endDate="2030-03-13")
    assert used["items"] == {key["id"]: [[2, 0]]}
    extended = cloud.patch("update_usage", ("replace", "/remaining", "1"), usagePlanId=plan, keyId=key["id"])
    assert extended["items"] == {key["id"]: [[2, 1]]}
    assert [cloud.call(api, "/pets", headers=headers).status for _ in range(2)] == [200, 429]
    standing.advance("1d")
    assert cloud.call(api, "/pets", headers=headers).status == 200
    used = cloud.client.get_usage(usagePlanId=plan, startDate="2030-03-13", endDate="2030-03-14")
    assert used["items"] == {key["id"]: [[3, 0], [1, 1]]}


@pytest.fixture(scope="module")
def guarded(shared: RestCloud) -> str:
    """An API with a method for each kind of authorizer."""
    api = shared.rest_api()
    given = {"restApiId": api, "authorizerUri": shared.invocation(), "authorizerResultTtlInSeconds": 300}
    token = shared.client.create_authorizer(
        **given,
        name="token",
        type="TOKEN",
        identitySource="method.request.header.Authorization",
        identityValidationExpression="[a-z]+",
    )["id"]
    request = shared.client.create_authorizer(
        **given, name="request", type="REQUEST", identitySource="method.request.querystring.token"
    )["id"]
    for path, authorizer in (("/token/{id}", token), ("/request", request)):
        names = shared.method(api, path, authorizationType="CUSTOM", authorizerId=authorizer)
        shared.to_the_function(names)
    shared.deploy(api)
    return api


@one_process
def test_a_token(shared: RestCloud, guarded: str) -> None:
    event = echoed(shared.call(guarded, "/token/1", headers={"Authorization": "friend"}))
    told = event["requestContext"]["authorizer"]
    # All of a context is text, but for what the gateway adds.
    assert isinstance(told.pop("integrationLatency"), int)
    assert told == {"principalId": "me", "who": "friend", "level": "3", "trusted": "true"}
    # The verdict that is kept is about the one method that was called.
    other = shared.call(guarded, "/token/2", headers={"Authorization": "friend"})
    assert other.status == 403
    for token, status, message in (
        ("enemy", 403, "User is not authorized to access this resource"),
        ("nowhere", 403, "User is not authorized to access this resource"),
        ("nobody", 401, "Unauthorized"),
        ("WRONG1", 401, "Unauthorized"),
        ("broken", 500, None),
        ("roles", 500, None),
    ):
        answer = shared.call(guarded, "/token/1", headers={"Authorization": token})
        assert (answer.status, answer.json) == (status, {"message": message}), token
    assert shared.call(guarded, "/token/1").status == 401


def test_a_request(shared: RestCloud, guarded: str) -> None:
    assert echoed(shared.call(guarded, "/request?token=friend"))["requestContext"]["authorizer"]["who"] == "friend"
    assert shared.call(guarded, "/request?token=enemy").status == 403
    assert shared.call(guarded, "/request").status == 401


def _policed(shared: RestCloud, *statements: tuple[str, str]) -> str:
    """Return an API with an authorizer and a policy, of which each statement has an effect and a path."""
    listed = [
        {"Effect": effect, "Principal": "*", "Action": "execute-api:Invoke", "Resource": f"execute-api:/*{path}"}
        for effect, path in statements
    ]
    api = shared.rest_api(policy=json.dumps({"Version": "2012-10-17", "Statement": listed}))
    uri = shared.invocation()
    authorizer = shared.client.create_authorizer(restApiId=api, name="token", type="TOKEN", authorizerUri=uri)["id"]
    shared.mocked(api, "/pets", authorizationType="CUSTOM", authorizerId=authorizer)
    shared.deploy(api)
    return api


@pytest.mark.parametrize(
    ("effect", "path", "token", "status"),
    [
        ("Allow", "/GET/elsewhere", "friend", 200),
        ("Allow", "/GET/pets", "friend", 200),
        ("Allow", "/GET/pets", "silent", 200),
        ("Allow", "/GET/elsewhere", "silent", 403),
        ("Allow", "/GET/pets", "enemy", 403),
        ("Deny", "/GET/pets", "friend", 403),
    ],
)
def test_a_policy_beside_an_authorizer(shared: RestCloud, effect: str, path: str, token: str, status: int) -> None:
    """Developer guide, "How API Gateway resource policies affect authorization workflow", Table A."""
    api = _policed(shared, (effect, path))
    assert shared.call(api, "/pets", headers={"Authorization": token}).status == status


def test_an_authorizer_by_itself(shared: RestCloud, guarded: str) -> None:
    (token,) = [each for each in shared.client.get_authorizers(restApiId=guarded)["items"] if each["name"] == "token"]
    assert (token["type"], token["authType"]) == ("TOKEN", "custom")
    names = {"restApiId": guarded, "authorizerId": token["id"]}
    answer = shared.client.test_invoke_authorizer(**names, headers={"Authorization": "friend"})
    assert (answer["clientStatus"], answer["principalId"]) == (200, "me")
    assert json.loads(answer["policy"])["Statement"][0]["Effect"] == "Allow"
    assert shared.client.test_invoke_authorizer(**names, headers={})["clientStatus"] == 401
    assert shared.refused("delete_authorizer", **names)[0] == "ConflictException"


def test_authorizers_that_make_no_sense(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    function = f"arn:aws:lambda:us-east-1:{cloud.account}:function:f"
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"
    for given in (
        {"type": "TOKEN", "authorizerUri": "nonsense"},
        {"type": "TOKEN", "authorizerUri": uri, "identitySource": "a, b"},
        {"type": "REQUEST", "authorizerUri": uri},
        {"type": "REQUEST", "authorizerUri": uri, "identitySource": "nonsense"},
        {"type": "TOKEN", "authorizerUri": uri, "authorizerResultTtlInSeconds": 5000},
    ):
        assert cloud.refused("create_authorizer", restApiId=api, name="a", **given)[0] == "BadRequestException", given
    cognito = {"restApiId": api, "name": "a", "type": "COGNITO_USER_POOLS", "providerARNs": ["arn:aws:cognito-idp:x"]}
    assert cloud.refused("create_authorizer", **cognito)[2] == 501


def _signed(cloud: RestCloud, api: str, path: str, account: str) -> dict[str, str]:
    request = AWSRequest("GET", f"{cloud.aws.endpoint}/_aws/execute-api/{api}/dev{path}")
    SigV4Auth(Credentials(account, "test"), "execute-api", "us-east-1").add_auth(request)
    return dict(request.headers)


def test_only_who_signs_is_let_in(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    cloud.mocked(api, "/mine", template="$context.identity.userArn", authorizationType="AWS_IAM")
    cloud.deploy(api)
    answer = cloud.call(api, "/mine")
    assert (answer.status, answer.json) == (403, {"message": "Missing Authentication Token"})
    answer = cloud.call(api, "/mine", headers=_signed(cloud, api, "/mine", cloud.account))
    assert (answer.status, answer.body.decode()) == (200, f"arn:aws:iam::{cloud.account}:root")
    assert cloud.call(api, "/mine", headers=_signed(cloud, api, "/mine", "123456789012")).status == 403
    refused = cloud.call(api, "/mine", headers={**_signed(cloud, api, "/mine", cloud.account), "X-Amz-Date": "x"})
    assert (refused.status, set(refused.json)) == (403, {"message"})


def test_the_policy_of_an_api(cloud: RestCloud) -> None:
    statements = [
        {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"},
        {"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*/GET/no"},
    ]
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})
    api = cloud.rest_api(policy=text)
    shown = cloud.client.get_rest_api(restApiId=api)["policy"]
    assert json.loads(json.loads(f'"{shown}"')) == json.loads(text)
    for path in ("/yes", "/no"):
        cloud.mocked(api, path)
    cloud.deploy(api)
    assert cloud.call(api, "/yes").status == 200
    refused = cloud.call(api, "/no")
    assert refused.status == 403
    assert "is not authorized to perform: execute-api:Invoke on resource" in refused.json["message"]
    assert cloud.refused("create_rest_api", name="x", policy="nonsense")[0] == "BadRequestException"


def test_requests_are_checked(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    schema = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string", "pattern": "^[a-z]+$"}, "age": {"type": "integer", "minimum": 0}},
    }
    cloud.client.create_model(restApiId=api, name="Pet", contentType="application/json", schema=json.dumps(schema))
    validator = cloud.client.create_request_validator(
        restApiId=api, name="all", validateRequestBody=True, validateRequestParameters=True
    )["id"]
    cloud.mocked(
        api,
        "/pets",
        "POST",
        template="fine",
        requestValidatorId=validator,
        requestModels={"application/json": "Pet"},
        requestParameters={"method.request.querystring.q": True, "method.request.header.X-Own": True},
    )
    assert cloud.refused("delete_request_validator", restApiId=api, requestValidatorId=validator)[2] == 409
    cloud.client.put_gateway_response(
        restApiId=api,
        responseType="BAD_REQUEST_BODY",
        responseTemplates={"application/json": '{"why": "$context.error.validationErrorString"}'},
    )
    cloud.deploy(api)
    answer = cloud.call(api, "/pets", method="POST", body="{}")
    assert (answer.status, answer.json) == (400, {"message": "Missing required request parameters: [q, X-Own]"})
    headers = {"X-Own": "1", "Content-Type": "application/json"}

    def status(body: str) -> int:
        return cloud.call(api, "/pets?q=1", method="POST", body=body, headers=headers).status

    assert status('{"name": "ada", "age": 1}') == 200
    for wrong in ("{}", '{"name": "Ada"}', '{"name": "ada", "age": -1}', "[]", "nonsense"):
        assert status(wrong) == 400, wrong
    answer = cloud.call(api, "/pets?q=1", method="POST", body='{"name": 1}', headers=headers)
    assert answer.json["why"].startswith("[1 is not of type 'string'")


def test_unique_items_take_no_longer_the_more_there_are(cloud: RestCloud) -> None:
    """What compares each with each other takes a minute for as many as these."""
    api = cloud.rest_api()
    validator = cloud.client.create_request_validator(restApiId=api, name="body", validateRequestBody=True)["id"]
    schema = json.dumps({"type": "array", "uniqueItems": True})
    cloud.client.create_model(restApiId=api, name="Set", contentType="application/json", schema=schema)
    cloud.mocked(api, "/", "POST", requestModels={"application/json": "Set"}, requestValidatorId=validator)
    cloud.deploy(api)

    def status(items: list[Any]) -> int:
        headers = {"Content-Type": "application/json"}
        return cloud.call(api, "/", method="POST", body=json.dumps(items), headers=headers).status

    many: list[Any] = [{"id": number} for number in range(10_000)]
    assert status(many) == 200
    assert status([*many, {"id": 7.0}]) == 400
    assert status([1, True, "1", [1], {"a": 1}]) == 200
    assert status([{"a": 1, "b": [2]}, {"b": [2.0], "a": 1}]) == 400


def test_patterns_take_no_longer_for_many_texts(cloud: RestCloud) -> None:
    """One by one, as many as these take eight seconds."""
    api = cloud.rest_api()
    validator = cloud.client.create_request_validator(restApiId=api, name="body", validateRequestBody=True)["id"]
    schema = json.dumps({"items": {"type": "string", "pattern": "^[a-z]+[0-9]*$"}, "patternProperties": {"^x": {}}})
    cloud.client.create_model(restApiId=api, name="Words", contentType="application/json", schema=schema)
    cloud.mocked(api, "/", "POST", requestModels={"application/json": "Words"}, requestValidatorId=validator)
    cloud.deploy(api)

    def status(items: list[str]) -> int:
        headers = {"Content-Type": "application/json"}
        return cloud.call(api, "/", method="POST", body=json.dumps(items), headers=headers).status

    many = [f"word{number}" for number in range(25_000)]
    assert status(many) == 200
    assert status([*many, "Word"]) == 400
    assert status([*many, "a\x01b"]) == 400
    assert status(["a", "b1"]) == 200
    assert status(["a", "B"]) == 400


def test_a_key_of_an_authorizer(shared: RestCloud) -> None:
    api = shared.rest_api(apiKeySource="AUTHORIZER")
    authorizer = shared.client.create_authorizer(
        restApiId=api,
        name="token",
        type="TOKEN",
        identitySource="method.request.header.Authorization",
        authorizerUri=shared.invocation(),
    )["id"]
    shared.mocked(api, "/", authorizationType="CUSTOM", authorizerId=authorizer, apiKeyRequired=True)
    shared.deploy(api)
    # This function tells no key.
    answer = shared.call(api, "/", headers={"Authorization": "friend"})
    assert (answer.status, answer.json) == FORBIDDEN


def test_usage_is_written_down(cloud: RestCloud) -> None:
    api, plan, key = _keyed(cloud)
    for _ in range(3):
        cloud.call(api, "/pets", headers={"x-api-key": key["value"]})
    today = datetime.now(UTC).date().isoformat()
    # Each process writes down what it has counted.
    eventually(
        lambda: cloud.client.get_usage(usagePlanId=plan, startDate=today, endDate=today)["items"].get(key["id"]),
        lambda used: used == [[3, -1]],
    )
