"""ZIP files of functions and layers: taken from requests or from S3, checked, and kept.

Developer guide, "Lambda quotas": 50 MB in a request, 250 MB unzipped with all layers, 75 GB in all.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from cloudlet.core import AwsError, Context, Params
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.background.workers import run_in_worker
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.code import unpacking
from cloudlet.services.lambda_.functions.function import Package
from cloudlet.store.blobs import BlobWriter
from cloudlet.wire import WireError
from cloudlet.wire.bodies import pieces_of

ZIPPED_BYTES = 52_428_800
UNZIPPED_BYTES = 262_144_000
ALL_BYTES = 80_530_636_800
_REQUEST_BYTES = {"CreateFunction": 70_167_211, "UpdateFunctionCode": 69_905_067, "PublishLayerVersion": 70_167_211}
_PIECE = 1 << 20
_RANGE = 16 << 20


@asynccontextmanager
async def taken(ctx: Context, operation: str, source: Params) -> AsyncIterator[Package]:
    """The package that a request names, durable; it is forgotten where what is done with it fails.

    `source` is a FunctionCode or a LayerVersionContentInput, or what is like them. Raises AwsError.
    """
    digest = hashlib.sha256()
    writer = await ctx.block.blobs.begin([digest])
    try:
        async for piece in _pieces(ctx, operation, source):
            await writer.write(piece)
        unzipped = await _check(ctx, writer)
        await writer.keep()
    except BaseException:
        await writer.discard()
        raise
    try:
        yield Package(writer.name, b64encode(digest.digest()).decode(), writer.size, unzipped)
    except WireError as error:
        refused = error
    else:
        return
    # After any other failure it is not known whether something refers to it now: the sweep will see.
    await ctx.block.blobs.remove([writer.name])
    raise refused


def check_source(source: Params) -> None:
    """Raise AwsError unless a request names one package, in a way that is built."""
    if source.get("SourceKMSKeyArn"):
        raise errors.not_built("packages that are encrypted with a key of the customer's")
    if source.get("S3ObjectStorageMode", "COPY") != "COPY":
        raise errors.not_built("packages that stay in S3")
    names = [name for name in ("S3Bucket", "S3Key", "S3ObjectVersion") if source.get(name) is not None]
    if source.get("ZipFile") is not None:
        if names:
            raise errors.invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")
    elif not {"S3Bucket", "S3Key"} <= set(names):
        raise errors.invalid("Please provide a source for function code.")


def check_total(packages: Iterable[Package]) -> None:
    """Raise AwsError where a package and its layers are too large together."""
    if sum(package.unzipped for package in packages) > UNZIPPED_BYTES:
        raise errors.invalid(
            "Function code combined with layers exceeds the maximum allowed size of "
            f"{UNZIPPED_BYTES} bytes. The actual size is {sum(package.unzipped for package in packages)} bytes."
        )


async def _check(ctx: Context, writer: BlobWriter) -> int:
    """Return how large the files of a package are together. Raises AwsError."""
    await writer.settle()
    if not writer.size:
        raise errors.invalid("Uploaded file must be a non-empty zip")
    try:
        unzipped = await run_in_worker(
            ctx.account, unpacking.check, ctx.block.blobs.fresh_path(writer.name), UNZIPPED_BYTES
        )
    except unpacking.BadPackage:
        raise errors.bad_zip() from None
    except unpacking.TooLarge:
        raise errors.too_large_unzipped(UNZIPPED_BYTES) from None
    if not unzipped:
        raise errors.invalid("Uploaded file must be a non-empty zip")
    return unzipped


async def _pieces(ctx: Context, operation: str, source: Params) -> AsyncIterator[bytes]:
    inline: bytes | None = source.get("ZipFile")
    if inline is None:
        async for piece in _from_s3(ctx, source):
            yield piece
        return
    if len(inline) > ZIPPED_BYTES:
        raise errors.request_too_large(operation, _REQUEST_BYTES[operation])
    for begin in range(0, len(inline), _PIECE):
        yield inline[begin : begin + _PIECE]


async def _from_s3(ctx: Context, source: Params) -> AsyncIterator[bytes]:
    """The pieces of an object, which the caller must be allowed to read. Raises AwsError."""
    version = source.get("S3ObjectVersion")
    params = {"Bucket": source["S3Bucket"], "Key": source["S3Key"], **({"VersionId": version} if version else {})}
    begin, size = 0, 1
    while begin < size:
        try:
            # S3 may be in another process, which answers no more than can be in memory.
            found = await _some_from_s3(ctx, {**params, "Range": f"bytes={begin}-{begin + _RANGE - 1}"})
        except AwsError as error:
            if error.code == "InvalidRange":
                # The object is empty.
                return
            if is_transient(error.code, error.status):
                raise
            raise errors.invalid(
                f"Error occurred while GetObject. S3 Error Code: {error.code}. S3 Error Message: {error.message}"
            ) from None
        size = int(found["ContentRange"].rpartition("/")[2])
        if size > UNZIPPED_BYTES:
            raise errors.too_large_unzipped(UNZIPPED_BYTES)
        async for piece in pieces_of(found["Body"]):
            yield piece
        # The rest is to be of the same object.
        params["IfMatch"] = found["ETag"]
        begin += _RANGE


async def _some_from_s3(ctx: Context, params: Params) -> Mapping[str, Any]:
    return await ctx.call_as_caller("s3", "GetObject", params) or {}
