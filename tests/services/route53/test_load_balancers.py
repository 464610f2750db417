"""Load balancers have names, and aliases lead to them. The block that has them is a stand-in here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.cloud import Cloud, Config
from cloudlet.core.kernel.tokens import TokenSealer
from cloudlet.core.telemetry.observers import OBSERVERS
from cloudlet.services.route53.load_balancers import PLACES, is_load_balancer
from cloudlet.services.route53.name_serving import look_up
from tests.services.route53.test_vpc_answers import ACCOUNT, REGION, ask, call, make_vpc, serving
from tests.services.route53.zone_cloud import alias

NAME = f"shop-1234567890.{REGION}.elb.amazonaws.com"
NETWORK_NAME = f"net-0123456789abcdef.elb.{REGION}.amazonaws.com"
OF_ECS = f"we-0123abcd{24 * '0'}.ecs.{REGION}.on.aws"
"""The host of a service of Amazon ECS, behind the first load balancer."""
FOREIGN_ZONE = "Z215JYRZR1TBD5"


class BalancedCloud(Cloud):
    """A Cloudlet that has load balancers in one VPC, each page with one."""

    vpc = ""
    has_balancers = True

    def has(self, name: str) -> bool:
        return name == "elbv2" or super().has(name)

    async def call(self, service: str, operation: str, params: Any, **more: Any) -> Any:
        if service != "elbv2":
            return await super().call(service, operation, params, **more)
        assert operation == "DescribeLoadBalancers"
        if not self.has_balancers:
            raise AwsError("ServiceUnavailable", "It does not run.", status=503)
        if (more["account"], more["region"]) != (ACCOUNT, REGION):
            return {"LoadBalancers": []}
        names = {"": ("Shop-1234567890" + NAME[len("shop-1234567890") :], "5"), "second": (NETWORK_NAME, "6")}
        name, last = names[params.get("Marker", "")]
        address = {"IpAddress": f"127.64.0.{last}", "PrivateIPv4Address": f"10.0.1.{last}"}
        zones = [{"ZoneName": f"{REGION}a", "LoadBalancerAddresses": [address]}, {"ZoneName": f"{REGION}b"}]
        found = {"DNSName": name, "VpcId": self.vpc, "AvailabilityZones": zones}
        found["CanonicalHostedZoneId"] = FOREIGN_ZONE
        found["LoadBalancerName"] = "net" if params else "ecs-gateway-alb-0123abcd"
        return {"LoadBalancers": [found], **({} if params else {"NextMarker": "second"})}


def scenario(folder: Path, body: Callable[[Block, BalancedCloud], Awaitable[None]]) -> None:
    async def run() -> None:
        cloud = BalancedCloud(Config(folder, durable=False), TokenSealer(b"k" * 32), observers=OBSERVERS)
        try:
            block = cloud.block("route53")
            cloud.vpc = await make_vpc(block)
            await body(block, cloud)
        finally:
            await cloud.close()

    asyncio.run(run())


def test_names_lead_to_addresses_in_the_vpc_and_to_others_elsewhere(tmp_path: Path) -> None:
    async def body(block: Block, cloud: BalancedCloud) -> None:
        async with serving(block, cloud.vpc) as client:
            for name, last in ((NAME, "5"), (NETWORK_NAME, "6"), (f"dualstack.{NAME}", "5"), (OF_ECS, "5")):
                assert await ask(client, name) == [f"A 10.0.1.{last}"]
            assert await ask(client, NAME, "AAAA") == []
            assert await ask(client, NAME.replace("shop", "bank")) == []
            assert await ask(client, OF_ECS.replace("abcd", "abce")) == []
        async with serving(block, await make_vpc(block)) as client:
            assert await ask(client, NAME) == ["A 127.64.0.5"]

    scenario(tmp_path, body)


def test_aliases_lead_to_load_balancers(tmp_path: Path) -> None:
    async def body(block: Block, cloud: BalancedCloud) -> None:
        zone = (await call(block, "CreateHostedZone", Name="shop.example", CallerReference="a"))["HostedZone"]["Id"]
        records = [
            alias("www.shop.example", "A", FOREIGN_ZONE, NAME, evaluates=True),
            alias("www.shop.example", "AAAA", FOREIGN_ZONE, NAME),
            alias("gone.shop.example", "A", FOREIGN_ZONE, NAME.replace("shop", "bank"), evaluates=True),
        ]
        changes = [{"Action": "CREATE", "ResourceRecordSet": each} for each in records]
        await call(block, "ChangeResourceRecordSets", HostedZoneId=zone, ChangeBatch={"Changes": changes})
        asked = {"HostedZoneId": zone, "RecordType": "A"}
        for name, expected in (("www", ["127.64.0.5"]), ("gone", [])):
            found = await call(block, "TestDNSAnswer", RecordName=f"{name}.shop.example", **asked)
            assert (found["RecordData"], found["ResponseCode"]) == (expected, "NOERROR")
        async with serving(block, cloud.vpc) as client:
            assert await ask(client, "www.shop.example") == ["A 10.0.1.5"]
            assert await ask(client, "www.shop.example", "AAAA") == []

    scenario(tmp_path, body)


def test_health_checks_find_load_balancers_where_networks_are(tmp_path: Path) -> None:
    async def body(block: Block, cloud: BalancedCloud) -> None:
        PLACES.get(block).update({(ACCOUNT, REGION), ("111111111111", REGION), (ACCOUNT, "us-east-1")})
        assert await look_up(block, NAME) == ["127.64.0.5"]
        async with serving(block, "") as client:
            for name in (NAME, OF_ECS):
                assert await ask(client, name) == ["A 127.64.0.5"]

    scenario(tmp_path, body)


def test_names_are_not_there_while_load_balancers_are_not(tmp_path: Path) -> None:
    async def body(block: Block, cloud: BalancedCloud) -> None:
        cloud.has_balancers = False
        async with serving(block, cloud.vpc) as client:
            assert await ask(client, NAME) == []

    scenario(tmp_path, body)


def test_which_names_are_load_balancers() -> None:
    for name in (NAME, f"{NAME}.", NETWORK_NAME, f"internal-{NAME}"):
        assert is_load_balancer(name)
    for name in ("shop.example.", f"a.b.{NAME}", "elb.amazonaws.com.", "shop.us-east-1.elb.example.com"):
        assert not is_load_balancer(name)
