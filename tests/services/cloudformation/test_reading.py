"""Reading: a resource of each type reads back what it was given."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest

from cloudlet.core.aws.resources.reader import find_listing, find_reading
from cloudlet.core.aws.resources.reading_declaration import Read
from cloudlet.core.aws.resources.registry import load_readings, load_resource_types, load_schema
from cloudlet.services.cloudformation.compiling import OWN_TYPES
from tests.certificates import bring, make_pair
from tests.services.cloudformation.deploying import Stacks
from tests.services.cloudformation.test_types import check_call
from tests.services.sts.saml import IdentityProvider
from tests.standing import eventually

TYPES = load_resource_types()
_FOLDER: Final = Path(__file__).parent

UNREADABLE: Final = {
    "AWS::ApiGateway::GatewayResponse",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::CDK::Metadata",
    "AWS::CloudFormation::CustomResource",
    "AWS::CloudFormation::Macro",
    "AWS::CloudFormation::StackSet",
    "AWS::CloudFormation::WaitCondition",
    "AWS::CloudFormation::WaitConditionHandle",
    "AWS::ElasticLoadBalancingV2::ListenerCertificate",
    "AWS::IAM::Policy",
    "AWS::IAM::UserToGroupAddition",
    "AWS::Lambda::LayerVersionPermission",
    "AWS::Route53::RecordSetGroup",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
}
"""Types whose identifiers do not say what they are about: nothing that is there has them."""

UNSCANNED: Final = {
    "AWS::ApiGatewayV2::IntegrationResponse",
    "AWS::ApiGatewayV2::RouteResponse",
    "AWS::Lambda::LayerVersion",
}
"""Types that are listed by more than one resource that they belong to, or by what is none."""

NOT_TOLD: Final[dict[str, set[str]]] = {
    "AWS::DynamoDB::GlobalTable": {"Replicas"},
    "AWS::Events::EventBusPolicy": {"Action", "Principal"},
    "AWS::IAM::ServerCertificate": {"CertificateBody", "PrivateKey"},
    "AWS::IAM::ServiceLinkedRole": {"AWSServiceName"},
    "AWS::Lambda::Function": {"Code"},
    "AWS::Lambda::LayerVersion": {"Content"},
    "AWS::SSM::Parameter": {"Description", "Tier"},
    "AWS::SecretsManager::RotationSchedule": {"RotateImmediatelyOnUpdate"},
    "AWS::SecretsManager::Secret": {"GenerateSecretString", "SecretString"},
}
"""Properties that were given and are not read: write-only ones of AWS's schemas, and ones that blocks name."""


def _load(name: str, **values: str) -> dict[str, Any]:
    text = (_FOLDER / name).read_text()
    for key, value in values.items():
        text = text.replace(f"{{{{{key}}}}}", json.dumps(value)[1:-1])
    template: dict[str, Any] = json.loads(text)
    return template


def _put_layer(stacks: Stacks) -> str:
    bucket = f"layers-{stacks.aws.account}"
    s3 = stacks.aws.client("s3")
    s3.create_bucket(Bucket=bucket)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as package:
        package.writestr("python/shared.py", "x = 1\n")
    s3.put_object(Bucket=bucket, Key="layer.zip", Body=packed.getvalue())
    return bucket


def _detect(stacks: Stacks, name: str) -> dict[str, dict[str, Any]]:
    client = stacks.client
    detection = client.detect_stack_drift(StackName=name)["StackDriftDetectionId"]
    eventually(
        lambda: client.describe_stack_drift_detection_status(StackDriftDetectionId=detection)["DetectionStatus"],
        lambda status: status != "DETECTION_IN_PROGRESS",
    )
    found: dict[str, dict[str, Any]] = {}
    token: dict[str, str] = {}
    while True:
        page = client.describe_stack_resource_drifts(StackName=name, MaxResults=50, **token)
        found |= {one["LogicalResourceId"]: one for one in page["StackResourceDrifts"]}
        if not page.get("NextToken"):
            return found
        token = {"NextToken": page["NextToken"]}


def _check_stack(stacks: Stacks, name: str, template: dict[str, Any], *, is_new: bool = True) -> None:
    text = json.dumps(template, separators=(",", ":"))
    deploy = stacks.create if is_new else stacks.update
    stack = deploy(name, text, Capabilities=["CAPABILITY_NAMED_IAM"])
    failed = [event for event in stacks.events(name) if event[1].endswith("FAILED")]
    assert (stack["StackStatus"], failed) == ("CREATE_COMPLETE" if is_new else "UPDATE_COMPLETE", [])
    drifts = _detect(stacks, name)
    kinds = {one: resource["Type"] for one, resource in template["Resources"].items()}
    assert {kind for one, kind in kinds.items() if one not in drifts} <= UNREADABLE
    for one, drift in drifts.items():
        assert drift["StackResourceDriftStatus"] == "IN_SYNC", (one, drift)
        expected, actual = json.loads(drift["ExpectedProperties"]), json.loads(drift["ActualProperties"])
        missing = {key for key, value in expected.items() if key not in actual and value not in ([], "", False)}
        assert missing <= NOT_TOLD.get(kinds[one], set()), (one, kinds[one], missing)


def _check_scan(stacks: Stacks, template: dict[str, Any]) -> None:
    """Scan the account: each resource of its stack whose type can be listed is found, and known for the stack's."""
    client = stacks.client
    scan = client.start_resource_scan()["ResourceScanId"]
    eventually(
        lambda: client.describe_resource_scan(ResourceScanId=scan)["Status"], lambda status: status == "COMPLETE"
    )
    pages = client.get_paginator("list_resource_scan_resources").paginate(ResourceScanId=scan)
    found = [one["ResourceType"] for page in pages for one in page["Resources"] if one["ManagedByStack"]]
    wanted = [
        resource["Type"]
        for resource in template["Resources"].values()
        if find_listing(TYPES[resource["Type"]]) and resource["Type"] not in UNSCANNED
    ]
    missing = sorted(set(wanted) - set(found))
    assert (missing, sorted(found)) == ([], sorted(wanted))


def test_resources_of_every_kind_are_read_as_they_were_given(stacks: Stacks) -> None:
    template = _load("every_type.json", bucket=_put_layer(stacks))
    _check_stack(stacks, "every", template)
    _check_scan(stacks, template)


def test_further_resources_are_read_as_they_were_given(stacks: Stacks) -> None:
    domain = f"z{stacks.aws.account}.example"
    certificate = bring(stacks.aws, f"*.{domain}")
    template = _load("further_types.json", certificate=certificate, domain=domain)
    _check_stack(stacks, "further", template)
    _check_scan(stacks, template)


def test_resources_that_change_are_read_as_they_are(stacks: Stacks) -> None:
    aws = stacks.aws
    primary = aws.client("kms", region_name="eu-west-1").create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
    pair = make_pair("web.example")
    template = _load(
        "changing_types.json",
        primary=primary,
        metadata=IdentityProvider().metadata(),
        other_metadata=IdentityProvider().metadata(),
        certificate=pair.body.decode(),
        key=pair.private.decode(),
    )
    changes = template.pop("Changes")
    _check_stack(stacks, "changing", template)
    _check_scan(stacks, template)
    before = _list_physical_ids(stacks, "changing")

    for name, properties in changes.items():
        template["Resources"][name]["Properties"] |= properties
    _check_stack(stacks, "changing", template, is_new=False)
    assert _list_physical_ids(stacks, "changing") == before

    control = aws.client("cloudcontrol")
    for name in ("Replica", "TopicPolicy", "Setting", "FunctionPolicy", "Notices"):
        given = template["Resources"][name]
        read = control.get_resource(TypeName=given["Type"], Identifier=before[name])["ResourceDescription"]
        assert set(given["Properties"]) <= set(json.loads(read["Properties"])), name

    del template["Resources"]["TopicPolicy"]
    _check_stack(stacks, "changing", template, is_new=False)
    policy = aws.client("sns").get_topic_attributes(TopicArn=before["Topic"])["Attributes"]["Policy"]
    assert json.loads(policy)["Id"] == "__default_policy_ID"
    assert stacks.delete("changing")["StackStatus"] == "DELETE_COMPLETE"
    assert aws.client("acm").get_account_configuration()["ExpiryEvents"] == {"DaysBeforeExpiry": 45}
    assert aws.client("kms").describe_key(KeyId=before["Replica"])["KeyMetadata"]["KeyState"] == "PendingDeletion"
    for name in ("Replica", "Store", "Setting", "FunctionPolicy"):
        with pytest.raises(control.exceptions.ResourceNotFoundException):
            control.get_resource(TypeName=template["Resources"][name]["Type"], Identifier=before[name])


def _list_physical_ids(stacks: Stacks, name: str) -> dict[str, str]:
    resources = stacks.client.describe_stack_resources(StackName=name)["StackResources"]
    return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources}


def test_networks_are_read_as_they_were_given(stacks: Stacks) -> None:
    template = _load("network_types.json")
    _check_stack(stacks, "network", template)
    _check_scan(stacks, template)


def test_all_types_but_few_can_be_read() -> None:
    unreadable = {name for name in TYPES if find_reading(TYPES[name]) is None}
    assert {name for name in unreadable if not name.startswith(OWN_TYPES)} <= UNREADABLE
    listed = [name for name in TYPES if find_listing(TYPES[name]) is not None]
    assert len(listed) > 0.7 * len(TYPES)


def test_what_is_not_told_is_write_only_or_declared_so() -> None:
    for name, properties in NOT_TOLD.items():
        write_only = {path.split("/")[0] for path in load_schema(name).write_only}
        reading = load_readings().get(name)
        assert properties <= write_only | set(() if reading is None else reading.unread), name


@pytest.mark.parametrize("name", sorted(load_readings()))
def test_a_reading_names_operations_and_properties_that_there_are(name: str) -> None:
    reading, declared, schema = load_readings()[name], TYPES[name], load_schema(name)
    assert set(reading.unread) <= set(schema.properties)
    calls = [] if reading.list is None else [reading.list.call]
    for read in (reading.base, *reading.others):
        if isinstance(read, Read):
            calls.append(read.call)
            assert set(read.properties) <= set(schema.properties)
        elif read is not None:
            calls += [read.names, read.call]
            assert read.property in schema.properties
    for call in calls:
        check_call(declared, call)
