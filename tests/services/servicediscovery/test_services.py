"""Services: their records and health checks, what cannot be combined, and what changes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.route53.zone_cloud import fails
from tests.services.servicediscovery.map_cloud import MapCloud


def test_a_service_is_created_and_shown(cloud: MapCloud) -> None:
    namespace = cloud.create_namespace()
    service = cloud.create_service(namespace, "web", "A", "AAAA", Description="Pages", CreatorRequestId="one")
    found = cloud.map.get_service(Id=service)["Service"]
    assert (found["Name"], found["Type"], found["InstanceCount"]) == ("web", "DNS_HTTP", 0)
    assert found["DnsConfig"] == {
        "NamespaceId": namespace,
        "RoutingPolicy": "MULTIVALUE",
        "DnsRecords": [{"Type": "A", "TTL": 60}, {"Type": "AAAA", "TTL": 60}],
    }
    assert cloud.map.get_service(Id=found["Arn"])["Service"]["Id"] == service
    again = cloud.create_service(namespace, "web", "A", "AAAA", CreatorRequestId="one")
    assert again == service
    fails("ServiceAlreadyExists", cloud.create_service, namespace, "web")


REFUSED: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "records in an HTTP namespace": ("http", ("A",), {}),
    "CNAME and A": ("public_dns", ("A", "CNAME"), {"DnsConfig": {"RoutingPolicy": "WEIGHTED"}}),
    "CNAME with several values": ("public_dns", ("CNAME",), {}),
    "a health check of private names": ("private_dns", ("A",), {"HealthCheckConfig": {"Type": "HTTP"}}),
    "both kinds of health": (
        "public_dns",
        ("A",),
        {"HealthCheckConfig": {"Type": "HTTP"}, "HealthCheckCustomConfig": {}},
    ),
    "a health check of another name": (
        "public_dns",
        ("CNAME",),
        {"DnsConfig": {"RoutingPolicy": "WEIGHTED"}, "HealthCheckConfig": {"Type": "HTTP"}},
    ),
    "a path for TCP": ("public_dns", ("A",), {"HealthCheckConfig": {"Type": "TCP", "ResourcePath": "/x"}}),
}


@pytest.mark.parametrize(("kind", "types", "more"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_combined(cloud: MapCloud, kind: str, types: tuple[str, ...], more: dict[str, Any]) -> None:
    namespace = cloud.create_namespace(kind)
    fails("InvalidInput", cloud.create_service, namespace, "web", *types, **more)


def test_a_service_needs_a_namespace(cloud: MapCloud) -> None:
    fails("NamespaceNotFound", cloud.create_service, "ns-nothing")
    fails("InvalidInput", cloud.map.create_service, Name="web")
    fails("ServiceNotFound", cloud.map.get_service, Id="srv-nothing")


def test_services_are_listed_by_their_namespace(cloud: MapCloud) -> None:
    first, second = cloud.create_namespace("http", "alpha"), cloud.create_namespace("http", "beta")
    service = cloud.create_service(first)
    cloud.create_service(second)
    filters = [{"Name": "NAMESPACE_ID", "Values": [first]}]
    assert [each["Id"] for each in cloud.map.list_services(Filters=filters)["Services"]] == [service]
    assert len(cloud.map.list_services()["Services"]) == 2


def test_an_update_reaches_the_records_of_instances(cloud: MapCloud) -> None:
    namespace = cloud.create_namespace()
    service = cloud.create_service(namespace, "web", "A")
    cloud.register(service, AWS_INSTANCE_IPV4="192.0.2.1")
    change = {"Description": "Pages", "DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 5}]}}
    cloud.succeed(cloud.map.update_service(Id=service, Service=change)["OperationId"])
    assert [each["TTL"] for each in cloud.list_published(namespace)] == [5]
    assert cloud.map.get_service(Id=service)["Service"]["Description"] == "Pages"
    other = {"DnsConfig": {"DnsRecords": [{"Type": "AAAA", "TTL": 5}]}}
    fails("InvalidInput", cloud.map.update_service, Id=service, Service=other)


def test_types_of_records_that_are_dropped_are_removed(cloud: MapCloud) -> None:
    namespace = cloud.create_namespace()
    service = cloud.create_service(namespace, "web", "A", "AAAA")
    cloud.register(service, AWS_INSTANCE_IPV4="192.0.2.1", AWS_INSTANCE_IPV6="2001:db8::1")
    change = {"DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 60}]}}
    cloud.succeed(cloud.map.update_service(Id=service, Service=change)["OperationId"])
    assert [each["Type"] for each in cloud.list_published(namespace)] == ["A"]
    cloud.succeed(cloud.map.deregister_instance(ServiceId=service, InstanceId="one")["OperationId"])
    assert cloud.list_published(namespace) == []


def test_a_service_with_instances_is_not_deleted(cloud: MapCloud) -> None:
    service = cloud.create_service(cloud.create_namespace("http", "alpha"))
    cloud.register(service)
    fails("ResourceInUse", cloud.map.delete_service, Id=service)
    cloud.succeed(cloud.map.deregister_instance(ServiceId=service, InstanceId="one")["OperationId"])
    cloud.map.delete_service(Id=service)
    fails("ServiceNotFound", cloud.map.get_service, Id=service)


def test_attributes_of_services(cloud: MapCloud) -> None:
    service = cloud.create_service(cloud.create_namespace("http", "alpha"))
    cloud.map.update_service_attributes(ServiceId=service, Attributes={"port": "80", "color": "blue"})
    cloud.map.delete_service_attributes(ServiceId=service, Attributes=["color"])
    assert cloud.map.get_service_attributes(ServiceId=service)["ServiceAttributes"]["Attributes"] == {"port": "80"}
    many = {f"a{number}": "1" for number in range(30)}
    fails(
        "ServiceAttributesLimitExceededException",
        cloud.map.update_service_attributes,
        ServiceId=service,
        Attributes=many,
    )
