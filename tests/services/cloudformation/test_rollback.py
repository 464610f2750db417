"""Operations that alarms roll back, that are cancelled, and rollbacks that go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.cloudformation.deploying import BROKEN, Stacks, as_text, parameter, queue
from tests.standing import Standing, eventually, standing_server


@pytest.fixture(scope="module")
def clock() -> Iterator[Standing]:
    with standing_server() as standing:
        yield standing


@pytest.fixture
def timed(clock: Standing) -> Stacks:
    """The stacks of an account where the clock stands."""
    return Stacks(clock.account())


def _make_alarm(stacks: Stacks) -> str:
    cloudwatch = stacks.aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="high",
        MetricName="m",
        Namespace="n",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        # What the test says stays, though nothing is measured.
        TreatMissingData="ignore",
    )
    arn: str = cloudwatch.describe_alarms()["MetricAlarms"][0]["AlarmArn"]
    return arn


def _raise_alarm(stacks: Stacks) -> None:
    stacks.aws.client("cloudwatch").set_alarm_state(AlarmName="high", StateValue="ALARM", StateReason="test")


def _trigger(arn: str, minutes: int = 0) -> dict[str, Any]:
    return {
        "RollbackTriggers": [{"Arn": arn, "Type": "AWS::CloudWatch::Alarm"}],
        "MonitoringTimeInMinutes": minutes,
    }


_TEMPLATE = {"Resources": {"Q": queue()}}
_CHANGED = {"Resources": {"Q": queue(DelaySeconds=3)}}


def test_an_alarm_in_the_monitoring_time_rolls_an_update_back(timed: Stacks, clock: Standing) -> None:
    configuration = _trigger(_make_alarm(timed), 10)
    timed.create("s", _TEMPLATE)
    timed.client.update_stack(StackName="s", TemplateBody=as_text(_CHANGED), RollbackConfiguration=configuration)
    eventually(lambda: ("Q", "UPDATE_COMPLETE", "") in timed.events("s"))
    clock.advance("5m")
    assert timed.describe("s")["StackStatus"] == "UPDATE_IN_PROGRESS"
    assert timed.describe("s")["RollbackConfiguration"] == configuration
    _raise_alarm(timed)
    clock.advance("10s")
    assert timed.wait("s")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    reason = f"The following rollback triggers are in ALARM state: [{configuration['RollbackTriggers'][0]['Arn']}]"
    assert any(text.startswith(reason) for _, _, text in timed.events("s"))


def test_a_stack_is_complete_once_the_monitoring_time_is_over(timed: Stacks, clock: Standing) -> None:
    options = {"RollbackConfiguration": _trigger(_make_alarm(timed), 10)}
    timed.client.create_stack(StackName="s", TemplateBody=as_text(_TEMPLATE), **options)
    eventually(lambda: ("Q", "CREATE_COMPLETE", "") in timed.events("s"))
    clock.advance("9m")
    assert timed.describe("s")["StackStatus"] == "CREATE_IN_PROGRESS"
    clock.advance("2m")
    assert timed.wait("s")["StackStatus"] == "CREATE_COMPLETE"

    # The triggers stay, until another list is given.
    _raise_alarm(timed)
    assert timed.update("s", _CHANGED)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    none = {"RollbackTriggers": [], "MonitoringTimeInMinutes": 0}
    assert timed.update("s", _CHANGED, RollbackConfiguration=none)["StackStatus"] == "UPDATE_COMPLETE"


def test_an_update_can_be_cancelled_in_the_monitoring_time(stacks: Stacks) -> None:
    stacks.create("s", _TEMPLATE)
    options = {"TemplateBody": as_text(_CHANGED), "RollbackConfiguration": {"MonitoringTimeInMinutes": 10}}
    stacks.client.update_stack(StackName="s", **options)
    eventually(lambda: ("Q", "UPDATE_COMPLETE", "") in stacks.events("s"))
    stacks.client.cancel_update_stack(StackName="s")
    assert stacks.wait("s")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert [status for name, status, _ in stacks.events("s") if name == "Q"].count("UPDATE_COMPLETE") == 2


def test_a_change_set_brings_its_triggers(stacks: Stacks) -> None:
    arn = _make_alarm(stacks)
    _raise_alarm(stacks)
    stacks.client.create_change_set(
        StackName="s",
        ChangeSetName="c",
        ChangeSetType="CREATE",
        TemplateBody=as_text(_TEMPLATE),
        RollbackConfiguration=_trigger(arn),
    )
    shown = stacks.client.describe_change_set(StackName="s", ChangeSetName="c")["RollbackConfiguration"]
    assert shown == _trigger(arn)
    stacks.client.execute_change_set(StackName="s", ChangeSetName="c")
    assert stacks.wait("s")["StackStatus"] == "ROLLBACK_COMPLETE"


def test_a_trigger_that_is_not_there_fails_the_operation(stacks: Stacks) -> None:
    arn = f"arn:aws:cloudwatch:us-east-1:{stacks.aws.account}:alarm:none"
    stack = stacks.create("s", _TEMPLATE, RollbackConfiguration=_trigger(arn))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any(reason.startswith(f"Rollback trigger {arn} does not exist") for _, _, reason in stacks.events("s"))


@pytest.mark.parametrize(
    ("arn", "kind", "message"),
    [
        ("arn:aws:cloudwatch:us-east-1:123456789012:alarm:a", "AWS::SQS::Queue", "Unsupported rollback trigger type"),
        ("a", "AWS::CloudWatch::Alarm", "Invalid rollback trigger ARN: a"),
    ],
)
def test_a_trigger_is_an_alarm(stacks: Stacks, arn: str, kind: str, message: str) -> None:
    configuration = {"RollbackTriggers": [{"Arn": arn, "Type": kind}]}
    with pytest.raises(ClientError, match=message):
        stacks.create("s", _TEMPLATE, RollbackConfiguration=configuration)


# Cancelled updates, and rollbacks that go on

_WAIT = {
    "Type": "AWS::CloudFormation::WaitCondition",
    "CreationPolicy": {"ResourceSignal": {"Count": 1, "Timeout": "PT1H"}},
}


def _logs(days: int, *, waits: bool = False) -> dict[str, Any]:
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "g", "RetentionInDays": days}}
    waiting = {"Wait": {**_WAIT, "DependsOn": "Group"}} if waits else {}
    return {"Resources": {"Group": group, "Q": queue(), **waiting}}


def _fail_rollback(stacks: Stacks, name: str = "s") -> None:
    """Let an update fail to be rolled back: what it has changed is gone."""
    eventually(lambda: ("Wait", "CREATE_IN_PROGRESS", "Resource creation Initiated") in stacks.events(name))
    stacks.aws.client("logs").delete_log_group(logGroupName="g")
    stacks.client.cancel_update_stack(StackName=name)


def _begin_failing(stacks: Stacks) -> None:
    stacks.create("s", _logs(1))
    stacks.client.update_stack(StackName="s", TemplateBody=as_text(_logs(3, waits=True)))
    _fail_rollback(stacks)
    assert stacks.wait("s")["StackStatus"] == "UPDATE_ROLLBACK_FAILED"


def test_a_rollback_goes_on_once_its_cause_is_mended(stacks: Stacks) -> None:
    _begin_failing(stacks)
    stacks.client.continue_update_rollback(StackName="s")
    assert stacks.wait("s")["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    stacks.aws.client("logs").create_log_group(logGroupName="g")
    stacks.client.continue_update_rollback(StackName="s", ClientRequestToken="again")
    assert stacks.wait("s")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", stacks.events("s")
    groups = stacks.aws.client("logs").describe_log_groups()["logGroups"]
    assert [one["retentionInDays"] for one in groups] == [1]
    assert stacks.client.describe_stack_events(StackName="s")["StackEvents"][0]["ClientRequestToken"] == "again"


def test_a_rollback_goes_on_without_resources(stacks: Stacks) -> None:
    _begin_failing(stacks)
    for name in ("Q", "None"):
        with pytest.raises(ClientError, match=f"Resource {name} does not exist, or is not in a failed state"):
            stacks.client.continue_update_rollback(StackName="s", ResourcesToSkip=[name])
    stacks.client.continue_update_rollback(StackName="s", ResourcesToSkip=["Group"])
    assert stacks.wait("s")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    detail = stacks.client.describe_stack_resource(StackName="s", LogicalResourceId="Group")["StackResourceDetail"]
    assert detail["ResourceStatus"] == "UPDATE_COMPLETE"
    with pytest.raises(ClientError, match="can not continue rollback"):
        stacks.client.continue_update_rollback(StackName="s")


def _nest(stacks: Stacks, key: str, inner: dict[str, Any]) -> dict[str, Any]:
    s3, bucket = stacks.aws.client("s3"), f"nested-{stacks.aws.account}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(inner))
    properties = {"TemplateURL": f"https://{bucket}.s3.amazonaws.com/{key}"}
    return {"Resources": {"Inner": {"Type": "AWS::CloudFormation::Stack", "Properties": properties}}}


def test_a_nested_stack_is_cancelled_with_its_parent(stacks: Stacks) -> None:
    stacks.create("outer", _nest(stacks, "a", _logs(1)))
    inner = stacks.physical_id("outer", "Inner")
    stacks.client.update_stack(StackName="outer", TemplateBody=as_text(_nest(stacks, "b", _logs(3, waits=True))))
    eventually(lambda: ("Wait", "CREATE_IN_PROGRESS", "Resource creation Initiated") in stacks.events(inner))
    stacks.client.cancel_update_stack(StackName="outer")
    assert stacks.wait("outer")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", stacks.events("outer")
    assert stacks.describe(inner)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"


def test_a_rollback_goes_on_in_nested_stacks(stacks: Stacks) -> None:
    stacks.create("outer", _nest(stacks, "a", _logs(1)))
    inner = stacks.physical_id("outer", "Inner")
    stacks.client.update_stack(StackName="outer", TemplateBody=as_text(_nest(stacks, "b", _logs(3, waits=True))))
    _fail_rollback(stacks, inner)
    assert stacks.wait("outer")["StackStatus"] == "UPDATE_ROLLBACK_FAILED", stacks.events("outer")
    name = stacks.describe(inner)["StackName"]
    stacks.client.continue_update_rollback(StackName="outer", ResourcesToSkip=[f"{name}.Group"])
    assert stacks.wait("outer")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", stacks.events("outer")
    assert stacks.describe(inner)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"


# Creation policies


def test_a_creation_policy_waits_for_signals(stacks: Stacks) -> None:
    stacks.client.create_stack(StackName="s", TemplateBody=as_text({"Resources": {"Wait": _WAIT}}))
    eventually(lambda: ("Wait", "CREATE_IN_PROGRESS", "Resource creation Initiated") in stacks.events("s"))
    stacks.client.signal_resource(StackName="s", LogicalResourceId="Wait", UniqueId="a", Status="SUCCESS")
    assert stacks.wait("s")["StackStatus"] == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match="Resource Wait is in CREATE_COMPLETE state and cannot be signaled"):
        stacks.client.signal_resource(StackName="s", LogicalResourceId="Wait", UniqueId="a", Status="SUCCESS")


def test_a_creation_policy_times_out(timed: Stacks, clock: Standing) -> None:
    timed.client.create_stack(StackName="s", TemplateBody=as_text({"Resources": {"Wait": _WAIT}}))
    eventually(lambda: ("Wait", "CREATE_IN_PROGRESS", "Resource creation Initiated") in timed.events("s"))
    clock.advance("61m")
    assert timed.wait("s")["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any(reason.startswith("WaitCondition timed out") for _, _, reason in timed.events("s"))


# Options


def test_what_is_done_on_failure_is_said_once(stacks: Stacks) -> None:
    with pytest.raises(ClientError, match="either DisableRollback or OnFailure, but not both"):
        stacks.create("s", _TEMPLATE, DisableRollback=False, OnFailure="DELETE")
    change = {"StackName": "s", "ChangeSetName": "c", "TemplateBody": as_text({"Resources": {"B": BROKEN}})}
    stacks.client.create_change_set(**change, ChangeSetType="CREATE", OnStackFailure="DELETE")
    with pytest.raises(ClientError, match="either DisableRollback or OnStackFailure, but not both"):
        stacks.client.execute_change_set(StackName="s", ChangeSetName="c", DisableRollback=True)
    stack_id = stacks.client.describe_change_set(StackName="s", ChangeSetName="c")["StackId"]
    stacks.client.execute_change_set(StackName="s", ChangeSetName="c")
    assert stacks.wait(stack_id)["StackStatus"] == "DELETE_COMPLETE"
    stacks.create("s", _TEMPLATE)
    with pytest.raises(ClientError, match="OnStackFailure DELETE is only valid when ChangeSetType is CREATE"):
        stacks.client.create_change_set(**change, OnStackFailure="DELETE")


def test_a_stack_is_deleted_by_force(stacks: Stacks) -> None:
    bucket = f"kept-{stacks.aws.account}"
    template = {
        "Resources": {
            "Q": queue(),
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": bucket}, "DependsOn": "Q"},
        }
    }
    stack_id = stacks.create("s", template)["StackId"]
    stacks.aws.client("s3").put_object(Bucket=bucket, Key="k", Body=b"")
    with pytest.raises(ClientError, match="only when it is in the DELETE_FAILED state"):
        stacks.client.delete_stack(StackName="s", DeletionMode="FORCE_DELETE_STACK")
    assert stacks.delete("s")["StackStatus"] == "DELETE_FAILED"
    assert len(stacks.queues()) == 1
    stacks.client.delete_stack(StackName="s", DeletionMode="FORCE_DELETE_STACK")
    assert stacks.wait(stack_id)["StackStatus"] == "DELETE_COMPLETE"
    assert stacks.queues() == []


def test_topics_are_removed_by_an_empty_list(stacks: Stacks) -> None:
    topic = stacks.aws.client("sns").create_topic(Name="t")["TopicArn"]
    stacks.create("s", _TEMPLATE, NotificationARNs=[topic])
    assert stacks.update("s", _CHANGED)["NotificationARNs"] == [topic]
    assert stacks.update("s", _TEMPLATE, NotificationARNs=[])["NotificationARNs"] == []


def test_a_stack_policy_is_read_from_a_bucket(stacks: Stacks) -> None:
    s3, bucket = stacks.aws.client("s3"), f"policies-{stacks.aws.account}"
    s3.create_bucket(Bucket=bucket)
    deny = {"Effect": "Deny", "Principal": "*", "Action": "Update:*", "Resource": "*"}
    s3.put_object(Bucket=bucket, Key="p", Body=json.dumps({"Statement": [deny]}))
    url = f"https://{bucket}.s3.amazonaws.com/p"
    stacks.create("s", _TEMPLATE)
    stacks.client.set_stack_policy(StackName="s", StackPolicyURL=url)
    assert stacks.update("s", _CHANGED)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    with pytest.raises(ClientError, match="cannot specify both StackPolicyBody and StackPolicyURL"):
        stacks.client.set_stack_policy(StackName="s", StackPolicyURL=url, StackPolicyBody="{}")


def test_limits_of_an_account(stacks: Stacks) -> None:
    limits = {one["Name"]: one["Value"] for one in stacks.client.describe_account_limits()["AccountLimits"]}
    assert limits == {"ConcurrentResourcesLimit": 160, "StackOutputsLimit": 200}


def test_tags_of_a_stack_reach_all_resources_with_tags(stacks: Stacks) -> None:
    template = {"Resources": {"Q": queue(), "P": parameter("v", Metadata={})}}
    stacks.create("s", template, Tags=[{"Key": "a", "Value": "b"}])
    queue_url = stacks.physical_id("s", "Q")
    assert stacks.aws.client("sqs").list_queue_tags(QueueUrl=queue_url)["Tags"] == {"a": "b"}
    found = stacks.aws.client("ssm").list_tags_for_resource(
        ResourceType="Parameter", ResourceId=stacks.physical_id("s", "P")
    )
    assert {"Key": "a", "Value": "b"} in found["TagList"]
