"""Gateways and their associations with clusters, as they are stored."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.services.ecs.arns import make_arn


class Gateway(msgspec.Struct, frozen=True):
    """A gateway: how services of its clusters are reached by load balancers."""

    account: str
    region: str
    name: str
    role: str
    """The ARN of the infrastructure role."""
    created: float
    updated: float
    access: str
    vpc: str
    zones: dict[str, str]
    """A subnet of each Availability Zone of its load balancers."""
    subnets: list[str]
    """The subnets that were named, or the default VPC's."""
    max_balancers: int
    is_protected: bool
    propagate: str
    """GATEWAY or NONE: whether its load balancers have its tags."""
    settings: dict[str, Any]
    """`inboundSecurityGroup`, `accessLogs`, `httpDesync` and `testTrafficRules`, where they are given."""
    token: str = ""
    was_updated: bool = False

    @property
    def arn(self) -> str:
        return make_arn(self.region, self.account, "gateway", self.name)


class Association(msgspec.Struct, frozen=True):
    """The association of a gateway with a cluster."""

    account: str
    region: str
    gateway: str
    cluster: str
    status: str

    @property
    def name(self) -> str:
        """The name by which it is kept."""
        return f"{self.gateway}/{self.cluster}"

    @property
    def gateway_arn(self) -> str:
        return make_arn(self.region, self.account, "gateway", self.gateway)

    @property
    def cluster_arn(self) -> str:
        return make_arn(self.region, self.account, "cluster", self.cluster)
