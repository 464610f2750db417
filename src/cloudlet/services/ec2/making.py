"""New VPCs and subnets, with all that belongs to them."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import Transaction
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.ec2.network_acl import ACLS, ALL, Entry, NetworkAcl
from cloudlet.services.ec2.resource import Scope
from cloudlet.services.ec2.route_table import ROUTE_TABLES, RouteTable
from cloudlet.services.ec2.security_group import GROUPS, RULES, SecurityGroup, SecurityGroupRule
from cloudlet.services.ec2.subnet import SUBNETS, Subnet
from cloudlet.services.ec2.vpc import VPCS, CidrAssociation, Vpc

DEFAULT: Final = "default"
EVERYWHERE: Final = "0.0.0.0/0"


def make_association_id(kind: str) -> str:
    """Return a new id of an association."""
    return f"{kind}-0{random_bytes(8).hex()}"


def make_vpc(scope: Scope, tx: Transaction, cidr: str, tags: dict[str, str], *, is_default: bool = False) -> Vpc:
    """Make a VPC, with its main route table, default group and default ACL."""
    place: dict[str, Any] = {"account": scope.account, "region": scope.region}
    vpc = Vpc(
        **place,
        name=VPCS.make_id(),
        cidrs=[CidrAssociation(make_association_id("vpc-cidr-assoc"), cidr)],
        is_default=is_default,
        dhcp_options="",
        dns_hostnames=is_default,
        main_association=make_association_id("rtbassoc"),
        tags=tags,
    )
    table = RouteTable(**place, name=ROUTE_TABLES.make_id(), vpc=vpc.name)
    acl = NetworkAcl(**place, name=ACLS.make_id(), vpc=vpc.name, is_default=True)
    acl.entries = [Entry(100, is_egress, ALL, is_allowed=True, cidr=EVERYWHERE) for is_egress in (True, False)]
    group = SecurityGroup(
        **place, name=GROUPS.make_id(), vpc=vpc.name, group_name=DEFAULT, description="default VPC security group"
    )
    vpc.main_table, vpc.default_acl, vpc.default_group = table.name, acl.name, group.name
    VPCS.save(tx, vpc)
    ROUTE_TABLES.save(tx, table)
    ACLS.save(tx, acl)
    GROUPS.save(tx, group)
    make_rule(tx, group, is_egress=False, member="ReferencedGroupId", peer=group.name)
    make_rule(tx, group, is_egress=True)
    return vpc


def make_rule(
    tx: Transaction, group: SecurityGroup, *, is_egress: bool, member: str = "CidrIpv4", peer: str = EVERYWHERE
) -> SecurityGroupRule:
    """Make a rule of a group that lets all through."""
    rule = SecurityGroupRule(
        account=group.account,
        region=group.region,
        name=RULES.make_id(),
        vpc=group.vpc,
        group=group.name,
        is_egress=is_egress,
        protocol="-1",
        first_port=-1,
        last_port=-1,
        member=member,
        peer=peer,
    )
    RULES.save(tx, rule)
    return rule


def make_subnet(
    tx: Transaction, vpc: Vpc, cidr: str, zone: str, tags: dict[str, str], *, is_default: bool = False
) -> Subnet:
    """Make a subnet of a VPC."""
    subnet = Subnet(
        account=vpc.account,
        region=vpc.region,
        name=SUBNETS.make_id(),
        vpc=vpc.name,
        cidr=cidr,
        zone=zone,
        acl=vpc.default_acl,
        acl_association=make_association_id("aclassoc"),
        is_default=is_default,
        maps_public_addresses=is_default,
        tags=tags,
    )
    SUBNETS.save(tx, subnet)
    return subnet
