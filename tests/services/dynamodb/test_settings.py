"""Tags, resource policies, contributor insights, and what an account may have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.services.dynamodb.local import ACCOUNT, OTHER, LocalDynamo, item, root


def tags(dynamo: LocalDynamo, arn: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in dynamo.call("ListTagsOfResource", ResourceArn=arn)["Tags"]}


def pairs(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def test_a_table_is_tagged_and_untagged(dynamo: LocalDynamo) -> None:
    arn = dynamo.table(Tags=pairs(team="a", stage="test"))
    dynamo.call("TagResource", ResourceArn=arn, Tags=pairs(team="b", cost=""))
    assert tags(dynamo, arn) == {"team": "b", "stage": "test", "cost": ""}
    dynamo.call("UntagResource", ResourceArn=arn, TagKeys=["stage", "unknown"])
    assert tags(dynamo, arn) == {"team": "b", "cost": ""}


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [{"Key": "", "Value": "v"}],
        [{"Key": "k" * 129, "Value": "v"}],
        [{"Key": "k", "Value": "v" * 257}],
        [{"Key": "what?", "Value": "v"}],
        [{"Key": "k", "Value": '"'}],
        [{"Key": "aws:k", "Value": "v"}],
        [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}],
        [{"Key": str(number), "Value": ""} for number in range(51)],
    ],
)
def test_tags_that_aws_does_not_admit_are_refused(dynamo: LocalDynamo, wrong: list[dict[str, str]]) -> None:
    arn = dynamo.table()
    assert dynamo.refused("TagResource", ResourceArn=arn, Tags=wrong).code == "ValidationException"
    assert tags(dynamo, arn) == {}


def test_only_tables_that_exist_have_tags(dynamo: LocalDynamo) -> None:
    arn = dynamo.table()
    for wrong, code in (
        ("orders", "ValidationException"),
        ("arn:aws:sqs:eu-west-1:111111111111:orders", "ValidationException"),
        (f"{arn}/index/by-owner", "ValidationException"),
        (f"{arn}x", "ResourceNotFoundException"),
    ):
        assert dynamo.refused("TagResource", ResourceArn=wrong, Tags=pairs(a="b")).code == code


# -- policies


def policy(arn: str, *actions: str, effect: str = "Allow", principal: str = OTHER) -> str:
    statement = {
        "Effect": effect,
        "Principal": {"AWS": f"arn:aws:iam::{principal}:root"},
        "Action": [f"dynamodb:{action}" for action in actions],
        "Resource": arn,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_policy_is_put_read_and_deleted(dynamo: LocalDynamo) -> None:
    arn = dynamo.table()
    assert dynamo.refused("GetResourcePolicy", ResourceArn=arn).code == "PolicyNotFoundException"
    text = policy(arn, "GetItem")
    revision = dynamo.call("PutResourcePolicy", ResourceArn=arn, Policy=text, ExpectedRevisionId="NO_POLICY")[
        "RevisionId"
    ]
    assert dynamo.call("GetResourcePolicy", ResourceArn=arn) == {"Policy": text, "RevisionId": revision}
    assert dynamo.call("PutResourcePolicy", ResourceArn=arn, Policy=text)["RevisionId"] == revision
    assert dynamo.call("DeleteResourcePolicy", ResourceArn=arn, ExpectedRevisionId=revision) == {"RevisionId": revision}
    assert dynamo.call("DeleteResourcePolicy", ResourceArn=arn) == {}


def test_a_policy_is_changed_by_who_knows_its_revision(dynamo: LocalDynamo) -> None:
    arn = dynamo.table()

    def put(action: str, expected: str | None = None) -> int:
        given = {} if expected is None else {"ExpectedRevisionId": expected}
        return int(dynamo.call("PutResourcePolicy", ResourceArn=arn, Policy=policy(arn, action), **given)["RevisionId"])

    first = put("GetItem")
    second = put("PutItem", str(first))
    # Revision ids grow, also where two changes are of one moment.
    assert first < second < put("GetItem")
    latest = dynamo.call("GetResourcePolicy", ResourceArn=arn)["RevisionId"]
    for expected, told in (
        (
            str(first),
            f"Requested update for policy with revision id {first}, but the policy associated to target table orders "
            f"has revision id {latest}.",
        ),
        (
            "NO_POLICY",
            f"Requested policy update expecting none to be present for table orders, but a policy exists with revision "
            f"id {latest}.",
        ),
    ):
        for operation, params in (("PutResourcePolicy", {"Policy": policy(arn, "Scan")}), ("DeleteResourcePolicy", {})):
            error = dynamo.refused(operation, ResourceArn=arn, ExpectedRevisionId=expected, **params)
            assert error.code == "PolicyNotFoundException"
            assert error.message == f"Resource-based policy not found for the provided ResourceArn: {told}"


def test_a_policy_is_of_a_table_that_exists(dynamo: LocalDynamo) -> None:
    arn = dynamo.table().replace("orders", "none")
    for operation, params in (
        ("PutResourcePolicy", {"Policy": policy(arn, "Scan")}),
        ("GetResourcePolicy", {}),
        ("DeleteResourcePolicy", {}),
    ):
        error = dynamo.refused(operation, ResourceArn=arn, **params)
        assert (error.code, error.message) == (
            "ResourceNotFoundException",
            "Requested resource not found: Table: none not found",
        )


def test_what_is_no_policy_is_refused(dynamo: LocalDynamo) -> None:
    arn = dynamo.table()
    for wrong in ("", "{}", "[]", '{"Statement": {"Effect": "Maybe"}}'):
        assert dynamo.refused("PutResourcePolicy", ResourceArn=arn, Policy=wrong).code == "ValidationException"
    large = json.loads(policy(arn, "GetItem"))
    large["Statement"] = [{**large["Statement"][0], "Sid": f"s{number}"} for number in range(200)]
    error = dynamo.refused("PutResourcePolicy", ResourceArn=arn, Policy=json.dumps(large))
    assert error.code == "LimitExceededException"


def test_who_locks_himself_out_must_say_that_he_means_it(dynamo: LocalDynamo) -> None:
    arn = dynamo.table()
    text = policy(arn, "PutResourcePolicy", effect="Deny", principal=ACCOUNT)
    assert dynamo.refused("PutResourcePolicy", ResourceArn=arn, Policy=text).code == "ValidationException"
    dynamo.call("PutResourcePolicy", ResourceArn=arn, Policy=text, ConfirmRemoveSelfResourceAccess=True)


def test_another_account_may_do_what_the_policy_allows(strict_dynamo: LocalDynamo) -> None:
    dynamo = strict_dynamo
    arn = dynamo.table(view="KEYS_ONLY")
    dynamo.put("a", n=1)
    stranger = root(OTHER)
    get: dict[str, Any] = {"TableName": arn, "Key": item("a"), "by": stranger}
    assert dynamo.refused("GetItem", **get).code == "AccessDeniedException"
    dynamo.call("PutResourcePolicy", ResourceArn=arn, Policy=policy(arn, "GetItem", "CreateBackup"))
    assert dynamo.call("GetItem", **get)["Item"] == item("a", n=1)
    assert dynamo.refused("PutItem", TableName=arn, Item=item("b"), by=stranger).code == "AccessDeniedException"
    # No policy grants backups to others.
    error = dynamo.refused("CreateBackup", TableName=arn, BackupName="theirs", by=stranger)
    assert error.code == "AccessDeniedException"
    dynamo.call(
        "PutResourcePolicy",
        ResourceArn=arn,
        Policy=policy(arn, "GetItem", effect="Deny", principal=ACCOUNT),
    )
    assert dynamo.refused("GetItem", TableName="orders", Key=item("a")).code == "AccessDeniedException"
    dynamo.put("b")


def test_a_stream_has_a_policy_of_its_own(strict_dynamo: LocalDynamo) -> None:
    dynamo = strict_dynamo
    dynamo.table(view="KEYS_ONLY")
    stream, stranger = dynamo.stream(), root(OTHER)
    assert dynamo.refused("DescribeStream", StreamArn=stream, by=stranger).code == "AccessDeniedException"
    dynamo.call("PutResourcePolicy", ResourceArn=stream, Policy=policy(stream, "DescribeStream"))
    assert dynamo.call("DescribeStream", StreamArn=stream, by=stranger)["StreamDescription"]["TableName"] == "orders"
    assert dynamo.call("GetResourcePolicy", ResourceArn=stream)["Policy"] == policy(stream, "DescribeStream")
    missing = f"{stream[:-3]}001"
    assert dynamo.refused("GetResourcePolicy", ResourceArn=missing).code == "ResourceNotFoundException"


# -- insights and the account


def test_contributor_insights_are_disabled_for_good(dynamo: LocalDynamo) -> None:
    dynamo.table()
    disabled = {"TableName": "orders", "ContributorInsightsStatus": "DISABLED"}
    error = dynamo.refused("UpdateContributorInsights", TableName="orders", ContributorInsightsAction="ENABLE")
    assert error.message.startswith("Cloudlet does not implement contributor insights.")
    answer = dynamo.call("UpdateContributorInsights", TableName="orders", ContributorInsightsAction="DISABLE")
    described = dynamo.call("DescribeContributorInsights", TableName="orders")
    for told in (answer, described):
        assert {name: value for name, value in told.items() if value is not None} == disabled
    assert dynamo.call("ListContributorInsights")["ContributorInsightsSummaries"] == []
    assert dynamo.call("ListContributorInsights", TableName="orders")["ContributorInsightsSummaries"] == []
    assert dynamo.refused("ListContributorInsights", TableName="none").code == "ResourceNotFoundException"
    assert dynamo.refused("ListContributorInsights", NextToken="x").code == "ValidationException"
    assert dynamo.refused("ListContributorInsights", MaxResults=-1).code == "ValidationException"
    error = dynamo.refused("DescribeContributorInsights", TableName="orders", IndexName="none")
    assert error.code == "ResourceNotFoundException"


def test_limits_and_endpoints(dynamo: LocalDynamo) -> None:
    assert dynamo.call("DescribeLimits") == {
        "AccountMaxReadCapacityUnits": 80_000,
        "AccountMaxWriteCapacityUnits": 80_000,
        "TableMaxReadCapacityUnits": 40_000,
        "TableMaxWriteCapacityUnits": 40_000,
    }
    assert dynamo.call("DescribeEndpoints")["Endpoints"] == [
        {"Address": "127.0.0.1:4566", "CachePeriodInMinutes": 1440}
    ]


def test_what_is_not_built_says_so(dynamo: LocalDynamo) -> None:
    for operation, params in (
        ("ListGlobalTables", {}),
        ("DescribeKinesisStreamingDestination", {"TableName": "orders"}),
    ):
        error = dynamo.refused(operation, **params)
        assert (error.code, error.status) == ("NotImplemented", 501)
        assert operation in error.message


def test_what_names_no_resource_is_refused(dynamo: LocalDynamo) -> None:
    arn = dynamo.table()
    assert dynamo.refused("ListTagsOfResource", ResourceArn=arn, NextToken="x").code == "ValidationException"
    assert dynamo.refused("UntagResource", ResourceArn=arn, TagKeys=[]).code == "ValidationException"
    for wrong in ("arn:aws", "arn:aws:dynamodb:eu-west-1:111111111111:backup/x", f"{arn}/index/by-x"):
        assert dynamo.refused("GetResourcePolicy", ResourceArn=wrong).code == "ValidationException"
    elsewhere = arn.replace("eu-west-1", "us-east-1")
    assert dynamo.refused("GetResourcePolicy", ResourceArn=elsewhere).code == "ResourceNotFoundException"


def test_a_table_can_be_made_with_a_policy(strict_dynamo: LocalDynamo) -> None:
    arn = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/orders"
    assert strict_dynamo.table(ResourcePolicy=policy(arn, "GetItem")) == arn
    strict_dynamo.put("a")
    assert strict_dynamo.call("GetItem", TableName=arn, Key=item("a"), by=root(OTHER))["Item"] == item("a")
    assert strict_dynamo.refused("GetItem", TableName=arn, Key=item("a"), by=root("333333333333")).code == (
        "AccessDeniedException"
    )
