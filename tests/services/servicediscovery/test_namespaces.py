"""Namespaces: what they make in Route 53, how they are listed, changed and deleted."""

from __future__ import annotations

from cloudlet.testing.server import Aws
from tests.services.route53.zone_cloud import fails
from tests.services.servicediscovery.map_cloud import MapCloud


def test_a_public_namespace_has_a_hosted_zone(cloud: MapCloud) -> None:
    operation = cloud.map.create_public_dns_namespace(Name="shop.example", Description="A shop")["OperationId"]
    ended = cloud.succeed(operation)
    namespace = ended["Targets"]["NAMESPACE"]
    found = cloud.map.get_namespace(Id=namespace)["Namespace"]
    assert (found["Name"], found["Type"], found["Description"]) == ("shop.example", "DNS_PUBLIC", "A shop")
    assert found["Properties"]["HttpProperties"] == {"HttpName": "shop.example"}
    zone = cloud.route53.get_hosted_zone(Id=cloud.get_zone(namespace))["HostedZone"]
    assert (zone["Name"], zone["Config"]["Comment"]) == ("shop.example.", "Created by AWS Cloud Map")
    assert zone["LinkedService"]["ServicePrincipal"] == "servicediscovery.amazonaws.com"


def test_a_private_namespace_has_a_private_zone_of_its_vpc(cloud: MapCloud) -> None:
    vpc = cloud.make_vpc()
    namespace = cloud.create_namespace("private_dns", "shop.internal", Vpc=vpc["VPCId"])
    zone = cloud.route53.get_hosted_zone(Id=cloud.get_zone(namespace))
    assert zone["HostedZone"]["Config"]["PrivateZone"]
    assert zone["VPCs"] == [vpc]


def test_an_http_namespace_has_none(cloud: MapCloud) -> None:
    namespace = cloud.create_namespace("http", "shop")
    assert cloud.map.get_namespace(Id=namespace)["Namespace"]["Properties"]["HttpProperties"]["HttpName"] == "shop"
    assert not cloud.route53.list_hosted_zones()["HostedZones"]


def test_the_zone_of_a_namespace_is_changed_through_cloud_map_alone(cloud: MapCloud) -> None:
    namespace = cloud.create_namespace()
    message = fails("AccessDenied", cloud.route53.delete_hosted_zone, Id=cloud.get_zone(namespace))
    assert "can only be managed through AWS Cloud Map (arn:aws:servicediscovery:us-east-1:" in message


def test_a_namespace_that_cannot_be_made_fails_with_the_reason(cloud: MapCloud) -> None:
    vpc = cloud.make_vpc()
    cloud.create_namespace("private_dns", "one.internal", Vpc=vpc["VPCId"])
    zone = cloud.create_zone("two.internal", VPC=vpc)
    asked = {"Name": "two.internal", "Vpc": vpc["VPCId"], "CreatorRequestId": "two"}
    ended = cloud.finish(cloud.map.create_private_dns_namespace(**asked)["OperationId"])
    assert (ended["Status"], ended["ErrorCode"]) == ("FAIL", "CANNOT_CREATE_HOSTED_ZONE")
    assert [each["Name"] for each in cloud.map.list_namespaces()["Namespaces"]] == ["one.internal"]
    cloud.route53.delete_hosted_zone(Id=zone)
    cloud.succeed(cloud.map.create_private_dns_namespace(**asked)["OperationId"])


def test_the_same_name_twice(cloud: MapCloud) -> None:
    namespace = cloud.create_namespace("http", "shop")
    assert fails("NamespaceAlreadyExists", cloud.map.create_http_namespace, Name="shop")
    other = cloud.create_namespace("private_dns", "shop")
    names = {each: cloud.map.get_namespace(Id=each)["Namespace"]["Properties"] for each in (namespace, other)}
    assert names[other]["HttpProperties"]["HttpName"].startswith("shop-")


def test_a_request_that_is_repeated_is_done_once(cloud: MapCloud) -> None:
    first, second = (cloud.map.create_http_namespace(Name="shop", CreatorRequestId="one") for _ in range(2))
    assert first["OperationId"] == second["OperationId"]
    namespace = cloud.succeed(first["OperationId"])["Targets"]["NAMESPACE"]
    change = {"Id": namespace, "UpdaterRequestId": "two", "Namespace": {"Description": "new"}}
    first, second = (cloud.map.update_http_namespace(**change) for _ in range(2))
    assert first["OperationId"] == second["OperationId"]


def test_a_namespace_is_changed(cloud: MapCloud) -> None:
    namespace = cloud.create_namespace()
    change = {"Description": "Another", "Properties": {"DnsProperties": {"SOA": {"TTL": 77}}}}
    cloud.succeed(cloud.map.update_public_dns_namespace(Id=namespace, Namespace=change)["OperationId"])
    found = cloud.map.get_namespace(Id=namespace)["Namespace"]
    assert (found["Description"], found["Properties"]["DnsProperties"]["SOA"]["TTL"]) == ("Another", 77)
    soa = next(each for each in cloud.list_records(cloud.get_zone(namespace)) if each["Type"] == "SOA")
    assert soa["TTL"] == 77
    fails("InvalidInput", cloud.map.update_http_namespace, Id=namespace, Namespace={"Description": "x"})


def test_a_namespace_is_deleted_with_its_zone(cloud: MapCloud) -> None:
    namespace = cloud.create_namespace()
    service = cloud.create_service(namespace)
    fails("ResourceInUse", cloud.map.delete_namespace, Id=namespace)
    cloud.map.delete_service(Id=service)
    cloud.succeed(cloud.map.delete_namespace(Id=namespace)["OperationId"])
    fails("NamespaceNotFound", cloud.map.get_namespace, Id=namespace)
    assert not cloud.route53.list_hosted_zones()["HostedZones"]


def test_namespaces_are_listed_by_filters(cloud: MapCloud) -> None:
    http, dns = cloud.create_namespace("http", "alpha"), cloud.create_namespace("public_dns", "beta.example")

    def find(name: str, value: str, condition: str = "EQ") -> list[str]:
        filters = [{"Name": name, "Values": [value], "Condition": condition}]
        return [each["Id"] for each in cloud.map.list_namespaces(Filters=filters)["Namespaces"]]

    assert find("TYPE", "HTTP") == [http]
    assert find("NAME", "beta", "BEGINS_WITH") == [dns]
    assert find("HTTP_NAME", "alpha") == [http]
    assert set(find("RESOURCE_OWNER", "SELF")) == {http, dns}
    several = [{"Name": "TYPE", "Values": ["HTTP", "DNS_PUBLIC"]}]
    fails("InvalidInput", cloud.map.list_namespaces, Filters=several)


def test_operations_are_listed_by_filters(cloud: MapCloud) -> None:
    namespace = cloud.create_namespace("http", "alpha")
    kinds = [{"Name": "TYPE", "Values": ["CREATE_NAMESPACE"]}, {"Name": "NAMESPACE_ID", "Values": [namespace]}]
    assert [each["Status"] for each in cloud.map.list_operations(Filters=kinds)["Operations"]] == ["SUCCESS"]
    later = [{"Name": "UPDATE_DATE", "Values": ["0", "1"], "Condition": "BETWEEN"}]
    assert not cloud.map.list_operations(Filters=later)["Operations"]
    fails("OperationNotFound", cloud.map.get_operation, OperationId="nothing")


def test_tags(cloud: MapCloud, aws: Aws) -> None:
    namespace = cloud.create_namespace("http", "alpha", Tags=[{"Key": "team", "Value": "a"}])
    arn = cloud.map.get_namespace(Id=namespace)["Namespace"]["Arn"]
    cloud.map.tag_resource(ResourceARN=arn, Tags=[{"Key": "stage", "Value": "test"}])
    cloud.map.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert cloud.map.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "stage", "Value": "test"}]
    fails("ResourceNotFoundException", cloud.map.list_tags_for_resource, ResourceARN=f"{arn}x")
    many = [{"Key": f"{number}", "Value": ""} for number in range(50)]
    fails("TooManyTagsException", cloud.map.tag_resource, ResourceARN=arn, Tags=many)
