"""Two processes of API Gateway over one PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from websockets.exceptions import ConnectionClosed

from cloudlet.engines import postgres_server
from cloudlet.testing.server import Aws, fresh_account
from tests.postgres.replicas import Replicas, replicas
from tests.services.apigateway.cloud import GatewayCloud
from tests.services.apigateway.endpoint import Endpoint
from tests.standing import eventually


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GatewayCloud, GatewayCloud]]:
    """The same account on either."""
    folder = tmp_path_factory.mktemp("gateways")
    with postgres_server.run_temporary_server() as server, replicas("apigateway", server.url, folder) as running:
        yield _on(running, 0), _on(running, 1)


def _on(running: Replicas, number: int) -> GatewayCloud:
    return GatewayCloud(Aws(running.endpoint(number), running.account))


def test_a_change_reaches_the_other(both: tuple[GatewayCloud, GatewayCloud], endpoint: Endpoint) -> None:
    left, right = both
    api = left.api()
    one, two = (left.to_url(api, f"{endpoint.url}/{name}") for name in ("one", "two"))
    route = left.route(api, "GET /", one)
    assert right.ask(api).json["path"] == "/one"
    left.client.update_route(ApiId=api, RouteId=route, Target=f"integrations/{two}")
    eventually(lambda: right.ask(api).json["path"], lambda path: path == "/two")


def test_a_connection_is_reached_through_the_other(both: tuple[GatewayCloud, GatewayCloud], endpoint: Endpoint) -> None:
    left, right = both
    api = left.websocket_api_without_function()
    integration = left.integration(api, IntegrationType="MOCK")
    left.route(api, "$connect", integration)
    left.client.create_stage(ApiId=api, StageName="live", AutoDeploy=True)

    def management(aws: Aws) -> Any:
        return aws.client("apigatewaymanagementapi", endpoint_url=f"{aws.endpoint}/_aws/execute-api/{api}/live")

    with left.connect(api) as socket:
        socket.send("who am I")
        id = json.loads(socket.recv(30))["connectionId"]
        seen = management(right.aws).get_connection(ConnectionId=id)
        assert seen["Identity"]["SourceIp"] == "127.0.0.1"
        for number in range(20):
            management(right.aws).post_to_connection(ConnectionId=id, Data=b"%d" % number)
        assert [socket.recv(30) for _ in range(20)] == [str(number) for number in range(20)]
        stranger = management(Aws(right.aws.endpoint, fresh_account()))
        with pytest.raises(ClientError) as caught:
            stranger.post_to_connection(ConnectionId=id, Data=b"spam")
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        management(right.aws).delete_connection(ConnectionId=id)
        with pytest.raises(ConnectionClosed):
            socket.recv(30)

    def is_gone() -> bool:
        other = management(right.aws)
        try:
            other.post_to_connection(ConnectionId=id, Data=b"late")
        except other.exceptions.GoneException:
            return True
        return False

    eventually(is_gone)
