"""The whole server, killed while requests of Cloud Control API are carried out: they go on, and do nothing twice."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

from botocore.config import Config

from cloudlet.testing.server import Aws, Server
from tests.services.cloudcontrol.control import Control

_ACCOUNT = "123456789012"
_REQUESTS = 60
_KILLS = 4
_ONCE = Config(retries={"max_attempts": 0}, connect_timeout=10, read_timeout=60)
_API = "AWS::ApiGateway::RestApi"


def _begin(folder: Path, begin: Any) -> list[str]:
    """Begin requests, and kill the server at once; return their tokens."""
    with Server.start("--data", str(folder)) as server:
        client = Aws(server.endpoint, _ACCOUNT).client("cloudcontrol", config=_ONCE)
        tokens = [begin(client, number)["ProgressEvent"]["RequestToken"] for number in range(_REQUESTS)]
        server.kill()
    for _ in range(_KILLS):
        with Server.start("--data", str(folder)) as server:
            time.sleep(random.uniform(0.01, 0.15))
            server.kill()
    return tokens


def test_requests_are_carried_out_once(tmp_path: Path) -> None:
    def create(client: Any, number: int) -> Any:
        # APIs have no names of their own: one that is made twice would be seen.
        return client.create_resource(TypeName=_API, DesiredState=json.dumps({"Name": f"api-{number}"}))

    tokens = _begin(tmp_path, create)
    with Server.start("--data", str(tmp_path)) as server:
        control = Control(Aws(server.endpoint, _ACCOUNT))
        events = [control.wait({"ProgressEvent": {"RequestToken": token}}) for token in tokens]
        assert {event["OperationStatus"] for event in events} == {"SUCCESS"}, events
        made = [event["Identifier"] for event in events]
        assert sorted(control.list(_API)) == sorted(made)
        apis = control.aws.client("apigateway").get_rest_apis(limit=500)["items"]
        assert sorted(api["name"] for api in apis) == sorted(f"api-{number}" for number in range(_REQUESTS))

    def delete(client: Any, number: int) -> Any:
        return client.delete_resource(TypeName=_API, Identifier=made[number])

    tokens = _begin(tmp_path, delete)
    with Server.start("--data", str(tmp_path)) as server:
        control = Control(Aws(server.endpoint, _ACCOUNT))
        events = [control.wait({"ProgressEvent": {"RequestToken": token}}) for token in tokens]
        assert {event["OperationStatus"] for event in events} == {"SUCCESS"}, events
        assert control.list(_API) == []
