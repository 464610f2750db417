"""Elastic Load Balancing of an account, and what tests do with it again and again."""

from __future__ import annotations

from itertools import count
from typing import Any, Final

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.standing import eventually

_numbers = count()
ZONES: Final = ("us-east-1a", "us-east-1b", "us-east-1c")
NOTHING: Final = "0123456789abcdef"
"""The end of an ARN that nothing has."""


class LbCloud:
    """Clients of one account, with a VPC that has three subnets and an internet gateway."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.account = aws.account
        self.elb: Any = aws.client("elbv2")
        self.ec2: Any = aws.client("ec2")
        self.vpc: str = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [self.make_subnet(f"10.0.{number}.0/24", zone) for number, zone in enumerate(ZONES)]
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)

    def make_subnet(self, block: str, zone: str, vpc: str | None = None) -> str:
        made: str = self.ec2.create_subnet(VpcId=vpc or self.vpc, CidrBlock=block, AvailabilityZone=zone)["Subnet"][
            "SubnetId"
        ]
        return made

    def make_group(self, name: str, vpc: str | None = None) -> str:
        made: str = self.ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc or self.vpc)["GroupId"]
        return made

    @staticmethod
    def make_name() -> str:
        return f"n{next(_numbers)}"

    def create(self, name: str | None = None, **more: Any) -> dict[str, Any]:
        """Create a load balancer in two subnets."""
        if "SubnetMappings" not in more:
            more.setdefault("Subnets", self.subnets[:2])
        found: dict[str, Any] = self.elb.create_load_balancer(Name=name or self.make_name(), **more)["LoadBalancers"][0]
        return found

    def create_arn(self, **more: Any) -> str:
        arn: str = self.create(**more)["LoadBalancerArn"]
        return arn

    def get(self, arn: str) -> dict[str, Any]:
        found: dict[str, Any] = self.elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
        return found

    def create_group(self, name: str | None = None, **more: Any) -> str:
        """Create a target group for HTTP, if no other protocol is given; return its ARN."""
        if more.get("TargetType") != "lambda":
            more = {"Protocol": "HTTP", "Port": 80, "VpcId": self.vpc, "TargetType": "ip", **more}
        made = self.elb.create_target_group(Name=name or self.make_name(), **more)
        arn: str = made["TargetGroups"][0]["TargetGroupArn"]
        return arn

    def get_group(self, arn: str) -> dict[str, Any]:
        found: dict[str, Any] = self.elb.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"][0]
        return found

    def listen(self, balancer: str, group: str | None = None, port: int = 80, **more: Any) -> dict[str, Any]:
        """Create a listener that forwards to a target group, or answers 200."""
        more.setdefault("Protocol", "HTTP")
        more.setdefault("DefaultActions", [forward(group) if group else OK])
        made = self.elb.create_listener(LoadBalancerArn=balancer, Port=port, **more)
        found: dict[str, Any] = made["Listeners"][0]
        return found

    def add_rule(self, listener: str, priority: int = 1, path: str = "/a", **more: Any) -> dict[str, Any]:
        """Create a rule for a path."""
        more.setdefault("Conditions", [{"Field": "path-pattern", "Values": [path]}])
        more.setdefault("Actions", [OK])
        made = self.elb.create_rule(ListenerArn=listener, Priority=priority, **more)
        found: dict[str, Any] = made["Rules"][0]
        return found

    def list_interfaces(self, arn: str) -> list[dict[str, Any]]:
        """Return the network interfaces of a load balancer."""
        name = "/".join(arn.split("/")[1:])
        filters = [{"Name": "description", "Values": [f"ELB {name}"]}]
        found: list[dict[str, Any]] = self.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
        return found

    def wait_for_interfaces(self, arn: str, number: int) -> list[dict[str, Any]]:
        """Wait until a load balancer has so many network interfaces, which are in use."""
        return eventually(
            lambda: self.list_interfaces(arn),
            lambda found: len(found) == number and all(each["Status"] == "in-use" for each in found),
        )

    def health(self, group: str, **more: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.elb.describe_target_health(TargetGroupArn=group, **more)[
            "TargetHealthDescriptions"
        ]
        return found


OK: Final[dict[str, Any]] = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}


def forward(group: str) -> dict[str, Any]:
    return {"Type": "forward", "TargetGroupArn": group}


def fails(code: str, call: Any, *args: Any, **more: Any) -> None:
    """Check that a call is refused with a code."""
    found = code_of(call, *args, **more)
    assert found == code, found


def tells(text: str, call: Any, *args: Any, **more: Any) -> None:
    """Check that a call is refused with words in its message."""
    message = refused(call, *args, **more)
    assert text in str(message), message
