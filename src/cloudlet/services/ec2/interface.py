"""Network interfaces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.core.aws.interface_names import make_private_name
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.ec2.errors import QuotaError
from cloudlet.services.ec2.keepers import KEEPERS
from cloudlet.services.ec2.limits import MAX_INTERFACES
from cloudlet.services.ec2.resource import Kind, Resource, Scope, to_tag_list
from cloudlet.services.ec2.security_group import GROUPS
from cloudlet.services.ec2.subnet import SUBNETS, Subnet, release_address, take_address
from cloudlet.services.ec2.vpc import VPCS, Vpc
from cloudlet.services.ec2.zones import get_zone_id

_COUNT: Final = Subspace("interfaces")
PLAIN: Final = "interface"
"""The type of most interfaces."""
NAT_GATEWAY: Final = "nat_gateway"
ENDPOINT: Final = "vpc_endpoint"
_OWNERS: Final = {"elbv2": "amazon-elb", "lambda": "amazon-aws", NAT_GATEWAY: "amazon-aws", ENDPOINT: "amazon-aws"}
"""The accounts that interfaces of services are attached to, where they have other names."""
_LOAD_BALANCING: Final = "elbv2"
_NETWORK_LOAD_BALANCER: Final = "ELB net/"
"""The beginning of descriptions of a network load balancer's interfaces."""
MANAGED_ATTACHMENT: Final = "ela-attach"
"""The beginning of ids of attachments that services manage."""


class NetworkInterface(Resource, kw_only=True):
    vpc: str
    subnet: str
    zone: str
    address: str
    mac: str
    groups: list[str]
    description: str = ""
    type: str = PLAIN
    requester: str = ""
    """The service that manages it, if any."""
    requester_account: str = ""
    created: float = 0.0
    attachment: str = ""
    attached_to: str = ""
    secondary_addresses: list[str] = msgspec.field(default_factory=list)
    is_multihomed: bool = False
    """Whether it has, or has had, secondary addresses."""
    public_address: str = ""
    allocation: str = ""
    """The elastic address; none where the public address comes and goes with the interface."""
    association: str = ""
    keeper: str = ""
    """The keeper that has made it."""

    def list_parents(self) -> Iterable[str]:
        return (self.vpc, self.subnet, self.attachment, *self.groups)

    @property
    def network(self) -> str:
        return self.vpc if self.is_real else ""

    @property
    def is_real(self) -> bool:
        """Whether there is a real one. Others are there for their address alone."""
        return self.type not in (NAT_GATEWAY, ENDPOINT)

    @property
    def is_sharing(self) -> bool:
        """Whether it shares a namespace: one proxy serves all load balancers of a VPC."""
        return is_load_balancing(self.requester)

    @property
    def addresses(self) -> list[str]:
        """Return the primary address, and the others."""
        return [self.address, *self.secondary_addresses]


def _make_public_name(region: str, address: str) -> str:
    domain = "compute-1" if region == "us-east-1" else f"{region}.compute"
    return f"ec2-{address.replace('.', '-')}.{domain}.amazonaws.com"


async def _show(ctx: Context, tx: Transaction, interface: NetworkInterface) -> dict[str, Any]:
    vpc = await VPCS.get(ctx, tx, interface.vpc)
    groups = [each for name in interface.groups if (each := await GROUPS.find(ctx, tx, name)) is not None]
    shown: dict[str, Any] = {
        "NetworkInterfaceId": interface.name,
        "VpcId": interface.vpc,
        "SubnetId": interface.subnet,
        "AvailabilityZone": interface.zone,
        "AvailabilityZoneId": get_zone_id(interface.region, interface.zone),
        "OwnerId": interface.account,
        "Description": interface.description,
        "InterfaceType": interface.type,
        "MacAddress": interface.mac,
        "Groups": [{"GroupId": each.name, "GroupName": each.group_name} for each in groups],
        "PrivateIpAddress": interface.address,
        "PrivateIpAddresses": [_show_address(interface, vpc, each) for each in interface.addresses],
        "Ipv6Addresses": [],
        "RequesterManaged": bool(interface.requester),
        "Operator": {"Managed": False},
        "SourceDestCheck": interface.is_real,
        "Status": find_status(ctx, interface),
        "TagSet": to_tag_list(interface),
    }
    if vpc.dns_hostnames:
        shown["PrivateDnsName"] = make_private_name(interface.region, interface.address)
    if interface.requester:
        shown["RequesterId"] = interface.requester_account
    if interface.public_address:
        shown["Association"] = _show_association(interface, vpc)
    if interface.attachment:
        shown["Attachment"] = {
            "AttachmentId": interface.attachment,
            "AttachTime": interface.created,
            "DeleteOnTermination": False,
            "DeviceIndex": 1,
            "InstanceOwnerId": interface.attached_to,
            "Status": "attached" if is_made(ctx, interface) else "attaching",
        }
    return shown


def _show_address(interface: NetworkInterface, vpc: Vpc, address: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"PrivateIpAddress": address, "Primary": address == interface.address}
    if vpc.dns_hostnames:
        shown["PrivateDnsName"] = make_private_name(interface.region, address)
    if interface.public_address and shown["Primary"]:
        shown["Association"] = _show_association(interface, vpc)
    return shown


def _show_association(interface: NetworkInterface, vpc: Vpc) -> dict[str, Any]:
    shown = {"PublicIp": interface.public_address, "IpOwnerId": "amazon"}
    if vpc.dns_hostnames:
        shown["PublicDnsName"] = _make_public_name(interface.region, interface.public_address)
    if not interface.allocation:
        return shown
    more = {"IpOwnerId": interface.account, "AllocationId": interface.allocation}
    return {**shown, **more, "AssociationId": interface.association}


def is_made(ctx: Context, interface: NetworkInterface) -> bool:
    """Whether an interface is there by now."""
    return not interface.is_real or bool(interface.keeper and interface.keeper == KEEPERS.get(ctx.block).id)


def find_status(ctx: Context, interface: NetworkInterface) -> str:
    """Return the state of an interface."""
    if not is_made(ctx, interface):
        return "pending"
    return "in-use" if interface.attachment else "available"


_ASSOCIATION: Final = {
    "allocation-id": "AllocationId",
    "association-id": "AssociationId",
    "ip-owner-id": "IpOwnerId",
    "public-dns-name": "PublicDnsName",
    "public-ip": "PublicIp",
}
_ATTACHMENT: Final = {
    "attach-time": "AttachTime",
    "attachment-id": "AttachmentId",
    "delete-on-termination": "DeleteOnTermination",
    "device-index": "DeviceIndex",
    "instance-id": "InstanceId",
    "instance-owner-id": "InstanceOwnerId",
    "status": "Status",
}
INTERFACES: Final = Kind(
    NetworkInterface, "eni", "network-interface", "networkInterface", "InvalidNetworkInterfaceID", _show,
    "NetworkInterfaces", "NetworkInterfaceIds",
    {
        "addresses.association.owner-id": "PrivateIpAddresses.Association.IpOwnerId",
        "addresses.association.public-ip": "PrivateIpAddresses.Association.PublicIp",
        "addresses.primary": "PrivateIpAddresses.Primary",
        "addresses.private-ip-address": "PrivateIpAddresses.PrivateIpAddress",
        **{f"association.{name}": f"Association.{member}" for name, member in _ASSOCIATION.items()},
        **{f"attachment.{name}": f"Attachment.{member}" for name, member in _ATTACHMENT.items()},
        "availability-zone": "",
        "availability-zone-id": "",
        "description": "",
        "group-id": "Groups.GroupId",
        "group-name": "Groups.GroupName",
        "interface-type": "",
        "ipv6-addresses.ipv6-address": "Ipv6Addresses.Ipv6Address",
        "mac-address": "",
        "network-interface-id": "",
        "operator.managed": "Operator.Managed",
        "operator.principal": "Operator.Principal",
        "owner-id": "",
        "private-dns-name": "",
        "private-ip-address": "PrivateIpAddresses.PrivateIpAddress",
        "requester-id": "",
        "requester-managed": "",
        "source-dest-check": "",
        "status": "",
        "subnet-id": "",
        "vpc-id": "",
    },
    malformed="InvalidNetworkInterfaceId.Malformed", tag_member="TagSet",
)  # fmt: skip


async def make_interface(
    scope: Scope,
    tx: Transaction,
    subnet: Subnet,
    groups: Sequence[str],
    *,
    address: str | None = None,
    description: str = "",
    type_name: str = PLAIN,
    requester: str = "",
    tags: dict[str, str] | None = None,
    token: str = "",
) -> NetworkInterface:
    """Make an interface in a subnet; with a free address where none is given. Raises AwsError.

    One with a requester, the name of a service, is attached to what that runs.
    """
    owner = find_owner(requester)
    count = _COUNT.key(subnet.account, subnet.region)
    if await tx.counter(count) >= MAX_INTERFACES:
        raise QuotaError("NetworkInterfaceLimitExceeded", "network interfaces")
    tx.add(count, 1)
    name = INTERFACES.make_id()
    interface = NetworkInterface(
        account=subnet.account,
        region=subnet.region,
        name=name,
        vpc=subnet.vpc,
        subnet=subnet.name,
        zone=subnet.zone,
        address=await take_address(tx, subnet, name, address),
        # An address that is administered locally (IEEE 802).
        mac="02:" + random_bytes(5).hex(":"),
        groups=list(dict.fromkeys(groups)),
        description=description,
        type=type_name,
        requester=requester,
        requester_account=owner,
        created=scope.block.clock.now(),
        attachment=f"{MANAGED_ATTACHMENT}-0{random_bytes(8).hex()}" if requester else "",
        attached_to=owner,
        tags=tags or {},
        token=token,
    )
    INTERFACES.save(tx, interface)
    return interface


def is_load_balancing(requester: str) -> bool:
    """Whether a service is that of load balancers."""
    return requester.partition(".")[0] == _LOAD_BALANCING


def find_type(requester: str, description: str) -> str:
    """Return the type of an interface that a service asks for, or a user."""
    service = requester.partition(".")[0]
    if is_load_balancing(requester) and description.startswith(_NETWORK_LOAD_BALANCER):
        return "network_load_balancer"
    return "lambda" if service == "lambda" else PLAIN


def find_owner(requester: str) -> str:
    """Return the account that interfaces of a service are attached to."""
    service = requester.partition(".")[0]
    return _OWNERS.get(service, f"amazon-{service}") if service else ""


async def delete_interface(scope: Scope, tx: Transaction, interface: NetworkInterface) -> None:
    """Delete an interface, and give its addresses back."""
    subnet = await SUBNETS.get(scope, tx, interface.subnet)
    for each in interface.addresses:
        release_address(tx, subnet, each)
    INTERFACES.remove(tx, interface)
    tx.add(_COUNT.key(interface.account, interface.region), -1)
