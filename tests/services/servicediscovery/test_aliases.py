"""Instances that are load balancers. The block that has them is a stand-in here."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from cloudlet.core.kernel.block import Block
from tests.services.route53.test_load_balancers import FOREIGN_ZONE, NAME, BalancedCloud, scenario
from tests.services.route53.test_vpc_answers import ACCOUNT, REGION, call


async def _call_map(block: Block, operation: str, **params: Any) -> dict[str, Any]:
    found = await block.call("servicediscovery", operation, params, account=ACCOUNT, region=REGION)
    return dict(found or {})


async def _finish(block: Block, operation: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            found = (await _call_map(block, "GetOperation", OperationId=operation))["Operation"]
            if found["Status"] in ("SUCCESS", "FAIL"):
                return dict(found)
            await asyncio.sleep(0.01)


def test_a_load_balancer_is_an_instance(tmp_path: Path) -> None:
    async def body(block: Block, cloud: BalancedCloud) -> None:
        made = await _call_map(block, "CreatePublicDnsNamespace", Name="shop.example", CreatorRequestId="a")
        namespace = (await _finish(block, made["OperationId"]))["Targets"]["NAMESPACE"]
        dns = {"RoutingPolicy": "WEIGHTED", "DnsRecords": [{"Type": "A", "TTL": 60}]}
        made = await _call_map(
            block, "CreateService", Name="web", NamespaceId=namespace, DnsConfig=dns, CreatorRequestId="a"
        )
        service = made["Service"]["Id"]
        instance = {"ServiceId": service, "InstanceId": "one", "CreatorRequestId": "a"}
        made = await _call_map(
            block, "RegisterInstance", **instance, Attributes={"AWS_ALIAS_DNS_NAME": f"dualstack.{NAME}"}
        )
        ended = await _finish(block, made["OperationId"])
        assert ended["Status"] == "SUCCESS", ended
        shown = (await _call_map(block, "GetNamespace", Id=namespace))["Namespace"]
        zone = shown["Properties"]["DnsProperties"]["HostedZoneId"]
        asked = {"HostedZoneId": zone, "RecordName": "web.shop.example", "RecordType": "A"}
        assert (await call(block, "TestDNSAnswer", **asked))["RecordData"] == ["127.64.0.5"]
        records = (await call(block, "ListResourceRecordSets", HostedZoneId=zone))["ResourceRecordSets"]
        (alias,) = [each["AliasTarget"] for each in records if "AliasTarget" in each]
        assert alias["HostedZoneId"] == FOREIGN_ZONE

    scenario(tmp_path, body)
