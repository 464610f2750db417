"""Methods that templates, HTTP endpoints and services of AWS answer."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.services.apigateway.endpoint import Endpoint
from tests.services.apigateway.rest.cloud import RestCloud


def test_cors_by_mock(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    names = cloud.method(api, "/pets", "OPTIONS")
    # As the CDK has it, without quotes.
    cloud.to_mock(names, "{ statusCode: 200 }")
    headers = {
        "Access-Control-Allow-Origin": "'https://shop.example'",
        "Access-Control-Allow-Headers": "'Content-Type,X-Api-Key'",
        "Access-Control-Allow-Methods": "'OPTIONS,GET'",
    }
    cloud.response(names, "200", headers=headers)
    cloud.deploy(api)
    answer = cloud.call(api, "/pets", method="OPTIONS", headers={"Origin": "https://shop.example"})
    assert (answer.status, answer.body) == (200, b"")
    assert answer.header("access-control-allow-origin") == "https://shop.example"
    assert answer.header("access-control-allow-methods") == "OPTIONS,GET"


def test_templates_of_a_mock(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    names = cloud.method(api, "/pets/{id}", "POST", requestParameters={"method.request.path.id": True})
    cloud.to_mock(names, '{"statusCode": #if($input.params("fail") == "yes")404#{else}200#end}')
    cloud.response(
        names,
        "200",
        headers={"X-Stage": "context.stage", "X-Color": "stageVariables.color"},
        template='{"id": "$input.params(\'id\')", "q": "$input.params(\'q\')"}',
    )
    cloud.response(
        names, "404", selectionPattern="4\\d{2}", template="#set($context.responseOverride.status = 410)gone"
    )
    cloud.deploy(api, variables={"color": "blue"})
    answer = cloud.call(api, "/pets/7?q=x", method="POST")
    assert (answer.status, answer.json) == (200, {"id": "7", "q": "x"})
    assert (answer.header("x-stage"), answer.header("x-color")) == ("dev", "blue")
    answer = cloud.call(api, "/pets/7?fail=yes", method="POST")
    assert (answer.status, answer.body) == (410, b"gone")


@pytest.mark.parametrize(("behavior", "status"), [("NEVER", 415), ("WHEN_NO_TEMPLATES", 415), ("WHEN_NO_MATCH", 200)])
def test_content_types_without_a_template(cloud: RestCloud, behavior: str, status: int) -> None:
    api = cloud.rest_api()
    names = cloud.method(api, "/", "POST")
    cloud.to_mock(names, passthroughBehavior=behavior)
    cloud.response(names)
    cloud.deploy(api)
    answer = cloud.call(api, "/", method="POST", body=b'{"statusCode": 200}', headers={"Content-Type": "text/plain"})
    assert answer.status == status
    if status == 415:
        assert answer.json == {"message": "Unsupported Media Type"}


def test_templates_have_up_to_300_kilobytes(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    names = cloud.method(api, "/")
    cloud.to_mock(names)
    cloud.client.put_method_response(**names, statusCode="200")
    given = {**names, "statusCode": "200"}
    template = "#set($a = 1)".ljust(300 << 10)
    cloud.client.put_integration_response(**given, responseTemplates={"application/json": template})
    cloud.deploy(api)
    assert cloud.call(api).status == 200
    large = {"application/json": f"{template} "}
    code, message, _ = cloud.refused("put_integration_response", **given, responseTemplates=large)
    assert (code, message) == ("BadRequestException", "Invalid mapping template specified: it is larger than 300 KB")


def test_a_mock_without_a_status(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    names = cloud.method(api, "/")
    cloud.to_mock(names, "{}")
    cloud.response(names)
    cloud.deploy(api)
    answer = cloud.call(api)
    assert (answer.status, answer.json) == (500, {"message": "Internal server error"})


def test_the_status_of_a_mock_may_come_after_other_members(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    names = cloud.method(api, "/")
    cloud.to_mock(names, '{"request": {"headers": {}}, "statusCode": 200}')
    cloud.response(names)
    cloud.deploy(api)
    assert cloud.call(api).status == 200


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "Connection"])
def test_how_long_an_answer_is_is_not_the_templates_to_say(cloud: RestCloud, name: str) -> None:
    """A client would wait for what does not come, or take what comes for the next answer."""
    api = cloud.rest_api()
    cloud.mocked(api, "/", template=f"#set($context.responseOverride.header.{name} = 'chunked')hello")
    names = cloud.method(api, "/mapped")
    cloud.to_mock(names)
    cloud.response(names, headers={name: "'99'"}, template="hello")
    cloud.deploy(api)
    for path, value in (("/", "chunked"), ("/mapped", "99")):
        answer = cloud.call(api, path)
        assert (answer.status, answer.body, answer.header("content-length")) == (200, b"hello", "5")
        assert answer.header(f"x-amzn-remapped-{name.lower()}") == value
        assert answer.header("transfer-encoding") is None


@pytest.mark.parametrize(
    "template",
    [
        '#set($context.responseOverride.header["X: y"] = "1")',
        "#set($context.responseOverride.status = 101)",
        "#set($context.responseOverride.status = 600)",
        "#set($l = [])#set($n = $l.add($l))#set($context.responseOverride.status = $l)",
    ],
)
def test_overrides_of_which_no_answer_can_be_made(cloud: RestCloud, template: str) -> None:
    api = cloud.rest_api()
    cloud.mocked(api, "/", template=template)
    cloud.deploy(api)
    answer = cloud.call(api)
    assert (answer.status, answer.json) == (500, {"message": "Internal server error"})


def test_a_client_does_not_say_which_host_is_asked(cloud: RestCloud, endpoint: Endpoint) -> None:
    api = cloud.rest_api()
    names = cloud.method(api, "/", requestParameters={"method.request.querystring.shop": True})
    cloud.client.put_integration(
        **names,
        type="HTTP_PROXY",
        integrationHttpMethod="GET",
        uri="http://{shop}.example.invalid/",
        requestParameters={"integration.request.path.shop": "method.request.querystring.shop"},
    )
    cloud.deploy(api)
    host = endpoint.url.removeprefix("http://")
    for said in (f"{host}/", f"{host}?", f"{host}%23", f"a@{host}/"):
        assert cloud.call(api, f"/?shop={said}").status == 504, said
    assert not any("shop=" in asked["query"] for asked in endpoint.seen)


def test_an_http_endpoint(cloud: RestCloud, endpoint: Endpoint) -> None:
    api = cloud.rest_api()
    declared = {
        "method.request.path.id": True,
        "method.request.querystring.q": False,
        "method.request.header.X-In": False,
    }
    names = cloud.method(api, "/pets/{id}", "POST", requestParameters=declared)
    cloud.client.put_integration(
        **names,
        type="HTTP",
        integrationHttpMethod="PUT",
        uri=f"{endpoint.url}/things/{{key}}?status=201",
        requestParameters={
            "integration.request.path.key": "method.request.path.id",
            "integration.request.querystring.search": "method.request.querystring.q",
            "integration.request.header.X-Out": "method.request.header.X-In",
            "integration.request.header.X-Name": "method.request.body.name",
            "integration.request.header.X-Said": "'so'",
        },
        requestTemplates={"application/json": '{"wrapped": $input.json("$.name")}'},
    )
    cloud.response(
        names,
        "200",
        headers={"X-Endpoint": "integration.response.header.x-endpoint", "X-Verb": "integration.response.body.method"},
        template="$input.json('$')",
    )
    cloud.deploy(api)
    answer = cloud.call(
        api, "/pets/a%20b?q=1&other=2", method="POST", body=b'{"name": "Ada"}', headers={"X-In": "hello"}
    )
    assert answer.status == 200
    asked = answer.json
    assert (asked["method"], asked["path"]) == ("PUT", "/things/a%20b")
    assert asked["query"] == "status=201&search=1"
    assert asked["body"] == '{"wrapped": "Ada"}'
    assert (asked["headers"]["x-out"], asked["headers"]["x-name"], asked["headers"]["x-said"]) == ("hello", "Ada", "so")
    assert "x-in" not in asked["headers"]
    assert (answer.header("x-endpoint"), answer.header("x-verb")) == ("yes", "PUT")


def test_an_http_proxy(cloud: RestCloud, endpoint: Endpoint) -> None:
    api = cloud.rest_api()
    names = cloud.method(api, "/{proxy+}", "ANY", requestParameters={"method.request.path.proxy": True})
    cloud.client.put_integration(
        **names,
        type="HTTP_PROXY",
        integrationHttpMethod="ANY",
        uri=f"{endpoint.url}/{{proxy}}",
        requestParameters={"integration.request.path.proxy": "method.request.path.proxy"},
    )
    cloud.deploy(api)
    answer = cloud.call(api, "/a/b?x=1&x=2&status=418", method="PATCH", body=b"text", headers={"X-In": "1"})
    assert answer.status == 418
    assert answer.header("x-endpoint") == "yes"
    asked = answer.json
    assert (asked["method"], asked["path"], asked["query"]) == ("PATCH", "/a/b", "x=1&x=2&status=418")
    assert (asked["body"], asked["headers"]["x-in"]) == ("text", "1")


def test_a_mapped_header_that_is_not_of_latin_letters(cloud: RestCloud, endpoint: Endpoint) -> None:
    api = cloud.rest_api()
    names = cloud.method(api, "/", requestParameters={"method.request.querystring.price": True})
    cloud.client.put_integration(
        **names,
        type="HTTP_PROXY",
        integrationHttpMethod="GET",
        uri=endpoint.url,
        requestParameters={"integration.request.header.X-Price": "method.request.querystring.price"},
    )
    cloud.deploy(api)
    asked = cloud.call(api, "/?price=5%E2%82%AC").json
    assert asked["headers"]["x-price"].encode("latin-1") == "5€".encode()


def test_headers_that_are_not_the_clients_to_send_on(cloud: RestCloud, endpoint: Endpoint) -> None:
    api = cloud.rest_api()
    names = cloud.method(api, "/")
    cloud.client.put_integration(**names, type="HTTP_PROXY", integrationHttpMethod="GET", uri=endpoint.url)
    cloud.deploy(api)
    headers = {"X-Amzn-Apigateway-Api-Id": "another", "Connection": "keep-alive, X-Hop", "X-Hop": "1", "X-End": "2"}
    asked = cloud.call(api, headers=headers).json["headers"]
    assert asked["x-amzn-apigateway-api-id"] == api
    assert ("x-hop" in asked, asked["x-end"]) == (False, "2")


def test_endpoints_that_do_not_answer(cloud: RestCloud, endpoint: Endpoint) -> None:
    api = cloud.rest_api()
    slow, gone = cloud.method(api, "/slow"), cloud.method(api, "/gone")
    proxy = {"type": "HTTP_PROXY", "integrationHttpMethod": "GET"}
    cloud.client.put_integration(**slow, **proxy, uri=f"{endpoint.url}/?wait=1", timeoutInMillis=100)
    cloud.client.put_integration(**gone, **proxy, uri="http://127.0.0.1:9/")
    cloud.deploy(api)
    answer = cloud.call(api, "/slow")
    assert (answer.status, answer.json) == (504, {"message": "Endpoint request timed out"})
    answer = cloud.call(api, "/gone")
    assert (answer.status, answer.json) == (504, {"message": "Network error communicating with endpoint"})


def test_a_function_behind_templates(shared: RestCloud) -> None:
    api = shared.rest_api()
    names = shared.method(api, "/", "POST")
    templates = {"application/json": '{"headers": {"x-answer": $input.json("$.say")}, "who": "$context.stage"}'}
    shared.to_the_function(names, "AWS", requestTemplates=templates)
    shared.response(names, "200", template='{"said": $input.body}')
    shared.response(names, "400", selectionPattern="as ask.*", template="$input.path('$.errorMessage')!")
    shared.deploy(api)
    answer = shared.call(api, method="POST", body=json.dumps({"say": '{"hello": [1]}'}))
    assert (answer.status, answer.json) == (200, {"said": {"hello": [1]}})
    answer = shared.call(api, method="POST", body=json.dumps({"say": "fail"}))
    assert (answer.status, answer.body) == (400, b"as asked!")


def test_a_function_that_nobody_waits_for(shared: RestCloud) -> None:
    api = shared.rest_api()
    names = shared.method(api, "/", "POST")
    parameters = {"integration.request.header.X-Amz-Invocation-Type": "'Event'"}
    shared.to_the_function(names, "AWS", requestParameters=parameters)
    shared.response(names, "202", selectionPattern="202")
    shared.deploy(api)
    assert shared.call(api, method="POST", body="{}").status == 202


def test_a_queue(cloud: RestCloud) -> None:
    sqs = cloud.aws.client("sqs")
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    api = cloud.rest_api()
    names = cloud.method(api, "/", "POST")
    cloud.to_service(
        names,
        f"sqs:path/{cloud.account}/orders",
        requestParameters={"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
        requestTemplates={"application/json": "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"},
    )
    cloud.response(names, "202", template='{"sent": true}')
    cloud.deploy(api)
    answer = cloud.call(api, method="POST", body='{"order": "1&2"}')
    assert (answer.status, answer.json) == (202, {"sent": True})
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == '{"order": "1&2"}'


def test_a_topic_and_a_bus(cloud: RestCloud) -> None:
    sqs, sns, events = (cloud.aws.client(name) for name in ("sqs", "sns", "events"))
    url = sqs.create_queue(QueueName="seen")["QueueUrl"]
    queue = f"arn:aws:sqs:us-east-1:{cloud.account}:seen"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue}
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    topic = sns.create_topic(Name="news")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
    events.put_rule(Name="all", EventPattern='{"source": ["shop"]}')
    events.put_targets(Rule="all", Targets=[{"Id": "q", "Arn": queue, "InputPath": "$.detail"}])
    api = cloud.rest_api()
    text = {"method.request.querystring.text": True}
    names = cloud.method(api, "/topic", "POST", requestParameters=text)
    cloud.to_service(
        names,
        "sns:action/Publish",
        requestParameters={
            "integration.request.querystring.Message": "method.request.querystring.text",
            "integration.request.querystring.TopicArn": f"'{topic}'",
        },
    )
    cloud.response(names)
    names = cloud.method(api, "/bus", "POST")
    entry = '{"Source": "shop", "DetailType": "order", "Detail": "$util.escapeJavaScript($input.body)"}'
    cloud.to_service(
        names,
        "events:action/PutEvents",
        requestParameters={"integration.request.header.X-Amz-Target": "'AWSEvents.PutEvents'"},
        requestTemplates={
            "application/json": "#set($context.requestOverride.header.Content-Type = 'application/x-amz-json-1.1')"
            f'{{"Entries": [{entry}]}}'
        },
    )
    cloud.response(names, template="$input.path('$.FailedEntryCount')")
    cloud.deploy(api)
    assert cloud.call(api, "/topic?text=a%26b", method="POST").status == 200
    answer = cloud.call(api, "/bus", method="POST", body='{"order": 7}')
    assert (answer.status, answer.body) == (200, b"0")
    seen: set[str] = set()
    while len(seen) < 2:
        messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, MaxNumberOfMessages=10)["Messages"]
        seen |= {message["Body"] for message in messages}
    assert seen == {"a&b", '{"order":7}'}


def test_a_table(cloud: RestCloud) -> None:
    dynamodb: Any = cloud.aws.client("dynamodb")
    dynamodb.create_table(
        TableName="pets",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    api = cloud.rest_api()
    put = cloud.method(api, "/pets/{id}", "PUT")
    cloud.to_service(
        put,
        "dynamodb:action/PutItem",
        requestTemplates={
            "application/json": '{"TableName": "pets", "Item": {"id": {"S": "$input.params("id")"}, '
            '"name": {"S": $input.json("$.name")}}}'
        },
    )
    cloud.response(put, "200", template="{}")
    cloud.response(put, "400", selectionPattern="4\\d\\d", template="$input.json('$.__type')")
    get = cloud.method(api, "/pets/{id}", "GET")
    cloud.to_service(
        get,
        "dynamodb:action/GetItem",
        requestTemplates={"application/json": '{"TableName": "pets", "Key": {"id": {"S": "$input.params("id")"}}}'},
    )
    template = '#set($item = $input.path(\'$.Item\')){"name": "$item.name.S"}'
    cloud.response(get, "200", template=template)
    cloud.deploy(api)
    assert cloud.call(api, "/pets/7", method="PUT", body='{"name": "Ada"}').status == 200
    assert cloud.call(api, "/pets/7").json == {"name": "Ada"}
    refused = cloud.call(api, "/pets/7", method="PUT", body='{"name": 1}')
    assert refused.status == 400


def test_a_table_by_its_path(cloud: RestCloud) -> None:
    """A service of actions only is asked at its one path, and told in a header for what."""
    key = {"AttributeName": "id", "KeyType": "HASH"}
    cloud.aws.client("dynamodb").create_table(
        TableName="pets",
        KeySchema=[key],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    api = cloud.rest_api()
    names = cloud.method(api, "/", "POST")
    cloud.to_service(
        names,
        "dynamodb:path//",
        requestParameters={
            "integration.request.header.X-Amz-Target": "'DynamoDB_20120810.DescribeTable'",
            "integration.request.header.Content-Type": "'application/x-amz-json-1.0'",
        },
        requestTemplates={"application/json": '{"TableName": "pets"}'},
    )
    cloud.response(names)
    cloud.deploy(api)
    assert cloud.call(api, method="POST", body=b"{}").json["Table"]["TableName"] == "pets"


def test_a_bucket(cloud: RestCloud) -> None:
    s3: Any = cloud.aws.client("s3")
    bucket = f"pets-{cloud.account}"
    s3.create_bucket(Bucket=bucket)
    api = cloud.rest_api(binaryMediaTypes=["image/png"])
    paths = {"method.request.path.key": True, "method.request.header.Content-Type": False}
    mapped = {
        "integration.request.path.key": "method.request.path.key",
        "integration.request.header.Content-Type": "method.request.header.Content-Type",
    }
    put = cloud.method(api, "/{key}", "PUT", requestParameters=paths)
    cloud.to_service(put, f"s3:path/{bucket}/{{key}}", "PUT", requestParameters=mapped)
    cloud.response(put, "200")
    get = cloud.method(api, "/{key}", "GET", requestParameters=paths)
    cloud.to_service(get, f"s3:path/{bucket}/{{key}}", "GET", requestParameters=mapped)
    cloud.response(get, "200", headers={"Content-Type": "integration.response.header.Content-Type"})
    cloud.response(get, "404", selectionPattern="404", template='{"gone": true}')
    cloud.deploy(api)
    answer = cloud.call(api, "/a.png", method="PUT", body=b"\x89PNG\xff", headers={"Content-Type": "image/png"})
    assert answer.status == 200
    assert s3.get_object(Bucket=bucket, Key="a.png")["Body"].read() == b"\x89PNG\xff"
    answer = cloud.call(api, "/a.png", headers={"Accept": "image/png"})
    assert answer.body == b"\x89PNG\xff"
    assert (answer.header("x-amzn-trace-id") or "").startswith("Root=1-")
    # Who has not asked for something binary gets text.
    assert cloud.call(api, "/a.png").body == base64.b64encode(b"\x89PNG\xff")
    cloud.call(api, "/a.txt", method="PUT", body=b"\x89PNG\xff", headers={"Content-Type": "text/plain"})
    assert s3.get_object(Bucket=bucket, Key="a.txt")["Body"].read().decode() == "\ufffdPNG\ufffd"
    assert cloud.call(api, "/b.png").status == 404


def test_an_empty_body_is_an_empty_object_to_templates(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    names = cloud.method(api, "/", "POST")
    cloud.to_mock(names, '#set($context.responseOverride.header.body = $input.body){"statusCode": 200}')
    cloud.response(names)
    cloud.deploy(api)
    assert cloud.call(api, "/", method="POST").header("body") == "{}"
    assert cloud.call(api, "/", method="POST", body='{"a":1}').header("body") == '{"a":1}'


def test_an_integration_response_without_one_of_the_method(cloud: RestCloud) -> None:
    """It may come first, but nothing is answered by it until the method has one."""
    api = cloud.rest_api()
    names = cloud.method(api, "/")
    cloud.to_mock(names)
    cloud.client.put_integration_response(**names, statusCode="200")
    cloud.deploy(api)
    assert cloud.call(api).status == 500
    cloud.client.put_method_response(**names, statusCode="200")
    cloud.deploy(api)
    assert cloud.call(api).status == 200


def test_overrides(cloud: RestCloud, endpoint: Endpoint) -> None:
    api = cloud.rest_api()
    names = cloud.method(api, "/", "POST")
    template = (
        "#set($context.requestOverride.header.x-who = $input.path('$.who'))"
        "#set($context.requestOverride.querystring.q = 'a b')"
        "#set($context.requestOverride.path.name = 'x')"
        "#set($context.responseOverride.header.X-Early = $input.path('$.who'))$input.body"
    )
    cloud.client.put_integration(
        **names,
        type="HTTP",
        integrationHttpMethod="POST",
        uri=f"{endpoint.url}/{{name}}",
        requestTemplates={"application/json": template},
    )
    answered = "#set($context.responseOverride.header.X-Own = 'mine')$input.json('$')"
    cloud.response(names, "200", template=answered)
    cloud.deploy(api)
    answer = cloud.call(api, method="POST", body='{"who": "Ada"}')
    asked = answer.json
    assert (asked["path"], asked["query"], asked["headers"]["x-who"]) == ("/x", "q=a+b", "Ada")
    assert (answer.header("x-own"), answer.header("x-early")) == ("mine", "Ada")


def test_no_integration_response_matches(cloud: RestCloud) -> None:
    api = cloud.rest_api()
    names = cloud.method(api, "/")
    cloud.to_mock(names)
    cloud.response(names, "404", selectionPattern="404")
    cloud.deploy(api)
    assert cloud.call(api).status == 500


def test_stage_variables_in_a_uri(cloud: RestCloud, endpoint: Endpoint) -> None:
    api = cloud.rest_api()
    names = cloud.method(api, "/")
    cloud.client.put_integration(
        **names, type="HTTP_PROXY", integrationHttpMethod="GET", uri="http://${stageVariables.host}/x"
    )
    cloud.deploy(api, variables={"host": endpoint.url.removeprefix("http://")})
    assert cloud.call(api).json["path"] == "/x"


PASSTHROUGH = """##  See the developer guide
#set($allParams = $input.params())
{
"body-json" : $input.json('$'),
"params" : {
#foreach($type in $allParams.keySet())
    #set($params = $allParams.get($type))
"$type" : {
    #foreach($paramName in $params.keySet())
    "$paramName" : "$util.escapeJavaScript($params.get($paramName))"
        #if($foreach.hasNext),#end
    #end
}
    #if($foreach.hasNext),#end
#end
},
"stage-variables" : {
#foreach($key in $stageVariables.keySet())
"$key" : "$util.escapeJavaScript($stageVariables.get($key))"
    #if($foreach.hasNext),#end
#end
},
"context" : {
    "account-id" : "$context.identity.accountId",
    "api-id" : "$context.apiId",
    "api-key" : "$context.identity.apiKey",
    "authorizer-principal-id" : "$context.authorizer.principalId",
    "caller" : "$context.identity.caller",
    "cognito-authentication-provider" : "$context.identity.cognitoAuthenticationProvider",
    "http-method" : "$context.httpMethod",
    "stage" : "$context.stage",
    "source-ip" : "$context.identity.sourceIp",
    "user" : "$context.identity.user",
    "user-agent" : "$context.identity.userAgent",
    "resource-path" : "$context.resourcePath"
    }
}
"""
"""The template that API Gateway's console proposes, and that tools have copied."""


def test_everything_is_passed_through(cloud: RestCloud, endpoint: Endpoint) -> None:
    api = cloud.rest_api()
    names = cloud.method(api, "/pets/{id}", "POST")
    cloud.client.put_integration(
        **names,
        type="HTTP",
        integrationHttpMethod="POST",
        uri=endpoint.url,
        requestTemplates={"application/json": PASSTHROUGH},
    )
    cloud.response(names, template="$input.path('$.body')")
    cloud.deploy(api, variables={"color": "blue", "size": "1"})
    answer = cloud.call(api, "/pets/7?q=a%22b", method="POST", body='{"a": [1, {"b": "\\u00e4"}]}')
    seen = answer.json
    assert seen["body-json"] == {"a": [1, {"b": "ä"}]}
    assert (seen["params"]["path"], seen["params"]["querystring"]) == ({"id": "7"}, {"q": 'a"b'})
    assert seen["stage-variables"] == {"color": "blue", "size": "1"}
    assert (seen["context"]["account-id"], seen["context"]["resource-path"]) == ("", "/pets/{id}")
