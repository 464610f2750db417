"""Binary bodies: which they are, and what becomes of them on the way.

Developer guide, "Content type conversions in API Gateway" and "Payload compression for REST APIs in API Gateway".
"""

from __future__ import annotations

import binascii
import gzip
import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from typing import Concatenate, ParamSpec, TypeVar

from cloudlet.core.background.workers import LARGE, offload_if
from cloudlet.services.apigateway.rest.refusal import Refusal, internal

P = ParamSpec("P")
T = TypeVar("T")

_REFUSED = re.compile(r";\s*q=0(?:\.0*)?\s*$")
"""Of a coding that a client does not accept (RFC 9110, section 12.4.2)."""


def media_type(header: str) -> str:
    """Return the first media type of a Content-Type or Accept header, without parameters, in lower case."""
    return header.partition(",")[0].partition(";")[0].strip().lower()


class MediaTypes:
    """The media types that an API has for binary ones."""

    def __init__(self, types: Iterable[str]) -> None:
        self._types = frozenset(each.lower() for each in types)
        self._all = "*/*" in self._types

    def has(self, header: str) -> bool:
        """Whether the first media type of a header is binary."""
        if self._all:
            return True
        if not self._types:
            return False
        kind = media_type(header)
        return kind in self._types or f"{kind.partition('/')[0]}/*" in self._types


def converted(body: bytes, handling: str, *, is_binary: bool) -> bytes:
    """Return a body as `contentHandling` wants it. Raises Refusal for what is no base64."""
    if handling == "CONVERT_TO_TEXT" and is_binary:
        return b64encode(body)
    if handling == "CONVERT_TO_BINARY" and not is_binary:
        return decoded(body)
    return body


def as_text(body: bytes) -> bytes:
    """Return a body that is taken for UTF-8, as all bodies are that are of no binary type: what is none is replaced."""
    return body if body.isascii() else body.decode("utf-8", "replace").encode()


def decoded(body: bytes) -> bytes:
    """Return the bytes of a base64 text. Raises Refusal."""
    try:
        return b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise internal("Unable to base64 decode the body.") from None


async def beside_if_large(
    account: str, function: Callable[Concatenate[bytes, P], T], body: bytes, *args: P.args, **kwargs: P.kwargs
) -> T:
    """Return what a function makes of a body: that of a large one beside the event loop."""
    return await offload_if(len(body) >= LARGE, account, function, body, *args, **kwargs)


def inflated(body: bytes, coding: str, limit: int) -> bytes:
    """Return a request's body without its compression. Raises Refusal."""
    if coding not in ("gzip", "deflate"):
        raise Refusal("UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type", f"unknown content encoding {coding}")
    stream = zlib.decompressobj(31 if coding == "gzip" else 15)
    try:
        result = stream.decompress(body, limit + 1)
    except zlib.error:
        raise Refusal("BAD_REQUEST_BODY", "Invalid request body", "the body is not compressed as it says") from None
    if len(result) > limit:
        raise Refusal("REQUEST_TOO_LARGE", "Request Entity Too Large")
    return result


def deflated(body: bytes, accepted: str) -> tuple[bytes, str]:
    """Return an answer's body compressed as its client likes it, and how; as it is where he does not."""
    codings = {each.partition(";")[0].strip().lower() for each in accepted.split(",") if not _REFUSED.search(each)}
    if "gzip" in codings or "*" in codings:
        return gzip.compress(body, 6), "gzip"
    if "deflate" in codings:
        return zlib.compress(body), "deflate"
    return body, ""
