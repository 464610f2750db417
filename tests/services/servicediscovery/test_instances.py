"""Instances: their records in Route 53, discovery by names and attributes, and health."""

from __future__ import annotations

import pytest

from tests.services.route53.zone_cloud import fails
from tests.services.servicediscovery.map_cloud import MapCloud
from tests.standing import eventually


def test_an_instance_is_found_by_dns_and_by_discovery(cloud: MapCloud) -> None:
    namespace = cloud.create_namespace()
    service = cloud.create_service(namespace, "web", "A", "AAAA")
    cloud.register(service, AWS_INSTANCE_IPV4="192.0.2.1", AWS_INSTANCE_IPV6="2001:db8::1", color="blue")
    name = f"web.{cloud.get_title(namespace)}"
    assert cloud.ask(cloud.get_zone(namespace), name) == ["192.0.2.1"]
    assert cloud.ask(cloud.get_zone(namespace), name, "AAAA") == ["2001:db8::1"]
    found = cloud.map.discover_instances(NamespaceName=cloud.get_title(namespace), ServiceName="web")["Instances"]
    assert found[0]["Attributes"]["color"] == "blue"
    assert found[0]["HealthStatus"] == "UNKNOWN"
    record = cloud.list_published(namespace)[0]
    assert (record["SetIdentifier"], record["MultiValueAnswer"], record["TTL"]) == ("one", True, 60)


def test_an_instance_with_a_port(cloud: MapCloud) -> None:
    namespace = cloud.create_namespace()
    service = cloud.create_service(namespace, "web", "SRV")
    cloud.register(service, AWS_INSTANCE_IPV4="192.0.2.1", AWS_INSTANCE_PORT="8080")
    name = f"web.{cloud.get_title(namespace)}"
    zone = cloud.get_zone(namespace)
    assert cloud.ask(zone, name, "SRV") == [f"1 1 8080 one.{name}."]
    assert cloud.ask(zone, f"one.{name}") == ["192.0.2.1"]
    cloud.succeed(cloud.map.deregister_instance(ServiceId=service, InstanceId="one")["OperationId"])
    assert not cloud.list_published(namespace)


def test_special_characters_in_ids_are_escaped_in_names(cloud: MapCloud) -> None:
    namespace = cloud.create_namespace()
    service = cloud.create_service(namespace, "web", "SRV")
    for port in ("80", "81"):
        cloud.register(service, "Task:1", AWS_INSTANCE_IPV4="192.0.2.1", AWS_INSTANCE_PORT=port)
    name = f"web.{cloud.get_title(namespace)}"
    assert cloud.ask(cloud.get_zone(namespace), name, "SRV") == [rf"1 1 81 task\0721.{name}."]
    assert cloud.ask(cloud.get_zone(namespace), rf"task\0721.{name}") == ["192.0.2.1"]
    cloud.succeed(cloud.map.deregister_instance(ServiceId=service, InstanceId="Task:1")["OperationId"])
    assert not cloud.list_published(namespace)


def test_an_alias_that_leads_nowhere_fails(cloud: MapCloud) -> None:
    namespace = cloud.create_namespace()
    check = {"Type": "HTTP", "ResourcePath": "/"}
    more = {"DnsConfig": {"RoutingPolicy": "WEIGHTED"}, "HealthCheckConfig": check}
    service = cloud.create_service(namespace, "web", "A", **more)
    attributes = {"AWS_ALIAS_DNS_NAME": "shop-1.us-east-1.elb.amazonaws.com"}
    made = cloud.map.register_instance(ServiceId=service, InstanceId="one", Attributes=attributes)
    ended = cloud.finish(made["OperationId"])
    assert (ended["Status"], ended["ErrorCode"]) == ("FAIL", "INVALID_CHANGE_BATCH")


def test_weighted_names(cloud: MapCloud) -> None:
    namespace = cloud.create_namespace()
    service = cloud.create_service(namespace, "web", "CNAME", DnsConfig={"RoutingPolicy": "WEIGHTED"})
    cloud.register(service, AWS_INSTANCE_CNAME="www.example.net")
    assert cloud.list_published(namespace)[0]["Weight"] == 1


def test_an_instance_that_is_registered_again_is_changed(cloud: MapCloud) -> None:
    namespace = cloud.create_namespace()
    service = cloud.create_service(namespace, "web", "A")
    for address in ("192.0.2.1", "192.0.2.2"):
        cloud.register(service, AWS_INSTANCE_IPV4=address)
    assert [each["ResourceRecords"] for each in cloud.list_published(namespace)] == [[{"Value": "192.0.2.2"}]]
    assert cloud.map.get_service(Id=service)["Service"]["InstanceCount"] == 1


def test_instances_are_shown_and_listed(cloud: MapCloud) -> None:
    service = cloud.create_service(cloud.create_namespace("http", "alpha"))
    for name in ("one", "two", "three"):
        cloud.register(service, name, color=name)
    found = cloud.map.get_instance(ServiceId=service, InstanceId="two")["Instance"]
    assert (found["Id"], found["Attributes"]) == ("two", {"color": "two"})
    pages = cloud.map.get_paginator("list_instances").paginate(ServiceId=service, PaginationConfig={"PageSize": 2})
    assert [each["Id"] for page in pages for each in page["Instances"]] == ["one", "three", "two"]
    fails("InstanceNotFound", cloud.map.get_instance, ServiceId=service, InstanceId="four")
    fails("InstanceNotFound", cloud.map.deregister_instance, ServiceId=service, InstanceId="four")


def test_discovery_by_attributes(cloud: MapCloud) -> None:
    namespace = cloud.create_namespace("http", "alpha")
    service = cloud.create_service(namespace)
    cloud.register(service, "one", version="1", zone="a")
    cloud.register(service, "two", version="1", zone="b")
    cloud.register(service, "three", version="2", zone="b")
    assert cloud.discover(namespace, QueryParameters={"version": "1"}) == ["one", "two"]
    assert cloud.discover(namespace, QueryParameters={"version": "1"}, OptionalParameters={"zone": "b"}) == ["two"]
    assert cloud.discover(namespace, QueryParameters={"version": "1"}, OptionalParameters={"zone": "c"}) == [
        "one",
        "two",
    ]
    assert len(cloud.discover(namespace, MaxResults=2)) == 2
    fails("NamespaceNotFound", cloud.map.discover_instances, NamespaceName="nothing", ServiceName="web")
    fails("ServiceNotFound", cloud.map.discover_instances, NamespaceName="alpha", ServiceName="nothing")


def test_the_revision_rises_with_each_change(cloud: MapCloud) -> None:
    namespace = cloud.create_namespace("http", "alpha")
    service = cloud.create_service(namespace, HealthCheckCustomConfig={})
    seen = []

    def look() -> int:
        found = cloud.map.discover_instances_revision(NamespaceName="alpha", ServiceName="web")
        revision: int = found["InstancesRevision"]
        return revision

    seen.append(look())
    cloud.register(service, "one")
    seen.append(look())
    cloud.map.update_instance_custom_health_status(ServiceId=service, InstanceId="one", Status="UNHEALTHY")
    seen.append(look())
    assert seen == sorted(set(seen))
    found = cloud.map.discover_instances(NamespaceName="alpha", ServiceName="web")
    assert found["InstancesRevision"] >= seen[-1]


def test_custom_health(cloud: MapCloud) -> None:
    namespace = cloud.create_namespace()
    service = cloud.create_service(namespace, "web", "A", HealthCheckCustomConfig={})
    cloud.register(service, "one", AWS_INSTANCE_IPV4="192.0.2.1")
    cloud.register(service, "two", AWS_INSTANCE_IPV4="192.0.2.2", AWS_INIT_HEALTH_STATUS="UNHEALTHY")
    assert cloud.discover(namespace) == ["one"]
    assert cloud.discover(namespace, HealthStatus="UNHEALTHY") == ["two"]
    assert cloud.discover(namespace, HealthStatus="ALL") == ["one", "two"]
    status = cloud.map.get_instances_health_status(ServiceId=service)["Status"]
    assert status == {"one": "HEALTHY", "two": "UNHEALTHY"}
    assert [each["SetIdentifier"] for each in cloud.list_published(namespace)] == ["one"]
    for name, health in (("one", "UNHEALTHY"), ("two", "HEALTHY")):
        cloud.map.update_instance_custom_health_status(ServiceId=service, InstanceId=name, Status=health)
    eventually(
        lambda: [each["SetIdentifier"] for each in cloud.list_published(namespace)], lambda found: found == ["two"]
    )
    cloud.map.update_instance_custom_health_status(ServiceId=service, InstanceId="two", Status="UNHEALTHY")
    assert cloud.discover(namespace) == ["one", "two"]
    assert not cloud.discover(namespace, HealthStatus="HEALTHY")


def test_custom_health_is_for_services_that_have_it(cloud: MapCloud) -> None:
    service = cloud.create_service(cloud.create_namespace("http", "alpha"))
    cloud.register(service)
    fails(
        "CustomHealthNotFound",
        cloud.map.update_instance_custom_health_status,
        ServiceId=service,
        InstanceId="one",
        Status="HEALTHY",
    )


def test_an_instance_without_an_endpoint_has_no_health_check(cloud: MapCloud) -> None:
    namespace = cloud.create_namespace()
    service = cloud.create_service(namespace, "web")
    cloud.register(service, color="blue")
    change = {"HealthCheckConfig": {"Type": "HTTP"}}
    cloud.succeed(cloud.map.update_service(Id=service, Service=change)["OperationId"])
    assert not cloud.route53.list_health_checks()["HealthChecks"]
    assert cloud.discover(namespace) == ["one"]


def test_health_checks_of_route_53(cloud: MapCloud) -> None:
    namespace = cloud.create_namespace()
    service = cloud.create_service(namespace, "web", "A", HealthCheckConfig={"Type": "HTTP", "ResourcePath": "/up"})
    cloud.register(service, AWS_INSTANCE_IPV4="127.0.0.1", AWS_INSTANCE_PORT="1")
    check = cloud.list_published(namespace)[0]["HealthCheckId"]
    config = cloud.route53.get_health_check(HealthCheckId=check)["HealthCheck"]["HealthCheckConfig"]
    assert (config["IPAddress"], config["Port"], config["ResourcePath"]) == ("127.0.0.1", 1, "/up")
    eventually(
        lambda: cloud.map.get_instances_health_status(ServiceId=service)["Status"],
        lambda found: found == {"one": "UNHEALTHY"},
    )
    cloud.register(service, AWS_INSTANCE_IPV4="127.0.0.1", AWS_INSTANCE_PORT="2")
    assert cloud.list_published(namespace)[0]["HealthCheckId"] != check
    assert len(cloud.route53.list_health_checks()["HealthChecks"]) == 1
    cloud.succeed(cloud.map.deregister_instance(ServiceId=service, InstanceId="one")["OperationId"])
    assert not cloud.route53.list_health_checks()["HealthChecks"]


REFUSED = {
    "no address": (("A",), {}),
    "no valid address": (("A",), {"AWS_INSTANCE_IPV4": "192.0.2.256"}),
    "no port": (("SRV",), {"AWS_INSTANCE_IPV4": "192.0.2.1"}),
    "no valid port": (("SRV",), {"AWS_INSTANCE_IPV4": "192.0.2.1", "AWS_INSTANCE_PORT": "65536"}),
    "a port alone": (("SRV",), {"AWS_INSTANCE_PORT": "80"}),
    "an EC2 instance": ((), {"AWS_EC2_INSTANCE_ID": "i-1234"}),
    "a health without custom health": ((), {"AWS_INIT_HEALTH_STATUS": "HEALTHY"}),
    "an alias of several values": (("A",), {"AWS_ALIAS_DNS_NAME": "lb.example.net"}),
    "too many": ((), {f"a{number}": "1" for number in range(31)}),
    "too long": ((), {f"a{number}": "x" * 1000 for number in range(5)}),
}


@pytest.mark.parametrize(("types", "attributes"), REFUSED.values(), ids=REFUSED)
def test_attributes_that_a_service_does_not_have(
    cloud: MapCloud, types: tuple[str, ...], attributes: dict[str, str]
) -> None:
    service = cloud.create_service(cloud.create_namespace(), "web", *types)
    fails("InvalidInput", cloud.map.register_instance, ServiceId=service, InstanceId="one", Attributes=attributes)
