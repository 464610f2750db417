"""Target groups: their types, protocols, health checks and attributes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.elbv2.lb_cloud import NOTHING, LbCloud, fails, tells


def test_a_target_group_is_created_and_shown(cloud: LbCloud) -> None:
    arn = cloud.create_group("web")
    assert arn.startswith(f"arn:aws:elasticloadbalancing:us-east-1:{cloud.account}:targetgroup/web/")
    assert cloud.get_group(arn) == {
        "TargetGroupArn": arn,
        "TargetGroupName": "web",
        "Protocol": "HTTP",
        "ProtocolVersion": "HTTP1",
        "Port": 80,
        "VpcId": cloud.vpc,
        "TargetType": "ip",
        "IpAddressType": "ipv4",
        "LoadBalancerArns": [],
        "HealthCheckEnabled": True,
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": "traffic-port",
        "HealthCheckPath": "/",
        "HealthCheckIntervalSeconds": 30,
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 5,
        "UnhealthyThresholdCount": 2,
        "Matcher": {"HttpCode": "200"},
    }
    assert cloud.create_group("web") == arn
    fails("DuplicateTargetGroupName", cloud.create_group, "web", Port=81)


DEFAULTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "gRPC": (
        {"ProtocolVersion": "GRPC"},
        {"HealthCheckPath": "/AWS.ALB/healthcheck", "Matcher": {"GrpcCode": "12"}},
    ),
    "TCP": (
        {"Protocol": "TCP"},
        {"HealthCheckProtocol": "TCP", "HealthCheckTimeoutSeconds": 10, "HealthCheckPath": None, "Matcher": None},
    ),
    "TCP checked by HTTP": (
        {"Protocol": "TCP", "HealthCheckProtocol": "HTTP"},
        {"HealthCheckTimeoutSeconds": 6, "HealthCheckPath": "/", "Matcher": {"HttpCode": "200-399"}},
    ),
    "UDP": ({"Protocol": "UDP"}, {"HealthCheckProtocol": "TCP"}),
    "a load balancer": (
        {"TargetType": "alb", "Protocol": "TCP"},
        {"HealthCheckProtocol": "HTTP", "ProtocolVersion": None},
    ),
    "a function": (
        {"TargetType": "lambda"},
        {
            "HealthCheckEnabled": False,
            "HealthCheckIntervalSeconds": 35,
            "HealthCheckTimeoutSeconds": 30,
            "HealthCheckProtocol": None,
            "Port": None,
            "VpcId": None,
        },
    ),
}


@pytest.mark.parametrize(("given", "expected"), DEFAULTS.values(), ids=DEFAULTS)
def test_defaults(cloud: LbCloud, given: dict[str, Any], expected: dict[str, Any]) -> None:
    found = cloud.get_group(cloud.create_group(**given))
    assert {member: found.get(member) for member in expected} == expected


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "a name with a dot": ("ValidationError", {"name": "a.b"}),
    "no port": ("ValidationError", {"Port": None}),
    "no protocol": ("ValidationError", {"Protocol": None}),
    "no VPC": ("ValidationError", {"VpcId": None}),
    "a VPC that is not there": ("ValidationError", {"VpcId": "vpc-0123456789abcdef0"}),
    "an unknown version": ("ValidationError", {"ProtocolVersion": "HTTP3"}),
    "a version of TCP": ("ValidationError", {"Protocol": "TCP", "ProtocolVersion": "HTTP2"}),
    "GENEVE": ("InvalidConfigurationRequest", {"Protocol": "GENEVE"}),
    "IPv6": ("InvalidConfigurationRequest", {"IpAddressType": "ipv6"}),
    "the target optimizer": ("InvalidConfigurationRequest", {"TargetControlPort": 3000}),
    "load balancers by HTTP": ("ValidationError", {"TargetType": "alb", "Protocol": "HTTP"}),
    "HTTP that is checked by TCP": ("ValidationError", {"HealthCheckProtocol": "TCP"}),
    "a check by UDP": ("ValidationError", {"Protocol": "UDP", "HealthCheckProtocol": "UDP"}),
    "no check": ("ValidationError", {"HealthCheckEnabled": False}),
    "a check by a port that is none": ("ValidationError", {"HealthCheckPort": "http"}),
    "a relative path": ("ValidationError", {"HealthCheckPath": "healthy"}),
    "a path with a blank": ("ValidationError", {"HealthCheckPath": "/a b"}),
    "a path of TCP": ("InvalidConfigurationRequest", {"Protocol": "TCP", "HealthCheckPath": "/"}),
    "codes of TCP": ("InvalidConfigurationRequest", {"Protocol": "TCP", "Matcher": {"HttpCode": "200"}}),
    "codes that are too high": ("ValidationError", {"Matcher": {"HttpCode": "200-500"}}),
    "codes that are none": ("ValidationError", {"Matcher": {"HttpCode": "2xx"}}),
    "codes of gRPC for HTTP": ("ValidationError", {"Matcher": {"GrpcCode": "0"}}),
    "both kinds of codes": ("ValidationError", {"Matcher": {"GrpcCode": "0", "HttpCode": "200"}}),
    "a timeout as long as the interval": (
        "ValidationError",
        {"HealthCheckIntervalSeconds": 10, "HealthCheckTimeoutSeconds": 10},
    ),
}


@pytest.mark.parametrize(("code", "changes"), REFUSED.values(), ids=REFUSED)
def test_target_groups_that_are_not_admitted(cloud: LbCloud, code: str, changes: dict[str, Any]) -> None:
    given = {"Name": "web", "TargetType": "ip", "Protocol": "HTTP", "Port": 80, "VpcId": cloud.vpc, **changes}
    given["Name"] = given.pop("name", "web")
    given = {member: value for member, value in given.items() if value is not None}
    fails(code, cloud.elb.create_target_group, **given)


def test_functions_have_no_network(cloud: LbCloud) -> None:
    fails("ValidationError", cloud.create_group, TargetType="lambda", Port=80)
    fails("ValidationError", cloud.create_group, TargetType="lambda", HealthCheckPort="80")
    arn = cloud.create_group(TargetType="lambda", HealthCheckEnabled=True, HealthCheckPath="/health")
    found = cloud.get_group(arn)
    assert (found["HealthCheckEnabled"], found["HealthCheckPath"]) == (True, "/health")


def test_health_checks_change(cloud: LbCloud) -> None:
    arn, modify = cloud.create_group(Protocol="TCP"), cloud.elb.modify_target_group
    changed = modify(TargetGroupArn=arn, HealthCheckProtocol="HTTP", HealthCheckPath="/a")["TargetGroups"][0]
    assert (changed["HealthCheckPath"], changed["Matcher"]) == ("/a", {"HttpCode": "200-399"})
    changed = modify(TargetGroupArn=arn, Matcher={"HttpCode": "200,204"}, HealthyThresholdCount=2)["TargetGroups"][0]
    assert (changed["Matcher"], changed["HealthyThresholdCount"]) == ({"HttpCode": "200,204"}, 2)
    assert changed["HealthCheckPath"] == "/a"
    changed = modify(TargetGroupArn=arn, HealthCheckProtocol="TCP")["TargetGroups"][0]
    assert "Matcher" not in changed
    fails("ValidationError", modify, TargetGroupArn=arn, HealthCheckIntervalSeconds=5)
    fails("ValidationError", modify, TargetGroupArn=arn, HealthyThresholdCount=11)
    assert cloud.get_group(arn) == changed


def get_attributes(cloud: LbCloud, arn: str) -> dict[str, str]:
    found = cloud.elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
    return {each["Key"]: each["Value"] for each in found}


def change(cloud: LbCloud, arn: str, **values: str) -> None:
    given = [{"Key": key.replace("__", "."), "Value": value} for key, value in values.items()]
    cloud.elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=given)


def test_attributes(cloud: LbCloud) -> None:
    arn = cloud.create_group()
    before = get_attributes(cloud, arn)
    assert before["deregistration_delay.timeout_seconds"] == "300"
    assert before["stickiness.type"] == "lb_cookie"
    change(cloud, arn, stickiness__enabled="true", stickiness__lb_cookie__duration_seconds="60")
    assert get_attributes(cloud, arn) == {
        **before,
        "stickiness.enabled": "true",
        "stickiness.lb_cookie.duration_seconds": "60",
    }
    fails("ValidationError", change, cloud, arn, deregistration_delay__timeout_seconds="3601")
    fails("ValidationError", change, cloud, arn, proxy_protocol_v2__enabled="true")
    fails("InvalidConfigurationRequest", change, cloud, arn, stickiness__type="source_ip")
    fails("InvalidConfigurationRequest", change, cloud, arn, stickiness__type="app_cookie")
    names = {"stickiness__type": "app_cookie", "stickiness__app_cookie__cookie_name": "session"}
    change(cloud, arn, **names)
    fails("ValidationError", change, cloud, arn, stickiness__app_cookie__cookie_name="AWSALB")
    algorithm = {"load_balancing__algorithm__type": "least_outstanding_requests"}
    fails("InvalidConfigurationRequest", change, cloud, arn, slow_start__duration_seconds="30", **algorithm)
    count = "target_group_health__dns_failover__minimum_healthy_targets__count"
    tells("Cloudlet does not support", change, cloud, arn, **{count: "2"})


def test_attributes_of_other_protocols(cloud: LbCloud) -> None:
    tcp = cloud.create_group(Protocol="TCP")
    found = get_attributes(cloud, tcp)
    assert (found["stickiness.type"], found["preserve_client_ip.enabled"]) == ("source_ip", "false")
    change(cloud, tcp, proxy_protocol_v2__enabled="true", deregistration_delay__connection_termination__enabled="true")
    change(cloud, tcp, preserve_client_ip__enabled="true")
    secure = cloud.create_group(Protocol="TLS")
    tells("Cloudlet does not support", change, cloud, secure, preserve_client_ip__enabled="true")
    tells("Cloudlet does not support", change, cloud, tcp, load_balancing__cross_zone__enabled="false")
    tells(
        "'lb_cookie' is not supported for target groups with the TCP protocol",
        change,
        cloud,
        tcp,
        stickiness__type="lb_cookie",
    )
    udp = cloud.create_group(Protocol="UDP")
    found = get_attributes(cloud, udp)
    assert found["preserve_client_ip.enabled"] == "true"
    assert found["deregistration_delay.connection_termination.enabled"] == "true"
    fails("ValidationError", change, cloud, udp, preserve_client_ip__enabled="false")
    tells(
        "Cloudlet does not support", change, cloud, udp, deregistration_delay__connection_termination__enabled="false"
    )
    function = cloud.create_group(TargetType="lambda")
    assert "deregistration_delay.timeout_seconds" not in get_attributes(cloud, function)
    change(cloud, function, **{"lambda__multi_value_headers__enabled": "true"})


def test_target_groups_are_found(cloud: LbCloud) -> None:
    first, second = cloud.create_group("first"), cloud.create_group("second")
    balancer = cloud.create_arn()
    cloud.listen(balancer, first)
    describe = cloud.elb.describe_target_groups

    def list_arns(**params: Any) -> list[str]:
        return [each["TargetGroupArn"] for each in describe(**params)["TargetGroups"]]

    assert list_arns() == [first, second]
    assert list_arns(Names=["second"]) == [second]
    assert list_arns(LoadBalancerArn=balancer) == [first]
    pages = cloud.elb.get_paginator("describe_target_groups").paginate(PaginationConfig={"PageSize": 1})
    assert [len(page["TargetGroups"]) for page in pages] == [1, 1]
    missing = first[:-16] + NOTHING
    fails("TargetGroupNotFound", describe, TargetGroupArns=[missing])
    fails("TargetGroupNotFound", describe, Names=["third"])
    fails("ValidationError", describe, TargetGroupArns=["third"])
    fails("ValidationError", describe, TargetGroupArns=[first], Names=["second"])
    fails("ResourceInUse", cloud.elb.delete_target_group, TargetGroupArn=first)
    cloud.elb.delete_target_group(TargetGroupArn=second)
    cloud.elb.delete_target_group(TargetGroupArn=second)
    assert list_arns() == [first]
