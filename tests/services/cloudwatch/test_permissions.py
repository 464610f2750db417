"""Permissions on metrics, alarms and dashboards, where they are enforced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.iam_users import REGION, StrictAccount, StrictServer, allow, deny, is_denied, make_policy, running_strictly
from tests.refused import refused

ALARM = {
    "Namespace": "mine",
    "MetricName": "m",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1.0,
    "Statistic": "Sum",
    "ComparisonOperator": "GreaterThanThreshold",
}
BODY = '{"widgets": []}'


@pytest.fixture(scope="module")
def server() -> Iterator[StrictServer]:
    with running_strictly() as server:
        yield server


@pytest.fixture
def owner(server: StrictServer) -> StrictAccount:
    """The root user of an account that has two alarms and a dashboard."""
    owner = server.add_account()
    cloudwatch = owner.client("cloudwatch")
    for name in ("a", "b"):
        cloudwatch.put_metric_alarm(AlarmName=name, Tags=[{"Key": "team", "Value": name}], **ALARM)
    cloudwatch.put_dashboard(DashboardName="d", DashboardBody=BODY)
    return owner


def _arn(owner: StrictAccount, rest: str) -> str:
    return f"arn:aws:cloudwatch:{REGION}:{owner.account}:{rest}"


def _put(cloudwatch: Any, namespace: str) -> Any:
    return cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "m", "Value": 1}])


def test_an_alarm_is_allowed_by_its_arn(owner: StrictAccount) -> None:
    user = owner.add_user(allow("cloudwatch:*", _arn(owner, "alarm:a")))
    cloudwatch = user.client("cloudwatch")
    cloudwatch.put_metric_alarm(AlarmName="a", **ALARM)
    cloudwatch.disable_alarm_actions(AlarmNames=["a"])
    assert len(cloudwatch.describe_alarms(AlarmNames=["a"])["MetricAlarms"]) == 1
    assert cloudwatch.list_tags_for_resource(ResourceARN=_arn(owner, "alarm:a"))["Tags"]
    code, message = refused(cloudwatch.delete_alarms, AlarmNames=["a", "b"])
    assert (code, message) == (
        "AccessDenied",
        f"User: {user.arn} is not authorized to perform: cloudwatch:DeleteAlarms on resource: "
        f"{_arn(owner, 'alarm:b')} because no identity-based policy allows the cloudwatch:DeleteAlarms action",
    )
    assert is_denied(cloudwatch.describe_alarms)
    assert is_denied(cloudwatch.list_tags_for_resource, ResourceARN=_arn(owner, "alarm:b"))
    everything = owner.add_user(allow("cloudwatch:DescribeAlarms", _arn(owner, "alarm:*"))).client("cloudwatch")
    assert len(everything.describe_alarms()["MetricAlarms"]) == 2


def test_composite_alarms_need_a_permission_for_everything(owner: StrictAccount) -> None:
    wanted = {"AlarmName": "c", "AlarmRule": "ALARM(a)"}
    narrow = owner.add_user(allow("cloudwatch:PutCompositeAlarm", _arn(owner, "alarm:*"))).client("cloudwatch")
    assert is_denied(narrow.put_composite_alarm, **wanted)
    owner.add_user(allow("cloudwatch:PutCompositeAlarm")).client("cloudwatch").put_composite_alarm(**wanted)


def test_a_dashboard_has_no_region(owner: StrictAccount) -> None:
    arn = f"arn:aws:cloudwatch::{owner.account}:dashboard/d"
    cloudwatch = owner.add_user(allow("cloudwatch:*", arn)).client("cloudwatch")
    assert cloudwatch.get_dashboard(DashboardName="d")["DashboardArn"] == arn
    assert is_denied(cloudwatch.put_dashboard, DashboardName="e", DashboardBody=BODY)
    assert is_denied(cloudwatch.delete_dashboards, DashboardNames=["d", "e"])
    assert is_denied(cloudwatch.list_dashboards)


def test_metrics_are_allowed_by_namespace(owner: StrictAccount) -> None:
    of_namespace = {"Condition": {"StringEquals": {"cloudwatch:namespace": "mine"}}}
    cloudwatch = owner.add_user(allow("cloudwatch:PutMetricData", **of_namespace)).client("cloudwatch")
    _put(cloudwatch, "mine")
    assert is_denied(_put, cloudwatch=cloudwatch, namespace="other")
    assert is_denied(cloudwatch.list_metrics)


def test_a_denial_a_boundary_and_a_session_policy_limit_a_user(owner: StrictAccount) -> None:
    everything = allow("cloudwatch:*")
    denied = owner.add_user(everything, deny("cloudwatch:PutMetricData")).client("cloudwatch")
    assert refused(_put, denied, "mine")[1].endswith("with an explicit deny in an identity-based policy")
    bound = owner.add_user(everything, boundary=make_policy(allow("cloudwatch:List*"))).client("cloudwatch")
    bound.list_metrics()
    assert "no permissions boundary allows" in refused(_put, bound, "mine")[1]
    user = owner.add_user(allow("sts:AssumeRole"))
    role = owner.add_role({"AWS": user.arn}, everything)
    session = owner.assume(role, user, allow("cloudwatch:DeleteAlarms", _arn(owner, "alarm:a"))).client("cloudwatch")
    session.delete_alarms(AlarmNames=["a"])
    assert "no session policy allows" in refused(session.delete_alarms, AlarmNames=["b"])[1]


def test_a_policy_may_ask_for_the_tags_of_alarms_and_of_requests(owner: StrictAccount) -> None:
    by_tag = {"Condition": {"StringEquals": {"aws:ResourceTag/team": "a"}}}
    cloudwatch = owner.add_user(allow("cloudwatch:*", **by_tag)).client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName="a", StateValue="OK", StateReason="r")
    assert is_denied(cloudwatch.set_alarm_state, AlarmName="b", StateValue="OK", StateReason="r")
    given = {"Condition": {"StringEquals": {"aws:RequestTag/team": "a"}}}
    maker = owner.add_user(allow(["cloudwatch:PutMetricAlarm", "cloudwatch:TagResource"], **given)).client("cloudwatch")
    maker.put_metric_alarm(AlarmName="c", Tags=[{"Key": "team", "Value": "a"}], **ALARM)
    assert is_denied(maker.put_metric_alarm, AlarmName="d", Tags=[{"Key": "team", "Value": "b"}], **ALARM)


def test_tags_of_a_new_alarm_need_a_permission_of_their_own(owner: StrictAccount) -> None:
    cloudwatch = owner.add_user(allow("cloudwatch:PutMetricAlarm")).client("cloudwatch")
    cloudwatch.put_metric_alarm(AlarmName="c", **ALARM)
    assert is_denied(cloudwatch.put_metric_alarm, AlarmName="d", Tags=[{"Key": "k", "Value": "v"}], **ALARM)


def test_a_mute_rule_needs_a_permission_on_its_alarms(owner: StrictAccount) -> None:
    rule = {"Name": "r", "Rule": {"Schedule": {"Expression": "cron(0 0 * * *)", "Duration": "PT1H"}}}
    allowed = [_arn(owner, "alarm-mute-rule:r"), _arn(owner, "alarm:a")]
    cloudwatch = owner.add_user(allow("cloudwatch:PutAlarmMuteRule", allowed)).client("cloudwatch")
    assert not is_denied(cloudwatch.put_alarm_mute_rule, **rule, MuteTargets={"AlarmNames": ["a"]})
    assert is_denied(cloudwatch.put_alarm_mute_rule, **rule, MuteTargets={"AlarmNames": ["a", "b"]})
