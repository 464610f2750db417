"""What subscribers are told of an event: S3's own message, and the detail of an event of EventBridge.

User guide, "Event message structure" and "EventBridge event message structure".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote_plus

import msgspec

from cloudlet.core import Context
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.object_data.objects import NULL, Version
from cloudlet.services.s3.permissions.canonical_users import canonical_id
from cloudlet.wire.host_ids import host_id
from cloudlet.wire.timestamps import iso8601, milliseconds

_SELF = "s3.amazonaws.com"
_NEWER_VERSIONS = {"Lifecycle": "2.3", "ObjectAcl": "2.3", "ObjectTagging": "2.3", "Replication": "2.2"}
"""The versions of the structure, by the beginning of the event's name; of others it is 2.1."""
_ORDERED = ("LifecycleExpiration", "ObjectCreated", "ObjectRemoved")
"""The beginnings of the names of events that have a sequencer: those that create objects or delete them."""
_DETAIL_TYPES = {
    "LifecycleExpiration": "Object Deleted",
    "LifecycleTransition": "Object Storage Class Changed",
    "ObjectAcl:Put": "Object ACL Updated",
    "ObjectCreated": "Object Created",
    "ObjectRemoved": "Object Deleted",
    "ObjectRestore:Completed": "Object Restore Completed",
    "ObjectRestore:Delete": "Object Restore Expired",
    "ObjectRestore:Post": "Object Restore Initiated",
    "ObjectTagging:Delete": "Object Tags Deleted",
    "ObjectTagging:Put": "Object Tags Added",
}
"""By an event's name, or by its part before the colon."""
_REASONS = {
    "CompleteMultipartUpload": "CompleteMultipartUpload",
    "Copy": "CopyObject",
    "Post": "POST Object",
    "Put": "PutObject",
}


class Event(NamedTuple):
    """Something that has happened to an object. `at` is in seconds since the epoch."""

    bucket: Bucket
    name: str
    key: str
    version: Version
    at: float
    sequence: int
    """Rises from event to event of a key."""
    ctx: Context | None
    """The call behind it; None where S3 did it by itself."""

    def _told(self, size: str, etag: str, version_id: str) -> dict[str, Any]:
        """Return what is told of the object behind its key, under the names that a message has for it."""
        version, told = self.version, dict[str, Any]()
        if self.name not in ("ObjectRemoved:Delete", "LifecycleExpiration:Delete"):
            told = {size: version.size, etag: version.etag}
        if self.bucket.versioning and version.id != NULL:
            told[version_id] = version.id
        if self.name.startswith(("ObjectAcl", "ObjectTagging")):
            del told[size]
        if self.name.startswith(_ORDERED):
            told["sequencer"] = f"{self.sequence:016X}"
        return told

    def record(self, configuration: str) -> dict[str, Any]:
        """Return the record of it that a destination of the configuration with an id is sent."""
        bucket, version, ctx = self.bucket, self.version, self.ctx
        told = {"key": quote_plus(self.key, safe="/"), **self._told("size", "eTag", "versionId")}
        record: dict[str, Any] = {
            "eventVersion": next((v for start, v in _NEWER_VERSIONS.items() if self.name.startswith(start)), "2.1"),
            "eventSource": "aws:s3",
            "awsRegion": bucket.region,
            "eventTime": milliseconds(self.at),
            "eventName": self.name,
            "userIdentity": {"principalId": _principal_id(ctx)},
            "requestParameters": {"sourceIPAddress": ctx.source_ip if ctx is not None else _SELF},
            "responseElements": {"x-amz-request-id": self._request_id, "x-amz-id-2": host_id(self._request_id)},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": configuration,
                "bucket": {
                    "name": bucket.name,
                    "ownerIdentity": {"principalId": canonical_id(bucket.account)},
                    "arn": bucket.arn,
                },
                "object": told,
            },
        }
        if self.name == "ObjectRestore:Completed" and version.restore is not None:
            record["glacierEventData"] = {
                "restoreEventData": {
                    "lifecycleRestorationExpiryTime": milliseconds(version.restore.expires / 1000),
                    "lifecycleRestoreStorageClass": version.storage_class,
                }
            }
        return record

    @property
    def _request_id(self) -> str:
        return self.ctx.request_id if self.ctx is not None else ""

    def entry(self) -> dict[str, Any] | None:
        """Return it as an entry of PutEvents, or None for what EventBridge is not told."""
        kind = _DETAIL_TYPES.get(self.name) or _DETAIL_TYPES.get(self.name.partition(":")[0])
        if kind is None:
            return None
        return {
            "Source": "aws.s3",
            "DetailType": kind,
            "Resources": [self.bucket.arn],
            "Time": self.at,
            "Detail": msgspec.json.encode(self._detail()).decode(),
        }

    def _detail(self) -> Mapping[str, Any]:
        version, ctx = self.version, self.ctx
        told = {"key": self.key, **self._told("size", "etag", "version-id")}
        detail: dict[str, Any] = {
            "version": "0",
            "bucket": {"name": self.bucket.name},
            "object": told,
            "request-id": self._request_id,
            "requester": ctx.principal.account if ctx is not None else _SELF,
        }
        if ctx is not None:
            detail["source-ip-address"] = ctx.source_ip
        head, _, tail = self.name.partition(":")
        if head == "ObjectCreated":
            detail["reason"] = _REASONS[tail]
        if head in ("ObjectRemoved", "LifecycleExpiration"):
            detail["reason"] = "DeleteObject" if head == "ObjectRemoved" else "Lifecycle Expiration"
            detail["deletion-type"] = "Permanently Deleted" if tail == "Delete" else "Delete Marker Created"
        if head == "LifecycleTransition":
            detail["destination-storage-class"] = version.storage_class
        if head == "ObjectRestore" and version.restore is not None:
            detail["source-storage-class"] = version.storage_class
            if tail == "Completed":
                detail["restore-expiry-time"] = iso8601(version.restore.expires / 1000)
        return detail


def _principal_id(ctx: Context | None) -> str:
    if ctx is None:
        return "AmazonS3"
    return "Anonymous" if ctx.principal.kind == "anonymous" else f"AWS:{ctx.principal.user_id}"


def test_event(bucket: Bucket, at: float, request_id: str) -> dict[str, str]:
    """Return what S3 sends to a new destination, to see whether it may."""
    return {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": milliseconds(at),
        "Bucket": bucket.name,
        "RequestId": request_id,
        "HostId": host_id(request_id),
    }
