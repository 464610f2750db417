"""The buckets that CloudTrail delivers to: whether they are there, and let it in.

CloudTrail calls S3 as itself, on behalf of the trail or the event data store. User guide, "Amazon S3 bucket policy for
CloudTrail" and "Amazon S3 bucket policy for CloudTrail Lake query results".
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LONGEST_PREFIX = 200


class Target(NamedTuple):
    """A bucket, and on whose behalf it is written to."""

    bucket: str
    account: str
    region: str
    arn: str


def check_name(bucket: str) -> None:
    """Raise AwsError for what cannot be the name of a bucket."""
    if _NAME.fullmatch(bucket) is None:
        raise AwsError("InvalidS3BucketNameException", f"The bucket name is not valid: {bucket}")


def check_prefix(prefix: str) -> None:
    """Raise AwsError for a prefix of keys that is too long."""
    if len(prefix) > _LONGEST_PREFIX:
        raise AwsError("InvalidS3PrefixException", "The S3 key prefix has 200 characters at most.")


async def check(block: Block, target: Target) -> None:
    """Raise AwsError where a bucket is not there, or does not let CloudTrail in."""
    try:
        await _call(block, target, "GetBucketAcl", {"Bucket": target.bucket})
    except AwsError as error:
        match error.code:
            case "NoSuchBucket":
                raise AwsError("S3BucketDoesNotExistException", f"S3 bucket {target.bucket} does not exist!") from error
            case "AccessDenied":
                raise AwsError(
                    "InsufficientS3BucketPolicyException",
                    f"Incorrect S3 bucket policy is detected for bucket: {target.bucket}",
                ) from error
            case "InvalidBucketName":
                raise AwsError(
                    "InvalidS3BucketNameException", f"The bucket name is not valid: {target.bucket}"
                ) from error
        raise


async def put(block: Block, target: Target, key: str, body: bytes, **more: Any) -> None:
    """Put an object into a bucket. Raises AwsError."""
    # The policy that the guide gives for the bucket demands the ACL.
    params = {"Bucket": target.bucket, "Key": key, "Body": body, "ACL": "bucket-owner-full-control", **more}
    await _call(block, target, "PutObject", params)


async def _call(block: Block, target: Target, operation: str, params: dict[str, Any]) -> None:
    await block.call("s3", operation, params, account=target.account, region=target.region, source_arn=target.arn)
