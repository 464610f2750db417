"""Conditional requests: on reading, on writing, on deleting, and on the source of a copy.

RFC 9110, 13; S3 user guide, "Add preconditions to S3 operations with conditional requests".
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate
from typing import Final

from cloudlet.core import AwsError, Params
from cloudlet.services.s3 import errors
from cloudlet.services.s3.object_data.objects import Version

NOT_MODIFIED: Final = "NotModified"
_CONDITIONAL: Final = {
    "if-match": "If-Match",
    "if-none-match": "If-None-Match",
    "if-modified-since": "If-Modified-Since",
    "if-unmodified-since": "If-Unmodified-Since",
}
_ON_READING: Final = frozenset(("IfMatch", "IfUnmodifiedSince", "IfNoneMatch", "IfModifiedSince"))


def failed(condition: str) -> AwsError:
    return AwsError(
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
        status=412,
        Condition=condition,
    )


def conflict(key: str) -> AwsError:
    return AwsError(
        "ConditionalRequestConflict",
        "The conditional request cannot succeed due to a conflicting operation against this resource.",
        status=409,
        Key=key,
    )


def _not_implemented(header: str, why: str | None) -> AwsError:
    return AwsError(
        "NotImplemented",
        "A header you provided implies functionality that is not implemented",
        status=501,
        Header=header,
        additionalMessage=why,
    )


def check_form(headers: Mapping[str, str]) -> None:
    """Raise 501 for conditions that no write can have, or not together (seen on AWS: versitygw #2108)."""
    if headers.keys().isdisjoint(_CONDITIONAL):
        return
    named = [name for header, name in _CONDITIONAL.items() if header in headers]
    if len(named) > 1:
        raise _not_implemented(",".join(named), "Multiple conditional request headers present in the request")
    if named[0].endswith("-Since"):
        raise _not_implemented(named[0], None)


def _is_named(header: str, version: Version) -> bool:
    """Whether a list of entity tags has the one of this version, or is "*"; a weak one names no version."""
    tags = {tag.strip().strip('"') for tag in header.split(",")}
    return "*" in tags or version.etag in tags


def _is_known(header: str, version: Version) -> bool:
    """Whether If-None-Match has the entity tag of this version, which may be a weak one, or is "*"."""
    return _is_named(header.replace('W/"', '"'), version)


def check_read(params: Params, version: Version, now: float) -> None:
    """Raise 304 or 412 where the conditions of a GET or HEAD do not hold; a time that is yet to come is none."""
    if params.keys().isdisjoint(_ON_READING):
        return
    seconds = version.modified // 1000
    match, unmodified = params.get("IfMatch"), params.get("IfUnmodifiedSince")
    if match is not None:
        if not _is_named(match, version):
            raise failed("If-Match")
    elif unmodified is not None and seconds > unmodified:
        raise failed("If-Unmodified-Since")
    none_match, modified = params.get("IfNoneMatch"), params.get("IfModifiedSince")
    if none_match is not None:
        if _is_known(none_match, version):
            raise _not_modified()
    elif modified is not None and seconds <= modified <= now:
        raise _not_modified()


def admits_range(header: str | None, version: Version) -> bool:
    """Whether a range may be taken of an object, as If-Range says, by its tag or its time (RFC 9110, 13.1.5)."""
    if header is None:
        return True
    return header in (f'"{version.etag}"', formatdate(version.modified // 1000, usegmt=True))


def _not_modified() -> AwsError:
    return AwsError(NOT_MODIFIED, "Not Modified", status=304)


def check_source(params: Params, version: Version) -> None:
    """Raise 412 where the conditions on the source of a copy do not hold."""
    seconds = version.modified // 1000
    match, unmodified = params.get("CopySourceIfMatch"), params.get("CopySourceIfUnmodifiedSince")
    if match is not None:
        if not _is_named(match, version):
            raise failed("x-amz-copy-source-If-Match")
    elif unmodified is not None and seconds > unmodified:
        raise failed("x-amz-copy-source-If-Unmodified-Since")
    none_match, modified = params.get("CopySourceIfNoneMatch"), params.get("CopySourceIfModifiedSince")
    if none_match is not None:
        if _is_known(none_match, version):
            raise failed("x-amz-copy-source-If-None-Match")
    elif modified is not None and seconds <= modified:
        raise failed("x-amz-copy-source-If-Modified-Since")


def is_conditional(params: Params) -> bool:
    """Whether a write depends on what is there."""
    return "IfMatch" in params or "IfNoneMatch" in params


def check_write(params: Params, key: str, current: Version | None) -> None:
    """Raise where the conditions of a write do not hold; `current` is what the key stands for now."""
    none_match, match = params.get("IfNoneMatch"), params.get("IfMatch")
    if none_match is not None:
        if none_match.strip() != "*":
            why = "We don't accept the provided value of If-None-Match header for this API"
            raise _not_implemented("If-None-Match", why)
        if current is not None:
            raise failed("If-None-Match")
    if match is not None:
        if current is None:
            raise errors.no_such_key(key)
        if not _is_named(match, current):
            raise failed("If-Match")


def check_object(match: str, version: Version) -> None:
    """Raise where the object that something is attached to is not the one that x-amz-object-if-match names."""
    if not _is_named(match, version):
        raise failed("x-amz-object-if-match")


def tag_of(conditions: Params) -> str | None:
    """Return the entity tag that a deletion depends on, "*" for any, or None."""
    tag: str | None = conditions.get("IfMatch", conditions.get("ETag"))
    return tag


def check_delete(conditions: Params, key: str, version: Version | None) -> None:
    """Raise where the conditions of a deletion (entity tag, size, time) do not hold.

    `conditions` has the members of DeleteObject (IfMatch, …) or of an entry of DeleteObjects (ETag, …).
    """
    match = tag_of(conditions)
    size = conditions.get("IfMatchSize", conditions.get("Size"))
    modified = conditions.get("IfMatchLastModifiedTime", conditions.get("LastModifiedTime"))
    if match is None and size is None and modified is None:
        return
    if version is None:
        raise errors.no_such_key(key)
    if match is not None and (version.marker or not _is_named(match, version)):
        raise failed("If-Match")
    if size is not None and size != version.size:
        raise failed("x-amz-if-match-size")
    if modified is not None and int(modified) != version.modified // 1000:
        raise failed("x-amz-if-match-last-modified-time")
