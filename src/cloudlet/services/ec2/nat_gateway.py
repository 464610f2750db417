"""NAT gateways."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from cloudlet.core import AwsError, Transaction
from cloudlet.services.ec2.resource import Kind, Resource, Scope, to_tag_list

_SHOWN_SECONDS: Final = 3600
"""The time for which a deleted one is shown.

VPC User Guide, "Delete a NAT gateway": about an hour.
"""


class NatGateway(Resource, kw_only=True):
    vpc: str
    subnet: str
    is_public: bool
    interface: str
    address: str
    allocation: str
    association: str
    public_address: str
    created: float
    deleted: float = 0.0
    """The time from which it is no longer there, or has failed."""
    failure: tuple[str, str] | None = None
    """The code and the message of what one has failed of."""

    def list_parents(self) -> Iterable[str]:
        return () if self.deleted else (self.vpc, self.subnet)

    @property
    def network(self) -> str:
        return self.vpc

    @property
    def state(self) -> str:
        if self.failure is not None:
            return "failed"
        return "deleted" if self.deleted else "available"


async def _show(scope: Scope, tx: Transaction, nat: NatGateway) -> dict[str, Any]:
    address: dict[str, Any] = {"IsPrimary": True, "Status": "failed" if nat.failure else "succeeded"}
    if nat.interface:
        address |= {"NetworkInterfaceId": nat.interface, "PrivateIp": nat.address}
    if nat.failure and nat.allocation:
        address |= {"AllocationId": nat.allocation, "FailureMessage": nat.failure[1]}
    elif nat.allocation:
        address |= {
            "AllocationId": nat.allocation,
            "AssociationId": nat.association,
            "PublicIp": nat.public_address,
        }
    shown: dict[str, Any] = {
        "NatGatewayId": nat.name,
        "VpcId": nat.vpc,
        "SubnetId": nat.subnet,
        "State": nat.state,
        "CreateTime": nat.created,
        "ConnectivityType": "public" if nat.is_public else "private",
        "AvailabilityMode": "zonal",
        "NatGatewayAddresses": [address],
        "Tags": to_tag_list(nat),
    }
    if nat.failure is not None:
        shown |= {"FailureCode": nat.failure[0], "FailureMessage": nat.failure[1]}
    return {**shown, "DeleteTime": nat.deleted} if nat.deleted else shown


def _is_visible(scope: Scope, nat: NatGateway) -> bool:
    return not nat.deleted or scope.block.clock.now() < nat.deleted + _SHOWN_SECONDS


def _make_absent(name: str) -> AwsError:
    return AwsError("NatGatewayNotFound", f"The Nat Gateway {name} was not found")


NAT_GATEWAYS: Final = Kind(
    NatGateway, "nat", "natgateway", "natGateway", "NatGateway", _show, "NatGateways", "NatGatewayIds",
    {"nat-gateway-id": "", "state": "", "subnet-id": "", "vpc-id": ""},
    _make_absent, malformed="NatGatewayMalformed", is_visible=_is_visible,
)  # fmt: skip
