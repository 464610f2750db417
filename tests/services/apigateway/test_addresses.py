"""Whatever address an API answers leads to it from the same client, which has no resolver for it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

from websockets.sync.client import connect

from tests.certificates import bring
from tests.refused import code_of
from tests.services.apigateway.cloud import GatewayCloud
from tests.services.apigateway.endpoint import Endpoint
from tests.services.apigateway.rest.cloud import RestCloud


def got(cloud: GatewayCloud, url: str) -> Any:
    """Return what is at a URL, whose host is the one that the client has called."""
    assert urlsplit(url).netloc == f"{cloud.host}:{cloud.port}"
    with urlopen(url, timeout=30) as response:
        return json.load(response)


def test_an_http_api(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    api = cloud.api()
    cloud.route(api, "GET /orders/{id}", cloud.to_url(api, f"{endpoint.url}/orders/{{id}}"))
    shown = cloud.client.get_api(ApiId=api)["ApiEndpoint"]
    assert got(cloud, f"{shown}/orders/7")["path"] == "/orders/7"
    cloud.client.create_stage(ApiId=api, StageName="live", AutoDeploy=True)
    assert got(cloud, f"{shown}/live/orders/7")["path"] == "/orders/7"
    for stage in ("$default", "live"):
        exported = cloud.client.export_api(
            ApiId=api, StageName=stage, OutputType="JSON", Specification="OAS30", IncludeExtensions=False
        )
        (server,) = json.loads(exported["body"].read())["servers"]
        assert got(cloud, f"{server['url']}/orders/7")["path"] == "/orders/7"


def test_a_websocket_api(cloud: GatewayCloud) -> None:
    api = cloud.websocket_api_without_function()
    integration = cloud.integration(api, IntegrationType="MOCK")
    cloud.route(api, "$connect", integration)
    cloud.client.create_stage(ApiId=api, StageName="live", AutoDeploy=True)
    url = f"{cloud.client.get_api(ApiId=api)['ApiEndpoint']}/live"
    assert urlsplit(url).netloc == f"{cloud.host}:{cloud.port}"
    with connect(url) as client:
        client.send("anything")
        # The refusal tells the client its own id.
        id = json.loads(client.recv())["connectionId"]
        management = cloud.aws.client("apigatewaymanagementapi", endpoint_url=url.replace("ws", "http", 1))
        assert management.get_connection(ConnectionId=id)["Identity"]["SourceIp"] == "127.0.0.1"
        management.post_to_connection(ConnectionId=id, Data=b"by its address")
        assert client.recv() == "by its address"
    name = f"chat.{cloud.account}.example"
    certificate = bring(cloud.aws, name)
    cloud.client.create_domain_name(DomainName=name, DomainNameConfigurations=[{"CertificateArn": certificate}])
    cloud.client.create_api_mapping(DomainName=name, ApiId=api, Stage="live", ApiMappingKey="v1")
    url = f"{cloud.host}:{cloud.port}/_aws/execute-api/{name}/v1"
    with connect(f"ws://{url}") as client:
        client.send("anything")
        id = json.loads(client.recv())["connectionId"]
        management = cloud.aws.client("apigatewaymanagementapi", endpoint_url=f"http://{url}")
        management.post_to_connection(ConnectionId=id, Data=b"by its domain")
        assert client.recv() == "by its domain"
        elsewhere = cloud.aws.client("apigatewaymanagementapi", endpoint_url=f"http://{url.removesuffix('v1')}v2")
        assert code_of(elsewhere.post_to_connection, ConnectionId=id, Data=b"no") == "GoneException"


def test_a_rest_api(aws: Any) -> None:
    cloud = RestCloud(aws)
    api = cloud.rest_api()
    cloud.mocked(api, "/orders", template='{"found": true}')
    cloud.deploy(api)
    swagger, openapi = (
        json.loads(cloud.client.get_export(restApiId=api, stageName="dev", exportType=kind)["body"].read())
        for kind in ("swagger", "oas30")
    )
    assert got(cloud, f"{swagger['schemes'][0]}://{swagger['host']}{swagger['basePath']}/orders") == {"found": True}
    (server,) = openapi["servers"]
    url = server["url"].replace("{basePath}", server["variables"]["basePath"]["default"])
    assert got(cloud, f"{url}/orders") == {"found": True}
