"""Hosted zones: created, listed, associated with VPCs, tagged and deleted; delegation sets and limits."""

from __future__ import annotations

import pytest

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.route53.zone_cloud import ZoneCloud, fails, record


def test_a_public_zone_has_name_servers_and_two_records(cloud: ZoneCloud) -> None:
    made = cloud.route53.create_hosted_zone(
        Name="Example.COM", CallerReference="one", HostedZoneConfig={"Comment": "ours"}
    )
    zone = made["HostedZone"]
    assert (zone["Name"], zone["ResourceRecordSetCount"]) == ("example.com.", 2)
    assert zone["Config"] == {"Comment": "ours", "PrivateZone": False}
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert made["Location"].endswith(zone["Id"])
    servers = made["DelegationSet"]["NameServers"]
    assert len(set(servers)) == 4
    ns, soa = cloud.list_records(zone["Id"])
    assert ns["ResourceRecords"] == [{"Value": f"{server}."} for server in servers]
    assert soa["ResourceRecords"][0]["Value"] == (
        f"{servers[0]}. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"
    )
    found = cloud.route53.get_hosted_zone(Id=zone["Id"])
    assert (found["HostedZone"]["Id"], found["DelegationSet"]["NameServers"]) == (zone["Id"], servers)


def test_a_caller_reference_is_used_once(cloud: ZoneCloud) -> None:
    cloud.route53.create_hosted_zone(Name="example.com", CallerReference="one")
    fails("HostedZoneAlreadyExists", cloud.route53.create_hosted_zone, Name="example.net", CallerReference="one")


@pytest.mark.parametrize("name", ["a..example.com", "x" * 64 + ".com", "."])
def test_what_is_no_domain_name(cloud: ZoneCloud, name: str) -> None:
    fails("InvalidDomainName", cloud.create_zone, name)


def test_a_zone_with_records_is_not_deleted(cloud: ZoneCloud, zone: str) -> None:
    www = record("www.example.com", "A", "192.0.2.1")
    cloud.create(zone, www)
    fails("HostedZoneNotEmpty", cloud.route53.delete_hosted_zone, Id=zone)
    cloud.change(zone, ("DELETE", www))
    cloud.route53.delete_hosted_zone(Id=zone)
    assert fails("NoSuchHostedZone", cloud.route53.get_hosted_zone, Id=zone) == f"No hosted zone found with ID: {zone}"


def test_zones_are_listed_in_pages(cloud: ZoneCloud) -> None:
    made = {cloud.create_zone(f"z{number}.example.com") for number in range(5)}
    pages = cloud.route53.get_paginator("list_hosted_zones").paginate(PaginationConfig={"PageSize": 2})
    found = [each["Id"].removeprefix("/hostedzone/") for page in pages for each in page["HostedZones"]]
    assert (set(found), len(found)) == (made, 5)
    assert cloud.route53.get_hosted_zone_count()["HostedZoneCount"] == 5


def test_zones_are_listed_by_name(cloud: ZoneCloud) -> None:
    for name in ("b.example", "a.b.example", "a.example", "example"):
        cloud.create_zone(name)
    page = cloud.route53.list_hosted_zones_by_name(MaxItems="3")
    assert [each["Name"] for each in page["HostedZones"]] == ["example.", "a.example.", "b.example."]
    assert (page["IsTruncated"], page["NextDNSName"]) == (True, "a.b.example.")
    rest = cloud.route53.list_hosted_zones_by_name(DNSName="b.example")
    assert [each["Name"] for each in rest["HostedZones"]] == ["b.example.", "a.b.example."]
    fails("InvalidInput", cloud.route53.list_hosted_zones_by_name, HostedZoneId="Z1")


def test_a_comment_is_changed(cloud: ZoneCloud, zone: str) -> None:
    changed = cloud.route53.update_hosted_zone_comment(Id=zone, Comment="new")
    assert changed["HostedZone"]["Config"]["Comment"] == "new"


def test_a_private_zone_answers_for_its_vpcs(cloud: ZoneCloud) -> None:
    vpc, other_vpc = cloud.make_vpc(), cloud.make_vpc("eu-west-1")
    zone = cloud.create_zone("one.example", VPC=vpc)
    found = cloud.route53.get_hosted_zone(Id=zone)
    assert found["HostedZone"]["Config"]["PrivateZone"]
    assert (found["VPCs"], "DelegationSet" in found) == ([vpc], False)
    cloud.route53.associate_vpc_with_hosted_zone(HostedZoneId=zone, VPC=other_vpc)
    by_vpc = cloud.route53.list_hosted_zones_by_vpc(**other_vpc)["HostedZoneSummaries"]
    assert by_vpc == [{"HostedZoneId": zone, "Name": "one.example.", "Owner": {"OwningAccount": cloud.account}}]
    cloud.route53.disassociate_vpc_from_hosted_zone(HostedZoneId=zone, VPC=vpc)
    fails("LastVPCAssociation", cloud.route53.disassociate_vpc_from_hosted_zone, HostedZoneId=zone, VPC=other_vpc)
    fails("VPCAssociationNotFound", cloud.route53.disassociate_vpc_from_hosted_zone, HostedZoneId=zone, VPC=vpc)


def test_a_vpc_has_one_zone_of_a_name(cloud: ZoneCloud, zone: str) -> None:
    vpc = cloud.make_vpc()
    cloud.create_zone("two.example", VPC=vpc)
    fails("ConflictingDomainExists", cloud.create_zone, "two.example", VPC=vpc)
    fails("PublicZoneVPCAssociation", cloud.route53.associate_vpc_with_hosted_zone, HostedZoneId=zone, VPC=vpc)
    fails("InvalidInput", cloud.create_zone, HostedZoneConfig={"PrivateZone": True})


def test_a_vpc_of_another_account_is_associated_once_that_is_authorized(
    cloud: ZoneCloud, cloudlet_server: Server
) -> None:
    other = ZoneCloud(Aws(cloudlet_server.endpoint, fresh_account()))
    vpc, other_vpc = cloud.make_vpc(), other.make_vpc("eu-west-1")
    zone = cloud.create_zone("three.example", VPC=vpc)
    arguments = {"HostedZoneId": zone, "VPC": other_vpc}
    fails("NoSuchHostedZone", other.route53.associate_vpc_with_hosted_zone, **arguments)
    cloud.route53.create_vpc_association_authorization(**arguments)
    assert cloud.route53.list_vpc_association_authorizations(HostedZoneId=zone)["VPCs"] == [other_vpc]
    other.route53.associate_vpc_with_hosted_zone(**arguments)
    assert cloud.route53.get_hosted_zone(Id=zone)["VPCs"] == [vpc, other_vpc]
    cloud.route53.delete_vpc_association_authorization(**arguments)
    fails("VPCAssociationAuthorizationNotFound", cloud.route53.delete_vpc_association_authorization, **arguments)
    another = {"HostedZoneId": zone, "VPC": other.make_vpc()}
    fails("NotAuthorizedException", other.route53.associate_vpc_with_hosted_zone, **another)
    other.route53.disassociate_vpc_from_hosted_zone(**arguments)


def test_reusable_delegation_sets(cloud: ZoneCloud) -> None:
    made = cloud.route53.create_reusable_delegation_set(CallerReference="one")["DelegationSet"]
    fails("DelegationSetAlreadyCreated", cloud.route53.create_reusable_delegation_set, CallerReference="one")
    zone = cloud.create_zone(DelegationSetId=made["Id"])
    found = cloud.route53.get_hosted_zone(Id=zone)["DelegationSet"]
    assert (found["Id"], found["NameServers"]) == (made["Id"], made["NameServers"])
    fails("ConflictingDomainExists", cloud.create_zone, DelegationSetId=made["Id"])
    fails("DelegationSetInUse", cloud.route53.delete_reusable_delegation_set, Id=made["Id"])
    listed = cloud.route53.list_hosted_zones(DelegationSetId=made["Id"])["HostedZones"]
    assert [each["Id"] for each in listed] == [f"/hostedzone/{zone}"]
    limit = {"Type": "MAX_ZONES_BY_REUSABLE_DELEGATION_SET", "DelegationSetId": made["Id"]}
    assert cloud.route53.get_reusable_delegation_set_limit(**limit)["Count"] == 1
    cloud.route53.delete_hosted_zone(Id=zone)
    assert len(cloud.route53.list_reusable_delegation_sets()["DelegationSets"]) == 1
    cloud.route53.delete_reusable_delegation_set(Id=made["Id"])
    fails("NoSuchDelegationSet", cloud.route53.get_reusable_delegation_set, Id=made["Id"])


def test_the_delegation_set_of_a_zone_is_made_reusable(cloud: ZoneCloud, zone: str) -> None:
    servers = cloud.route53.get_hosted_zone(Id=zone)["DelegationSet"]["NameServers"]
    made = cloud.route53.create_reusable_delegation_set(CallerReference="one", HostedZoneId=zone)
    assert made["DelegationSet"]["NameServers"] == servers
    again = {"CallerReference": "two", "HostedZoneId": zone}
    fails("DelegationSetAlreadyReusable", cloud.route53.create_reusable_delegation_set, **again)
    nowhere = {"CallerReference": "three", "HostedZoneId": "Z1"}
    fails("HostedZoneNotFound", cloud.route53.create_reusable_delegation_set, **nowhere)


def test_tags(cloud: ZoneCloud, zone: str) -> None:
    told = {"ResourceType": "hostedzone", "ResourceId": zone}
    cloud.route53.change_tags_for_resource(**told, AddTags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    cloud.route53.change_tags_for_resource(**told, RemoveTagKeys=["a"])
    found = cloud.route53.list_tags_for_resource(**told)["ResourceTagSet"]
    assert found == {**told, "Tags": [{"Key": "b", "Value": "2"}]}
    several = cloud.route53.list_tags_for_resources(ResourceType="hostedzone", ResourceIds=[zone])
    assert several["ResourceTagSets"] == [found]
    fails("InvalidInput", cloud.route53.change_tags_for_resource, **told)
    fails("NoSuchHostedZone", cloud.route53.list_tags_for_resource, ResourceType="hostedzone", ResourceId="Z1")


def test_limits(cloud: ZoneCloud, zone: str) -> None:
    found = cloud.route53.get_account_limit(Type="MAX_HOSTED_ZONES_BY_OWNER")
    assert (found["Limit"]["Value"], found["Count"]) == (500, 1)
    records = cloud.route53.get_hosted_zone_limit(HostedZoneId=zone, Type="MAX_RRSETS_BY_ZONE")
    assert (records["Limit"]["Value"], records["Count"]) == (10_000, 2)
    fails(
        "HostedZoneNotPrivate",
        cloud.route53.get_hosted_zone_limit,
        HostedZoneId=zone,
        Type="MAX_VPCS_ASSOCIATED_BY_ZONE",
    )
    fails("InvalidInput", cloud.route53.get_account_limit, Type="MAX_HEALTH_CHECK_SOURCES_BY_OWNER")


def test_changes(cloud: ZoneCloud) -> None:
    fails("NoSuchChange", cloud.route53.get_change, Id="C1")


def test_locations(cloud: ZoneCloud) -> None:
    found = cloud.route53.get_geo_location(CountryCode="US", SubdivisionCode="CA")["GeoLocationDetails"]
    assert (found["CountryName"], found["SubdivisionName"]) == ("United States", "California")
    fails("NoSuchGeoLocation", cloud.route53.get_geo_location, CountryCode="ZZ")
    page = cloud.route53.list_geo_locations(MaxItems="8")
    assert page["GeoLocationDetailsList"][0] == {"ContinentCode": "AF", "ContinentName": "Africa"}
    assert (page["IsTruncated"], page["NextCountryCode"]) == (True, "AD")


def test_cidr_collections(cloud: ZoneCloud, zone: str) -> None:
    made = cloud.route53.create_cidr_collection(Name="offices", CallerReference="one")["Collection"]
    assert made["Arn"] == f"arn:aws:route53:::cidrcollection/{made['Id']}"
    fails(
        "CidrCollectionAlreadyExistsException",
        cloud.route53.create_cidr_collection,
        Name="offices",
        CallerReference="2",
    )
    put = {"LocationName": "north", "Action": "PUT", "CidrList": ["198.51.100.0/24", "203.0.113.0/24"]}
    cloud.route53.change_cidr_collection(Id=made["Id"], CollectionVersion=1, Changes=[put])
    fails(
        "CidrCollectionVersionMismatchException",
        cloud.route53.change_cidr_collection,
        Id=made["Id"],
        CollectionVersion=1,
        Changes=[put],
    )
    twice = {"LocationName": "south", "Action": "PUT", "CidrList": ["203.0.113.0/24"]}
    fails("CidrBlockInUseException", cloud.route53.change_cidr_collection, Id=made["Id"], Changes=[twice])
    long = {"LocationName": "south", "Action": "PUT", "CidrList": ["192.0.2.0/25"]}
    fails("InvalidInput", cloud.route53.change_cidr_collection, Id=made["Id"], Changes=[long])
    assert cloud.route53.list_cidr_locations(CollectionId=made["Id"])["CidrLocations"] == [{"LocationName": "north"}]
    blocks = cloud.route53.list_cidr_blocks(CollectionId=made["Id"], LocationName="north")["CidrBlocks"]
    assert [each["CidrBlock"] for each in blocks] == ["198.51.100.0/24", "203.0.113.0/24"]
    wanted = {"CollectionId": made["Id"], "LocationName": "nowhere"}
    fails("NoSuchCidrLocationException", cloud.route53.list_cidr_blocks, **wanted)
    routed = record(
        "i.example.com", "A", "192.0.2.1", SetIdentifier="a", CidrRoutingConfig={**wanted, "LocationName": "north"}
    )
    cloud.create(zone, routed)
    gone = [{**put, "Action": "DELETE_IF_EXISTS"}]
    fails("CidrBlockInUseException", cloud.route53.change_cidr_collection, Id=made["Id"], Changes=gone)
    fails("CidrCollectionInUseException", cloud.route53.delete_cidr_collection, Id=made["Id"])
    cloud.change(zone, ("DELETE", routed))
    cloud.route53.change_cidr_collection(Id=made["Id"], Changes=gone)
    cloud.route53.delete_cidr_collection(Id=made["Id"])
    assert not cloud.route53.list_cidr_collections()["CidrCollections"]
    fails("NoSuchCidrCollectionException", cloud.route53.delete_cidr_collection, Id=made["Id"])
