"""Traffic policies: documents, versions, and the answers of their instances."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.services.route53.zone_cloud import ZoneCloud, fails, record

DOCUMENT = {
    "AWSPolicyFormatVersion": "2015-10-01",
    "RecordType": "A",
    "StartRule": "main",
    "Endpoints": {
        "one": {"Type": "value", "Value": "192.0.2.1"},
        "two": {"Type": "value", "Value": "192.0.2.2"},
        "three": {"Type": "value", "Value": "192.0.2.3"},
    },
    "Rules": {
        "main": {
            "RuleType": "geo",
            "Locations": [
                {"RuleReference": "split", "IsDefault": True},
                {"EndpointReference": "three", "Continent": "EU"},
            ],
        },
        "split": {
            "RuleType": "weighted",
            "Items": [
                {"EndpointReference": "one", "Weight": "1"},
                {"EndpointReference": "two", "Weight": "0"},
            ],
        },
    },
}


def create(cloud: ZoneCloud, document: dict[str, Any] | None = None, name: str = "spread") -> dict[str, Any]:
    made = cloud.route53.create_traffic_policy(Name=name, Document=json.dumps(document or DOCUMENT))
    policy: dict[str, Any] = made["TrafficPolicy"]
    return policy


def apply(cloud: ZoneCloud, zone: str, policy: dict[str, Any], name: str = "www.example.com") -> dict[str, Any]:
    made = cloud.route53.create_traffic_policy_instance(
        HostedZoneId=zone,
        Name=name,
        TTL=60,
        TrafficPolicyId=policy["Id"],
        TrafficPolicyVersion=policy["Version"],
    )
    instance: dict[str, Any] = made["TrafficPolicyInstance"]
    return instance


def test_an_instance_answers_by_its_rules(cloud: ZoneCloud, zone: str) -> None:
    instance = apply(cloud, zone, create(cloud))
    assert (instance["State"], instance["TrafficPolicyType"]) == ("Applied", "A")
    assert cloud.ask(zone, "www.example.com") == ["192.0.2.1"]
    assert cloud.list_records(zone)[-1] == {
        "Name": "www.example.com.",
        "Type": "A",
        "TrafficPolicyInstanceId": instance["Id"],
    }
    cloud.route53.delete_traffic_policy_instance(Id=instance["Id"])
    assert len(cloud.list_records(zone)) == 2
    fails("NoSuchTrafficPolicyInstance", cloud.route53.get_traffic_policy_instance, Id=instance["Id"])


def test_an_instance_is_given_another_version(cloud: ZoneCloud, zone: str) -> None:
    policy = create(cloud)
    instance = apply(cloud, zone, policy)
    changed = {**DOCUMENT, "StartRule": None, "StartEndpoint": "two"}
    document = json.dumps({key: value for key, value in changed.items() if value is not None})
    version = cloud.route53.create_traffic_policy_version(Id=policy["Id"], Document=document, Comment="second")
    assert (version["TrafficPolicy"]["Version"], version["TrafficPolicy"]["Comment"]) == (2, "second")
    cloud.route53.update_traffic_policy_instance(
        Id=instance["Id"], TTL=5, TrafficPolicyId=policy["Id"], TrafficPolicyVersion=2
    )
    assert cloud.ask(zone, "www.example.com") == ["192.0.2.2"]
    fails("TrafficPolicyInUse", cloud.route53.delete_traffic_policy, Id=policy["Id"], Version=2)
    cloud.route53.delete_traffic_policy(Id=policy["Id"], Version=1)
    fails("NoSuchTrafficPolicy", cloud.route53.get_traffic_policy, Id=policy["Id"], Version=1)


RULES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "failover": (
        {
            "RuleType": "failover",
            "Primary": {"EndpointReference": "one"},
            "Secondary": {"EndpointReference": "two"},
        },
        ["192.0.2.1"],
    ),
    "latency": (
        {
            "RuleType": "latency",
            "Regions": [
                {"EndpointReference": "one", "Region": "eu-west-1"},
                {"EndpointReference": "two", "Region": "us-east-1"},
            ],
        },
        ["192.0.2.2"],
    ),
    "geoproximity": (
        {
            "RuleType": "geoproximity",
            "GeoproximityLocations": [
                {"EndpointReference": "one", "Latitude": "50", "Longitude": "9"},
                {"EndpointReference": "two", "Region": "aws:route53:us-east-2", "Bias": "10"},
            ],
        },
        ["192.0.2.2"],
    ),
    "multivalue": (
        {"RuleType": "multivalue", "Items": [{"EndpointReference": "one"}, {"EndpointReference": "two"}]},
        ["192.0.2.1", "192.0.2.2"],
    ),
}


@pytest.mark.parametrize(("rule", "answers"), RULES.values(), ids=RULES)
def test_rules(cloud: ZoneCloud, zone: str, rule: dict[str, Any], answers: list[str]) -> None:
    apply(cloud, zone, create(cloud, {**DOCUMENT, "Rules": {"main": rule}}))
    assert sorted(cloud.ask(zone, "www.example.com")) == answers


INVALID: dict[str, Any] = {
    "no JSON": "{",
    "another version": json.dumps({**DOCUMENT, "AWSPolicyFormatVersion": "2000-01-01"}),
    "no type": json.dumps({**DOCUMENT, "RecordType": "SOA"}),
    "no start": json.dumps({**DOCUMENT, "StartRule": "nothing"}),
    "no rule": json.dumps({**DOCUMENT, "Rules": {"main": {"RuleType": "random"}}}),
    "a value of another type": json.dumps({**DOCUMENT, "RecordType": "AAAA"}),
    "in circles": json.dumps(
        {**DOCUMENT, "Rules": {"main": {"RuleType": "multivalue", "Items": [{"RuleReference": "main"}]}}}
    ),
}


@pytest.mark.parametrize("document", INVALID.values(), ids=INVALID)
def test_documents_that_make_no_sense(cloud: ZoneCloud, document: str) -> None:
    fails("InvalidTrafficPolicyDocument", cloud.route53.create_traffic_policy, Name="x", Document=document)


def test_policies_are_listed(cloud: ZoneCloud) -> None:
    policies = [create(cloud, name=name) for name in ("a", "b")]
    fails("TrafficPolicyAlreadyExists", create, cloud, name="a")
    page = cloud.route53.list_traffic_policies(MaxItems="1")
    assert page["IsTruncated"]
    rest = cloud.route53.list_traffic_policies(TrafficPolicyIdMarker=page["TrafficPolicyIdMarker"])
    listed = [*page["TrafficPolicySummaries"], *rest["TrafficPolicySummaries"]]
    assert {each["Id"] for each in listed} == {each["Id"] for each in policies}
    versions = cloud.route53.list_traffic_policy_versions(Id=policies[0]["Id"])["TrafficPolicies"]
    assert [each["Version"] for each in versions] == [1]
    told = {"Id": policies[0]["Id"], "Version": 1, "Comment": "new"}
    assert cloud.route53.update_traffic_policy_comment(**told)["TrafficPolicy"]["Comment"] == "new"


def test_instances_are_listed(cloud: ZoneCloud, zone: str) -> None:
    policy = create(cloud)
    names = ["a.example.com.", "b.example.com.", "c.example.com."]
    for name in names:
        apply(cloud, zone, policy, name)
    page = cloud.route53.list_traffic_policy_instances(MaxItems="2")
    assert [each["Name"] for each in page["TrafficPolicyInstances"]] == names[:2]
    assert page["TrafficPolicyInstanceNameMarker"] == names[2]
    in_zone = cloud.route53.list_traffic_policy_instances_by_hosted_zone(HostedZoneId=zone)
    assert len(in_zone["TrafficPolicyInstances"]) == 3
    told = {"TrafficPolicyId": policy["Id"], "TrafficPolicyVersion": 1}
    assert len(cloud.route53.list_traffic_policy_instances_by_policy(**told)["TrafficPolicyInstances"]) == 3
    assert cloud.route53.get_traffic_policy_instance_count()["TrafficPolicyInstanceCount"] == 3


def test_a_name_that_has_a_record_gets_no_instance(cloud: ZoneCloud, zone: str) -> None:
    cloud.create(zone, record("www.example.com", "A", "192.0.2.9"))
    fails("TrafficPolicyInstanceAlreadyExists", apply, cloud, zone, create(cloud))


def test_the_record_of_an_instance_is_changed_by_it_alone(cloud: ZoneCloud, zone: str) -> None:
    apply(cloud, zone, create(cloud))
    message = cloud.fail_change(zone, ("UPSERT", record("www.example.com", "A", "192.0.2.9")))
    assert "a traffic policy instance made it" in message
