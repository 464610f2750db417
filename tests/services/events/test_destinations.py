"""Connections and API destinations: what they are, and what their endpoints get."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import pytest
from botocore.exceptions import ClientError

from cloudlet.core.kernel.identity import Principal
from cloudlet.services.events import http_request, http_sending
from tests.refused import refused
from tests.roles import make_role
from tests.services.events.cloud import EventCloud
from tests.services.events.endpoint import Answer, Endpoint, Request, endpoint
from tests.services.events.local import Local
from tests.services.sns.cloud import ACCOUNT, local_sns

BASIC = {"BasicAuthParameters": {"Username": "ada", "Password": "s3cret"}}
API_KEY = {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "s3cret"}}


@pytest.fixture
def there() -> Iterator[Endpoint]:
    with endpoint() as running:
        yield running


def oauth(there: Endpoint, **more: Any) -> dict[str, Any]:
    client = {"ClientID": "me", "ClientSecret": "s3cret"}
    own = {"ClientParameters": client, "AuthorizationEndpoint": f"{there.url}/token", "HttpMethod": "POST", **more}
    return {"OAuthParameters": own}


def connect(cloud: EventCloud, kind: str, parameters: dict[str, Any], name: str = "c") -> str:
    answer = cloud.events.create_connection(Name=name, AuthorizationType=kind, AuthParameters=parameters)
    arn: str = answer["ConnectionArn"]
    return arn


def until_state(cloud: EventCloud, *states: str, name: str = "c") -> Any:
    end = time.monotonic() + 20
    while True:
        found = cloud.events.describe_connection(Name=name)
        if found["ConnectionState"] in states:
            return found
        assert time.monotonic() < end, found
        time.sleep(0.02)


def destine(cloud: EventCloud, url: str, connection: str, method: str = "POST", **more: Any) -> str:
    make_role(cloud.aws)
    answer = cloud.events.create_api_destination(
        Name="d", ConnectionArn=connection, InvocationEndpoint=url, HttpMethod=method, **more
    )
    arn: str = answer["ApiDestinationArn"]
    return arn


def target(arn: str, **more: Any) -> dict[str, Any]:
    return {"Id": "1", "Arn": arn, "RoleArn": f"arn:aws:iam::{arn.split(':')[4]}:role/r", **more}


def code_of(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    code: str = caught.value.response["Error"]["Code"]
    return code


def test_an_endpoint_gets_the_event_with_the_headers_of_aws(cloud: EventCloud, there: Endpoint) -> None:
    arn = destine(cloud, f"{there.url}/orders?a=1", connect(cloud, "BASIC", BASIC))
    cloud.rule(target(arn))
    answer = cloud.put({"id": 7})
    request = there.next()
    assert (request.method, request.path) == ("POST", "/orders?a=1")
    assert json.loads(request.body)["id"] == answer["EventId"]
    assert request.headers == {
        "host": there.url.removeprefix("http://"),
        "user-agent": "Amazon/EventBridge/ApiDestinations",
        "content-type": "application/json; charset=utf-8",
        "range": "bytes=0-1048575",
        "accept-encoding": "gzip,deflate",
        "connection": "close",
        "content-length": str(len(request.body)),
        "authorization": "Basic " + b64encode(b"ada:s3cret").decode(),
    }


def test_paths_queries_headers_and_bodies_come_from_target_and_connection(cloud: EventCloud, there: Endpoint) -> None:
    invocation = {
        "HeaderParameters": [{"Key": "X-Both", "Value": "connection"}, {"Key": "X-Own", "Value": "1"}],
        "QueryStringParameters": [{"Key": "both", "Value": "connection"}],
        "BodyParameters": [{"Key": "tenant", "Value": "t"}, {"Key": "n", "Value": "connection"}],
    }
    arn = destine(
        cloud,
        f"{there.url}/shops/*/orders/*",
        connect(cloud, "API_KEY", {**API_KEY, "InvocationHttpParameters": invocation}),
        "PUT",
    )
    http = {
        "PathParameterValues": ["$.detail.shop", "a/b"],
        "HeaderParameters": {"X-Both": "target", "X-Id": "$.detail.id", "content-type": "text/plain"},
        "QueryStringParameters": {"both": "target", "q": "$.detail.items[0]", "gone": "$.detail.gone"},
    }
    cloud.rule(target(arn, InputPath="$.detail", HttpParameters=http))
    cloud.put({"shop": "ä ö", "id": 7, "items": ["x&y"], "n": 1})
    request = there.next()
    assert (request.method, request.path.partition("?")[0]) == ("PUT", "/shops/%C3%A4%20%C3%B6/orders/a%2Fb")
    query = parse_qs(request.path.partition("?")[2], keep_blank_values=True)
    assert query == {"both": ["connection"], "q": ["x&y"], "gone": [""]}
    headers = {name: request.headers[name] for name in ("x-both", "x-own", "x-id", "x-key", "content-type")}
    assert headers == {
        "x-both": "connection",
        "x-own": "1",
        "x-id": "7",
        "x-key": "s3cret",
        "content-type": "text/plain",
    }
    assert json.loads(request.body) == {
        "shop": "ä ö",
        "id": 7,
        "items": ["x&y"],
        "n": "connection",
        "tenant": "t",
    }


def test_a_get_has_no_body(cloud: EventCloud, there: Endpoint) -> None:
    cloud.rule(target(destine(cloud, there.url, connect(cloud, "BASIC", BASIC), "GET")))
    cloud.put()
    request = there.next()
    assert (request.method, request.path, request.body) == ("GET", "/", "")


def test_oauth_has_a_token_fetched_and_another_one_when_it_is_refused(cloud: EventCloud, there: Endpoint) -> None:
    tokens = iter(("first", "second"))
    more = {
        "HeaderParameters": [{"Key": "X-Realm", "Value": "r"}],
        "BodyParameters": [{"Key": "scope", "Value": "orders", "IsValueSecret": True}],
        "QueryStringParameters": [{"Key": "v", "Value": "2"}],
    }

    def answer(request: Request) -> Answer:
        if request.path.startswith("/token"):
            return 200, {}, json.dumps({"access_token": next(tokens), "expires_in": 3600}).encode()
        return 401 if request.headers["authorization"] == "Bearer first" else 200, {}, b""

    there.answer = answer
    arn = connect(cloud, "OAUTH_CLIENT_CREDENTIALS", oauth(there, OAuthHttpParameters=more))
    asked = there.next()
    assert (asked.method, asked.path, asked.headers["x-realm"]) == ("POST", "/token?v=2", "r")
    assert asked.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert parse_qs(asked.body) == {
        "grant_type": ["client_credentials"],
        "client_id": ["me"],
        "client_secret": ["s3cret"],
        "scope": ["orders"],
    }
    assert until_state(cloud, "AUTHORIZED")["LastAuthorizedTime"]
    cloud.rule(target(destine(cloud, f"{there.url}/orders", arn)))
    cloud.put({"n": 1})
    paths = [(request.path, request.headers.get("authorization")) for request in (there.next() for _ in range(3))]
    assert paths == [("/orders", "Bearer first"), ("/token?v=2", None), ("/orders", "Bearer second")]


def test_a_token_that_has_ended_is_replaced_before_it_is_used(cloud: EventCloud, there: Endpoint) -> None:
    def answer(request: Request) -> Answer:
        return 200, {}, json.dumps({"access_token": f"t{time.monotonic_ns()}", "expires_in": 1}).encode()

    there.answer = answer
    arn = connect(cloud, "OAUTH_CLIENT_CREDENTIALS", oauth(there))
    until_state(cloud, "AUTHORIZED")
    there.next()
    cloud.rule(target(destine(cloud, f"{there.url}/orders", arn)))
    cloud.put()
    assert [there.next().path for _ in range(2)] == ["/token", "/orders"]


def test_a_connection_that_gets_no_token_is_not_authorized_and_says_why(cloud: EventCloud, there: Endpoint) -> None:
    there.answer = lambda request: (400, {}, b'{"error":"invalid_client"}')
    arn = connect(cloud, "OAUTH_CLIENT_CREDENTIALS", oauth(there))
    assert "400" in until_state(cloud, "DEAUTHORIZED")["StateReason"]
    destine(cloud, there.url, arn)
    assert cloud.events.describe_api_destination(Name="d")["ApiDestinationState"] == "INACTIVE"
    there.answer = lambda request: (200, {}, b'{"access_token":"t"}')
    client = {"OAuthParameters": {"ClientParameters": {"ClientSecret": "better"}}}
    cloud.events.update_connection(Name="c", AuthParameters=client)
    assert "StateReason" not in until_state(cloud, "AUTHORIZED")
    there.next()
    assert parse_qs(there.next().body)["client_secret"] == ["better"]
    assert cloud.events.describe_api_destination(Name="d")["ApiDestinationState"] == "ACTIVE"


@pytest.mark.parametrize("status", [429, 503])
def test_what_may_pass_is_tried_again_after_the_time_that_the_endpoint_asks_for(
    cloud: EventCloud, there: Endpoint, status: int
) -> None:
    answers = iter(((status, {"retry-after": "2"}, b""), (200, {}, b"")))
    there.answer = lambda request: next(answers)
    cloud.rule(target(destine(cloud, there.url, connect(cloud, "BASIC", BASIC))))
    cloud.put({"n": 1})
    first, second = there.next(), there.next()
    assert first.body == second.body
    assert second.at - first.at >= 1.9


@pytest.mark.parametrize(
    ("status", "headers", "code"),
    [
        (404, {}, "ERROR_FROM_TARGET"),
        (302, {"location": "/elsewhere"}, "ERROR_FROM_TARGET"),
        (401, {}, "ERROR_FROM_TARGET"),
        (503, {"retry-after": "-1"}, "ERROR_FROM_TARGET"),
        (429, {"retry-after": "-1"}, "THROTTLING"),
    ],
)
def test_what_does_not_pass_goes_to_the_dead_letter_queue(
    cloud: EventCloud, there: Endpoint, status: int, headers: dict[str, str], code: str
) -> None:
    there.answer = lambda request: (status, headers, b"")
    url, letters = cloud.queue()
    arn = destine(cloud, there.url, connect(cloud, "BASIC", BASIC))
    cloud.rule(target(arn, DeadLetterConfig={"Arn": letters}))
    cloud.put()
    (letter,) = cloud.received(url)
    told = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert (told["ERROR_CODE"], told["TARGET_ARN"], told["RETRY_ATTEMPTS"]) == (code, arn, "0")
    there.next()
    assert there.is_quiet()


def test_what_cannot_be_sent_goes_to_the_dead_letter_queue(cloud: EventCloud, there: Endpoint) -> None:
    url, letters = cloud.queue()
    parameters = {**BASIC, "InvocationHttpParameters": {"BodyParameters": [{"Key": "k", "Value": "v"}]}}
    arn = destine(cloud, f"{there.url}/*", connect(cloud, "BASIC", parameters))
    to = {"DeadLetterConfig": {"Arn": letters}}
    values = {"PathParameterValues": ["x"]}
    newline = {**values, "HeaderParameters": {"X-A": "$.detail.line"}}
    cases = {
        "INVALID_PARAMETER path": target(arn, **to),
        "INVALID_PARAMETER header": target(arn, HttpParameters=newline, **to),
        "INVALID_JSON": target(arn, Input="[1]", HttpParameters=values, **to),
        "NO_RESOURCE": target(f"{arn}x", HttpParameters=values, **to),
    }
    for number, case in enumerate(cases.values()):
        cloud.rule(case, name=f"r{number}")
    cloud.put({"line": "a\nX-B: b"})
    codes = [each["MessageAttributes"]["ERROR_CODE"]["StringValue"] for each in cloud.received(url, 4)]
    assert sorted(codes) == sorted(case.partition(" ")[0] for case in cases)
    assert there.is_quiet()


def test_a_name_that_no_header_can_have_is_found_out_when_something_is_sent(cloud: EventCloud, there: Endpoint) -> None:
    url, letters = cloud.queue()
    spaced = {"ApiKeyAuthParameters": {"ApiKeyName": "PagerDuty Authorization", "ApiKeyValue": "v"}}
    arn = destine(cloud, there.url, connect(cloud, "API_KEY", spaced))
    cloud.rule(target(arn, DeadLetterConfig={"Arn": letters}))
    cloud.put()
    (letter,) = cloud.received(url)
    told = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert (told["ERROR_CODE"], told["RETRY_ATTEMPTS"]) == ("INVALID_PARAMETER", "0")
    assert there.is_quiet()


def test_an_endpoint_that_takes_longer_than_5_seconds_is_tried_again(cloud: EventCloud, there: Endpoint) -> None:
    """The first request is not answered before the second one has come."""
    again = Event()

    def answer(request: Request) -> Answer:
        again.wait()
        return 200, {}, b""

    there.answer = answer
    cloud.rule(target(destine(cloud, there.url, connect(cloud, "BASIC", BASIC))))
    cloud.put()
    first, second = there.next(), there.next()
    again.set()
    assert first.body == second.body


def test_no_more_is_sent_a_second_than_a_destination_takes(cloud: EventCloud, there: Endpoint) -> None:
    connection = connect(cloud, "BASIC", BASIC)
    cloud.rule(target(destine(cloud, there.url, connection, InvocationRateLimitPerSecond=10)))
    for number in range(12):
        cloud.put({"n": number})
    assert {json.loads(there.next().body)["detail"]["n"] for _ in range(12)} == set(range(12))


def test_what_comes_sooner_than_a_destination_takes_it_waits(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though all of it comes at one moment, no two are sent within a tenth of a second."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    loop = SimpleNamespace(time=lambda: 1000.0)
    instead = SimpleNamespace(get_running_loop=lambda: loop, sleep=sleep)
    monkeypatch.setattr(http_sending, "asyncio", instead)

    async def main() -> None:
        block = local.cloud.block("events")
        for _ in range(12):
            await http_sending.paced(block, "arn", 10)
        await http_sending.paced(block, "another", 10)

    local.run(main())
    assert waits == pytest.approx([number / 10 for number in range(1, 12)])


def test_an_account_whose_endpoints_do_not_answer_leaves_others_connections(
    local: Local, there: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_sending, "_MOST_AT_ONCE", 4)
    monkeypatch.setattr(http_sending, "_TIMEOUT_SECONDS", 60.0)
    hung = Event()

    def answer(request: Request) -> Answer:
        if request.path == "/hangs":
            hung.wait()
        return 200, {}, b""

    there.answer = answer

    def asked(path: str) -> http_request.Request:
        return http_request.Request("POST", there.url + path, [], b"")

    async def main() -> int:
        block = local.cloud.block("events")
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(http_sending.send(block, "111111111111", asked("/hangs")))
            await asyncio.sleep(0)
            response = await http_sending.send(block, "222222222222", asked("/answers"))
            assert not hung.is_set()
            hung.set()
        return response.status

    assert local.run(main()) == 200


def test_secrets_are_never_shown(cloud: EventCloud, there: Endpoint) -> None:
    parameters = {
        **BASIC,
        "InvocationHttpParameters": {
            "HeaderParameters": [
                {"Key": "X-A", "Value": "hush", "IsValueSecret": True},
                {"Key": "X-B", "Value": "open", "IsValueSecret": False},
            ]
        },
    }
    connect(cloud, "BASIC", parameters)
    shown = cloud.events.describe_connection(Name="c")
    assert shown["AuthParameters"] == {
        "BasicAuthParameters": {"Username": "ada"},
        "InvocationHttpParameters": {
            "HeaderParameters": [
                {"Key": "X-A", "IsValueSecret": True},
                {"Key": "X-B", "Value": "open", "IsValueSecret": False},
            ]
        },
    }
    assert "SecretArn" not in shown
    connect(cloud, "OAUTH_CLIENT_CREDENTIALS", oauth(there), name="o")
    shown = cloud.events.describe_connection(Name="o")["AuthParameters"]["OAuthParameters"]
    assert shown["ClientParameters"] == {"ClientID": "me"}


def test_a_connection_is_described_listed_changed_deauthorized_and_deleted(cloud: EventCloud, there: Endpoint) -> None:
    arn = connect(cloud, "BASIC", BASIC)
    assert arn.startswith(f"arn:aws:events:us-east-1:{cloud.account}:connection/c/")
    connect(cloud, "API_KEY", API_KEY, name="other")
    shown = cloud.events.describe_connection(Name="c")
    assert (shown["ConnectionArn"], shown["ConnectionState"]) == (arn, "AUTHORIZED")
    assert shown["LastAuthorizedTime"]
    listed = cloud.events.list_connections(NamePrefix="o")["Connections"]
    assert [(each["Name"], each["AuthorizationType"]) for each in listed] == [("other", "API_KEY")]
    first = cloud.events.list_connections(Limit=1)
    second = cloud.events.list_connections(Limit=1, NextToken=first["NextToken"])
    assert [each["Name"] for each in first["Connections"] + second["Connections"]] == ["c", "other"]
    assert "NextToken" not in second

    cloud.events.update_connection(Name="c", AuthorizationType="API_KEY", AuthParameters=API_KEY, Description="d")
    changed = cloud.events.describe_connection(Name="c")
    assert (changed["AuthorizationType"], changed["Description"]) == ("API_KEY", "d")
    cloud.events.update_connection(Name="c", Description="")
    assert "Description" not in cloud.events.describe_connection(Name="c")
    assert changed["AuthParameters"] == {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key"}}

    url, letters = cloud.queue()
    cloud.rule(target(destine(cloud, there.url, arn), DeadLetterConfig={"Arn": letters}))
    cloud.events.deauthorize_connection(Name="c")
    assert "AuthParameters" not in until_state(cloud, "DEAUTHORIZED")
    cloud.put()
    (letter,) = cloud.received(url)
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    assert code_of(lambda: cloud.events.update_connection(Name="c", AuthorizationType="BASIC")) == "ValidationException"
    cloud.events.update_connection(Name="c", AuthParameters=API_KEY)
    cloud.put()
    assert there.next().headers["x-key"] == "s3cret"

    assert cloud.events.delete_connection(Name="c")["ConnectionState"] == "DELETING"
    assert code_of(lambda: cloud.events.describe_connection(Name="c")) == "ResourceNotFoundException"
    assert cloud.events.describe_api_destination(Name="d")["ApiDestinationState"] == "INACTIVE"


def test_a_destination_is_described_listed_changed_and_deleted(cloud: EventCloud, there: Endpoint) -> None:
    one, two = connect(cloud, "BASIC", BASIC), connect(cloud, "BASIC", BASIC, name="c2")
    arn = destine(cloud, f"{there.url}/*", one, Description="orders")
    shown = cloud.events.describe_api_destination(Name="d")
    assert {name: shown[name] for name in shown if not name.endswith("Time") and name != "ResponseMetadata"} == {
        "ApiDestinationArn": arn,
        "Name": "d",
        "Description": "orders",
        "ApiDestinationState": "ACTIVE",
        "ConnectionArn": one,
        "InvocationEndpoint": f"{there.url}/*",
        "HttpMethod": "POST",
        "InvocationRateLimitPerSecond": 300,
    }
    cloud.events.update_api_destination(Name="d", ConnectionArn=two, HttpMethod="PATCH", InvocationRateLimitPerSecond=5)
    (listed,) = cloud.events.list_api_destinations(ConnectionArn=two)["ApiDestinations"]
    assert (listed["HttpMethod"], listed["InvocationRateLimitPerSecond"]) == ("PATCH", 5)
    assert cloud.events.list_api_destinations(ConnectionArn=one)["ApiDestinations"] == []
    assert cloud.events.describe_api_destination(Name="d")["Description"] == "orders"
    cloud.events.update_api_destination(Name="d", Description="")
    assert "Description" not in cloud.events.describe_api_destination(Name="d")
    cloud.events.delete_api_destination(Name="d")
    assert refused(cloud.events.describe_api_destination, Name="d") == (
        "ResourceNotFoundException",
        "Failed to describe the api-destination(s). An api-destination 'd' does not exist.",
    )


def test_what_makes_no_sense_is_refused(cloud: EventCloud, there: Endpoint) -> None:
    events = cloud.events
    arn = connect(cloud, "BASIC", BASIC)
    key = {"Name": "x", "AuthorizationType": "API_KEY"}
    lattice = "arn:aws:vpc-lattice:us-east-1:123456789012:resourceconfiguration/rcfg-12345678901234567"
    private = {"ResourceParameters": {"ResourceConfigurationArn": lattice}}
    wrong = oauth(there, AuthorizationEndpoint="nowhere")
    host = {"HeaderParameters": [{"Key": "Host", "Value": "elsewhere"}]}

    def named(header: str) -> dict[str, Any]:
        return {"ApiKeyAuthParameters": {"ApiKeyName": header, "ApiKeyValue": "v"}}

    made = {"Name": "d", "HttpMethod": "POST", "ConnectionArn": arn, "InvocationEndpoint": there.url}
    cases: list[tuple[str, Callable[[], Any]]] = [
        ("ResourceAlreadyExistsException", lambda: connect(cloud, "BASIC", BASIC)),
        ("ValidationException", lambda: events.create_connection(AuthParameters=BASIC, **key)),
        ("ValidationException", lambda: events.create_connection(AuthParameters={**API_KEY, **BASIC}, **key)),
        ("ValidationException", lambda: connect(cloud, "OAUTH_CLIENT_CREDENTIALS", wrong, "x")),
        ("ValidationException", lambda: connect(cloud, "BASIC", {**BASIC, "InvocationHttpParameters": host}, "x")),
        ("ValidationException", lambda: connect(cloud, "API_KEY", named("Content-Length"), "x")),
        (
            "NotImplemented",
            lambda: events.create_connection(AuthParameters=API_KEY, InvocationConnectivityParameters=private, **key),
        ),
        ("NotImplemented", lambda: events.create_connection(AuthParameters=API_KEY, KmsKeyIdentifier="k", **key)),
        ("ResourceNotFoundException", lambda: events.delete_connection(Name="x")),
        ("ResourceNotFoundException", lambda: events.deauthorize_connection(Name="x")),
        ("ResourceNotFoundException", lambda: events.update_connection(Name="x")),
        ("ResourceNotFoundException", lambda: events.create_api_destination(**{**made, "ConnectionArn": f"{arn}x"})),
        ("ValidationException", lambda: events.create_api_destination(**{**made, "InvocationEndpoint": "ftp://x"})),
        ("ValidationException", lambda: events.create_api_destination(**{**made, "InvocationEndpoint": "x"})),
        ("ValidationException", lambda: events.create_api_destination(**{**made, "InvocationEndpoint": "http://a@x"})),
        ("ResourceNotFoundException", lambda: events.update_api_destination(Name="x")),
        ("ResourceNotFoundException", lambda: events.delete_api_destination(Name="x")),
    ]
    for code, call in cases:
        assert code_of(call) == code
    destination = events.create_api_destination(**made)["ApiDestinationArn"]
    assert code_of(lambda: events.create_api_destination(**made)) == "ResourceAlreadyExistsException"
    cloud.rule()
    elsewhere = destination.replace(cloud.account, "210987654321")
    queue = f"arn:aws:sqs:us-east-1:{cloud.account}:q"
    header = {"HeaderParameters": {"Host": "elsewhere"}}
    for wrong_target in (
        {"Id": "1", "Arn": destination},
        target(elsewhere),
        target(destination, HttpParameters=header),
        target(destination, HttpParameters={"PathParameterValues": ["$.detail["]}),
        target(queue, HttpParameters={"PathParameterValues": ["x"]}),
    ):
        assert code_of(lambda t=wrong_target: events.put_targets(Rule="r", Targets=[t])) == "ValidationException"  # type: ignore[misc]


def test_other_blocks_invoke_destinations_and_get_the_answer(tmp_path: Path, there: Endpoint) -> None:
    pipes = Principal("service", ACCOUNT, "pipes.amazonaws.com", "pipes")
    answers = iter(((200, {"content-encoding": "gzip"}, gzip.compress(b'{"a":1}')), (503, {}, b""), (404, {}, b"")))
    there.answer = lambda request: next(answers)
    with local_sns(tmp_path, "open") as local:
        basic = {"Name": "c", "AuthorizationType": "BASIC", "AuthParameters": BASIC}
        connection = local.call("CreateConnection", service="events", **basic)["ConnectionArn"]
        made = {"Name": "d", "HttpMethod": "POST", "ConnectionArn": connection, "InvocationEndpoint": f"{there.url}/*"}
        arn = local.call("CreateApiDestination", service="events", **made)["ApiDestinationArn"]
        http = {"PathParameterValues": ["7"]}
        params = {"service": "events", "ApiDestinationArn": arn, "Body": "{}", "HttpParameters": http}
        answer = local.call("InvokeApiDestination", by=pipes, **params)
        assert (answer["StatusCode"], answer["Body"], there.next().path) == (200, b'{"a":1}', "/7")
        for code, status in (("ERROR_FROM_TARGET", 503), ("ERROR_FROM_TARGET", 400)):
            error = local.refused("InvokeApiDestination", by=pipes, **params)
            assert (error.code, error.status) == (code, status)
        assert local.refused("InvokeApiDestination", **params).code == "AccessDeniedException"
