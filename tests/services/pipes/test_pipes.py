"""The operations on pipes and their tags, and their states."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.refused import code_of
from tests.services.pipes.cloud import PipesCloud
from tests.standing import eventually

_QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
_STREAM = "arn:aws:dynamodb:us-east-1:{account}:table/table/stream/2030-01-01T00:00:00.000"


def test_a_pipe_is_shown_as_it_was_created(cloud: PipesCloud) -> None:
    _, arn = cloud.queue()
    source = {"FilterCriteria": {"Filters": [{"Pattern": '{"body":["x"]}'}]}}
    own = cloud.pipe(
        arn,
        Description="d",
        DesiredState="STOPPED",
        SourceParameters=source,
        TargetParameters={"InputTemplate": "t"},
        Tags={"a": "1"},
    )
    assert own == f"arn:aws:pipes:us-east-1:{cloud.account}:pipe/p"
    shown = cloud.pipes.describe_pipe(Name="p")
    assert (shown["Arn"], shown["Description"], shown["RoleArn"]) == (own, "d", cloud.role)
    assert shown["SourceParameters"] == {**source, "SqsQueueParameters": {"BatchSize": 10}}
    assert (shown["TargetParameters"], shown["Tags"]) == ({"InputTemplate": "t"}, {"a": "1"})
    assert (shown["DesiredState"], shown["CurrentState"]) == ("STOPPED", "STOPPED")
    assert cloud.refused(arn)[0] == "ConflictException"
    assert code_of(cloud.pipes.describe_pipe, Name="other") == "NotFoundException"


def test_a_pipe_stops_starts_changes_and_goes(cloud: PipesCloud) -> None:
    url, arn = cloud.queue()
    other, other_arn = cloud.queue("other")
    cloud.pipe(arn)
    assert cloud.pipes.stop_pipe(Name="p")["CurrentState"] == "STOPPING"
    assert cloud.settled()["CurrentState"] == "STOPPED"
    cloud.send("one")
    assert cloud.left(url) == 0
    assert cloud.pipes.start_pipe(Name="p")["CurrentState"] == "STARTING"
    assert cloud.bodies(url)[0]["body"] == "one"
    cloud.settled()
    changed = cloud.pipes.update_pipe(
        Name="p", RoleArn=cloud.role, Target=other_arn, TargetParameters={"InputTemplate": '"<$.body>!"'}
    )
    assert changed["CurrentState"] == "UPDATING"
    cloud.settled()
    cloud.send("two")
    assert cloud.bodies(other) == ["two!"]
    assert cloud.pipes.delete_pipe(Name="p")["DesiredState"] == "DELETED"
    eventually(lambda: cloud.pipes.list_pipes()["Pipes"], lambda pipes: not pipes)
    cloud.send("three")
    assert cloud.left(cloud.source) == 1
    for call in (cloud.pipes.delete_pipe, cloud.pipes.start_pipe, cloud.pipes.stop_pipe):
        assert code_of(call, Name="p") == "NotFoundException"


def test_a_pipe_from_what_is_not_there_fails_and_can_be_started_later(cloud: PipesCloud) -> None:
    url, arn = cloud.queue()
    source = f"arn:aws:sqs:us-east-1:{cloud.account}:later"
    cloud.pipes.create_pipe(Name="p", Source=source, Target=arn, RoleArn=cloud.role)
    shown = cloud.settled()
    assert shown["CurrentState"] == "CREATE_FAILED"
    assert "does not exist" in shown["StateReason"]
    later, _ = cloud.queue("later")
    cloud.pipes.start_pipe(Name="p")
    assert cloud.settled()["CurrentState"] == "RUNNING"
    cloud.sqs.send_message(QueueUrl=later, MessageBody="x")
    assert cloud.bodies(url)[0]["body"] == "x"


def test_pipes_are_listed_by_name_state_source_and_target(cloud: PipesCloud) -> None:
    _, arn = cloud.queue()
    _, other = cloud.queue("other")
    for name, target in (("a1", arn), ("a2", other), ("b1", arn)):
        cloud.pipe(target, name=name, DesiredState="STOPPED" if name == "a2" else "RUNNING")

    def names(**more: Any) -> list[str]:
        return [pipe["Name"] for pipe in cloud.pipes.list_pipes(**more)["Pipes"]]

    assert names() == ["a1", "a2", "b1"]
    assert names(NamePrefix="a") == ["a1", "a2"]
    assert names(TargetPrefix=arn) == ["a1", "b1"]
    assert names(SourcePrefix=cloud.source_arn, CurrentState="STOPPED") == ["a2"]
    assert names(DesiredState="RUNNING") == ["a1", "b1"]
    pages = list(cloud.pipes.get_paginator("list_pipes").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["Pipes"]) for page in pages] == [2, 1]
    assert code_of(cloud.pipes.list_pipes, NextToken="!") == "ValidationException"


def test_pipes_have_tags(cloud: PipesCloud) -> None:
    _, arn = cloud.queue()
    own = cloud.pipe(arn, DesiredState="STOPPED", Tags={"a": "1"})
    cloud.pipes.tag_resource(resourceArn=own, tags={"b": "2"})
    cloud.pipes.untag_resource(resourceArn=own, tagKeys=["a"])
    assert cloud.pipes.list_tags_for_resource(resourceArn=own)["tags"] == {"b": "2"}
    assert code_of(cloud.pipes.tag_resource, resourceArn=own, tags={"aws:a": "1"}) == "ValidationException"
    assert code_of(cloud.pipes.list_tags_for_resource, resourceArn=own + "2") == "NotFoundException"


def _filter(pattern: Any) -> dict[str, Any]:
    return {"SourceParameters": {"FilterCriteria": {"Filters": [{"Pattern": json.dumps(pattern)}]}}}


def _batch(**parameters: Any) -> dict[str, Any]:
    return {"SourceParameters": {"SqsQueueParameters": parameters}}


@pytest.mark.parametrize(
    ("target", "more", "code"),
    [
        (_QUEUE, _filter({"body": "x"}), "ValidationException"),
        (_QUEUE, _batch(BatchSize=11, MaximumBatchingWindowInSeconds=1), "ValidationException"),
        ("arn:aws:logs:us-east-1:123456789012:log-group:g", _batch(BatchSize=11), "ValidationException"),
        (
            _QUEUE,
            {"SourceParameters": {"DynamoDBStreamParameters": {"StartingPosition": "LATEST"}}},
            "ValidationException",
        ),
        (_QUEUE, {"Source": "arn:aws:sqs:us-east-1:123456789012:q"}, "ValidationException"),
        (_QUEUE, {"Source": _STREAM}, "ValidationException"),
        (_QUEUE, {"RoleArn": "arn:aws:iam::123456789012:role/r"}, "AccessDeniedException"),
        (_QUEUE, {"TargetParameters": {"InputTemplate": "<aws.pipes.nonsense>"}}, "ValidationException"),
        (_QUEUE, {"TargetParameters": {"CloudWatchLogsParameters": {"LogStreamName": "s"}}}, "ValidationException"),
        (_QUEUE, {"TargetParameters": {"SqsQueueParameters": {"MessageGroupId": "g"}}}, "ValidationException"),
        (_QUEUE + ".fifo", {}, "ValidationException"),
        (_QUEUE, {"EnrichmentParameters": {"InputTemplate": "x"}}, "ValidationException"),
        (_QUEUE, {"Source": "arn:aws:kinesis:us-east-1:123456789012:stream/s"}, "NotImplemented"),
        (_QUEUE, {"Enrichment": "arn:aws:states:us-east-1:123456789012:stateMachine:s"}, "NotImplemented"),
        ("arn:aws:kinesis:us-east-1:123456789012:stream/s", {}, "NotImplemented"),
        (_QUEUE, {"KmsKeyIdentifier": "k"}, "NotImplemented"),
        (_QUEUE, {"Source": "smk://kafka.example.com:9092"}, "NotImplemented"),
    ],
)
def test_what_makes_no_sense_is_refused(cloud: PipesCloud, target: str, more: dict[str, Any], code: str) -> None:
    if "Source" in more:
        more = {**more, "Source": more["Source"].format(account=cloud.account)}
    assert cloud.refused(target, **more)[0] == code
