"""Buses, their policies, rules, targets and tags."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.core.kernel.identity import Principal
from cloudlet.services.events import receiving
from cloudlet.services.events.bus_record import Place
from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.events.cloud import EventCloud
from tests.services.sns.cloud import ACCOUNT, OTHER, OWNER, STRANGER, LocalSns, local_sns

PATTERN = json.dumps({"source": ["shop"]})


@pytest.fixture
def events(aws: Aws) -> Any:
    """A client of an account of its own."""
    return aws.client("events")


def test_every_account_has_a_default_bus(events: Any, aws: Aws) -> None:
    arn = f"arn:aws:events:us-east-1:{aws.account}:event-bus/default"
    found = events.describe_event_bus()
    assert (found["Name"], found["Arn"]) == ("default", arn)
    assert [bus["Arn"] for bus in events.list_event_buses()["EventBuses"]] == [arn]
    assert code_of(events.delete_event_bus, Name="default") == "ValidationException"
    assert code_of(events.create_event_bus, Name="default") == "ResourceAlreadyExistsException"


def test_buses_come_are_changed_and_go(events: Any) -> None:
    arn = events.create_event_bus(Name="b", Description="one")["EventBusArn"]
    assert code_of(events.create_event_bus, Name="b") == "ResourceAlreadyExistsException"
    assert events.describe_event_bus(Name=arn)["Description"] == "one"
    assert events.update_event_bus(Name="b", Description="two")["Arn"] == arn
    found = events.describe_event_bus(Name="b")
    assert found["Description"] == "two"
    assert "Description" not in events.update_event_bus(Name="b", Description="")
    assert "Description" not in events.describe_event_bus(Name="b")
    assert found["LastModifiedTime"] >= found["CreationTime"]
    events.put_rule(Name="r", EventPattern=PATTERN, EventBusName="b")
    assert code_of(events.delete_event_bus, Name="b") == "ValidationException"
    events.delete_rule(Name="r", EventBusName="b")
    events.delete_event_bus(Name="b")
    events.delete_event_bus(Name="b")
    assert code_of(events.describe_event_bus, Name="b") == "ResourceNotFoundException"
    assert code_of(events.update_event_bus, Name="b") == "ResourceNotFoundException"
    assert code_of(events.create_event_bus, Name="a/b") == "ValidationException"
    assert code_of(events.create_event_bus, Name="k", KmsKeyIdentifier="key") == "NotImplemented"


def test_buses_are_listed_in_pages(events: Any) -> None:
    for name in ("a", "b", "c"):
        events.create_event_bus(Name=name)
    names, token = [], {}
    while True:
        page = events.list_event_buses(Limit=1, **token)
        names += [bus["Name"] for bus in page["EventBuses"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert names == ["default", "a", "b", "c"]
    assert [bus["Name"] for bus in events.list_event_buses(NamePrefix="b")["EventBuses"]] == ["b"]
    assert code_of(events.list_event_buses, NextToken="nonsense!") == "ValidationException"


def test_rules_come_are_changed_and_go(events: Any, aws: Aws) -> None:
    arn = events.put_rule(Name="r", EventPattern=PATTERN, Description="d", State="DISABLED")["RuleArn"]
    assert arn == f"arn:aws:events:us-east-1:{aws.account}:rule/r"
    found = events.describe_rule(Name="r")
    del found["ResponseMetadata"]
    assert found == {
        "Name": "r",
        "Arn": arn,
        "EventPattern": PATTERN,
        "State": "DISABLED",
        "Description": "d",
        "EventBusName": "default",
        "CreatedBy": aws.account,
    }
    events.put_rule(Name="r", ScheduleExpression="rate(1 day)")
    found = events.describe_rule(Name="r")
    assert (found["State"], found["ScheduleExpression"]) == ("ENABLED", "rate(1 day)")
    assert "EventPattern" not in found
    events.disable_rule(Name="r")
    assert events.describe_rule(Name="r")["State"] == "DISABLED"
    events.delete_rule(Name="r")
    events.delete_rule(Name="r")
    for function in (events.describe_rule, events.enable_rule, events.disable_rule):
        assert code_of(function, Name="r") == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"EventPattern": "{"}, "InvalidEventPatternException"),
        ({"EventPattern": None}, "ValidationException"),
        ({"ScheduleExpression": "every day"}, "ValidationException"),
        ({"EventBusName": "absent"}, "ResourceNotFoundException"),
        ({"EventBusName": "arn:aws:events:eu-west-1:123456789012:event-bus/b"}, "ValidationException"),
        ({"State": "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"}, "NotImplemented"),
    ],
)
def test_rules_that_make_no_sense_are_refused(events: Any, changed: dict[str, Any], expected: str) -> None:
    params = {"Name": "r", "EventPattern": PATTERN, **changed}
    given = {name: value for name, value in params.items() if value is not None}
    assert code_of(events.put_rule, **given) == expected


def test_targets_come_are_listed_and_go(cloud: EventCloud) -> None:
    _, arn = cloud.queue()
    target = {
        "Id": "1",
        "Arn": arn,
        "InputTransformer": {"InputPathsMap": {"a": "$.detail"}, "InputTemplate": "<a>"},
        "RetryPolicy": {"MaximumRetryAttempts": 3},
    }
    cloud.rule(target)
    events = cloud.events
    assert events.list_targets_by_rule(Rule="r")["Targets"] == [target]
    assert events.list_rule_names_by_target(TargetArn=arn)["RuleNames"] == ["r"]
    assert events.list_rule_names_by_target(TargetArn=arn + "x")["RuleNames"] == []
    assert code_of(events.delete_rule, Name="r") == "ValidationException"
    others = [{"Id": str(number), "Arn": arn} for number in range(2, 7)]
    assert code_of(events.put_targets, Rule="r", Targets=others) == "LimitExceededException"
    assert events.remove_targets(Rule="r", Ids=["1", "9"])["FailedEntryCount"] == 0
    assert events.list_targets_by_rule(Rule="r")["Targets"] == []
    assert code_of(events.put_targets, Rule="absent", Targets=others) == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"Arn": "nonsense"}, "ValidationException"),
        ({"Arn": "arn:aws:sqs:eu-west-1:123456789012:q"}, "ValidationException"),
        ({"Arn": "arn:aws:sqs:us-east-1:123456789012:q.fifo"}, "ValidationException"),
        ({"Arn": "arn:aws:ecs:us-east-1:123456789012:cluster/c"}, "NotImplemented"),
        ({"Arn": "arn:aws:dynamodb:us-east-1:123456789012:table/t"}, "ValidationException"),
        ({"Arn": "arn:aws:sqs:us-east-1:12345:q"}, "ValidationException"),
        ({"Arn": "arn:aws:sns:us-east-1:123456789012:t:7c4b6a0e"}, "ValidationException"),
        ({"Arn": "arn:aws:lambda:us-east-1:123456789012:f"}, "ValidationException"),
        ({"Arn": "arn:aws:logs:us-east-1:123456789012:log-group"}, "ValidationException"),
        ({"Arn": "arn:aws:events:us-east-1:123456789012:nonsense/x"}, "ValidationException"),
        ({"Arn": "arn:aws:events:us-east-1:123456789012:event-bus/b", "Input": "1"}, "ValidationException"),
        ({"EcsParameters": {"TaskDefinitionArn": "x"}}, "NotImplemented"),
        ({"Input": "nonsense"}, "ValidationException"),
        ({"Input": "1", "InputPath": "$"}, "ValidationException"),
        ({"InputPath": "detail"}, "ValidationException"),
        ({"InputPath": "$.detail[x]"}, "ValidationException"),
        ({"InputTransformer": {"InputTemplate": "<unknown>"}}, "ValidationException"),
        ({"InputTransformer": {"InputPathsMap": {"aws.x": "$"}, "InputTemplate": "x"}}, "ValidationException"),
        ({"DeadLetterConfig": {"Arn": "nonsense"}}, "ValidationException"),
        ({"DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:1:q.fifo"}}, "ValidationException"),
        ({"RetryPolicy": {"MaximumRetryAttempts": 186}}, "ValidationException"),
    ],
)
def test_targets_that_make_no_sense_are_refused(events: Any, changed: dict[str, Any], expected: str) -> None:
    events.put_rule(Name="r", EventPattern=PATTERN)
    target = {"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:q", **changed}
    assert code_of(events.put_targets, Rule="r", Targets=[target]) == expected
    assert events.list_targets_by_rule(Rule="r")["Targets"] == []


PATHS = {"a": "$.detail.a", "b": "$.detail.b"}


@pytest.mark.parametrize(
    "template",
    [
        "<a> is in state <b>",
        '{"a": <a>',
        '{"a": <a> <b>}',
        '{"a": "<a>}',
        "{<a>: 1}",
        '{"x": [{"of <a>": 1}]}',
        '"two\nlines"',
        '{"a": NaN}',
        " \n",
        "[" * 5000,
    ],
)
def test_templates_that_are_no_json_are_refused(events: Any, template: str) -> None:
    events.put_rule(Name="r", EventPattern=PATTERN)
    transformer = {"InputPathsMap": PATHS, "InputTemplate": template}
    target = {"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:q", "InputTransformer": transformer}
    with pytest.raises(ClientError) as caught:
        events.put_targets(Rule="r", Targets=[target])
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    reason = caught.value.response["Error"]["Message"].removeprefix("Invalid InputTemplate for target 1 : [")
    assert reason in ("JSON syntax error].", "A placeholder cannot be the key of an object].", "NaN is no number].")
    assert events.list_targets_by_rule(Rule="r")["Targets"] == []


@pytest.mark.parametrize(
    "template",
    [
        "<a>",
        '"<a> is in state \\"<b>\\""',
        '"<a> is in state <b>"\n"and 1 < 2"\n',
        ' {"a": <a>, "b": "<b>", "c": [<aws.events.event>, 1.5, null, {"d": true}]} ',
    ],
)
def test_templates_are_json_once_their_places_are_filled(events: Any, template: str) -> None:
    events.put_rule(Name="r", EventPattern=PATTERN)
    transformer = {"InputPathsMap": PATHS, "InputTemplate": template}
    target = {"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:q", "InputTransformer": transformer}
    assert events.put_targets(Rule="r", Targets=[target])["FailedEntryCount"] == 0


def test_buses_and_rules_have_tags(events: Any) -> None:
    bus = events.create_event_bus(Name="b", Tags=[{"Key": "a", "Value": "1"}])["EventBusArn"]
    rule = events.put_rule(Name="r", EventPattern=PATTERN, EventBusName="b")["RuleArn"]
    assert events.list_tags_for_resource(ResourceARN=bus)["Tags"] == [{"Key": "a", "Value": "1"}]
    events.tag_resource(ResourceARN=rule, Tags=[{"Key": "x", "Value": "1"}, {"Key": "y", "Value": "2"}])
    events.untag_resource(ResourceARN=rule, TagKeys=["x"])
    assert events.list_tags_for_resource(ResourceARN=rule)["Tags"] == [{"Key": "y", "Value": "2"}]
    for absent, message in (
        (rule + "x", "Rule rx does not exist on EventBus b."),
        (rule.replace("/b/", "/"), "Rule r does not exist on EventBus default."),
        (bus + "x", "Event bus bx does not exist."),
    ):
        expected = ("ResourceNotFoundException", message)
        assert refused(events.tag_resource, ResourceARN=absent, Tags=[]) == expected
        assert refused(events.untag_resource, ResourceARN=absent, TagKeys=["x"]) == expected
        assert refused(events.list_tags_for_resource, ResourceARN=absent) == expected
    assert code_of(events.tag_resource, ResourceARN="x", Tags=[]) == "ValidationException"
    reserved = [{"Key": "aws:x", "Value": "1"}]
    assert code_of(events.tag_resource, ResourceARN=rule, Tags=reserved) == "ValidationException"


def test_a_policy_is_made_of_permissions(events: Any, aws: Aws) -> None:
    allowed = {"Action": "events:PutEvents", "Principal": "222222222222", "StatementId": "s"}
    events.put_permission(**allowed)
    policy = json.loads(events.describe_event_bus()["Policy"])
    assert policy["Statement"] == [
        {
            "Sid": "s",
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
            "Action": "events:PutEvents",
            "Resource": f"arn:aws:events:us-east-1:{aws.account}:event-bus/default",
        }
    ]
    assert code_of(events.put_permission, **{**allowed, "Principal": "x"}) == "ValidationException"
    assert code_of(events.put_permission, **{**allowed, "Action": "events:X"}) == "ValidationException"
    assert code_of(events.put_permission, Policy="nonsense") == "ValidationException"
    assert code_of(events.put_permission, Policy="{}", StatementId="s") == "ValidationException"
    no_statement = ("ResourceNotFoundException", "Statement with the provided id does not exist.")
    assert refused(events.remove_permission, StatementId="t") == no_statement
    assert code_of(events.remove_permission) == "ValidationException"
    events.remove_permission(StatementId="s")
    assert "Policy" not in events.describe_event_bus()
    assert refused(events.remove_permission, StatementId="s") == no_statement
    events.put_permission(Policy=json.dumps(policy))
    events.remove_permission(RemoveAllPermissions=True)
    assert "Policy" not in events.describe_event_bus()


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[LocalSns]:
    """A Cloudlet that enforces permissions."""
    with local_sns(tmp_path, "strict") as running:
        yield running


def test_a_stranger_needs_the_policy_of_a_bus(strict: LocalSns) -> None:
    bus = f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/b"
    strict.call("CreateEventBus", service="events", Name="b")
    entry = {"Source": "shop", "DetailType": "t", "Detail": "{}", "EventBusName": bus}

    def put() -> Any:
        (answer,) = strict.call("PutEvents", service="events", by=STRANGER, Entries=[entry])["Entries"]
        return answer.get("ErrorCode")

    assert put() == "AccessDeniedException"
    allowed = {"Action": "events:PutEvents", "Principal": OTHER, "StatementId": "s", "EventBusName": "b"}
    strict.call("PutPermission", service="events", **allowed)
    assert put() is None
    error = strict.refused("PutRule", by=STRANGER, service="events", Name="r", EventPattern=PATTERN, EventBusName=bus)
    assert error.code == "AccessDeniedException"
    strict.call("PutRule", service="events", by=OWNER, Name="r", EventPattern=PATTERN, EventBusName="b")


def test_nobody_gives_a_rule_the_role_of_another_account(strict: LocalSns) -> None:
    """With it a rule could call methods of that account's APIs, which let its roles in."""
    role = f"arn:aws:iam::{OTHER}:role/r"
    rule = {"service": "events", "Name": "r", "EventPattern": PATTERN}
    error = strict.refused("PutRule", RoleArn=role, **rule)
    assert (error.code, error.message) == ("AccessDeniedException", "Cross-account pass role is not allowed.")
    strict.call("PutRule", RoleArn=strict.role("events", "events:*"), **rule)
    target = {"Id": "1", "Arn": f"arn:aws:execute-api:eu-west-1:{OTHER}:a1b2c3/prod/POST/orders", "RoleArn": role}
    assert strict.refused("PutTargets", service="events", Rule="r", Targets=[target]).code == "AccessDeniedException"
    target["RoleArn"] = "r"
    assert strict.refused("PutTargets", service="events", Rule="r", Targets=[target]).code == "ValidationException"


def test_a_log_group_is_a_target_of_rules_of_its_account(strict: LocalSns) -> None:
    strict.call("PutRule", service="events", Name="r", EventPattern=PATTERN)
    target = {"Id": "1", "Arn": f"arn:aws:logs:eu-west-1:{OTHER}:log-group:g"}
    assert strict.refused("PutTargets", service="events", Rule="r", Targets=[target]).code == "ValidationException"


def test_who_is_let_in_to_a_rule_gives_it_no_destination_of_its_account(strict: LocalSns) -> None:
    """It is called with the secrets of that account's connection."""
    strict.call("PutRule", service="events", Name="r", EventPattern=PATTERN)
    allowed = {"Action": "events:PutTargets", "Principal": OTHER, "StatementId": "s"}
    strict.call("PutPermission", service="events", **allowed)
    bus = f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/default"
    named = {
        "Id": "1",
        "Arn": f"arn:aws:events:eu-west-1:{ACCOUNT}:api-destination/d/x",
        "RoleArn": f"arn:aws:iam::{OTHER}:role/r",
    }
    put = {"service": "events", "by": STRANGER, "Rule": "r", "EventBusName": bus}
    assert strict.refused("PutTargets", Targets=[named], **put).code == "ValidationException"


def test_rules_are_kept_compiled_by_their_size(strict: LocalSns) -> None:
    """A few buses with many long patterns stay ready, or very many with short ones."""

    def put(number: int, rules: int, pattern: str) -> None:
        bus = {"service": "events", "EventBusName": f"b{number}"}
        strict.call("CreateEventBus", service="events", Name=f"b{number}")
        for each in range(rules):
            strict.call("PutRule", Name=f"r{each}", EventPattern=pattern, **bus)
            topic = {"Id": "1", "Arn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:t"}
            strict.call("PutTargets", Rule=f"r{each}", Targets=[topic], **bus)
        entry = {"Source": "shop", "DetailType": "t", "Detail": "{}", "EventBusName": f"b{number}"}
        strict.call("PutEvents", service="events", Entries=[entry])

    def kept(count: int) -> list[bool]:
        places = [Place(ACCOUNT, "eu-west-1", f"b{number}") for number in range(count)]
        return [receiving._ready.get(place) is not None for place in places]

    for number in range(20):
        put(number, 1, PATTERN)
    assert all(kept(20))
    long = json.dumps({"source": ["other"], "detail": {"text": ["x" * 100 + str(n) for n in range(35)]}})
    for number in range(20, 28):
        put(number, 24, long)
    assert kept(28) == [False] * 23 + [True] * 5


def let_in(cloud: LocalSns, rule: str, queue: str) -> None:
    """Have a queue take what a rule sends."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "*",
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    cloud.call("SetQueueAttributes", service="sqs", QueueUrl=queue, Attributes={"Policy": policy})


def test_a_bus_is_asked_when_an_event_is_handed_on(strict: LocalSns) -> None:
    """It may not have been there when it became a target, or not let the rule in any more."""
    letters = strict.call("CreateQueue", service="sqs", QueueName="dead")["QueueUrl"]
    rule = strict.call("PutRule", service="events", Name="r", EventPattern=PATTERN)["RuleArn"]
    let_in(strict, rule, letters)
    bus = f"arn:aws:events:eu-west-1:{OTHER}:event-bus/b"
    dead = {"Arn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:dead"}
    strict.call("PutTargets", service="events", Rule="r", Targets=[{"Id": "1", "Arn": bus, "DeadLetterConfig": dead}])
    strict.call("CreateEventBus", service="events", by=STRANGER, Name="b")
    strict.call("PutEvents", service="events", Entries=[{"Source": "shop", "DetailType": "t", "Detail": "{}"}])
    found: list[dict[str, Any]] = []

    def received() -> bool:
        params = {"QueueUrl": letters, "MessageAttributeNames": ["All"]}
        found.extend(strict.call("ReceiveMessage", service="sqs", **params).get("Messages", []))
        return bool(found)

    strict.until(received)
    assert "events:PutEvents" in found[0]["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]


def test_services_tell_of_their_own_account_whatever_the_policy_of_the_bus(strict: LocalSns) -> None:
    """Their events come, though no policy names them; those of another account's resources do not."""
    allowed = {"Action": "events:PutEvents", "Principal": OTHER, "StatementId": "s"}
    strict.call("PutPermission", service="events", **allowed)
    alarms = Principal("service", ACCOUNT, "cloudwatch.amazonaws.com", "cloudwatch")
    entry = {"Source": "aws.cloudwatch", "DetailType": "t", "Detail": "{}"}

    def put(source_arn: str = "") -> Any:
        called = strict.call("PutEvents", service="events", by=alarms, source_arn=source_arn, Entries=[entry])
        return called["Entries"][0].get("ErrorCode")

    assert put() is None
    assert put(f"arn:aws:cloudwatch:eu-west-1:{ACCOUNT}:alarm:a") is None
    assert put("arn:aws:cloudwatch:eu-west-1:333333333333:alarm:a") == "AccessDeniedException"


def test_a_rule_needs_the_policy_of_a_queue(strict: LocalSns) -> None:
    url = strict.call("CreateQueue", service="sqs", QueueName="q")["QueueUrl"]
    dead = strict.call("CreateQueue", service="sqs", QueueName="dead")["QueueUrl"]
    rule = strict.call("PutRule", service="events", Name="r", EventPattern=PATTERN)["RuleArn"]
    arn = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:"
    target = {"Id": "1", "Arn": f"{arn}q", "DeadLetterConfig": {"Arn": f"{arn}dead"}}
    strict.call("PutTargets", service="events", Rule="r", Targets=[target])

    def heard(queue: str) -> dict[str, Any]:
        strict.call("PutEvents", service="events", Entries=[{"Source": "shop", "DetailType": "t", "Detail": "{}"}])
        found: list[dict[str, Any]] = []

        def received() -> bool:
            params = {"QueueUrl": queue, "MessageAttributeNames": ["All"]}
            found.extend(strict.call("ReceiveMessage", service="sqs", **params).get("Messages", []))
            return bool(found)

        strict.until(received)
        return found[0]

    let_in(strict, rule, dead)
    assert heard(dead)["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    let_in(strict, rule, url)
    assert json.loads(heard(url)["Body"])["source"] == "shop"
