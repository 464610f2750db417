"""The real networks of VPCs: made by the keeper, as records say.

A VPC has one as long as it has interfaces. Its packet filters are written anew as a whole where anything is different:
the kernel changes all or nothing, but for the addresses of very large networks, and connections that stand go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Network, collapse_addresses
from itertools import chain
from typing import TYPE_CHECKING, Final

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.host.network_label import NetworkLabel
from cloudlet.engines.keeper.client import KeeperError
from cloudlet.engines.network import boundaries, security_groups
from cloudlet.engines.network.boundaries import AccessList, ListRule
from cloudlet.engines.network.security_groups import Group, Rule
from cloudlet.services.ec2 import peering, reconciling
from cloudlet.services.ec2.block import service
from cloudlet.services.ec2.interface import INTERFACES, NetworkInterface
from cloudlet.services.ec2.keepers import KEEPERS, Keeper
from cloudlet.services.ec2.nat_gateway import NAT_GATEWAYS
from cloudlet.services.ec2.network_acl import ACLS, Entry
from cloudlet.services.ec2.peering import ACTIVE, PEERINGS
from cloudlet.services.ec2.prefix_list import PREFIX_LISTS
from cloudlet.services.ec2.resource import Place
from cloudlet.services.ec2.route_table import ROUTE_TABLES, is_alive
from cloudlet.services.ec2.security_group import Reference, SecurityGroupRule, list_rules
from cloudlet.services.ec2.subnet import SUBNETS, Subnet
from cloudlet.services.ec2.vpc import VPCS, Vpc

if TYPE_CHECKING:
    from cloudlet.core.background.reconciler import Key
    from cloudlet.core.kernel.block import Block

log: Final = logging.getLogger("cloudlet.ec2")

_NETWORKS: Final = Subspace("real-network")
"""The VPCs that have a real network, or are about to."""
_MAX_NETWORKS: Final = 100_000
_LOOK_SECONDS: Final = 0.5
_MAX_COMMAND_CHARACTERS: Final = 128 * 1024
_MISSING_LIBRARY: Final = "libnftables is not installed"
_ICMP_NAMES: Final = {"1": "icmp", "6": "tcp", "17": "udp"}
Peers = Mapping[str, tuple[str, list[IPv4Network]]]
"""The VPCs opposite, with their ranges, by the ids of peering connections."""
_EVERYTHING: Final = ("-1", IPv4Network("0.0.0.0/0"))


@dataclass(frozen=True, slots=True)
class Plan:
    """The desired state of a network."""

    ranges: list[str]
    interfaces: dict[str, NetworkInterface]
    subnets: dict[str, Subnet]
    filters: tuple[str, ...]
    """The commands of packet filters, in their order."""
    has_way_out: bool
    peers: Mapping[str, list[str]]
    """The networks that it is linked with, and what it sends to each."""
    label: str = ""
    """By which Route 53 knows how to answer there; empty where it is not to."""

    def list_inside(self) -> list[str]:
        """Return its own ranges, the first one first, and what it sends to others."""
        return [*self.ranges, *chain.from_iterable(self.peers.values())]


async def reconcile(block: Block, key: Key) -> float | None:
    """Make the network of a VPC what its records say."""
    account, region, name = key
    place = Place(account, region, block)
    plan, is_known = await block.store.transact(partial(_read_plan, place=place, name=name))
    if not plan.interfaces and not is_known:
        return None
    keeper = KEEPERS.get(block)
    present = await _describe(block, keeper, name)
    if not plan.interfaces:
        await keeper.client.call("remove_network", network=name)
        keeper.rules.pop(name, None)
        await block.store.transact(partial(_forget, place=place, name=name))
        await block.store.transact(lambda tx: peering.request_peers(place, tx, name))
        return 0 if await block.store.transact(partial(_has_interfaces, place=place, name=name)) else None
    if not is_known:
        await block.store.transact(partial(_remember, place=place, name=name))
    if present is None:
        await _wake_resolver(block, place)
    if await _make(keeper, name, plan, present):
        # Groups of others may refer to those of this one.
        await block.store.transact(lambda tx: peering.request_peers(place, tx, name))
    await block.store.transact(partial(_mark, place=place, plan=plan, keeper=keeper.id))
    return None


async def _describe(block: Block, keeper: Keeper, name: str) -> Mapping[str, str] | None:
    """Return the interfaces of a network, None where there is none.

    All networks are made again where it is another keeper than before.
    """
    described = await keeper.client.call("describe_network", network=name)
    if described["id"] != keeper.id:
        is_another = bool(keeper.id)
        keeper.forget()
        keeper.id = described["id"]
        if is_another:
            await block.store.transact(_request_all)
    interfaces: Mapping[str, str] | None = described["interfaces"]
    return interfaces


async def _wake_resolver(block: Block, place: Place) -> None:
    """Have Route 53 run, which answers in networks as long as it does."""
    if block.cloud.has("route53"):
        try:
            await block.call("route53", "GetHostedZoneCount", {}, account=place.account, region=place.region)
        except AwsError as error:
            log.warning("no names are answered in networks yet: %s", error)


async def _make(keeper: Keeper, name: str, plan: Plan, present: Mapping[str, str] | None) -> bool:
    """Make a network, its filters, and its interfaces, which nothing passes before.

    Return whether its filters are others than before.
    """
    call = keeper.client.call
    if present is None:
        keeper.rules.pop(name, None)
    await call("make_network", network=name, addresses=plan.ranges[0], label=plan.label)
    for interface in present or ():
        if interface not in plan.interfaces:
            await call("detach", network=name, interface=interface)
    filters = hash((plan.filters, *plan.list_inside(), plan.has_way_out))
    is_other = keeper.rules.get(name) != filters
    if is_other:
        await _filter(keeper, name, plan)
        keeper.rules[name] = filters
    await call("set_peers", network=name, peers=plan.peers)
    for interface, record in plan.interfaces.items():
        if interface not in (present or ()):
            subnet = plan.subnets[record.subnet].cidr
            own = {"interface": interface, "address": record.address, "mac": record.mac}
            await call("attach", network=name, subnet=subnet, is_sharing=record.is_sharing, **own)
        if record.is_multihomed:
            further = record.secondary_addresses
            await call("set_further_addresses", network=name, interface=interface, addresses=further)
    return is_other


async def _filter(keeper: Keeper, name: str, plan: Plan) -> None:
    try:
        for commands in _join(plan.filters):
            await keeper.client.call("filter", network=name, commands=commands)
        if plan.has_way_out:
            await keeper.client.call("open_way_out", network=name, inside=plan.list_inside()[1:])
        else:
            await keeper.client.call("close_way_out", network=name)
    except KeeperError as error:
        if _MISSING_LIBRARY not in str(error):
            raise
        log.warning(
            "security groups, network ACLs and routes of %s are not enforced, nothing leaves it: %s", name, error
        )


def _join(texts: Iterable[str]) -> Iterator[str]:
    """Return texts in as few as the keeper takes, mostly one, which is one transaction."""
    joined = ""
    for text in texts:
        if joined and len(joined) + len(text) > _MAX_COMMAND_CHARACTERS:
            yield joined
            joined = ""
        joined += text
    yield joined


# The store


async def _remember(tx: Transaction, place: Place, name: str) -> None:
    tx.put(_NETWORKS.key(place.account, place.region, name), b"")


async def _forget(tx: Transaction, place: Place, name: str) -> None:
    tx.delete(_NETWORKS.key(place.account, place.region, name))


async def _has_interfaces(tx: Transaction, place: Place, name: str) -> bool:
    return any(each.is_real for each in await INTERFACES.list_dependent(place, tx, name))


async def _mark(tx: Transaction, place: Place, plan: Plan, keeper: str) -> None:
    """Have the interfaces of a network be shown as there."""
    for name, interface in plan.interfaces.items():
        if interface.keeper != keeper:
            found = await INTERFACES.find(place, tx, name)
            if found is not None:
                found.keeper = keeper
                INTERFACES.save(tx, found, is_reconciled=True)


async def _request_all(tx: Transaction) -> None:
    for key, _ in await tx.range(_NETWORKS.begin, _NETWORKS.end, limit=_MAX_NETWORKS):
        reconciling.request(tx, *_NETWORKS.unpack(key))


# The plan


async def _read_plan(tx: Transaction, place: Place, name: str) -> tuple[Plan, bool]:
    """Return the plan of a VPC's network, and whether that may be there."""
    is_known = await tx.get(_NETWORKS.key(place.account, place.region, name)) is not None
    vpc = await VPCS.find(place, tx, name)
    interfaces = [] if vpc is None else await INTERFACES.list_dependent(place, tx, name)
    real = {each.name: each for each in interfaces if each.is_real}
    if vpc is None or not real:
        return Plan([], {}, {}, (), has_way_out=False, peers={}), is_known
    subnets = {each: await SUBNETS.get(place, tx, each) for each in {one.subnet for one in real.values()}}
    ranges = [IPv4Network(each) for each in vpc.ranges]
    peers = await _read_peers(tx, place, vpc)
    outward = await _list_outward(tx, place, vpc, peers, real.values(), subnets)
    tables = {each.table or vpc.main_table for each in subnets.values()}
    sent = await _list_sent(tx, place, tables, peers)
    lists = {subnet.addresses: await _read_access_list(tx, place, subnet) for subnet in subnets.values()}
    groups, outsiders = await _read_groups(tx, place, real.values())
    members: dict[tuple[str, ...], list[IPv4Address]] = {}
    for each in real.values():
        members.setdefault(tuple(map(_make_identifier, each.groups)), []).extend(map(IPv4Address, each.addresses))
    balancers = {IPv4Address(each.address) for each in real.values() if each.is_sharing}
    filters = (
        security_groups.write_base(*ranges),
        *map(security_groups.write_group, groups),
        *(security_groups.write_outsiders(group, addresses) for group, addresses in outsiders.items()),
        *security_groups.write_members(members, balancers),
        *boundaries.write_routes(ranges, outward),
        boundaries.write_access_lists(
            {subnet: found for subnet, found in lists.items() if found is not None}, ranges[0].network_address + 2
        ),
    )
    label = NetworkLabel(place.account, place.region, tuple(ranges) if vpc.dns_hostnames else ())
    text = label.format() if vpc.dns_support else ""
    others = [network for networks in sent.values() for network in networks]
    has_way_out = not all(any(each.subnet_of(other) for other in others) for _, each in outward)
    named = {peer: [str(each) for each in networks] for peer, networks in sent.items()}
    return Plan(vpc.ranges, real, subnets, filters, has_way_out, named, text), is_known


def _make_identifier(name: str) -> str:
    return name.replace("-", "_")


async def _read_groups(
    tx: Transaction, place: Place, interfaces: Iterable[NetworkInterface]
) -> tuple[list[Group], dict[str, list[IPv4Address]]]:
    """Return the groups of interfaces, and the addresses in groups of other VPCs."""
    found = []
    outsiders: dict[str, list[IPv4Address]] = {}
    for name in sorted({each for interface in interfaces for each in interface.groups}):
        incoming: list[Rule] = []
        outgoing: list[Rule] = []
        for rule in await list_rules(place, tx, name):
            (outgoing if rule.is_egress else incoming).extend(await _make_rules(tx, place, rule))
            if rule.reference is not None:
                outsiders[_make_identifier(rule.peer)] = await _list_outsiders(tx, place, rule.peer, rule.reference)
        found.append(Group(_make_identifier(name), tuple(incoming), tuple(outgoing)))
    return found, outsiders


async def _list_outsiders(tx: Transaction, place: Place, group: str, reference: Reference) -> list[IPv4Address]:
    """Return the addresses of a group of another VPC, while a peering connection leads there."""
    linked = await PEERINGS.find(place, tx, reference.peering)
    if linked is None or linked.status != ACTIVE:
        return []
    members = await INTERFACES.list_dependent(Place(reference.account, place.region, place.block), tx, group)
    return [IPv4Address(address) for each in members if each.is_real for address in each.addresses]


async def _make_rules(tx: Transaction, place: Place, rule: SecurityGroupRule) -> list[Rule]:
    peers: list[IPv4Network | str] = []
    if rule.member == "CidrIpv4":
        peers = [IPv4Network(rule.peer)]
    elif rule.member == "ReferencedGroupId":
        peers = [_make_identifier(rule.peer)]
    elif rule.member == "PrefixListId":
        peers = list(await _read_prefix_list(tx, place, rule.peer))
    # Networks have no IPv6.
    protocol = "58" if rule.protocol == "icmpv6" else rule.protocol
    return [Rule(protocol, rule.first_port, rule.last_port, each) for each in peers]


async def _read_prefix_list(tx: Transaction, place: Place, name: str) -> list[IPv4Network]:
    found = await PREFIX_LISTS.find(place, tx, name)
    return [IPv4Network(each.cidr) for each in found.entries if found.family == "IPv4"] if found else []


async def _read_access_list(tx: Transaction, place: Place, subnet: Subnet) -> AccessList | None:
    """Return the access list of a subnet, None where it lets all through."""
    acl = await ACLS.get(place, tx, subnet.acl)
    entries = sorted((each for each in acl.entries if each.cidr), key=lambda each: each.number)
    sides = {
        is_egress: [_make_list_rule(each) for each in entries if each.is_egress == is_egress]
        for is_egress in (True, False)
    }
    if all(
        side and side[0].is_allowed and (side[0].rule.protocol, side[0].rule.peer) == _EVERYTHING
        for side in sides.values()
    ):
        return None
    return AccessList(tuple(sides[False]), tuple(sides[True]))


def _make_list_rule(entry: Entry) -> ListRule:
    protocol = _ICMP_NAMES.get(entry.protocol, entry.protocol)
    return ListRule(Rule(protocol, entry.first_port, entry.last_port, IPv4Network(entry.cidr)), entry.is_allowed)


# Routes


async def _read_peers(tx: Transaction, place: Place, vpc: Vpc) -> Peers:
    found: dict[str, tuple[str, list[IPv4Network]]] = {}
    for each, side in await peering.list_active(place, tx, vpc.name):
        other = await peering.find_vpc(place, tx, side)
        if other is not None:
            found[each.name] = (other.name, [IPv4Network(network) for network in other.ranges])
    return found


async def _list_sent(
    tx: Transaction, place: Place, tables: Iterable[str], peers: Peers
) -> dict[str, list[IPv4Network]]:
    """Return what is sent to each peer. Of several routes to one network the first counts."""
    sent: dict[str, list[IPv4Network]] = {name: [] for name, _ in peers.values()}
    taken: set[IPv4Network] = set()
    for name in sorted(tables):
        for route in (await ROUTE_TABLES.get(place, tx, name)).routes:
            peer, ranges = peers.get(route.target) or ("", [])
            for each in await _list_destinations(tx, place, route.destination) if peer else ():
                networks = [part for part in _intersect(each, ranges) if part not in taken]
                sent[peer] += networks
                taken.update(networks)
    return sent


async def _list_outward(
    tx: Transaction,
    place: Place,
    vpc: Vpc,
    peers: Peers,
    interfaces: Iterable[NetworkInterface],
    subnets: Mapping[str, Subnet],
) -> list[tuple[IPv4Address, IPv4Network]]:
    """Return the networks that each address reaches outside of a VPC."""
    reach: dict[tuple[str, bool], list[IPv4Network]] = {}
    found = []
    for interface in interfaces:
        table = subnets[interface.subnet].table or vpc.main_table
        for address in interface.addresses:
            is_public = bool(interface.public_address) and address == interface.address
            if (table, is_public) not in reach:
                reach[table, is_public] = await _find_reach(tx, place, vpc, peers, table, is_public=is_public)
            found += [(IPv4Address(address), each) for each in reach[table, is_public]]
    return found


async def _find_reach(
    tx: Transaction, place: Place, vpc: Vpc, peers: Peers, table_name: str, *, is_public: bool, by_nat: bool = True
) -> list[IPv4Network]:
    """Return what the routes of a table lead to.

    Of several the most specific one counts. By an internet gateway those leave that have a public address, by a NAT
    gateway all, where its own subnet leads to.
    """
    table = await ROUTE_TABLES.get(place, tx, table_name)
    routes: list[tuple[IPv4Network, list[IPv4Network]]] = []
    for route in table.routes:
        reached: list[IPv4Network] | None = []
        if not await is_alive(place, tx, table, route):
            reached = []
        elif route.target in peers:
            reached = peers[route.target][1]
        elif route.target.startswith("igw-"):
            reached = None if is_public else []
        elif route.member == "NatGatewayId" and by_nat:
            nat = await NAT_GATEWAYS.get(place, tx, route.target)
            if nat.is_public:
                subnet = await SUBNETS.get(place, tx, nat.subnet)
                own = subnet.table or vpc.main_table
                reached = await _find_reach(tx, place, vpc, {}, own, is_public=True, by_nat=False)
        for each in await _list_destinations(tx, place, route.destination):
            routes.append((each, [each] if reached is None else _intersect(each, reached)))
    found: list[IPv4Network] = []
    for destination, reached_networks in sorted(routes, key=lambda each: each[0].prefixlen):
        found = [part for each in found for part in _subtract(each, destination)] + reached_networks
    return list(collapse_addresses(found))


async def _list_destinations(tx: Transaction, place: Place, destination: str) -> list[IPv4Network]:
    if destination.startswith("pl-"):
        return await _read_prefix_list(tx, place, destination)
    return [IPv4Network(destination)]


def _intersect(network: IPv4Network, others: Iterable[IPv4Network]) -> list[IPv4Network]:
    return [min(network, each, key=lambda one: one.num_addresses) for each in others if network.overlaps(each)]


def _subtract(network: IPv4Network, gone: IPv4Network) -> Iterable[IPv4Network]:
    if not network.overlaps(gone):
        return [network]
    return network.address_exclude(gone) if gone.subnet_of(network) and gone != network else []


# The jobs

service.job(reconciling.NETWORKS.run)


@service.job
async def watch_keeper(block: Block) -> None:
    """Have all networks made again at the start, and where the keeper has ended."""
    keeper = KEEPERS.get(block)
    try:
        await block.store.transact(_request_all)
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if keeper.id and not keeper.client.is_connected:
                keeper.forget()
                await block.store.transact(_request_all)
    finally:
        keeper.client.close()
