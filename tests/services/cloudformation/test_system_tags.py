"""The tags `aws:cloudformation:…` of resources of stacks, which nobody else can set, change or remove."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws
from tests.refused import code_of
from tests.services.cloudformation.deploying import Stacks, as_text, parameter, queue
from tests.services.cloudformation.drifting import list_drifts

_TEMPLATE: dict[str, Any] = {
    "Resources": {
        "B": {"Type": "AWS::S3::Bucket", "Properties": {"Tags": [{"Key": "own", "Value": "1"}]}},
        "P": parameter("v"),
        "T": {"Type": "AWS::SNS::Topic"},
        "L": {"Type": "AWS::Logs::LogGroup"},
        "V": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
        "Q": queue(),
    }
}


def _read_tags(aws: Aws, stacks: Stacks) -> dict[str, dict[str, str]]:
    """Return the tags of all resources, as their services tell them."""
    name = {one: stacks.physical_id("s", one) for one in _TEMPLATE["Resources"]}
    lists = {
        "B": aws.client("s3").get_bucket_tagging(Bucket=name["B"])["TagSet"],
        "P": aws.client("ssm").list_tags_for_resource(ResourceType="Parameter", ResourceId=name["P"])["TagList"],
        "T": aws.client("sns").list_tags_for_resource(ResourceArn=name["T"])["Tags"],
        "V": aws.client("ec2").describe_vpcs(VpcIds=[name["V"]])["Vpcs"][0]["Tags"],
    }
    found = {one: {tag["Key"]: tag["Value"] for tag in tags} for one, tags in lists.items()}
    found["L"] = aws.client("logs").list_tags_log_group(logGroupName=name["L"])["tags"]
    found["Q"] = aws.client("sqs").list_queue_tags(QueueUrl=name["Q"]).get("Tags", {})
    return found


@pytest.fixture
def deployed(stacks: Stacks) -> Stacks:
    assert stacks.create("s", _TEMPLATE)["StackStatus"] == "CREATE_COMPLETE", stacks.events("s")
    return stacks


def test_resources_have_them_and_they_are_no_drift_nor_change(aws: Aws, deployed: Stacks) -> None:
    stack = {
        "aws:cloudformation:stack-name": "s",
        "aws:cloudformation:stack-id": deployed.describe("s")["StackId"],
    }
    own = {one: stack | {"aws:cloudformation:logical-id": one} for one in _TEMPLATE["Resources"]}
    # AWS's schema of queues says that they have none.
    assert _read_tags(aws, deployed) == own | {"B": own["B"] | {"own": "1"}, "Q": {}}
    assert {status for status, _ in list_drifts(deployed, "s").values()} == {"IN_SYNC"}
    with pytest.raises(ClientError, match="No updates are to be performed"):
        deployed.update("s", _TEMPLATE)

    changed = {"Resources": {**_TEMPLATE["Resources"], "B": {"Type": "AWS::S3::Bucket"}}}
    tags = [{"Key": "team", "Value": "shop"}]
    assert deployed.update("s", changed, Tags=tags)["StackStatus"] == "UPDATE_COMPLETE", deployed.events("s")
    team = {one: tags | {"team": "shop"} for one, tags in own.items()}
    assert _read_tags(aws, deployed) == team | {"Q": {"team": "shop"}}
    assert {status for status, _ in list_drifts(deployed, "s").values()} == {"IN_SYNC"}


def test_nobody_else_sets_or_removes_them(aws: Aws, deployed: Stacks) -> None:
    key, topic = "aws:cloudformation:stack-name", deployed.physical_id("s", "T")
    sns, s3, bucket = aws.client("sns"), aws.client("s3"), deployed.physical_id("s", "B")
    named = {"ResourceType": "Parameter", "ResourceId": deployed.physical_id("s", "P")}
    before = _read_tags(aws, deployed)
    refused = [
        code_of(sns.tag_resource, ResourceArn=topic, Tags=[{"Key": key, "Value": "other"}]),
        code_of(sns.untag_resource, ResourceArn=topic, TagKeys=[key]),
        code_of(aws.client("ssm").add_tags_to_resource, **named, Tags=[{"Key": key, "Value": "other"}]),
        code_of(aws.client("ssm").remove_tags_from_resource, **named, TagKeys=[key]),
        code_of(s3.put_bucket_tagging, Bucket=bucket, Tagging={"TagSet": [{"Key": "own", "Value": "2"}]}),
        code_of(s3.delete_bucket_tagging, Bucket=bucket),
        code_of(aws.client("ec2").delete_tags, Resources=[deployed.physical_id("s", "V")], Tags=[{"Key": key}]),
    ]
    assert refused == [
        "InvalidParameter",
        "InvalidParameter",
        "ValidationException",
        "ValidationException",
        "InvalidTag",
        "InvalidTag",
        "InvalidParameterValue",
    ]
    assert _read_tags(aws, deployed) == before
    # What a bucket has of them may be put again, as AWS's clients do.
    kept = [{"Key": name, "Value": value} for name, value in before["B"].items()]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [*kept, {"Key": "more", "Value": "2"}]})
    # They do not count.
    many = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
    sns.tag_resource(ResourceArn=topic, Tags=many)
    assert code_of(sns.tag_resource, ResourceArn=topic, Tags=[{"Key": "one", "Value": ""}]) == "TagLimitExceeded"


def test_templates_cannot_have_them(stacks: Stacks) -> None:
    tags = [{"Key": "aws:cloudformation:stack-name", "Value": "other"}]
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"Tags": tags}}
    assert stacks.create("s", {"Resources": {"T": topic}})["StackStatus"] == "ROLLBACK_COMPLETE"
    reason = "aws: prefixed tag key names are not allowed for external use."
    assert ("T", "CREATE_FAILED", reason) in stacks.events("s")
    for key in ("aws:cloudformation:stack-name", "aws:mine"):
        given = [{"Key": key, "Value": "v"}]
        with pytest.raises(ClientError, match="aws:") as raised:
            stacks.client.create_stack(StackName="t", TemplateBody=as_text(_TEMPLATE), Tags=given)
        assert raised.value.response["Error"]["Code"] == "ValidationError"
