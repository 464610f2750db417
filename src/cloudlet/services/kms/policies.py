"""Key policies: the default one, and what is checked of others.

Developer guide, "Key policies in AWS KMS".
"""

from __future__ import annotations

import json
from typing import Final

from cloudlet.core import AwsError, Context
from cloudlet.core.authorization.condition_keys import list_global_keys
from cloudlet.core.authorization.permissions import EVERYTHING
from cloudlet.core.authorization.resource_policy import parse_policy
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.aws.policy import NamedPolicy, Policies, PolicyError, Request, evaluate
from cloudlet.services.kms import errors

NAME: Final = "default"
MAX_POLICY_BYTES: Final = 32_768


def make_default(account: str, region: str) -> str:
    """Return the default policy, which leaves all to the account's IAM policies."""
    statement = {
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{partition_of(region)}:iam::{account}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Id": "key-default-1", "Statement": [statement]}, indent=2)


def validate(ctx: Context, arn: str, text: str, *, bypasses_check: bool) -> None:
    """Raise AwsError for an invalid policy, or one that locks its caller out."""
    if len(text.encode()) > MAX_POLICY_BYTES:
        raise errors.ExceededLimit("The key policy exceeds the maximum length of 32 kilobytes.")
    try:
        policy = parse_policy(text)
    except PolicyError as error:
        raise AwsError("MalformedPolicyDocumentException", str(error)) from error
    if bypasses_check or ctx.principal.kind == "service":
        return
    keys = {**list_global_keys(ctx, ctx.account), "kms:CallerAccount": ctx.principal.account, "kms:PolicyName": NAME}
    # A policy that leaves it to the account is enough: IAM's policies may change.
    policies = Policies(EVERYTHING.identity, resource=NamedPolicy(arn, policy), resource_must_allow=True)
    if not evaluate(Request(ctx.principal, "kms:PutKeyPolicy", arn, keys, ctx.account), policies).allowed:
        raise AwsError(
            "MalformedPolicyDocumentException",
            "The new key policy will not allow you to update the key policy in the future.",
        )
