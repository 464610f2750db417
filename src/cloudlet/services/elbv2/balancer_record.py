"""The record of a load balancer."""

from __future__ import annotations

import msgspec

from cloudlet.services.elbv2 import arns
from cloudlet.services.elbv2.states import PROVISIONING

APPLICATION = "application"
NETWORK = "network"


class Placement(msgspec.Struct, frozen=True):
    """One subnet of a load balancer, with the network interface there."""

    subnet: str
    zone: str
    allocation: str = ""
    """The elastic address that it is to have."""
    wanted_address: str = ""
    """The private address that it is to have."""
    interface: str = ""
    address: str = ""
    public_address: str = ""


class LoadBalancer(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    region: str
    name: str
    """The end of the ARN: `app/NAME/ID`. Records are kept by name."""
    title: str
    """The name that it was given."""
    type: str
    scheme: str
    vpc: str
    placements: tuple[Placement, ...]
    security_groups: tuple[str, ...]
    created: float
    machine_address: str = ""
    """The address on this machine."""
    state: str = PROVISIONING
    refusals: dict[str, str] = {}
    """The reasons that the proxy has told, by the ARNs of what it has refused."""
    attributes: dict[str, str] = {}
    """The attributes that were set; others have their defaults."""

    @property
    def arn(self) -> str:
        return arns.make_arn(arns.LOAD_BALANCER, self.account, self.region, self.name)

    @property
    def id(self) -> str:
        return self.name.rpartition("/")[2]

    @property
    def is_placed(self) -> bool:
        """Whether it has all its network interfaces."""
        return all(each.interface for each in self.placements)
