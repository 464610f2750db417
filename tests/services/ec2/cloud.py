"""What tests of EC2 share: VPCs with subnets, and names of things that are not there."""

from __future__ import annotations

from typing import Any

MISSING = "0123456789abcdef0"
"""The end of an id that nothing has."""


def make_vpc(ec2: Any, cidr: str = "10.0.0.0/16", **options: Any) -> str:
    """Make a VPC; return its id."""
    name: str = ec2.create_vpc(CidrBlock=cidr, **options)["Vpc"]["VpcId"]
    return name


def make_subnet(ec2: Any, vpc: str, cidr: str = "10.0.1.0/24", **options: Any) -> str:
    """Make a subnet; return its id."""
    name: str = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, **options)["Subnet"]["SubnetId"]
    return name


def make_group(ec2: Any, vpc: str, name: str) -> str:
    """Make a security group; return its id."""
    made: str = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
    return made


def make_interface(ec2: Any, subnet: str, **options: Any) -> dict[str, Any]:
    """Make a network interface."""
    made: dict[str, Any] = ec2.create_network_interface(SubnetId=subnet, **options)["NetworkInterface"]
    return made


def attach_internet_gateway(ec2: Any, vpc: str) -> str:
    """Make an internet gateway and attach it to a VPC; return its id."""
    name: str = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=name, VpcId=vpc)
    return name


def find_main_table(ec2: Any, vpc: str) -> str:
    """Return the id of the main route table of a VPC."""
    filters = make_filters({"vpc-id": vpc, "association.main": "true"})
    (table,) = ec2.describe_route_tables(Filters=filters)["RouteTables"]
    name: str = table["RouteTableId"]
    return name


def make_filters(filters: dict[str, str]) -> list[dict[str, Any]]:
    """Return filters with one value each."""
    return [{"Name": name, "Values": [value]} for name, value in filters.items()]


def tag(kind: str, **tags: str) -> list[dict[str, Any]]:
    """Return tag specifications."""
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]
