"""The records of target groups and targets."""

from __future__ import annotations

import msgspec

from cloudlet.services.elbv2 import arns


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True):
    is_enabled: bool
    protocol: str
    port: str
    interval: int
    timeout: int
    healthy: int
    unhealthy: int
    path: str = ""
    codes: str = ""
    """The codes of healthy targets: of HTTP, or of gRPC for groups of that version."""


class TargetGroup(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    region: str
    name: str
    """The end of the ARN: `NAME/ID`. Records are kept by name."""
    type: str
    check: HealthCheck
    protocol: str = ""
    version: str = ""
    port: int = 0
    vpc: str = ""
    attributes: dict[str, str] = {}

    @property
    def title(self) -> str:
        """The name that it was given."""
        return self.name.partition("/")[0]

    @property
    def arn(self) -> str:
        return arns.make_arn(arns.TARGET_GROUP, self.account, self.region, self.name)

    @property
    def is_grpc(self) -> bool:
        return self.version == "GRPC"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    port: int
    registered: float
    zone: str = ""
    address: str = ""
    """The address in the VPC; none for functions, and for load balancers, whose addresses change.

    Of an instance it is the one by which load balancers reach this machine.
    """
    draining_until: float | None = None
    """The end of the deregistration delay; None for a registered target."""
    state: str = ""
    """The state that the proxy has told last; none before its first word."""
    reason: str = ""
    description: str = ""
