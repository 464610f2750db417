"""Subnets, with the route table and the network ACL that each has, and its addresses."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Final

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.kernel.ids import random_below
from cloudlet.services.ec2.resource import Kind, Resource, Scope, to_tag_list
from cloudlet.services.ec2.zones import get_zone_id

RESERVED_FIRST: Final = 4
"""Addresses that AWS keeps, beside the last one (VPC User Guide, "Subnet CIDR blocks")."""
_TRIES: Final = 16
_TAKEN: Final = Subspace("address")
_COUNT: Final = Subspace("addresses")


class Subnet(Resource, kw_only=True):
    vpc: str
    cidr: str
    zone: str
    acl: str
    acl_association: str
    is_default: bool = False
    maps_public_addresses: bool = False
    hostname_type: str = "ip-name"
    is_name_resolved: bool = False
    table: str = ""
    """The route table; none where the main one counts."""
    table_association: str = ""

    def list_parents(self) -> Iterable[str]:
        return (self.vpc, self.acl, self.acl_association, self.table, self.table_association)

    @property
    def network(self) -> str:
        return self.vpc

    @property
    def addresses(self) -> IPv4Network:
        """Return all addresses, those that are reserved among them."""
        return IPv4Network(self.cidr)


class AddressTaken(AwsError):
    """An address that another interface has."""

    def __init__(self, address: object) -> None:
        super().__init__("InvalidIPAddress.InUse", f"Address {address} is in use.")


class SubnetFull(AwsError):
    """A subnet of which all addresses are taken."""

    def __init__(self) -> None:
        text = "The specified subnet does not have enough free addresses to satisfy the request."
        super().__init__("InsufficientFreeAddressesInSubnet", text)


async def _show(scope: Scope, tx: Transaction, subnet: Subnet) -> dict[str, Any]:
    taken = await tx.counter(_COUNT.key(subnet.account, subnet.region, subnet.name))
    return {
        "SubnetId": subnet.name,
        "SubnetArn": SUBNETS.make_arn(subnet),
        "VpcId": subnet.vpc,
        "OwnerId": subnet.account,
        "State": "available",
        "CidrBlock": subnet.cidr,
        "Ipv6CidrBlockAssociationSet": [],
        "AvailabilityZone": subnet.zone,
        "AvailabilityZoneId": get_zone_id(subnet.region, subnet.zone),
        "AvailableIpAddressCount": subnet.addresses.num_addresses - RESERVED_FIRST - 1 - taken,
        "DefaultForAz": subnet.is_default,
        "MapPublicIpOnLaunch": subnet.maps_public_addresses,
        "MapCustomerOwnedIpOnLaunch": False,
        "AssignIpv6AddressOnCreation": False,
        "EnableDns64": False,
        "Ipv6Native": False,
        "PrivateDnsNameOptionsOnLaunch": {
            "HostnameType": subnet.hostname_type,
            "EnableResourceNameDnsARecord": subnet.is_name_resolved,
            "EnableResourceNameDnsAAAARecord": False,
        },
        "BlockPublicAccessStates": {"InternetGatewayBlockMode": "off"},
        "Tags": to_tag_list(subnet),
    }


_BLOCK6: Final = "Ipv6CidrBlockAssociationSet."
_NAMES: Final = "PrivateDnsNameOptionsOnLaunch."
SUBNETS: Final = Kind(
    Subnet, "subnet", "subnet", "subnet", "InvalidSubnetID", _show, "Subnets", "SubnetIds",
    {
        "availability-zone": "",
        "availabilityZone": "AvailabilityZone",
        "availability-zone-id": "",
        "availabilityZoneId": "AvailabilityZoneId",
        "available-ip-address-count": "",
        "cidr": "CidrBlock",
        "cidr-block": "",
        "cidrBlock": "CidrBlock",
        "customer-owned-ipv4-pool": "CustomerOwnedIpv4Pool",
        "default-for-az": "",
        "defaultForAz": "DefaultForAz",
        "enable-dns64": "",
        "enable-lni-at-device-index": "",
        "ipv6-cidr-block-association.ipv6-cidr-block": _BLOCK6 + "Ipv6CidrBlock",
        "ipv6-cidr-block-association.association-id": _BLOCK6 + "AssociationId",
        "ipv6-cidr-block-association.state": _BLOCK6 + "Ipv6CidrBlockState.State",
        "ipv6-native": "",
        "map-customer-owned-ip-on-launch": "",
        "map-public-ip-on-launch": "",
        "outpost-arn": "",
        "owner-id": "",
        "private-dns-name-options-on-launch.hostname-type": _NAMES + "HostnameType",
        "private-dns-name-options-on-launch.enable-resource-name-dns-a-record": _NAMES + "EnableResourceNameDnsARecord",
        "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record":
            _NAMES + "EnableResourceNameDnsAAAARecord",
        "state": "",
        "subnet-arn": "",
        "subnet-id": "",
        "vpc-id": "",
    },
)  # fmt: skip


async def take_address(tx: Transaction, subnet: Subnet, owner: str, wanted: str | None = None) -> str:
    """Return an address of a subnet that is an interface's from now on. Raises AwsError."""
    addresses = subnet.addresses
    if wanted is not None:
        address = _parse_address(wanted, subnet)
        if await tx.get(_make_key(subnet, int(address))) is not None:
            raise AddressTaken(wanted)
    else:
        address = await _choose_address(tx, subnet, addresses)
    tx.put(_make_key(subnet, int(address)), owner.encode())
    tx.add(_COUNT.key(subnet.account, subnet.region, subnet.name), 1)
    return str(address)


def _parse_address(text: str, subnet: Subnet) -> IPv4Address:
    addresses = subnet.addresses
    try:
        address = IPv4Address(text)
    except ValueError:
        raise AwsError("InvalidParameterValue", f"invalid value for parameter address: {text}") from None
    if address not in addresses:
        raise AwsError("InvalidParameterValue", "Address does not fall within the subnet's address range")
    if not RESERVED_FIRST <= int(address) - int(addresses[0]) < addresses.num_addresses - 1:
        raise AwsError("InvalidParameterValue", "Address is in subnet's reserved address range")
    return address


async def _choose_address(tx: Transaction, subnet: Subnet, addresses: IPv4Network) -> IPv4Address:
    first, count = int(addresses[0]) + RESERVED_FIRST, addresses.num_addresses - RESERVED_FIRST - 1
    for _ in range(_TRIES):
        address = first + random_below(count)
        if await tx.get(_make_key(subnet, address)) is None:
            return IPv4Address(address)
    # It is nearly full: look for a gap.
    space = _TAKEN.sub(subnet.account, subnet.region, subnet.name)
    taken = {space.unpack(key)[0] for key, _ in await tx.range(space.begin, space.end, limit=count + 1)}
    free = next((each for each in range(first, first + count) if each not in taken), None)
    if free is None:
        raise SubnetFull
    return IPv4Address(free)


def release_address(tx: Transaction, subnet: Subnet, address: str) -> None:
    """Give an address back."""
    tx.delete(_make_key(subnet, int(IPv4Address(address))))
    tx.add(_COUNT.key(subnet.account, subnet.region, subnet.name), -1)


def _make_key(subnet: Subnet, address: int) -> bytes:
    return _TAKEN.key(subnet.account, subnet.region, subnet.name, address)
