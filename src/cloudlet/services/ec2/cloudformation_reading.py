"""The way to read resources of Amazon EC2's networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from cloudlet.core.aws.resources.declaration import ITEM, Call, Properties, Source, find_path
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Listing, Read, Reading

_GROUP_PEERS: Final = {"SecurityGroupIngress": "Source", "SecurityGroupEgress": "Destination"}
"""The beginnings of the names that peers of rules have."""


def _list_one(name: str) -> Callable[[Properties], list[Any]]:
    """Return a source that is a list of one property, which is needed."""
    return lambda properties: [properties[name]]


def _filter_by(name: str, source: str, **others: str) -> Callable[[Properties], list[dict[str, Any]]]:
    """Return a source that is filters.

    One is by a property, which is needed; others are by values.
    """

    def make(properties: Properties) -> list[dict[str, Any]]:
        given = {name: properties[source], **{key.replace("_", "-"): value for key, value in others.items()}}
        return [{"Name": key, "Values": [value]} for key, value in given.items()]

    return make


def _find_item(path: str, is_wanted: Callable[[Properties, Mapping[str, Any]], bool]) -> Callable[[Properties], Any]:
    """Return what finds the item of a list in an answer that is the resource."""

    def find(properties: Properties) -> Any:
        items = find_path(properties[ANSWER], path) or ()
        return next((item for item in items if is_wanted(properties, item)), None)

    return find


def _list_members(path: str, member: str) -> Callable[[Properties], list[Any]]:
    """Return a source that is a member of each item of a list."""
    return lambda properties: [item[member] for item in find_path(properties[ANSWER], path) or ()]


def _read_one(operation: str, ids: str, name: str, root: str, **properties: Source | None) -> Read:
    """Return how an operation that takes a list of ids tells of one resource."""
    return Read(Call(operation, {ids: _list_one(name)}), properties, root=f"{root}.0")


# VPCs, subnets and routes


def _read_attribute(name: str) -> Read:
    """Return how an attribute of a VPC is read."""
    call = Call("DescribeVpcAttribute", {"Attribute": lambda properties: name[0].lower() + name[1:]})
    return Read(call, {name: f"{name}.Value"}, is_exact=True)


def _is_block(properties: Properties, block: Mapping[str, Any]) -> bool:
    """Whether a block is the wanted one, which no VPC is made with."""
    first = find_path(properties[ANSWER], "Vpcs.0.CidrBlock")
    return bool(block["AssociationId"] == properties["Id"] and block["CidrBlock"] != first)


def _find_acl_association(properties: Properties) -> str | None:
    associations = find_path(properties[ANSWER], "NetworkAcls.0.Associations") or ()
    return next(
        (each["NetworkAclAssociationId"] for each in associations if each["SubnetId"] == properties["SubnetId"]), None
    )


def _get_destination(route: Mapping[str, Any]) -> Any:
    names = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
    return next((route[name] for name in names if route.get(name)), None)


def _is_route(properties: Properties, route: Mapping[str, Any]) -> bool:
    """Whether a route is the wanted one.

    Those that are made with their tables, and for endpoints, are no resources.
    """
    is_made = route.get("Origin") == "CreateRoute" and not str(route.get("GatewayId")).startswith("vpce-")
    return is_made and _get_destination(route) == properties["CidrBlock"]


# Gateways


def _find_gateway(properties: Properties) -> Any:
    is_internet = properties.get("AttachmentType", "IGW") == "IGW"
    return find_path(properties[ANSWER], "InternetGateways.0") if is_internet else None


def _is_kept(properties: Properties, gateway: Mapping[str, Any]) -> bool:
    """Whether a NAT gateway is there: deleted ones are shown for an hour."""
    return gateway["State"] not in ("deleting", "deleted")


def _is_linked(properties: Properties, peering: Mapping[str, Any]) -> bool:
    """Whether a peering connection is there: ended ones are shown for hours."""
    return peering["Status"]["Code"] in ("active", "pending-acceptance")


# Security groups


def _list_rules(member: str, name: str) -> Callable[[Properties], list[dict[str, Any]]]:
    """Return a source that is rules of one direction, each with one peer."""
    side = _GROUP_PEERS[name]

    def make(properties: Properties) -> list[dict[str, Any]]:
        return [
            rule for permission in properties[ANSWER].get(member) or () for rule in _split_permission(permission, side)
        ]

    return make


def _split_permission(permission: Mapping[str, Any], side: str) -> list[dict[str, Any]]:
    shared = {name: permission[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in permission}
    peers = [
        *({"CidrIp": each["CidrIp"]} | _get_text(each) for each in permission.get("IpRanges") or ()),
        *({"CidrIpv6": each["CidrIpv6"]} | _get_text(each) for each in permission.get("Ipv6Ranges") or ()),
        *(
            {f"{side}PrefixListId": each["PrefixListId"]} | _get_text(each)
            for each in permission.get("PrefixListIds") or ()
        ),
        *(
            {f"{side}SecurityGroupId": each["GroupId"], f"{side}SecurityGroupOwnerId": each.get("UserId")}
            | _get_text(each)
            for each in permission.get("UserIdGroupPairs") or ()
        ),
    ]
    return [{**shared, **peer} for peer in peers]


def _get_text(peer: Mapping[str, Any]) -> dict[str, Any]:
    return {"Description": peer["Description"]} if peer.get("Description") else {}


def _read_rule(name: str) -> Reading:
    """Return how rules of one direction are read."""
    side, is_egress = _GROUP_PEERS[name], name == "SecurityGroupEgress"
    properties = {
        "CidrIp": "CidrIpv4",
        f"{side}PrefixListId": "PrefixListId",
        f"{side}SecurityGroupId": "ReferencedGroupInfo.GroupId",
    }
    if not is_egress:
        properties["SourceSecurityGroupOwnerId"] = "ReferencedGroupInfo.UserId"
    return Reading(
        Read(
            Call("DescribeSecurityGroupRules", {"SecurityGroupRuleIds": _list_one("Id")}),
            properties,
            root=_find_item("SecurityGroupRules", lambda known, rule: rule["IsEgress"] is is_egress),
        ),
        list=Listing(Call("DescribeSecurityGroupRules"), "SecurityGroupRules", {"Id": "SecurityGroupRuleId"}),
        unread=() if is_egress else ("GroupName", "SourceSecurityGroupName"),
    )


# Others


def _is_entry(properties: Properties, entry: Mapping[str, Any]) -> bool:
    """Whether an entry of a network ACL has the wanted direction and number."""
    is_egress = str(properties.get("Egress", False)).lower() == "true"
    return bool(entry["Egress"] is is_egress and str(entry["RuleNumber"]) == str(properties["RuleNumber"]))


def _list_secondary(properties: Properties) -> list[str]:
    addresses = properties[ANSWER].get("PrivateIpAddresses") or ()
    return [each["PrivateIpAddress"] for each in addresses if not each["Primary"]]


def _count_secondary(properties: Properties) -> int | None:
    return len(_list_secondary(properties)) or None


def _get_options(key: str) -> Callable[[Properties], list[str] | None]:
    """Return a source that is the values of a DHCP option."""

    def get(properties: Properties) -> list[str] | None:
        found = properties[ANSWER].get("DhcpConfigurations") or ()
        return next(([value["Value"] for value in each["Values"]] for each in found if each["Key"] == key), None)

    return get


def _get_option(key: str) -> Callable[[Properties], str | None]:
    """Return a source that is the value of a DHCP option that has one."""
    get = _get_options(key)
    return lambda properties: next(iter(get(properties) or ()), None)


def _is_own(properties: Properties, prefix_list: Mapping[str, Any]) -> bool:
    """Whether a prefix list is not one of AWS's."""
    return bool(prefix_list["OwnerId"] != "AWS")


_OF_VPC: Final = Call("DescribeVpcs", {"VpcIds": _list_one("VpcId")})
_OF_TABLE: Final = Call("DescribeRouteTables", {"RouteTableIds": _list_one("RouteTableId")})
_OF_ACL: Final = Call("DescribeNetworkAcls", {"NetworkAclIds": _list_one("NetworkAclId")})
_TO_VPC: Final = Call("DescribeInternetGateways", {"Filters": _filter_by("attachment.vpc-id", "VpcId")})
_VPC: Final = ("AWS::EC2::VPC", "VpcId")
_TABLE: Final = ("AWS::EC2::RouteTable", "RouteTableId")

READINGS: Final = {
    "AWS::EC2::VPC": Reading(
        Read(_OF_VPC, root="Vpcs.0"),
        (
            _read_attribute("EnableDnsSupport"),
            _read_attribute("EnableDnsHostnames"),
            Read(
                Call("DescribeSecurityGroups", {"Filters": _filter_by("vpc-id", "VpcId", group_name="default")}),
                {"DefaultSecurityGroup": "SecurityGroups.0.GroupId"},
                is_exact=True,
            ),
            Read(
                Call("DescribeNetworkAcls", {"Filters": _filter_by("vpc-id", "VpcId", default="true")}),
                {"DefaultNetworkAcl": "NetworkAcls.0.NetworkAclId"},
                is_exact=True,
            ),
        ),
        unread=("VpcEncryptionControl",),
    ),
    "AWS::EC2::VPCCidrBlock": Reading(
        Read(_OF_VPC, root=_find_item("Vpcs.0.CidrBlockAssociationSet", _is_block)),
        list=Listing(_OF_VPC, "Vpcs.0.CidrBlockAssociationSet", {"Id": "AssociationId"}, _VPC),
    ),
    "AWS::EC2::Subnet": Reading(
        _read_one("DescribeSubnets", "SubnetIds", "SubnetId", "Subnets"),
        (
            Read(
                Call("DescribeNetworkAcls", {"Filters": _filter_by("association.subnet-id", "SubnetId")}),
                {"NetworkAclAssociationId": _find_acl_association},
                is_exact=True,
            ),
        ),
    ),
    "AWS::EC2::RouteTable": Reading(Read(_OF_TABLE, root="RouteTables.0")),
    "AWS::EC2::Route": Reading(
        Read(_OF_TABLE, root=_find_item("RouteTables.0.Routes", _is_route)),
        list=Listing(
            _OF_TABLE,
            "RouteTables.0.Routes",
            {"CidrBlock": lambda properties: _get_destination(properties[ITEM])},
            _TABLE,
        ),
    ),
    "AWS::EC2::SubnetRouteTableAssociation": Reading(
        Read(
            Call("DescribeRouteTables", {"Filters": _filter_by("association.route-table-association-id", "Id")}),
            root=_find_item(
                "RouteTables.0.Associations",
                lambda known, each: each["RouteTableAssociationId"] == known["Id"] and not each["Main"],
            ),
        ),
        list=Listing(_OF_TABLE, "RouteTables.0.Associations", {"Id": "RouteTableAssociationId"}, _TABLE),
    ),
    "AWS::EC2::InternetGateway": Reading(
        _read_one("DescribeInternetGateways", "InternetGatewayIds", "InternetGatewayId", "InternetGateways")
    ),
    "AWS::EC2::VPCGatewayAttachment": Reading(
        Read(_TO_VPC, {"InternetGatewayId": "InternetGatewayId"}, root=_find_gateway, is_exact=True),
        list=Listing(_TO_VPC, "InternetGateways", owner=_VPC),
    ),
    "AWS::EC2::NatGateway": Reading(
        Read(
            Call("DescribeNatGateways", {"NatGatewayIds": _list_one("NatGatewayId")}),
            {
                "AllocationId": "NatGatewayAddresses.0.AllocationId",
                "PrivateIpAddress": "NatGatewayAddresses.0.PrivateIp",
                "EniId": "NatGatewayAddresses.0.NetworkInterfaceId",
                # Only regional ones are given a VPC.
                "VpcId": None,
            },
            root=_find_item("NatGateways", _is_kept),
        )
    ),
    "AWS::EC2::EIP": Reading(
        Read(
            Call("DescribeAddresses", {"AllocationIds": _list_one("AllocationId"), "PublicIps": None}),
            root=_find_item("Addresses", lambda known, each: each["PublicIp"] == known["PublicIp"]),
        )
    ),
    "AWS::EC2::EIPAssociation": Reading(
        Read(
            Call("DescribeAddresses", {"Filters": _filter_by("association-id", "Id"), "PublicIps": None}),
            {"EIP": "PublicIp"},
            root="Addresses.0",
        ),
        list=Listing(Call("DescribeAddresses", {"PublicIps": None}), "Addresses", {"Id": "AssociationId"}),
    ),
    "AWS::EC2::VPCPeeringConnection": Reading(
        Read(
            Call("DescribeVpcPeeringConnections", {"VpcPeeringConnectionIds": _list_one("Id")}),
            {
                "VpcId": "RequesterVpcInfo.VpcId",
                "PeerVpcId": "AccepterVpcInfo.VpcId",
                "PeerOwnerId": "AccepterVpcInfo.OwnerId",
                "PeerRegion": "AccepterVpcInfo.Region",
            },
            root=_find_item("VpcPeeringConnections", _is_linked),
        ),
        list=Listing(Call("DescribeVpcPeeringConnections"), "VpcPeeringConnections", {"Id": "VpcPeeringConnectionId"}),
    ),
    "AWS::EC2::NetworkInterface": Reading(
        _read_one(
            "DescribeNetworkInterfaces",
            "NetworkInterfaceIds",
            "Id",
            "NetworkInterfaces",
            GroupSet=_list_members("Groups", "GroupId"),
            Tags="TagSet",
            PrimaryPrivateIpAddress="PrivateIpAddress",
            SecondaryPrivateIpAddresses=_list_secondary,
            SecondaryPrivateIpAddressCount=_count_secondary,
        ),
        list=Listing(Call("DescribeNetworkInterfaces"), "NetworkInterfaces", {"Id": "NetworkInterfaceId"}),
    ),
    "AWS::EC2::SecurityGroup": Reading(
        _read_one(
            "DescribeSecurityGroups",
            "GroupIds",
            "Id",
            "SecurityGroups",
            GroupDescription="Description",
            SecurityGroupIngress=_list_rules("IpPermissions", "SecurityGroupIngress"),
            SecurityGroupEgress=_list_rules("IpPermissionsEgress", "SecurityGroupEgress"),
        ),
        list=Listing(Call("DescribeSecurityGroups"), "SecurityGroups", {"Id": "GroupId"}),
    ),
    "AWS::EC2::SecurityGroupIngress": _read_rule("SecurityGroupIngress"),
    "AWS::EC2::SecurityGroupEgress": _read_rule("SecurityGroupEgress"),
    "AWS::EC2::NetworkAcl": Reading(
        _read_one("DescribeNetworkAcls", "NetworkAclIds", "Id", "NetworkAcls"),
        list=Listing(Call("DescribeNetworkAcls"), "NetworkAcls", {"Id": "NetworkAclId"}),
    ),
    # Its identifier is made up: drift finds it by its ACL, its direction and its number.
    "AWS::EC2::NetworkAclEntry": Reading(
        Read(
            _OF_ACL,
            {"NetworkAclId": "{NetworkAclId}", "Icmp": "IcmpTypeCode"},
            root=_find_item("NetworkAcls.0.Entries", _is_entry),
        )
    ),
    "AWS::EC2::SubnetNetworkAclAssociation": Reading(
        Read(
            Call("DescribeNetworkAcls", {"Filters": _filter_by("association.association-id", "AssociationId")}),
            root=_find_item(
                "NetworkAcls.0.Associations",
                lambda known, each: each["NetworkAclAssociationId"] == known["AssociationId"],
            ),
        ),
        list=Listing(
            _OF_ACL,
            "NetworkAcls.0.Associations",
            {"AssociationId": "NetworkAclAssociationId"},
            ("AWS::EC2::NetworkAcl", "NetworkAclId"),
        ),
    ),
    "AWS::EC2::DHCPOptions": Reading(
        _read_one(
            "DescribeDhcpOptions",
            "DhcpOptionsIds",
            "DhcpOptionsId",
            "DhcpOptions",
            DomainName=_get_option("domain-name"),
            DomainNameServers=_get_options("domain-name-servers"),
            NtpServers=_get_options("ntp-servers"),
            NetbiosNameServers=_get_options("netbios-name-servers"),
            NetbiosNodeType=_get_option("netbios-node-type"),
            Ipv6AddressPreferredLeaseTime=_get_option("ipv6-address-preferred-lease-time"),
        )
    ),
    "AWS::EC2::VPCDHCPOptionsAssociation": Reading(
        Read(
            _OF_VPC,
            root=_find_item("Vpcs", lambda known, vpc: vpc["DhcpOptionsId"] == known["DhcpOptionsId"]),
            is_exact=True,
        ),
        list=Listing(_OF_VPC, "Vpcs", owner=_VPC),
    ),
    "AWS::EC2::VPCEndpoint": Reading(
        _read_one(
            "DescribeVpcEndpoints",
            "VpcEndpointIds",
            "Id",
            "VpcEndpoints",
            SecurityGroupIds=_list_members("Groups", "GroupId"),
        ),
        list=Listing(Call("DescribeVpcEndpoints"), "VpcEndpoints", {"Id": "VpcEndpointId"}),
    ),
    "AWS::EC2::PrefixList": Reading(
        Read(
            Call("DescribeManagedPrefixLists", {"PrefixListIds": _list_one("PrefixListId")}),
            {"Arn": "PrefixListArn"},
            root=_find_item("PrefixLists", _is_own),
        ),
        (Read(Call("GetManagedPrefixListEntries", {"TargetVersion": None}), {"Entries": "Entries"}, is_exact=True),),
    ),
}
