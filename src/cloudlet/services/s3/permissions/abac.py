"""Attribute-based access control of a bucket: whether policies may look at its tags.

S3 user guide, "Enabling ABAC in general purpose buckets".
"""

from __future__ import annotations

from collections.abc import Mapping

from cloudlet.core import AwsError, Transaction
from cloudlet.services.s3.buckets.bucket import configuration
from cloudlet.services.s3.buckets.bucket_record import Bucket

KIND = "abac"
"""The kind of the bucket's configuration, which is there while it is enabled."""


def is_enabled(bucket: Bucket) -> bool:
    return KIND in bucket.kinds


async def tags_of(tx: Transaction, bucket: Bucket) -> Mapping[str, str]:
    """Return the tags of a bucket that policies may look at: none, while ABAC is disabled."""
    tags: Mapping[str, str] | None = await configuration(tx, bucket, "tagging") if is_enabled(bucket) else None
    return tags or {}


def check_taggable(bucket: Bucket) -> None:
    """Raise AwsError where tags are changed by TagResource and UntagResource of S3 Control only.

    API reference, "PutBucketAbac", which does not say what the other operations then answer.
    """
    if is_enabled(bucket):
        raise AwsError(
            "MethodNotAllowed",
            "Attribute-based access control (ABAC) is enabled for this bucket. Use TagResource and UntagResource to "
            "manage its tags.",
            status=405,
            ResourceType="TAGGING",
        )
