"""Route tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from cloudlet.core import AwsError, Transaction
from cloudlet.services.ec2.internet_gateway import GATEWAYS
from cloudlet.services.ec2.nat_gateway import NAT_GATEWAYS
from cloudlet.services.ec2.peering import ACTIVE, PEERINGS
from cloudlet.services.ec2.resource import Kind, Resource, Scope, to_tag_list
from cloudlet.services.ec2.subnet import SUBNETS
from cloudlet.services.ec2.vpc import VPCS, Vpc


class Route(msgspec.Struct):
    """A destination, and the target that it leads to.

    The destination is a range of addresses or a prefix list, the target a member of the API and an id.
    """

    destination: str
    member: str
    target: str

    @property
    def is_prefix_list(self) -> bool:
        """Whether the destination is a prefix list."""
        return self.destination.startswith("pl-")


class RouteTable(Resource, kw_only=True):
    vpc: str
    routes: list[Route] = msgspec.field(default_factory=list)
    """All but the local ones, which follow from the VPC."""

    def list_parents(self) -> Iterable[str]:
        return (self.vpc, *(each.destination for each in self.routes if each.is_prefix_list))

    @property
    def network(self) -> str:
        return self.vpc

    def find_route(self, destination: str) -> Route | None:
        """Return the route to a destination, None where there is none."""
        return next((each for each in self.routes if each.destination == destination), None)


async def is_alive(scope: Scope, tx: Transaction, table: RouteTable, route: Route) -> bool:
    """Whether the target of a route is there."""
    if route.member == "NatGatewayId":
        nat = await NAT_GATEWAYS.find(scope, tx, route.target)
        return nat is not None and nat.state == "available" and nat.vpc == table.vpc
    if route.member == "VpcPeeringConnectionId":
        peering = await PEERINGS.find(scope, tx, route.target)
        return peering is not None and peering.status == ACTIVE and peering.find_peer(table.vpc) is not None
    if route.target.startswith("igw-"):
        gateway = await GATEWAYS.find(scope, tx, route.target)
        return gateway is not None and gateway.vpc == table.vpc
    return True


async def _show(scope: Scope, tx: Transaction, table: RouteTable) -> dict[str, Any]:
    vpc = await VPCS.get(scope, tx, table.vpc)
    routes = [
        {"DestinationCidrBlock": each, "GatewayId": "local", "Origin": "CreateRouteTable", "State": "active"}
        for each in vpc.ranges
    ]
    for each in table.routes:
        member = "DestinationPrefixListId" if each.is_prefix_list else "DestinationCidrBlock"
        state = "active" if await is_alive(scope, tx, table, each) else "blackhole"
        routes.append({member: each.destination, each.member: each.target, "Origin": "CreateRoute", "State": state})
    return {
        "RouteTableId": table.name,
        "VpcId": table.vpc,
        "OwnerId": table.account,
        "Routes": routes,
        "Associations": await _list_associations(scope, tx, vpc, table),
        "PropagatingVgws": [],
        "Tags": to_tag_list(table),
    }


async def _list_associations(scope: Scope, tx: Transaction, vpc: Vpc, table: RouteTable) -> list[dict[str, Any]]:
    state = {"State": "associated"}
    found: list[dict[str, Any]] = []
    if vpc.main_table == table.name:
        found.append({"RouteTableAssociationId": vpc.main_association, "Main": True, "AssociationState": state})
    for subnet in await SUBNETS.list_dependent(scope, tx, table.name):
        found.append(
            {
                "RouteTableAssociationId": subnet.table_association,
                "SubnetId": subnet.name,
                "Main": False,
                "AssociationState": state,
            }
        )
    return [{**each, "RouteTableId": table.name} for each in found]


_ROUTE_MEMBERS: Final = {
    "destination-cidr-block": "DestinationCidrBlock",
    "destination-ipv6-cidr-block": "DestinationIpv6CidrBlock",
    "destination-prefix-list-id": "DestinationPrefixListId",
    "egress-only-internet-gateway-id": "EgressOnlyInternetGatewayId",
    "gateway-id": "GatewayId",
    "instance-id": "InstanceId",
    "nat-gateway-id": "NatGatewayId",
    "origin": "Origin",
    "state": "State",
    "transit-gateway-id": "TransitGatewayId",
    "vpc-peering-connection-id": "VpcPeeringConnectionId",
}


def _make_absent(name: str) -> AwsError:
    return AwsError("InvalidRouteTableID.NotFound", f"The routeTable ID '{name}' does not exist")


ROUTE_TABLES: Final = Kind(
    RouteTable, "rtb", "route-table", "routeTable", "InvalidRouteTableId", _show, "RouteTables", "RouteTableIds",
    {
        "association.gateway-id": "Associations.GatewayId",
        "association.main": "Associations.Main",
        "association.route-table-association-id": "Associations.RouteTableAssociationId",
        "association.route-table-id": "Associations.RouteTableId",
        "association.subnet-id": "Associations.SubnetId",
        "owner-id": "",
        "route-table-id": "",
        **{f"route.{name}": f"Routes.{member}" for name, member in _ROUTE_MEMBERS.items()},
        "vpc-id": "",
    },
    _make_absent,
)  # fmt: skip
