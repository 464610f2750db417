"""AWS Signature Version 4: reading what a request claims, and computing what it should have been.

Source: IAM User Guide, "AWS Signature Version 4 for API requests" and, for S3, "Authenticating Requests (AWS
Signature Version 4)". No I/O and no policy here: who the key belongs to and which error to answer is `auth`'s.
"""

from __future__ import annotations

import hmac
import re
from calendar import timegm
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from cloudlet.wire.claims import Claim, Credential
from cloudlet.wire.http import HttpRequest

ALGORITHM: Final = "AWS4-HMAC-SHA256"
EMPTY_SHA256: Final = sha256(b"").hexdigest()
UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
LONGEST_PRESIGNED_SECONDS: Final = 7 * 24 * 3600
_EXPIRES: Final = re.compile(r"-?[0-9]{1,20}")

_BLOCK_BYTES: Final = 64
_INNER_PAD: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD: Final = bytes(byte ^ 0x5C for byte in range(256))

_PLAIN: Final = re.compile(r"[A-Za-z0-9/~._-]*")
"""Paths that are the same encoded, decoded and encoded again."""

_AMZ_DATE: Final = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII)

UNSUPPORTED: Final = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."


@lru_cache(maxsize=64)
def seconds_of(timestamp: str) -> int:
    """Return an X-Amz-Date in seconds since the epoch. Raises Malformed."""
    match = _AMZ_DATE.fullmatch(timestamp)
    if match is None:
        raise _no_date(timestamp)
    try:
        return timegm(tuple(int(part) for part in match.groups()))
    except ValueError:
        raise _no_date(timestamp) from None


class Malformed(Exception):
    """The request is signed in a way that cannot be read; the text says what is wrong, as AWS words it."""


def _no_date(timestamp: str) -> Malformed:
    return Malformed(f"Date must be in ISO-8601 'basic format'. Got '{timestamp}'.")


def claim(request: HttpRequest) -> Claim | None:
    """Return what the request claims, or None where it is not signed. Raises Malformed."""
    authorization = request.headers.get("authorization")
    if authorization is not None:
        return _header_claim(authorization, request)
    if "X-Amz-Algorithm=" in request.query or "X-Amz-Signature=" in request.query:
        return _query_claim(request)
    return None


def _header_claim(authorization: str, request: HttpRequest) -> Claim:
    stated, _, signature = authorization.partition("Signature=")
    credential = _credential(stated)
    timestamp = request.headers.get("x-amz-date") or _http_date(request.headers.get("date"))
    if not timestamp:
        raise Malformed(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
            f"Authorization={ALGORITHM}"
        )
    if not signature:
        raise Malformed(f"Authorization header requires 'Signature' parameter. Authorization={ALGORITHM}")
    return Claim(
        credential, signature, timestamp, seconds_of(timestamp), None, request.headers.get("x-amz-security-token")
    )


@lru_cache(maxsize=1024)
def _credential(stated: str) -> Credential:
    """Return what an Authorization header says before its signature. Raises Malformed."""
    algorithm, _, rest = stated.partition(" ")
    if algorithm != ALGORITHM:
        raise Malformed(
            f"Unsupported AWS 'algorithm': '{algorithm}'. Cloudlet verifies {ALGORITHM}."
            if algorithm.startswith("AWS4-")
            else UNSUPPORTED
        )
    parts: dict[str, str] = {}
    for part in rest.replace(",", " ").split():
        name, _, value = part.partition("=")
        parts[name] = value
    missing = [name for name in ("Credential", "SignedHeaders") if not parts.get(name)]
    if missing:
        wanted = " ".join(f"Authorization header requires '{name}' parameter." for name in missing)
        raise Malformed(f"{wanted} Authorization={ALGORITHM}")
    return _parsed(parts["Credential"], parts["SignedHeaders"])


def _query_claim(request: HttpRequest) -> Claim:
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    if query.get("X-Amz-Algorithm") != ALGORITHM:
        raise Malformed(f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    names = ("X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Date")
    missing = [name for name in names if not query.get(name)]
    if missing:
        raise Malformed(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
            "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )
    # Only S3 asks for X-Amz-Expires; elsewhere a presigned request is good for as long as one signed in its headers.
    expires = query.get("X-Amz-Expires", "900")
    if not _EXPIRES.fullmatch(expires):
        raise Malformed("X-Amz-Expires should be a number")
    if int(expires) < 0:
        raise Malformed("X-Amz-Expires must be non-negative")
    if int(expires) > LONGEST_PRESIGNED_SECONDS:
        raise Malformed(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
            f"{LONGEST_PRESIGNED_SECONDS} seconds"
        )
    credential, signed, signature, date = (query[name] for name in names)
    token = query.get("X-Amz-Security-Token")
    return Claim(_parsed(credential, signed), signature, date, seconds_of(date), int(expires), token)


def _parsed(credential: str, signed_headers: str) -> Credential:
    parts = credential.split("/")
    if len(parts) != 5 or parts[4] != "aws4_request":
        raise Malformed(
            "Credential must have at least 5 slash-delimited elements, such as "
            f"AKID/date/region/service/aws4_request, got '{credential}'"
        )
    access_key, _, scope = credential.partition("/")
    if not access_key:
        raise Malformed("A non-empty Access Key (AKID) must be provided in the credential.")
    return Credential(access_key, parts[1], parts[2], parts[3], signed_headers, tuple(signed_headers.split(";")), scope)


def _http_date(value: str | None) -> str | None:
    """Return a Date header's time in the form of X-Amz-Date."""
    if not value:
        return None
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(value).strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, OverflowError):
        return value


def canonical_request(request: HttpRequest, claim: Claim, payload_hash: str) -> str:
    """Return the canonical request, from which the signature is computed."""
    headers = request.headers
    signed_headers = claim.credential.signed_headers
    lines = "".join([f"{name}:{headers.get(name, '')}\n" for name in claim.credential.names])
    if "  " in lines:
        lines = "".join([f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in claim.credential.names])
    path = request.path
    if path != "/":
        path = _canonical_path(path, claim.service)
    query = request.query
    if query:
        if claim.service == "s3":
            # The SDK for Java, version 1, sends spaces so, and signs them as %20.
            query = query.replace("+", " ")
        query = _canonical_query(query, presigned=claim.expires is not None)
    return f"{request.method}\n{path}\n{query}\n{lines}\n{signed_headers}\n{payload_hash}"


def _canonical_path(path: str, service: str) -> str:
    if service != "s3":
        path = _normalized(path)
        return path if _PLAIN.fullmatch(path) else quote(path, safe="/~-._")
    if _PLAIN.fullmatch(path):
        return path
    # S3 takes a plus in a path for a space: see `cloudlet.wire.rest`.
    return quote(unquote_to_bytes(path.replace("+", " ")), safe="/~-._")


def _normalized(path: str) -> str:
    """Remove empty and dot segments, as every service but S3 does."""
    if "//" not in path and "/." not in path:
        return path
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if kept:
                kept.pop()
        elif segment not in ("", "."):
            kept.append(segment)
    tail = "/" if path.endswith(("/", "/.", "/..")) and kept else ""
    return "/" + "/".join(kept) + tail


def _canonical_query(query: str, *, presigned: bool) -> str:
    pairs = []
    for part in query.split("&"):
        if not part:
            continue
        name, _, value = part.partition("=")
        name = quote(unquote_to_bytes(name), safe="-_.~")
        if presigned and name == "X-Amz-Signature":
            continue
        pairs.append((name, quote(unquote_to_bytes(value), safe="-_.~")))
    pairs.sort()
    return "&".join([f"{name}={value}" for name, value in pairs])


def string_to_sign(claim: Claim, canonical: str) -> str:
    digest = sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{ALGORITHM}\n{claim.timestamp}\n{claim.credential.scope}\n{digest}"


@lru_cache(maxsize=256)
def _signing_hashes(secret: str, date: str, region: str, service: str) -> tuple[Any, Any]:
    """Return HMAC's inner and outer hash, begun with the key of one day, region and service; they are to be copied."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    key = key.ljust(_BLOCK_BYTES, b"\0")
    return sha256(key.translate(_INNER_PAD)), sha256(key.translate(_OUTER_PAD))


def signature(secret: str, claim: Claim, text: str) -> str:
    """Return the signature (hexadecimal) of a string to sign.

    It is an HMAC (RFC 2104), written out: with the key's part done once, it takes a third of `hmac.digest`'s time.
    """
    credential = claim.credential
    inner, outer = _signing_hashes(secret, credential.date, credential.region, credential.service)
    digest = inner.copy()
    digest.update(text.encode("utf-8", "surrogateescape"))
    whole = outer.copy()
    whole.update(digest.digest())
    signed: str = whole.hexdigest()
    return signed


def sign(request: HttpRequest, access_key: str, secret: str, region: str, service: str, timestamp: str) -> str:
    """Return the Authorization header of a request, over all its headers and its body (bytes).

    `timestamp` is that of its X-Amz-Date header.
    """
    names = tuple(sorted(request.headers))
    date = timestamp[:8]
    scope = f"{date}/{region}/{service}/aws4_request"
    credential = Credential(access_key, date, region, service, ";".join(names), names, scope)
    claim = Claim(credential, "", timestamp, seconds_of(timestamp))
    body = request.body if isinstance(request.body, bytes) else b""
    canonical = canonical_request(request, claim, sha256(body).hexdigest())
    signed = signature(secret, claim, string_to_sign(claim, canonical))
    return f"{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={credential.signed_headers}, Signature={signed}"


def chunk_string_to_sign(claim: Claim, previous: str, kind: str, hashes: Iterable[str]) -> str:
    """Return the string to sign of one chunk (`kind` AWS4-HMAC-SHA256-PAYLOAD) or of the trailers (…-TRAILER)."""
    return "\n".join((kind, claim.timestamp, claim.credential.scope, previous, *hashes))
