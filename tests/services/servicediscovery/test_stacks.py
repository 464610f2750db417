"""Stacks with namespaces, services and instances of Cloud Map."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.cloudformation.deploying import Stacks
from tests.services.cloudformation.drifting import list_drifts
from tests.services.servicediscovery.map_cloud import MapCloud


@pytest.fixture
def stacks(aws: Aws) -> Stacks:
    return Stacks(aws)


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::ServiceDiscovery::{kind}", "Properties": properties}


def make_template(address: str, description: str, ttl: int, account: str) -> dict[str, Any]:
    return {
        "Resources": {
            "Private": resource(
                "PrivateDnsNamespace", Name="shop.internal", Vpc=f"vpc-{account}", Description=description
            ),
            "Http": resource("HttpNamespace", Name="shop", Tags=[{"Key": "stage", "Value": description}]),
            "Web": resource(
                "Service",
                Name="web",
                NamespaceId={"Ref": "Private"},
                DnsConfig={"DnsRecords": [{"Type": "A", "TTL": ttl}]},
                ServiceAttributes={"port": f"{ttl}"},
            ),
            "One": resource(
                "Instance",
                ServiceId={"Ref": "Web"},
                InstanceId="one",
                InstanceAttributes={"AWS_INSTANCE_IPV4": address},
            ),
        },
        "Outputs": {
            "Private": {"Value": {"Ref": "Private"}},
            "Arn": {"Value": {"Fn::GetAtt": ["Private", "Arn"]}},
            "Zone": {"Value": {"Fn::GetAtt": ["Private", "HostedZoneId"]}},
            "Web": {"Value": {"Fn::GetAtt": ["Web", "Id"]}},
        },
    }


def test_a_stack_is_made_changed_and_deleted(cloud: MapCloud, stacks: Stacks) -> None:
    made = stacks.create("map", make_template("192.0.2.1", "first", 60, cloud.account))
    assert made["StackStatus"] == "CREATE_COMPLETE"
    told = stacks.outputs("map")
    assert told["Arn"] == f"arn:aws:servicediscovery:us-east-1:{cloud.account}:namespace/{told['Private']}"
    assert cloud.get_zone(told["Private"]) == told["Zone"]
    assert cloud.discover(told["Private"]) == ["one"]
    assert list_drifts(stacks, "map") == {
        "Private": ("IN_SYNC", {"Vpc"}),
        "Http": ("IN_SYNC", set()),
        "Web": ("IN_SYNC", set()),
        "One": ("IN_SYNC", set()),
    }
    changed = stacks.update("map", make_template("192.0.2.2", "second", 5, cloud.account))
    assert changed["StackStatus"] == "UPDATE_COMPLETE"
    record = cloud.list_published(told["Private"])[0]
    assert (record["TTL"], record["ResourceRecords"]) == (5, [{"Value": "192.0.2.2"}])
    assert cloud.map.get_namespace(Id=told["Private"])["Namespace"]["Description"] == "second"
    attributes = cloud.map.get_service_attributes(ServiceId=told["Web"])["ServiceAttributes"]["Attributes"]
    assert attributes == {"port": "5"}
    assert stacks.delete("map")["StackStatus"] == "DELETE_COMPLETE"
    assert not cloud.map.list_namespaces()["Namespaces"]
    assert not cloud.route53.list_hosted_zones()["HostedZones"]


def test_what_cannot_be_made_fails_the_stack(cloud: MapCloud, stacks: Stacks) -> None:
    vpc = f"vpc-{cloud.account}"
    cloud.create_zone("taken.internal", VPC={"VPCRegion": "us-east-1", "VPCId": vpc})
    template = {"Resources": {"Taken": resource("PrivateDnsNamespace", Name="taken.internal", Vpc=vpc)}}
    assert stacks.create("taken", template)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any("has already been associated" in reason for _, _, reason in stacks.events("taken"))
