"""Network ACLs, DHCP options, endpoints, prefix lists, places and tags."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.refused import code_of, refused
from tests.services.ec2.cloud import MISSING, find_main_table, make_filters, make_group, make_subnet, make_vpc, tag


def test_network_acls_have_numbered_rules(ec2: Any) -> None:
    acl = ec2.create_network_acl(VpcId=make_vpc(ec2))["NetworkAcl"]
    assert [(each["RuleNumber"], each["RuleAction"]) for each in acl["Entries"]] == [(32767, "deny")] * 2
    entry = {
        "NetworkAclId": acl["NetworkAclId"],
        "RuleNumber": 10,
        "Protocol": "tcp",
        "RuleAction": "allow",
        "Egress": False,
        "CidrBlock": "10.0.0.0/8",
        "PortRange": {"From": 80, "To": 81},
    }
    ec2.create_network_acl_entry(**entry)
    assert refused(ec2.create_network_acl_entry, **entry) == (
        "NetworkAclEntryAlreadyExists",
        "The network acl entry identified by 10 already exists.",
    )
    ec2.replace_network_acl_entry(**{**entry, "RuleAction": "deny"})
    (found,) = ec2.describe_network_acls(Filters=make_filters({"entry.port-range.from": "80"}))["NetworkAcls"]
    (rule,) = [each for each in found["Entries"] if each["RuleNumber"] == 10]
    assert (rule["Protocol"], rule["RuleAction"], rule["PortRange"]) == ("6", "deny", {"From": 80, "To": 81})
    numbered = {"NetworkAclId": acl["NetworkAclId"], "RuleNumber": 10, "Egress": False}
    ec2.delete_network_acl_entry(**numbered)
    assert code_of(ec2.delete_network_acl_entry, **numbered) == "InvalidNetworkAclEntry.NotFound"
    assert code_of(ec2.create_network_acl_entry, **{**entry, "RuleNumber": 40_000}) == "InvalidParameterValue"
    assert code_of(ec2.create_network_acl_entry, **{**entry, "Protocol": "ipx"}) == "InvalidParameterValue"
    without = {name: value for name, value in entry.items() if name != "PortRange"}
    assert code_of(ec2.create_network_acl_entry, **without) == "MissingParameter"
    ec2.delete_network_acl(NetworkAclId=acl["NetworkAclId"])


def test_each_subnet_has_one_network_acl(ec2: Any) -> None:
    vpc = make_vpc(ec2)
    subnet = make_subnet(ec2, vpc)
    (default,) = ec2.describe_network_acls(Filters=make_filters({"vpc-id": vpc}))["NetworkAcls"]
    assert code_of(ec2.delete_network_acl, NetworkAclId=default["NetworkAclId"]) == "InvalidParameterValue"
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    (association,) = default["Associations"]
    assert association["SubnetId"] == subnet
    made = ec2.replace_network_acl_association(AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl)
    (found,) = ec2.describe_network_acls(Filters=make_filters({"association.subnet-id": subnet}))["NetworkAcls"]
    assert found["Associations"] == [
        {"NetworkAclAssociationId": made["NewAssociationId"], "NetworkAclId": acl, "SubnetId": subnet}
    ]
    assert code_of(ec2.delete_network_acl, NetworkAclId=acl) == "DependencyViolation"
    again = {"AssociationId": association["NetworkAclAssociationId"], "NetworkAclId": acl}
    assert code_of(ec2.replace_network_acl_association, **again) == "InvalidAssociationID.NotFound"


def test_dhcp_options(ec2: Any) -> None:
    vpc = make_vpc(ec2)
    configurations = [{"Key": "domain-name", "Values": ["example.com"]}]
    options = ec2.create_dhcp_options(DhcpConfigurations=configurations)["DhcpOptions"]["DhcpOptionsId"]
    ec2.associate_dhcp_options(VpcId=vpc, DhcpOptionsId=options)
    (found,) = ec2.describe_vpcs(Filters=make_filters({"dhcp-options-id": options}))["Vpcs"]
    assert found["VpcId"] == vpc
    assert refused(ec2.delete_dhcp_options, DhcpOptionsId=options) == (
        "DependencyViolation",
        f"The dhcpOptions '{options}' has dependencies and cannot be deleted.",
    )
    ec2.associate_dhcp_options(VpcId=vpc, DhcpOptionsId="default")
    ec2.delete_dhcp_options(DhcpOptionsId=options)
    wrong = [{"Key": "colour", "Values": ["red"]}]
    assert code_of(ec2.create_dhcp_options, DhcpConfigurations=wrong) == "InvalidParameterValue"
    (default,) = ec2.describe_dhcp_options()["DhcpOptions"]
    assert {each["Key"] for each in default["DhcpConfigurations"]} == {"domain-name", "domain-name-servers"}
    for each in ec2.describe_vpcs()["Vpcs"]:
        ec2.associate_dhcp_options(VpcId=each["VpcId"], DhcpOptionsId="default")
    ec2.delete_dhcp_options(DhcpOptionsId=default["DhcpOptionsId"])
    assert ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["DhcpOptionsId"] == "default"


def test_gateway_endpoints_are_routes(ec2: Any) -> None:
    vpc = make_vpc(ec2)
    table = find_main_table(ec2, vpc)
    asked = {"VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.s3"}
    made = ec2.create_vpc_endpoint(**asked, RouteTableIds=[table])["VpcEndpoint"]
    assert (made["VpcEndpointType"], made["State"]) == ("Gateway", "available")
    assert json.loads(made["PolicyDocument"])["Statement"][0]["Effect"] == "Allow"
    (prefix_list,) = ec2.describe_prefix_lists(Filters=make_filters({"prefix-list-name": asked["ServiceName"]}))[
        "PrefixLists"
    ]
    filters = make_filters({"route.destination-prefix-list-id": prefix_list["PrefixListId"]})
    (found,) = ec2.describe_route_tables(Filters=filters)["RouteTables"]
    assert (found["RouteTableId"], found["Routes"][-1]["GatewayId"]) == (table, made["VpcEndpointId"])
    assert code_of(ec2.create_vpc_endpoint, **asked, RouteTableIds=[table]) == "RouteAlreadyExists"
    endpoint = {"VpcEndpointId": made["VpcEndpointId"]}
    ec2.modify_vpc_endpoint(**endpoint, RemoveRouteTableIds=[table])
    assert ec2.describe_route_tables(Filters=filters)["RouteTables"] == []
    ec2.modify_vpc_endpoint(**endpoint, AddRouteTableIds=[table])
    narrow = json.dumps({"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}]})
    assert code_of(ec2.modify_vpc_endpoint, **endpoint, PolicyDocument=narrow) == "UnsupportedOperation"
    for text in ("{", "[]", '"all"', '{"Statement": "all"}', '{"Statement": ["all"]}'):
        assert code_of(ec2.modify_vpc_endpoint, **endpoint, PolicyDocument=text) == "InvalidPolicyDocument"
    assert code_of(ec2.modify_vpc_endpoint, **endpoint, PrivateDnsEnabled=True) == "InvalidParameter"
    assert ec2.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])["Unsuccessful"] == []
    assert ec2.describe_route_tables(Filters=filters)["RouteTables"] == []
    (failed,) = ec2.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])["Unsuccessful"]
    assert failed["Error"]["Code"] == "InvalidVpcEndpointId.NotFound"


def test_interface_endpoints_have_addresses(ec2: Any) -> None:
    vpc = make_vpc(ec2)
    one = make_subnet(ec2, vpc, "10.0.1.0/24", AvailabilityZone="us-east-1a")
    same = make_subnet(ec2, vpc, "10.0.2.0/24", AvailabilityZone="us-east-1a")
    asked = {"VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.ecr.api", "VpcEndpointType": "Interface"}
    assert refused(ec2.create_vpc_endpoint, **asked, SubnetIds=[one]) == (
        "InvalidParameter",
        "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true"
        f" for {vpc}",
    )
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    assert code_of(ec2.create_vpc_endpoint, **asked, SubnetIds=[one, same]) == "DuplicateSubnetsInSameZone"
    made = ec2.create_vpc_endpoint(**asked, SubnetIds=[one])["VpcEndpoint"]
    assert (made["PrivateDnsEnabled"], len(made["NetworkInterfaceIds"])) == (True, 1)
    group = make_group(ec2, vpc, "endpoints")
    ec2.modify_vpc_endpoint(VpcEndpointId=made["VpcEndpointId"], AddSecurityGroupIds=[group])
    (found,) = ec2.describe_vpc_endpoints(Filters=make_filters({"vpc-endpoint-type": "Interface"}))["VpcEndpoints"]
    assert {each["GroupName"] for each in found["Groups"]} == {"default", "endpoints"}
    (interface,) = ec2.describe_network_interfaces(NetworkInterfaceIds=made["NetworkInterfaceIds"])["NetworkInterfaces"]
    assert {each["GroupName"] for each in interface["Groups"]} == {"default", "endpoints"}
    assert code_of(ec2.create_vpc_endpoint, VpcId=vpc, ServiceName="com.amazonaws.us-east-1.quantum") == (
        "InvalidServiceName"
    )
    assert code_of(ec2.create_vpc_endpoint, VpcId=vpc, ServiceName=asked["ServiceName"]) == "InvalidParameter"
    services = ec2.describe_vpc_endpoint_services(Filters=make_filters({"service-type": "Gateway"}))
    assert sorted(services["ServiceNames"]) == ["com.amazonaws.us-east-1.dynamodb", "com.amazonaws.us-east-1.s3"]


def test_prefix_lists_have_versions(ec2: Any) -> None:
    made = ec2.create_managed_prefix_list(
        PrefixListName="offices", MaxEntries=2, AddressFamily="IPv4", Entries=[{"Cidr": "192.0.2.0/24"}]
    )["PrefixList"]
    name = {"PrefixListId": made["PrefixListId"]}
    assert (made["Version"], made["State"]) == (1, "create-complete")
    entries = [{"Cidr": "198.51.100.0/24", "Description": "branch"}]
    changed = ec2.modify_managed_prefix_list(**name, CurrentVersion=1, AddEntries=entries)["PrefixList"]
    assert changed["Version"] == 2

    def read(**version: Any) -> list[str]:
        return [each["Cidr"] for each in ec2.get_managed_prefix_list_entries(**name, **version)["Entries"]]

    assert read() == ["192.0.2.0/24", "198.51.100.0/24"]
    assert read(TargetVersion=1) == ["192.0.2.0/24"]
    more = [{"Cidr": "203.0.113.0/24"}]
    add = ec2.modify_managed_prefix_list
    assert code_of(add, **name, CurrentVersion=1, AddEntries=more) == "PrefixListVersionMismatch"
    assert code_of(add, **name, CurrentVersion=2, AddEntries=more) == "PrefixListMaxEntriesExceeded"
    assert code_of(add, **name, AddEntries=more) == "MissingParameter"
    assert code_of(add, **name, CurrentVersion=2, AddEntries=more, MaxEntries=3) == "InvalidParameterCombination"
    assert code_of(add, **name, MaxEntries=0) == "InvalidParameterValue"
    ec2.restore_managed_prefix_list_version(**name, PreviousVersion=1, CurrentVersion=2)
    assert read() == ["192.0.2.0/24"]
    group = make_group(ec2, make_vpc(ec2), "listed")
    permission = {"IpProtocol": "-1", "PrefixListIds": [name]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    (user,) = ec2.get_managed_prefix_list_associations(**name)["PrefixListAssociations"]
    assert user["ResourceId"] == group
    assert code_of(ec2.delete_managed_prefix_list, **name) == "PrefixListInUse"
    ec2.delete_security_group(GroupId=group)
    assert ec2.delete_managed_prefix_list(**name)["PrefixList"]["State"] == "delete-complete"
    filters = make_filters({"prefix-list-name": "com.amazonaws.us-east-1.s3"})
    (own,) = ec2.describe_managed_prefix_lists(Filters=filters)["PrefixLists"]
    assert own["OwnerId"] == "AWS"
    assert code_of(ec2.delete_managed_prefix_list, PrefixListId=own["PrefixListId"]) == "UnauthorizedOperation"


def test_regions_and_zones(ec2: Any) -> None:
    regions = ec2.describe_regions()["Regions"]
    assert {"us-east-1", "eu-central-1"} < {each["RegionName"] for each in regions}
    assert {each["OptInStatus"] for each in regions} == {"opt-in-not-required"}
    assert len(ec2.describe_regions(AllRegions=True)["Regions"]) > len(regions)
    assert code_of(ec2.describe_regions, RegionNames=["moon-1"]) == "InvalidParameterValue"
    (zone,) = ec2.describe_availability_zones(ZoneIds=["use1-az2"])["AvailabilityZones"]
    assert (zone["ZoneName"], zone["State"]) == ("us-east-1b", "available")
    assert code_of(ec2.describe_availability_zones, ZoneNames=["us-east-1z"]) == "InvalidParameterValue"


def test_tags_are_made_listed_and_deleted(ec2: Any) -> None:
    vpc = make_vpc(ec2, TagSpecifications=tag("vpc", team="shop"))
    subnet = make_subnet(ec2, vpc)
    ec2.create_tags(Resources=[vpc, subnet], Tags=[{"Key": "env", "Value": "test"}])
    found = ec2.describe_tags(Filters=make_filters({"key": "env"}))["Tags"]
    assert {(each["ResourceId"], each["ResourceType"], each["Value"]) for each in found} == {
        (vpc, "vpc", "test"),
        (subnet, "subnet", "test"),
    }
    ec2.delete_tags(Resources=[vpc], Tags=[{"Key": "env", "Value": "other"}, {"Key": "team"}])
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Tags"] == [{"Key": "env", "Value": "test"}]
    twice = [{"ResourceType": "vpc", "Tags": [{"Key": "env", "Value": "a"}, {"Key": "env", "Value": "b"}]}]
    assert refused(ec2.create_vpc, CidrBlock="10.0.0.0/16", TagSpecifications=twice) == (
        "InvalidParameterValue",
        "Duplicate tag key 'env' specified.",
    )
    ec2.delete_tags(Resources=[vpc])
    assert ec2.describe_tags(Filters=make_filters({"resource-id": vpc}))["Tags"] == []


@pytest.mark.parametrize(
    ("resource", "tags", "code"),
    [
        (f"vpc-{MISSING}", [{"Key": "a", "Value": "b"}], "InvalidVpcID.NotFound"),
        ("vpc", [{"Key": "a", "Value": "b"}], "InvalidID"),
        (None, [{"Key": "aws:a", "Value": "b"}], "InvalidParameterValue"),
        (None, [{"Key": "a" * 129, "Value": "b"}], "InvalidParameterValue"),
        (None, [{"Key": "a", "Value": "b" * 257}], "InvalidParameterValue"),
        (None, [{"Key": f"{number}", "Value": ""} for number in range(51)], "TagLimitExceeded"),
    ],
)
def test_what_cannot_be_tagged(ec2: Any, resource: str | None, tags: list[dict[str, str]], code: str) -> None:
    vpc = make_vpc(ec2)
    assert code_of(ec2.create_tags, Resources=[resource or vpc], Tags=tags) == code
