"""Service Connect: tasks of a namespace reach each other by names, through proxies beside them."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from botocore.config import Config

from cloudlet.testing.server import Aws
from tests.refused import refused
from tests.services.ecs.containers import LOGS
from tests.services.ecs.serving import Services
from tests.standing import eventually

ANSWER = "mkdir -p /tmp/www; cat /etc/hostname > /tmp/www/item; exec httpd -f -h /tmp/www"
LOCAL: dict[str, Any] = {"portName": "web", "clientAliases": [{"port": 80, "dnsName": "shop"}]}


class Connected(Services):
    """ECS of an account, with a namespace and a network for tasks."""

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        ec2 = aws.client("ec2")
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        self.group = ec2.create_security_group(GroupName="web", Description="of tasks")["GroupId"]
        everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=[everything])
        self.network = {"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [self.group]}}
        self.map = aws.client("servicediscovery", config=Config(inject_host_prefix=False))
        cluster = self.ecs.update_cluster(cluster="default", serviceConnectDefaults={"namespace": "internal"})[
            "cluster"
        ]
        self.namespace = cluster["serviceConnectDefaults"]["namespace"]

    def serve(self, protocol: str | None = "http", log: dict[str, str] | None = None, **local: Any) -> None:
        """Make the service that is called."""
        mapping = {"containerPort": 80, "name": "web", "appProtocol": protocol}
        container = {
            "command": ["sh", "-c", ANSWER],
            "portMappings": [{name: value for name, value in mapping.items() if value}],
            "stopTimeout": 1,
        }
        self.register(container, family="web", mode="awsvpc")
        connect = {"enabled": True, "services": [{**LOCAL, **local}], "logConfiguration": LOGS}
        if log:
            connect["accessLogConfiguration"] = log
        self.create(networkConfiguration=self.network, serviceConnectConfiguration=connect)
        self.settle()

    def call(self, script: str) -> None:
        """Make a service that only calls, and logs what it is told."""
        self.register(
            {"command": ["sh", "-c", script], "logConfiguration": LOGS, "stopTimeout": 1},
            family="client",
            mode="awsvpc",
        )
        self.ecs.create_service(
            serviceName="client",
            taskDefinition="client",
            desiredCount=1,
            networkConfiguration=self.network,
            serviceConnectConfiguration={"enabled": True, "containerConfigurations": [{"logLevel": "debug"}]},
        )

    def read_client(self) -> list[str]:
        listed = self.ecs.list_tasks(serviceName="client")["taskArns"]
        try:
            return self.read(listed[0]) if listed else []
        except self.aws.client("logs").exceptions.ResourceNotFoundException:
            return []

    def read_proxy(self, task: str) -> list[str]:
        return self.read(task, container="ecs-service-connect")


@pytest.fixture
def web(aws: Aws) -> Connected:
    return Connected(aws)


@pytest.mark.parametrize(
    ("protocol", "log", "wanted"),
    [
        ("http", {"format": "TEXT"}, r'\[[\dT:.Z-]+\] "GET /item HTTP/1.1" 200 0 \d+ \d+ \d+ "-" .* "127.0.0.1:80"'),
        (None, {"format": "JSON"}, r'{.*"bytes_received":[1-9].*}'),
    ],
)
def test_a_task_reaches_another_service_by_its_name(
    web: Connected, protocol: str | None, log: dict[str, str], wanted: str
) -> None:
    web.serve(protocol, log, ingressPortOverride=8080)
    instances = web.map.discover_instances(NamespaceName="internal", ServiceName="web")["Instances"]
    assert [each["Attributes"]["AWS_INSTANCE_PORT"] for each in instances] == ["8080", "8080"]
    web.call("grep shop /etc/hosts; while true; do wget -q -O - http://shop/item?key=1 || echo failed; done")
    told = eventually(web.read_client, lambda lines: len(lines) > 10)
    assert told[0] == "127.255.0.1 shop"
    # They take turns.
    assert len(Counter(told[1:])) == 2, told
    assert web.ecs.list_services_by_namespace(namespace="internal")["serviceArns"] == [
        f"arn:aws:ecs:us-east-1:{web.aws.account}:service/default/{name}" for name in ("client", "web")
    ]
    # What comes to a task has passed the proxy beside it, and what that writes is in the service's logs.
    first = web.list_tasks()[0]
    lines = eventually(lambda: web.read_proxy(first), lambda lines: any(re.match(wanted, line) for line in lines))
    assert any("starting main dispatch loop" in line for line in lines)
    assert not any("key=1" in line for line in lines)
    # A deployment replaces all tasks, and no request is lost.
    web.update(forceNewDeployment=True)
    web.settle()
    seen = len(web.read_client())
    told = eventually(web.read_client, lambda lines: len(lines) > seen + 10)
    assert len(Counter(told[1:])) == 4, Counter(told)
    assert "failed" not in told
    web.ecs.delete_service(service="web", force=True)
    eventually(lambda: web.map.list_services()["Services"], lambda listed: not listed)


def test_what_makes_no_sense_is_refused(web: Connected) -> None:
    ports = [{"containerPort": 80, "name": "web"}, {"containerPort": 443}]
    web.register({"portMappings": ports}, family="web", mode="awsvpc")

    def refuse(**members: Any) -> tuple[str, str]:
        connect = {"enabled": True, "services": [LOCAL], **members}
        return refused(web.create, networkConfiguration=web.network, serviceConnectConfiguration=connect)

    assert refuse(namespace="none") == ("NamespaceNotFoundException", "The specified namespace was not found.")
    code, message = refuse(services=[{**LOCAL, "portName": "none"}])
    assert (code, message) == (
        "InvalidParameterException",
        "The task definition has no port mapping with the name none.",
    )
    assert refuse(services=[{**LOCAL, "discoveryName": "-x"}])[0] == "InvalidParameterException"
    assert refuse(services=[LOCAL, LOCAL])[0] == "InvalidParameterException"
    code, message = refuse(services=[{**LOCAL, "ingressPortOverride": 443}])
    assert message == "The ingressPortOverride 443 is a container port of the task definition."
    code, message = refuse(accessLogConfiguration={"format": "TEXT"})
    assert message == "accessLogConfiguration requires a logConfiguration of Service Connect."
    tls = {"issuerCertificateAuthority": {"awsPcaAuthorityArn": "arn:aws:acm-pca:us-east-1:1:certificate-authority/a"}}
    code, message = refuse(services=[{**LOCAL, "tls": tls}])
    assert (code, "AWS Private CA" in message) == ("ClientException", True)
    header = {**LOCAL["clientAliases"][0], "testTrafficRules": {"header": {"name": "x-test"}}}
    code, message = refuse(services=[{**LOCAL, "clientAliases": [header]}])
    assert message == "testTrafficRules can only be set for an appProtocol other than TCP."
    web.create(
        desiredCount=0,
        networkConfiguration=web.network,
        serviceConnectConfiguration={"enabled": True, "services": [LOCAL]},
    )
    code, message = refused(
        web.create,
        serviceName="other",
        networkConfiguration=web.network,
        serviceConnectConfiguration={"enabled": True, "services": [LOCAL]},
    )
    assert message == "The discoveryName web is used by another service."
