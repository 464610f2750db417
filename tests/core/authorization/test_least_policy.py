"""The permissions that recorded calls needed, and the smallest policy that grants them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.authorization.least_policy import MAX_RESOURCES, make_policy
from cloudlet.core.authorization.recorded_calls import Call, Permission, list_permissions, read_params
from cloudlet.core.aws.policy import NamedPolicy, Policies, Policy, Request, Usage, evaluate
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.telemetry.audit.record import HIDDEN
from cloudlet.wire import load

ACCOUNT, REGION = "123456789012", "eu-west-1"
BOB = Principal("user", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/bob", "AIDABOB")


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def needed(model: str, name: str, recorded: dict[str, Any] | None) -> set[tuple[str, ...]]:
    """Return the permissions of a call, from what its record has as parameters."""
    operation = load(model).operations[name]
    call = Call(model, operation, ACCOUNT, REGION, read_params(operation, recorded))
    return {tuple(part for part in permission if part) for permission in list_permissions(call)}


@pytest.mark.parametrize(
    ("model", "operation", "recorded", "expected"),
    [
        (
            "sqs",
            "SendMessageBatch",
            {"queueUrl": f"http://localhost:4566/{ACCOUNT}/q"},
            {("sqs:SendMessage", arn("sqs", "q"))},
        ),
        (
            "sqs",
            "SendMessage",
            {"queueUrl": "http://x/999999999999/q"},
            {("sqs:SendMessage", f"arn:aws:sqs:{REGION}:999999999999:q")},
        ),
        ("s3", "GetObject", {"bucketName": "b", "key": "k"}, {("s3:GetObject", "arn:aws:s3:::b/k")}),
        (
            "s3",
            "GetObject",
            {"bucketName": "b", "key": "a*?", "versionId": "1"},
            {("s3:GetObjectVersion", "arn:aws:s3:::b/a${*}${?}")},
        ),
        (
            "s3",
            "PutObject",
            {"bucketName": "b", "key": "k", "tagging": "a=b"},
            {("s3:PutObject", "arn:aws:s3:::b/k"), ("s3:PutObjectTagging", "arn:aws:s3:::b/k")},
        ),
        (
            "s3",
            "CopyObject",
            {"bucketName": "b", "key": "k", "copySource": "/a/x%20y"},
            {("s3:PutObject", "arn:aws:s3:::b/k"), ("s3:GetObject", "arn:aws:s3:::a/x y")},
        ),
        (
            "s3",
            "DeleteObjects",
            {"bucketName": "b", "delete": {"objects": [{"key": "1"}, {"key": "2"}]}},
            {("s3:DeleteObject", "arn:aws:s3:::b/1"), ("s3:DeleteObject", "arn:aws:s3:::b/2")},
        ),
        ("dynamodb", "GetItem", {"tableName": "t"}, {("dynamodb:GetItem", arn("dynamodb", "table/t"))}),
        (
            "dynamodb",
            "Query",
            {"tableName": "t", "indexName": "i"},
            {("dynamodb:Query", arn("dynamodb", "table/t/index/i"))},
        ),
        (
            "dynamodb",
            "BatchGetItem",
            {"requestItems": {"t": {}, "u": {}}},
            {("dynamodb:BatchGetItem", arn("dynamodb", f"table/{name}")) for name in "tu"},
        ),
        (
            "dynamodb",
            "TransactWriteItems",
            {"transactItems": [{"put": {"tableName": "t"}}, {"conditionCheck": {"tableName": "u"}}]},
            {
                ("dynamodb:PutItem", arn("dynamodb", "table/t")),
                ("dynamodb:ConditionCheckItem", arn("dynamodb", "table/u")),
            },
        ),
        (
            "dynamodb",
            "ExecuteStatement",
            {"statement": 'SELECT a FROM "t"."i" WHERE x = 1'},
            {("dynamodb:PartiQLSelect", arn("dynamodb", "table/t/index/i"))},
        ),
        (
            "dynamodb",
            "BatchExecuteStatement",
            {"statements": [{"statement": "delete from t where x=1"}]},
            {("dynamodb:PartiQLDelete", arn("dynamodb", "table/t"))},
        ),
        (
            "lambda",
            "Invoke",
            {"functionName": "f", "qualifier": "live"},
            {("lambda:InvokeFunction", arn("lambda", "function:f:live"))},
        ),
        (
            "lambda",
            "CreateFunction",
            {"functionName": "f", "role": f"arn:aws:iam::{ACCOUNT}:role/r"},
            {
                ("lambda:CreateFunction", arn("lambda", "function:f")),
                ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/r", "lambda.amazonaws.com"),
            },
        ),
        (
            "secretsmanager",
            "GetSecretValue",
            {"secretId": "key"},
            {("secretsmanager:GetSecretValue", arn("secretsmanager", "secret:key-??????"))},
        ),
        (
            "secretsmanager",
            "GetSecretValue",
            {"secretId": arn("secretsmanager", "secret:key-AbCdEf")},
            {("secretsmanager:GetSecretValue", arn("secretsmanager", "secret:key-AbCdEf"))},
        ),
        ("kms", "Encrypt", {"keyId": "alias/shop"}, {("kms:Encrypt", arn("kms", "key/*"))}),
        ("kms", "Encrypt", {"keyId": "1-2"}, {("kms:Encrypt", arn("kms", "key/1-2"))}),
        ("ssm", "GetParameter", {"name": "/a/b:3"}, {("ssm:GetParameter", arn("ssm", "parameter/a/b"))}),
        ("sns", "Publish", {"targetArn": arn("sns", "t")}, {("sns:Publish", arn("sns", "t"))}),
        ("sts", "GetCallerIdentity", None, set()),
        # Secrets are hidden, and what is too large is left out: it may have been anything.
        ("dynamodb", "GetItem", {"tableName": HIDDEN}, {("dynamodb:GetItem", arn("dynamodb", "table/*"))}),
        ("events", "PutEvents", {"entries": HIDDEN}, {("events:PutEvents", arn("events", "event-bus/*"))}),
        (
            "sqs",
            "SendMessage",
            {"omitted": True, "originalSize": 200_000, "reason": "…"},
            {("sqs:SendMessage", arn("sqs", "*"))},
        ),
    ],
)
def test_what_a_call_needed(
    model: str, operation: str, recorded: dict[str, Any], expected: set[tuple[str, ...]]
) -> None:
    assert needed(model, operation, recorded) == expected


def test_statements_are_by_service_and_resources() -> None:
    queue, bucket = arn("sqs", "q"), "arn:aws:s3:::b/k"
    permissions = [
        Permission("sqs:SendMessage", queue),
        Permission("sqs:ReceiveMessage", queue),
        Permission("s3:GetObject", bucket),
        Permission("sqs:ListQueues", "*"),
        Permission("iam:PassRole", "arn:aws:iam::1:role/r", "lambda.amazonaws.com"),
    ]
    policy = make_policy(permissions)
    assert policy == make_policy(reversed(permissions))
    assert [(each["Action"], each["Resource"]) for each in policy["Statement"]] == [
        (["iam:PassRole"], ["arn:aws:iam::1:role/r"]),
        (["s3:GetObject"], [bucket]),
        (["sqs:ListQueues"], ["*"]),
        (["sqs:ReceiveMessage", "sqs:SendMessage"], [queue]),
    ]
    Policy.parse(json.dumps(policy), Usage.IDENTITY)


def test_many_resources_become_a_pattern() -> None:
    objects = [f"arn:aws:s3:::b/logs/2030-{number:02}" for number in range(MAX_RESOURCES + 1)]
    few = objects[1:]
    assert _resources(few) == sorted(few)
    assert _resources(objects) == ["arn:aws:s3:::b/logs/2030-*"]
    assert _resources([*objects, "arn:aws:s3:::b/index", "arn:aws:s3:::a/x"]) == [
        "arn:aws:s3:::a/x",
        "arn:aws:s3:::b/index",
        "arn:aws:s3:::b/logs/2030-*",
    ]
    escaped = [f"arn:aws:s3:::b/${{*}}{number:02}" for number in range(10, 22)]
    assert _resources([*escaped, "arn:aws:s3:::b/${?}"]) == ["arn:aws:s3:::b/*"]


def _resources(arns: list[str]) -> list[str]:
    (statement,) = make_policy(Permission("s3:GetObject", each) for each in arns)["Statement"]
    found: list[str] = statement["Resource"]
    return found


PERMISSIONS = st.builds(
    Permission,
    st.sampled_from(["s3:GetObject", "s3:PutObject", "sqs:SendMessage"]),
    st.builds(
        "arn:aws:x:::{}/{}{}".format, st.sampled_from("ab"), st.sampled_from(["", "c/", "${*}"]), st.integers(0, 99)
    )
    | st.just("*"),
    st.just(""),
)


@given(st.lists(PERMISSIONS, min_size=1, max_size=60))
def test_a_policy_grants_the_permissions_that_it_is_made_of(permissions: list[Permission]) -> None:
    policy = Policy.parse(json.dumps(make_policy(permissions)), Usage.IDENTITY)
    for action, resource, _ in permissions:
        request = Request(BOB, action, resource.replace("${*}", "*"), {}, ACCOUNT)
        assert evaluate(request, Policies(identity=(NamedPolicy("least", policy),))).allowed
