"""Records: what a batch may change, what it is refused for, and the order in which records are listed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.route53.zone_cloud import ZoneCloud, alias, record

A = record("www.example.com", "A", "192.0.2.1")


def test_a_record_is_created_listed_and_answered(cloud: ZoneCloud, zone: str) -> None:
    cloud.create(zone, A)
    assert cloud.list_records(zone, StartRecordName="www.example.com")[0] == {
        "Name": "www.example.com.",
        "Type": "A",
        "TTL": 300,
        "ResourceRecords": [{"Value": "192.0.2.1"}],
    }
    assert cloud.ask(zone, "www.example.com") == ["192.0.2.1"]


def test_the_waiter_waits_until_it_is_answered(cloud: ZoneCloud, zone: str) -> None:
    cloud.route53.get_waiter("resource_record_sets_changed").wait(Id=cloud.change(zone, ("CREATE", A)))


def test_a_batch_is_done_as_a_whole_or_not_at_all(cloud: ZoneCloud, zone: str) -> None:
    message = cloud.fail_change(zone, ("CREATE", A), ("DELETE", record("gone.example.com", "A", "192.0.2.1")))
    assert message == (
        "[Tried to delete resource record set [name='gone.example.com.', type='A'] but it was not found]"
    )
    assert [each["Type"] for each in cloud.list_records(zone)] == ["NS", "SOA"]


def test_records_may_take_the_place_of_others_in_one_batch(cloud: ZoneCloud, zone: str) -> None:
    cloud.create(zone, A)
    cloud.change(zone, ("DELETE", A), ("CREATE", record("www.example.com", "CNAME", "example.net")))
    assert cloud.ask(zone, "www.example.com", "CNAME") == ["example.net"]


def test_upsert_creates_and_replaces(cloud: ZoneCloud, zone: str) -> None:
    cloud.change(zone, ("UPSERT", A))
    cloud.wait(cloud.change(zone, ("UPSERT", record("www.example.com", "A", "192.0.2.2", "192.0.2.3", ttl=60))))
    assert cloud.ask(zone, "www.example.com") == ["192.0.2.2", "192.0.2.3"]
    assert cloud.route53.get_hosted_zone(Id=zone)["HostedZone"]["ResourceRecordSetCount"] == 3


REFUSED = {
    "exists": (
        [("CREATE", A)],
        "[Tried to create resource record set [name='www.example.com.', type='A'] but it already exists]",
    ),
    "other values": (
        [("DELETE", record("www.example.com", "A", "192.0.2.9"))],
        "[Tried to delete resource record set [name='www.example.com.', type='A'] but the values provided do not match "
        "the current values]",
    ),
    "another zone": (
        [("CREATE", record("www.example.net", "A", "192.0.2.1"))],
        "[RRSet with DNS name www.example.net. is not permitted in zone example.com.]",
    ),
    "CNAME at the apex": (
        [("CREATE", record("example.com", "CNAME", "example.net"))],
        "[RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone example.com.]",
    ),
    "CNAME beside others": (
        [("CREATE", record("www.example.com", "CNAME", "example.net"))],
        "[RRSet of type CNAME with DNS name www.example.com. is not permitted as it conflicts with other records "
        "with the "
        "same DNS name in zone example.com.]",
    ),
    "twice": (
        [("UPSERT", A), ("UPSERT", A)],
        "[The request contains an invalid set of changes for a resource record set 'A www.example.com.']",
    ),
    "not an address": (
        [("CREATE", record("a.example.com", "A", "example.net"))],
        "[Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) "
        "encountered with 'example.net'']",
    ),
    "no quotation marks": (
        [("CREATE", record("a.example.com", "TXT", "hello"))],
        "[Invalid Resource Record: 'FATAL problem: InvalidCharacterString (Value should be enclosed in quotation "
        "marks) "
        "encountered with 'hello'']",
    ),
    "the zone's SOA": (
        [("DELETE", None)],
        "[A HostedZone must contain exactly one SOA record.]",
    ),
    "no such target": (
        [("CREATE", alias("b.example.com", "A", "ZONE", "nowhere.example.com"))],
        "[Tried to create an alias that targets nowhere.example.com., type A in zone ZONE, but that target was "
        "not found]",
    ),
    "target elsewhere": (
        [("CREATE", alias("b.example.com", "A", "ZONE", "example.net"))],
        "[Tried to create an alias that targets example.net., type A in zone ZONE, but the alias target name "
        "does not lie "
        "within the target zone, Tried to create an alias that targets example.net., type A in zone ZONE, but "
        "that target "
        "was not found]",
    ),
}


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(
    cloud: ZoneCloud, zone: str, changes: list[tuple[str, dict[str, Any] | None]], message: str
) -> None:
    cloud.create(zone, A)
    soa = next(each for each in cloud.list_records(zone) if each["Type"] == "SOA")
    given = []
    for action, wanted in changes:
        told = dict(soa if wanted is None else wanted)
        if "AliasTarget" in told:
            told["AliasTarget"] = {**told["AliasTarget"], "HostedZoneId": zone}
        given.append((action, told))
    assert cloud.fail_change(zone, *given).replace(zone, "ZONE") == message


INVALID = {
    "nothing": (
        {"Name": "a.example.com", "Type": "A"},
        "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or "
        "TrafficPolicyInstanceId], but found none in Change with [Action=CREATE, Name=a.example.com, Type=A, "
        "SetIdentifier=null]",
    ),
    "no identifier": (
        record("a.example.com", "A", "192.0.2.1", Region="us-east-1"),
        "Invalid request: Missing field 'SetIdentifier' in Change with [Action=CREATE, Name=a.example.com, Type=A, "
        "SetIdentifier=null]",
    ),
    "no policy": (
        record("a.example.com", "A", "192.0.2.1", SetIdentifier="one"),
        "Invalid request: Expected exactly one of [Weight, Region, Failover, GeoLocation, MultiValueAnswer, "
        "CidrRoutingConfig, or GeoProximityLocation], but found none in Change with [Action=CREATE, "
        "Name=a.example.com, "
        "Type=A, SetIdentifier=one]",
    ),
}


@pytest.mark.parametrize(("given", "message"), INVALID.values(), ids=INVALID)
def test_members_that_do_not_go_together(cloud: ZoneCloud, zone: str, given: dict[str, Any], message: str) -> None:
    assert cloud.fail_change(zone, ("CREATE", given), code="InvalidInput") == message


def weighted(identifier: str, weight: int, value: str = "192.0.2.1", **more: Any) -> dict[str, Any]:
    return record("w.example.com", "A", value, SetIdentifier=identifier, Weight=weight, **more)


CONFLICTS = {
    "a simple one": (
        record("w.example.com", "A", "192.0.2.9"),
        "RRSet with DNS name w.example.com., type A cannot be created as other RRSets exist with the same name "
        "and type.",
    ),
    "another policy": (
        record("w.example.com", "A", "192.0.2.9", SetIdentifier="two", Region="eu-west-1"),
        "RRSet with DNS name w.example.com., type A, SetIdentifier two cannot be created as a non-latency set "
        "exists with "
        "the same name and type.",
    ),
    "another time to live": (
        weighted("two", 1, ttl=60),
        "RRSet with DNS name w.example.com. and type A, SetIdentifier two cannot be created as weighted sets "
        "must contain "
        "the same TTL.",
    ),
}


@pytest.mark.parametrize(("given", "message"), CONFLICTS.values(), ids=CONFLICTS)
def test_policies_that_do_not_go_together(cloud: ZoneCloud, zone: str, given: dict[str, Any], message: str) -> None:
    cloud.create(zone, weighted("one", 1))
    assert message in cloud.fail_change(zone, ("CREATE", given))


def test_a_region_has_one_latency_record(cloud: ZoneCloud, zone: str) -> None:
    cloud.create(zone, record("l.example.com", "A", "192.0.2.1", SetIdentifier="one", Region="eu-west-1"))
    other = record("l.example.com", "A", "192.0.2.1", SetIdentifier="two", Region="eu-west-1")
    assert cloud.fail_change(zone, ("CREATE", other)) == (
        "[RRSet with DNS name l.example.com., type A, SetIdentifier two, and Region Name=eu-west-1 cannot be created "
        "because a latency RRSet with the same name, type and region already exists.]"
    )


VALUES = {
    "A": "192.0.2.1",
    "AAAA": "2001:db8::1",
    "CAA": '0 issue "ca.example.net"',
    "CNAME": "example.net",
    "DS": "12345 13 2 " + "ab" * 32,
    "HTTPS": '1 . alpn="h2,h3" port=8443',
    "MX": "10 mail.example.com",
    "NAPTR": '100 50 "s" "SIP+D2U" "" _sip._udp.example.com.',
    "NS": "ns1.example.net",
    "PTR": "www.example.com",
    "SPF": '"v=spf1 -all"',
    "SRV": "1 10 5269 xmpp.example.com.",
    "SSHFP": "2 1 " + "ab" * 20,
    "SVCB": "1 svc.example.net. port=443",
    "TLSA": "3 1 1 " + "ab" * 32,
    "TXT": '"one" "two \\"quoted\\" \\344"',
}


@pytest.mark.parametrize("kind", VALUES)
def test_each_type_has_its_values(cloud: ZoneCloud, zone: str, kind: str) -> None:
    cloud.create(zone, record("all.example.com", kind, VALUES[kind]))
    assert cloud.list_records(zone, StartRecordName="all.example.com")[0]["ResourceRecords"] == [
        {"Value": VALUES[kind]}
    ]


@pytest.mark.parametrize("kind", VALUES)
def test_each_type_refuses_what_is_no_value_of_it(cloud: ZoneCloud, zone: str, kind: str) -> None:
    message = cloud.fail_change(zone, ("CREATE", record("all.example.com", kind, "not one value of many")))
    assert "Invalid Resource Record: 'FATAL problem: " in message


def test_records_are_listed_by_their_labels_from_right_to_left(cloud: ZoneCloud, zone: str) -> None:
    names = ["b.example.com", "a.b.example.com", "*.example.com", "z.a.example.com", "b-b.example.com", "example.com"]
    cloud.create(zone, *(record(name, "TXT", '"x"') for name in names))
    listed = [each["Name"] for each in cloud.list_records(zone) if each["Type"] == "TXT"]
    assert listed == [
        "example.com.",
        "\\052.example.com.",
        "z.a.example.com.",
        "b-b.example.com.",
        "b.example.com.",
        "a.b.example.com.",
    ]


def test_records_are_listed_in_pages(cloud: ZoneCloud, zone: str) -> None:
    cloud.create(zone, *(weighted(f"{number}", 1) for number in range(5)))
    page = cloud.route53.list_resource_record_sets(HostedZoneId=zone, MaxItems="4")
    assert (page["IsTruncated"], page["NextRecordName"], page["NextRecordType"]) == (True, "w.example.com.", "A")
    assert page["NextRecordIdentifier"] == "2"
    pages = cloud.route53.get_paginator("list_resource_record_sets").paginate(
        HostedZoneId=zone, PaginationConfig={"PageSize": 2}
    )
    found = [each.get("SetIdentifier") for page in pages for each in page["ResourceRecordSets"]]
    assert found == [None, None, "0", "1", "2", "3", "4"]


def test_an_alias_answers_what_its_target_does(cloud: ZoneCloud, zone: str) -> None:
    cloud.create(zone, A, alias("example.com", "A", zone, "www.example.com"))
    assert cloud.ask(zone, "example.com") == ["192.0.2.1"]


def test_an_alias_of_an_endpoint_of_cloudlets(cloud: ZoneCloud, zone: str) -> None:
    target = "d-abcdefghij.execute-api.us-east-1.amazonaws.com"
    cloud.create(zone, alias("api.example.com", "A", "Z1UJRXOUMOOFQ8", target))
    assert cloud.ask(zone, "api.example.com") == ["127.0.0.1"]


def test_a_name_with_characters_that_are_escaped(cloud: ZoneCloud, zone: str) -> None:
    cloud.create(zone, record("\\052.example.com", "A", "192.0.2.1"), record("a b.example.com", "A", "192.0.2.2"))
    assert [each["Name"] for each in cloud.list_records(zone)][2:] == ["\\052.example.com.", "a\\040b.example.com."]
    assert cloud.ask(zone, "whatever.example.com") == ["192.0.2.1"]


def test_a_batch_has_a_thousand_values_at_most(cloud: ZoneCloud, zone: str) -> None:
    many = [record(f"r{number}.example.com", "A", "192.0.2.1") for number in range(501)]
    assert (
        cloud.fail_change(zone, *(("UPSERT", each) for each in many)) == "[Number of records limit of 1000 exceeded.]"
    )


def test_a_zone_that_is_not_there(cloud: ZoneCloud) -> None:
    assert cloud.fail_change("Z123", ("CREATE", A), code="NoSuchHostedZone") == "No hosted zone found with ID: Z123"


def test_a_health_check_that_is_not_there(cloud: ZoneCloud, zone: str) -> None:
    given = weighted("one", 1, HealthCheckId="12345678-1234-1234-1234-123456789012")
    assert "does not exist" in cloud.fail_change(zone, ("CREATE", given), code="NoSuchHealthCheck")
