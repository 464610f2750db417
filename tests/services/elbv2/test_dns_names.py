"""Names of load balancers, as programs in their VPCs and aliases of Route 53 resolve them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.ec2.cloud import make_interface
from tests.services.ec2.machine import Machine, machine
from tests.services.elbv2.lb_cloud import LbCloud
from tests.services.route53.zone_cloud import alias
from tests.standing import eventually


@pytest.fixture(scope="module")
def host() -> Iterator[Machine]:
    with machine() as made:
        yield made


def _find_addresses(cloud: LbCloud, arn: str, member: str) -> list[str]:
    """Return the addresses of a load balancer, without those that are not known yet."""
    zones = cloud.get(arn)["AvailabilityZones"]
    return [each[member] for zone in zones for each in zone["LoadBalancerAddresses"] if each.get(member)]


def test_a_name_leads_to_a_load_balancer_with_elastic_addresses(host: Machine) -> None:
    own = Machine(host.folder, host.server)
    cloud = LbCloud(Aws(host.server.endpoint, own.account))
    allocation = cloud.ec2.allocate_address()
    mappings = [{"SubnetId": cloud.subnets[0], "AllocationId": allocation["AllocationId"]}]
    arn = cloud.create_arn(Type="network", SubnetMappings=mappings)
    assert eventually(lambda: _find_addresses(cloud, arn, "IpAddress")) == [allocation["PublicIp"]]
    balancer = cloud.get(arn)
    (interface,) = cloud.wait_for_interfaces(arn, 1)
    client = own.await_interface(make_interface(cloud.ec2, cloud.subnets[0])["NetworkInterfaceId"])
    look = f"busybox nslookup -type=a {balancer['DNSName']} 10.0.0.2"
    found = f"{look} | busybox grep -q {interface['PrivateIpAddress']}"
    eventually(lambda: own.succeeds(client, "sh", "-c", found))
    # Elsewhere it leads to the load balancer on this machine, which has no elastic address.
    (outer,) = _answer_alias(own, balancer, "elastic")
    assert IPv4Address(outer) in IPv4Network("127.64.0.0/10")


def _answer_alias(own: Machine, balancer: dict[str, Any], label: str) -> list[str]:
    """Return where the name www of a new zone leads to, which is an alias of a load balancer."""
    route53: Any = own.client("route53")
    zone = route53.create_hosted_zone(Name=f"{label}.example", CallerReference="a")["HostedZone"]["Id"]
    name = f"www.{label}.example"
    record = alias(name, "A", balancer["CanonicalHostedZoneId"], balancer["DNSName"], evaluates=True)
    changes = [{"Action": "CREATE", "ResourceRecordSet": record}]
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    answered: list[str] = route53.test_dns_answer(HostedZoneId=zone, RecordName=name, RecordType="A")["RecordData"]
    return answered


@pytest.mark.parametrize("kind", ["application", "network"])
def test_a_name_leads_to_the_load_balancer(host: Machine, kind: str) -> None:
    own = Machine(host.folder, host.server)
    cloud = LbCloud(Aws(host.server.endpoint, own.account))
    arn = cloud.create_arn(Type=kind)
    inner = eventually(lambda: _find_addresses(cloud, arn, "PrivateIPv4Address"), lambda found: len(found) == 2)
    (outer,) = set(eventually(lambda: _find_addresses(cloud, arn, "IpAddress"), lambda found: len(found) == 2))
    assert outer.startswith("127.")
    balancer = cloud.get(arn)
    client = own.await_interface(make_interface(cloud.ec2, cloud.subnets[0])["NetworkInterfaceId"])

    def leads_there(name: str) -> bool:
        look = f"busybox nslookup -type=a {name} 10.0.0.2"
        return all(own.succeeds(client, "sh", "-c", f"{look} | busybox grep -q {each}") for each in inner)

    eventually(lambda: leads_there(balancer["DNSName"]))
    assert _answer_alias(own, balancer, kind) == [outer]
    assert leads_there(f"www.{kind}.example")
