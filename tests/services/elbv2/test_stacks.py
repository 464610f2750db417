"""Stacks with load balancers, listeners, rules, target groups and trust stores."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.cloudformation.deploying import Stacks
from tests.services.cloudformation.drifting import list_drifts
from tests.services.elbv2.lb_cloud import LbCloud
from tests.services.elbv2.test_listeners import import_certificate
from tests.services.elbv2.test_trust_stores import Trust, make_list


@pytest.fixture
def stacks(aws: Aws) -> Stacks:
    return Stacks(aws)


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::ElasticLoadBalancingV2::{kind}", "Properties": properties}


def make_template(cloud: LbCloud, path: str, priority: int, timeout: str, target: str) -> dict[str, Any]:
    return {
        "Resources": {
            "Balancer": resource(
                "LoadBalancer",
                Subnets=cloud.subnets[:2],
                LoadBalancerAttributes=[{"Key": "idle_timeout.timeout_seconds", "Value": timeout}],
                Tags=[{"Key": "stage", "Value": path}],
            ),
            "Group": resource(
                "TargetGroup",
                Protocol="HTTP",
                Port=80,
                VpcId=cloud.vpc,
                TargetType="ip",
                HealthCheckPath=path,
                TargetGroupAttributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "0"}],
                Targets=[{"Id": target, "Port": 80}],
            ),
            "Listener": resource(
                "Listener",
                LoadBalancerArn={"Ref": "Balancer"},
                Port=80,
                Protocol="HTTP",
                DefaultActions=[{"Type": "forward", "TargetGroupArn": {"Ref": "Group"}}],
            ),
            "Rule": resource(
                "ListenerRule",
                ListenerArn={"Ref": "Listener"},
                Priority=priority,
                Conditions=[{"Field": "path-pattern", "Values": [path]}],
                Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
            ),
        },
        "Outputs": {
            "Balancer": {"Value": {"Ref": "Balancer"}},
            "Group": {"Value": {"Ref": "Group"}},
            "Listener": {"Value": {"Ref": "Listener"}},
            "Name": {"Value": {"Fn::GetAtt": ["Balancer", "DNSName"]}},
            "Zone": {"Value": {"Fn::GetAtt": ["Balancer", "CanonicalHostedZoneID"]}},
            "FullName": {"Value": {"Fn::GetAtt": ["Balancer", "LoadBalancerFullName"]}},
            "GroupName": {"Value": {"Fn::GetAtt": ["Group", "TargetGroupFullName"]}},
        },
    }


def test_a_stack_is_made_changed_and_deleted(cloud: LbCloud, stacks: Stacks) -> None:
    made = stacks.create("web", make_template(cloud, "/a", 1, "61", "10.0.0.10"))
    assert made["StackStatus"] == "CREATE_COMPLETE"
    told = stacks.outputs("web")
    found = cloud.get(told["Balancer"])
    assert (told["Name"], told["Zone"]) == (found["DNSName"], found["CanonicalHostedZoneId"])
    assert told["FullName"] == told["Balancer"].partition(":loadbalancer/")[2]
    assert told["GroupName"] == told["Group"].rpartition(":")[2]
    assert [each["Target"]["Id"] for each in cloud.health(told["Group"])] == ["10.0.0.10"]
    assert {name: state for name, (state, _) in list_drifts(stacks, "web").items()} == dict.fromkeys(
        ("Balancer", "Group", "Listener", "Rule"), "IN_SYNC"
    )
    changed = stacks.update("web", make_template(cloud, "/b", 2, "62", "10.0.0.11"))
    assert changed["StackStatus"] == "UPDATE_COMPLETE"
    attributes = cloud.elb.describe_load_balancer_attributes(LoadBalancerArn=told["Balancer"])["Attributes"]
    assert {"Key": "idle_timeout.timeout_seconds", "Value": "62"} in attributes
    rule = cloud.elb.describe_rules(ListenerArn=told["Listener"])["Rules"][0]
    assert (rule["Priority"], rule["Conditions"][0]["Values"]) == ("2", ["/b"])
    assert cloud.get_group(told["Group"])["HealthCheckPath"] == "/b"
    assert [each["Target"]["Id"] for each in cloud.health(told["Group"])] == ["10.0.0.11"]
    assert stacks.delete("web")["StackStatus"] == "DELETE_COMPLETE"
    assert not cloud.elb.describe_load_balancers()["LoadBalancers"]
    assert not cloud.elb.describe_target_groups()["TargetGroups"]


def test_certificates_and_trust_stores(cloud: LbCloud, stacks: Stacks) -> None:
    trust, default, other = Trust(cloud), import_certificate(cloud), import_certificate(cloud, "b.example")
    trust.put("one.crl", make_list(trust.authority, 1))
    bundle = {"CaCertificatesBundleS3Bucket": trust.bucket, "CaCertificatesBundleS3Key": "ca.pem"}
    template: dict[str, Any] = {
        "Resources": {
            "Balancer": resource("LoadBalancer", Scheme="internal", Subnets=cloud.subnets[:2]),
            "Store": resource("TrustStore", Name="clients", **bundle),
            "Revocation": resource(
                "TrustStoreRevocation",
                TrustStoreArn={"Ref": "Store"},
                RevocationContents=[{"S3Bucket": trust.bucket, "S3Key": "one.crl"}],
            ),
            "Listener": resource(
                "Listener",
                LoadBalancerArn={"Ref": "Balancer"},
                Port=443,
                Protocol="HTTPS",
                Certificates=[{"CertificateArn": default}],
                MutualAuthentication={"Mode": "verify", "TrustStoreArn": {"Ref": "Store"}},
                DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}],
            ),
            "Certificates": resource(
                "ListenerCertificate",
                ListenerArn={"Ref": "Listener"},
                Certificates=[{"CertificateArn": other}],
            ),
        },
        "Outputs": {"Listener": {"Value": {"Ref": "Listener"}}},
    }
    assert stacks.create("secure", template)["StackStatus"] == "CREATE_COMPLETE"
    listener = stacks.outputs("secure")["Listener"]
    found = cloud.elb.describe_listener_certificates(ListenerArn=listener)["Certificates"]
    assert [each["CertificateArn"] for each in found] == [default, other]
    store = cloud.elb.describe_trust_stores()["TrustStores"][0]
    assert (store["Name"], store["TotalRevokedEntries"]) == ("clients", 1)
    # Certificates of listeners cannot be read by their generated name.
    assert {name: state for name, (state, _) in list_drifts(stacks, "secure").items()} == dict.fromkeys(
        ("Balancer", "Store", "Revocation", "Listener"), "IN_SYNC"
    )
    assert stacks.delete("secure")["StackStatus"] == "DELETE_COMPLETE"
    assert not cloud.elb.describe_trust_stores()["TrustStores"]


def test_what_cannot_be_made_fails_the_stack(cloud: LbCloud, stacks: Stacks) -> None:
    template = {"Resources": {"Balancer": resource("LoadBalancer", Subnets=cloud.subnets[:1])}}
    assert stacks.create("web", template)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any("two different Availability Zones" in reason for _, _, reason in stacks.events("web"))
