"""AddPermission and RemovePermission: statements of the topic's policy, by label."""

from __future__ import annotations

import json
from typing import Any

from cloudlet.core.aws.arn import partition_of
from cloudlet.services.sns import access, errors, limits
from cloudlet.services.sns.topic_record import Topic


def with_permission(topic: Topic, label: str, accounts: list[str], actions: list[str]) -> str:
    """Return the topic's policy with one more statement. Raises AwsError."""
    limits.check_label(label)
    if not accounts:
        raise errors.missing("AWSAccountId")
    if not actions:
        raise errors.missing("ActionName")
    for account in accounts:
        if not (len(account) == 12 and account.isascii() and account.isdecimal()):
            raise errors.invalid_parameter("AWSAccountId")
    for action in actions:
        if action not in access.SHARED_ACTIONS:
            raise errors.invalid_parameter("Policy statement action out of service scope!")
    policy = _policy(topic)
    if any(statement.get("Sid") == label for statement in policy["Statement"]):
        raise errors.invalid_parameter("Statement already exists")
    partition = partition_of(topic.region)
    policy["Statement"].append(
        {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": _one_or_all([f"arn:{partition}:iam::{account}:root" for account in accounts])},
            "Action": _one_or_all([f"SNS:{action}" for action in actions]),
            "Resource": topic.arn,
        }
    )
    return access.checked_policy(json.dumps(policy, separators=(",", ":")), topic.arn)


def without_permission(topic: Topic, label: str) -> str | None:
    """Return the topic's policy without a statement, None where none is left; a label not there is no error."""
    policy = _policy(topic)
    policy["Statement"] = [statement for statement in policy["Statement"] if statement.get("Sid") != label]
    return json.dumps(policy, separators=(",", ":")) if policy["Statement"] else None


def _policy(topic: Topic) -> dict[str, Any]:
    policy: dict[str, Any] = json.loads(access.policy_of(topic))
    if isinstance(policy["Statement"], dict):
        policy["Statement"] = [policy["Statement"]]
    return policy


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values
