"""Services of Service Connect for tests: one that is called, and one that calls it."""

from __future__ import annotations

from typing import Any

from botocore.config import Config

from cloudlet.testing.server import Aws
from tests.services.ecs.containers import LOGS
from tests.services.ecs.serving import Services

ANSWER = "mkdir -p /tmp/www; cat /etc/hostname > /tmp/www/item; httpd -h /tmp/www -p 81; exec httpd -f -h /tmp/www"
LOCAL: dict[str, Any] = {"portName": "web", "clientAliases": [{"port": 80, "dnsName": "shop"}]}
RAW: dict[str, Any] = {"portName": "raw", "clientAliases": [{"port": 81, "dnsName": "shop"}]}


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
        changed = self.ecs.update_cluster(cluster="default", serviceConnectDefaults={"namespace": "internal"})
        self.namespace = changed["cluster"]["serviceConnectDefaults"]["namespace"]

    def publish(self, script: str = ANSWER) -> None:
        """Register what the service that is called runs."""
        ports = [{"containerPort": 80, "name": "web", "appProtocol": "http"}, {"containerPort": 81, "name": "raw"}]
        container = {"command": ["sh", "-c", script], "portMappings": ports, "stopTimeout": 1}
        self.register(container, family="web", mode="awsvpc")

    def serve(self, ports: list[dict[str, Any]], log: dict[str, str] | None = None, **members: Any) -> None:
        """Make the service that is called."""
        connect: dict[str, Any] = {"enabled": True, "services": ports, "logConfiguration": LOGS}
        if log:
            connect["accessLogConfiguration"] = log
        self.create(networkConfiguration=self.network, serviceConnectConfiguration=connect, **members)

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
        """Return what the service that calls has logged."""
        listed = self.ecs.list_tasks(serviceName="client")["taskArns"]
        try:
            return self.read(listed[0]) if listed else []
        except self.aws.client("logs").exceptions.ResourceNotFoundException:
            return []

    def read_proxy(self, task: str) -> list[str]:
        return self.read(task, container="ecs-service-connect")
