"""All kinds of resources, by which an id or an ARN is found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloudlet.core import AwsError, Context, Transaction
from cloudlet.services.ec2.address import ADDRESSES
from cloudlet.services.ec2.dhcp_options import DHCP_OPTIONS
from cloudlet.services.ec2.endpoint import ENDPOINTS
from cloudlet.services.ec2.interface import INTERFACES
from cloudlet.services.ec2.internet_gateway import GATEWAYS
from cloudlet.services.ec2.nat_gateway import NAT_GATEWAYS
from cloudlet.services.ec2.network_acl import ACLS
from cloudlet.services.ec2.peering import PEERINGS
from cloudlet.services.ec2.prefix_list import PREFIX_LISTS
from cloudlet.services.ec2.resource import Kind
from cloudlet.services.ec2.route_table import ROUTE_TABLES
from cloudlet.services.ec2.security_group import GROUPS, RULES
from cloudlet.services.ec2.subnet import SUBNETS
from cloudlet.services.ec2.vpc import VPCS

KINDS: Final[Mapping[str, Kind[Any]]] = {
    each.prefix: each
    for each in (
        ACLS, ADDRESSES, DHCP_OPTIONS, ENDPOINTS, GATEWAYS, GROUPS, INTERFACES, NAT_GATEWAYS, PEERINGS, PREFIX_LISTS,
        ROUTE_TABLES, RULES, SUBNETS, VPCS,
    )
}  # fmt: skip
"""By what their ids begin with."""


def get_kind(name: str) -> Kind[Any]:
    """Return the kind of the resource that has an id. Raises AwsError."""
    found = KINDS.get(name.rpartition("-")[0])
    if found is None:
        raise AwsError("InvalidID", f"The ID '{name}' is not valid")
    return found


async def find_tags(ctx: Context, tx: Transaction, arn: str) -> Mapping[str, str]:
    """Return the tags of the resource that an ARN names."""
    name = arn.rpartition("/")[2]
    kind = KINDS.get(name.rpartition("-")[0])
    found = None if kind is None else await kind.find(ctx, tx, name)
    return {} if found is None else found.tags
