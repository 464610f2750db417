"""AWS Signature Version 2 of S3, for URLs that carry their signature.

boto3 and other SDKs still make such URLs where they are told of no version. Requests that are signed in their headers
are not taken in this version, as in most regions. Source: Amazon S3 Developer Guide of 2006-03-01, "Signing and
Authenticating REST Requests", "Query String Request Authentication Alternative".
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from typing import Final
from urllib.parse import parse_qsl

from cloudlet.wire import claims, sigv4
from cloudlet.wire.http import HttpRequest

_MARK: Final = "AWSAccessKeyId="
_EPOCH: Final = "19700101T000000Z"
_LATEST: Final = 253_402_300_799
SUBRESOURCES: Final = frozenset(
    (
        "abac",
        "accelerate",
        "acl",
        "analytics",
        "annotation",
        "attributes",
        "cors",
        "delete",
        "encryption",
        "intelligent-tiering",
        "inventory",
        "legal-hold",
        "lifecycle",
        "location",
        "logging",
        "metadataAnnotationTable",
        "metadataConfiguration",
        "metadataInventoryTable",
        "metadataJournalTable",
        "metadataTable",
        "metrics",
        "notification",
        "object-lock",
        "ownershipControls",
        "partNumber",
        "policy",
        "policyStatus",
        "publicAccessBlock",
        "renameObject",
        "replication",
        "requestPayment",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "restore",
        "retention",
        "select",
        "select-type",
        "session",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
    )
)
"""The parameters of a query that say what a request is about: they are signed. S3 names those that it had when this
version was in use; whoever has a URL for one thing may do none of the newer ones with it either."""


class Malformed(sigv4.Malformed):
    """The URL is signed in a way that cannot be read."""


class Claim(claims.Claim):
    """What a URL says of itself: as if it had been signed when the epoch began, and were good until it expires."""


def claim(request: HttpRequest) -> Claim | None:
    """Return what a URL claims, or None where it is not signed so. Raises Malformed."""
    if _MARK not in request.query or "authorization" in request.headers:
        return None
    pairs = parse_qsl(request.query, keep_blank_values=True)
    query = dict(pairs)
    if len({name.lower() for name, _ in pairs}) < len(pairs):
        # One would be what was signed, and another what counts.
        raise Malformed("Query-string authentication takes each parameter once")
    access_key, signature, expires = (query.get(name, "") for name in ("AWSAccessKeyId", "Signature", "Expires"))
    if not access_key or not signature or not expires:
        raise Malformed("Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters")
    if not (expires.isascii() and expires.isdecimal() and len(expires) <= len(str(_LATEST))):
        raise Malformed(f"Invalid date (should be seconds since epoch): {expires}")
    credential = claims.Credential(access_key, _EPOCH[:8], "", "s3", "", (), "")
    return Claim(credential, signature, _EPOCH, 0, int(expires), query.get("x-amz-security-token"))


def string_to_sign(request: HttpRequest, path: str) -> str:
    """Return what should have been signed; `path` begins with the bucket, as the request has it encoded."""
    query = parse_qsl(request.query, keep_blank_values=True)
    stated = {name.lower(): value for name, value in query}
    # What an SDK would have sent as headers is in the URL instead.
    headers = {name: value for name, value in stated.items() if name.startswith("x-amz-")} | {
        name: value for name, value in request.headers.items() if name.startswith("x-amz-")
    }
    lines = [
        request.method,
        *(request.headers.get(name) or stated.get(name, "") for name in ("content-md5", "content-type")),
        stated.get("expires", ""),
        *(f"{name}:{' '.join(value.split())}" for name, value in sorted(headers.items())),
    ]
    return "\n".join([*lines, _resource(request.query, path)])


def _resource(query: str, path: str) -> str:
    named = sorted((name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name in SUBRESOURCES)
    if not named:
        return path
    return f"{path}?{'&'.join(f'{name}={value}' if value else name for name, value in named)}"


def signature(secret_key: str, text: str) -> str:
    """Return the signature of a string to sign."""
    return b64encode(hmac.digest(secret_key.encode(), text.encode(), "sha1")).decode()
