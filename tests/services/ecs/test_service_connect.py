"""Service Connect: tasks of a namespace reach each other by names, through proxies beside them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from botocore.config import Config

from cloudlet.testing.server import Aws
from tests.refused import refused
from tests.services.ecs.containers import LOGS
from tests.services.ecs.serving import Services
from tests.standing import eventually

ANSWER = "mkdir -p /tmp/www; cat /etc/hostname > /tmp/www/index.html; exec httpd -f -h /tmp/www"
LOCAL = {"portName": "web", "clientAliases": [{"port": 80, "dnsName": "shop"}]}


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

    def serve(self, protocol: str | None = "http", **members: Any) -> None:
        """Make the service that is called."""
        mapping = {"containerPort": 80, "name": "web", "appProtocol": protocol}
        container = {
            "command": ["sh", "-c", ANSWER],
            "portMappings": [{name: value for name, value in mapping.items() if value}],
            "stopTimeout": 1,
        }
        self.register(container, family="web", mode="awsvpc")
        connect = {"enabled": True, "services": [LOCAL], "logConfiguration": LOGS}
        self.create(networkConfiguration=self.network, serviceConnectConfiguration=connect, **members)
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


@pytest.fixture
def web(aws: Aws) -> Connected:
    return Connected(aws)


@pytest.mark.parametrize("protocol", ["http", None])
def test_a_task_reaches_another_service_by_its_name(web: Connected, protocol: str | None) -> None:
    web.serve(protocol)
    hosts = {
        each["attachments"][0]["details"][-1]["value"]
        for each in web.ecs.describe_tasks(tasks=web.list_tasks())["tasks"]
    }
    assert hosts
    (instances,) = [
        web.map.discover_instances(NamespaceName="internal", ServiceName="web")["Instances"],
    ]
    assert len(instances) == 2
    web.call("grep shop /etc/hosts; while true; do wget -q -O - http://shop/; sleep 0.1; done")
    told = eventually(web.read_client, lambda lines: len(lines) > 10)
    assert told[0] == "127.255.0.1 shop"
    counts = Counter(told[1:])
    # They take turns.
    assert len(counts) == 2, counts
    assert web.ecs.list_services_by_namespace(namespace="internal")["serviceArns"] == [
        f"arn:aws:ecs:us-east-1:{web.aws.account}:service/default/{name}" for name in ("client", "web")
    ]
    assert any(
        "starting main dispatch loop" in line for line in web.read(web.list_tasks()[0], container="ecs-service-connect")
    )
    web.ecs.delete_service(service="web", force=True)
    eventually(lambda: web.map.list_services()["Services"], lambda listed: not listed)


def test_what_makes_no_sense_is_refused(web: Connected) -> None:
    web.register({"portMappings": [{"containerPort": 80, "name": "web"}]}, family="web", mode="awsvpc")

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
    assert refuse(services=[{**LOCAL, "ingressPortOverride": 81}])[0] == "ClientException"
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
