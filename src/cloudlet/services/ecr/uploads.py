"""Uploads of layers: parts in files, until all have come."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterable
from functools import partial
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.retention import delete_expired
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.ecr import digests, encryption, errors, layers
from cloudlet.services.ecr.image_record import Content, Part, Piece, Upload
from cloudlet.services.ecr.repository_record import Repository
from cloudlet.store.blobs import in_thread

MAX_PARTS: Final = 4_200
"""User guide, "Amazon ECR service quotas": layer parts."""
MAX_LAYER_BYTES: Final = 52_000 << 20
"""User guide, "Amazon ECR service quotas": maximum layer size."""
_KEPT_SECONDS: Final = 24 * 3600.0
_READ_BYTES: Final = 1 << 20
_UPLOADS: Final = Subspace("upload")
_STARTED: Final = Subspace("upload-started")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Upload).decode


def begin(tx: Transaction, repository: Repository, now: float) -> Upload:
    """Begin an upload."""
    upload = Upload(uuid4(), repository.id, int(now))
    tx.put(_STARTED.key(upload.started, upload.id), b"")
    _save(tx, upload)
    return upload


def _save(tx: Transaction, upload: Upload) -> None:
    tx.put(_UPLOADS.key(upload.id), _encode(upload))


async def get(tx: Transaction, repository: Repository, id: str) -> Upload:
    """Return an upload to a repository. Raises UploadNotFound."""
    raw = await tx.get(_UPLOADS.key(id))
    upload = None if raw is None else _decode(raw)
    if upload is None or upload.repository != repository.id:
        raise errors.UploadNotFound(id, repository.name, repository.account)
    return upload


def remove(tx: Transaction, upload: Upload, now: float, *, keeps_files: bool = False) -> None:
    """End an upload; its files are given up, unless a layer has them."""
    tx.delete(_UPLOADS.key(upload.id))
    tx.delete(_STARTED.key(upload.started, upload.id))
    if not keeps_files:
        layers.release_files(tx, (part.piece.file for part in upload.parts), now)


async def write(block: Block, about: Repository, pieces: AsyncIterable[bytes]) -> Part:
    """Write a part to a file, durably. Raises StoreError, AwsError."""
    seal = await encryption.make_seal(block, about)
    cipher = None if seal is None else await encryption.open_seal(block, about, seal)
    hashed = hashlib.sha256()
    writer = await block.blobs.begin([] if cipher else [hashed])
    try:
        async for piece in pieces:
            if cipher is None:
                await writer.write(piece)
            else:
                hashed.update(piece)
                await writer.write(cipher.update(piece))
            if writer.size > MAX_LAYER_BYTES:
                raise errors.LimitExceededError(f"A layer can have {MAX_LAYER_BYTES} bytes at most")
    except BaseException as error:
        await writer.discard()
        if isinstance(error, ConnectionError):
            raise errors.IncompletePart from error
        raise
    await writer.keep()
    return Part(Piece(writer.name, writer.size, seal), hashed.hexdigest())


def append(tx: Transaction, repository: Repository, upload: Upload, part: Part, first: int | None) -> Upload:
    """Add a part that was written to an upload. Raises AwsError.

    `first` is where it begins, if its sender says so.
    """
    if first is not None and first != upload.size:
        raise errors.InvalidLayerPart(repository.name, repository.account, upload.id, upload.size)
    if len(upload.parts) >= MAX_PARTS:
        raise errors.LimitExceededError(f"A layer can have {MAX_PARTS} parts at most")
    if upload.size + part.piece.size > MAX_LAYER_BYTES:
        raise errors.LimitExceededError(f"A layer can have {MAX_LAYER_BYTES} bytes at most")
    layers.claim_files(tx, (part.piece.file,))
    grown = replace(upload, parts=(*upload.parts, part))
    _save(tx, grown)
    return grown


async def compute_digest(block: Block, about: Repository, upload: Upload, algorithm: str) -> str:
    """Return the digest of what has come. Raises StoreError, KmsError."""
    if algorithm == "sha256" and len(upload.parts) == 1:
        return f"sha256:{upload.parts[0].sha256}"
    if not upload.parts:
        return digests.compute(b"", algorithm)
    hashed = hashlib.new(algorithm)
    content = Content(tuple(part.piece for part in upload.parts))
    if content.is_sealed:
        async for data in encryption.read(block, about, content):
            hashed.update(data)
        return f"{algorithm}:{hashed.hexdigest()}"
    names = [part.piece.file for part in upload.parts]
    release = block.blobs.read(names)
    try:
        for name in names:
            await in_thread(partial(_hash_file, hashed, block.blobs.path(name)))
    finally:
        release()
    return f"{algorithm}:{hashed.hexdigest()}"


def _hash_file(hashed: Any, path: os.PathLike[str]) -> None:
    with open(path, "rb") as file:  # noqa: PTH123
        while piece := file.read(_READ_BYTES):
            hashed.update(piece)


async def finish(tx: Transaction, repository: Repository, upload: Upload, digest: str, now: float) -> bool:
    """Make a layer of an upload whose digest was verified.

    Return whether it is new to the repository. Raises UploadNotFound where the upload has changed meanwhile.
    """
    if await get(tx, repository, upload.id) != upload:
        raise errors.UploadNotFound(upload.id, repository.name, repository.account)
    is_new = await layers.find(tx, repository.id, digest) is None
    remove(tx, upload, now, keeps_files=is_new)
    if is_new:
        content = Content(tuple(part.piece for part in upload.parts))
        await layers.add(tx, repository.id, digest, content, now)
    return is_new


async def remove_abandoned(block: Block) -> None:
    """Remove uploads that have not ended within a day, until the block ends."""

    async def delete(tx: Transaction, key: bytes) -> None:
        _, id = _STARTED.unpack(key)
        raw = await tx.get(_UPLOADS.key(id))
        if raw is not None:
            remove(tx, _decode(raw), block.clock.now())

    await delete_expired(block, _STARTED, _KEPT_SECONDS, delete)
