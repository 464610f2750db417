"""The operations on layers: uploads, and where to download them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.ecr import creating, digests, downloads, errors, layers, uploads
from cloudlet.services.ecr.access import FROM_CLIENTS, authorize, open_repository
from cloudlet.services.ecr.api_repositories import show_name
from cloudlet.services.ecr.block import service
from cloudlet.services.ecr.image_record import Upload
from cloudlet.services.ecr.repository_record import Repository

PART_BYTES: Final = 20 << 20
MIN_PART_BYTES: Final = 5 << 20
"""API reference, "UploadLayerPart": so large is each part at least, but for the last one."""


@service.operation("BatchCheckLayerAvailability")
async def batch_check_layer_availability(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await open_repository(ctx, tx, params, "BatchCheckLayerAvailability")
    known: list[dict[str, Any]] = []
    failures = []
    for digest in params["layerDigests"]:
        if not digests.is_digest(digest):
            reason = f"Invalid layer digest: {digest}"
            failures.append({"layerDigest": digest, "failureCode": "InvalidLayerDigest", "failureReason": reason})
            continue
        layer = await layers.find(tx, found.id, digest)
        if layer is None:
            known.append({"layerDigest": digest, "layerAvailability": "UNAVAILABLE"})
        else:
            shown = {"layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": layer.size}
            known.append({**shown, "mediaType": layer.media_type or None})
    return {"layers": known, "failures": failures}


@service.operation("GetDownloadUrlForLayer")
async def get_download_url_for_layer(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await open_repository(ctx, tx, params, "GetDownloadUrlForLayer")
    digest = params["layerDigest"]
    if await layers.find(tx, found.id, digest) is None:
        raise errors.LayersNotFound([digest], found.name, found.account)
    return {"downloadUrl": downloads.make_url(ctx, found, digest), "layerDigest": digest}


@service.operation("InitiateLayerUpload")
async def initiate_layer_upload(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _open_or_create(ctx, tx, params)
    return {"uploadId": uploads.begin(tx, found, ctx.now()).id, "partSize": PART_BYTES}


async def _open_or_create(ctx: Context, tx: Transaction, params: Params) -> Repository:
    """Return the repository that is pushed to, which a template may have created on push. Raises AwsError."""
    try:
        return await open_repository(ctx, tx, params, "InitiateLayerUpload")
    except errors.RepositoryNotFound:
        account, name = params.get("registryId") or ctx.account, params["repositoryName"]
        made = await creating.create_by_template(
            tx, account, ctx.region, name, "CREATE_ON_PUSH", ctx.now(), needs_template=True
        )
        if made is None:
            raise
        await authorize(ctx, tx, account, name, "CreateRepository", None)
        return made


@service.direct("UploadLayerPart")
async def upload_layer_part(ctx: Context, params: Params) -> Result:
    """Take a part: bytes, or a stream from a client of the registry."""
    id, given = params["uploadId"], params["layerPartBlob"]
    first, last = params["partFirstByte"], params["partLastByte"]

    async def check(tx: Transaction) -> Repository:
        found = await open_repository(ctx, tx, params, "UploadLayerPart")
        upload = await uploads.get(tx, found, id)
        if first is not None and first != upload.size:
            raise errors.InvalidLayerPart(found.name, found.account, id, upload.size)
        return found

    found = await ctx.transact(check)
    part = await uploads.write(ctx.block, found, _iterate(given) if isinstance(given, bytes) else given)

    async def add(tx: Transaction) -> Upload:
        upload = await uploads.get(tx, found, id)
        if last is not None and last - (first or 0) + 1 != part.piece.size:
            raise errors.InvalidLayerPart(found.name, found.account, id, upload.size)
        return uploads.append(tx, found, upload, part, first) if part.piece.size else upload

    is_kept = False
    try:
        upload = await ctx.transact(add)
        is_kept = bool(part.piece.size)
    finally:
        if not is_kept:
            await ctx.block.blobs.remove([part.piece.file])
    return {**show_name(found), "uploadId": id, "lastByteReceived": max(0, upload.size - 1)}


async def _iterate(data: bytes) -> AsyncIterator[bytes]:
    yield data


@service.direct("CompleteLayerUpload")
async def complete_layer_upload(ctx: Context, params: Params) -> Result:
    id, wanted = params["uploadId"], params["layerDigests"]

    async def look(tx: Transaction) -> tuple[Repository, Upload]:
        found = await open_repository(ctx, tx, params, "CompleteLayerUpload")
        return found, await uploads.get(tx, found, id)

    found, upload = await ctx.transact(look)
    if ctx.protocol != FROM_CLIENTS:
        _check_parts(upload)
    for digest in wanted:
        if not digests.is_digest(digest):
            raise errors.InvalidParameter(f"Invalid layer digest: {digest}")
        computed = await uploads.compute_digest(ctx.block, found, upload, digests.get_algorithm(digest))
        if computed != digest:
            raise errors.InvalidLayer(f"The layer has the digest {computed}, not {digest}")
    digest = wanted[0]
    is_new = await ctx.transact(lambda tx: uploads.finish(tx, found, upload, digest, ctx.now()))
    if not is_new and ctx.protocol != FROM_CLIENTS:
        raise errors.LayerAlreadyExists(digest, found.name, found.account)
    return {**show_name(found), "uploadId": id, "layerDigest": digest}


def _check_parts(upload: Upload) -> None:
    """Raise AwsError for an upload by the API that has no part, or small ones."""
    if not upload.parts:
        raise errors.EmptyUpload(upload.id)
    for part in upload.parts[:-1]:
        if part.piece.size < MIN_PART_BYTES:
            raise errors.LayerPartTooSmall(part.piece.size, MIN_PART_BYTES)
