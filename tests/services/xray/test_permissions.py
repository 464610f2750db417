"""Permissions on traces, groups and sampling rules, where they are enforced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.iam_users import REGION, StrictAccount, StrictServer, allow, deny, is_denied, make_policy, running_strictly
from tests.refused import refused

RULE: dict[str, Any] = {
    "Priority": 1,
    "FixedRate": 0.1,
    "ReservoirSize": 1,
    "ServiceName": "*",
    "ServiceType": "*",
    "Host": "*",
    "HTTPMethod": "*",
    "URLPath": "*",
    "ResourceARN": "*",
    "Version": 1,
}


@pytest.fixture(scope="module")
def server() -> Iterator[StrictServer]:
    with running_strictly() as server:
        yield server


@pytest.fixture
def owner(server: StrictServer) -> StrictAccount:
    """The root user of an account."""
    return server.add_account()


@pytest.fixture
def groups(owner: StrictAccount) -> dict[str, str]:
    """The ARNs of two groups, by their names."""
    xray = owner.client("xray")
    made = [xray.create_group(GroupName=name, Tags=[{"Key": "team", "Value": name}])["Group"] for name in ("a", "b")]
    return {group["GroupName"]: group["GroupARN"] for group in made}


def _arn(owner: StrictAccount, rest: str) -> str:
    return f"arn:aws:xray:{REGION}:{owner.account}:{rest}"


def test_a_group_is_allowed_by_its_arn_however_it_is_named(owner: StrictAccount, groups: dict[str, str]) -> None:
    user = owner.add_user(allow("xray:*", groups["a"]))
    xray = user.client("xray")
    for named in ({"GroupName": "a"}, {"GroupARN": groups["a"]}):
        xray.get_group(**named)
        xray.update_group(FilterExpression="error", **named)
    assert refused(xray.get_group, GroupName="b") == (
        "AccessDeniedException",
        f"User: {user.arn} is not authorized to perform: xray:GetGroup on resource: {groups['b']} because no "
        "identity-based policy allows the xray:GetGroup action",
    )
    assert is_denied(xray.get_group, GroupARN=groups["b"])
    assert is_denied(xray.get_group, GroupName="absent")
    assert is_denied(xray.delete_group, GroupName="b")
    assert is_denied(xray.create_group, GroupName="c")
    assert is_denied(xray.get_groups)
    xray.delete_group(GroupName="a")


def test_a_new_group_has_an_id_that_nobody_knows(owner: StrictAccount) -> None:
    xray = owner.add_user(allow("xray:CreateGroup", _arn(owner, "group/a/*"))).client("xray")
    xray.create_group(GroupName="a")
    assert is_denied(xray.create_group, GroupName="b")


def test_a_sampling_rule_is_allowed_by_its_arn_however_it_is_named(owner: StrictAccount) -> None:
    xray = owner.add_user(allow("xray:*", _arn(owner, "sampling-rule/a"))).client("xray")
    made = xray.create_sampling_rule(SamplingRule={"RuleName": "a", **RULE})["SamplingRuleRecord"]["SamplingRule"]
    xray.update_sampling_rule(SamplingRuleUpdate={"RuleName": "a", "Priority": 2})
    xray.update_sampling_rule(SamplingRuleUpdate={"RuleARN": made["RuleARN"], "Priority": 3})
    assert is_denied(xray.create_sampling_rule, SamplingRule={"RuleName": "b", **RULE})
    assert is_denied(xray.delete_sampling_rule, RuleName="b")
    assert is_denied(xray.delete_sampling_rule, RuleARN=_arn(owner, "sampling-rule/b"))
    xray.delete_sampling_rule(RuleARN=made["RuleARN"])


def test_segments_and_traces_have_no_resource(owner: StrictAccount) -> None:
    writer = owner.add_user(allow("xray:PutTraceSegments")).client("xray")
    writer.put_trace_segments(TraceSegmentDocuments=["{}"])
    assert is_denied(writer.batch_get_traces, TraceIds=["1-00000000-000000000000000000000000"])
    narrow = owner.add_user(allow("xray:*", _arn(owner, "*"))).client("xray")
    assert is_denied(narrow.put_trace_segments, TraceSegmentDocuments=["{}"])


def test_a_denial_a_boundary_and_a_session_policy_limit_a_user(owner: StrictAccount, groups: dict[str, str]) -> None:
    everything = allow("xray:*")
    denied = owner.add_user(everything, deny("xray:GetGroup", groups["a"])).client("xray")
    denied.get_group(GroupName="b")
    assert refused(denied.get_group, GroupName="a")[1].endswith("with an explicit deny in an identity-based policy")
    bound = owner.add_user(everything, boundary=make_policy(allow("xray:GetGroups"))).client("xray")
    bound.get_groups()
    assert "no permissions boundary allows" in refused(bound.get_group, GroupName="a")[1]
    user = owner.add_user(allow("sts:AssumeRole"))
    session = owner.assume(owner.add_role({"AWS": user.arn}, everything), user, allow("xray:GetGroup", groups["a"]))
    session.client("xray").get_group(GroupName="a")
    assert "no session policy allows" in refused(session.client("xray").get_groups)[1]


def test_a_policy_may_ask_for_tags(owner: StrictAccount, groups: dict[str, str]) -> None:
    by_tag = {"Condition": {"StringEquals": {"aws:ResourceTag/team": "a"}}}
    xray = owner.add_user(allow("xray:*", **by_tag)).client("xray")
    xray.get_group(GroupName="a")
    xray.list_tags_for_resource(ResourceARN=groups["a"])
    assert is_denied(xray.get_group, GroupName="b")
    assert is_denied(xray.list_tags_for_resource, ResourceARN=groups["b"])
