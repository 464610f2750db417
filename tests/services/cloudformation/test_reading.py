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
from tests.certificates import bring
from tests.services.cloudformation.deploying import Stacks
from tests.services.cloudformation.test_types import check_call
from tests.standing import eventually

TYPES = load_resource_types()
_FOLDER: Final = Path(__file__).parent

UNREADABLE: Final = {
    "AWS::ApiGateway::GatewayResponse",
    "AWS::CDK::Metadata",
    "AWS::CloudFormation::CustomResource",
    "AWS::CloudFormation::Macro",
    "AWS::CloudFormation::StackSet",
    "AWS::CloudFormation::WaitCondition",
    "AWS::CloudFormation::WaitConditionHandle",
    "AWS::IAM::Policy",
    "AWS::IAM::UserToGroupAddition",
    "AWS::Lambda::LayerVersionPermission",
    "AWS::Route53::RecordSetGroup",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
}
"""Types whose identifiers do not say what they are about: nothing that is there has them."""

NOT_TOLD: Final[dict[str, set[str]]] = {
    "AWS::Events::EventBusPolicy": {"Action", "Principal"},
    "AWS::IAM::ServiceLinkedRole": {"AWSServiceName"},
    "AWS::Lambda::Function": {"Code"},
    "AWS::Lambda::LayerVersion": {"Content"},
    "AWS::SSM::Parameter": {"Description", "Tier"},
    "AWS::SecretsManager::RotationSchedule": {"RotateImmediatelyOnUpdate"},
    "AWS::SecretsManager::Secret": {"GenerateSecretString", "SecretString"},
}
"""Properties that were given and are not read: write-only ones of AWS's schemas."""


def _load(name: str, **values: str) -> dict[str, Any]:
    text = (_FOLDER / name).read_text()
    for key, value in values.items():
        text = text.replace(f"{{{{{key}}}}}", value)
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


def _check_stack(stacks: Stacks, name: str, template: dict[str, Any]) -> None:
    text = json.dumps(template, separators=(",", ":"))
    stack = stacks.create(name, text, Capabilities=["CAPABILITY_NAMED_IAM"])
    failed = [event for event in stacks.events(name) if event[1].endswith("FAILED")]
    assert (stack["StackStatus"], failed) == ("CREATE_COMPLETE", [])
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
        # Versions of layers are listed by the layer, which is no resource.
        if find_listing(TYPES[resource["Type"]]) and resource["Type"] != "AWS::Lambda::LayerVersion"
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


def test_networks_are_read_as_they_were_given(stacks: Stacks) -> None:
    template = _load("network_types.json")
    _check_stack(stacks, "network", template)
    _check_scan(stacks, template)


def test_all_types_but_few_can_be_read() -> None:
    unreadable = {name for name in TYPES if find_reading(TYPES[name]) is None}
    assert {name for name in unreadable if not name.startswith(OWN_TYPES)} <= UNREADABLE
    listed = [name for name in TYPES if find_listing(TYPES[name]) is not None]
    assert len(listed) > 0.7 * len(TYPES)


def test_what_is_not_told_is_write_only() -> None:
    for name, properties in NOT_TOLD.items():
        write_only = {path.split("/")[0] for path in load_schema(name).write_only}
        assert properties <= write_only, name


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
