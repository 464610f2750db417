"""Objects in S3 that requests name: templates, parts of them, and stack policies."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote, urlsplit

from cloudlet.core import AwsError, Context
from cloudlet.services.cloudformation import errors
from cloudlet.wire.bodies import pieces_of

_BUCKET_HOST: Final = re.compile(r"(?P<bucket>[a-z0-9.-]+)\.s3[.-].*")
MAX_TEMPLATE_BYTES: Final = 1_000_000


async def load_from_url(ctx: Context, url: str, member: str) -> str:
    """Return the text at an address in S3, which a member of a request gives. Raises AwsError."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise errors.make_validation_error(f"{member} must be a supported URL.") from None
    host = _BUCKET_HOST.fullmatch(parts.hostname or "")
    path = unquote(parts.path.lstrip("/"))
    bucket, _, key = (host["bucket"], "", path) if host else path.partition("/")
    if parts.scheme == "s3":
        bucket, key = parts.netloc, path
    if parts.scheme not in ("http", "https", "s3") or not key:
        raise errors.make_validation_error(f"{member} must be a supported URL.")
    return await load_object(ctx, bucket, key)


async def load_object(ctx: Context, bucket: str, key: str) -> str:
    """Return the text of an object, read as the caller. Raises AwsError."""
    try:
        answer = await ctx.call_as_caller("s3", "GetObject", {"Bucket": bucket, "Key": key}) or {}
    except AwsError as error:
        raise errors.make_validation_error(f"S3 error: {error.message}") from None
    text = b"".join([piece async for piece in pieces_of(answer["Body"])])
    if len(text) > MAX_TEMPLATE_BYTES:
        raise errors.make_validation_error(f"Template may not exceed {MAX_TEMPLATE_BYTES} bytes in size.")
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise errors.make_format_error("unsupported structure.") from None
