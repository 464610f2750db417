"""Subnets and their addresses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.refused import code_of, refused
from tests.services.ec2.cloud import make_interface, make_subnet, make_vpc


def test_subnets_lie_within_their_vpc_and_beside_each_other(ec2: Any) -> None:
    vpc = make_vpc(ec2)
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-1b")["Subnet"]
    assert (made["AvailabilityZone"], made["AvailabilityZoneId"]) == ("us-east-1b", "use1-az2")
    assert (made["AvailableIpAddressCount"], made["MapPublicIpOnLaunch"]) == (251, False)
    assert refused(make_subnet, ec2, vpc, "10.0.1.128/25") == (
        "InvalidSubnet.Conflict",
        "The CIDR '10.0.1.128/25' conflicts with another subnet",
    )
    assert refused(make_subnet, ec2, vpc, "10.1.0.0/24") == (
        "InvalidSubnet.Range",
        "The CIDR '10.1.0.0/24' is invalid.",
    )
    assert code_of(make_subnet, ec2, vpc, "10.0.2.0/29") == "InvalidSubnet.Range"
    assert code_of(make_subnet, ec2, vpc, "10.0.2.0/24", AvailabilityZone="us-east-1z") == "InvalidParameterValue"
    assert code_of(make_subnet, ec2, vpc, "10.0.2.0/24", Ipv6Native=True) == "UnsupportedOperation"
    by_id = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.3.0/24", AvailabilityZoneId="use1-az3")["Subnet"]
    assert by_id["AvailabilityZone"] == "us-east-1c"


def test_attributes_change_one_at_a_time(ec2: Any) -> None:
    subnet = make_subnet(ec2, make_vpc(ec2))
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    ec2.modify_subnet_attribute(SubnetId=subnet, PrivateDnsHostnameTypeOnLaunch="resource-name")
    (found,) = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]
    assert found["MapPublicIpOnLaunch"]
    assert found["PrivateDnsNameOptionsOnLaunch"]["HostnameType"] == "resource-name"
    both = {"MapPublicIpOnLaunch": {"Value": True}, "PrivateDnsHostnameTypeOnLaunch": "ip-name"}
    assert code_of(ec2.modify_subnet_attribute, SubnetId=subnet, **both) == "InvalidParameterCombination"
    ipv6 = {"AssignIpv6AddressOnCreation": {"Value": True}}
    assert code_of(ec2.modify_subnet_attribute, SubnetId=subnet, **ipv6) == "UnsupportedOperation"


def test_addresses_are_given_once(ec2: Any) -> None:
    subnet = make_subnet(ec2, make_vpc(ec2), "10.0.1.0/28")
    taken = [make_interface(ec2, subnet, PrivateIpAddress="10.0.1.7")["PrivateIpAddress"]]
    taken += [make_interface(ec2, subnet)["PrivateIpAddress"] for _ in range(10)]
    assert sorted(taken, key=lambda each: int(each.rpartition(".")[2])) == [f"10.0.1.{last}" for last in range(4, 15)]
    assert code_of(make_interface, ec2, subnet) == "InsufficientFreeAddressesInSubnet"
    (found,) = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]
    assert found["AvailableIpAddressCount"] == 0


@pytest.mark.parametrize(
    ("address", "code", "message"),
    [
        ("10.0.1.3", "InvalidParameterValue", "Address is in subnet's reserved address range"),
        ("10.0.1.255", "InvalidParameterValue", "Address is in subnet's reserved address range"),
        ("10.0.2.4", "InvalidParameterValue", "Address does not fall within the subnet's address range"),
        ("ten", "InvalidParameterValue", "invalid value for parameter address: ten"),
        ("10.0.1.5", "InvalidIPAddress.InUse", "Address 10.0.1.5 is in use."),
    ],
)
def test_addresses_that_cannot_be_had(ec2: Any, address: str, code: str, message: str) -> None:
    subnet = make_subnet(ec2, make_vpc(ec2))
    make_interface(ec2, subnet, PrivateIpAddress="10.0.1.5")
    assert refused(make_interface, ec2, subnet, PrivateIpAddress=address) == (code, message)


def test_a_subnet_with_interfaces_is_not_deleted(ec2: Any) -> None:
    subnet = make_subnet(ec2, make_vpc(ec2))
    interface = make_interface(ec2, subnet)["NetworkInterfaceId"]
    assert refused(ec2.delete_subnet, SubnetId=subnet) == (
        "DependencyViolation",
        f"The subnet '{subnet}' has dependencies and cannot be deleted.",
    )
    ec2.delete_network_interface(NetworkInterfaceId=interface)
    ec2.delete_subnet(SubnetId=subnet)
