"""Identity-based policies and resource policies of CloudWatch Logs, where they are enforced."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from cloudlet.core import AwsError
from cloudlet.core.kernel.cloud import Config
from cloudlet.core.kernel.identity import Principal, root
from tests.iam_users import (
    REGION,
    Caller,
    StrictAccount,
    StrictServer,
    allow,
    deny,
    is_denied,
    make_policy,
    running_strictly,
)
from tests.refused import code_of, refused
from tests.services.logs.conftest import REGION as LOCAL_REGION
from tests.services.logs.conftest import LocalLogs
from tests.services.logs.test_subscriptions import KINESIS, ROLE

_OTHER: Final = "222222222222"


@pytest.fixture(scope="module")
def server() -> Iterator[StrictServer]:
    with running_strictly() as server:
        yield server


@pytest.fixture
def owner(server: StrictServer) -> StrictAccount:
    """The root user of an account that has two log groups, with a stream and an event each."""
    owner = server.add_account()
    logs = owner.client("logs")
    for group in ("app", "other"):
        logs.create_log_group(logGroupName=group, tags={"team": group})
        logs.create_log_stream(logGroupName=group, logStreamName="s")
        _put(logs, group)
    return owner


def _arn(owner: StrictAccount, rest: str) -> str:
    return f"arn:aws:logs:{REGION}:{owner.account}:{rest}"


def _put(logs: Any, group: str = "app", stream: str = "s") -> Any:
    events = [{"timestamp": int(time.time() * 1000), "message": "m"}]
    return logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def _query(logs: Any, **about: Any) -> str:
    now = int(time.time())
    asked = {"startTime": now - 600, "endTime": now + 600, "queryString": "fields @message", **about}
    return str(logs.start_query(**asked)["queryId"])


def _end(logs: Any, id: str) -> Any:
    while (answer := logs.get_query_results(queryId=id))["status"] in ("Scheduled", "Running"):
        pass
    return answer


def test_a_group_is_allowed_by_its_arn_with_a_star(owner: StrictAccount) -> None:
    user = owner.add_user(allow("logs:*", _arn(owner, "log-group:app:*")))
    logs = user.client("logs")
    logs.put_retention_policy(logGroupName="app", retentionInDays=7)
    for named in ({"logGroupName": "app"}, {"logGroupIdentifier": _arn(owner, "log-group:app")}):
        logs.describe_log_streams(**named)
        logs.filter_log_events(**named)
        logs.get_log_events(logStreamName="s", **named)
    logs.create_log_stream(logGroupName="app", logStreamName="t")
    _put(logs, stream="t")
    assert refused(logs.put_retention_policy, logGroupName="other", retentionInDays=7) == (
        "AccessDeniedException",
        f"User: {user.arn} is not authorized to perform: logs:PutRetentionPolicy on resource: "
        f"{_arn(owner, 'log-group:other:log-stream:')} because no identity-based policy allows the "
        "logs:PutRetentionPolicy action",
    )
    assert is_denied(logs.describe_log_groups)
    assert is_denied(logs.get_log_events, logGroupName="other", logStreamName="s")


def test_only_tags_are_allowed_by_the_arn_without_a_star(owner: StrictAccount) -> None:
    arn = _arn(owner, "log-group:app")
    logs = owner.add_user(allow("logs:*", arn)).client("logs")
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "app"}
    logs.tag_resource(resourceArn=arn, tags={"more": "1"})
    assert is_denied(logs.delete_log_group, logGroupName="app")
    assert is_denied(_put, logs=logs)
    starred = owner.add_user(allow("logs:*", f"{arn}:*")).client("logs")
    assert is_denied(starred.list_tags_for_resource, resourceArn=arn)


def test_lists_are_about_all_groups(owner: StrictAccount) -> None:
    logs = owner.add_user(allow("logs:DescribeLogGroups", _arn(owner, "log-group:*"))).client("logs")
    assert len(logs.describe_log_groups(logGroupNamePrefix="app")["logGroups"]) == 1
    assert is_denied(
        owner.add_user(allow("logs:DescribeLogGroups", "arn:aws:s3:::*")).client("logs").describe_log_groups
    )


def test_a_stream_is_allowed_by_its_own_arn(owner: StrictAccount) -> None:
    logs = owner.add_user(allow("logs:*", _arn(owner, "log-group:app:log-stream:s"))).client("logs")
    _put(logs)
    logs.get_log_events(logGroupName="app", logStreamName="s")
    assert is_denied(logs.create_log_stream, logGroupName="app", logStreamName="t")
    # Whether a stream is there is nobody's business who may not use it.
    assert refused(_put, logs, stream="absent")[0] == "AccessDeniedException"


def test_a_denial_a_boundary_and_a_session_policy_limit_a_user(owner: StrictAccount) -> None:
    everything = allow("logs:*")
    denied = owner.add_user(everything, deny("logs:PutLogEvents", _arn(owner, "log-group:app:*")))
    assert refused(_put, denied.client("logs"))[1].endswith("with an explicit deny in an identity-based policy")
    _put(denied.client("logs"), "other")
    bound = owner.add_user(everything, boundary=make_policy(allow("logs:Describe*"))).client("logs")
    bound.describe_log_groups()
    assert "no permissions boundary allows" in refused(_put, bound)[1]
    role = owner.add_role({"AWS": f"arn:aws:iam::{owner.account}:root"}, everything)
    user = owner.add_user(allow("sts:AssumeRole", role))
    session = owner.assume(role, user, allow("logs:PutLogEvents", _arn(owner, "log-group:app:*"))).client("logs")
    _put(session)
    assert "no session policy allows" in refused(_put, session, "other")[1]


def test_queries_are_about_the_groups_that_they_read(owner: StrictAccount) -> None:
    logs = owner.add_user(allow("logs:*", _arn(owner, "log-group:app:*"))).client("logs")
    for about in (
        {"logGroupName": "app"},
        {"logGroupIdentifiers": [_arn(owner, "log-group:app")]},
        {"queryString": "SOURCE logGroups(namePrefix: ['app']) | fields @message"},
    ):
        found = _end(logs, _query(logs, **about))
        assert len(found["results"]) == 1
    pointer = found["results"][0][-1]["value"]
    assert logs.get_log_record(logRecordPointer=pointer)["logRecord"]["@message"] == "m"
    assert is_denied(_query, logs=logs, logGroupNames=["app", "other"])
    assert is_denied(_query, logs=logs, logGroupNames=["absent"])
    everything = "SOURCE logGroups(namePrefix: ['app', 'other']) | fields @message"
    assert is_denied(_query, logs=logs, queryString=everything)
    whole = _query(owner.client("logs"), queryString=everything)
    assert is_denied(logs.get_query_results, queryId=whole)
    other = owner.add_user(allow("logs:*", _arn(owner, "log-group:other:*"))).client("logs")
    assert is_denied(other.get_log_record, logRecordPointer=pointer)


def test_what_is_masked_is_shown_by_a_permission_of_its_own(owner: StrictAccount) -> None:
    logs = owner.add_user(allow("logs:*"), deny("logs:Unmask")).client("logs")
    named = {"logGroupName": "app", "logStreamName": "s"}
    logs.get_log_events(**named)
    assert is_denied(logs.get_log_events, unmask=True, **named)
    assert is_denied(logs.filter_log_events, logGroupName="app", unmask=True)
    assert is_denied(_query, logs=logs, logGroupName="app", queryString="fields unmask(@message)")
    pointer = _end(logs, _query(logs, logGroupName="app"))["results"][0][-1]["value"]
    logs.get_log_record(logRecordPointer=pointer)
    assert is_denied(logs.get_log_record, logRecordPointer=pointer, unmask=True)


def test_a_policy_may_ask_for_the_tags_of_groups(owner: StrictAccount) -> None:
    by_tag = {"Condition": {"StringEquals": {"aws:ResourceTag/team": "app"}}}
    logs = owner.add_user(allow("logs:*", **by_tag)).client("logs")
    logs.put_retention_policy(logGroupName="app", retentionInDays=7)
    _put(logs)
    _query(logs, logGroupName="app")
    logs.list_tags_for_resource(resourceArn=_arn(owner, "log-group:app"))
    assert is_denied(logs.put_retention_policy, logGroupName="other", retentionInDays=7)
    assert is_denied(logs.put_retention_policy, logGroupName="absent", retentionInDays=7)
    assert is_denied(_put, logs=logs, group="other")
    assert is_denied(_query, logs=logs, logGroupName="other")
    assert is_denied(logs.describe_log_groups)


def test_a_group_with_tags_needs_a_permission_for_them(owner: StrictAccount) -> None:
    user = owner.add_user(allow("logs:CreateLogGroup"), name="maker")
    logs = user.client("logs")
    logs.create_log_group(logGroupName="plain")
    assert refused(logs.create_log_group, logGroupName="tagged", tags={"a": "b"}) == (
        "AccessDeniedException",
        f"User with accountId: {owner.account} is not authorized to perform CreateLogGroup with Tags. "
        'An additional permission "logs:TagResource" is required.',
    )
    tags = allow("logs:TagResource", Condition={"StringEquals": {"aws:RequestTag/a": "b"}})
    owner.allow("maker", allow("logs:CreateLogGroup"), tags)
    logs.create_log_group(logGroupName="tagged", tags={"a": "b"})
    assert code_of(logs.create_log_group, logGroupName="wrong", tags={"a": "c"}) == "AccessDeniedException"


def test_policies_of_an_account_need_the_permission_of_their_kind(owner: StrictAccount) -> None:
    logs = owner.add_user(allow(["logs:PutAccountPolicy", "logs:DescribeAccountPolicies"])).client("logs")
    for kind in ("DATA_PROTECTION_POLICY", "SUBSCRIPTION_FILTER_POLICY"):
        assert is_denied(logs.put_account_policy, policyName="p", policyType=kind, policyDocument="{}")
        assert is_denied(logs.describe_account_policies, policyType=kind)
    more = ["logs:DescribeAccountPolicies", "logs:GetDataProtectionPolicy"]
    reader = owner.add_user(allow(more)).client("logs")
    assert reader.describe_account_policies(policyType="DATA_PROTECTION_POLICY")["accountPolicies"] == []
    assert is_denied(reader.describe_account_policies, policyType="SUBSCRIPTION_FILTER_POLICY")


def _put_policy(owner: StrictAccount, effect: str, principal: dict[str, str], resource: str) -> None:
    statement = {"Effect": effect, "Principal": principal, "Action": "logs:*", "Resource": resource}
    owner.client("logs").put_resource_policy(policyName=effect, policyDocument=make_policy(statement))


def test_a_resource_policy_admits_a_user_and_denies_one(owner: StrictAccount) -> None:
    stranger, friend = owner.add_user(), owner.add_user(allow("logs:*"))
    assert is_denied(_put, logs=stranger.client("logs"))
    _put_policy(owner, "Allow", {"AWS": stranger.arn}, _arn(owner, "log-group:app:*"))
    _put(stranger.client("logs"))
    stranger.client("logs").create_log_stream(logGroupName="app", logStreamName="t")
    assert is_denied(_put, logs=stranger.client("logs"), group="other")
    _put_policy(owner, "Deny", {"AWS": friend.arn}, "*")
    assert refused(_put, friend.client("logs"))[1].endswith("with an explicit deny in a resource-based policy")


class _Local:
    """Two accounts within this process; Kinesis takes everything."""

    def __init__(self, folder: Path) -> None:
        services = frozenset({"logs", "iam"})
        self.logs = LocalLogs(folder, Config(data=folder, services=services, durable=False, auth="strict"))
        self.logs.cloud.played["kinesis"] = lambda call: {}
        made = self.logs.call("PutDestination", destinationName="d", targetArn=KINESIS, roleArn=ROLE)
        self.destination = str(made["destination"]["arn"])
        self.logs.call_as(root(_OTHER), "CreateLogGroup", {"logGroupName": "app"}, account=_OTHER)

    def subscribe_as(self, name: str, *resources: str) -> str:
        """Subscribe as a new user of the other account who may do so for resources; return the code of the error."""
        document = make_policy(allow("logs:PutSubscriptionFilter", list(resources)))
        user = self._ask_iam("CreateUser", UserName=name)["User"]
        self._ask_iam("PutUserPolicy", UserName=name, PolicyName="own", PolicyDocument=document)
        filter = {"logGroupName": "app", "filterName": "f", "filterPattern": "", "destinationArn": self.destination}
        try:
            caller = Principal("user", _OTHER, user["Arn"], user["UserId"])
            self.logs.call_as(caller, "PutSubscriptionFilter", filter, account=_OTHER)
        except AwsError as error:
            return error.code
        return ""

    def _ask_iam(self, operation: str, **params: Any) -> Any:
        return self.logs.call_as(root(_OTHER), operation, params, "iam", _OTHER)


def test_the_policy_of_a_destination_and_those_of_the_user_decide(tmp_path: Path) -> None:
    local = _Local(tmp_path)
    group = f"arn:aws:logs:{LOCAL_REGION}:{_OTHER}:log-group:app:*"
    try:
        assert local.subscribe_as("early", group, local.destination) == "AccessDeniedException"
        admitted = {**allow("logs:PutSubscriptionFilter", local.destination), "Principal": {"AWS": _OTHER}}
        local.logs.call("PutDestinationPolicy", destinationName="d", accessPolicy=make_policy(admitted))
        assert local.subscribe_as("both", group, local.destination) == ""
        assert local.subscribe_as("narrow", group) == "AccessDeniedException"
        assert local.subscribe_as("groupless", local.destination) == "AccessDeniedException"
    finally:
        local.logs.close()


def test_a_role_is_handed_over_by_those_who_may(owner: StrictAccount) -> None:
    role = owner.add_role({"Service": "logs.amazonaws.com"}, allow("kinesis:*"))
    stream = f"arn:aws:kinesis:{REGION}:{owner.account}:stream/s"
    made = {"destinationName": "d", "targetArn": stream, "roleArn": role}
    user: Caller = owner.add_user(allow("logs:*"), name="giver")
    assert refused(user.client("logs").put_destination, **made)[1] == (
        f"User: {user.arn} is not authorized to perform: iam:PassRole on resource: {role} because no identity-based "
        "policy allows the iam:PassRole action"
    )
    passed = {"Condition": {"StringEquals": {"iam:PassedToService": "logs.amazonaws.com"}}}
    owner.allow("giver", allow("logs:*"), allow("iam:PassRole", role, **passed))
    assert not is_denied(user.client("logs").put_destination, **made)
