"""Proxies among the containers of a task (`proxyConfiguration`), through which its traffic goes."""

from __future__ import annotations

import os
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import refused
from tests.services.ecs.containers import LOGS
from tests.services.ecs.test_task_interfaces import Fargate, find_details
from tests.standing import eventually

SERVE = "mkdir -p {folder}; echo {body} > {folder}/index.html; httpd {how} -p {port} -h {folder}"


def serve(body: str, port: int, how: str = "") -> str:
    """Return a script that answers HTTP requests with a text."""
    return SERVE.format(folder=f"/dev/shm/{body}", body=body, port=port, how=how)


def configure(**changed: str) -> dict[str, Any]:
    """Return a proxy configuration; a property that is empty is left out."""
    given = {
        "IgnoredUID": "1337",
        "ProxyIngressPort": "15000",
        "ProxyEgressPort": "15001",
        "AppPorts": "8080,8081",
        "EgressIgnoredIPs": "169.254.170.2,169.254.169.254",
        **changed,
    }
    properties = [{"name": name, "value": value} for name, value in given.items() if value]
    return {"type": "APPMESH", "containerName": "proxy", "properties": properties}


@pytest.fixture
def fargate(aws: Aws) -> Fargate:
    found = Fargate(aws)
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    found.ec2.authorize_security_group_ingress(GroupId=found.group, IpPermissions=[everything])
    return found


def find_address(fargate: Fargate, arn: str) -> str:
    return find_details(fargate.wait(arn, "RUNNING"))["privateIPv4Address"]


def ask(address: str, port: int = 80) -> str:
    """Return a script that asks until it is answered."""
    return f"until wget -q -O - http://{address}:{port}/ 2>/dev/null; do sleep 0.2; done"


def test_traffic_goes_through_the_proxy(fargate: Fargate) -> None:
    web = fargate.launch({"command": ["sh", "-c", serve("web", 80, "-f")], "stopTimeout": 1})
    address = find_address(fargate, web)
    proxy = f"{ask(address)}; {serve('ingress', 15000)}; {serve('egress', 15001, '-f')}"
    meshed = fargate.launch(
        {"command": ["sh", "-c", f"{ask(address)}; sleep 1000"], "logConfiguration": LOGS, "stopTimeout": 1},
        {"name": "proxy", "user": "1337", "command": ["sh", "-c", proxy], "logConfiguration": LOGS, "stopTimeout": 1},
        proxyConfiguration=configure(),
    )
    if os.geteuid() != 0:
        # Here the proxy cannot be told from the application, whose user is the same.
        stopped = fargate.wait(meshed, lambda task: task["lastStatus"] == "STOPPED")
        assert "a proxy needs a user of its own" in stopped["stoppedReason"]
        return
    own = find_address(fargate, meshed)
    # What the proxy itself sends reaches others, and what the application sends reaches the proxy.
    assert eventually(lambda: fargate.read(meshed, container="proxy")) == ["web"]
    assert eventually(lambda: fargate.read(meshed)) == ["egress"]
    caller = fargate.launch({"command": ["sh", "-c", f"{ask(own, 8080)}; {ask(own, 8081)}"], "logConfiguration": LOGS})
    fargate.wait(caller, "STOPPED")
    assert fargate.read(caller) == ["ingress", "ingress"]
    for each in (web, meshed):
        fargate.stop(each)


UPSTREAM_TRIES = "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"
LIVE = {"command": ["CMD-SHELL", "curl -s http://localhost:9901/server_info | grep state | grep -q LIVE"]}


def test_an_envoy_of_app_mesh_is_the_machines_own(fargate: Fargate) -> None:
    web = fargate.launch({"command": ["sh", "-c", serve("web", 8080, "-f")], "stopTimeout": 1})
    mesh = fargate.aws.client("appmesh")
    mesh.create_mesh(meshName="shop")

    def create(name: str, **spec: Any) -> str:
        made = mesh.create_virtual_node(meshName="shop", virtualNodeName=name, spec=spec)["virtualNode"]
        return str(made["metadata"]["arn"])

    listener = {"portMapping": {"port": 8080, "protocol": "http"}}
    create("web", listeners=[listener], serviceDiscovery={"dns": {"hostname": find_address(fargate, web)}})
    provider = {"virtualNode": {"virtualNodeName": "web"}}
    mesh.create_virtual_service(meshName="shop", virtualServiceName="web.shop", spec={"provider": provider})
    lines = {"json": [{"key": "path", "value": "%REQ(:PATH)%"}, {"key": "tries", "value": UPSTREAM_TRIES}]}
    front = create(
        "front",
        backends=[{"virtualService": {"virtualServiceName": "web.shop"}}],
        logging={"accessLog": {"file": {"path": "/dev/stdout", "format": lines}}},
    )
    envoy = {
        "name": "proxy",
        "image": "public.ecr.aws/appmesh/aws-appmesh-envoy:v1.29.12.1-prod",
        "user": "1337",
        "environment": [{"name": "APPMESH_RESOURCE_ARN", "value": front}],
        "healthCheck": LIVE,
        "logConfiguration": LOGS,
        "stopTimeout": 1,
    }
    # Whatever address the application takes, its Envoy knows the service.
    told = "until wget -q -O - --header 'Host: web.shop' http://192.0.2.1:8080/; do sleep 0.1; done"
    meshed = fargate.launch(
        {
            "command": ["sh", "-c", told],
            "logConfiguration": LOGS,
            "dependsOn": [{"containerName": "proxy", "condition": "HEALTHY"}],
        },
        envoy,
        proxyConfiguration=configure(AppPorts="80"),
    )
    fargate.wait(meshed, "STOPPED")
    assert fargate.read(meshed) == ["web"]
    said = fargate.read(meshed, container="proxy")
    assert [line for line in said if line.startswith("{")] == ['{"path":"/","tries":1}'], said
    fargate.stop(web)


def test_an_envoy_that_cannot_be_made_ends_its_task(fargate: Fargate) -> None:
    variables = {"APPMESH_RESOURCE_ARN": "mesh/shop/virtualNode/front", "XRAY_DAEMON_PORT": "daemon"}
    environment = [{"name": name, "value": value} for name, value in variables.items()]
    envoy = {"name": "proxy", "image": "public.ecr.aws/appmesh/aws-appmesh-envoy:v1.29.12.1-prod"}
    ended = fargate.wait(fargate.launch({**envoy, "command": [], "environment": environment}), "STOPPED")
    assert "XRAY_DAEMON_PORT=daemon is not a port" in ended["containers"][0]["reason"]


def test_a_configuration_is_checked(fargate: Fargate) -> None:
    def refuse(mode: str = "awsvpc", **changed: str) -> str:
        code, message = refused(fargate.register, {"name": "proxy"}, mode=mode, proxyConfiguration=configure(**changed))
        assert code == "ClientException"
        return message

    assert refuse(mode="bridge") == "The proxy configuration requires that networkMode is awsvpc."
    assert refuse(IgnoredUID="") == "The proxy configuration must have the property IgnoredUID or IgnoredGID."
    assert refuse(AppPorts="") == "The proxy configuration must have the property AppPorts."
    assert refuse(ProxyEgressPort="70000").endswith("property ProxyEgressPort is not valid.")
    assert refuse(EgressIgnoredIPs="nowhere").endswith("property EgressIgnoredIPs is not valid.")
    assert refuse(ProxyIngressPort="1,2").endswith("property ProxyIngressPort has one value.")
    assert refuse(Other="1") == "Unknown property of the proxy configuration: Other."
    code, message = refused(fargate.register, {}, mode="awsvpc", proxyConfiguration=configure())
    assert (code, message) == ("ClientException", "The proxy container proxy does not exist.")
    arn = fargate.register({"name": "proxy"}, mode="awsvpc", proxyConfiguration=configure())
    found = fargate.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    assert found["proxyConfiguration"] == configure()
    assert {"name": "ecs.capability.aws-appmesh"} in found["requiresAttributes"]
