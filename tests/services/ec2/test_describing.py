"""What all Describe operations have in common: ids, filters with wildcards, pages."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.ec2.filters import parse_filters
from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.ec2.cloud import MISSING, make_filters, make_subnet, make_vpc, tag

_TEXTS = st.text("ab*?-", max_size=6)


@given(text=st.text("ab-", max_size=6), patterns=st.lists(_TEXTS, max_size=3))
def test_wildcards_stand_for_any_characters(text: str, patterns: list[str]) -> None:
    matches = parse_filters([{"Name": "name", "Values": patterns}], {"name": ""})
    assert matches({"Name": text}) == any(fnmatchcase(text, each) for each in patterns)


@pytest.mark.parametrize(("pattern", "is_match"), [(r"a\*", True), (r"a\?", False), ("a*", True), (r"\a\*", True)])
def test_a_backslash_escapes_wildcards(pattern: str, is_match: bool) -> None:
    matches = parse_filters([{"Name": "name", "Values": [pattern]}], {"name": ""})
    assert matches({"Name": "a*"}) == is_match


def test_filters_are_all_to_match_with_one_of_their_values(ec2: Any) -> None:
    vpc = make_vpc(ec2)
    one = make_subnet(ec2, vpc, "10.0.1.0/24", TagSpecifications=tag("subnet", team="shop", env="test"))
    other = make_subnet(ec2, vpc, "10.0.2.0/24", TagSpecifications=tag("subnet", team="bank"))

    def find(**filters: list[str]) -> set[str]:
        asked = [{"Name": name.replace("_", "-"), "Values": values} for name, values in filters.items()]
        return {each["SubnetId"] for each in ec2.describe_subnets(Filters=asked)["Subnets"]}

    assert find(vpc_id=[vpc]) == {one, other}
    assert find(vpc_id=[vpc], cidr_block=["10.0.1.0/24"]) == {one}
    assert find(vpc_id=[vpc], cidr_block=["10.0.?.0/24"]) == {one, other}
    assert find(**{"tag:team": ["shop", "bank"]}) == {one, other}
    assert find(**{"tag:team": ["s*"]}) == {one}
    assert find(**{"tag-key": ["env"]}) == {one}
    assert find(vpc_id=[vpc], state=["pending"]) == set()
    assert find(vpc_id=[vpc], default_for_az=["false"]) == {one, other}
    assert refused(ec2.describe_subnets, Filters=make_filters({"colour": "red"})) == (
        "InvalidParameterValue",
        "The filter 'colour' is invalid",
    )


def test_lists_come_in_pages(aws: Aws, ec2: Any) -> None:
    vpc = make_vpc(ec2)
    made = {make_subnet(ec2, vpc, f"10.0.{number}.0/24") for number in range(12)}
    filters = make_filters({"vpc-id": vpc})
    pages = list(ec2.get_paginator("describe_subnets").paginate(Filters=filters, MaxResults=5))
    assert [len(page["Subnets"]) for page in pages] == [5, 5, 2]
    assert {each["SubnetId"] for page in pages for each in page["Subnets"]} == made
    assert code_of(ec2.describe_subnets, NextToken="???") == "InvalidParameterValue"
    both = {"SubnetIds": sorted(made), "MaxResults": 5}
    assert code_of(ec2.describe_subnets, **both) == "InvalidParameterCombination"
    careless = aws.client("ec2", config=Config(parameter_validation=False))
    assert code_of(careless.describe_subnets, MaxResults=1) == "InvalidParameterValue"


def test_ids_that_are_not_there_are_told(ec2: Any) -> None:
    calls = {
        "describe_vpcs": ("VpcIds", "vpc", "InvalidVpcID.NotFound"),
        "describe_subnets": ("SubnetIds", "subnet", "InvalidSubnetID.NotFound"),
        "describe_route_tables": ("RouteTableIds", "rtb", "InvalidRouteTableID.NotFound"),
        "describe_internet_gateways": ("InternetGatewayIds", "igw", "InvalidInternetGatewayID.NotFound"),
        "describe_nat_gateways": ("NatGatewayIds", "nat", "NatGatewayNotFound"),
        "describe_addresses": ("AllocationIds", "eipalloc", "InvalidAllocationID.NotFound"),
        "describe_security_groups": ("GroupIds", "sg", "InvalidGroup.NotFound"),
        "describe_security_group_rules": ("SecurityGroupRuleIds", "sgr", "InvalidSecurityGroupRuleId.NotFound"),
        "describe_network_interfaces": ("NetworkInterfaceIds", "eni", "InvalidNetworkInterfaceID.NotFound"),
        "describe_network_acls": ("NetworkAclIds", "acl", "InvalidNetworkAclID.NotFound"),
        "describe_dhcp_options": ("DhcpOptionsIds", "dopt", "InvalidDhcpOptionID.NotFound"),
        "describe_vpc_endpoints": ("VpcEndpointIds", "vpce", "InvalidVpcEndpointId.NotFound"),
        "describe_managed_prefix_lists": ("PrefixListIds", "pl", "InvalidPrefixListID.NotFound"),
    }
    for operation, (member, prefix, code) in calls.items():
        assert code_of(getattr(ec2, operation), **{member: [f"{prefix}-{MISSING}"]}) == code


def test_what_is_no_id_is_told(ec2: Any) -> None:
    calls = {
        "describe_vpcs": ("VpcIds", "InvalidVpcID.Malformed"),
        "describe_subnets": ("SubnetIds", "InvalidSubnetID.Malformed"),
        "describe_route_tables": ("RouteTableIds", "InvalidRouteTableId.Malformed"),
        "describe_internet_gateways": ("InternetGatewayIds", "InvalidInternetGatewayId.Malformed"),
        "describe_nat_gateways": ("NatGatewayIds", "NatGatewayMalformed"),
        "describe_security_groups": ("GroupIds", "InvalidGroupId.Malformed"),
        "describe_security_group_rules": ("SecurityGroupRuleIds", "InvalidSecurityGroupRuleId.Malformed"),
        "describe_network_interfaces": ("NetworkInterfaceIds", "InvalidNetworkInterfaceId.Malformed"),
        "describe_network_acls": ("NetworkAclIds", "InvalidNetworkAclId.Malformed"),
        "describe_dhcp_options": ("DhcpOptionsIds", "InvalidDhcpOptionsId.Malformed"),
        "describe_vpc_endpoints": ("VpcEndpointIds", "InvalidVpcEndpointId.Malformed"),
        "describe_managed_prefix_lists": ("PrefixListIds", "InvalidPrefixListId.Malformed"),
    }
    for operation, (member, code) in calls.items():
        assert code_of(getattr(ec2, operation), **{member: ["mine"]}) == code


def test_all_documented_filters_are_known(ec2: Any) -> None:
    filters = {
        "describe_vpcs": "ipv6-cidr-block-association.state cidr dhcp-options-id",
        "describe_network_interfaces": "attachment.status group-name addresses.primary requester-managed status",
        "describe_security_groups": "ip-permission.cidr egress.ip-permission.group-id group-name",
        "describe_network_acls": "entry.icmp.code entry.port-range.from association.subnet-id default",
        "describe_route_tables": "route.nat-gateway-id association.main route.state",
        "describe_addresses": "network-border-group private-ip-address",
        "describe_vpc_endpoints": "vpc-endpoint-type service-name vpc-endpoint-state",
    }
    for operation, names in filters.items():
        asked = [{"Name": name, "Values": ["nothing"]} for name in names.split()]
        answer = getattr(ec2, operation)(Filters=asked)
        assert [value for name, value in answer.items() if isinstance(value, list)] == [[]]


def test_what_is_no_number_is_told(aws: Aws) -> None:
    ec2 = aws.client("ec2", config=Config(parameter_validation=False))
    for number in ("many", 2**31):
        assert refused(ec2.describe_vpcs, MaxResults=number) == (
            "InvalidParameterValue",
            f"The value '{number}' of parameter MaxResults is not a valid integer",
        )
