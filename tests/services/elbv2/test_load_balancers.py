"""Load balancers: their names, subnets, security groups, network interfaces and attributes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.elbv2.lb_cloud import NOTHING, LbCloud, fails, tells
from tests.standing import eventually


def test_an_application_load_balancer_is_created_and_shown(cloud: LbCloud) -> None:
    made = cloud.create("shop", Tags=[{"Key": "stage", "Value": "test"}])
    arn = made["LoadBalancerArn"]
    assert arn.startswith(f"arn:aws:elasticloadbalancing:us-east-1:{cloud.account}:loadbalancer/app/shop/")
    assert made["DNSName"].startswith("shop-")
    assert made["DNSName"].endswith(".us-east-1.elb.amazonaws.com")
    assert made["CanonicalHostedZoneId"] == "Z35SXDOTRQ7X7K"
    assert (made["State"], made["Type"], made["Scheme"]) == ({"Code": "provisioning"}, "application", "internet-facing")
    assert (made["VpcId"], made["IpAddressType"]) == (cloud.vpc, "ipv4")
    assert [each["SubnetId"] for each in made["AvailabilityZones"]] == cloud.subnets[:2]
    (group,) = made["SecurityGroups"]
    assert cloud.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["GroupName"] == "default"
    assert cloud.get(arn)["LoadBalancerName"] == "shop"
    (found,) = cloud.elb.describe_load_balancers(Names=["shop"])["LoadBalancers"]
    assert found["LoadBalancerArn"] == arn


def test_a_network_load_balancer_has_another_name(cloud: LbCloud) -> None:
    made = cloud.create("shop", Type="network", Subnets=cloud.subnets[:1], Scheme="internal")
    assert ":loadbalancer/net/shop/" in made["LoadBalancerArn"]
    identifier = made["LoadBalancerArn"].rpartition("/")[2]
    assert made["DNSName"] == f"shop-{identifier}.elb.us-east-1.amazonaws.com"
    assert made["CanonicalHostedZoneId"] == "Z26RNL4JYFTOTI"
    assert "SecurityGroups" not in made
    (interface,) = cloud.wait_for_interfaces(made["LoadBalancerArn"], 1)
    assert interface["Groups"] == []


def test_an_internal_load_balancer_says_so(cloud: LbCloud) -> None:
    assert cloud.create("shop", Scheme="internal")["DNSName"].startswith("internal-shop-")


def test_the_same_again_is_the_same(cloud: LbCloud) -> None:
    arn = cloud.create("shop")["LoadBalancerArn"]
    assert cloud.create("shop")["LoadBalancerArn"] == arn
    fails("DuplicateLoadBalancerName", cloud.create, "shop", Scheme="internal")
    fails("DuplicateLoadBalancerName", cloud.create, "shop", Type="network")
    tells("exists, but with different settings", cloud.create, "shop", Subnets=cloud.subnets)


@pytest.mark.parametrize("name", ["a" * 33, "-a", "a-", "a_b", "internal-a"])
def test_names(cloud: LbCloud, name: str) -> None:
    fails("ValidationError", cloud.create, name)


def test_subnets_are_checked(cloud: LbCloud) -> None:
    fails("SubnetNotFound", cloud.create, Subnets=[cloud.subnets[0], "subnet-0123456789abcdef0"])
    tells("At least two subnets in two different Availability Zones", cloud.create, Subnets=cloud.subnets[:1])
    fails("ValidationError", cloud.create, Subnets=[])
    twin = cloud.make_subnet("10.0.9.0/24", "us-east-1a")
    fails("InvalidConfigurationRequest", cloud.create, Subnets=[cloud.subnets[0], twin])
    mappings = [{"SubnetId": each} for each in cloud.subnets]
    fails("ValidationError", cloud.create, Subnets=cloud.subnets, SubnetMappings=mappings)
    small = cloud.make_subnet("10.0.8.0/28", "us-east-1c")
    for _ in range(5):
        cloud.ec2.create_network_interface(SubnetId=small)
    fails("InvalidSubnet", cloud.create, Subnets=[cloud.subnets[0], small])


def test_another_vpc(cloud: LbCloud) -> None:
    other = cloud.ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnets = [cloud.make_subnet(f"10.1.{number}.0/24", f"us-east-1{'ab'[number]}", other) for number in range(2)]
    fails("InvalidConfigurationRequest", cloud.create, Subnets=[cloud.subnets[0], subnets[1]])
    tells("has no internet gateway", cloud.create, Subnets=subnets)
    assert cloud.create(Subnets=subnets, Scheme="internal")["VpcId"] == other
    fails("InvalidSecurityGroup", cloud.create, SecurityGroups=[cloud.make_group("web", other)])
    fails("InvalidSecurityGroup", cloud.create, SecurityGroups=["sg-0123456789abcdef0"])


def test_addresses_of_network_load_balancers(cloud: LbCloud) -> None:
    allocation = cloud.ec2.allocate_address(Domain="vpc")
    mapping = {"SubnetId": cloud.subnets[0], "AllocationId": allocation["AllocationId"]}
    made = cloud.create(Type="network", SubnetMappings=[mapping])
    arn = made["LoadBalancerArn"]
    cloud.wait_for_interfaces(arn, 1)

    def get_address() -> dict[str, str]:
        found: dict[str, str] = cloud.get(arn)["AvailabilityZones"][0]["LoadBalancerAddresses"][0]
        return found

    found = eventually(get_address, lambda found: "IpAddress" in found)
    assert found == {"AllocationId": allocation["AllocationId"], "IpAddress": allocation["PublicIp"]}
    fixed = {"SubnetId": cloud.subnets[1], "PrivateIPv4Address": "10.0.1.77"}
    inner = cloud.create_arn(Type="network", Scheme="internal", SubnetMappings=[fixed])
    (interface,) = cloud.wait_for_interfaces(inner, 1)
    assert interface["PrivateIpAddress"] == "10.0.1.77"


REFUSED_ADDRESSES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "of an application load balancer": ("InvalidConfigurationRequest", {}, {"PrivateIPv4Address": "10.0.0.9"}),
    "private, and internet-facing": (
        "InvalidConfigurationRequest",
        {"Type": "network"},
        {"PrivateIPv4Address": "10.0.0.9"},
    ),
    "outside of the subnet": (
        "InvalidConfigurationRequest",
        {"Type": "network", "Scheme": "internal"},
        {"PrivateIPv4Address": "10.9.0.9"},
    ),
    "elastic, and internal": (
        "InvalidConfigurationRequest",
        {"Type": "network", "Scheme": "internal"},
        {"AllocationId": f"eipalloc-{NOTHING}0"},
    ),
    "of nobody": ("AllocationIdNotFound", {"Type": "network"}, {"AllocationId": f"eipalloc-{NOTHING}0"}),
    "of IPv6": ("InvalidConfigurationRequest", {"Type": "network"}, {"IPv6Address": "2001:db8::1"}),
}


@pytest.mark.parametrize(("code", "more", "mapping"), REFUSED_ADDRESSES.values(), ids=REFUSED_ADDRESSES)
def test_addresses_that_cannot_be_had(cloud: LbCloud, code: str, more: dict[str, Any], mapping: dict[str, Any]) -> None:
    mappings = [{"SubnetId": cloud.subnets[0], **mapping}, {"SubnetId": cloud.subnets[1]}]
    fails(code, cloud.create, SubnetMappings=mappings, **more)


UNSUPPORTED: dict[str, dict[str, Any]] = {
    "gateway": {"Type": "gateway"},
    "dualstack": {"IpAddressType": "dualstack"},
    "customer-owned": {"CustomerOwnedIpv4Pool": "ipv4pool-coip-1"},
    "IPAM": {"IpamPools": {"Ipv4IpamPoolId": "ipam-pool-1"}},
    "source NAT": {"Type": "network", "EnablePrefixForIpv6SourceNat": "on"},
}


@pytest.mark.parametrize("more", UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_what_is_not_supported_is_refused(cloud: LbCloud, more: dict[str, Any]) -> None:
    tells("Cloudlet does not support", cloud.create, **more)


def test_a_load_balancer_has_network_interfaces(cloud: LbCloud) -> None:
    group = cloud.make_group("web")
    arn = cloud.create_arn(SecurityGroups=[group])
    found = cloud.wait_for_interfaces(arn, 2)
    assert {each["SubnetId"] for each in found} == set(cloud.subnets[:2])
    assert all([found["GroupId"] for found in each["Groups"]] == [group] for each in found)
    assert all(each["RequesterManaged"] and each["Association"]["PublicIp"] for each in found)
    fails(
        "InvalidParameterValue", cloud.ec2.delete_network_interface, NetworkInterfaceId=found[0]["NetworkInterfaceId"]
    )
    cloud.elb.delete_load_balancer(LoadBalancerArn=arn)
    cloud.wait_for_interfaces(arn, 0)
    cloud.elb.get_waiter("load_balancers_deleted").wait(LoadBalancerArns=[arn])


def test_a_load_balancer_becomes_active(cloud: LbCloud) -> None:
    arn = cloud.create_arn()
    waiter = cloud.elb.get_waiter("load_balancer_available")
    waiter.wait(LoadBalancerArns=[arn], WaiterConfig={"Delay": 1})
    assert cloud.get(arn)["State"] == {"Code": "active"}


def test_subnets_and_security_groups_change(cloud: LbCloud) -> None:
    arn = cloud.create_arn()
    cloud.wait_for_interfaces(arn, 2)
    changed = cloud.elb.set_subnets(LoadBalancerArn=arn, Subnets=cloud.subnets[1:])
    assert [each["SubnetId"] for each in changed["AvailabilityZones"]] == cloud.subnets[1:]
    eventually(
        lambda: {each["SubnetId"] for each in cloud.list_interfaces(arn)}, lambda found: found == set(cloud.subnets[1:])
    )
    group = cloud.make_group("web")
    assert cloud.elb.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[group])["SecurityGroupIds"] == [group]
    eventually(
        lambda: [each["Groups"][0]["GroupId"] for each in cloud.list_interfaces(arn)],
        lambda found: found == [group, group],
    )
    fails("InvalidConfigurationRequest", cloud.elb.set_subnets, LoadBalancerArn=arn, Subnets=_make_far(cloud))
    fails("InvalidConfigurationRequest", cloud.elb.set_security_groups, LoadBalancerArn=arn, SecurityGroups=[])
    fails(
        "InvalidConfigurationRequest",
        cloud.elb.set_security_groups,
        LoadBalancerArn=arn,
        SecurityGroups=[group],
        EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic="on",
    )


def _make_far(cloud: LbCloud) -> list[str]:
    """Return subnets of another VPC, which has an internet gateway."""
    return LbCloud(cloud.aws).subnets


def test_network_load_balancers_keep_their_subnets(cloud: LbCloud) -> None:
    arn = cloud.create_arn(Type="network")
    set_subnets = cloud.elb.set_subnets
    fails("InvalidConfigurationRequest", set_subnets, LoadBalancerArn=arn, Subnets=cloud.subnets[1:])
    assert len(set_subnets(LoadBalancerArn=arn, Subnets=cloud.subnets)["AvailabilityZones"]) == 3
    group = cloud.make_group("web")
    fails("InvalidConfigurationRequest", cloud.elb.set_security_groups, LoadBalancerArn=arn, SecurityGroups=[group])
    other = cloud.create_arn(Type="network", SecurityGroups=[group])
    more = {"EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic": "off"}
    set_groups = cloud.elb.set_security_groups
    tells("PrivateLink", set_groups, LoadBalancerArn=other, SecurityGroups=[group], **more)
    more = {"EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic": "on"}
    assert set_groups(LoadBalancerArn=other, SecurityGroups=[group], **more)["SecurityGroupIds"] == [group]


def test_the_address_type_is_ipv4(cloud: LbCloud) -> None:
    arn = cloud.create_arn()
    answer = cloud.elb.set_ip_address_type(LoadBalancerArn=arn, IpAddressType="ipv4")
    assert answer["IpAddressType"] == "ipv4"
    tells("no IPv6", cloud.elb.set_ip_address_type, LoadBalancerArn=arn, IpAddressType="dualstack")


def test_attributes_have_defaults_and_change(cloud: LbCloud) -> None:
    arn = cloud.create_arn()

    def get() -> dict[str, str]:
        found = cloud.elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        return {each["Key"]: each["Value"] for each in found}

    before = get()
    assert before["idle_timeout.timeout_seconds"] == "60"
    assert before["routing.http.desync_mitigation_mode"] == "defensive"
    assert (before["access_logs.s3.enabled"], before["load_balancing.cross_zone.enabled"]) == ("false", "true")
    change(cloud, arn, "idle_timeout.timeout_seconds", "4000")
    change(cloud, arn, "routing.http.xff_header_processing.mode", "preserve")
    assert get() == {
        **before,
        "idle_timeout.timeout_seconds": "4000",
        "routing.http.xff_header_processing.mode": "preserve",
    }


def change(cloud: LbCloud, arn: str, key: str, value: str) -> Any:
    attributes = [{"Key": key, "Value": value}]
    return cloud.elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=attributes)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("idle_timeout.timeout_seconds", "0"),
        ("idle_timeout.timeout_seconds", "long"),
        ("client_keep_alive.seconds", "59"),
        ("routing.http2.enabled", "yes"),
        ("routing.http.xff_header_processing.mode", "drop"),
        ("load_balancing.cross_zone.enabled", "false"),
        ("dns_record.client_routing_policy", "any_availability_zone"),
        ("unknown", "true"),
    ],
)
def test_attributes_that_are_not_admitted(cloud: LbCloud, key: str, value: str) -> None:
    fails("ValidationError", change, cloud, cloud.create_arn(), key, value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("zonal_shift.config.enabled", "true"),
        ("waf.fail_open.enabled", "true"),
        ("routing.http.desync_mitigation_mode", "monitor"),
        ("ipv6.deny_all_igw_traffic", "true"),
    ],
)
def test_attributes_that_are_not_supported(cloud: LbCloud, key: str, value: str) -> None:
    tells("Cloudlet does not support", change, cloud, cloud.create_arn(), key, value)


def test_logs_need_a_bucket(cloud: LbCloud) -> None:
    arn, s3, bucket = cloud.create_arn(), cloud.aws.client("s3"), f"logs-{cloud.account}"
    fails("InvalidConfigurationRequest", change, cloud, arn, "access_logs.s3.enabled", "true")
    given = {"access_logs.s3.enabled": "true", "access_logs.s3.bucket": bucket, "access_logs.s3.prefix": "web"}

    def enable() -> Any:
        attributes = [{"Key": key, "Value": value} for key, value in given.items()]
        return cloud.elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=attributes)

    tells(f"Access Denied for bucket: {bucket}", enable)
    s3.create_bucket(Bucket=bucket)
    enable()
    (found,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert found["Key"] == f"web/AWSLogs/{cloud.account}/ELBAccessLogTestFile"
    fails("ValidationError", change, cloud, arn, "access_logs.s3.prefix", "/web")
    tells("Cloudlet does not support", change, cloud, arn, "health_check_logs.s3.enabled", "true")


def test_attributes_of_network_load_balancers(cloud: LbCloud) -> None:
    arn = cloud.create_arn(Type="network")
    change(cloud, arn, "load_balancing.cross_zone.enabled", "true")
    fails("ValidationError", change, cloud, arn, "idle_timeout.timeout_seconds", "60")
    tells("Cloudlet does not support", change, cloud, arn, "secondary_ips.auto_assigned.per_subnet", "1")


def test_deletion_protection(cloud: LbCloud) -> None:
    arn = cloud.create_arn()
    change(cloud, arn, "deletion_protection.enabled", "true")
    fails("OperationNotPermitted", cloud.elb.delete_load_balancer, LoadBalancerArn=arn)
    change(cloud, arn, "deletion_protection.enabled", "false")
    cloud.elb.delete_load_balancer(LoadBalancerArn=arn)
    cloud.elb.delete_load_balancer(LoadBalancerArn=arn)
    fails("LoadBalancerNotFound", cloud.get, arn)


def test_a_deleted_name_is_free(cloud: LbCloud) -> None:
    first = cloud.create("shop")["LoadBalancerArn"]
    cloud.listen(first)
    cloud.elb.delete_load_balancer(LoadBalancerArn=first)
    second = cloud.create("shop", Scheme="internal")["LoadBalancerArn"]
    assert first != second
    assert not cloud.elb.describe_listeners(LoadBalancerArn=second)["Listeners"]


def test_what_is_not_there(cloud: LbCloud) -> None:
    missing = f"arn:aws:elasticloadbalancing:us-east-1:{cloud.account}:loadbalancer/app/a/{NOTHING}"
    fails("LoadBalancerNotFound", cloud.get, missing)
    fails("LoadBalancerNotFound", cloud.elb.describe_load_balancers, Names=["nobody"])
    fails("ValidationError", cloud.get, "arn:aws:s3:::bucket")
    fails("ValidationError", cloud.elb.describe_load_balancers, Names=["a"], LoadBalancerArns=[missing])
    fails("LoadBalancerNotFound", cloud.elb.set_subnets, LoadBalancerArn=missing, Subnets=cloud.subnets)


def test_load_balancers_are_listed_in_pages(cloud: LbCloud) -> None:
    made = {cloud.create_arn(Scheme="internal") for _ in range(3)}
    pages = cloud.elb.get_paginator("describe_load_balancers").paginate(PaginationConfig={"PageSize": 2})
    found = [[each["LoadBalancerArn"] for each in page["LoadBalancers"]] for page in pages]
    assert [len(page) for page in found] == [2, 1]
    assert {arn for page in found for arn in page} == made
    fails("ValidationError", cloud.elb.describe_load_balancers, Marker="what?")


def test_capacity_cannot_be_reserved(cloud: LbCloud) -> None:
    arn = cloud.create_arn()
    assert cloud.elb.describe_capacity_reservation(LoadBalancerArn=arn)["CapacityReservationState"] == []
    modify = cloud.elb.modify_capacity_reservation
    wanted = {"CapacityUnits": 100}
    fails("CapacityUnitsLimitExceeded", modify, LoadBalancerArn=arn, MinimumLoadBalancerCapacity=wanted)
    fails("ValidationError", modify, LoadBalancerArn=arn)
    assert modify(LoadBalancerArn=arn, ResetCapacityReservation=True)["CapacityReservationState"] == []


def test_ip_pools_are_refused(cloud: LbCloud) -> None:
    arn, modify = cloud.create_arn(), cloud.elb.modify_ip_pools
    tells("IPAM pools", modify, LoadBalancerArn=arn, IpamPools={"Ipv4IpamPoolId": "ipam-pool-1"})
    fails("ValidationError", modify, LoadBalancerArn=arn)
    modify(LoadBalancerArn=arn, RemoveIpamPools=["ipv4"])


def test_the_role_of_the_service_is_made(cloud: LbCloud) -> None:
    cloud.create_arn()
    role = cloud.aws.client("iam").get_role(RoleName="AWSServiceRoleForElasticLoadBalancing")["Role"]
    assert role["Path"] == "/aws-service-role/elasticloadbalancing.amazonaws.com/"
