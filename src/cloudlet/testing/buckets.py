"""Buckets of an account that is not used any more.

All accounts share the names of buckets. Where each test creates `photos`, one has to give it back to the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cloudlet.testing.asking import Unanswered, ask, health

if TYPE_CHECKING:
    from cloudlet.testing.server import Aws

_LEFT = frozenset(("AccessDenied", "BucketNotEmpty", "NoSuchBucket"))
"""What Object Lock keeps stays, and so does its bucket; of what somebody else deletes nothing is left to do."""


def give_back(aws: Aws) -> None:
    """Delete all buckets of an account that can be deleted. A Cloudlet that does not answer has none."""
    try:
        if not _has_buckets(aws):
            return
    except Unanswered:
        return
    s3 = aws.client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        try:
            _delete(s3, bucket["Name"])
        except ClientError as error:
            if error.response["Error"]["Code"] not in _LEFT:
                raise


def _delete(s3: Any, bucket: str) -> None:
    where: dict[str, Any] = {"Bucket": bucket, "BypassGovernanceRetention": True}
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        together = []
        for found in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            version = {"Key": found["Key"], "VersionId": found["VersionId"]}
            if found["Key"].isprintable():
                together.append(version)
            else:
                # XML cannot have each character of a key.
                s3.delete_object(**where, **version)
        if together:
            s3.delete_objects(**where, Delete={"Objects": together, "Quiet": True})
    s3.delete_bucket(Bucket=bucket)


def _has_buckets(aws: Aws) -> bool:
    """Whether an account has buckets: asked for after each test, so without a client, which takes ten times as long."""
    if health(aws.endpoint)["services"].get("s3") not in ("running", "starting"):
        # It would be started to say so.
        return False
    return b"<Bucket>" in ask(f"{aws.endpoint}/", aws)
