"""Custom domain names of API Gateway, where the front door's process has no block."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.sync.client import connect

from cloudlet.testing.server import Aws
from tests.certificates import bring
from tests.commands import blocks, cloudlet
from tests.services.apigateway import endpoint as endpoints
from tests.services.apigateway.cloud import GatewayCloud
from tests.services.apigateway.endpoint import Endpoint
from tests.standing import eventually

HOST = "api.shop.example"
SITE = "site.s3-website.localhost"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with endpoints.running() as endpoint:
        yield endpoint


@pytest.fixture
def cloud(isolated: Aws) -> GatewayCloud:
    return GatewayCloud(isolated)


def domain(cloud: GatewayCloud, api: str, stage: str = "$default", name: str = HOST) -> None:
    """Let a domain name lead to an API."""
    certificate = bring(cloud.aws, name)
    cloud.client.create_domain_name(DomainName=name, DomainNameConfigurations=[{"CertificateArn": certificate}])
    cloud.client.create_api_mapping(DomainName=name, ApiId=api, Stage=stage)


def website(aws: Aws) -> None:
    """Make a bucket that is browsed at a host of its own."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="site")
    s3.delete_public_access_block(Bucket="site")
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::site/*"}
    s3.put_bucket_policy(Bucket="site", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    s3.put_bucket_website(Bucket="site", WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    s3.put_object(Bucket="site", Key="index.html", Body=b"welcome")


def test_a_domain_leads_to_its_api_until_it_is_deleted(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    assert cloud.ask("", "/orders", host=HOST).status == 404
    api = cloud.api()
    cloud.route(api, "ANY /{proxy+}", cloud.to_url(api, f"{endpoint.url}/at/{{proxy}}"))
    domain(cloud, api)
    seen = cloud.ask("", "/orders?full=yes", host=f"{HOST.upper()}:4566").json
    assert (seen["path"], seen["query"]) == ("/at/orders", "full=yes")
    cloud.client.delete_domain_name(DomainName=HOST)
    assert cloud.ask("", "/orders", host=HOST).status == 404
    assert len(endpoint.seen) == 1


def test_large_bodies_reach_it(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    domain(cloud, cloud.api(Target=endpoint.url), name="*.shop.example")
    body = b"0123456789abcdef" * (256 << 10)
    for headers in ({}, {"Expect": "100-continue"}):
        answer = cloud.ask("", "/", method="POST", headers=headers, body=body, host="other.shop.example")
        assert answer.json["body"] == body.decode()


def test_web_sockets_reach_it(cloud: GatewayCloud) -> None:
    api = cloud.websocket_api_without_function()
    cloud.route(api, "$connect", cloud.integration(api, IntegrationType="MOCK"))
    cloud.client.create_stage(ApiId=api, StageName="live", AutoDeploy=True)
    domain(cloud, api, "live")
    there = socket.create_connection((cloud.host, cloud.port), timeout=30)
    with connect(f"ws://{HOST}/", sock=there) as client:
        client.send("who am I")
        assert json.loads(client.recv(30))["connectionId"]


def test_hosts_that_are_no_domains_are_those_of_aws(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    website(cloud.aws)
    assert cloud.ask("", "/", host=SITE).body == b"welcome"
    domain(cloud, cloud.api(Target=endpoint.url))
    assert cloud.ask("", "/", host=SITE).body == b"welcome"
    upgrading = {"Connection": "Upgrade", "Upgrade": "h2c"}
    assert cloud.ask("", "/", headers=upgrading, host=SITE).body == b"welcome"
    for host in ("..", "a.b/c?d#e%2f", "é.example"):
        assert cloud.ask("", "/", host=host).status < 500


def test_while_api_gateway_is_down_only_its_domains_are(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    website(cloud.aws)
    domain(cloud, cloud.api(Target=endpoint.url))
    assert cloud.ask("", "/", host=HOST).status == 200
    port = str(cloud.port)
    assert cloudlet("block", "stop", "apigateway", "--port", port).returncode == 0
    assert cloud.ask("", "/", host=HOST).status == 503
    assert cloud.ask("", "/", host=SITE).body == b"welcome"
    assert cloudlet("block", "start", "apigateway", "--port", port).returncode == 0
    assert cloud.ask("", "/", host=HOST).status == 200
    os.kill(blocks(cloud.aws.endpoint)["apigateway"]["process"], signal.SIGKILL)
    answers = []
    eventually(lambda: answers.append(cloud.ask("", "/", host=HOST).status) or answers[-1] == 200)
    assert set(answers) <= {200, 503}
    assert cloud.ask("", "/", host=SITE).body == b"welcome"


def test_requests_wait_while_the_cloud_is_copied(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    api = cloud.api(Target=endpoint.url)
    domain(cloud, api)
    port = str(cloud.port)
    assert cloud.ask("", "/", host=HOST).status == 200
    over = threading.Event()

    def visit(*where: str | None) -> set[int]:
        statuses = set()
        while not over.is_set():
            statuses |= {cloud.ask(api, host=host).status for host in where}
        return statuses

    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(visit, HOST, None)
        assert cloudlet("snapshot", "save", "a", "--port", port).returncode == 0
        over.set()
        assert seen.result(60) == {200}
    assert cloudlet("reset", "--yes", "--port", port).returncode == 0
    assert cloud.ask("", "/orders", host=HOST).status == 404
    assert cloudlet("snapshot", "restore", "a", "--port", port).returncode == 0
    assert cloud.ask("", "/", host=HOST).status == 200
