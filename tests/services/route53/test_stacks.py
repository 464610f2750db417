"""Stacks with zones, records, health checks, CIDR collections and keys of Route 53."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.cloudformation.deploying import Stacks
from tests.services.cloudformation.drifting import list_drifts
from tests.services.route53.zone_cloud import ZoneCloud


@pytest.fixture
def stacks(aws: Aws) -> Stacks:
    return Stacks(aws)


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::Route53::{kind}", "Properties": properties}


def make_template(*addresses: str, comment: str = "ours") -> dict[str, Any]:
    config = {"Type": "TCP", "IPAddress": "192.0.2.1", "Port": 80, "FailureThreshold": len(addresses)}
    return {
        "Resources": {
            "Zone": resource(
                "HostedZone",
                Name="example.com",
                HostedZoneConfig={"Comment": comment},
                HostedZoneTags=[{"Key": "stage", "Value": comment}],
            ),
            "Check": resource("HealthCheck", HealthCheckConfig=config),
            "Www": resource(
                "RecordSet",
                HostedZoneId={"Ref": "Zone"},
                Name="www.example.com",
                Type="A",
                TTL="60",
                ResourceRecords=list(addresses),
            ),
            "Others": resource(
                "RecordSetGroup",
                HostedZoneId={"Fn::GetAtt": ["Zone", "Id"]},
                RecordSets=[
                    {"Name": f"{name}.example.com", "Type": "TXT", "TTL": "60", "ResourceRecords": [f'"{comment}"']}
                    for name in ("a", "b")
                ],
            ),
            "Offices": resource(
                "CidrCollection",
                Name="offices",
                Locations=[{"LocationName": "north", "CidrList": ["198.51.100.0/24"]}],
            ),
        },
        "Outputs": {
            "Zone": {"Value": {"Ref": "Zone"}},
            "Servers": {"Value": {"Fn::Join": [",", {"Fn::GetAtt": ["Zone", "NameServers"]}]}},
            "Www": {"Value": {"Ref": "Www"}},
            "Check": {"Value": {"Ref": "Check"}},
        },
    }


def test_a_stack_is_made_changed_and_deleted(cloud: ZoneCloud, stacks: Stacks) -> None:
    assert stacks.create("names", make_template("192.0.2.1"))["StackStatus"] == "CREATE_COMPLETE"
    told = stacks.outputs("names")
    zone = told["Zone"]
    assert cloud.ask(zone, "www.example.com") == ["192.0.2.1"]
    drifts = list_drifts(stacks, "names")
    assert drifts == {name: ("IN_SYNC", set()) for name in ("Zone", "Check", "Www", "Offices")}
    servers = cloud.route53.get_hosted_zone(Id=zone)["DelegationSet"]["NameServers"]
    assert (told["Servers"].split(","), told["Www"]) == (servers, "www.example.com")
    assert stacks.update("names", make_template("192.0.2.2", "192.0.2.3", comment="new"))["StackStatus"] == (
        "UPDATE_COMPLETE"
    )
    assert cloud.ask(zone, "www.example.com") == ["192.0.2.2", "192.0.2.3"]
    assert cloud.ask(zone, "a.example.com", "TXT") == ['"new"']
    assert cloud.route53.get_hosted_zone(Id=zone)["HostedZone"]["Config"]["Comment"] == "new"
    tags = cloud.route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=zone)["ResourceTagSet"]["Tags"]
    assert {"Key": "stage", "Value": "new"} in tags
    check = cloud.route53.get_health_check(HealthCheckId=told["Check"])["HealthCheck"]["HealthCheckConfig"]
    assert check["FailureThreshold"] == 2
    assert stacks.delete("names")["StackStatus"] == "DELETE_COMPLETE"
    assert not cloud.route53.list_hosted_zones()["HostedZones"]
    assert not cloud.route53.list_health_checks()["HealthChecks"]
    assert not cloud.route53.list_cidr_collections()["CidrCollections"]


def test_a_zone_is_told_by_its_name(cloud: ZoneCloud, stacks: Stacks) -> None:
    cloud.create_zone("aaa.example")
    zone = cloud.create_zone("shop.example")

    def make(name: str) -> dict[str, Any]:
        www = resource(
            "RecordSet",
            HostedZoneName="shop.example.",
            Name=name,
            Type="CNAME",
            TTL="60",
            ResourceRecords=["example.net"],
        )
        return {"Resources": {"Www": www}}

    assert stacks.create("named", make("www.shop.example"))["StackStatus"] == "CREATE_COMPLETE"
    assert cloud.ask(zone, "www.shop.example", "CNAME") == ["example.net"]
    assert stacks.update("named", make("web.shop.example"))["StackStatus"] == "UPDATE_COMPLETE"
    assert [each["Name"] for each in cloud.list_records(zone)][2:] == ["web.shop.example."]
    assert stacks.delete("named")["StackStatus"] == "DELETE_COMPLETE"
    assert len(cloud.list_records(zone)) == 2


def test_a_private_zone_of_two_vpcs(cloud: ZoneCloud, stacks: Stacks) -> None:
    vpcs = [{"VPCId": f"vpc-{cloud.account}{number}", "VPCRegion": "us-east-1"} for number in range(3)]

    def make(*chosen: dict[str, str]) -> dict[str, Any]:
        return {"Resources": {"Zone": resource("HostedZone", Name="shop.internal", VPCs=list(chosen))}}

    assert stacks.create("private", make(*vpcs[:2]))["StackStatus"] == "CREATE_COMPLETE"
    zone = stacks.physical_id("private", "Zone")
    assert cloud.route53.get_hosted_zone(Id=zone)["VPCs"] == vpcs[:2]
    assert stacks.update("private", make(*vpcs[1:]))["StackStatus"] == "UPDATE_COMPLETE"
    assert cloud.route53.get_hosted_zone(Id=zone)["VPCs"] == vpcs[1:]


def test_a_signed_zone(cloud: ZoneCloud, stacks: Stacks) -> None:
    key = cloud.aws.client("kms").create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    template = {
        "Resources": {
            "Zone": resource("HostedZone", Name="signed.example"),
            "Key": resource(
                "KeySigningKey",
                HostedZoneId={"Ref": "Zone"},
                Name="main",
                KeyManagementServiceArn=key,
                Status="ACTIVE",
            ),
            "Signing": {**resource("DNSSEC", HostedZoneId={"Ref": "Zone"}), "DependsOn": "Key"},
        }
    }
    assert stacks.create("signed", template)["StackStatus"] == "CREATE_COMPLETE"
    zone = stacks.physical_id("signed", "Zone")
    assert list_drifts(stacks, "signed") == {name: ("IN_SYNC", set()) for name in ("Zone", "Key", "Signing")}
    assert cloud.route53.get_dnssec(HostedZoneId=zone)["Status"]["ServeSignature"] == "SIGNING"
    assert stacks.delete("signed")["StackStatus"] == "DELETE_COMPLETE"
