"""Network interfaces."""

from __future__ import annotations

from typing import Any

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.ec2.cloud import MISSING, make_filters, make_group, make_interface, make_subnet, make_vpc, tag
from tests.standing import eventually


def _find(ec2: Any, name: str) -> dict[str, Any]:
    (found,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[name])["NetworkInterfaces"]
    made: dict[str, Any] = found
    return made


def test_an_interface_becomes_available(ec2: Any) -> None:
    vpc = make_vpc(ec2)
    subnet = make_subnet(ec2, vpc)
    tags = tag("network-interface", Name="mine")
    made = make_interface(ec2, subnet, Description="mine", TagSpecifications=tags)
    assert (made["Status"], made["VpcId"], made["RequesterManaged"]) == ("pending", vpc, False)
    assert made["TagSet"] == [{"Key": "Name", "Value": "mine"}]
    assert [each["GroupName"] for each in made["Groups"]] == ["default"]
    ec2.get_waiter("network_interface_available").wait(
        NetworkInterfaceIds=[made["NetworkInterfaceId"]], WaiterConfig={"Delay": 1}
    )
    found = ec2.describe_network_interfaces(Filters=make_filters({"subnet-id": subnet, "status": "available"}))
    assert [each["NetworkInterfaceId"] for each in found["NetworkInterfaces"]] == [made["NetworkInterfaceId"]]
    ec2.delete_network_interface(NetworkInterfaceId=made["NetworkInterfaceId"])
    assert code_of(_find, ec2, made["NetworkInterfaceId"]) == "InvalidNetworkInterfaceID.NotFound"


def test_attributes_change_one_at_a_time(ec2: Any) -> None:
    vpc = make_vpc(ec2)
    name = make_interface(ec2, make_subnet(ec2, vpc))["NetworkInterfaceId"]
    group = make_group(ec2, vpc, "web")

    def modify(**changes: Any) -> None:
        ec2.modify_network_interface_attribute(NetworkInterfaceId=name, **changes)

    modify(Description={"Value": "mine"})
    modify(Groups=[group])
    modify(SourceDestCheck={"Value": True})
    found = _find(ec2, name)
    assert (found["Description"], found["Groups"]) == ("mine", [{"GroupId": group, "GroupName": "web"}])
    assert code_of(modify, SourceDestCheck={"Value": False}) == "UnsupportedOperation"
    assert code_of(modify, Groups=[group], Description={"Value": ""}) == "InvalidParameterCombination"
    assert code_of(modify) == "InvalidParameterCombination"
    assert code_of(modify, Groups=[make_group(ec2, make_vpc(ec2), "web")]) == "InvalidParameterValue"
    assert code_of(modify, Groups=[f"sg-{MISSING}"]) == "InvalidGroup.NotFound"
    six = [make_group(ec2, vpc, f"g{number}") for number in range(6)]
    assert code_of(modify, Groups=six) == "SecurityGroupsPerInterfaceLimitExceeded"

    def describe(attribute: str) -> Any:
        answer = ec2.describe_network_interface_attribute(NetworkInterfaceId=name, Attribute=attribute)
        return {key: value for key, value in answer.items() if key not in ("NetworkInterfaceId", "ResponseMetadata")}

    assert describe("description") == {"Description": {"Value": "mine"}}
    assert describe("sourceDestCheck") == {"SourceDestCheck": {"Value": True}}
    assert describe("groupSet") == {"Groups": found["Groups"]}


def test_a_public_address_comes_and_goes_with_an_interface(ec2: Any) -> None:
    name = make_interface(ec2, make_subnet(ec2, make_vpc(ec2)))["NetworkInterfaceId"]
    ec2.modify_network_interface_attribute(NetworkInterfaceId=name, AssociatePublicIpAddress=True)
    association = _find(ec2, name)["Association"]
    assert association["IpOwnerId"] == "amazon"
    assert "AllocationId" not in association
    ec2.modify_network_interface_attribute(NetworkInterfaceId=name, AssociatePublicIpAddress=False)
    assert "Association" not in _find(ec2, name)


def test_secondary_addresses(ec2: Any) -> None:
    subnet = make_subnet(ec2, make_vpc(ec2))
    given = [{"PrivateIpAddress": "10.0.1.10", "Primary": True}, {"PrivateIpAddress": "10.0.1.11"}]
    made = make_interface(ec2, subnet, PrivateIpAddresses=given)
    name = {"NetworkInterfaceId": made["NetworkInterfaceId"]}
    assert made["PrivateIpAddress"] == "10.0.1.10"
    assigned = ec2.assign_private_ip_addresses(**name, SecondaryPrivateIpAddressCount=2)["AssignedPrivateIpAddresses"]
    found = _find(ec2, made["NetworkInterfaceId"])["PrivateIpAddresses"]
    assert [(each["PrivateIpAddress"], each["Primary"]) for each in found] == [
        ("10.0.1.10", True),
        ("10.0.1.11", False),
        *((each["PrivateIpAddress"], False) for each in assigned),
    ]
    assert code_of(make_interface, ec2, subnet, PrivateIpAddress="10.0.1.11") == "InvalidIPAddress.InUse"
    filters = make_filters({"private-ip-address": "10.0.1.11"})
    (owner,) = ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    assert owner["NetworkInterfaceId"] == made["NetworkInterfaceId"]
    ec2.unassign_private_ip_addresses(**name, PrivateIpAddresses=["10.0.1.11"])
    make_interface(ec2, subnet, PrivateIpAddress="10.0.1.11")
    unassign = {**name, "PrivateIpAddresses": ["10.0.1.10"]}
    assert code_of(ec2.unassign_private_ip_addresses, **unassign) == "InvalidParameterValue"
    assert code_of(ec2.assign_private_ip_addresses, **name) == "InvalidParameterCombination"
    many = {**name, "SecondaryPrivateIpAddressCount": 50}
    assert code_of(ec2.assign_private_ip_addresses, **many) == "PrivateIpAddressLimitExceeded"


def test_interfaces_are_made_once_for_a_token(ec2: Any) -> None:
    subnet = make_subnet(ec2, make_vpc(ec2))
    one = make_interface(ec2, subnet, ClientToken="a")["NetworkInterfaceId"]
    assert make_interface(ec2, subnet, ClientToken="a")["NetworkInterfaceId"] == one
    other = {"ClientToken": "a", "Description": "another one"}
    assert code_of(make_interface, ec2, subnet, **other) == "IdempotentParameterMismatch"


def test_what_no_interface_can_have(ec2: Any) -> None:
    subnet = make_subnet(ec2, make_vpc(ec2))
    assert code_of(make_interface, ec2, f"subnet-{MISSING}") == "InvalidSubnetID.NotFound"
    assert code_of(make_interface, ec2, subnet, Ipv6AddressCount=1) == "UnsupportedOperation"
    assert code_of(make_interface, ec2, subnet, InterfaceType="efa") == "UnsupportedOperation"
    name = make_interface(ec2, subnet)["NetworkInterfaceId"]
    attach = {"NetworkInterfaceId": name, "InstanceId": "i-1", "DeviceIndex": 1}
    assert code_of(ec2.attach_network_interface, **attach) == "NotImplemented"


def test_a_service_manages_what_it_asks_for(aws: Aws, ec2: Any) -> None:
    vpc = make_vpc(ec2)
    made = ec2.create_vpc_endpoint(
        VpcId=vpc,
        VpcEndpointType="Interface",
        ServiceName="com.amazonaws.us-east-1.sqs",
        SubnetIds=[make_subnet(ec2, vpc)],
        PrivateDnsEnabled=False,
    )["VpcEndpoint"]
    (name,) = made["NetworkInterfaceIds"]
    found = eventually(lambda: _find(ec2, name), lambda each: each["Status"] == "in-use")
    assert (found["RequesterManaged"], found["InterfaceType"]) == (True, "vpc_endpoint")
    assert found["Attachment"]["InstanceOwnerId"] == "amazon-aws"
    assert refused(ec2.delete_network_interface, NetworkInterfaceId=name) == (
        "InvalidParameterValue",
        f"Network interface '{name}' is currently in use.",
    )
    assert refused(ec2.detach_network_interface, AttachmentId=found["Attachment"]["AttachmentId"]) == (
        "OperationNotPermitted",
        "You are not allowed to manage 'ela-attach' attachments.",
    )
    missing = f"eni-attach-{MISSING}"
    assert code_of(ec2.detach_network_interface, AttachmentId=missing) == "InvalidAttachmentID.NotFound"
    allocation = ec2.allocate_address()["AllocationId"]
    assert refused(ec2.associate_address, AllocationId=allocation, NetworkInterfaceId=name) == (
        "AuthFailure",
        "You do not have permission to access the specified resource.",
    )
    ec2.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])
    assert code_of(_find, ec2, name) == "InvalidNetworkInterfaceID.NotFound"
