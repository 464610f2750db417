"""VPCs are real: what their interfaces, groups, lists and routes say is what packets meet."""

from __future__ import annotations

import os
import signal
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

import pytest

from cloudlet.cli import EXIT_OK, snapshot
from tests.services.ec2.cloud import (
    attach_internet_gateway,
    find_main_table,
    make_group,
    make_interface,
    make_subnet,
    make_vpc,
)
from tests.services.ec2.machine import Machine, machine
from tests.standing import eventually

_NOBODY = 65534


@pytest.fixture(scope="module")
def shared() -> Iterator[Machine]:
    with machine() as made:
        yield made


@pytest.fixture
def host(shared: Machine) -> Machine:
    """The machine of all tests, with an account of its own."""
    return Machine(shared.folder, shared.server)


class Vpc:
    """A VPC with subnets, and a group of which members reach each other at port 80."""

    def __init__(self, host: Machine, cidr: str = "10.0.0.0/16") -> None:
        self.host = host
        self.ec2 = host.ec2
        self.id = make_vpc(self.ec2, cidr)
        self.group = make_group(self.ec2, self.id, "web")
        self.allow(self.group, self.group)

    def allow(self, group: str, peer: str, port: int = 80) -> None:
        pairs = [{"GroupId": peer}]
        permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": pairs}
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])

    def subnet(self, cidr: str = "10.0.1.0/24") -> str:
        return make_subnet(self.ec2, self.id, cidr)

    def interface(self, subnet: str, *groups: str, **options: Any) -> dict[str, Any]:
        made = make_interface(self.ec2, subnet, Groups=list(groups or [self.group]), **options)
        assert made["Status"] == "pending"
        return self.host.await_interface(made["NetworkInterfaceId"])


def test_a_network_is_there_as_long_as_it_has_interfaces(host: Machine) -> None:
    vpc = Vpc(host)
    subnet = vpc.subnet()
    assert vpc.id not in host.networks()
    interface = vpc.interface(subnet, PrivateIpAddress="10.0.1.10")
    name = interface["NetworkInterfaceId"]
    assert host.networks()[vpc.id] == {name: "10.0.1.10"}
    assert host.has_mac(interface)
    host.ec2.delete_network_interface(NetworkInterfaceId=name)
    eventually(lambda: vpc.id not in host.networks())
    vpc.interface(subnet, PrivateIpAddress="10.0.1.10")
    assert list(host.networks()[vpc.id].values()) == ["10.0.1.10"]


def test_security_groups_decide_who_connects(host: Machine) -> None:
    vpc = Vpc(host)
    one, other = vpc.subnet("10.0.1.0/24"), vpc.subnet("10.0.2.0/24")
    stranger = make_group(host.ec2, vpc.id, "stranger")
    server, client = vpc.interface(one), vpc.interface(other)
    outsider = vpc.interface(other, stranger)
    host.serve(server)
    host.serve(server, 81)
    address = server["PrivateIpAddress"]
    eventually(lambda: host.can_reach(client, address))
    assert not host.can_reach(client, address, 81)
    assert not host.can_reach(outsider, address)

    vpc.allow(vpc.group, stranger)
    eventually(lambda: host.can_reach(outsider, address))
    rules = host.ec2.describe_security_groups(GroupIds=[vpc.group])["SecurityGroups"][0]["IpPermissions"]
    host.ec2.revoke_security_group_ingress(GroupId=vpc.group, IpPermissions=rules)
    eventually(lambda: not host.can_reach(client, address))

    host.ec2.authorize_security_group_ingress(
        GroupId=vpc.group, IpProtocol="tcp", FromPort=80, ToPort=81, CidrIp=f"{client['PrivateIpAddress']}/32"
    )
    eventually(lambda: host.can_reach(client, address, 81))
    assert not host.can_reach(outsider, address)
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    host.ec2.revoke_security_group_egress(GroupId=vpc.group, IpPermissions=everything)
    eventually(lambda: not host.can_reach(client, address))


def test_names_are_answered_in_a_network(host: Machine) -> None:
    vpc, other = Vpc(host), Vpc(host, "10.1.0.0/16")
    client, stranger = vpc.interface(vpc.subnet()), other.interface(other.subnet("10.1.1.0/24"))
    route53 = host.client("route53")
    zone = route53.create_hosted_zone(
        Name="shop.internal", CallerReference="one", VPC={"VPCRegion": "us-east-1", "VPCId": vpc.id}
    )["HostedZone"]["Id"]
    record = {"Name": "www.shop.internal", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "10.0.1.9"}]}
    changes = [{"Action": "CREATE", "ResourceRecordSet": record}]
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    for resolver in ("10.0.0.2", "169.254.169.253"):
        eventually(lambda resolver=resolver: host.can_resolve(client, "www.shop.internal", resolver))
    name = client["PrivateIpAddress"].replace(".", "-")
    assert not host.can_resolve(client, f"ip-{name}.ec2.internal", "10.0.0.2")
    host.ec2.modify_vpc_attribute(VpcId=vpc.id, EnableDnsHostnames={"Value": True})
    eventually(lambda: host.can_resolve(client, f"ip-{name}.ec2.internal", "10.0.0.2"))
    # The zone is that of one VPC alone.
    assert not host.can_resolve(stranger, "www.shop.internal", "10.1.0.2")
    assert host.can_resolve(stranger, "localhost", "10.1.0.2"), "other names are asked of the machine"
    host.ec2.modify_vpc_attribute(VpcId=vpc.id, EnableDnsSupport={"Value": False})
    eventually(lambda: not host.can_resolve(client, "www.shop.internal", "10.0.0.2"))


def test_an_interface_changes_its_groups(host: Machine) -> None:
    vpc = Vpc(host)
    subnet = vpc.subnet()
    stranger = make_group(host.ec2, vpc.id, "stranger")
    server, client = vpc.interface(subnet), vpc.interface(subnet, stranger)
    host.serve(server)
    assert not host.can_reach(client, server["PrivateIpAddress"])
    host.ec2.modify_network_interface_attribute(NetworkInterfaceId=client["NetworkInterfaceId"], Groups=[vpc.group])
    eventually(lambda: host.can_reach(client, server["PrivateIpAddress"]))


def test_secondary_addresses_are_reached(host: Machine) -> None:
    vpc = Vpc(host)
    subnet = vpc.subnet()
    stranger = make_group(host.ec2, vpc.id, "stranger")
    server, client, outsider = vpc.interface(subnet), vpc.interface(subnet), vpc.interface(subnet, stranger)
    host.serve(server)
    assert not host.can_reach(client, "10.0.1.200")
    second = {"NetworkInterfaceId": server["NetworkInterfaceId"], "PrivateIpAddresses": ["10.0.1.200"]}
    host.ec2.assign_private_ip_addresses(**second)
    eventually(lambda: host.can_reach(client, "10.0.1.200"))
    assert not host.can_reach(outsider, "10.0.1.200")
    host.ec2.unassign_private_ip_addresses(**second)
    eventually(lambda: not host.can_reach(client, "10.0.1.200"))
    assert host.can_reach(client, server["PrivateIpAddress"])


def test_prefix_lists_are_peers_of_rules(host: Machine) -> None:
    vpc = Vpc(host)
    subnet = vpc.subnet()
    group = make_group(host.ec2, vpc.id, "listed")
    server, client = vpc.interface(subnet, group), vpc.interface(subnet)
    host.serve(server)
    made = host.ec2.create_managed_prefix_list(PrefixListName="clients", MaxEntries=5, AddressFamily="IPv4")
    name = made["PrefixList"]["PrefixListId"]
    permission = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "PrefixListIds": [{"PrefixListId": name}]}
    host.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    assert not host.can_reach(client, server["PrivateIpAddress"])
    entries = [{"Cidr": f"{client['PrivateIpAddress']}/32"}]
    host.ec2.modify_managed_prefix_list(PrefixListId=name, CurrentVersion=1, AddEntries=entries)
    eventually(lambda: host.can_reach(client, server["PrivateIpAddress"]))


def test_vpcs_do_not_meet(host: Machine) -> None:
    one, other = Vpc(host), Vpc(host)
    server = one.interface(one.subnet(), PrivateIpAddress="10.0.1.5")
    client = other.interface(other.subnet(), PrivateIpAddress="10.0.1.6")
    neighbour = one.interface(server["SubnetId"])
    host.serve(server)
    eventually(lambda: host.can_reach(neighbour, "10.0.1.5"))
    assert not host.can_reach(client, "10.0.1.5")


def test_peers_reach_what_their_routes_lead_to(host: Machine) -> None:
    one, other = Vpc(host), Vpc(host, "10.1.0.0/16")
    server = other.interface(other.subnet("10.1.1.0/24"))
    client = one.interface(one.subnet())
    hidden = one.interface(one.subnet("10.0.2.0/24"))
    host.serve(server)
    address = server["PrivateIpAddress"]
    made = host.ec2.create_vpc_peering_connection(VpcId=one.id, PeerVpcId=other.id)["VpcPeeringConnection"]
    name = {"VpcPeeringConnectionId": made["VpcPeeringConnectionId"]}
    host.ec2.accept_vpc_peering_connection(**name)
    other.allow(other.group, one.group)
    table = host.ec2.create_route_table(VpcId=one.id)["RouteTable"]["RouteTableId"]
    host.ec2.associate_route_table(RouteTableId=table, SubnetId=client["SubnetId"])
    host.ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.1.0.0/16", **name)
    assert not host.can_reach(client, address), "replies have no way back"
    back = {"RouteTableId": find_main_table(host.ec2, other.id), "DestinationCidrBlock": "10.0.0.0/16"}
    host.ec2.create_route(**back, **name)
    eventually(lambda: host.can_reach(client, address))
    assert not host.can_reach(hidden, address), "its subnet has no route"
    newcomer = one.interface(client["SubnetId"])
    eventually(lambda: host.can_reach(newcomer, address))
    stranger = make_group(host.ec2, one.id, "stranger")
    host.ec2.modify_network_interface_attribute(NetworkInterfaceId=newcomer["NetworkInterfaceId"], Groups=[stranger])
    eventually(lambda: not host.can_reach(newcomer, address))
    # A peer whose network was gone is linked again.
    host.ec2.delete_network_interface(NetworkInterfaceId=server["NetworkInterfaceId"])
    eventually(lambda: other.id not in host.networks())
    assert not host.can_reach(client, address)
    again = other.interface(server["SubnetId"], PrivateIpAddress=address)
    host.serve(again)
    eventually(lambda: host.can_reach(client, address))
    host.ec2.delete_vpc_peering_connection(**name)
    eventually(lambda: not host.can_reach(client, address))


def test_groups_count_in_further_address_ranges_of_a_vpc(host: Machine) -> None:
    vpc = Vpc(host)
    host.ec2.associate_vpc_cidr_block(VpcId=vpc.id, CidrBlock="100.64.0.0/16")
    stranger = make_group(host.ec2, vpc.id, "stranger")
    server = vpc.interface(vpc.subnet("100.64.1.0/24"))
    client = vpc.interface(vpc.subnet("10.0.1.0/24"))
    outsider = vpc.interface(client["SubnetId"], stranger)
    host.serve(server)
    eventually(lambda: host.can_reach(client, server["PrivateIpAddress"]))
    assert not host.can_reach(outsider, server["PrivateIpAddress"])


def test_network_acls_filter_what_crosses_subnets(host: Machine) -> None:
    vpc = Vpc(host)
    one, other = vpc.subnet("10.0.1.0/24"), vpc.subnet("10.0.2.0/24")
    server, neighbour, client = vpc.interface(one), vpc.interface(one), vpc.interface(other)
    host.serve(server)
    address = server["PrivateIpAddress"]
    eventually(lambda: host.can_reach(client, address))
    acl = host.ec2.create_network_acl(VpcId=vpc.id)["NetworkAcl"]["NetworkAclId"]
    filters = [{"Name": "association.subnet-id", "Values": [one]}]
    (present,) = host.ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
    (association,) = [each for each in present["Associations"] if each["SubnetId"] == one]
    host.ec2.replace_network_acl_association(AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl)
    eventually(lambda: not host.can_reach(client, address))
    assert host.can_reach(neighbour, address)

    def allow(number: int, first: int, last: int, *, is_egress: bool) -> None:
        host.ec2.create_network_acl_entry(
            NetworkAclId=acl,
            RuleNumber=number,
            Protocol="6",
            RuleAction="allow",
            Egress=is_egress,
            CidrBlock="10.0.2.0/24",
            PortRange={"From": first, "To": last},
        )

    allow(100, 80, 80, is_egress=False)
    # Lists have no memory: replies need a rule, too.
    assert not host.can_reach(client, address)
    allow(100, 1024, 65535, is_egress=True)
    eventually(lambda: host.can_reach(client, address))


def _reaches_outside(host: Machine, interface: dict[str, Any]) -> bool:
    """Whether a connection to an address outside is taken by the way out, which then finds nobody there."""
    return host.can_reach(interface, "203.0.113.7", 80)


def test_routes_decide_who_leaves(host: Machine) -> None:
    vpc = Vpc(host)
    public, private = vpc.subnet("10.0.1.0/24"), vpc.subnet("10.0.2.0/24")
    visible, hidden, inner = vpc.interface(public), vpc.interface(public), vpc.interface(private)
    assert not _reaches_outside(host, visible)
    gateway = attach_internet_gateway(host.ec2, vpc.id)
    table = host.ec2.create_route_table(VpcId=vpc.id)["RouteTable"]["RouteTableId"]
    host.ec2.associate_route_table(RouteTableId=table, SubnetId=public)
    host.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    host.ec2.modify_network_interface_attribute(
        NetworkInterfaceId=visible["NetworkInterfaceId"], AssociatePublicIpAddress=True
    )
    eventually(lambda: _reaches_outside(host, visible))
    # Without a public address the gateway passes nothing on.
    assert not _reaches_outside(host, hidden)
    assert not _reaches_outside(host, inner)

    allocation = host.ec2.allocate_address()["AllocationId"]
    nat = host.ec2.create_nat_gateway(SubnetId=public, AllocationId=allocation)["NatGateway"]["NatGatewayId"]
    main = find_main_table(host.ec2, vpc.id)
    host.ec2.create_route(RouteTableId=main, DestinationCidrBlock="203.0.113.0/24", NatGatewayId=nat)
    eventually(lambda: _reaches_outside(host, inner))
    assert not host.can_reach(inner, "198.51.100.7", 80)
    host.ec2.delete_nat_gateway(NatGatewayId=nat)
    eventually(lambda: not _reaches_outside(host, inner))
    assert _reaches_outside(host, visible)


def test_all_is_made_again_where_the_keeper_has_ended(host: Machine) -> None:
    vpc = Vpc(host)
    subnet = vpc.subnet()
    server, client = vpc.interface(subnet), vpc.interface(subnet)
    names = {server["NetworkInterfaceId"], client["NetworkInterfaceId"]}
    os.kill(host.call("describe")["pid"], signal.SIGKILL)
    eventually(lambda: set(host.networks().get(vpc.id, {})) == names)
    for name in names:
        assert host.await_interface(name)["Status"] == "available"
    host.serve(server)
    eventually(lambda: host.can_reach(client, server["PrivateIpAddress"]))
    eventually(lambda: host.can_resolve(client, "localhost", "10.0.0.2"))


def _snapshot(host: Machine, *words: str) -> None:
    parser = ArgumentParser()
    snapshot.add_arguments(parser)
    assert snapshot.run(parser.parse_args([*words, "--port", host.server.port])) == EXIT_OK


def test_what_runs_goes_with_its_state(host: Machine) -> None:
    vpc = Vpc(host)
    subnet = vpc.subnet()
    kept = vpc.interface(subnet)
    _snapshot(host, "save", "before")
    other = Vpc(host, "10.1.0.0/16")
    host.serve(other.interface(other.subnet("10.1.1.0/24")))
    host.serve(vpc.interface(subnet))
    _snapshot(host, "restore", "before")
    eventually(lambda: list(host.networks().get(vpc.id, {})) == [kept["NetworkInterfaceId"]])
    assert other.id not in host.networks()
    assert host.call("describe")["containers"] == {}
    client = vpc.interface(subnet)
    host.serve(kept)
    eventually(lambda: host.can_reach(client, kept["PrivateIpAddress"]))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts programs as somebody else")
def test_an_ordinary_user_has_networks_too() -> None:
    with machine(_NOBODY) as host:
        vpc = Vpc(host)
        interface = vpc.interface(vpc.subnet())
        assert host.networks()[vpc.id] == {interface["NetworkInterfaceId"]: interface["PrivateIpAddress"]}
