"""Load balancers that ECS makes, and routes through them, as they are stored."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from cloudlet.core.aws.arn import Arn, partition_of
from cloudlet.services.ecs.arns import make_arn
from cloudlet.services.ecs.ingress_states import find_resource_status

PUBLIC: Final = "PUBLIC"
PRIVATE: Final = "PRIVATE"
SCHEMES: Final = {PUBLIC: "internet-facing", PRIVATE: "internal"}


def make_resource_arn(service: str, region: str, account: str, resource: str) -> str:
    """Return the ARN of a resource of another service."""
    return str(Arn(partition_of(region), service, region, account, resource))


class Balancer(msgspec.Struct, frozen=True):
    """An Application Load Balancer that many services share, with its listener."""

    account: str
    region: str
    id: str
    """Eight digits, with which the hosts of its routes begin."""
    gateway: str
    """The name of the gateway that has it, or nothing: Express Mode's."""
    role: str
    """The ARN of the role by which it is made."""
    access: str
    vpc: str
    subnets: list[str]
    created: float
    updated: float
    routes: dict[str, list[str]] = {}
    """The cluster and the service of each route through it, by the route's id."""
    slots: dict[str, int] = {}
    """The place of each route among the listener's rules."""
    is_leaving: bool = False
    security_group: str = ""
    certificate: str = ""
    arn: str = ""
    listener: str = ""
    failure: str = ""
    """The reason why the next step did not succeed."""
    tags: dict[str, str] = {}
    settings: dict[str, Any] = {}
    """The configuration of the gateway that has it, as it was made or changed by."""
    wanted: dict[str, Any] = {}
    """The configuration that it is to have."""
    failures: list[dict[str, str]] = []
    """The calls of the last change that did not succeed: operation, code and message."""
    was_repeated: bool = False
    """Whether the step was repeated, before it leaves, that may have been interrupted."""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.account, self.region, self.id

    @property
    def name(self) -> str:
        """The name of the load balancer."""
        return f"ecs-gateway-alb-{self.id}" if self.gateway else f"ecs-express-gateway-alb-{self.id}"

    @property
    def scheme(self) -> str:
        return SCHEMES[self.access]

    @property
    def domain(self) -> str:
        """The name of its own certificate."""
        return f"{self.id}.ecs.{self.region}.on.aws"

    @property
    def security_group_arn(self) -> str:
        if not self.security_group:
            return ""
        return make_resource_arn("ec2", self.region, self.account, f"security-group/{self.security_group}")

    def get_status(self, arn: str) -> str:
        """Return the state of one of its resources."""
        return find_resource_status(arn, self.failure, is_leaving=self.is_leaving)


class Group(msgspec.Struct, frozen=True):
    """One of the two target groups of a route."""

    id: str
    """Seventeen digits, with which its name ends."""
    port: int
    check: dict[str, Any]
    """The members of its health check."""
    arn: str = ""

    @property
    def name(self) -> str:
        return f"ecs-gateway-tg-{self.id}"


class Route(msgspec.Struct, frozen=True):
    """A host name that leads through a load balancer to a service."""

    account: str
    region: str
    cluster: str
    service: str
    id: str
    """Thirty-two digits, the load balancer's first."""
    gateway: str
    """The name of the gateway, or nothing: Express Mode's."""
    role: str
    access: str
    vpc: str
    port_name: str
    container: str
    port: int
    check: dict[str, Any]
    """The members of the health check that its targets are to have."""
    groups: list[Group]
    created: float
    updated: float
    security_group: str = ""
    """The security group of the service that lets the load balancer in."""
    owns_group: bool = False
    """Whether it made that one."""
    opened: int = 0
    """The port at which the load balancer is let in there."""
    certificate: str = ""
    is_certified: bool = False
    """Whether the listener has the certificate."""
    rule: str = ""
    test_rule: str = ""
    test_header: dict[str, Any] = {}
    """The header of requests for the test rule, as that has it."""
    forwarded: list[str] = []
    """The target groups that the rules forward to."""
    discarded: list[str] = []
    """Target groups that others have replaced."""
    is_leaving: bool = False
    failure: str = ""
    rule_ids: list[str] = []
    """The ids of the rules of the security group."""
    is_settled: bool = True
    """Whether a deployment has begun in target groups as they are to be."""
    delay: int = -1
    """The deregistration delay of its targets, in seconds; -1 for the default."""
    used_delay: int = -1
    """The delay that both target groups have."""
    tags: dict[str, str] = {}
    was_repeated: bool = False
    """Whether the step was repeated, before it leaves, that may have been interrupted."""

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        return self.account, self.region, self.cluster, self.service, self.id

    @property
    def service_key(self) -> tuple[str, str, str, str]:
        return self.account, self.region, self.cluster, self.service

    @property
    def balancer(self) -> str:
        """The id of the load balancer."""
        return self.id[:8]

    @property
    def host(self) -> str:
        letters = "".join(each for each in self.service.lower() if each.isascii() and each.isalnum())
        return f"{letters[:2] or 'ecs'}-{self.id}.ecs.{self.region}.on.aws"

    @property
    def endpoint(self) -> str:
        return f"https://{self.host}"

    @property
    def arn(self) -> str:
        return make_arn(self.region, self.account, "gateway-route", self.gateway, self.id)

    @property
    def service_arn(self) -> str:
        return make_arn(self.region, self.account, "service", self.cluster, self.service)

    @property
    def is_made(self) -> bool:
        return bool(self.rule) and all(group.arn for group in self.groups)

    @property
    def load_balancer(self) -> dict[str, Any]:
        """The load balancer of the service, as CreateService has it."""
        first, second = self.groups
        advanced = {
            "alternateTargetGroupArn": second.arn,
            "productionListenerRule": self.rule,
            "roleArn": self.role,
            **({"testListenerRule": self.test_rule} if self.test_rule else {}),
        }
        return {
            "targetGroupArn": first.arn,
            "containerName": self.container,
            "containerPort": self.port,
            "advancedConfiguration": advanced,
        }

    @property
    def security_group_arn(self) -> str:
        if not self.security_group:
            return ""
        return make_resource_arn("ec2", self.region, self.account, f"security-group/{self.security_group}")

    def get_status(self, arn: str) -> str:
        """Return the state of one of its resources."""
        return find_resource_status(arn, self.failure, is_leaving=self.is_leaving)
