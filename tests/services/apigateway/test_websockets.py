"""WebSocket APIs: handshakes, messages and their routes, and what is sent to clients through the API."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from websockets.exceptions import ConnectionClosed, InvalidStatus

from cloudlet.testing.server import Aws
from tests.certificates import bring
from tests.modes import meaningless_in
from tests.services.apigateway.cloud import GatewayCloud
from tests.services.apigateway.endpoint import Endpoint
from tests.standing import eventually, standing_server

one_process = meaningless_in("replicas", because="what another process sends may come behind an answer")


@pytest.fixture(scope="module")
def api(shared: GatewayCloud) -> str:
    """An API all of whose routes lead to a function that answers with what it was told."""
    return shared.websocket_api("$connect", "$disconnect", "$default", "say")


@pytest.fixture(scope="module")
def management(shared: GatewayCloud, api: str) -> Any:
    """A client of the API that is about connections."""
    return shared.aws.client(
        "apigatewaymanagementapi",
        endpoint_url=f"{shared.aws.endpoint}/_aws/execute-api/{api}/live",
        config=Config(retries={"total_max_attempts": 1}),
    )


def test_messages_go_to_the_routes_that_they_name(shared: GatewayCloud, api: str) -> None:
    with shared.connect(api) as socket:
        socket.send('{"action": "say", "text": "hi"}')
        event = json.loads(socket.recv(30))
        assert event["body"] == '{"action": "say", "text": "hi"}'
        assert event["isBase64Encoded"] is False
        context = event["requestContext"]
        assert (context["routeKey"], context["eventType"], context["stage"]) == ("say", "MESSAGE", "live")
        assert (context["apiId"], context["messageDirection"]) == (api, "IN")
        assert context["connectionId"]
        assert context["messageId"]
        assert context["connectedAt"] <= context["requestTimeEpoch"]
        assert context["identity"]["sourceIp"] == "127.0.0.1"
        assert "headers" not in event
        for other in ('{"action": "sing"}', "no JSON", '{"action": "$connect"}', "[]"):
            socket.send(other)
            assert json.loads(socket.recv(30))["requestContext"]["routeKey"] == "$default"


def test_a_binary_message_is_base64(shared: GatewayCloud, api: str) -> None:
    with shared.connect(api) as socket:
        socket.send(b"\x00\xff")
        event = json.loads(socket.recv(30))
        assert (event["body"], event["isBase64Encoded"]) == ("AP8=", True)
        assert event["requestContext"]["routeKey"] == "$default"


def test_a_message_in_fragments(shared: GatewayCloud, api: str) -> None:
    with shared.connect(api) as socket:
        socket.send(['{"action": ', '"say", "pad": "', "x" * 30_000, '"}'])
        assert json.loads(socket.recv(30))["requestContext"]["routeKey"] == "say"


@pytest.mark.parametrize("parts", [["x" * 33_000], ["x" * 30_000] * 5])
def test_what_is_too_large_ends_the_connection(shared: GatewayCloud, api: str, parts: list[str]) -> None:
    with shared.connect(api) as socket:
        # Sending it all may fail already.
        with suppress(ConnectionClosed):
            socket.send(parts)
        with pytest.raises(ConnectionClosed):
            socket.recv(30)
        assert socket.close_code == 1009


def test_who_connects_may_be_refused(shared: GatewayCloud, api: str) -> None:
    for status in (401, 403, 404):
        with pytest.raises(InvalidStatus) as caught:
            shared.connect(api, f"/live?refuse={status}")
        assert caught.value.response.status_code == status


def test_a_subprotocol_is_chosen_by_the_function(shared: GatewayCloud, api: str) -> None:
    with shared.connect(api, "/live?protocol=two", subprotocols=["one", "two"]) as socket:
        assert socket.subprotocol == "two"


def test_there_is_no_such_stage(shared: GatewayCloud, api: str) -> None:
    for path in ("/dead", "/live/more", "/"):
        with pytest.raises(InvalidStatus) as caught:
            shared.connect(api, path)
        assert caught.value.response.status_code == 403


def test_what_is_no_handshake(shared: GatewayCloud, api: str) -> None:
    assert shared.ask(api, "/live").status == 426


def test_a_function_that_fails_is_told_of(shared: GatewayCloud, api: str) -> None:
    with shared.connect(api) as socket:
        socket.send('{"action": "raise"}')
        told = json.loads(socket.recv(30))
        assert told["message"] == "Internal server error"
        assert set(told) == {"message", "connectionId", "requestId"}


def test_without_a_route_a_message_is_refused(shared: GatewayCloud) -> None:
    api = shared.websocket_api("say")
    with shared.connect(api) as socket:
        socket.send("anything")
        assert json.loads(socket.recv(30))["message"] == "Forbidden"


def _connection(socket: Any) -> str:
    socket.send('{"action": "say"}')
    id: str = json.loads(socket.recv(30))["requestContext"]["connectionId"]
    return id


def test_what_is_posted_reaches_the_client(shared: GatewayCloud, api: str, management: Any) -> None:
    with shared.connect(api, user_agent_header="tests/1") as socket:
        id = _connection(socket)
        management.post_to_connection(ConnectionId=id, Data=b"from the server")
        assert socket.recv(30) == "from the server"
        management.post_to_connection(ConnectionId=id, Data=b"\xff\x00")
        assert socket.recv(30) == b"\xff\x00"
        seen = management.get_connection(ConnectionId=id)
        assert seen["Identity"] == {"SourceIp": "127.0.0.1", "UserAgent": "tests/1"}
        assert seen["ConnectedAt"] <= seen["LastActiveAt"]
        with pytest.raises(ClientError) as caught:
            management.post_to_connection(ConnectionId=id, Data=b"x" * (128 * 1024 + 1))
        assert caught.value.response["Error"] == {"Code": "PayloadTooLargeException", "Message": "Message too long"}
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_a_connection_is_ended_through_the_api(shared: GatewayCloud, api: str, management: Any) -> None:
    with shared.connect(api) as socket:
        id = _connection(socket)
        management.delete_connection(ConnectionId=id)
        with pytest.raises(ConnectionClosed):
            socket.recv(30)
    for operation in (management.get_connection, management.delete_connection):
        with pytest.raises(ClientError) as caught:
            operation(ConnectionId=id)
        assert caught.value.response["Error"]["Code"] == "GoneException"
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 410
    with pytest.raises(ClientError) as caught:
        management.post_to_connection(ConnectionId=id, Data=b"late")
    assert caught.value.response["Error"]["Code"] == "GoneException"


def test_a_connection_is_reached_through_the_address_of_its_stage_only(shared: GatewayCloud, api: str) -> None:
    other = shared.websocket_api("$default")
    shared.client.create_stage(ApiId=api, StageName="next", AutoDeploy=True)
    domain = f"z{secrets.token_hex(6)}.example"
    shared.client.create_domain_name(
        DomainName=domain,
        DomainNameConfigurations=[{"CertificateArn": bring(shared.aws, domain)}],
    )
    for key, id, stage in (("chat", api, "live"), ("", api, "next")):
        shared.client.create_api_mapping(DomainName=domain, ApiId=id, Stage=stage, ApiMappingKey=key)

    def posted(path: str, host: str = "localhost") -> int:
        """Return the status of the answer to a message that is posted to the connection through an address."""
        request = AWSRequest("POST", f"http://{host}{path}/@connections/{quote(id, safe='')}", data=b"hi")
        SigV4Auth(Credentials(shared.account, "test"), "execute-api", "us-east-1").add_auth(request)
        return shared.ask(
            "", urlsplit(request.url).path, method="POST", host=host, headers=dict(request.headers), body=b"hi"
        ).status

    with shared.connect(api) as socket:
        id = _connection(socket)
        assert [posted(f"/_aws/execute-api/{at}") for at in (f"{api}/live", f"{api}/next", f"{other}/live", api)] == [
            200,
            410,
            410,
            410,
        ]
        assert [posted(path, f"{api}.execute-api.localhost") for path in ("/live", "/next")] == [200, 410]
        assert [posted(path, domain) for path in ("/chat", "", "/live")] == [200, 410, 410]
        assert posted("") == 200


def test_connections_of_other_accounts_are_not_to_be_had(shared: GatewayCloud, api: str, aws: Aws) -> None:
    stranger = aws.client("apigatewaymanagementapi", endpoint_url=f"{aws.endpoint}/_aws/execute-api/{api}/live")
    with shared.connect(api) as socket:
        with pytest.raises(ClientError) as caught:
            stranger.post_to_connection(ConnectionId=_connection(socket), Data=b"spam")
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_authorizers_decide_who_connects(shared: GatewayCloud) -> None:
    api = shared.websocket_api("say")
    authorizer = shared.authorizer(api, IdentitySource=["route.request.querystring.token"])
    integration = shared.to_function(api, version="1.0")
    shared.route(api, "$connect", integration, AuthorizationType="CUSTOM", AuthorizerId=authorizer)
    for path, status in (
        ("/live", 401),
        ("/live?token=foe", 403),
        ("/live?token=nobody", 401),
        ("/live?token=broken", 500),
    ):
        with pytest.raises(InvalidStatus) as caught:
            shared.connect(api, path)
        assert caught.value.response.status_code == status, path
    with shared.connect(api, "/live?token=friend") as socket:
        socket.send('{"action": "say"}')
        told = json.loads(socket.recv(30))["requestContext"]["authorizer"]
        assert (told["principalId"], told["who"], told["level"]) == ("me", "friend", 3)


def test_only_who_signs_connects(shared: GatewayCloud) -> None:
    api = shared.websocket_api("say")
    shared.route(api, "$connect", None, AuthorizationType="AWS_IAM")
    with pytest.raises(InvalidStatus) as caught:
        shared.connect(api)
    assert caught.value.response.status_code == 403


@pytest.fixture
def told(cloud: GatewayCloud, endpoint: Endpoint) -> tuple[str, str]:
    """An API that tells an endpoint of everything, and the path at which it does."""
    api = cloud.websocket_api_without_function()
    path = f"/{api}"
    given = {"IntegrationType": "HTTP_PROXY", "IntegrationMethod": "POST", "IntegrationUri": endpoint.url + path}
    integration = cloud.integration(api, **given)
    for key in ("$connect", "$disconnect", "echo", "quiet"):
        route = cloud.route(api, key, integration, RouteResponseSelectionExpression="$default")
        if key == "echo":
            cloud.client.create_route_response(ApiId=api, RouteId=route, RouteResponseKey="$default")
    cloud.client.create_stage(ApiId=api, StageName="live", AutoDeploy=True)
    return api, path


def test_endpoints_are_told_of_messages(cloud: GatewayCloud, endpoint: Endpoint, told: tuple[str, str]) -> None:
    api, path = told
    with cloud.connect(api) as socket:
        socket.send('{"action": "quiet", "n": 1}')
        socket.send('{"action": "echo", "n": 2}')
        answer = json.loads(socket.recv(30))
        assert answer["body"] == '{"action": "echo", "n": 2}'
    seen = eventually(lambda: [each for each in endpoint.seen if each["path"] == path], lambda seen: len(seen) == 4)
    assert sorted(each["body"] for each in seen) == [
        "",
        "",
        '{"action": "echo", "n": 2}',
        '{"action": "quiet", "n": 1}',
    ]


def test_a_mock_lets_everybody_in(cloud: GatewayCloud) -> None:
    api = cloud.websocket_api_without_function()
    cloud.route(api, "$connect", cloud.integration(api, IntegrationType="MOCK"))
    cloud.client.create_stage(ApiId=api, StageName="live", AutoDeploy=True)
    with cloud.connect(api) as socket:
        assert socket.ping().wait(30)


def test_idle_connections_end_after_ten_minutes(endpoint: Endpoint) -> None:

    with standing_server() as standing:
        cloud = GatewayCloud(standing.account())
        api = cloud.websocket_api_without_function()
        url = f"{endpoint.url}/{api}"
        given = {"IntegrationType": "HTTP_PROXY", "IntegrationMethod": "POST", "IntegrationUri": url}
        integration = cloud.integration(api, **given)
        for key in ("$connect", "say"):
            cloud.route(api, key, integration)
        cloud.client.create_stage(ApiId=api, StageName="live", AutoDeploy=True)
        with cloud.connect(api, ping_interval=None) as idle, cloud.connect(api, ping_interval=None) as busy:
            standing.advance("9m")
            busy.send('{"action": "say"}')
            assert busy.ping().wait(30)
            standing.advance("2m")
            with pytest.raises(ConnectionClosed):
                idle.recv(30)
            assert idle.close_code == 1001
            for _ in range(12):
                assert busy.ping().wait(30)
                standing.advance("9m")
            standing.advance("3m")
            with pytest.raises(ConnectionClosed):
                busy.recv(30)
            assert busy.close_code == 1001


@one_process
def test_a_function_calls_its_client_back(shared: GatewayCloud) -> None:
    api = shared.websocket_api("say")
    with shared.connect(api) as socket:
        socket.send('{"action": "say", "back": true}')
        assert socket.recv(30) == "from the function"
        assert json.loads(socket.recv(30))["body"] == '{"action": "say", "back": true}'


def _flood(management: Any, id: str) -> None:
    """Post far more to a client than all buffers on the way have room for."""
    for _ in range(500):
        management.post_to_connection(ConnectionId=id, Data=b"x" * (128 * 1024))


def test_who_does_not_read_gets_no_more(shared: GatewayCloud, api: str, management: Any) -> None:
    with shared.connect(api, max_queue=1, close_timeout=0.1) as socket:
        id = _connection(socket)
        with pytest.raises(ClientError) as caught:
            _flood(management, id)
        assert caught.value.response["Error"]["Code"] == "LimitExceededException"
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429


def test_a_handshake_may_have_to_say_something(cloud: GatewayCloud) -> None:
    api = cloud.websocket_api_without_function()
    wanted = {"route.request.querystring.room": {"Required": True}, "route.request.header.X-Own": {"Required": False}}
    cloud.route(api, "$connect", cloud.integration(api, IntegrationType="MOCK"), RequestParameters=wanted)
    cloud.client.create_stage(ApiId=api, StageName="live", AutoDeploy=True)
    with pytest.raises(InvalidStatus) as caught:
        cloud.connect(api)
    assert caught.value.response.status_code == 400
    with cloud.connect(api, "/live?room=1") as socket:
        assert socket.ping().wait(30)
    (route,) = cloud.client.get_routes(ApiId=api)["Items"]
    given = {"ApiId": api, "RouteId": route["RouteId"]}
    cloud.client.delete_route_request_parameter(**given, RequestParameterKey="route.request.querystring.room")
    with cloud.connect(api) as socket:
        assert socket.ping().wait(30)
    assert cloud.refused("update_route", **given, RequestParameters={"room": {"Required": True}})[0] == (
        "BadRequestException"
    )
