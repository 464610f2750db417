"""The name server of a VPC: its private zones, public ones, and names that the machine's resolver knows."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import dns.flags
import dns.rcode
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.host.network_label import NetworkLabel, parse_network_label
from cloudlet.core.kernel.block import Block
from cloudlet.services.route53.name_serving import serve_vpc
from tests.in_process import in_block
from tests.services.route53.dns_client import DnsClient
from tests.services.route53.zone_cloud import record

ACCOUNT = "123456789012"
REGION = "eu-central-1"


async def call(block: Block, operation: str, **params: Any) -> dict[str, Any]:
    found = await block.call("route53", operation, params, account=ACCOUNT, region="us-east-1")
    return dict(found or {})


async def make_vpc(block: Block) -> str:
    """Make a VPC; return its id."""
    made = await block.call("ec2", "CreateVpc", {"CidrBlock": "10.0.0.0/16"}, account=ACCOUNT, region=REGION)
    vpc: str = (made or {})["Vpc"]["VpcId"]
    return vpc


async def create_zone(block: Block, name: str, address: str, vpc: str = "") -> None:
    """Create a zone with one record, `www`."""
    more = {"VPC": {"VPCRegion": REGION, "VPCId": vpc}} if vpc else {}
    made = await call(block, "CreateHostedZone", Name=name, CallerReference=f"{name}{vpc}", **more)
    changes = [{"Action": "CREATE", "ResourceRecordSet": record(f"www.{name}", "A", address)}]
    await call(
        block, "ChangeResourceRecordSets", HostedZoneId=made["HostedZone"]["Id"], ChangeBatch={"Changes": changes}
    )


@asynccontextmanager
async def serving(block: Block, vpc: str, *ranges: str) -> AsyncIterator[DnsClient]:
    """A name server of a VPC, on sockets as its network would have."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", port))
    for each in (listening, datagrams):
        each.setblocking(False)
    label = NetworkLabel(ACCOUNT, REGION, tuple(map(IPv4Network, ranges)))
    task = asyncio.create_task(serve_vpc(block, vpc, label, datagrams, listening))
    try:
        yield DnsClient("127.0.0.1", port)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        listening.close()
        datagrams.close()


def scenario(tmp_path: Path, body: Callable[[Block], Awaitable[None]]) -> None:
    in_block("route53", tmp_path, body)


async def ask(client: DnsClient, name: str, kind: str = "A", **options: Any) -> list[str]:
    return await asyncio.to_thread(partial(client.ask, name, kind, **options))


def test_private_zones_answer_their_vpcs(tmp_path: Path) -> None:
    async def body(block: Block) -> None:
        one, other = await make_vpc(block), await make_vpc(block)
        await create_zone(block, "shop.internal", "10.0.0.1", one)
        await create_zone(block, "shop.internal", "10.0.0.2", other)
        for vpc, address in ((one, "10.0.0.1"), (other, "10.0.0.2")):
            async with serving(block, vpc) as client:
                for tcp in (False, True):
                    assert await ask(client, "www.shop.internal", tcp=tcp) == [f"A {address}"]

    scenario(tmp_path, body)


def test_a_private_zone_hides_a_public_one(tmp_path: Path) -> None:
    async def body(block: Block) -> None:
        one, other = await make_vpc(block), await make_vpc(block)
        await create_zone(block, "shop.example", "192.0.2.1")
        await create_zone(block, "shop.example", "10.0.0.1", one)
        for vpc, address in ((one, "10.0.0.1"), (other, "192.0.2.1")):
            async with serving(block, vpc) as client:
                assert await ask(client, "www.shop.example") == [f"A {address}"]

    scenario(tmp_path, body)


def test_other_names_are_asked_of_the_machine(tmp_path: Path) -> None:
    async def body(block: Block) -> None:
        one = await make_vpc(block)
        await create_zone(block, "shop.internal", "10.0.0.1", one)
        async with serving(block, one) as client:
            response = await asyncio.to_thread(client.query, "localhost", "A")
            assert [str(rdata) for rrset in response.answer for rdata in rrset] == ["127.0.0.1"]
            assert response.flags & dns.flags.RA
            assert not response.flags & dns.flags.AA

    scenario(tmp_path, body)


def test_delegations_are_followed(tmp_path: Path) -> None:
    async def body(block: Block) -> None:
        made = await call(block, "CreateHostedZone", Name="localhost", CallerReference="delegating")
        changes = [{"Action": "CREATE", "ResourceRecordSet": record("sub.localhost", "NS", "ns.example.net")}]
        zone = made["HostedZone"]["Id"]
        await call(block, "ChangeResourceRecordSets", HostedZoneId=zone, ChangeBatch={"Changes": changes})
        async with serving(block, await make_vpc(block)) as client:
            assert await ask(client, "www.sub.localhost") == ["A 127.0.0.1"]

    scenario(tmp_path, body)


def test_clients_are_where_their_vpc_is(tmp_path: Path) -> None:
    async def body(block: Block) -> None:
        one = await make_vpc(block)
        made = await call(
            block,
            "CreateHostedZone",
            Name="near.internal",
            CallerReference="near",
            VPC={"VPCRegion": REGION, "VPCId": one},
        )
        changes = [
            {
                "Action": "CREATE",
                "ResourceRecordSet": record("www.near.internal", "A", address, SetIdentifier=region, Region=region),
            }
            for region, address in (("us-east-1", "10.0.0.1"), ("eu-west-1", "10.0.0.2"))
        ]
        zone = made["HostedZone"]["Id"]
        await call(block, "ChangeResourceRecordSets", HostedZoneId=zone, ChangeBatch={"Changes": changes})
        async with serving(block, one) as client:
            assert await ask(client, "www.near.internal") == ["A 10.0.0.2"]

    scenario(tmp_path, body)


def test_addresses_of_a_vpc_have_names(tmp_path: Path) -> None:
    name = f"ip-10-0-1-5.{REGION}.compute.internal"

    async def body(block: Block) -> None:
        vpc = await make_vpc(block)
        async with serving(block, vpc, "10.0.0.0/16") as client:
            assert await ask(client, name) == ["A 10.0.1.5"]
            assert await ask(client, name, "AAAA") == []
            assert await ask(client, "5.1.0.10.in-addr.arpa", "PTR") == [f"PTR {name}."]
            for other in (f"ip-10-1-1-5.{REGION}.compute.internal", "ip-10-0-1-5.ec2.internal"):
                assert await ask(client, other) == []
            nowhere = await asyncio.to_thread(client.query, "5.1.1.10.in-addr.arpa", "PTR")
            assert nowhere.rcode() == dns.rcode.NXDOMAIN
        async with serving(block, vpc) as client:
            assert await ask(client, name) == []

    scenario(tmp_path, body)


def test_private_zones_come_before_names_of_addresses(tmp_path: Path) -> None:
    async def body(block: Block) -> None:
        vpc = await make_vpc(block)
        await create_zone(block, f"{REGION}.compute.internal", "10.0.0.9", vpc)
        async with serving(block, vpc, "10.0.0.0/16") as client:
            assert await ask(client, f"ip-10-0-1-5.{REGION}.compute.internal") == []
            assert await ask(client, f"www.{REGION}.compute.internal") == ["A 10.0.0.9"]

    scenario(tmp_path, body)


@given(ranges=st.lists(st.ip_addresses(v=4).map(IPv4Network), max_size=3), account=st.sampled_from(["", ACCOUNT]))
def test_labels_are_read_as_they_were_written(ranges: list[IPv4Network], account: str) -> None:
    label = NetworkLabel(account, REGION, tuple(ranges))
    assert parse_network_label(label.format()) == label
