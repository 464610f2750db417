"""The side of the control plane that the proxy sees: views, and what it tells of targets and listeners."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import root
from cloudlet.services.elbv2 import views
from cloudlet.services.elbv2.proxy.view import TargetHealth
from tests.certificates import make_pair
from tests.in_process import in_block

_ACCOUNT = "123456789012"
_REGION = "us-east-1"
_OK = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}
_TURNS = 1000


class World:
    """An account with a VPC, and a load balancer there with a target group."""

    def __init__(self, block: Block) -> None:
        self.block = block

    async def call(self, service: str, operation: str, **params: Any) -> Any:
        caller = root(_ACCOUNT)
        return await self.block.cloud.call(
            service, operation, params, principal=caller, account=_ACCOUNT, region=_REGION
        )

    async def open(self) -> None:
        self.vpc = (await self.call("ec2", "CreateVpc", CidrBlock="10.0.0.0/16"))["Vpc"]["VpcId"]
        self.subnets = [
            (
                await self.call(
                    "ec2",
                    "CreateSubnet",
                    VpcId=self.vpc,
                    CidrBlock=f"10.0.{number}.0/24",
                    AvailabilityZone=f"{_REGION}{'ab'[number]}",
                )
            )["Subnet"]["SubnetId"]
            for number in range(2)
        ]
        made = await self.call("elbv2", "CreateLoadBalancer", Name="web", Subnets=self.subnets, Scheme="internal")
        self.balancer = made["LoadBalancers"][0]["LoadBalancerArn"]
        made = await self.call(
            "elbv2", "CreateTargetGroup", Name="web", Protocol="HTTP", Port=80, VpcId=self.vpc, TargetType="ip"
        )
        self.group = made["TargetGroups"][0]["TargetGroupArn"]
        await self.call("elbv2", "RegisterTargets", TargetGroupArn=self.group, Targets=[{"Id": "10.0.0.10"}])
        action = {"Type": "forward", "TargetGroupArn": self.group}
        made = await self.call(
            "elbv2",
            "CreateListener",
            LoadBalancerArn=self.balancer,
            Protocol="HTTP",
            Port=80,
            DefaultActions=[action],
        )
        self.listener = made["Listeners"][0]["ListenerArn"]

    @property
    def key(self) -> views.VpcKey:
        return (_ACCOUNT, _REGION, self.vpc)

    async def get_state(self) -> dict[str, str]:
        found = await self.call("elbv2", "DescribeLoadBalancers", LoadBalancerArns=[self.balancer])
        state: dict[str, str] = found["LoadBalancers"][0]["State"]
        return state

    async def get_health(self) -> dict[str, str]:
        found = await self.call("elbv2", "DescribeTargetHealth", TargetGroupArn=self.group)
        health: dict[str, str] = found["TargetHealthDescriptions"][0]["TargetHealth"]
        return health


def run(folder: Path, scenario: Callable[[World], Awaitable[None]]) -> None:
    async def play(block: Block) -> None:
        world = World(block)
        await world.open()
        await scenario(world)

    in_block("elbv2", folder, play)


def test_a_load_balancer_is_active_once_the_proxy_serves_it(tmp_path: Path) -> None:
    async def play(world: World) -> None:
        assert await world.get_state() == {"Code": "provisioning"}
        # A listener alone does not make it active.
        await views.record_refusal(world.block, world.listener, "")
        assert await world.get_state() == {"Code": "provisioning"}
        await views.record_refusal(world.block, world.balancer, "")
        assert await world.get_state() == {"Code": "active"}
        await views.record_refusal(world.block, world.listener, "Address already in use")
        assert await world.get_state() == {"Code": "active_impaired", "Reason": "Address already in use"}
        await views.record_refusal(world.block, world.listener, "")
        assert await world.get_state() == {"Code": "active"}

    run(tmp_path, play)


def test_a_load_balancer_that_is_refused_at_first_has_failed(tmp_path: Path) -> None:
    async def play(world: World) -> None:
        await views.record_refusal(world.block, world.balancer, "bad regex")
        assert await world.get_state() == {"Code": "failed", "Reason": "bad regex"}
        await views.record_refusal(world.block, world.balancer, "")
        assert await world.get_state() == {"Code": "active"}

    run(tmp_path, play)


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (TargetHealth("healthy"), {"State": "healthy"}),
        (
            TargetHealth("unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [500]"),
            {
                "State": "unhealthy",
                "Reason": "Target.ResponseCodeMismatch",
                "Description": "Health checks failed with these codes: [500]",
            },
        ),
    ],
)
def test_health_is_what_the_proxy_tells(tmp_path: Path, told: TargetHealth, shown: dict[str, str]) -> None:
    async def play(world: World) -> None:
        health = {("10.0.0.10", 80): told, ("10.0.0.99", 80): told}
        await views.record_health(world.block, world.group, health)
        assert await world.get_health() == shown
        await views.record_health(world.block, world.group[:-16] + "0" * 16, health)

    run(tmp_path, play)


def test_another_user_of_a_group_checks_it_anew(tmp_path: Path) -> None:
    async def play(world: World) -> None:
        health = {("10.0.0.10", 80): TargetHealth("healthy")}
        await views.record_health(world.block, world.group, health)
        await world.call("elbv2", "DeleteListener", ListenerArn=world.listener)
        assert (await world.get_health())["Reason"] == "Target.NotInUse"
        action = {"Type": "forward", "TargetGroupArn": world.group}
        params = {"LoadBalancerArn": world.balancer, "Protocol": "HTTP", "Port": 81, "DefaultActions": [action]}
        await world.call("elbv2", "CreateListener", **params)
        assert (await world.get_health())["Reason"] == "Elb.RegistrationInProgress"

    run(tmp_path, play)


async def _wait_for_view(world: World) -> Any:
    for _ in range(_TURNS):
        found = await views.load_view(world.block, world.key)
        if found.load_balancers:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("there are no network interfaces")


def test_a_view_has_all_that_the_proxy_needs(tmp_path: Path) -> None:
    async def play(world: World) -> None:
        assert await views.list_vpcs(world.block) == [world.key]
        pair = make_pair("shop.example")
        made = await world.call("acm", "ImportCertificate", **pair.params())
        oidc = {
            "Issuer": "https://id.example",
            "AuthorizationEndpoint": "https://id.example/authorize",
            "TokenEndpoint": "https://id.example/token",
            "UserInfoEndpoint": "https://id.example/user",
            "ClientId": "shop",
            "ClientSecret": "secret",
        }
        actions = [
            {"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": oidc},
            {**_OK, "Order": 2},
        ]
        secure = await world.call(
            "elbv2",
            "CreateListener",
            LoadBalancerArn=world.balancer,
            Protocol="HTTPS",
            Port=443,
            Certificates=[{"CertificateArn": made["CertificateArn"]}],
            DefaultActions=actions,
        )
        conditions = [{"Field": "path-pattern", "Values": ["/a"]}]
        rule = await world.call(
            "elbv2", "CreateRule", ListenerArn=world.listener, Priority=1, Conditions=conditions, Actions=[_OK]
        )
        found = await _wait_for_view(world)
        (balancer,) = found.load_balancers
        assert (balancer.arn, balancer.is_application, len(balancer.addresses)) == (world.balancer, True, 2)
        assert balancer.machine_address.startswith("127.")
        assert balancer.attributes["idle_timeout.timeout_seconds"] == "60"
        listeners = {each.arn: each for each in balancer.listeners}
        assert [each["RuleArn"] for each in listeners[world.listener].rules] == [rule["Rules"][0]["RuleArn"]]
        shown = listeners[secure["Listeners"][0]["ListenerArn"]]
        assert shown.certificates == (made["CertificateArn"],)
        assert shown.description["DefaultActions"][0]["AuthenticateOidcConfig"]["ClientSecret"] == "secret"
        certificate = found.certificates[made["CertificateArn"]]
        assert certificate.chain.encode() == pair.body
        assert certificate.key.encode() == pair.private
        group = found.target_groups[world.group]
        (target,) = group.targets
        assert (target.id, target.port, target.address, target.zone) == ("10.0.0.10", 80, "10.0.0.10", "us-east-1a")
        assert group.attributes["deregistration_delay.timeout_seconds"] == "300"

    run(tmp_path, play)
