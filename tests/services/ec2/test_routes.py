"""Route tables, gateways and elastic addresses."""

from __future__ import annotations

from typing import Any

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.ec2.cloud import (
    MISSING,
    attach_internet_gateway,
    find_main_table,
    make_filters,
    make_interface,
    make_subnet,
    make_vpc,
)
from tests.standing import Standing


def _make_table(ec2: Any, vpc: str) -> str:
    name: str = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    return name


def _routes(ec2: Any, table: str) -> dict[str, tuple[str, str]]:
    """Return targets and states by destination."""
    (found,) = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    return {
        each.get("DestinationCidrBlock") or each["DestinationPrefixListId"]: (
            each.get("GatewayId") or each["NatGatewayId"],
            each["State"],
        )
        for each in found["Routes"]
    }


def test_subnets_are_associated_with_tables(ec2: Any) -> None:
    vpc = make_vpc(ec2)
    subnet, table, other = make_subnet(ec2, vpc), _make_table(ec2, vpc), _make_table(ec2, vpc)
    made = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    assert made["AssociationState"] == {"State": "associated"}
    assert ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"] == made["AssociationId"]
    assert refused(ec2.associate_route_table, RouteTableId=other, SubnetId=subnet) == (
        "Resource.AlreadyAssociated",
        f"the specified association for route table {other} conflicts with an existing association",
    )
    (found,) = ec2.describe_route_tables(Filters=make_filters({"association.subnet-id": subnet}))["RouteTables"]
    assert found["RouteTableId"] == table
    assert refused(ec2.delete_route_table, RouteTableId=table) == (
        "DependencyViolation",
        f"The routeTable '{table}' has dependencies and cannot be deleted.",
    )
    replaced = ec2.replace_route_table_association(AssociationId=made["AssociationId"], RouteTableId=other)
    ec2.delete_route_table(RouteTableId=table)
    ec2.disassociate_route_table(AssociationId=replaced["NewAssociationId"])
    assert code_of(ec2.disassociate_route_table, AssociationId=replaced["NewAssociationId"]) == (
        "InvalidAssociationID.NotFound"
    )
    ec2.delete_route_table(RouteTableId=other)


def test_another_table_becomes_the_main_one(ec2: Any) -> None:
    vpc = make_vpc(ec2)
    main, other = find_main_table(ec2, vpc), _make_table(ec2, vpc)
    (table,) = ec2.describe_route_tables(RouteTableIds=[main])["RouteTables"]
    association = table["Associations"][0]["RouteTableAssociationId"]
    assert refused(ec2.disassociate_route_table, AssociationId=association) == (
        "InvalidParameterValue",
        f"cannot disassociate the main route table association {association}",
    )
    assert code_of(ec2.delete_route_table, RouteTableId=main) == "DependencyViolation"
    ec2.replace_route_table_association(AssociationId=association, RouteTableId=other)
    assert find_main_table(ec2, vpc) == other
    ec2.delete_route_table(RouteTableId=main)
    ec2.delete_vpc(VpcId=vpc)


def test_routes_are_made_replaced_and_deleted(ec2: Any) -> None:
    vpc = make_vpc(ec2)
    table, gateway = _make_table(ec2, vpc), attach_internet_gateway(ec2, vpc)
    route = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}
    assert ec2.create_route(**route, GatewayId=gateway)["Return"]
    assert _routes(ec2, table) == {"10.0.0.0/16": ("local", "active"), "0.0.0.0/0": (gateway, "active")}
    subnet = make_subnet(ec2, vpc)
    nat = ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")["NatGateway"]["NatGatewayId"]
    assert refused(ec2.create_route, **route, NatGatewayId=nat) == (
        "RouteAlreadyExists",
        "The route identified by 0.0.0.0/0 already exists.",
    )
    ec2.replace_route(**route, NatGatewayId=nat)
    assert _routes(ec2, table)["0.0.0.0/0"] == (nat, "active")
    ec2.delete_nat_gateway(NatGatewayId=nat)
    assert _routes(ec2, table)["0.0.0.0/0"] == (nat, "blackhole")
    ec2.delete_route(**route)
    assert refused(ec2.delete_route, **route) == (
        "InvalidRoute.NotFound",
        f"no route with destination-cidr-block 0.0.0.0/0 in route table {table}",
    )
    assert code_of(ec2.delete_route, RouteTableId=table, DestinationCidrBlock="10.0.0.0/16") == "InvalidParameterValue"


def test_routes_that_lead_nowhere(ec2: Any) -> None:
    vpc = make_vpc(ec2)
    table, gateway = _make_table(ec2, vpc), ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    route = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}
    assert code_of(ec2.create_route, **route, GatewayId=gateway) == "InvalidParameterValue"
    assert code_of(ec2.create_route, **route, GatewayId=f"igw-{MISSING}") == "InvalidGatewayID.NotFound"
    assert code_of(ec2.create_route, **route, NatGatewayId=f"nat-{MISSING}") == "InvalidNatGatewayID.NotFound"
    assert code_of(ec2.create_route, **route) == "InvalidParameterCombination"
    assert code_of(ec2.create_route, **route, InstanceId="i-1") == "UnsupportedOperation"
    assert code_of(ec2.create_route, RouteTableId=table, GatewayId=gateway) == "MissingParameter"
    local = {"RouteTableId": table, "DestinationCidrBlock": "10.0.0.0/16"}
    assert code_of(ec2.create_route, **local, GatewayId=gateway) == "RouteAlreadyExists"


def test_tables_are_made_once_for_a_token(ec2: Any) -> None:
    vpc = make_vpc(ec2)
    one = ec2.create_route_table(VpcId=vpc, ClientToken="a")["RouteTable"]["RouteTableId"]
    assert ec2.create_route_table(VpcId=vpc, ClientToken="a")["RouteTable"]["RouteTableId"] == one
    assert ec2.create_route_table(VpcId=vpc, ClientToken="b")["RouteTable"]["RouteTableId"] != one


def test_internet_gateways_are_attached_to_one_vpc(ec2: Any) -> None:
    vpc, other = make_vpc(ec2), make_vpc(ec2)
    gateway = attach_internet_gateway(ec2, vpc)
    attached = {"InternetGatewayId": gateway, "VpcId": vpc}
    assert refused(ec2.attach_internet_gateway, **attached) == (
        "Resource.AlreadyAssociated",
        f"resource {gateway} is already attached to network {vpc}",
    )
    second = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    assert refused(ec2.attach_internet_gateway, InternetGatewayId=second, VpcId=vpc) == (
        "InvalidParameterValue",
        f"Network {vpc} already has an internet gateway attached",
    )
    assert code_of(ec2.delete_internet_gateway, InternetGatewayId=gateway) == "DependencyViolation"
    assert refused(ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=other) == (
        "Gateway.NotAttached",
        f"resource {gateway} is not attached to network {other}",
    )
    ec2.detach_internet_gateway(**attached)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    ec2.attach_internet_gateway(InternetGatewayId=second, VpcId=vpc)
    (found,) = ec2.describe_internet_gateways(Filters=make_filters({"attachment.vpc-id": vpc}))["InternetGateways"]
    assert found["InternetGatewayId"] == second
    for _ in range(3):
        ec2.create_internet_gateway()
    assert code_of(ec2.create_internet_gateway) == "InternetGatewayLimitExceeded"


def test_nat_gateways_have_an_address_and_an_interface(account: Aws, standing: Standing) -> None:
    ec2 = account.client("ec2")
    vpc = make_vpc(ec2)
    subnet = make_subnet(ec2, vpc)
    allocation = ec2.allocate_address()
    public = {"SubnetId": subnet, "AllocationId": allocation["AllocationId"]}
    assert code_of(ec2.create_nat_gateway, SubnetId=subnet) == "MissingParameter"
    failed = ec2.create_nat_gateway(**public)["NatGateway"]
    assert (failed["State"], failed["FailureCode"], failed["FailureMessage"]) == (
        "failed",
        "Gateway.NotAttached",
        f"Network {vpc} has no Internet gateway attached",
    )
    gateway = attach_internet_gateway(ec2, vpc)
    made = ec2.create_nat_gateway(**public)["NatGateway"]
    (address,) = made["NatGatewayAddresses"]
    assert (made["State"], address["PublicIp"]) == ("available", allocation["PublicIp"])
    (interface,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[address["NetworkInterfaceId"]])[
        "NetworkInterfaces"
    ]
    assert (interface["InterfaceType"], interface["RequesterManaged"]) == ("nat_gateway", True)
    assert interface["Association"]["AllocationId"] == allocation["AllocationId"]
    managed = {"NetworkInterfaceId": interface["NetworkInterfaceId"]}
    assert code_of(ec2.delete_network_interface, **managed) == "InvalidParameterValue"
    assert code_of(ec2.disassociate_address, AssociationId=address["AssociationId"]) == "AuthFailure"
    assert ec2.create_nat_gateway(**public)["NatGateway"]["FailureCode"] == "Resource.AlreadyAssociated"
    attached = {"InternetGatewayId": gateway, "VpcId": vpc}
    assert code_of(ec2.detach_internet_gateway, **attached) == "DependencyViolation"
    assert code_of(ec2.delete_subnet, SubnetId=subnet) == "DependencyViolation"

    ec2.delete_nat_gateway(NatGatewayId=made["NatGatewayId"])
    (deleted,) = ec2.describe_nat_gateways(NatGatewayIds=[made["NatGatewayId"]])["NatGateways"]
    assert deleted["State"] == "deleted"
    ec2.detach_internet_gateway(**attached)
    ec2.delete_subnet(SubnetId=subnet)
    ec2.release_address(AllocationId=allocation["AllocationId"])
    standing.advance("2h")
    assert code_of(ec2.describe_nat_gateways, NatGatewayIds=[made["NatGatewayId"]]) == "NatGatewayNotFound"


def test_elastic_addresses_move_between_interfaces(ec2: Any) -> None:
    vpc = make_vpc(ec2)
    subnet = make_subnet(ec2, vpc)
    one, other = (make_interface(ec2, subnet)["NetworkInterfaceId"] for _ in range(2))
    address = ec2.allocate_address()
    allocation = {"AllocationId": address["AllocationId"]}
    assert code_of(ec2.associate_address, **allocation, NetworkInterfaceId=one) == "Gateway.NotAttached"
    attach_internet_gateway(ec2, vpc)
    made = ec2.associate_address(**allocation, NetworkInterfaceId=one)
    (found,) = ec2.describe_addresses(Filters=make_filters({"network-interface-id": one}))["Addresses"]
    assert (found["PublicIp"], found["AssociationId"]) == (address["PublicIp"], made["AssociationId"])
    assert code_of(ec2.release_address, **allocation) == "InvalidIPAddress.InUse"
    refusing = {**allocation, "NetworkInterfaceId": other, "AllowReassociation": False}
    (known,) = ec2.describe_addresses(AllocationIds=[address["AllocationId"]])["Addresses"]
    assert refused(ec2.associate_address, **refusing) == (
        "Resource.AlreadyAssociated",
        f"resource {address['AllocationId']} is already associated with associate-id {known['AssociationId']}",
    )
    moved = ec2.associate_address(**allocation, NetworkInterfaceId=other)["AssociationId"]
    interfaces = ec2.describe_network_interfaces(NetworkInterfaceIds=[one, other])["NetworkInterfaces"]
    assert ["Association" in each for each in interfaces] == [False, True]
    ec2.disassociate_address(AssociationId=moved)
    assert code_of(ec2.disassociate_address, AssociationId=moved) == "InvalidAssociationID.NotFound"
    ec2.associate_address(PublicIp=address["PublicIp"], NetworkInterfaceId=one)
    ec2.delete_network_interface(NetworkInterfaceId=one)
    ec2.release_address(**allocation)
    assert code_of(ec2.describe_addresses, PublicIps=[address["PublicIp"]]) == "InvalidAddress.NotFound"


def test_an_account_has_five_addresses_at_most(ec2: Any) -> None:
    for _ in range(5):
        ec2.allocate_address(Domain="vpc")
    assert refused(ec2.allocate_address) == (
        "AddressLimitExceeded",
        "The maximum number of addresses has been reached.",
    )


def test_addresses_that_nobody_gets(ec2: Any) -> None:
    address = ec2.allocate_address()
    ec2.release_address(AllocationId=address["AllocationId"])
    assert ec2.allocate_address(Address=address["PublicIp"])["PublicIp"] == address["PublicIp"]
    for each in (address["PublicIp"], "192.0.2.1", "mine"):
        assert refused(ec2.allocate_address, Address=each) == (
            "InvalidAddress.NotFound",
            f"Address '{each}' not found.",
        )


def test_what_tools_ask_for_besides(ec2: Any) -> None:
    address = ec2.allocate_address()
    answer = ec2.describe_addresses_attribute(AllocationIds=[address["AllocationId"]], Attribute="domain-name")
    assert answer["Addresses"] == [{"PublicIp": address["PublicIp"], "AllocationId": address["AllocationId"]}]
    assert ec2.describe_vpn_gateways(Filters=make_filters({"attachment.vpc-id": "vpc-1"}))["VpnGateways"] == []
    assert code_of(ec2.describe_vpn_gateways, VpnGatewayIds=[f"vgw-{MISSING}"]) == "InvalidVpnGatewayID.NotFound"
