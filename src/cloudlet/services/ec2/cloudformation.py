"""The resource types of networks of Amazon EC2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from cloudlet.core.aws.resources.declaration import (
    GENERATED,
    ITEM,
    NAME,
    Call,
    Items,
    Name,
    Part,
    Properties,
    Ready,
    ResourceType,
)

_MODEL: Final = "ec2"
_EVERYWHERE: Final = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
_ALL_OUTBOUND: Final = {"IpPermissions": lambda properties: _EVERYWHERE}


def _make_one(name: str) -> Callable[[Properties], list[Any] | None]:
    """Return a source that is a list of one property."""
    return lambda properties: [properties[name]] if properties.get(name) else None


def _make_value(name: str, default: Any = None) -> Callable[[Properties], dict[str, Any] | None]:
    """Return a source that is a property as an attribute's value."""

    def make(properties: Properties) -> dict[str, Any] | None:
        value = properties.get(name, default)
        return None if value is None else {"Value": value}

    return make


def _make_filters(**filters: str) -> Callable[[Properties], list[dict[str, Any]]]:
    """Return a source that is filters: names with underscores, and the properties with their values."""

    def make(properties: Properties) -> list[dict[str, Any]]:
        return [
            {"Name": name.replace("_", "-"), "Values": [properties.get(value, value)]}
            for name, value in filters.items()
        ]

    return make


def _make_tags(kind: str) -> Callable[[Properties], list[dict[str, Any]] | None]:
    """Return a source that is tag specifications."""
    return lambda properties: [{"ResourceType": kind, "Tags": properties["Tags"]}] if properties.get("Tags") else None


def _create(operation: str, kind: str, **members: Any) -> Call:
    return Call(operation, {"TagSpecifications": _make_tags(kind), **members})


def _tag(name: str) -> Mapping[str, Any]:
    """Return how tags of a resource change, whose id is a property."""
    keys = {"Resources": _make_one(name), "Tags": lambda properties: [{"Key": key} for key in properties["TagKeys"]]}
    return {"tag": Call("CreateTags", {"Resources": _make_one(name)}), "untag": Call("DeleteTags", keys)}


# VPCs and subnets

_VPC_ATTRIBUTES: Final = ("EnableDnsSupport", "EnableDnsHostnames", "EnableNetworkAddressUsageMetrics")
_SUBNET_ATTRIBUTES: Final = (
    "MapPublicIpOnLaunch", "AssignIpv6AddressOnCreation", "EnableDns64", "EnableLniAtDeviceIndex",
)  # fmt: skip


def _make_attribute(operation: str, name: str, names: tuple[str, ...]) -> Part:
    """Return an attribute that an operation sets, which takes one at a time."""
    return Part(name, Call(operation, {**dict.fromkeys(names), name: _make_value(name)}))


def _list_associations(properties: Properties) -> list[str] | None:
    found = properties.get("CidrBlockAssociationSet")
    return None if found is None else [each["AssociationId"] for each in found]


def _find_acl_association(properties: Properties) -> str | None:
    """Return the id of the association of a subnet with its network ACL."""
    associations = (properties.get("Acl") or {}).get("Associations") or ()
    return next(
        (each["NetworkAclAssociationId"] for each in associations if each["SubnetId"] == properties["SubnetId"]), None
    )


def _find_replaced_association(properties: Properties) -> str:
    """Return the id of the association that gives way to a new one."""
    (acl,) = properties[GENERATED]["NetworkAcls"]
    found = _find_acl_association({**properties, "Acl": acl})
    return found or ""


# Security groups


def _list_default_name(properties: Properties) -> list[str] | None:
    """Return the name of a group of the default VPC."""
    return None if properties.get("VpcId") else [properties["GroupName"]]


def _make_name_filters(properties: Properties) -> list[dict[str, Any]] | None:
    """Return filters that find a group of another VPC by its name."""
    make = _make_filters(vpc_id="VpcId", group_name="GroupName")
    return make(properties) if properties.get("VpcId") else None


def _make_permissions(rule: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a rule of a template as a permission."""
    permission: dict[str, Any] = {"IpProtocol": str(rule["IpProtocol"])}
    permission |= {name: int(rule[name]) for name in ("FromPort", "ToPort") if name in rule}
    text = {"Description": rule["Description"]} if rule.get("Description") else {}
    group = rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId")
    prefix_list = rule.get("SourcePrefixListId") or rule.get("DestinationPrefixListId")
    if "CidrIp" in rule:
        permission["IpRanges"] = [{"CidrIp": rule["CidrIp"], **text}]
    if "CidrIpv6" in rule:
        permission["Ipv6Ranges"] = [{"CidrIpv6": rule["CidrIpv6"], **text}]
    if prefix_list:
        permission["PrefixListIds"] = [{"PrefixListId": prefix_list, **text}]
    if group or rule.get("SourceSecurityGroupName"):
        pair = {"GroupId": group} if group else {"GroupName": rule["SourceSecurityGroupName"]}
        if "SourceSecurityGroupOwnerId" in rule:
            pair["UserId"] = rule["SourceSecurityGroupOwnerId"]
        permission["UserIdGroupPairs"] = [{**pair, **text}]
    return [permission]


_GROUP_ITEM: Final = {"IpPermissions": lambda properties: _make_permissions(properties[ITEM])}
_RULE_MEMBERS: Final = {
    "IpPermissions": _make_permissions,
    "CidrIp": None, "FromPort": None, "ToPort": None, "IpProtocol": None, "SourceSecurityGroupName": None,
    "SourceSecurityGroupOwnerId": None,
}  # fmt: skip
"""The members of operations on a rule that is a resource of its own."""


def _make_rules(direction: str) -> Items:
    """Return the rules of a group in one direction."""
    return Items(
        f"SecurityGroup{direction}",
        add=Call(f"AuthorizeSecurityGroup{direction}", _GROUP_ITEM),
        remove=Call(f"RevokeSecurityGroup{direction}", _GROUP_ITEM),
        is_removed_first=True,
    )


def _make_rule(direction: str) -> ResourceType:
    """Return the type of rules in one direction."""
    rule_ids = {**_RULE_MEMBERS, "IpPermissions": None, "SecurityGroupRuleIds": _make_one("Id")}
    described = {"IpPermissions": None, "SecurityGroupRuleDescriptions": _describe_rule}
    return ResourceType(
        f"AWS::EC2::SecurityGroup{direction}",
        _MODEL,
        create=Call(f"AuthorizeSecurityGroup{direction}", _RULE_MEMBERS),
        updates=(Call(f"UpdateSecurityGroupRuleDescriptions{direction}", described),),
        delete=Call(f"RevokeSecurityGroup{direction}", rule_ids),
        attributes={"Id": "SecurityGroupRules.0.SecurityGroupRuleId"},
    )


def _describe_rule(properties: Properties) -> list[dict[str, Any]]:
    return [{"SecurityGroupRuleId": properties.get("Id"), "Description": properties.get("Description", "")}]


# Others

_DHCP: Final = {
    "DomainName": "domain-name",
    "DomainNameServers": "domain-name-servers",
    "NtpServers": "ntp-servers",
    "NetbiosNameServers": "netbios-name-servers",
    "NetbiosNodeType": "netbios-node-type",
    "Ipv6AddressPreferredLeaseTime": "ipv6-address-preferred-lease-time",
}


def _make_dhcp(properties: Properties) -> list[dict[str, Any]]:
    found = []
    for name, key in _DHCP.items():
        value = properties.get(name)
        if value:
            found.append(
                {"Key": key, "Values": [str(each) for each in (value if isinstance(value, list) else [value])]}
            )
    return found


def _make_endpoint_items(name: str) -> Items:
    """Return a list of ids of an endpoint."""
    others = ("RouteTableIds", "SubnetIds", "SecurityGroupIds")
    nothing = {f"{verb}{other}": None for verb in ("Add", "Remove") for other in others}
    return Items(
        name,
        add=Call("ModifyVpcEndpoint", {**nothing, "VpcEndpointId": "Id", f"Add{name}": _make_one(ITEM)}),
        remove=Call("ModifyVpcEndpoint", {**nothing, "VpcEndpointId": "Id", f"Remove{name}": _make_one(ITEM)}),
        is_made=True,
    )


_INTERFACE: Final = ("AssociatePublicIpAddress", "Description", "SourceDestCheck", "Groups")


def _change_interface(name: str, source: Any) -> Call:
    members = {**dict.fromkeys(_INTERFACE), "NetworkInterfaceId": "Id", name: source}
    return Call("ModifyNetworkInterfaceAttribute", members)


def _list_secondary_addresses(properties: Properties) -> list[str] | None:
    found = properties.get("PrivateAddresses")
    return None if found is None else [each["PrivateIpAddress"] for each in found if not each["Primary"]]


_ENTRY: Final = {"IcmpTypeCode": "Icmp"}
_ENTRY_ABSENT: Final = {"Egress": False}

RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::EC2::VPC",
        _MODEL,
        create=_create("CreateVpc", "vpc"),
        read=Call("DescribeSecurityGroups", {"Filters": _make_filters(vpc_id="VpcId", group_name="default")}),
        lookups=(Call("DescribeNetworkAcls", {"Filters": _make_filters(vpc_id="VpcId", default="true")}),),
        exists=Call("DescribeVpcs", {"VpcIds": _make_one("VpcId")}),
        parts=tuple(_make_attribute("ModifyVpcAttribute", each, _VPC_ATTRIBUTES) for each in _VPC_ATTRIBUTES[:2]),
        delete=Call("DeleteVpc"),
        attributes={
            "CidrBlockAssociationSet": "CidrBlockAssociationSet",
            "CidrBlockAssociations": _list_associations,
            "DefaultSecurityGroup": "SecurityGroups.0.GroupId",
            "DefaultNetworkAcl": "NetworkAcls.0.NetworkAclId",
            "Ipv6CidrBlocks": lambda properties: [],
        },
        list=Call("DescribeVpcs"),
        **_tag("VpcId"),
    ),
    ResourceType(
        "AWS::EC2::VPCCidrBlock",
        _MODEL,
        create=Call("AssociateVpcCidrBlock"),
        delete=Call("DisassociateVpcCidrBlock", {"AssociationId": "Id"}),
        attributes={"Id": "CidrBlockAssociation.AssociationId"},
        ref="Id",
    ),
    ResourceType(
        "AWS::EC2::Subnet",
        _MODEL,
        create=_create("CreateSubnet", "subnet"),
        read=Call("DescribeNetworkAcls", {"Filters": _make_filters(**{"association.subnet_id": "SubnetId"})}),
        exists=Call("DescribeSubnets", {"SubnetIds": _make_one("SubnetId")}),
        parts=(
            *(
                _make_attribute("ModifySubnetAttribute", each, _SUBNET_ATTRIBUTES)
                for each in ("MapPublicIpOnLaunch", "AssignIpv6AddressOnCreation", "EnableDns64")
            ),
        ),
        delete=Call("DeleteSubnet"),
        attributes={
            "Acl": "NetworkAcls.0",
            "NetworkAclAssociationId": _find_acl_association,
            "Ipv6CidrBlocks": lambda properties: [],
        },
        list=Call("DescribeSubnets"),
        **_tag("SubnetId"),
    ),
    # Routes
    ResourceType(
        "AWS::EC2::RouteTable",
        _MODEL,
        create=_create("CreateRouteTable", "route-table"),
        exists=Call("DescribeRouteTables", {"RouteTableIds": _make_one("RouteTableId")}),
        delete=Call("DeleteRouteTable"),
        attributes={"RouteTableId": "RouteTable.RouteTableId"},
        list=Call("DescribeRouteTables"),
        **_tag("RouteTableId"),
    ),
    ResourceType(
        "AWS::EC2::Route",
        _MODEL,
        create=Call("CreateRoute"),
        updates=(Call("ReplaceRoute"),),
        delete=Call("DeleteRoute"),
        attributes={
            "CidrBlock": lambda properties: (
                properties.get("DestinationCidrBlock") or properties.get("DestinationPrefixListId")
            ),
        },
    ),
    ResourceType(
        "AWS::EC2::SubnetRouteTableAssociation",
        _MODEL,
        create=Call("AssociateRouteTable"),
        delete=Call("DisassociateRouteTable", {"AssociationId": "Id"}),
        attributes={"Id": "AssociationId"},
    ),
    # Gateways and addresses
    ResourceType(
        "AWS::EC2::InternetGateway",
        _MODEL,
        create=_create("CreateInternetGateway", "internet-gateway"),
        exists=Call("DescribeInternetGateways", {"InternetGatewayIds": _make_one("InternetGatewayId")}),
        delete=Call("DeleteInternetGateway"),
        list=Call("DescribeInternetGateways"),
        **_tag("InternetGatewayId"),
    ),
    ResourceType(
        "AWS::EC2::VPCGatewayAttachment",
        _MODEL,
        create=Call("AttachInternetGateway"),
        delete=Call("DetachInternetGateway"),
        undeletable="is not attached to network",
        attributes={"AttachmentType": lambda properties: properties.get("AttachmentType", "IGW")},
    ),
    ResourceType(
        "AWS::EC2::NatGateway",
        _MODEL,
        create=_create("CreateNatGateway", "natgateway"),
        read=Call("DescribeNatGateways", {"NatGatewayIds": _make_one("NatGatewayId")}),
        delete=Call("DeleteNatGateway"),
        ready=(Ready("NatGateways.0.State", ("available",), ("failed",), "NatGateways.0.FailureMessage"),),
        attributes={
            "NatGatewayId": "NatGateway.NatGatewayId",
            "EniId": "NatGateway.NatGatewayAddresses.0.NetworkInterfaceId",
        },
        list=Call("DescribeNatGateways"),
        **_tag("NatGatewayId"),
    ),
    ResourceType(
        "AWS::EC2::EIP",
        _MODEL,
        create=_create("AllocateAddress", "elastic-ip"),
        exists=Call("DescribeAddresses", {"AllocationIds": _make_one("AllocationId"), "PublicIps": None}),
        delete=Call("ReleaseAddress", {"PublicIp": None}),
        ref="PublicIp",
        list=Call("DescribeAddresses"),
        **_tag("AllocationId"),
    ),
    ResourceType(
        "AWS::EC2::EIPAssociation",
        _MODEL,
        create=Call("AssociateAddress", {"PublicIp": "EIP"}),
        delete=Call("DisassociateAddress", {"AssociationId": "Id", "PublicIp": None}),
        attributes={"Id": "AssociationId"},
    ),
    ResourceType(
        "AWS::EC2::VPCPeeringConnection",
        _MODEL,
        create=_create("CreateVpcPeeringConnection", "vpc-peering-connection"),
        # One within an account is accepted by itself.
        parts=(
            Part(
                "PeerVpcId",
                Call(
                    "AcceptVpcPeeringConnection",
                    {"VpcPeeringConnectionId": "Id"},
                    region=lambda properties: str(properties.get("PeerRegion") or properties["region"]),
                ),
            ),
        ),
        delete=Call("DeleteVpcPeeringConnection", {"VpcPeeringConnectionId": "Id"}),
        undeletable="attempted to transition from deleted",
        attributes={"Id": "VpcPeeringConnection.VpcPeeringConnectionId"},
        list=Call("DescribeVpcPeeringConnections"),
        **_tag("Id"),
    ),
    # Interfaces and security groups
    ResourceType(
        "AWS::EC2::NetworkInterface",
        _MODEL,
        create=_create("CreateNetworkInterface", "network-interface", Groups="GroupSet"),
        exists=Call("DescribeNetworkInterfaces", {"NetworkInterfaceIds": _make_one("Id")}),
        updates=(
            _change_interface("Description", _make_value("Description", "")),
            _change_interface("Groups", "GroupSet"),
        ),
        parts=(Part("SourceDestCheck", _change_interface("SourceDestCheck", _make_value("SourceDestCheck"))),),
        delete=Call("DeleteNetworkInterface", {"NetworkInterfaceId": "Id"}),
        attributes={
            "Id": "NetworkInterface.NetworkInterfaceId",
            "PrimaryPrivateIpAddress": "NetworkInterface.PrivateIpAddress",
            "VpcId": "NetworkInterface.VpcId",
            "PrivateAddresses": "NetworkInterface.PrivateIpAddresses",
            "SecondaryPrivateIpAddresses": _list_secondary_addresses,
        },
        list=Call("DescribeNetworkInterfaces"),
        **_tag("Id"),
    ),
    ResourceType(
        "AWS::EC2::SecurityGroup",
        _MODEL,
        create=_create("CreateSecurityGroup", "security-group", Description="GroupDescription"),
        exists=Call(
            "DescribeSecurityGroups",
            {"GroupIds": None, "GroupNames": _list_default_name, "Filters": _make_name_filters},
        ),
        parts=(
            # Rules of a template stand in the place of the one that each group has.
            Items(
                lambda properties: ["all"] if properties.get("SecurityGroupEgress") else [],
                add=Call("RevokeSecurityGroupEgress", _ALL_OUTBOUND),
                remove=Call("AuthorizeSecurityGroupEgress", _ALL_OUTBOUND),
            ),
            _make_rules("Ingress"),
            _make_rules("Egress"),
        ),
        delete=Call("DeleteSecurityGroup", {"GroupName": None}),
        named=Name("GroupName", 255),
        attributes={"Id": "GroupId", "GroupId": "GroupId"},
        list=Call("DescribeSecurityGroups"),
        **_tag("GroupId"),
    ),
    _make_rule("Ingress"),
    _make_rule("Egress"),
    # Network ACLs
    ResourceType(
        "AWS::EC2::NetworkAcl",
        _MODEL,
        create=_create("CreateNetworkAcl", "network-acl"),
        exists=Call("DescribeNetworkAcls", {"NetworkAclIds": _make_one("Id")}),
        delete=Call("DeleteNetworkAcl", {"NetworkAclId": "Id"}),
        attributes={"Id": "NetworkAcl.NetworkAclId"},
        list=Call("DescribeNetworkAcls"),
        **_tag("Id"),
    ),
    ResourceType(
        "AWS::EC2::NetworkAclEntry",
        _MODEL,
        create=Call("CreateNetworkAclEntry", _ENTRY, _ENTRY_ABSENT),
        updates=(Call("ReplaceNetworkAclEntry", _ENTRY, _ENTRY_ABSENT),),
        delete=Call("DeleteNetworkAclEntry", absent=_ENTRY_ABSENT),
        attributes={"Id": f"{{{NAME}}}"},
    ),
    ResourceType(
        "AWS::EC2::SubnetNetworkAclAssociation",
        _MODEL,
        generate=(
            "SubnetId",
            Call("DescribeNetworkAcls", {"Filters": _make_filters(**{"association.subnet_id": "SubnetId"})}),
        ),
        create=Call("ReplaceNetworkAclAssociation", {"AssociationId": _find_replaced_association}),
        read=Call("DescribeSubnets", {"SubnetIds": _make_one("SubnetId")}),
        lookups=(Call("DescribeNetworkAcls", {"Filters": _make_filters(vpc_id="VpcId", default="true")}),),
        delete=Call("ReplaceNetworkAclAssociation", {"NetworkAclId": "DefaultNetworkAcl"}),
        attributes={
            "AssociationId": "NewAssociationId",
            "VpcId": "Subnets.0.VpcId",
            "DefaultNetworkAcl": "NetworkAcls.0.NetworkAclId",
        },
    ),
    # DHCP options, endpoints, prefix lists
    ResourceType(
        "AWS::EC2::DHCPOptions",
        _MODEL,
        create=_create("CreateDhcpOptions", "dhcp-options", DhcpConfigurations=_make_dhcp),
        exists=Call("DescribeDhcpOptions", {"DhcpOptionsIds": _make_one("DhcpOptionsId")}),
        delete=Call("DeleteDhcpOptions"),
        list=Call("DescribeDhcpOptions"),
        **_tag("DhcpOptionsId"),
    ),
    ResourceType(
        "AWS::EC2::VPCDHCPOptionsAssociation",
        _MODEL,
        create=Call("AssociateDhcpOptions"),
        delete=Call("AssociateDhcpOptions", {"DhcpOptionsId": lambda properties: "default"}),
    ),
    ResourceType(
        "AWS::EC2::VPCEndpoint",
        _MODEL,
        create=_create("CreateVpcEndpoint", "vpc-endpoint"),
        exists=Call("DescribeVpcEndpoints", {"VpcEndpointIds": _make_one("Id")}),
        updates=(
            Call(
                "ModifyVpcEndpoint",
                {
                    "VpcEndpointId": "Id",
                    "ResetPolicy": lambda properties: None if "PolicyDocument" in properties else True,
                },
            ),
        ),
        parts=tuple(map(_make_endpoint_items, ("RouteTableIds", "SubnetIds", "SecurityGroupIds"))),
        delete=Call("DeleteVpcEndpoints", {"VpcEndpointIds": _make_one("Id")}),
        attributes={
            "Id": "VpcEndpoint.VpcEndpointId",
            "CreationTimestamp": "VpcEndpoint.CreationTimestamp",
            "NetworkInterfaceIds": "VpcEndpoint.NetworkInterfaceIds",
            "DnsEntries": lambda properties: [],
        },
        list=Call("DescribeVpcEndpoints"),
        **_tag("Id"),
    ),
    ResourceType(
        "AWS::EC2::PrefixList",
        _MODEL,
        create=_create(
            "CreateManagedPrefixList",
            "prefix-list",
            MaxEntries=lambda properties: properties.get("MaxEntries") or max(1, len(properties.get("Entries") or ())),
        ),
        exists=Call("DescribeManagedPrefixLists", {"PrefixListIds": _make_one("PrefixListId")}),
        updates=(Call("ModifyManagedPrefixList", {"AddEntries": None, "RemoveEntries": None, "CurrentVersion": None}),),
        delete=Call("DeleteManagedPrefixList"),
        attributes={
            "PrefixListId": "PrefixList.PrefixListId",
            "Arn": "PrefixList.PrefixListArn",
            "OwnerId": "PrefixList.OwnerId",
            "Version": "PrefixList.Version",
        },
        list=Call("DescribeManagedPrefixLists"),
        **_tag("PrefixListId"),
    ),
)
