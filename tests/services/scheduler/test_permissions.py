"""Permissions on schedules, of users and roles of IAM, and of schedules by their roles."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.refused import code_of, refused
from tests.services.scheduler.cloud import OFF
from tests.standing import eventually
from tests.strict_accounts import Account, Caller, allow, deny

_DAILY = "rate(1 day)"


def _params(account: Account, role: str, **more: Any) -> dict[str, Any]:
    target = {"Arn": account.arn_of("sqs", "q"), "RoleArn": role}
    return {"Name": "s", "ScheduleExpression": _DAILY, "FlexibleTimeWindow": OFF, "Target": target, **more}


def _may_create(account: Account, caller: Caller, role: str, **more: Any) -> bool:
    scheduler = caller.client("scheduler")
    try:
        scheduler.create_schedule(**_params(account, role, **more))
    except scheduler.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return False
    account.client("scheduler").delete_schedule(Name="s", GroupName=more.get("GroupName", "default"))
    return True


def test_policies_decide_and_boundaries_and_sessions_limit(strict_account: Account) -> None:
    role = strict_account.service_role("scheduler")
    mine, passing = strict_account.arn_of("scheduler", "schedule/default/s"), allow("iam:PassRole", role)

    def may(*statements: dict[str, Any], name: str, **more: Any) -> bool:
        return _may_create(strict_account, strict_account.user(*statements, name=name, **more), role)

    user = strict_account.user()
    assert refused(user.client("scheduler").get_schedule, Name="s") == (
        "AccessDeniedException",
        f"User: {user.arn} is not authorized to perform: scheduler:GetSchedule on resource: {mine} "
        "because no identity-based policy allows the scheduler:GetSchedule action",
    )
    assert not may(name="nobody")
    assert may(allow("scheduler:CreateSchedule", mine), passing, name="one")
    assert not may(allow("scheduler:CreateSchedule", mine + "2"), passing, name="another")
    assert not may(allow("scheduler:*"), deny("scheduler:Create*"), passing, name="denied")
    assert not may(allow("*"), name="limited", boundary=allow("scheduler:Get*"))
    boss = strict_account.user(allow("sts:AssumeRole"), name="boss")
    admin = strict_account.role({"AWS": boss.arn}, allow("*"), name="admin")
    assert _may_create(strict_account, strict_account.assume(admin, boss), role)
    limited = strict_account.assume(admin, boss, allow("scheduler:Get*"))
    assert not _may_create(strict_account, limited, role)


def test_schedules_are_of_groups(strict_account: Account) -> None:
    root = strict_account.client("scheduler")
    root.create_schedule_group(Name="g", Tags=[{"Key": "team", "Value": "blue"}])
    role = strict_account.service_role("scheduler")
    blue = {"StringEquals": {"aws:ResourceTag/team": "blue"}}
    user = strict_account.user(allow("scheduler:*", Condition=blue), allow("iam:PassRole"))
    assert not _may_create(strict_account, user, role)
    assert _may_create(strict_account, user, role, GroupName="g")
    scheduler = user.client("scheduler")
    scheduler.get_schedule_group(Name="g")
    assert code_of(scheduler.get_schedule_group, Name="default") == "AccessDeniedException"
    assert code_of(scheduler.list_schedules) == "AccessDeniedException"
    bob = strict_account.user(allow("scheduler:DeleteScheduleGroup"), name="bob").client("scheduler")
    assert "scheduler:DeleteSchedule " in refused(bob.delete_schedule_group, Name="g")[1]
    scheduler.delete_schedule_group(Name="g")


def test_a_role_is_handed_over_by_those_who_may_to_a_service_that_it_trusts(strict_account: Account) -> None:
    role = strict_account.service_role("scheduler")
    scheduler = strict_account.user(allow("scheduler:*")).client("scheduler")
    assert "iam:PassRole" in refused(scheduler.create_schedule, **_params(strict_account, role))[1]
    root = strict_account.client("scheduler")
    root.create_schedule(**_params(strict_account, role))
    message = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
    for wrong in (role + "x", strict_account.service_role("lambda", name="other")):
        for call in (root.create_schedule, root.update_schedule):
            assert refused(call, **_params(strict_account, wrong)) == ("ValidationException", message)


def test_a_role_may_trust_schedules_of_a_group_alone(strict_account: Account) -> None:
    """User guide, "Cross-service confused deputy prevention in EventBridge Scheduler"."""
    group = strict_account.arn_of("scheduler", "schedule-group/default")
    condition = {"StringEquals": {"aws:SourceAccount": strict_account.number, "aws:SourceArn": group}}
    role = strict_account.role({"Service": "scheduler.amazonaws.com"}, condition=condition)
    root = strict_account.client("scheduler")
    root.create_schedule(**_params(strict_account, role))
    root.create_schedule_group(Name="g")
    assert code_of(root.create_schedule, **_params(strict_account, role, GroupName="g")) == "ValidationException"


def test_a_schedule_may_do_what_its_role_may(strict_account: Account) -> None:
    sqs: Any = strict_account.client("sqs")
    urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("q", "dead")}
    role = strict_account.service_role("scheduler", allow("sqs:SendMessage", strict_account.arn_of("sqs", "dead")))
    target = {
        "Arn": strict_account.arn_of("sqs", "q"),
        "RoleArn": role,
        "Input": "due",
        "DeadLetterConfig": {"Arn": strict_account.arn_of("sqs", "dead")},
    }
    scheduler = strict_account.client("scheduler")

    def fire(name: str) -> None:
        soon = (datetime.now(UTC) + timedelta(seconds=1)).strftime("at(%Y-%m-%dT%H:%M:%S)")
        scheduler.create_schedule(**_params(strict_account, role, Name=name, ScheduleExpression=soon, Target=target))

    def receive(name: str) -> dict[str, Any]:
        asked = {"QueueUrl": urls[name], "WaitTimeSeconds": 1, "MessageAttributeNames": ["All"]}
        found = eventually(lambda: sqs.receive_message(**asked).get("Messages", []), lambda found: found)
        message: dict[str, Any] = found[0]
        return message

    fire("s1")
    told = receive("dead")["MessageAttributes"]
    assert told["ERROR_CODE"]["StringValue"] == "AccessDenied"
    assert "sqs:sendmessage" in told["ERROR_MESSAGE"]["StringValue"]
    strict_account.let_role(allow("sqs:SendMessage"))
    fire("s2")
    assert receive("q")["Body"] == "due"
