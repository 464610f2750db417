"""Networks that CloudFormation makes, changes and deletes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.cloudformation.deploying import Stacks
from tests.services.ec2.cloud import make_filters, make_vpc


def _get(resource: str, attribute: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [resource, attribute]}


def _resource(kind: str, depends_on: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::EC2::{kind}", "Properties": properties, "DependsOn": list(depends_on)}


def _tags(name: str) -> list[dict[str, str]]:
    return [{"Key": "Name", "Value": name}]


def _make_subnet(number: int, *, is_public: bool) -> dict[str, Any]:
    """Return what CDK's `ec2.Vpc` has for a subnet."""
    name = f"{'Public' if is_public else 'Private'}Subnet{number}"
    target = {"GatewayId": {"Ref": "Igw"}} if is_public else {"NatGatewayId": {"Ref": f"PublicSubnet{number}Nat"}}
    made = {
        name: _resource(
            "Subnet",
            AvailabilityZone={"Fn::Select": [number, {"Fn::GetAZs": ""}]},
            CidrBlock=f"10.0.{number + (0 if is_public else 128)}.0/24",
            MapPublicIpOnLaunch=is_public,
            Tags=_tags(f"app/{name}"),
            VpcId={"Ref": "Vpc"},
        ),
        f"{name}Table": _resource("RouteTable", VpcId={"Ref": "Vpc"}, Tags=_tags(name)),
        f"{name}Association": _resource(
            "SubnetRouteTableAssociation", RouteTableId={"Ref": f"{name}Table"}, SubnetId={"Ref": name}
        ),
        f"{name}Route": _resource(
            "Route",
            ("Attachment",) if is_public else (),
            RouteTableId={"Ref": f"{name}Table"},
            DestinationCidrBlock="0.0.0.0/0",
            **target,
        ),
    }
    if is_public:
        made[f"{name}Address"] = _resource("EIP", Domain="vpc", Tags=_tags(name))
        made[f"{name}Nat"] = _resource(
            "NatGateway",
            (f"{name}Route", f"{name}Association"),
            AllocationId=_get(f"{name}Address", "AllocationId"),
            SubnetId={"Ref": name},
            Tags=_tags(name),
        )
    return made


def _make_cdk_vpc() -> dict[str, Any]:
    """Return the template of CDK's `ec2.Vpc`: subnets of both kinds in two zones, and a NAT gateway in each."""
    resources = {
        "Vpc": _resource(
            "VPC",
            CidrBlock="10.0.0.0/16",
            EnableDnsHostnames=True,
            EnableDnsSupport=True,
            InstanceTenancy="default",
            Tags=_tags("app/Vpc"),
        ),
        "Igw": _resource("InternetGateway", Tags=_tags("app/Vpc")),
        "Attachment": _resource("VPCGatewayAttachment", InternetGatewayId={"Ref": "Igw"}, VpcId={"Ref": "Vpc"}),
    }
    for number in range(2):
        resources |= _make_subnet(number, is_public=True) | _make_subnet(number, is_public=False)
    outputs = {
        "Vpc": {"Value": {"Ref": "Vpc"}},
        "Group": {"Value": _get("Vpc", "DefaultSecurityGroup")},
        "Acl": {"Value": _get("Vpc", "DefaultNetworkAcl")},
        "Blocks": {"Value": {"Fn::Join": [",", _get("Vpc", "CidrBlockAssociations")]}},
        "Association": {"Value": _get("PublicSubnet0", "NetworkAclAssociationId")},
        "Address": {"Value": {"Ref": "PublicSubnet0Address"}},
    }
    return {"Resources": resources, "Outputs": outputs}


@pytest.fixture
def stacks(aws: Aws) -> Stacks:
    return Stacks(aws)


def test_a_vpc_with_subnets_gateways_and_routes(stacks: Stacks, ec2: Any) -> None:
    made = stacks.create("network", _make_cdk_vpc())
    assert made["StackStatus"] == "CREATE_COMPLETE", stacks.events("network")
    outputs = stacks.outputs("network")
    filters = make_filters({"vpc-id": outputs["Vpc"]})
    (vpc,) = ec2.describe_vpcs(Filters=filters)["Vpcs"]
    assert [tag for tag in vpc["Tags"] if not tag["Key"].startswith("aws:")] == _tags("app/Vpc")
    assert outputs["Blocks"] == vpc["CidrBlockAssociationSet"][0]["AssociationId"]
    (group,) = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    (acl,) = ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
    assert (outputs["Group"], outputs["Acl"]) == (group["GroupId"], acl["NetworkAclId"])
    assert outputs["Association"] in [each["NetworkAclAssociationId"] for each in acl["Associations"]]
    assert outputs["Address"] in [each["PublicIp"] for each in ec2.describe_addresses()["Addresses"]]
    subnets = ec2.describe_subnets(Filters=filters)["Subnets"]
    assert sorted(each["CidrBlock"] for each in subnets if each["MapPublicIpOnLaunch"]) == [
        "10.0.0.0/24",
        "10.0.1.0/24",
    ]
    tables = ec2.describe_route_tables(Filters=[*filters, *make_filters({"association.main": "false"})])["RouteTables"]
    routes = [route for table in tables for route in table["Routes"] if route["DestinationCidrBlock"] == "0.0.0.0/0"]
    assert sorted(("NatGatewayId" in each, each["State"]) for each in routes) == [
        (False, "active"),
        (False, "active"),
        (True, "active"),
        (True, "active"),
    ]
    attribute = ec2.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute="enableDnsHostnames")
    assert attribute["EnableDnsHostnames"] == {"Value": True}

    assert stacks.delete("network")["StackStatus"] == "DELETE_COMPLETE", stacks.events("network")
    assert ec2.describe_vpcs(Filters=filters)["Vpcs"] == []
    assert ec2.describe_addresses()["Addresses"] == []


def test_a_gateway_is_detached_once_no_address_needs_it(stacks: Stacks, ec2: Any) -> None:
    resources = {
        "Vpc": _resource("VPC", CidrBlock="10.0.0.0/16"),
        "Igw": _resource("InternetGateway"),
        "Attachment": _resource("VPCGatewayAttachment", InternetGatewayId={"Ref": "Igw"}, VpcId={"Ref": "Vpc"}),
        "Subnet": _resource("Subnet", ("Attachment",), CidrBlock="10.0.0.0/24", VpcId={"Ref": "Vpc"}),
        "Address": _resource("EIP", Domain="vpc"),
        "Nat": _resource("NatGateway", AllocationId=_get("Address", "AllocationId"), SubnetId={"Ref": "Subnet"}),
    }
    made = stacks.create("network", {"Resources": resources})
    assert made["StackStatus"] == "CREATE_COMPLETE", stacks.events("network")
    # Nothing says that the NAT gateway has to go first.
    del resources["Subnet"]["DependsOn"]
    assert stacks.update("network", {"Resources": resources, "Outputs": {"One": {"Value": "1"}}})
    assert stacks.delete("network")["StackStatus"] == "DELETE_COMPLETE", stacks.events("network")


def _make_groups(*rules: dict[str, Any], **properties: Any) -> dict[str, Any]:
    group = _resource("SecurityGroup", GroupDescription="web", SecurityGroupIngress=list(rules), **properties)
    peer = _resource("SecurityGroup", GroupDescription="peer", VpcId=properties["VpcId"])
    between: dict[str, Any] = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "Description": "the database"}
    ids: dict[str, Any] = {"GroupId": {"Ref": "Peer"}, "SourceSecurityGroupId": {"Ref": "Group"}}
    resources = {"Group": group, "Peer": peer, "Between": _resource("SecurityGroupIngress", **between, **ids)}
    outputs = {"Group": {"Value": _get("Group", "GroupId")}, "Peer": {"Value": {"Ref": "Peer"}}}
    return {"Resources": resources, "Outputs": outputs}


def test_security_groups_with_rules(stacks: Stacks, ec2: Any) -> None:
    vpc = make_vpc(ec2)
    web = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "0.0.0.0/0", "Description": "web"}
    nothing = {"IpProtocol": "icmp", "FromPort": 252, "ToPort": 86, "CidrIp": "255.255.255.255/32"}
    made = stacks.create("groups", _make_groups(web, VpcId=vpc, SecurityGroupEgress=[nothing]))
    assert made["StackStatus"] == "CREATE_COMPLETE", stacks.events("groups")
    outputs = stacks.outputs("groups")

    def rules(group: str) -> list[tuple[Any, ...]]:
        found = ec2.describe_security_group_rules(Filters=make_filters({"group-id": group}))["SecurityGroupRules"]
        return sorted((each["IsEgress"], each["IpProtocol"], each["FromPort"]) for each in found)

    assert rules(outputs["Group"]) == [(False, "tcp", 80), (True, "icmp", 252)]
    assert rules(outputs["Peer"]) == [(False, "tcp", 5432), (True, "-1", -1)]

    changed = stacks.update("groups", _make_groups({**web, "FromPort": 443, "ToPort": 443}, VpcId=vpc))
    assert changed["StackStatus"] == "UPDATE_COMPLETE", stacks.events("groups")
    assert rules(outputs["Group"]) == [(False, "tcp", 443), (True, "-1", -1)]
    assert stacks.delete("groups")["StackStatus"] == "DELETE_COMPLETE", stacks.events("groups")
    ec2.delete_vpc(VpcId=vpc)


def test_what_else_a_vpc_has(stacks: Stacks, ec2: Any) -> None:
    vpc, subnet, table = {"Ref": "Vpc"}, {"Ref": "Subnet"}, {"Ref": "Table"}
    service = {"Fn::Sub": "com.amazonaws.${AWS::Region}.s3"}
    entry: dict[str, Any] = {
        "NetworkAclId": {"Ref": "Acl"},
        "Protocol": 6,
        "RuleAction": "allow",
        "CidrBlock": "0.0.0.0/0",
    }
    resources = {
        "Vpc": _resource("VPC", CidrBlock="10.0.0.0/16", EnableDnsHostnames=True),
        "Block": _resource("VPCCidrBlock", VpcId=vpc, CidrBlock="10.1.0.0/16"),
        "Subnet": _resource("Subnet", ("Block",), VpcId=vpc, CidrBlock="10.1.1.0/24"),
        "Table": _resource("RouteTable", VpcId=vpc),
        "Acl": _resource("NetworkAcl", VpcId=vpc),
        "Entry": _resource("NetworkAclEntry", RuleNumber=100, PortRange={"From": 80, "To": 80}, **entry),
        "AclOfSubnet": _resource("SubnetNetworkAclAssociation", NetworkAclId={"Ref": "Acl"}, SubnetId=subnet),
        "Options": _resource("DHCPOptions", DomainName="example.com", DomainNameServers=["AmazonProvidedDNS"]),
        "OptionsOfVpc": _resource("VPCDHCPOptionsAssociation", VpcId=vpc, DhcpOptionsId={"Ref": "Options"}),
        "Endpoint": _resource("VPCEndpoint", VpcId=vpc, ServiceName=service, RouteTableIds=[table]),
        "Sqs": _resource(
            "VPCEndpoint",
            VpcId=vpc,
            ServiceName={"Fn::Sub": "com.amazonaws.${AWS::Region}.sqs"},
            VpcEndpointType="Interface",
            SubnetIds=[subnet],
            PrivateDnsEnabled=True,
        ),
        "List": _resource(
            "PrefixList",
            PrefixListName="offices",
            AddressFamily="IPv4",
            MaxEntries=3,
            Entries=[{"Cidr": "192.0.2.0/24"}],
        ),
        "Interface": _resource("NetworkInterface", SubnetId=subnet, Description="mine"),
    }
    outputs = {
        "Vpc": {"Value": vpc},
        "Interface": {"Value": {"Ref": "Interface"}},
        "Address": {"Value": _get("Interface", "PrimaryPrivateIpAddress")},
        "List": {"Value": _get("List", "Arn")},
    }
    made = stacks.create("parts", {"Resources": resources, "Outputs": outputs})
    assert made["StackStatus"] == "CREATE_COMPLETE", stacks.events("parts")
    found = stacks.outputs("parts")
    (interface,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[found["Interface"]])["NetworkInterfaces"]
    assert (interface["PrivateIpAddress"], interface["Description"]) == (found["Address"], "mine")
    filters = make_filters({"vpc-id": found["Vpc"], "default": "false"})
    (acl,) = ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
    assert [each["SubnetId"] for each in acl["Associations"]] == [interface["SubnetId"]]
    assert [each["Protocol"] for each in acl["Entries"] if each["RuleNumber"] == 100] == ["6"]
    (vpc_found,) = ec2.describe_vpcs(VpcIds=[found["Vpc"]])["Vpcs"]
    (options,) = ec2.describe_dhcp_options(DhcpOptionsIds=[vpc_found["DhcpOptionsId"]])["DhcpOptions"]
    assert options["DhcpConfigurations"][0] == {"Key": "domain-name", "Values": [{"Value": "example.com"}]}
    assert stacks.delete("parts")["StackStatus"] == "DELETE_COMPLETE", stacks.events("parts")


def test_what_is_not_supported_fails(stacks: Stacks) -> None:
    template = {"Resources": {"Vpc": _resource("VPC", CidrBlock="10.0.0.0/16", Ipv4IpamPoolId="ipam-pool-1")}}
    stacks.create("ipam", template)
    assert any("Cloudlet does not support Ipv4IpamPoolId" in reason for _, _, reason in stacks.events("ipam"))


def test_a_nat_gateway_fails_with_its_stack(stacks: Stacks) -> None:
    resources = {
        "Vpc": _resource("VPC", CidrBlock="10.0.0.0/16"),
        "Subnet": _resource("Subnet", VpcId={"Ref": "Vpc"}, CidrBlock="10.0.1.0/24"),
        "Address": _resource("EIP", Domain="vpc"),
        "Nat": _resource("NatGateway", SubnetId={"Ref": "Subnet"}, AllocationId=_get("Address", "AllocationId")),
    }
    assert stacks.create("n", {"Resources": resources})["StackStatus"] == "ROLLBACK_COMPLETE"
    (failure,) = (event for event in stacks.events("n") if event[:2] == ("Nat", "CREATE_FAILED"))
    assert "has no Internet gateway attached" in str(failure)


def _read_drifts(stacks: Stacks, name: str) -> dict[str, str]:
    """Return the drift of each resource that is not as its stack has it: its status, or the properties."""
    found = {}
    for resource in stacks.client.describe_stack_resources(StackName=name)["StackResources"]:
        one = {"StackName": name, "LogicalResourceId": resource["LogicalResourceId"]}
        drift = stacks.client.detect_stack_resource_drift(**one)["StackResourceDrift"]
        if drift["StackResourceDriftStatus"] != "IN_SYNC":
            names = {each["PropertyPath"].split("/")[1] for each in drift["PropertyDifferences"]}
            found[resource["LogicalResourceId"]] = ",".join(sorted(names)) or drift["StackResourceDriftStatus"]
    return found


def test_drift_of_networks_is_found(stacks: Stacks, ec2: Any) -> None:
    template = json.loads((Path(__file__).parents[1] / "cloudformation/network_types.json").read_text())
    assert stacks.create("n", template)["StackStatus"] == "CREATE_COMPLETE", stacks.events("n")
    assert _read_drifts(stacks, "n") == {}
    ids = {name: stacks.physical_id("n", name) for name in template["Resources"]}
    ec2.modify_vpc_attribute(VpcId=ids["Vpc"], EnableDnsHostnames={"Value": False})
    ec2.modify_subnet_attribute(SubnetId=ids["Public"], MapPublicIpOnLaunch={"Value": False})
    ec2.create_tags(Resources=[ids["Acl"]], Tags=[{"Key": "a", "Value": "c"}])
    everyone = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=ids["Database"], IpPermissions=[everyone])
    ec2.revoke_security_group_ingress(GroupId=ids["Web"], SecurityGroupRuleIds=[ids["FromDatabase"]])
    ec2.delete_route(RouteTableId=ids["PrivateTable"], DestinationCidrBlock="0.0.0.0/0")
    ec2.disassociate_route_table(AssociationId=ids["PrivateTableOfSubnet"])
    ec2.delete_network_acl_entry(NetworkAclId=ids["Acl"], RuleNumber=100, Egress=True)
    ec2.associate_dhcp_options(VpcId=ids["Vpc"], DhcpOptionsId="default")
    ec2.disassociate_address(AssociationId=ids["AddressOfCard"])
    entries = {"CurrentVersion": 1, "RemoveEntries": [{"Cidr": "192.0.2.0/24"}]}
    ec2.modify_managed_prefix_list(PrefixListId=ids["Offices"], **entries)
    deleted = ["FromDatabase", "PrivateRoute", "PrivateTableOfSubnet", "AclOut", "OptionsOfVpc", "AddressOfCard"]
    assert _read_drifts(stacks, "n") == {
        "Vpc": "EnableDnsHostnames",
        "Public": "MapPublicIpOnLaunch",
        "Acl": "Tags",
        "Database": "SecurityGroupIngress",
        "Offices": "Entries",
        **dict.fromkeys(deleted, "DELETED"),
    }


def test_networks_are_imported(stacks: Stacks, ec2: Any) -> None:
    vpc = make_vpc(ec2)
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="g", Description="mine", VpcId=vpc)["GroupId"]
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    filters = make_filters({"association.subnet-id": subnet})
    (former,) = ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
    (old,) = (each for each in former["Associations"] if each["SubnetId"] == subnet)
    association = ec2.replace_network_acl_association(AssociationId=old["NetworkAclAssociationId"], NetworkAclId=acl)[
        "NewAssociationId"
    ]
    resources = {
        "Vpc": _resource("VPC", CidrBlock="10.0.0.0/16"),
        "Subnet": _resource("Subnet", VpcId={"Ref": "Vpc"}, CidrBlock="10.0.1.0/24"),
        "Group": _resource("SecurityGroup", VpcId={"Ref": "Vpc"}, GroupDescription="mine", GroupName="g"),
        "Acl": _resource("NetworkAcl", VpcId={"Ref": "Vpc"}),
        "AclOfSubnet": _resource(
            "SubnetNetworkAclAssociation", SubnetId={"Ref": "Subnet"}, NetworkAclId={"Ref": "Acl"}
        ),
    }
    ids = {"Vpc": {"VpcId": vpc}, "Subnet": {"SubnetId": subnet}, "Group": {"Id": group}, "Acl": {"Id": acl}}
    ids["AclOfSubnet"] = {"AssociationId": association}
    template = {"Resources": {name: {**each, "DeletionPolicy": "Delete"} for name, each in resources.items()}}
    stacks.client.create_change_set(
        StackName="i",
        ChangeSetName="import",
        ChangeSetType="IMPORT",
        TemplateBody=json.dumps(template),
        ResourcesToImport=[
            {"LogicalResourceId": name, "ResourceType": resources[name]["Type"], "ResourceIdentifier": identifier}
            for name, identifier in ids.items()
        ],
    )
    stacks.client.execute_change_set(StackName="i", ChangeSetName="import")
    assert stacks.wait("i")["StackStatus"] == "IMPORT_COMPLETE", stacks.events("i")
    assert _read_drifts(stacks, "i") == {}
    default = ec2.describe_security_groups(Filters=make_filters({"vpc-id": vpc, "group-name": "default"}))
    template["Outputs"] = {"Group": {"Value": _get("Vpc", "DefaultSecurityGroup")}}
    assert stacks.update("i", template)["StackStatus"] == "UPDATE_COMPLETE", stacks.events("i")
    assert stacks.outputs("i") == {"Group": default["SecurityGroups"][0]["GroupId"]}
    assert stacks.delete("i")["StackStatus"] == "DELETE_COMPLETE", stacks.events("i")
    assert ec2.describe_vpcs(Filters=make_filters({"vpc-id": vpc}))["Vpcs"] == []
