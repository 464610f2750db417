"""Cross-origin resource sharing: which pages of other origins browsers may let use a bucket.

S3 user guide, "Using cross-origin resource sharing (CORS)" and "Elements of a CORS configuration"; API reference,
"OPTIONS object".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from cloudlet.core import AwsError, Context, Result, Transaction
from cloudlet.services.s3 import errors
from cloudlet.services.s3.buckets.bucket import configuration, find_bucket
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.wire.bodies import pieces_of

METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD")
_VARY = ("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
_NOT_ALLOWED = (
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
    "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MOST_RULES = 100
_LONGEST_ID = 255

Rule = Mapping[str, Any]


def checked(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a CORSConfiguration to store. Raises AwsError."""
    rules = document.get("CORSRules") or []
    if not rules or len(rules) > _MOST_RULES:
        raise errors.malformed_xml()
    for rule in rules:
        if not rule.get("AllowedMethods") or not rule.get("AllowedOrigins"):
            raise errors.malformed_xml()
        if len(rule.get("ID") or "") > _LONGEST_ID:
            raise errors.invalid_request("The ID must be less than or equal to 255 characters.")
        for method in rule["AllowedMethods"]:
            if method not in METHODS:
                raise errors.invalid_request(
                    f"Found unsupported HTTP method in CORS config. Unsupported method is {method}"
                )
        for name, what in (("AllowedOrigins", "AllowedOrigin"), ("AllowedHeaders", "AllowedHeader")):
            for value in rule.get(name) or ():
                if value.count("*") > 1:
                    raise errors.invalid_request(f'{what} "{value}" can not have more than one wildcard.')
        for value in rule.get("ExposeHeaders") or ():
            if "*" in value:
                raise errors.invalid_request(
                    f'ExposeHeader "{value}" contains wildcard. We currently do not support wildcard for ExposeHeader.'
                )
            if _HEADER_NAME.fullmatch(value) is None:
                raise errors.invalid_request(f'ExposeHeader "{value}" contains invalid character.')
    return document


@lru_cache(1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(piece) for piece in text.split("*")))


def _matching(rules: Sequence[Rule], origin: str, method: str, headers: Sequence[str]) -> tuple[Rule, str] | None:
    """Return the first rule that admits a request, and which of its origins does."""
    for rule in rules:
        if method not in rule["AllowedMethods"]:
            continue
        admitted = next((each for each in rule["AllowedOrigins"] if _pattern(each).fullmatch(origin)), None)
        if admitted is None:
            continue
        allowed = [_pattern(each.lower()) for each in rule.get("AllowedHeaders") or ()]
        if all(any(each.fullmatch(header) for each in allowed) for header in headers):
            return rule, admitted
    return None


def _headers(rule: Rule, admitted: str, origin: str) -> list[tuple[str, str]]:
    headers = [
        ("Access-Control-Allow-Origin", "*" if admitted == "*" else origin),
        ("Access-Control-Allow-Methods", ", ".join(rule["AllowedMethods"])),
    ]
    if rule.get("ExposeHeaders"):
        headers.append(("Access-Control-Expose-Headers", ", ".join(rule["ExposeHeaders"])))
    if rule.get("MaxAgeSeconds") is not None:
        headers.append(("Access-Control-Max-Age", str(rule["MaxAgeSeconds"])))
    if admitted != "*":
        headers.append(("Access-Control-Allow-Credentials", "true"))
    return [*headers, _VARY]


def _add(ctx: Context, headers: Sequence[tuple[str, str]]) -> None:
    """Add headers to the answer; a transaction that is run again adds them once."""
    names = {name for name, _ in headers}
    ctx.response_headers = (*(each for each in ctx.response_headers if each[0] not in names), *headers)


async def answer(ctx: Context, tx: Transaction, bucket: Bucket) -> None:
    """Tell a browser whether the page that made this request to a bucket with CORS rules may see the answer."""
    origin = ctx.headers.get("origin")
    if origin is None:
        return
    rules = (await configuration(tx, bucket, "cors"))["CORSRules"]
    found = _matching(rules, origin, ctx.method, ())
    if found is not None:
        _add(ctx, _headers(*found, origin))


async def preflight(ctx: Context, tx: Transaction, name: str) -> Result:
    """Answer a browser that asks whether it may make a request to a bucket. Raises AccessForbidden where not."""
    origin = ctx.headers.get("origin")
    if not origin:
        raise AwsError("BadRequest", "Insufficient information. Origin request header needed.", status=400)
    method = ctx.headers.get("access-control-request-method")
    if method not in METHODS:
        raise AwsError("BadRequest", f"Invalid Access-Control-Request-Method: {method or 'null'}", status=400)
    bucket = await find_bucket(tx, name)
    if bucket is None:
        raise _forbidden("CORSResponse: Bucket not found", method)
    document = await configuration(tx, bucket, "cors")
    if document is None:
        raise _forbidden("CORSResponse: CORS is not enabled for this bucket.", method)
    asked = ctx.headers.get("access-control-request-headers", "")
    requested = [header.strip().lower() for header in asked.split(",") if header.strip()]
    found = _matching(document["CORSRules"], origin, method, requested)
    if found is None:
        raise _forbidden(_NOT_ALLOWED, method)
    headers = _headers(*found, origin)
    if requested:
        headers.append(("Access-Control-Allow-Headers", ", ".join(requested)))
    _add(ctx, headers)
    # Nothing, in chunks: S3 does not tell how long it is.
    return {"Body": pieces_of(b"")}


def _forbidden(message: str, method: str) -> AwsError:
    return AwsError("AccessForbidden", message, status=403, Method=method, ResourceType="OBJECT")
