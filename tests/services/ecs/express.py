"""Express services, for tests."""

from __future__ import annotations

import http.client
import socket
import ssl
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from cloudlet.testing.server import Aws
from tests.modes import MODE
from tests.services.ecs.serving import Services
from tests.services.elbv2.test_serving import find_port
from tests.standing import eventually


def find_role(aws: Aws, name: str) -> str:
    """Return the ARN of a role of an account."""
    return f"arn:aws:iam::{aws.account}:role/{name}"


class ExpressMode(Services):
    """ECS of an account, with an Express service that is called web."""

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        if MODE == "strict":
            self.create_role("infrastructure", "ecs.amazonaws.com")

    def find_role(self, name: str) -> str:
        return find_role(self.aws, name)

    def answer(self, body: str) -> dict[str, Any]:
        """Return a container that answers with a text."""
        # The first process of a container is not ended by a signal that it does not handle.
        script = f"trap 'exit 0' TERM; echo {body} > /srv/index.html; echo ok > /srv/ping; httpd -f -h /srv & wait"
        return {"image": self.image, "command": ["sh", "-c", script]}

    def start(self, **members: Any) -> dict[str, Any]:
        given: dict[str, Any] = {
            "serviceName": "web",
            "executionRoleArn": self.find_role("execution"),
            "infrastructureRoleArn": self.find_role("infrastructure"),
            "primaryContainer": self.answer("one"),
            **members,
        }
        return dict(self.ecs.create_express_gateway_service(**given)["service"])

    def read_service(self, arn: str) -> dict[str, Any]:
        return dict(self.ecs.describe_express_gateway_service(serviceArn=arn, include=["TAGS"])["service"])

    def ask(self, endpoint: str, **headers: str) -> tuple[int, str]:
        """Return the status and the body of a response by the front door."""
        host = endpoint.removeprefix("https://")
        try:
            with urlopen(Request(self.aws.endpoint + "/", headers={"Host": host, **headers}), timeout=10) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)

    def eventually_answer(self, endpoint: str, body: str) -> None:
        eventually(lambda: self.ask(endpoint), lambda found: found == (200, body))

    def read_revision(self, arn: str) -> dict[str, Any]:
        (found,) = self.ecs.describe_service_revisions(serviceRevisionArns=[arn])["serviceRevisions"]
        return dict(found)

    def ask_directly(self, endpoint: str) -> tuple[int, str]:
        """Return the status and the body of a response by HTTPS at the load balancer's address, verified."""
        host = endpoint.removeprefix("https://")
        (balancer,) = self.aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
        address = balancer["AvailabilityZones"][0]["LoadBalancerAddresses"][0]["IpAddress"]
        with urlopen(f"{self.aws.endpoint}/_cloudlet/acm/root.pem") as answer:
            context = ssl.create_default_context(cadata=answer.read().decode())
        with (
            socket.create_connection((address, find_port(443)), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            connection = http.client.HTTPConnection(host)
            connection.sock = secure
            connection.request("GET", "/")
            response = connection.getresponse()
            return response.status, response.read().decode()

    def list_left(self) -> dict[str, int]:
        """Return how many resources are there that ECS makes."""
        elb, ec2 = self.aws.client("elbv2"), self.aws.client("ec2")
        managed = [{"Name": "tag:AmazonECSManaged", "Values": ["true"]}]
        found = {
            "balancers": elb.describe_load_balancers()["LoadBalancers"],
            "groups": elb.describe_target_groups()["TargetGroups"],
            "security groups": ec2.describe_security_groups(Filters=managed)["SecurityGroups"],
            "certificates": self._list_certificates(),
            "alarms": self.aws.client("cloudwatch").describe_alarms()["MetricAlarms"],
            "targets": self.aws.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")[
                "ScalableTargets"
            ],
        }
        return {name: len(each) for name, each in found.items() if each}

    def _list_certificates(self) -> list[dict[str, Any]]:
        keys = {"keyTypes": ["EC_prime256v1"]}
        return list(self.aws.client("acm").list_certificates(Includes=keys)["CertificateSummaryList"])
