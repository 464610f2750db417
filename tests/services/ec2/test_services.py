"""Interfaces of services, as Amazon ECS has them: asked for by its own call, and nobody else's to change."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import root
from cloudlet.services.ec2.interface import find_owner, find_type
from tests.in_process import in_block

_PLACE = {"account": "123456789012", "region": "us-east-1"}


async def _call(block: Block, operation: str, **params: Any) -> Any:
    return await block.call("ec2", operation, params, **_PLACE)


async def _call_as_root(block: Block, operation: str, **params: Any) -> Any:
    principal = root(_PLACE["account"])
    return await block.cloud.call("ec2", operation, params, principal=principal, **_PLACE)


async def _await_interface(block: Block, name: str) -> Any:
    async with asyncio.timeout(30):
        while True:
            (found,) = (await _call(block, "DescribeNetworkInterfaces", NetworkInterfaceIds=[name]))[
                "NetworkInterfaces"
            ]
            if found["Status"] != "pending":
                return found
            await asyncio.sleep(0.01)


def test_a_service_manages_its_interfaces(tmp_path: Path) -> None:
    async def scenario(block: Block) -> None:
        subnet = (await _call(block, "DescribeSubnets"))["Subnets"][0]["SubnetId"]
        asked = {
            "SubnetId": subnet,
            "ClientToken": "task",
            "Description": "arn:aws:ecs:us-east-1:123456789012:attachment/1",
        }
        made = (await _call(block, "CreateNetworkInterface", **asked))["NetworkInterface"]
        name = made["NetworkInterfaceId"]
        assert (await _call(block, "CreateNetworkInterface", **asked))["NetworkInterface"]["NetworkInterfaceId"] == name
        await _call(block, "ModifyNetworkInterfaceAttribute", NetworkInterfaceId=name, AssociatePublicIpAddress=True)
        found = await _await_interface(block, name)
        assert (found["Status"], found["RequesterManaged"], found["RequesterId"]) == ("in-use", True, "amazon-sqs")
        assert found["Attachment"]["Status"] == "attached"
        assert found["Association"]["PublicIp"].startswith("198.1")
        for operation, more, code in (
            ("DeleteNetworkInterface", {}, "InvalidParameterValue"),
            ("ModifyNetworkInterfaceAttribute", {"Description": {"Value": "mine"}}, "AuthFailure"),
        ):
            with pytest.raises(AwsError) as caught:
                await _call_as_root(block, operation, NetworkInterfaceId=name, **more)
            assert caught.value.code == code
        await _call(block, "DeleteNetworkInterface", NetworkInterfaceId=name)

    in_block("sqs", tmp_path, scenario)


@pytest.mark.parametrize(
    ("service", "description", "kind", "owner"),
    [
        ("lambda", "AWS Lambda VPC ENI-shop", "lambda", "amazon-aws"),
        ("ecs", "arn:aws:ecs:us-east-1:123456789012:attachment/1", "interface", "amazon-ecs"),
        ("elbv2", "ELB app/shop/0123456789abcdef", "interface", "amazon-elb"),
        ("elbv2", "ELB net/shop/0123456789abcdef", "network_load_balancer", "amazon-elb"),
    ],
)
def test_interfaces_of_services_have_types(service: str, description: str, kind: str, owner: str) -> None:
    requester = f"{service}.amazonaws.com"
    assert find_type(requester, description) == kind
    assert find_owner(requester) == owner
    assert (find_type("", description), find_owner("")) == ("interface", "")
