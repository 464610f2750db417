"""Targets: registration, deregistration, and health."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.elbv2.lb_cloud import NOTHING, LbCloud, fails, forward, tells
from tests.services.elbv2.test_target_groups import change
from tests.services.lambda_.cloud import RUNTIME, package
from tests.standing import Standing, eventually


def register(cloud: LbCloud, group: str, *addresses: str, **more: Any) -> None:
    targets = [{"Id": each, **more} for each in addresses]
    cloud.elb.register_targets(TargetGroupArn=group, Targets=targets)


def deregister(cloud: LbCloud, group: str, *addresses: str, **more: Any) -> None:
    targets = [{"Id": each, **more} for each in addresses]
    cloud.elb.deregister_targets(TargetGroupArn=group, Targets=targets)


def test_a_target_is_unused_until_a_load_balancer_uses_it(cloud: LbCloud) -> None:
    group = cloud.create_group()
    register(cloud, group, "10.0.0.10")
    assert cloud.health(group) == [
        {
            "Target": {"Id": "10.0.0.10", "Port": 80, "AvailabilityZone": "us-east-1a"},
            "HealthCheckPort": "80",
            "TargetHealth": {
                "State": "unused",
                "Reason": "Target.NotInUse",
                "Description": "Target group is not configured to receive traffic from the load balancer",
            },
        }
    ]
    cloud.listen(cloud.create_arn(), group)
    (found,) = cloud.health(group)
    assert (found["TargetHealth"]["State"], found["TargetHealth"]["Reason"]) == (
        "initial",
        "Elb.RegistrationInProgress",
    )


def test_a_target_in_another_zone_is_unused(cloud: LbCloud) -> None:
    group = cloud.create_group()
    register(cloud, group, "10.0.2.10")
    cloud.listen(cloud.create_arn(), group)
    (found,) = cloud.health(group)
    assert found["TargetHealth"]["Description"].startswith("Target is in an Availability Zone that is not enabled")


def test_ports(cloud: LbCloud) -> None:
    group = cloud.create_group()
    register(cloud, group, "10.0.0.10")
    register(cloud, group, "10.0.0.10", Port=8080)
    register(cloud, group, "10.0.0.10", Port=8080)
    assert [each["Target"]["Port"] for each in cloud.health(group)] == [80, 8080]
    deregister(cloud, group, "10.0.0.10", Port=8080)
    assert [each["Target"]["Port"] for each in cloud.health(group)] == [80]
    (found,) = cloud.health(group, Targets=[{"Id": "10.0.0.10", "Port": 8080}])
    assert found["TargetHealth"]["Reason"] == "Target.NotRegistered"
    targets = [{"Id": "10.0.0.10", "Port": 8080}]
    cloud.elb.get_waiter("target_deregistered").wait(TargetGroupArn=group, Targets=targets)


def test_addresses_outside_of_the_vpc(cloud: LbCloud) -> None:
    group = cloud.create_group()
    tells("The Availability Zone is required", register, cloud, group, "10.9.0.1")
    tells("cannot have its Availability Zone overridden", register, cloud, group, "10.0.0.10", AvailabilityZone="all")
    fails("ValidationError", register, cloud, group, "10.9.0.1", AvailabilityZone="eu-west-1a")
    register(cloud, group, "10.9.0.1", AvailabilityZone="all")
    assert cloud.health(group)[0]["Target"]["AvailabilityZone"] == "all"
    fails("InvalidTarget", register, cloud, group, "8.8.8.8", AvailabilityZone="all")
    fails("ValidationError", register, cloud, group, "web.example")
    fails("ValidationError", register, cloud, group, "2001:db8::1")
    fails("ValidationError", register, cloud, group, "10.0.0.10", Port=65536)
    fails("ValidationError", register, cloud, group)
    fails("ValidationError", deregister, cloud, group)
    fails("InvalidConfigurationRequest", register, cloud, group, "10.0.0.10", QuicServerId="0x0123456789abcdef")


def test_other_instances_than_this_machine_are_refused(cloud: LbCloud) -> None:
    group = cloud.create_group(TargetType="instance")
    words = "The following targets are not in a running state and cannot be registered: 'i-0123456789abcdef0'"
    tells(words, register, cloud, group, "i-0123456789abcdef0")
    tells("Instance ID 'web' is not valid", register, cloud, group, "web")
    fails("ValidationError", register, cloud, group, "i-0123456789abcdef0", AvailabilityZone="us-east-1a")


def test_a_function_is_a_target(cloud: LbCloud) -> None:
    group = cloud.create_group(TargetType="lambda")
    missing = f"arn:aws:lambda:us-east-1:{cloud.account}:function:nothing"
    fails("InvalidTarget", register, cloud, group, missing)
    fails("InvalidTarget", register, cloud, group, "nothing")
    functions = cloud.aws.client("lambda")
    role = f"arn:aws:iam::{cloud.account}:role/any"
    arns = [
        functions.create_function(
            FunctionName=name, Runtime=RUNTIME, Role=role, Handler="index.handler", Code={"ZipFile": package()}
        )["FunctionArn"]
        for name in ("one", "two")
    ]
    fails("ValidationError", register, cloud, group, arns[0], Port=80)
    register(cloud, group, arns[0])
    fails("TooManyTargets", register, cloud, group, arns[1])
    cloud.listen(cloud.create_arn(), group)
    (found,) = cloud.health(group)
    assert found["Target"] == {"Id": arns[0]}
    assert found["TargetHealth"]["Reason"] == "Target.HealthCheckDisabled"
    deregister(cloud, group, arns[0])
    assert not cloud.health(group)


def test_an_application_load_balancer_is_a_target(cloud: LbCloud) -> None:
    group = cloud.create_group(TargetType="alb", Protocol="TCP")
    inner = cloud.create_arn(Scheme="internal")
    fails("InvalidTarget", register, cloud, group, inner)
    cloud.listen(inner)
    register(cloud, group, inner)
    fails("ResourceInUse", cloud.elb.delete_load_balancer, LoadBalancerArn=inner)
    outer = cloud.create_arn(Type="network")
    cloud.listen(outer, group, Protocol="TCP")
    (found,) = cloud.health(group)
    assert (found["Target"], found["TargetHealth"]["State"]) == ({"Id": inner, "Port": 80}, "initial")
    for wrong in (outer, inner[:-16] + NOTHING, "nothing"):
        fails("InvalidTarget", register, cloud, cloud.create_group(TargetType="alb", Protocol="TCP"), wrong)
    fails("InvalidTarget", register, cloud, group, inner, Port=81)
    deregister(cloud, group, inner)
    # One that drains need not be waited for.
    cloud.elb.delete_load_balancer(LoadBalancerArn=inner)
    assert [each["TargetHealth"]["State"] for each in cloud.health(group)] == ["draining"]


@pytest.fixture
def standing_cloud(standing: Standing) -> LbCloud:
    return LbCloud(standing.account())


def test_a_deregistered_target_drains(standing: Standing, standing_cloud: LbCloud) -> None:
    cloud = standing_cloud
    group = cloud.create_group()
    cloud.listen(cloud.create_arn(), group)
    register(cloud, group, "10.0.0.10", "10.0.0.11")
    deregister(cloud, group, "10.0.0.10")
    states = [each["TargetHealth"]["State"] for each in cloud.health(group)]
    assert states == ["draining", "initial"]
    (found,) = cloud.health(group, Targets=[{"Id": "10.0.0.10"}])
    assert found["TargetHealth"]["Reason"] == "Target.DeregistrationInProgress"
    standing.advance("299s")
    assert len(cloud.health(group)) == 2
    standing.advance("1s")
    eventually(lambda: cloud.health(group), lambda found: len(found) == 1)


def test_a_draining_target_is_registered_again(standing: Standing, standing_cloud: LbCloud) -> None:
    cloud = standing_cloud
    group = cloud.create_group()
    cloud.listen(cloud.create_arn(), group)
    register(cloud, group, "10.0.0.10", "10.0.0.11")
    deregister(cloud, group, "10.0.0.10", "10.0.0.11")
    register(cloud, group, "10.0.0.10")
    standing.advance("301s")
    found = eventually(lambda: cloud.health(group), lambda found: len(found) == 1)
    assert (found[0]["Target"]["Id"], found[0]["TargetHealth"]["State"]) == ("10.0.0.10", "initial")


def test_without_a_delay_nothing_drains(cloud: LbCloud) -> None:
    group = cloud.create_group()
    change(cloud, group, deregistration_delay__timeout_seconds="0")
    cloud.listen(cloud.create_arn(), group)
    register(cloud, group, "10.0.0.10")
    deregister(cloud, group, "10.0.0.10")
    deregister(cloud, group, "10.0.0.99")
    assert not cloud.health(group)


def test_a_group_has_a_thousand_targets(cloud: LbCloud) -> None:
    group = cloud.create_group()
    for begin in range(1, 1001, 500):
        targets = [{"Id": "10.0.0.10", "Port": port} for port in range(begin, begin + 500)]
        cloud.elb.register_targets(TargetGroupArn=group, Targets=targets)
    fails("TooManyTargets", register, cloud, group, "10.0.0.11")
    balancer, other = cloud.create_arn(), cloud.create_group()
    arn = cloud.listen(balancer, group)["ListenerArn"]
    cloud.add_rule(arn, Actions=[forward(other)])
    fails("TooManyTargets", register, cloud, other, "10.0.0.11")
    third = cloud.create_group()
    register(cloud, third, "10.0.0.11")
    fails("TooManyTargets", cloud.add_rule, arn, 2, Actions=[forward(third)])


def test_what_is_not_there(cloud: LbCloud) -> None:
    group = cloud.create_group()
    missing = group[:-16] + NOTHING
    fails("TargetGroupNotFound", register, cloud, missing, "10.0.0.10")
    fails("TargetGroupNotFound", deregister, cloud, missing, "10.0.0.10")
    fails("TargetGroupNotFound", cloud.health, missing)
    tells("anomalies", cloud.health, group, Include=["AnomalyDetection"])
