"""VPCs: the default one of each account, and those that are made."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.ec2.cloud import (
    MISSING,
    attach_internet_gateway,
    make_filters,
    make_group,
    make_subnet,
    make_vpc,
    tag,
)


def _find_default(ec2: Any) -> dict[str, Any]:
    (vpc,) = ec2.describe_vpcs(Filters=make_filters({"is-default": "true"}))["Vpcs"]
    found: dict[str, Any] = vpc
    return found


def test_each_account_has_a_default_vpc_in_each_region(aws: Aws, ec2: Any) -> None:
    vpc = _find_default(ec2)
    assert (vpc["CidrBlock"], vpc["OwnerId"], vpc["State"]) == ("172.31.0.0/16", aws.account, "available")
    assert vpc["VpcId"].startswith("vpc-0")
    assert len(vpc["VpcId"]) == len("vpc-") + 17
    filters = make_filters({"vpc-id": vpc["VpcId"]})
    subnets = ec2.describe_subnets(Filters=filters)["Subnets"]
    zones = [each["ZoneName"] for each in ec2.describe_availability_zones()["AvailabilityZones"]]
    assert sorted(each["AvailabilityZone"] for each in subnets) == zones
    assert all(each["DefaultForAz"] and each["MapPublicIpOnLaunch"] for each in subnets)
    (gateway,) = ec2.describe_internet_gateways(Filters=make_filters({"attachment.vpc-id": vpc["VpcId"]}))[
        "InternetGateways"
    ]
    (table,) = ec2.describe_route_tables(Filters=filters)["RouteTables"]
    assert [(each["DestinationCidrBlock"], each["GatewayId"]) for each in table["Routes"]] == [
        ("172.31.0.0/16", "local"),
        ("0.0.0.0/0", gateway["InternetGatewayId"]),
    ]
    (group,) = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    assert group["GroupName"] == "default"
    other = aws.client("ec2", region_name="eu-west-1")
    assert _find_default(other)["VpcId"] != vpc["VpcId"]
    assert len(other.describe_subnets()["Subnets"]) == 3


def test_the_default_vpc_is_deleted_and_made_again(ec2: Any) -> None:
    assert code_of(ec2.create_default_vpc) == "DefaultVpcAlreadyExists"
    vpc = _find_default(ec2)["VpcId"]
    zone = "us-east-1a"
    assert code_of(ec2.create_default_subnet, AvailabilityZone=zone) == "DefaultSubnetAlreadyExistsInAvailabilityZone"
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    made = ec2.create_default_subnet(AvailabilityZone=zone)["Subnet"]
    assert (made["DefaultForAz"], made["CidrBlock"]) == (True, "172.31.0.0/20")
    ec2.delete_subnet(SubnetId=made["SubnetId"])
    (gateway,) = ec2.describe_internet_gateways()["InternetGateways"]
    ec2.detach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"])
    ec2.delete_vpc(VpcId=vpc)
    assert ec2.describe_vpcs()["Vpcs"] == []
    assert code_of(ec2.create_default_subnet, AvailabilityZone=zone) == "DefaultVpcDoesNotExist"
    attributes = ec2.describe_account_attributes(AttributeNames=["default-vpc"])["AccountAttributes"]
    assert attributes[0]["AttributeValues"] == [{"AttributeValue": "none"}]
    made = ec2.create_default_vpc()["Vpc"]
    assert _find_default(ec2)["VpcId"] == made["VpcId"]
    assert len(ec2.describe_subnets()["Subnets"]) == 6


def test_a_vpc_comes_with_what_it_needs(ec2: Any) -> None:
    made = ec2.create_vpc(CidrBlock="10.0.0.1/16", TagSpecifications=tag("vpc", Name="mine"))["Vpc"]
    assert (made["CidrBlock"], made["State"], made["IsDefault"]) == ("10.0.0.0/16", "pending", False)
    filters = make_filters({"vpc-id": made["VpcId"]})
    (vpc,) = ec2.describe_vpcs(Filters=make_filters({"tag:Name": "mine"}))["Vpcs"]
    assert (vpc["VpcId"], vpc["Tags"]) == (made["VpcId"], [{"Key": "Name", "Value": "mine"}])
    (table,) = ec2.describe_route_tables(Filters=filters)["RouteTables"]
    (association,) = table["Associations"]
    assert association["Main"]
    (acl,) = ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
    assert acl["IsDefault"]
    assert [(each["RuleNumber"], each["RuleAction"]) for each in acl["Entries"]] == [
        (100, "allow"),
        (100, "allow"),
        (32767, "deny"),
        (32767, "deny"),
    ]
    assert ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["Description"] == (
        "default VPC security group"
    )


def test_attributes(ec2: Any) -> None:
    vpc = make_vpc(ec2)

    def read(attribute: str) -> bool:
        answer = ec2.describe_vpc_attribute(VpcId=vpc, Attribute=attribute)
        value: bool = answer[attribute[0].upper() + attribute[1:]]["Value"]
        return value

    assert (read("enableDnsSupport"), read("enableDnsHostnames")) == (True, False)
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    assert read("enableDnsHostnames")
    assert not read("enableNetworkAddressUsageMetrics")
    both = {"EnableDnsHostnames": {"Value": True}, "EnableDnsSupport": {"Value": True}}
    assert code_of(ec2.modify_vpc_attribute, VpcId=vpc, **both) == "InvalidParameterCombination"
    metrics = {"EnableNetworkAddressUsageMetrics": {"Value": True}}
    assert code_of(ec2.modify_vpc_attribute, VpcId=vpc, **metrics) == "UnsupportedOperation"


def test_what_others_need_is_not_deleted(ec2: Any) -> None:
    vpc = make_vpc(ec2)
    subnet = make_subnet(ec2, vpc)
    violation = ("DependencyViolation", f"The vpc '{vpc}' has dependencies and cannot be deleted.")
    assert refused(ec2.delete_vpc, VpcId=vpc) == violation
    ec2.delete_subnet(SubnetId=subnet)
    gateway = attach_internet_gateway(ec2, vpc)
    assert refused(ec2.delete_vpc, VpcId=vpc) == violation
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    group = make_group(ec2, vpc, "mine")
    assert refused(ec2.delete_vpc, VpcId=vpc) == violation
    ec2.delete_security_group(GroupId=group)
    ec2.delete_vpc(VpcId=vpc)
    assert refused(ec2.delete_vpc, VpcId=vpc) == ("InvalidVpcID.NotFound", f"The vpc ID '{vpc}' does not exist")
    filters = make_filters({"vpc-id": vpc})
    assert ec2.describe_security_groups(Filters=filters)["SecurityGroups"] == []
    assert ec2.describe_route_tables(Filters=filters)["RouteTables"] == []


def test_further_ranges_of_addresses(ec2: Any) -> None:
    vpc = make_vpc(ec2)
    made = ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.1.0.0/16")["CidrBlockAssociation"]
    assert made["CidrBlockState"]["State"] == "associating"
    subnet = make_subnet(ec2, vpc, "10.1.0.0/24")
    (found,) = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
    assert [each["CidrBlock"] for each in found["CidrBlockAssociationSet"]] == ["10.0.0.0/16", "10.1.0.0/16"]
    (table,) = ec2.describe_route_tables(Filters=make_filters({"vpc-id": vpc}))["RouteTables"]
    assert [each["DestinationCidrBlock"] for each in table["Routes"]] == ["10.0.0.0/16", "10.1.0.0/16"]
    assert code_of(ec2.associate_vpc_cidr_block, VpcId=vpc, CidrBlock="10.1.2.0/24") == "InvalidVpc.Range"
    association = {"AssociationId": made["AssociationId"]}
    assert code_of(ec2.disassociate_vpc_cidr_block, **association) == "InvalidCidrBlock.InUse"
    ec2.delete_subnet(SubnetId=subnet)
    ec2.disassociate_vpc_cidr_block(**association)
    assert code_of(ec2.disassociate_vpc_cidr_block, **association) == "InvalidVpcCidrBlockAssociationID.NotFound"
    primary = found["CidrBlockAssociationSet"][0]["AssociationId"]
    assert code_of(ec2.disassociate_vpc_cidr_block, AssociationId=primary) == "OperationNotPermitted"


def test_a_region_has_five_vpcs_at_most(ec2: Any) -> None:
    for _ in range(4):
        make_vpc(ec2)
    assert refused(make_vpc, ec2) == ("VpcLimitExceeded", "The maximum number of VPCs has been reached.")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"CidrBlock": "10.0.0.0/8"}, "InvalidVpc.Range"),
        ({"CidrBlock": "10.0.0.0/29"}, "InvalidVpc.Range"),
        ({"CidrBlock": "127.0.0.0/16"}, "InvalidVpc.Range"),
        ({"CidrBlock": "ten"}, "InvalidParameterValue"),
        ({}, "MissingParameter"),
        ({"CidrBlock": "10.0.0.0/16", "AmazonProvidedIpv6CidrBlock": True}, "UnsupportedOperation"),
        ({"CidrBlock": "10.0.0.0/16", "InstanceTenancy": "dedicated"}, "UnsupportedOperation"),
        ({"CidrBlock": "10.0.0.0/16", "TagSpecifications": tag("subnet", a="b")}, "InvalidParameterValue"),
        ({"CidrBlock": "10.0.0.0/16", "TagSpecifications": tag("vpc", **{"aws:a": "b"})}, "InvalidParameterValue"),
        ({"CidrBlock": "10.0.0.0/16", "DryRun": True}, "DryRunOperation"),
    ],
)
def test_what_is_no_vpc(ec2: Any, options: dict[str, Any], code: str) -> None:
    assert code_of(ec2.create_vpc, **options) == code


def test_what_is_not_built_says_so(ec2: Any) -> None:
    code, message = refused(ec2.run_instances, ImageId="ami-1", MinCount=1, MaxCount=1)
    assert code == "NotImplemented"
    assert "Run containers by Amazon ECS instead" in message
    assert code_of(ec2.describe_volumes) == "NotImplemented"
    assert code_of(ec2.delete_vpc, VpcId=f"vpc-{MISSING}") == "InvalidVpcID.NotFound"
    assert code_of(ec2.delete_vpc, VpcId="mine") == "InvalidVpcID.Malformed"
