"""The side of the control plane that the proxy sees: views, and what it tells of targets and listeners."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.cloud import Config
from cloudlet.core.kernel.identity import root
from cloudlet.core.kernel.timing import watching
from cloudlet.services.elbv2 import storing, views
from cloudlet.services.elbv2.balancer_record import LoadBalancer, Placement
from cloudlet.services.elbv2.group_record import HealthCheck, Target, TargetGroup
from cloudlet.services.elbv2.proxy.view import TargetHealth
from tests.certificates import DAY, Pair, make_pair
from tests.in_process import InProcess, in_block

_ACCOUNT = "123456789012"
_REGION = "us-east-1"
_OK = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}
_TURNS = 1000


class World:
    """An account with a load balancer and a target group, which are records alone, so that no proxy serves them."""

    vpc = "vpc-0123456789abcdef0"

    def __init__(self, block: Block) -> None:
        self.block = block
        self.record = LoadBalancer(
            account=_ACCOUNT,
            region=_REGION,
            name="app/web/0123456789abcdef",
            title="web",
            type="application",
            scheme="internal",
            vpc=self.vpc,
            placements=(Placement("subnet-0123456789abcdef0", f"{_REGION}a"),),
            security_groups=(),
            created=0.0,
        )
        check = HealthCheck(
            is_enabled=True, protocol="HTTP", port="traffic-port", interval=30, timeout=5, healthy=5, unhealthy=2
        )
        self.group_record = TargetGroup(
            account=_ACCOUNT,
            region=_REGION,
            name="web/0123456789abcdef",
            type="ip",
            check=check,
            protocol="HTTP",
            version="HTTP1",
            port=80,
            vpc=self.vpc,
        )
        self.balancer, self.group = self.record.arn, self.group_record.arn

    async def call(self, service: str, operation: str, **params: Any) -> Any:
        caller = root(_ACCOUNT)
        return await self.block.cloud.call(
            service, operation, params, principal=caller, account=_ACCOUNT, region=_REGION
        )

    async def open(self) -> None:
        async def save(tx: Transaction) -> None:
            storing.LOAD_BALANCERS.save(tx, self.record)
            storing.TARGET_GROUPS.save(tx, self.group_record)
            storing.save_target(tx, self.group_record, Target(id="10.0.0.10", port=80, registered=0.0))

        await self.block.store.transact(save)
        self.listener = await self.listen(80)

    async def listen(self, port: int, **more: Any) -> str:
        action = {"Type": "forward", "TargetGroupArn": self.group}
        params = {"Protocol": "HTTP", "DefaultActions": [action], **more}
        made = await self.call("elbv2", "CreateListener", LoadBalancerArn=self.balancer, Port=port, **params)
        arn: str = made["Listeners"][0]["ListenerArn"]
        return arn

    async def get_state(self) -> dict[str, str]:
        found = await self.call("elbv2", "DescribeLoadBalancers", LoadBalancerArns=[self.balancer])
        state: dict[str, str] = found["LoadBalancers"][0]["State"]
        return state

    async def get_health(self) -> dict[str, str]:
        found = await self.call("elbv2", "DescribeTargetHealth", TargetGroupArn=self.group)
        health: dict[str, str] = found["TargetHealthDescriptions"][0]["TargetHealth"]
        return health


class RealWorld(World):
    """An account with a VPC, and a load balancer there with a target group."""

    async def open(self) -> None:
        self.vpc = (await self.call("ec2", "CreateVpc", CidrBlock="10.0.0.0/16"))["Vpc"]["VpcId"]
        subnets = [await self._make_subnet(number) for number in range(2)]
        made = await self.call("elbv2", "CreateLoadBalancer", Name="web", Subnets=subnets, Scheme="internal")
        self.balancer = made["LoadBalancers"][0]["LoadBalancerArn"]
        made = await self.call(
            "elbv2", "CreateTargetGroup", Name="web", Protocol="HTTP", Port=80, VpcId=self.vpc, TargetType="ip"
        )
        self.group = made["TargetGroups"][0]["TargetGroupArn"]
        await self.call("elbv2", "RegisterTargets", TargetGroupArn=self.group, Targets=[{"Id": "10.0.0.10"}])
        self.listener = await self.listen(80)

    async def _make_subnet(self, number: int) -> str:
        block, zone = f"10.0.{number}.0/24", f"{_REGION}{'ab'[number]}"
        made = await self.call("ec2", "CreateSubnet", VpcId=self.vpc, CidrBlock=block, AvailabilityZone=zone)
        name: str = made["Subnet"]["SubnetId"]
        return name

    @property
    def key(self) -> views.VpcKey:
        return (_ACCOUNT, _REGION, self.vpc)


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
        await views.record_refusal(world.block, world.listener, "Address already in use")
        await world.call("elbv2", "DeleteListener", ListenerArn=world.listener)
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
        await world.listen(81)
        assert (await world.get_health())["Reason"] == "Elb.RegistrationInProgress"

    run(tmp_path, play)


async def _wait_for_view(world: RealWorld) -> Any:
    for _ in range(_TURNS):
        found = await views.load_view(world.block, world.key)
        if found.load_balancers:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("there are no network interfaces")


def test_a_view_has_all_that_the_proxy_needs(tmp_path: Path) -> None:
    async def play(block: Block) -> None:
        world = RealWorld(block)
        await world.open()
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
        certificates = [{"CertificateArn": made["CertificateArn"]}]
        secure = await world.listen(443, Protocol="HTTPS", Certificates=certificates, DefaultActions=actions)
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
        shown = listeners[secure]
        assert shown.certificates == (made["CertificateArn"],)
        assert shown.description["DefaultActions"][0]["AuthenticateOidcConfig"]["ClientSecret"] == "secret"
        certificate = found.certificates[made["CertificateArn"]]
        assert certificate.chain.encode() == pair.body
        assert certificate.key.encode() == pair.private
        group = found.target_groups[world.group]
        (target,) = group.targets
        assert (target.id, target.port, target.address, target.zone) == ("10.0.0.10", 80, "10.0.0.10", "us-east-1a")
        assert group.attributes["deregistration_delay.timeout_seconds"] == "300"

    in_block("elbv2", tmp_path, play)


def _make_pair_for(cloud: InProcess) -> Pair:
    """Return a certificate that is valid by the clock of a cloud."""
    return make_pair("shop.example", begin=datetime.fromtimestamp(cloud.now, UTC) - DAY)


def test_a_renewed_certificate_is_served(tmp_path: Path) -> None:
    cloud = InProcess(Config(data=tmp_path, durable=False))

    async def open_world() -> World:
        opened = World(cloud.cloud.block("elbv2"))
        await opened.open()
        return opened

    world = cloud.run(open_world())
    made = cloud.run(world.call("acm", "ImportCertificate", **_make_pair_for(cloud).params()))
    arn = made["CertificateArn"]
    cloud.run(world.listen(443, Protocol="HTTPS", Certificates=[{"CertificateArn": arn}]))
    changes = 0

    async def count_changes() -> None:
        nonlocal changes
        async with watching(world.block, b"serve-network") as changed:
            while True:
                await changed.wait()
                changed.clear()
                changes += 1

    def has_changed(before: int) -> bool:
        cloud.advance(60)
        return changes > before

    async def begin() -> asyncio.Task[None]:
        return asyncio.create_task(count_changes())

    task = cloud.run(begin())
    # The version that is served is found out first.
    cloud.until(lambda: has_changed(0))
    for _ in range(3):
        cloud.advance(60)
    before = changes
    for _ in range(3):
        cloud.advance(60)
    assert changes == before
    again = _make_pair_for(cloud).params(CertificateArn=arn)
    cloud.run(world.call("acm", "ImportCertificate", **again))
    cloud.until(lambda: has_changed(before))
    task.cancel()
    cloud.close()
