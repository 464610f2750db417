"""The condition keys that a request to S3 has, for its bucket's policy and its caller's own ones.

Service authorization reference, "Condition keys for Amazon S3".
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any
from urllib.parse import parse_qsl

from cloudlet.core import Context, Params
from cloudlet.core.authorization.condition_keys import Keys, list_global_keys
from cloudlet.core.aws import iso8601
from cloudlet.core.kernel.identity import Principal

_HEADERS = {
    f"x-amz-{name}": f"s3:x-amz-{name}"
    for name in (
        "acl",
        "content-sha256",
        "copy-source",
        "grant-full-control",
        "grant-read",
        "grant-read-acp",
        "grant-write",
        "grant-write-acp",
        "metadata-directive",
        "object-ownership",
        "server-side-encryption",
        "server-side-encryption-aws-kms-key-id",
        "server-side-encryption-customer-algorithm",
        "storage-class",
        "website-redirect-location",
    )
} | {
    "if-match": "s3:if-match",
    "if-none-match": "s3:if-none-match",
}
_PARAMS = {"Prefix": "s3:prefix", "Delimiter": "s3:delimiter", "MaxKeys": "s3:max-keys", "VersionId": "s3:VersionId"}
_AS_HEADERS = {
    "ACL": "s3:x-amz-acl",
    "BucketNamespace": "s3:x-amz-bucket-namespace",
    "CopySource": "s3:x-amz-copy-source",
    "GrantFullControl": "s3:x-amz-grant-full-control",
    "GrantRead": "s3:x-amz-grant-read",
    "GrantReadACP": "s3:x-amz-grant-read-acp",
    "GrantWrite": "s3:x-amz-grant-write",
    "GrantWriteACP": "s3:x-amz-grant-write-acp",
    "IfMatch": "s3:if-match",
    "IfNoneMatch": "s3:if-none-match",
    "MetadataDirective": "s3:x-amz-metadata-directive",
    "ObjectOwnership": "s3:x-amz-object-ownership",
    "ServerSideEncryption": "s3:x-amz-server-side-encryption",
    "SSECustomerAlgorithm": "s3:x-amz-server-side-encryption-customer-algorithm",
    "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "StorageClass": "s3:x-amz-storage-class",
    "WebsiteRedirectLocation": "s3:x-amz-website-redirect-location",
}
"""Parameters that are headers of a request, but not of a call by another block, nor where a URL's query has them."""

CREATES = "s3:ObjectCreationOperation"
"""Whether a request with s3:PutObject makes an object, rather than begin an upload or add a part to one."""

_MODE, _UNTIL = "s3:object-lock-mode", "s3:object-lock-retain-until-date"
_DAYS = "s3:object-lock-remaining-retention-days"
_HOLD = "s3:object-lock-legal-hold"
_DAY_SECONDS = 24 * 3600

_OTHERS = (
    CREATES,
    "s3:AccessGrantsInstanceArn",
    "s3:AccessPointNetworkOrigin",
    "s3:DataAccessPointAccount",
    "s3:DataAccessPointArn",
    "s3:InventoryAccessibleOptionalFields",
    "s3:ResourceAccount",
    "s3:TlsVersion",
    "s3:authType",
    "s3:destinationRegion",
    "s3:isReplicationPauseRequest",
    "s3:RequestObjectTagKeys",
    "s3:signatureversion",
    "s3:x-amz-bucket-namespace",
    _DAYS,
    _HOLD,
    _MODE,
    _UNTIL,
)
_KNOWN = frozenset(key.lower() for key in (*_HEADERS.values(), *_PARAMS.values(), *_OTHERS))
_KNOWN_WITH_TAGS = ("s3:accesspointtag/", "s3:buckettag/", "s3:existingobjecttag/", "s3:requestobjecttag/")


UNBUILT = "s3:signatureage"
"""Small letters; how long the signature of a URL is good for is not known here."""


def is_known(key: str) -> bool:
    """Whether the policy of a bucket may have a condition on a key: S3 knows its own."""
    lowered = key.lower()
    return not lowered.startswith("s3:") or lowered in _KNOWN or lowered.startswith(_KNOWN_WITH_TAGS)


def of(
    ctx: Context,
    owner: str,
    principal: Principal,
    action: str,
    object_tags: Mapping[str, str] | None,
    params: Params | None,
) -> Keys:
    """Return the condition keys of a request to a bucket of an account.

    `object_tags` are those of the object that it is about.
    """
    keys = list_global_keys(ctx, owner, principal)
    keys["s3:ResourceAccount"] = owner
    if principal.kind != "anonymous":
        keys["s3:signatureversion"] = "AWS4-HMAC-SHA256"
        keys["s3:authType"] = _auth_type(ctx, params)
    keys |= {_HEADERS[name]: value for name, value in ctx.headers.items() if name in _HEADERS}
    if params is not None:
        named = (*_PARAMS.items(), *_AS_HEADERS.items())
        keys |= {key: str(params[name]) for name, key in named if params.get(name) is not None}
        keys |= _lock_keys(params, ctx.now())
        if (created := params.get("CreateBucketConfiguration")) is not None:
            keys |= _list_creation_keys(created)
    if action == "s3:PutObject":
        keys[CREATES] = "true"
    keys |= _tag_keys("s3:ExistingObjectTag", object_tags or {})
    requested = _requested_tags(ctx, params)
    if requested:
        keys |= _tag_keys("s3:RequestObjectTag", requested)
        keys["s3:RequestObjectTagKeys"] = list(requested)
    return keys


def of_bucket_tags(tags: Mapping[str, str]) -> Keys:
    """Return the condition keys that the tags of a bucket are, for what is done to it and to its objects."""
    return _tag_keys("aws:ResourceTag", tags) | _tag_keys("s3:BucketTag", tags)


def _list_creation_keys(created: Mapping[str, Any]) -> Keys:
    """Return the condition keys that the document is with which a bucket is created."""
    keys: Keys = {}
    if created.get("LocationConstraint"):
        keys["s3:locationconstraint"] = created["LocationConstraint"]
    if tags := {tag["Key"]: tag["Value"] for tag in created.get("Tags") or ()}:
        keys |= _tag_keys("aws:RequestTag", tags)
        keys["aws:TagKeys"] = list(tags)
    return keys


def _lock_keys(params: Params, now: float) -> Keys:
    """Return the condition keys that the lock is which a request asks for, in headers, in a URL or in its document.

    S3 user guide, "Setting limits on retention periods with a bucket policy". A day that has begun counts.
    """
    retention: Mapping[str, Any] = params.get("Retention") or {}
    mode = params.get("ObjectLockMode") or retention.get("Mode")
    until = params.get("ObjectLockRetainUntilDate") or retention.get("RetainUntilDate")
    hold = params.get("ObjectLockLegalHoldStatus") or (params.get("LegalHold") or {}).get("Status")
    keys: Keys = {name: value for name, value in ((_MODE, mode), (_HOLD, hold)) if value is not None}
    if until is not None:
        keys[_UNTIL] = iso8601.second(int(until))
        keys[_DAYS] = str(ceil((until - now) / _DAY_SECONDS))
    return keys


def _auth_type(ctx: Context, params: Params | None) -> str:
    if "authorization" in ctx.headers:
        return "REST-HEADER"
    # Of all that is posted only a form has the body of an object.
    return "POST" if ctx.method == "POST" and "Body" in (params or {}) else "REST-QUERY-STRING"


def _tag_keys(name: str, tags: Mapping[str, str]) -> Keys:
    return {f"{name}/{key}": value for key, value in tags.items()}


def _requested_tags(ctx: Context, params: Params | None) -> dict[str, str]:
    """Return the tags that a request gives to an object, in a header, in a URL or in its document."""
    given: Any = (params or {}).get("Tagging") or ctx.headers.get("x-amz-tagging", "")
    if isinstance(given, Mapping):
        return {tag["Key"]: tag["Value"] for tag in given.get("TagSet") or ()}
    return dict(parse_qsl(given, keep_blank_values=True))
