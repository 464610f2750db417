"""AWS managed keys, one for each service, made when first named.

Developer guide, "AWS managed keys" and "View the policy of an AWS managed key": their policy lets in whom the service
calls for, they are rotated each year, and nobody can change them.
"""

from __future__ import annotations

import json
from typing import Any, Final

from cloudlet.core import Context, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.kms import due, key_spec, key_state, materials
from cloudlet.services.kms.alias import RESERVED
from cloudlet.services.kms.key_record import AWS, Key, make_key_arn

ROTATION_DAYS: Final = 365
DAY_SECONDS: Final = 86_400.0

_SERVICES: Final = {
    "acm": "ACM",
    "backup": "Backup",
    "codecommit": "CodeCommit",
    "dms": "DMS",
    "dynamodb": "DynamoDB",
    "ebs": "EBS",
    "elasticfilesystem": "EFS",
    "es": "Elasticsearch",
    "fsx": "FSx",
    "glue": "Glue",
    "kinesis": "Kinesis",
    "kinesisvideo": "Kinesis Video Streams",
    "lambda": "Lambda",
    "logs": "CloudWatch Logs",
    "mq": "Amazon MQ",
    "rds": "RDS",
    "redshift": "Redshift",
    "s3": "S3",
    "secretsmanager": "Secrets Manager",
    "ses": "SES",
    "sns": "SNS",
    "sqs": "SQS",
    "ssm": "SSM",
    "xray": "X-Ray",
}
"""The services that have such a key, by the names of their aliases."""
_ENDPOINTS: Final = {"ebs": "ec2"}
"""The names of services in `kms:ViaService` where they differ."""
_USES: Final = [
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncrypt*",
    "kms:GenerateDataKey*",
    "kms:CreateGrant",
    "kms:DescribeKey",
]
_READS: Final = ["kms:Describe*", "kms:Get*", "kms:List*"]

OPERATIONS: Final = frozenset(
    {
        "CreateGrant",
        "Decrypt",
        "DescribeKey",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "GetKeyPolicy",
        "GetKeyRotationStatus",
        "ListGrants",
        "ListKeyPolicies",
        "ListKeyRotations",
        "ListResourceTags",
        "ReEncryptFrom",
        "ReEncryptTo",
        "RetireGrant",
        "RevokeGrant",
    }
)
"""The operations that AWS managed keys take at all."""


def is_predefined(name: str) -> bool:
    """Whether an alias is that of an AWS managed key."""
    return name.removeprefix(RESERVED) in _SERVICES and name.startswith(RESERVED)


def make(ctx: Context, account: str, name: str) -> Key:
    """Return a new key for the service of an alias."""
    service, key_id, now = name.removeprefix(RESERVED), uuid4(), ctx.now()
    arn = make_key_arn(account, ctx.region, key_id)
    return Key(
        account,
        ctx.region,
        key_id,
        key_spec.SYMMETRIC,
        key_spec.ENCRYPT,
        "AWS_KMS",
        now,
        key_state.ENABLED,
        _make_policy(service, account, ctx.region),
        (materials.make(ctx.block, arn, key_spec.SYMMETRIC),),
        description=f"Default key that protects my {_SERVICES[service]} data when no other key is defined",
        manager=AWS,
        rotation_days=ROTATION_DAYS,
        next_rotation=now + ROTATION_DAYS * DAY_SECONDS,
    )


def schedule(tx: Transaction, key: Key) -> None:
    """Have a new key rotated each year."""
    if key.next_rotation is not None:
        due.schedule(tx, "rotate", key.next_rotation, key.account, key.region, key.name)


def _make_policy(service: str, account: str, region: str) -> str:
    title, endpoint = _SERVICES[service], _ENDPOINTS.get(service, service)
    through: dict[str, Any] = {
        "Sid": f"Allow access through {title} for all principals in the account that are authorized to use {title}",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": _USES,
        "Resource": "*",
        "Condition": {
            "StringEquals": {
                "kms:CallerAccount": account,
                "kms:ViaService": f"{endpoint}.{region}.amazonaws.com",
            }
        },
    }
    metadata = {
        "Sid": "Allow direct access to key metadata to the account",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{partition_of(region)}:iam::{account}:root"},
        "Action": _READS,
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Id": f"auto-{service}-1", "Statement": [through, metadata]})
