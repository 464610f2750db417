"""AddPermission and RemovePermission: statements of the queue's policy, by label."""

from __future__ import annotations

import json
from typing import Any

from cloudlet.core import AwsError
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.sqs import access, errors, limits
from cloudlet.services.sqs.queue import Queue


def with_permission(queue: Queue, label: str, accounts: list[str], actions: list[str]) -> str:
    """Return the queue's policy with one more statement. Raises AwsError."""
    limits.check_label(label)
    if not accounts:
        raise errors.missing("PrincipalId")
    if not actions:
        raise errors.missing("Actions")
    if len(actions) > limits.POLICY_ACTIONS:
        raise AwsError(
            "OverLimit", f"{len(actions)} Actions were found, maximum allowed is {limits.POLICY_ACTIONS}.", status=403
        )
    for account in accounts:
        if not (len(account) == 12 and account.isascii() and account.isdecimal()):
            raise errors.invalid_value("PrincipalId", f"[{account}]", "Unable to verify.")
    for action in actions:
        if action != "*" and action not in access.SHARED_ACTIONS:
            raise errors.invalid_value(
                "ActionName", f"SQS:{action}", "Only the queue owner is allowed to invoke this action."
            )
    policy = _policy(queue)
    if any(statement.get("Sid") == label for statement in policy["Statement"]):
        raise errors.invalid_value("Label", label, "Already exists.")
    if len(policy["Statement"]) >= limits.POLICY_STATEMENTS:
        raise AwsError("OverLimit", f"A policy can have {limits.POLICY_STATEMENTS} statements at most.", status=403)
    partition = partition_of(queue.record.region)
    policy["Statement"].append(
        {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": _one_or_all([f"arn:{partition}:iam::{account}:root" for account in accounts])},
            "Action": _one_or_all([f"SQS:{action}" for action in actions]),
            "Resource": queue.arn,
        }
    )
    text = json.dumps(policy, separators=(",", ":"))
    if len(text) > limits.POLICY_BYTES:
        raise AwsError("OverLimit", f"A policy can have {limits.POLICY_BYTES} bytes at most.", status=403)
    return text


def without_permission(queue: Queue, label: str) -> str | None:
    """Return the queue's policy without a statement, None where none is left. Raises AwsError."""
    policy = _policy(queue)
    kept = [statement for statement in policy["Statement"] if statement.get("Sid") != label]
    if len(kept) == len(policy["Statement"]):
        raise errors.invalid_value("Label", label, "can't find label on existing policy.")
    policy["Statement"] = kept
    return json.dumps(policy, separators=(",", ":")) if kept else None


def _policy(queue: Queue) -> dict[str, Any]:
    text = queue.record.attributes.get("Policy")
    if text is None:
        return {"Version": "2008-10-17", "Id": f"{queue.arn}/SQSDefaultPolicy", "Statement": []}
    policy: dict[str, Any] = json.loads(text)
    if isinstance(policy["Statement"], dict):
        policy["Statement"] = [policy["Statement"]]
    return policy


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values
