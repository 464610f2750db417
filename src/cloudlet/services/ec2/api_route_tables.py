"""The operations on route tables."""

from __future__ import annotations

from typing import Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.ec2 import limits
from cloudlet.services.ec2.cidr import parse_network
from cloudlet.services.ec2.errors import (
    DependencyViolation,
    InvalidCombination,
    InvalidValue,
    MissingParameter,
    QuotaError,
    UnsupportedFeature,
)
from cloudlet.services.ec2.internet_gateway import GATEWAYS
from cloudlet.services.ec2.making import make_association_id
from cloudlet.services.ec2.nat_gateway import NAT_GATEWAYS
from cloudlet.services.ec2.operations import declare, describe, find_repeated
from cloudlet.services.ec2.peering import PEERINGS
from cloudlet.services.ec2.prefix_list import PREFIX_LISTS
from cloudlet.services.ec2.resource import get_associated
from cloudlet.services.ec2.route_table import ROUTE_TABLES, Route, RouteTable
from cloudlet.services.ec2.subnet import SUBNETS, Subnet
from cloudlet.services.ec2.tagging import read_specifications
from cloudlet.services.ec2.vpc import VPCS, Vpc

_UNSUPPORTED: Final = (
    "VpcEndpointId", "TransitGatewayId", "LocalGatewayId", "CarrierGatewayId", "CoreNetworkArn", "OdbNetworkArn",
    "DestinationIpv6CidrBlock", "EgressOnlyInternetGatewayId", "InstanceId", "NetworkInterfaceId",
)  # fmt: skip
"""Targets and destinations of routes that there are none of."""
_ASSOCIATED: Final = {"State": "associated"}

describe(ROUTE_TABLES, "DescribeRouteTables")


@declare("CreateRouteTable")
async def create_route_table(ctx: Context, tx: Transaction, params: Params) -> Result:
    table, token = await find_repeated(ctx, tx, ROUTE_TABLES, "CreateRouteTable", params)
    if table is None:
        vpc = await VPCS.get(ctx, tx, params["VpcId"])
        await ROUTE_TABLES.check_quota(
            ctx, tx, limits.MAX_ROUTE_TABLES, "RouteTableLimitExceeded", "route tables", vpc.name
        )
        tags = read_specifications(params, ROUTE_TABLES.resource_type)
        name = ROUTE_TABLES.make_id()
        table = RouteTable(account=ctx.account, region=ctx.region, name=name, vpc=vpc.name, tags=tags, token=token)
        ROUTE_TABLES.save(tx, table)
    return {"RouteTable": await ROUTE_TABLES.show(ctx, tx, table), "ClientToken": params.get("ClientToken")}


@declare("DeleteRouteTable")
async def delete_route_table(ctx: Context, tx: Transaction, params: Params) -> Result:
    table = await ROUTE_TABLES.get(ctx, tx, params["RouteTableId"])
    if (await VPCS.get(ctx, tx, table.vpc)).main_table == table.name:
        raise DependencyViolation(ROUTE_TABLES.noun, table.name)
    await ROUTE_TABLES.check_free(ctx, tx, table.name)
    ROUTE_TABLES.remove(tx, table)
    return None


# Associations


@declare("AssociateRouteTable", ("GatewayId", "PublicIpv4Pool"))
async def associate_route_table(ctx: Context, tx: Transaction, params: Params) -> Result:
    table = await ROUTE_TABLES.get(ctx, tx, params["RouteTableId"])
    if "SubnetId" not in params:
        raise MissingParameter("SubnetId")
    subnet = await SUBNETS.get(ctx, tx, params["SubnetId"])
    if subnet.vpc != table.vpc:
        text = f"Route table {table.name} and subnet {subnet.name} belong to different networks"
        raise AwsError("InvalidParameterValue", text)
    if subnet.table and subnet.table != table.name:
        text = f"the specified association for route table {table.name} conflicts with an existing association"
        raise AwsError("Resource.AlreadyAssociated", text)
    if not subnet.table:
        subnet.table, subnet.table_association = table.name, make_association_id("rtbassoc")
        SUBNETS.save(tx, subnet)
    return {"AssociationId": subnet.table_association, "AssociationState": _ASSOCIATED}


async def _find_association(ctx: Context, tx: Transaction, name: str) -> Vpc | Subnet:
    """Return the owner of an association with a route table. Raises AwsError.

    A VPC has one with its main table.
    """
    owner = await get_associated(ctx, tx, name, "rtbassoc")
    return await VPCS.find(ctx, tx, owner) or await SUBNETS.get(ctx, tx, owner)


@declare("DisassociateRouteTable")
async def disassociate_route_table(ctx: Context, tx: Transaction, params: Params) -> Result:
    name = params["AssociationId"]
    owner = await _find_association(ctx, tx, name)
    if isinstance(owner, Vpc):
        raise AwsError("InvalidParameterValue", f"cannot disassociate the main route table association {name}")
    owner.table = owner.table_association = ""
    SUBNETS.save(tx, owner)
    return None


@declare("ReplaceRouteTableAssociation")
async def replace_route_table_association(ctx: Context, tx: Transaction, params: Params) -> Result:
    table = await ROUTE_TABLES.get(ctx, tx, params["RouteTableId"])
    owner = await _find_association(ctx, tx, params["AssociationId"])
    if table.vpc != (owner.name if isinstance(owner, Vpc) else owner.vpc):
        text = f"Route table {table.name} and the association belong to different networks"
        raise AwsError("InvalidParameterValue", text)
    association = make_association_id("rtbassoc")
    if isinstance(owner, Vpc):
        owner.main_table, owner.main_association = table.name, association
        VPCS.save(tx, owner)
    else:
        owner.table, owner.table_association = table.name, association
        SUBNETS.save(tx, owner)
    return {"NewAssociationId": association, "AssociationState": _ASSOCIATED}


# Routes


async def _read_destination(ctx: Context, tx: Transaction, params: Params) -> str:
    cidr, prefix_list = params.get("DestinationCidrBlock"), params.get("DestinationPrefixListId")
    if cidr and prefix_list:
        raise InvalidCombination("Only one of destinationCidrBlock, destinationPrefixListId can be specified.")
    if prefix_list:
        return (await PREFIX_LISTS.get(ctx, tx, prefix_list)).name
    if cidr:
        return str(parse_network(cidr, "destinationCidrBlock"))
    text = "The request must contain exactly one of destinationCidrBlock, destinationPrefixListId"
    raise AwsError("MissingParameter", text)


async def _read_target(ctx: Context, tx: Transaction, table: RouteTable, params: Params) -> tuple[str, str]:
    """Return the member and the id of a route's target. Raises AwsError."""
    gateway, nat = params.get("GatewayId", ""), params.get("NatGatewayId", "")
    peering = params.get("VpcPeeringConnectionId", "")
    if len([each for each in (gateway, nat, peering) if each]) != 1:
        text = "The request must contain exactly one of gatewayId, natGatewayId, vpcPeeringConnectionId"
        raise InvalidCombination(text)
    if peering:
        if (await PEERINGS.get(ctx, tx, peering)).find_peer(table.vpc) is None:
            text = f"route table {table.name} and peering connection {peering} belong to different networks"
            raise AwsError("InvalidParameterValue", text)
        return "VpcPeeringConnectionId", peering
    if nat:
        if await NAT_GATEWAYS.find(ctx, tx, nat) is None:
            raise AwsError("InvalidNatGatewayID.NotFound", f"The natGateway ID '{nat}' does not exist")
        return "NatGatewayId", nat
    if not gateway.startswith("igw-"):
        if gateway.startswith("vpce-"):
            text = "routes to gateway endpoints other than by ModifyVpcEndpoint"
        elif gateway == "local":
            raise InvalidValue("gatewayId", gateway, "Local routes are there by themselves.")
        else:
            text = f"routes to {gateway.partition('-')[0]}"
        raise UnsupportedFeature(text)
    found = await GATEWAYS.find(ctx, tx, gateway)
    if found is None:
        raise AwsError("InvalidGatewayID.NotFound", f"The gateway ID '{gateway}' does not exist")
    if found.vpc != table.vpc:
        text = f"route table {table.name} and network gateway {gateway} belong to different networks"
        raise AwsError("InvalidParameterValue", text)
    return "GatewayId", gateway


def _check_not_local(vpc: Vpc, destination: str) -> None:
    if destination in vpc.ranges:
        raise AwsError("RouteAlreadyExists", f"The route identified by {destination} already exists.")
    if destination.startswith("pl-"):
        return
    network = parse_network(destination, "destinationCidrBlock")
    if any(network.subnet_of(parse_network(each, "cidrBlock")) for each in vpc.ranges):
        raise UnsupportedFeature("routes that are more specific than the local ones")


@declare("CreateRoute", _UNSUPPORTED)
async def create_route(ctx: Context, tx: Transaction, params: Params) -> Result:
    table = await ROUTE_TABLES.get(ctx, tx, params["RouteTableId"])
    destination = await _read_destination(ctx, tx, params)
    _check_not_local(await VPCS.get(ctx, tx, table.vpc), destination)
    route = Route(destination, *await _read_target(ctx, tx, table, params))
    known = table.find_route(destination)
    if known is not None and known != route:
        raise AwsError("RouteAlreadyExists", f"The route identified by {destination} already exists.")
    if len(table.routes) >= limits.MAX_ROUTES:
        raise QuotaError("RouteLimitExceeded", "routes")
    if known is None:
        table.routes.append(route)
        ROUTE_TABLES.save(tx, table)
    return {"Return": True}


def _get_route(table: RouteTable, destination: str) -> Route:
    found = table.find_route(destination)
    if found is None:
        member = "destination-prefix-list-id" if destination.startswith("pl-") else "destination-cidr-block"
        text = f"no route with {member} {destination} in route table {table.name}"
        raise AwsError("InvalidRoute.NotFound", text)
    return found


@declare("ReplaceRoute", (*_UNSUPPORTED, "LocalTarget"))
async def replace_route(ctx: Context, tx: Transaction, params: Params) -> Result:
    table = await ROUTE_TABLES.get(ctx, tx, params["RouteTableId"])
    route = _get_route(table, await _read_destination(ctx, tx, params))
    route.member, route.target = await _read_target(ctx, tx, table, params)
    ROUTE_TABLES.save(tx, table)
    return None


@declare("DeleteRoute", ("DestinationIpv6CidrBlock",))
async def delete_route(ctx: Context, tx: Transaction, params: Params) -> Result:
    table = await ROUTE_TABLES.get(ctx, tx, params["RouteTableId"])
    destination = await _read_destination(ctx, tx, params)
    if destination in (await VPCS.get(ctx, tx, table.vpc)).ranges:
        text = f"cannot remove local route {destination} in route table {table.name}"
        raise AwsError("InvalidParameterValue", text)
    route = _get_route(table, destination)
    if route.target.startswith("vpce-"):
        raise AwsError(
            "InvalidParameterValue", f"cannot remove VPC endpoint route {destination} in route table {table.name}"
        )
    table.routes.remove(route)
    ROUTE_TABLES.save(tx, table)
    return None
