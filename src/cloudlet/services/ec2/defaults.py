"""The default VPC that each account has in each region (VPC User Guide, "Default VPCs").

It is made with the first call to this block.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Final

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.aws.interface_names import get_private_domain
from cloudlet.services.ec2.dhcp_options import DHCP_OPTIONS, DhcpOptions
from cloudlet.services.ec2.internet_gateway import GATEWAYS, InternetGateway
from cloudlet.services.ec2.making import EVERYWHERE, make_subnet, make_vpc
from cloudlet.services.ec2.prefix_list import ensure_service_lists
from cloudlet.services.ec2.resource import Scope
from cloudlet.services.ec2.route_table import ROUTE_TABLES, Route
from cloudlet.services.ec2.subnet import SUBNETS, Subnet
from cloudlet.services.ec2.vpc import DEFAULT_OPTIONS, VPCS, Vpc
from cloudlet.services.ec2.zones import Zone, list_zones

CIDR: Final = IPv4Network("172.31.0.0/16")
_SUBNET_BITS: Final = 20
_DEFAULTS: Final = Subspace("default")
_VPC: Final = "vpc"
_OPTIONS: Final = "dhcp-options"


async def ensure(scope: Scope, tx: Transaction) -> None:
    """Make what an account has in a region from the beginning, at the first call."""
    if await tx.get(_DEFAULTS.key(scope.account, scope.region, _OPTIONS)) is not None:
        return
    domain = get_private_domain(scope.region)
    options = DhcpOptions(
        account=scope.account,
        region=scope.region,
        name=DHCP_OPTIONS.make_id(),
        configurations={"domain-name": [domain], "domain-name-servers": ["AmazonProvidedDNS"]},
    )
    DHCP_OPTIONS.save(tx, options)
    tx.put(_DEFAULTS.key(scope.account, scope.region, _OPTIONS), options.name.encode())
    await ensure_service_lists(scope, tx)
    await make_default_vpc(scope, tx)


async def get_dhcp_options(scope: Scope, tx: Transaction) -> str:
    """Return the id of the DHCP options that new VPCs have."""
    name = (await tx.get(_DEFAULTS.key(scope.account, scope.region, _OPTIONS)) or b"").decode()
    return DEFAULT_OPTIONS if await DHCP_OPTIONS.find(scope, tx, name) is None else name


async def find_default_vpc(scope: Scope, tx: Transaction) -> Vpc | None:
    """Return the default VPC, None where it has been deleted."""
    name = await tx.get(_DEFAULTS.key(scope.account, scope.region, _VPC))
    return await VPCS.find(scope, tx, name.decode()) if name else None


async def make_default_vpc(scope: Scope, tx: Transaction) -> Vpc:
    """Make the default VPC, with subnets and a way to the internet."""
    vpc = make_vpc(scope, tx, str(CIDR), {}, is_default=True)
    vpc.dhcp_options = await get_dhcp_options(scope, tx)
    VPCS.save(tx, vpc)
    gateway = InternetGateway(account=scope.account, region=scope.region, name=GATEWAYS.make_id(), vpc=vpc.name)
    GATEWAYS.save(tx, gateway)
    table = await ROUTE_TABLES.get(scope, tx, vpc.main_table)
    table.routes.append(Route(EVERYWHERE, "GatewayId", gateway.name))
    ROUTE_TABLES.save(tx, table)
    for zone, cidr in zip(list_zones(scope.region), CIDR.subnets(new_prefix=_SUBNET_BITS), strict=False):
        make_subnet(tx, vpc, str(cidr), zone.name, {}, is_default=True)
    tx.put(_DEFAULTS.key(scope.account, scope.region, _VPC), vpc.name.encode())
    return vpc


async def make_default_subnet(scope: Scope, tx: Transaction, zone: Zone) -> Subnet:
    """Make the default subnet of a zone. Raises AwsError."""
    vpc = await find_default_vpc(scope, tx)
    if vpc is None:
        text = f"No default VPC exists for this account in the region {scope.region}."
        raise AwsError("DefaultVpcDoesNotExist", text)
    subnets = await SUBNETS.list_dependent(scope, tx, vpc.name)
    for each in subnets:
        if each.is_default and each.zone == zone.name:
            text = f"'{each.name}' is already the default subnet in {zone.name}."
            raise AwsError("DefaultSubnetAlreadyExistsInAvailabilityZone", text)
    taken = [each.addresses for each in subnets]
    free = (cidr for cidr in CIDR.subnets(new_prefix=_SUBNET_BITS) if not any(cidr.overlaps(each) for each in taken))
    cidr = next(free, None)
    if cidr is None:
        raise AwsError("InsufficientFreeAddressesInVpc", "There is no room for another default subnet.")
    return make_subnet(tx, vpc, str(cidr), zone.name, {}, is_default=True)
