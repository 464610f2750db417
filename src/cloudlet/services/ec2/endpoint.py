"""VPC endpoints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from cloudlet.core import AwsError, Context, Transaction
from cloudlet.services.ec2.resource import Kind, Resource, to_tag_list
from cloudlet.services.ec2.security_group import GROUPS

GATEWAY: Final = "Gateway"
INTERFACE: Final = "Interface"
ALLOWING_ALL: Final = (
    '{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'
)
"""The policy of an endpoint for which none is given."""


class Endpoint(Resource, kw_only=True):
    vpc: str
    type: str
    service: str
    created: float
    policy: str = ALLOWING_ALL
    tables: list[str] = msgspec.field(default_factory=list)
    subnets: list[str] = msgspec.field(default_factory=list)
    groups: list[str] = msgspec.field(default_factory=list)
    interfaces: list[str] = msgspec.field(default_factory=list)
    has_private_names: bool = False
    requester: str = ""

    def list_parents(self) -> Iterable[str]:
        return (self.vpc, *self.tables, *self.subnets, *self.groups)


async def _show(ctx: Context, tx: Transaction, endpoint: Endpoint) -> dict[str, Any]:
    groups = [each for name in endpoint.groups if (each := await GROUPS.find(ctx, tx, name)) is not None]
    return {
        "VpcEndpointId": endpoint.name,
        "VpcEndpointType": endpoint.type,
        "VpcId": endpoint.vpc,
        "OwnerId": endpoint.account,
        "ServiceName": endpoint.service,
        "ServiceRegion": endpoint.region,
        "State": "available",
        "PolicyDocument": endpoint.policy,
        "RouteTableIds": endpoint.tables,
        "SubnetIds": endpoint.subnets,
        "Groups": [{"GroupId": each.name, "GroupName": each.group_name} for each in groups],
        "NetworkInterfaceIds": endpoint.interfaces,
        "IpAddressType": "ipv4",
        "PrivateDnsEnabled": endpoint.has_private_names,
        "RequesterManaged": bool(endpoint.requester),
        "DnsEntries": [],
        "CreationTimestamp": endpoint.created,
        "Tags": to_tag_list(endpoint),
    }


def _make_absent(name: str) -> AwsError:
    return AwsError("InvalidVpcEndpointId.NotFound", f"The Vpc Endpoint Id '{name}' does not exist")


ENDPOINTS: Final = Kind(
    Endpoint, "vpce", "vpc-endpoint", "Vpc Endpoint", "InvalidVpcEndpointId", _show, "VpcEndpoints", "VpcEndpointIds",
    {
        "ip-address-type": "",
        "service-name": "",
        "service-region": "",
        "vpc-endpoint-id": "",
        "vpc-endpoint-state": "State",
        "vpc-endpoint-type": "",
        "vpc-id": "",
    },
    _make_absent,
)  # fmt: skip
