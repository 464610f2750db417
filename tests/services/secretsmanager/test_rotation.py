"""Rotation of secrets by functions of Lambda."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.queues import QueueCloud
from tests.services.s3.own_work import bucket
from tests.services.secretsmanager.cloud import SecretCloud, make_token
from tests.services.secretsmanager.rotator import RotationCloud
from tests.standing import Standing, eventually

STEPS = ["createSecret", "setSecret", "testSecret", "finishSecret"]


@pytest.fixture
def cloud(standing: Standing) -> RotationCloud:
    """A function and secrets; it is noon, where the clock stands."""
    standing.freeze("2030-03-13T12:00:00Z")
    return RotationCloud(standing.account())


def _describe(cloud: SecretCloud, id: str = "s") -> dict[str, Any]:
    found: dict[str, Any] = cloud.client.describe_secret(SecretId=id)
    return found


def _wait(cloud: SecretCloud, version: str) -> None:
    """Wait until a rotation has ended that makes a version."""

    def has_ended() -> bool:
        found = _describe(cloud)
        return "LastRotatedDate" in found and "AWSCURRENT" in found["VersionIdsToStages"].get(version, ())

    eventually(has_ended)


def _events(cloud: SecretCloud) -> list[dict[str, Any]]:
    """Return the service events about rotation."""
    pages = cloud.aws.client("cloudtrail").get_paginator("lookup_events")
    changes = pages.paginate(LookupAttributes=[{"AttributeKey": "ReadOnly", "AttributeValue": "false"}])
    records = [json.loads(each["CloudTrailEvent"]) for page in changes for each in page["Events"]]
    return [each for each in records if each["eventType"] == "AwsServiceEvent"]


def _wait_for_failures(cloud: SecretCloud, count: int) -> None:
    """Wait until so many attempts have failed, and the next one is due by the clock."""
    eventually(lambda: sum(each["eventName"] == "RotationFailed" for each in _events(cloud)) == count)


def test_a_rotation_calls_four_steps(cloud: RotationCloud) -> None:
    arn = cloud.create(ClientRequestToken=make_token(1))
    version = cloud.rotate(ClientRequestToken=make_token(2))
    assert version == make_token(2)
    events = cloud.calls(4)
    assert [each["Step"] for each in events] == STEPS
    assert {each["SecretId"] for each in events} == {arn}
    assert {each["ClientRequestToken"] for each in events} == {version}
    assert len({each["RotationToken"] for each in events}) == 1
    _wait(cloud, version)
    assert cloud.value() != "first"
    assert cloud.value(VersionStage="AWSPREVIOUS") == "first"
    found = _describe(cloud)
    assert (found["RotationEnabled"], found["RotationLambdaARN"]) == (True, cloud.function)
    assert "NextRotationDate" not in found


def test_a_rotation_shows_in_cloudtrail(cloud: RotationCloud) -> None:
    arn = cloud.create()
    _wait(cloud, cloud.rotate())
    events = eventually(lambda: _events(cloud), lambda events: len(events) == 2)
    assert {each["eventName"] for each in events} == {"RotationStarted", "RotationSucceeded"}
    assert {each["additionalEventData"]["SecretId"] for each in events} == {arn}


def test_eventbridge_is_told_of_rotations(cloud: RotationCloud) -> None:
    queues = QueueCloud(cloud.aws)
    url, queue = queues.queue("told")
    pattern = {"detail-type": ["AWS Service Event via CloudTrail"], "source": ["aws.secretsmanager"]}
    events = cloud.aws.client("events")
    events.put_rule(Name="rotations", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="rotations", Targets=[{"Id": "queue", "Arn": queue}])
    trails = cloud.aws.client("cloudtrail")
    s3 = cloud.aws.client("s3")
    files = bucket(s3)
    statement = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:*"}
    resources = [f"arn:aws:s3:::{files}", f"arn:aws:s3:::{files}/*"]
    policy = {"Version": "2012-10-17", "Statement": [{**statement, "Resource": resources}]}
    s3.put_bucket_policy(Bucket=files, Policy=json.dumps(policy))
    trails.create_trail(Name="audit", S3BucketName=files)
    trails.start_logging(Name="audit")
    arn = cloud.create()
    cloud.rotate()
    told = [each["detail"] for each in queues.bodies(url, 2)]
    assert {each["eventName"] for each in told} == {"RotationStarted", "RotationSucceeded"}
    assert {each["additionalEventData"]["SecretId"] for each in told} == {arn}


def test_a_step_that_fails_is_tried_again(cloud: RotationCloud, standing: Standing) -> None:
    cloud.create(Tags=[{"Key": "fails", "Value": "setSecret"}], ClientRequestToken=make_token(1))
    version = cloud.rotate()
    assert [each["Step"] for each in cloud.calls(2)] == STEPS[:2]
    events = eventually(lambda: _events(cloud), lambda events: len(events) == 2)
    assert {each["eventName"] for each in events} == {"RotationStarted", "RotationFailed"}
    (reason,) = [each["errorMessage"] for each in events if each["eventName"] == "RotationFailed"]
    assert reason.startswith("setSecret: ")
    assert cloud.stages() == {"AWSCURRENT": make_token(1), "AWSPENDING": version}
    cloud.client.untag_resource(SecretId="s", TagKeys=["fails"])
    standing.advance("1m")
    # The whole rotation is done again, with the same version.
    again = cloud.calls(4)
    assert [each["Step"] for each in again] == STEPS
    assert {each["ClientRequestToken"] for each in again} == {version}
    _wait(cloud, version)


def test_a_rotation_in_progress_is_not_begun_again(cloud: RotationCloud, standing: Standing) -> None:
    cloud.create(Tags=[{"Key": "fails", "Value": "createSecret"}])
    version = cloud.rotate(ClientRequestToken=make_token(2))
    assert cloud.rotate(ClientRequestToken=make_token(2)) == version
    assert cloud.refused("rotate_secret", SecretId="s") == (
        "InvalidRequestException",
        "A previous rotation isn't complete. That rotation will be reattempted.",
    )


def test_a_rotation_is_given_up_and_reattempted(cloud: RotationCloud, standing: Standing) -> None:
    cloud.create(Tags=[{"Key": "fails", "Value": "createSecret"}])
    version = cloud.rotate()
    cloud.calls(1)
    _wait_for_failures(cloud, 1)
    standing.advance("2h")
    cloud.calls(1)
    _wait_for_failures(cloud, 2)
    standing.advance("2h")
    assert cloud.is_quiet()
    assert cloud.stages()["AWSPENDING"] == version
    cloud.client.untag_resource(SecretId="s", TagKeys=["fails"])
    assert cloud.refused("rotate_secret", SecretId="s")[0] == "InvalidRequestException"
    _wait(cloud, version)


def test_a_value_that_is_put_abandons_a_rotation(cloud: RotationCloud, standing: Standing) -> None:
    cloud.create(Tags=[{"Key": "fails", "Value": "createSecret"}], ClientRequestToken=make_token(1))
    cloud.rotate()
    cloud.calls(1)
    cloud.client.put_secret_value(SecretId="s", SecretString="mine", ClientRequestToken=make_token(3))
    assert cloud.stages() == {"AWSCURRENT": make_token(3), "AWSPREVIOUS": make_token(1)}
    names = eventually(lambda: {each["eventName"] for each in _events(cloud)}, lambda seen: "RotationAbandoned" in seen)
    assert "RotationSucceeded" not in names
    standing.advance("2h")
    assert cloud.is_quiet()
    cloud.client.untag_resource(SecretId="s", TagKeys=["fails"])
    _wait(cloud, cloud.rotate())


def test_a_value_that_is_put_after_a_rotation_does_not_block_the_next_one(cloud: RotationCloud) -> None:
    cloud.create()
    _wait(cloud, cloud.rotate())
    cloud.client.put_secret_value(SecretId="s", SecretString="mine")
    assert "AWSPENDING" not in cloud.stages()
    version = cloud.rotate()
    _wait(cloud, version)
    assert cloud.value(VersionStage="AWSPREVIOUS") == "mine"


def test_an_abandoned_rotation_leaves_the_schedule(cloud: RotationCloud, standing: Standing) -> None:
    cloud.create()
    first = cloud.rotate(RotationRules={"ScheduleExpression": "rate(4 hours)"})
    _wait(cloud, first)
    cloud.calls(4)
    cloud.client.tag_resource(SecretId="s", Tags=[{"Key": "fails", "Value": "createSecret"}])
    standing.freeze("2030-03-13T16:00:00Z")
    cloud.calls(1)
    _wait_for_failures(cloud, 1)
    cloud.client.put_secret_value(SecretId="s", SecretString="mine")
    cloud.client.untag_resource(SecretId="s", TagKeys=["fails"])
    assert _describe(cloud)["NextRotationDate"].astimezone(UTC).hour == 21
    standing.freeze("2030-03-13T20:00:00Z")
    assert [each["Step"] for each in cloud.calls(4)] == STEPS


def test_a_rotation_can_be_cancelled(cloud: RotationCloud, standing: Standing) -> None:
    cloud.create(Tags=[{"Key": "fails", "Value": "createSecret"}])
    version = cloud.rotate(RotationRules={"AutomaticallyAfterDays": 1})
    cloud.calls(1)
    answer = cloud.client.cancel_rotate_secret(SecretId="s")
    assert answer["VersionId"] == version
    standing.advance("3d")
    assert cloud.is_quiet()
    found = _describe(cloud)
    assert not found["RotationEnabled"]
    assert found["RotationRules"] == {"AutomaticallyAfterDays": 1}
    assert "NextRotationDate" not in found
    assert cloud.stages()["AWSPENDING"] == version


def test_a_secret_is_rotated_after_some_days(cloud: RotationCloud, standing: Standing) -> None:
    cloud.create()
    first = cloud.rotate(RotationRules={"AutomaticallyAfterDays": 10})
    _wait(cloud, first)
    found = _describe(cloud)
    assert found["RotationRules"] == {"AutomaticallyAfterDays": 10}
    assert found["NextRotationDate"].astimezone(UTC) == datetime(2030, 3, 23, 23, 59, 59, tzinfo=UTC)
    standing.advance("9d")
    assert cloud.stages()["AWSCURRENT"] == first
    standing.advance("1d")
    eventually(lambda: cloud.stages()["AWSCURRENT"], lambda current: current != first)
    eventually(lambda: _describe(cloud)["NextRotationDate"].astimezone(UTC), lambda date: date.month == 4)


def test_a_value_that_is_put_counts_as_a_rotation(cloud: RotationCloud, standing: Standing) -> None:
    cloud.create()
    _wait(cloud, cloud.rotate(RotationRules={"AutomaticallyAfterDays": 10}))
    standing.advance("5d")
    cloud.client.put_secret_value(SecretId="s", SecretString="mine")
    assert _describe(cloud)["NextRotationDate"].astimezone(UTC).day == 28


def test_a_secret_is_rotated_by_a_cron_expression(cloud: RotationCloud, standing: Standing) -> None:
    cloud.create()
    rules = {"ScheduleExpression": "cron(0 16 1,15 * ? *)", "Duration": "2h"}
    first = cloud.rotate(RotationRules=rules)
    _wait(cloud, first)
    found = _describe(cloud)
    assert found["NextRotationDate"].astimezone(UTC) == datetime(2030, 3, 15, 18, tzinfo=UTC)
    # From the 15th to the 1st.
    assert found["RotationRules"] == {**rules, "AutomaticallyAfterDays": 17}
    standing.freeze("2030-03-15T16:00:00Z")
    eventually(lambda: cloud.stages()["AWSCURRENT"], lambda current: current != first)


def test_a_rotation_that_fails_is_tried_until_its_window_closes(cloud: RotationCloud, standing: Standing) -> None:
    cloud.create()
    first = cloud.rotate(RotationRules={"ScheduleExpression": "rate(4 hours)"})
    _wait(cloud, first)
    cloud.calls(4)
    cloud.client.tag_resource(SecretId="s", Tags=[{"Key": "fails", "Value": "createSecret"}])
    standing.freeze("2030-03-13T16:00:00Z")
    (failed,) = cloud.calls(1)
    _wait_for_failures(cloud, 1)
    assert _describe(cloud)["NextRotationDate"].astimezone(UTC) == datetime(2030, 3, 13, 17, tzinfo=UTC)
    standing.freeze("2030-03-13T16:30:00Z")
    cloud.calls(1)
    _wait_for_failures(cloud, 2)
    standing.freeze("2030-03-13T18:00:00Z")
    cloud.calls(1)
    eventually(lambda: _describe(cloud)["NextRotationDate"].astimezone(UTC).hour == 21)
    cloud.client.untag_resource(SecretId="s", TagKeys=["fails"])
    standing.freeze("2030-03-13T20:00:00Z")
    # The version that was not completed is the next one.
    _wait(cloud, failed["ClientRequestToken"])


def test_a_schedule_can_be_set_without_a_rotation(cloud: RotationCloud) -> None:
    cloud.create(ClientRequestToken=make_token(1))
    rules = {"AutomaticallyAfterDays": 10}
    version = cloud.rotate(RotationRules=rules, RotateImmediately=False)
    (tested,) = cloud.calls(1)
    assert (tested["Step"], tested["ClientRequestToken"]) == ("testSecret", version)
    eventually(cloud.stages, lambda stages: stages == {"AWSCURRENT": make_token(1)})
    assert len(cloud.client.list_secret_version_ids(SecretId="s", IncludeDeprecated=True)["Versions"]) == 1
    assert _describe(cloud)["NextRotationDate"].astimezone(UTC).day == 23
    assert cloud.value() == "first"
    names = eventually(lambda: {each["eventName"] for each in _events(cloud)}, lambda names: len(names) == 2)
    assert names == {"TestRotationStarted", "TestRotationSucceeded"}


def test_a_deleted_secret_is_not_rotated(cloud: RotationCloud, standing: Standing) -> None:
    cloud.create()
    first = cloud.rotate(RotationRules={"AutomaticallyAfterDays": 1})
    _wait(cloud, first)
    cloud.calls(4)
    cloud.client.delete_secret(SecretId="s")
    standing.advance("3d")
    assert cloud.is_quiet()
    cloud.client.restore_secret(SecretId="s")
    standing.advance("1d")
    eventually(lambda: cloud.stages()["AWSCURRENT"], lambda current: current != first)


def test_replicas_get_what_a_rotation_makes(cloud: RotationCloud) -> None:
    cloud.create(AddReplicaRegions=[{"Region": "eu-west-1"}])
    _wait(cloud, cloud.rotate())
    assert cloud.in_region("eu-west-1").value() == cloud.value()


def test_a_rotation_token_is_that_of_the_rotation(cloud: RotationCloud) -> None:
    cloud.create()
    token = "0" * 36
    params = {"SecretId": "s", "SecretString": "x", "RotationToken": token}
    assert cloud.refused("put_secret_value", **params)[0] == "InvalidParameterException"


def test_a_rotation_needs_a_function(aws: Aws) -> None:
    cloud = SecretCloud(aws)
    cloud.create()
    assert cloud.refused("rotate_secret", SecretId="s") == (
        "InvalidRequestException",
        "No Lambda rotation function ARN is associated with this secret.",
    )
    for arn in ("nonsense", f"arn:aws:sqs:us-east-1:{aws.account}:q"):
        assert cloud.refused("rotate_secret", SecretId="s", RotationLambdaARN=arn)[0] == "InvalidParameterException"
    absent = f"arn:aws:lambda:us-east-1:{aws.account}:function:none"
    assert cloud.refused("rotate_secret", SecretId="s", RotationLambdaARN=absent)[0] == "AccessDeniedException"
    assert cloud.refused("cancel_rotate_secret", SecretId="s")[0] == "InvalidRequestException"


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"Duration": "2h"},
        {"AutomaticallyAfterDays": 1, "ScheduleExpression": "rate(1 day)"},
        {"ScheduleExpression": "rate(3 hours)"},
        {"ScheduleExpression": "rate(1000 days)"},
        {"ScheduleExpression": "rate(10 minutes)"},
        {"ScheduleExpression": "rate(2 day)"},
        {"ScheduleExpression": "cron(5 16 * * ? *)"},
        {"ScheduleExpression": "cron(0 16 * * ? 2030)"},
        {"ScheduleExpression": "cron(0 0/2 * * ? *)"},
        {"ScheduleExpression": "cron(0 16 99 * ? *)"},
        {"ScheduleExpression": "tomorrow"},
        {"ScheduleExpression": "cron(0 20 * * ? *)", "Duration": "5h"},
        {"ScheduleExpression": "rate(4 hours)", "Duration": "5h"},
        {"AutomaticallyAfterDays": 1, "Duration": "25h"},
    ],
)
def test_schedules_make_sense(aws: Aws, rules: dict[str, Any]) -> None:
    cloud = SecretCloud(aws)
    cloud.create()
    assert cloud.refused("rotate_secret", SecretId="s", RotationRules=rules)[0] == (
        "InvalidParameterException" if rules else "InvalidRequestException"
    )
