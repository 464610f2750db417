"""Permissions on trails and event data stores, where they are enforced, and what is recorded of who calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.iam_users import REGION, StrictAccount, StrictServer, allow, deny, is_denied, make_policy, running_strictly
from tests.refused import refused
from tests.services.cloudtrail.places import make_bucket
from tests.services.cloudtrail.test_history import lookup


@pytest.fixture(scope="module")
def server() -> Iterator[StrictServer]:
    with running_strictly() as server:
        yield server


@pytest.fixture
def owner(server: StrictServer) -> StrictAccount:
    """The root user of an account."""
    return server.add_account()


def _arn(owner: StrictAccount, rest: str) -> str:
    return f"arn:aws:cloudtrail:{REGION}:{owner.account}:{rest}"


def test_a_trail_is_allowed_by_its_arn_however_it_is_named(owner: StrictAccount) -> None:
    bucket = make_bucket(owner, f"trails-{owner.account}")
    user = owner.add_user(allow("cloudtrail:*", _arn(owner, "trail/trail-a")))
    trails = user.client("cloudtrail")
    arn = trails.create_trail(Name="trail-a", S3BucketName=bucket)["TrailARN"]
    for name in ("trail-a", arn):
        trails.get_trail(Name=name)
        trails.get_trail_status(Name=name)
        trails.get_event_selectors(TrailName=name)
        trails.start_logging(Name=name)
    trails.list_tags(ResourceIdList=[arn])
    assert refused(trails.create_trail, Name="trail-b", S3BucketName=bucket) == (
        "AccessDeniedException",
        f"User: {user.arn} is not authorized to perform: cloudtrail:CreateTrail on resource: "
        f"{_arn(owner, 'trail/trail-b')} because no identity-based policy allows the cloudtrail:CreateTrail action",
    )
    assert is_denied(trails.get_trail, Name="trail-b")
    assert is_denied(trails.stop_logging, Name=_arn(owner, "trail/trail-b"))
    assert is_denied(trails.describe_trails)
    assert is_denied(trails.list_tags, ResourceIdList=[arn, _arn(owner, "trail/trail-b")])


def test_tags_of_a_new_trail_need_a_permission_of_their_own(owner: StrictAccount) -> None:
    tagged = {
        "Name": "a-a",
        "S3BucketName": make_bucket(owner, f"trails-{owner.account}"),
        "TagsList": [{"Key": "k", "Value": "v"}],
    }
    user = owner.add_user(allow("cloudtrail:CreateTrail"), name="maker")
    assert is_denied(user.client("cloudtrail").create_trail, **tagged)
    tags = {"Condition": {"StringEquals": {"aws:RequestTag/k": "v"}}}
    owner.allow("maker", allow("cloudtrail:CreateTrail"), allow("cloudtrail:AddTags", **tags))
    user.client("cloudtrail").create_trail(**tagged)


def test_a_trail_writes_logs_by_a_role_that_is_handed_over(owner: StrictAccount) -> None:
    owner.client("logs").create_log_group(logGroupName="trail")
    service = {"Service": "cloudtrail.amazonaws.com"}
    group = f"arn:aws:logs:{REGION}:{owner.account}:log-group:trail:*"
    roles = {
        "able": owner.add_role(service, allow(["logs:CreateLogStream", "logs:PutLogEvents"], group)),
        "unable": owner.add_role(service),
        "mistrusting": owner.add_role({"Service": "sns.amazonaws.com"}, allow("logs:*")),
    }
    user = owner.add_user(allow("cloudtrail:*"), name="maker")
    trails, made = (
        user.client("cloudtrail"),
        {"Name": "trail", "S3BucketName": make_bucket(owner, f"trails-{owner.account}")},
    )

    def create(role: str) -> Any:
        given = {"CloudWatchLogsLogGroupArn": group, "CloudWatchLogsRoleArn": roles[role]}
        return trails.create_trail(**made, **given)

    assert "is not authorized to perform: iam:PassRole" in refused(create, "able")[1]
    owner.allow("maker", allow("cloudtrail:*"), allow("iam:PassRole", list(roles.values())))
    code = "InvalidCloudWatchLogsRoleArnException"
    assert refused(create, "unable") == (code, "Access denied. Verify in IAM that the role has adequate permissions.")
    assert refused(create, "mistrusting") == (code, "Access denied. Check the trust relationships for your role.")
    create("able")
    (stream,) = owner.client("logs").describe_log_streams(logGroupName="trail")["logStreams"]
    assert stream["logStreamName"] == f"{owner.account}_CloudTrail_{REGION}"


def test_the_policy_of_a_key_must_name_cloudtrail(owner: StrictAccount) -> None:
    kms, trails = owner.client("kms"), owner.client("cloudtrail")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    wanted = {"Name": "trail", "S3BucketName": make_bucket(owner, f"trails-{owner.account}"), "KmsKeyId": key}
    assert refused(trails.create_trail, **wanted) == (
        "InsufficientEncryptionPolicyException",
        f"Insufficient permissions to access S3 bucket {wanted['S3BucketName']} or KMS key {key}.",
    )
    service = {"Principal": {"Service": "cloudtrail.amazonaws.com"}}
    of_trail = {"StringEquals": {"aws:SourceArn": _arn(owner, "trail/trail")}}
    policy = make_policy(
        {**allow("kms:*"), "Principal": {"AWS": owner.account}},
        {**allow(["kms:GenerateDataKey*", "kms:DescribeKey"], Condition=of_trail), **service},
    )
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
    assert trails.create_trail(**wanted)["KmsKeyId"] == key


def _make_store(owner: StrictAccount, name: str) -> str:
    tags = [{"Key": "team", "Value": name}]
    made = owner.client("cloudtrail").create_event_data_store(
        Name=name, TagsList=tags, TerminationProtectionEnabled=False
    )
    return str(made["EventDataStoreArn"])


def _query(trails: Any, store: str) -> str:
    return str(trails.start_query(QueryStatement=f"SELECT eventID FROM {store.rpartition('/')[2]}")["QueryId"])


def test_queries_are_about_the_stores_that_they_read(owner: StrictAccount) -> None:
    mine, other = _make_store(owner, "mine"), _make_store(owner, "other")
    trails = owner.add_user(allow("cloudtrail:*", mine)).client("cloudtrail")
    trails.get_event_data_store(EventDataStore=mine)
    query = _query(trails, mine)
    trails.describe_query(QueryId=query)
    trails.get_query_results(QueryId=query)
    assert is_denied(_query, trails=trails, store=other)
    foreign = _query(owner.client("cloudtrail"), other)
    assert is_denied(trails.describe_query, QueryId=foreign)
    assert is_denied(trails.get_query_results, QueryId=foreign)
    assert is_denied(trails.cancel_query, QueryId=foreign)
    assert is_denied(trails.get_event_data_store, EventDataStore=other)
    assert is_denied(trails.create_event_data_store, Name="third")


def test_a_policy_may_ask_for_tags(owner: StrictAccount) -> None:
    mine, other = _make_store(owner, "mine"), _make_store(owner, "other")
    by_tag = {"Condition": {"StringEquals": {"aws:ResourceTag/team": "mine"}}}
    trails = owner.add_user(allow("cloudtrail:*", **by_tag)).client("cloudtrail")
    trails.get_event_data_store(EventDataStore=mine)
    _query(trails, mine)
    assert is_denied(trails.get_event_data_store, EventDataStore=other)
    assert is_denied(_query, trails=trails, store=other)


def test_a_denial_a_boundary_and_a_session_policy_limit_a_user(owner: StrictAccount) -> None:
    everything = allow("cloudtrail:*")
    denied = owner.add_user(everything, deny("cloudtrail:LookupEvents")).client("cloudtrail")
    denied.describe_trails()
    assert refused(denied.lookup_events)[1].endswith("with an explicit deny in an identity-based policy")
    bound = owner.add_user(everything, boundary=make_policy(allow("cloudtrail:LookupEvents"))).client("cloudtrail")
    bound.lookup_events()
    assert "no permissions boundary allows" in refused(bound.describe_trails)[1]
    user = owner.add_user(allow("sts:AssumeRole"))
    role = owner.add_role({"AWS": user.arn}, everything)
    session = owner.assume(role, user, allow("cloudtrail:LookupEvents")).client("cloudtrail")
    session.lookup_events()
    assert "no session policy allows" in refused(session.describe_trails)[1]


def _find_record(owner: StrictAccount, name: str) -> dict[str, Any]:
    (event,) = lookup(owner, 1, EventName=name)
    record: dict[str, Any] = json.loads(event["CloudTrailEvent"])
    return record


def test_users_and_their_denials_are_recorded(owner: StrictAccount) -> None:
    user = owner.add_user(allow("sqs:ListQueues"), name="alice")
    user.client("sqs").list_queues()
    identity = _find_record(owner, "ListQueues")["userIdentity"]
    assert identity["principalId"].startswith("AIDA")
    assert {name: value for name, value in identity.items() if name != "principalId"} == {
        "type": "IAMUser",
        "arn": user.arn,
        "accountId": owner.account,
        "accessKeyId": user.access_key,
        "userName": "alice",
    }
    message = refused(user.client("sqs").create_queue, QueueName="q")[1]
    denied = _find_record(owner, "CreateQueue")
    assert denied["errorCode"] == "AccessDenied"
    assert denied["errorMessage"] == message
    assert denied["userIdentity"]["userName"] == "alice"
    assert denied["responseElements"] is None


def test_sessions_of_roles_are_recorded_with_their_role(owner: StrictAccount) -> None:
    user = owner.add_user(allow("sts:AssumeRole"))
    role = owner.add_role({"AWS": user.arn}, allow("sqs:ListQueues"), name="reader")
    session = owner.assume(role, user)
    session.client("sqs").list_queues()
    identity = _find_record(owner, "ListQueues")["userIdentity"]
    context = identity["sessionContext"]
    assert (identity["type"], identity["arn"], identity["accessKeyId"]) == (
        "AssumedRole",
        session.arn,
        session.access_key,
    )
    issuer = context["sessionIssuer"]
    assert issuer["principalId"] == identity["principalId"].partition(":")[0]
    assert {name: issuer[name] for name in ("type", "arn", "accountId", "userName")} == {
        "type": "Role",
        "arn": role,
        "accountId": owner.account,
        "userName": "reader",
    }
    assert context["attributes"]["mfaAuthenticated"] == "false"
