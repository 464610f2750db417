"""The name server of a VPC: its private zones, public ones, and names that the machine's resolver knows."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import dns.flags

from cloudlet.core.kernel.block import Block
from cloudlet.services.route53.name_serving import serve_vpc
from tests.in_process import in_block
from tests.services.route53.dns_client import DnsClient
from tests.services.route53.zone_cloud import record

ACCOUNT = "123456789012"
ONE, OTHER = "vpc-1", "vpc-2"


async def call(block: Block, operation: str, **params: Any) -> dict[str, Any]:
    found = await block.call("route53", operation, params, account=ACCOUNT, region="us-east-1")
    return dict(found or {})


async def create_zone(block: Block, name: str, address: str, vpc: str = "") -> None:
    """Create a zone with one record, `www`."""
    more = {"VPC": {"VPCRegion": "eu-central-1", "VPCId": vpc}} if vpc else {}
    made = await call(block, "CreateHostedZone", Name=name, CallerReference=f"{name}{vpc}", **more)
    changes = [{"Action": "CREATE", "ResourceRecordSet": record(f"www.{name}", "A", address)}]
    await call(
        block, "ChangeResourceRecordSets", HostedZoneId=made["HostedZone"]["Id"], ChangeBatch={"Changes": changes}
    )


@asynccontextmanager
async def serving(block: Block, vpc: str) -> AsyncIterator[DnsClient]:
    """A name server of a VPC, on sockets as its network would have."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", port))
    for each in (listening, datagrams):
        each.setblocking(False)
    task = asyncio.create_task(serve_vpc(block, vpc, "eu-central-1", datagrams, listening))
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
        await create_zone(block, "shop.internal", "10.0.0.1", ONE)
        await create_zone(block, "shop.internal", "10.0.0.2", OTHER)
        for vpc, address in ((ONE, "10.0.0.1"), (OTHER, "10.0.0.2")):
            async with serving(block, vpc) as client:
                for tcp in (False, True):
                    assert await ask(client, "www.shop.internal", tcp=tcp) == [f"A {address}"]

    scenario(tmp_path, body)


def test_a_private_zone_hides_a_public_one(tmp_path: Path) -> None:
    async def body(block: Block) -> None:
        await create_zone(block, "shop.example", "192.0.2.1")
        await create_zone(block, "shop.example", "10.0.0.1", ONE)
        for vpc, address in ((ONE, "10.0.0.1"), (OTHER, "192.0.2.1")):
            async with serving(block, vpc) as client:
                assert await ask(client, "www.shop.example") == [f"A {address}"]

    scenario(tmp_path, body)


def test_other_names_are_asked_of_the_machine(tmp_path: Path) -> None:
    async def body(block: Block) -> None:
        await create_zone(block, "shop.internal", "10.0.0.1", ONE)
        async with serving(block, ONE) as client:
            response = await asyncio.to_thread(client.query, "localhost", "A")
            assert [str(rdata) for rrset in response.answer for rdata in rrset] == ["127.0.0.1"]
            assert response.flags & dns.flags.RA
            assert not response.flags & dns.flags.AA

    scenario(tmp_path, body)


def test_clients_are_where_their_vpc_is(tmp_path: Path) -> None:
    async def body(block: Block) -> None:
        made = await call(
            block,
            "CreateHostedZone",
            Name="near.internal",
            CallerReference="near",
            VPC={"VPCRegion": "eu-central-1", "VPCId": ONE},
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
        async with serving(block, ONE) as client:
            assert await ask(client, "www.near.internal") == ["A 10.0.0.2"]

    scenario(tmp_path, body)
