"""Requests for blobs, and their uploads."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator
from typing import Final

from cloudlet.core import AwsError, Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.services.ecr import access, digests, encryption, layers, registry, repository, transferring, uploads
from cloudlet.services.ecr.distribution.addressing import split_name
from cloudlet.services.ecr.distribution.call import Call, MethodError
from cloudlet.services.ecr.distribution.responses import API_VERSION, Headers, ProtocolError
from cloudlet.services.ecr.image_record import Content, Upload
from cloudlet.services.ecr.repository_record import Repository
from cloudlet.wire import HttpResponse
from cloudlet.wire.http import FileBody, FilePart

UPLOADS: Final = "uploads/"
_ENABLED: Final = "ENABLED"
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_CONTENT_RANGE: Final = re.compile(r"(?:bytes[ =])?(\d{1,18})-(\d{1,18})(?:/.*)?", re.ASCII)
_TYPE: Final = ("content-type", "application/octet-stream")


async def answer_blob(call: Call) -> HttpResponse:
    """Answer a request for a blob. Raises AwsError, ProtocolError."""
    digest = call.address.reference
    if not digests.is_digest(digest):
        raise ProtocolError("DIGEST_INVALID", f"{digest[:200]!r} is no digest", 400)
    if call.method == "HEAD":
        known = await call.run("BatchCheckLayerAvailability", {"layerDigests": [digest]})
        if known["layers"][0]["layerAvailability"] != "AVAILABLE":
            raise _UnknownBlob(digest)
        return HttpResponse(200, [*_describe(digest), ("content-length", str(known["layers"][0]["layerSize"]))])
    if call.method == "GET":
        await call.run("GetDownloadUrlForLayer", {"layerDigest": digest})
        range_header = call.visit.request.headers.get("range", "")
        return await send_blob(
            call.block, call.account, call.ctx.region, call.address.name, digest, "GET", range_header
        )
    raise MethodError(call.method)


class _UnknownBlob(ProtocolError):
    """A digest that no blob of the repository has."""

    def __init__(self, digest: str) -> None:
        super().__init__("BLOB_UNKNOWN", f"The blob {digest} is not known to the repository", 404)


def _describe(digest: str) -> Headers:
    return [_TYPE, ("docker-content-digest", digest), ("accept-ranges", "bytes"), API_VERSION]


async def send_blob(
    block: Block, account: str, region: str, name: str, digest: str, method: str, range_header: str
) -> HttpResponse:
    """Return the response with a blob of a repository, or a range of it. Raises AwsError, ProtocolError."""

    async def body(tx: Transaction) -> tuple[Repository, Content | None]:
        found = await repository.get(tx, account, region, name)
        known = await layers.find(tx, found.id, digest)
        return found, None if known is None else await layers.find_content(tx, found.id, digest)

    about, content = await block.store.transact(body)
    if content is None:
        raise _UnknownBlob(digest)
    begin, end, status = 0, content.size, 200
    match = _RANGE.fullmatch(range_header)
    if match is not None and (match[1] or match[2]):
        begin, end = _select(match[1], match[2], content.size)
        status = 206
    headers = [*_describe(digest), ("content-length", str(end - begin))]
    if status == 206:
        headers.append(("content-range", f"bytes {begin}-{end - 1}/{content.size}"))
    if method == "HEAD":
        return HttpResponse(200, headers)
    if content.is_sealed:
        # Before the first byte: an error is to be answered.
        await encryption.open_content(block, about, content)
        return HttpResponse(status, headers, encryption.read(block, about, content, begin, end))
    release = block.blobs.read([piece.file for piece in content.pieces])
    return HttpResponse(status, headers, FileBody(_cut(block, content, begin, end), release))


def _select(first: str, last: str, size: int) -> tuple[int, int]:
    """Return where a range begins and ends (RFC 9110, 14.1.2). Raises ProtocolError."""
    if first:
        begin, end = int(first), min(int(last) + 1, size) if last else size
    else:
        begin, end = max(0, size - int(last)), size
    if begin >= end:
        raise ProtocolError("SIZE_INVALID", "The range is not in the blob", 416, [("content-range", f"bytes */{size}")])
    return begin, end


def _cut(block: Block, content: Content, begin: int, end: int) -> list[FilePart]:
    """Return the parts of files that have a range of a blob."""
    parts = []
    at = 0
    for piece in content.pieces:
        first, last = max(begin, at), min(end, at + piece.size)
        if first < last:
            parts.append(FilePart(block.blobs.path(piece.file), first - at, last - first))
        at += piece.size
    return parts


async def begin_upload(call: Call) -> HttpResponse:
    """Answer a POST that begins an upload. Raises AwsError, ProtocolError.

    It may have all of the blob, or want one that another repository has.
    """
    if call.method != "POST":
        raise MethodError(call.method)
    wanted = call.query.get("mount")
    if wanted is not None and await _mount(call, wanted):
        return _show_created(call, wanted)
    digest = call.query.get("digest")
    if digest is not None and not digests.is_digest(digest):
        raise ProtocolError("DIGEST_INVALID", f"{digest[:200]!r} is no digest", 400)
    begun = await call.run("InitiateLayerUpload", {})
    id = begun["uploadId"]
    if digest is None:
        return _show_upload(call, 202, id, 0)
    await _append(call, id, None)
    return await _complete(call, id, digest)


async def _mount(call: Call, digest: str) -> bool:
    """Have the repository have a blob of another one; return whether it has it now."""
    given = call.query.get("from", "")
    source_registry, source_name = split_name(given, call.address.registry)
    if not digests.is_digest(digest) or source_registry != call.address.registry or not repository.is_name(source_name):
        return False
    ctx = call.ctx

    async def body(tx: Transaction) -> bool:
        known = await registry.load(tx, call.account, ctx.region)
        if registry.get_setting(known, "BLOB_MOUNTING") != _ENABLED:
            return False
        target = await access.open_named(ctx, tx, call.account, call.address.name, "InitiateLayerUpload")
        source = await access.open_named(ctx, tx, call.account, source_name, "GetDownloadUrlForLayer")
        layer = await layers.find(tx, source.id, digest)
        if layer is None or not transferring.can_share(source, target):
            return False
        await layers.mount(tx, target.id, digest, layer.size, ctx.now())
        return True

    try:
        return await ctx.transact(body)
    except AwsError:
        # The client uploads it then.
        return False


async def answer_upload(call: Call) -> HttpResponse:
    """Answer a request about an upload that was begun. Raises AwsError, ProtocolError."""
    id = call.address.reference.removeprefix(UPLOADS)
    if call.method == "PATCH":
        upload_size = await _append(call, id, call.visit.request.headers.get("content-range"))
        return _show_upload(call, 202, id, upload_size)
    if call.method == "PUT":
        digest = call.query.get("digest", "")
        if not digests.is_digest(digest):
            raise ProtocolError("DIGEST_INVALID", f"{digest[:200]!r} is no digest", 400)
        if call.visit.request.body != b"":
            await _append(call, id, call.visit.request.headers.get("content-range"))
        return await _complete(call, id, digest)
    if call.method in ("GET", "HEAD"):
        upload = await call.ctx.transact(lambda tx: _find(call, tx, id))
        return _show_upload(call, 204, id, upload.size)
    if call.method == "DELETE":
        await call.ctx.transact(lambda tx: _cancel(call, tx, id))
        return HttpResponse(204, [API_VERSION])
    raise MethodError(call.method)


async def _find(call: Call, tx: Transaction, id: str) -> Upload:
    found = await access.open_named(call.ctx, tx, call.account, call.address.name, "UploadLayerPart")
    return await uploads.get(tx, found, id)


async def _cancel(call: Call, tx: Transaction, id: str) -> None:
    uploads.remove(tx, await _find(call, tx, id), call.ctx.now())


async def _append(call: Call, id: str, content_range: str | None) -> int:
    """Add the request's body to an upload; return its size then. Raises AwsError."""
    first = last = None
    if content_range is not None:
        match = _CONTENT_RANGE.fullmatch(content_range)
        if match is None:
            raise ProtocolError("BLOB_UPLOAD_INVALID", "The Content-Range is not valid", 400)
        first, last = int(match[1]), int(match[2])
    body = call.visit.request.body
    pieces: AsyncIterable[bytes] = _iterate(body) if isinstance(body, bytes) else body
    part = {"uploadId": id, "partFirstByte": first, "partLastByte": last, "layerPartBlob": pieces}
    try:
        await call.run("UploadLayerPart", part)
    except AwsError as error:
        if error.code != "InvalidLayerPartException":
            raise
        received = int(error.fields["lastValidByteReceived"]) + 1
        headers = _show_upload(call, 416, id, received).headers
        raise ProtocolError("BLOB_UPLOAD_INVALID", error.message, 416, headers) from None
    return (await call.ctx.transact(lambda tx: _find(call, tx, id))).size


async def _iterate(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _complete(call: Call, id: str, digest: str) -> HttpResponse:
    await call.run("CompleteLayerUpload", {"uploadId": id, "layerDigests": [digest]})
    return _show_created(call, digest)


def _show_created(call: Call, digest: str) -> HttpResponse:
    headers = [("location", f"{call.path}/blobs/{digest}"), ("docker-content-digest", digest), API_VERSION]
    return HttpResponse(201, headers)


def _show_upload(call: Call, status: int, id: str, size: int) -> HttpResponse:
    headers = [
        ("location", f"{call.path}/blobs/{UPLOADS}{id}"),
        ("range", f"0-{max(0, size - 1)}"),
        ("docker-upload-uuid", id),
        API_VERSION,
    ]
    return HttpResponse(status, headers)
