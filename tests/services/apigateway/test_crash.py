"""What a crash leaves."""

from __future__ import annotations

import json
from pathlib import Path

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.apigateway.cloud import GatewayCloud
from tests.standing import eventually


def test_apis_stay_and_connections_go(tmp_path: Path) -> None:
    account = fresh_account()
    with Server.start("--data", str(tmp_path)) as server:
        cloud = GatewayCloud(Aws(server.endpoint, account))
        api = cloud.websocket_api_without_function()
        cloud.route(api, "$connect", cloud.integration(api, IntegrationType="MOCK"))
        cloud.client.create_stage(ApiId=api, StageName="live", AutoDeploy=True)
        with cloud.connect(api, close_timeout=0.1) as socket:
            socket.send("who am I")
            id = json.loads(socket.recv(30))["connectionId"]
            server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        cloud = GatewayCloud(Aws(server.endpoint, account))
        with cloud.connect(api) as socket:
            assert socket.ping().wait(30)
        url = f"{server.endpoint}/_aws/execute-api/{api}/live"
        management = cloud.aws.client("apigatewaymanagementapi", endpoint_url=url)

        def is_gone() -> bool:
            try:
                management.get_connection(ConnectionId=id)
            except management.exceptions.GoneException:
                return True
            return False

        eventually(is_gone)
