"""Images in the store: manifests, their tags, and what refers to what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import msgspec
from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.services.ecr import errors, findings, layers
from cloudlet.services.ecr.image_record import Image
from cloudlet.services.ecr.repository_record import Repository
from cloudlet.services.ecr.storage_class import ACTIVE

_IMAGES: Final = Subspace("image")
MANIFESTS: Final = Subspace("manifest")
TAGS: Final = Subspace("tag")
PARENTS: Final = Subspace("parent")
"""Repository's id, digest, digest of an index that names it → nothing."""
REFERRERS: Final = Subspace("referrer")
"""Repository's id, digest of the subject, digest of what is about it → nothing."""
_SPACES: Final = (_IMAGES, MANIFESTS, TAGS, PARENTS, REFERRERS, findings.SPACE)
_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Image).decode
_READ_ROWS: Final = 200


def get_space(repository: Repository) -> Subspace:
    """Return the subspace of a repository's images, by digest."""
    return _IMAGES.sub(repository.id)


def get_tag_space(repository: Repository) -> Subspace:
    """Return the subspace of a repository's tags, each with the digest of its image."""
    return TAGS.sub(repository.id)


async def find(tx: Transaction, repository: Repository, digest: str) -> Image | None:
    """Return an image by its digest."""
    raw = await tx.get(_IMAGES.key(repository.id, digest))
    return None if raw is None else decode(raw)


async def find_tagged(tx: Transaction, repository: Repository, tag: str) -> Image | None:
    """Return the image that has a tag."""
    raw = await tx.get(TAGS.key(repository.id, tag))
    return None if raw is None else await find(tx, repository, raw.decode())


async def find_named(tx: Transaction, repository: Repository, digest: str | None, tag: str | None) -> Image | None:
    """Return the image of a digest, a tag, or both."""
    if tag is None:
        return await find(tx, repository, digest or "")
    found = await find_tagged(tx, repository, tag)
    return found if found is None or digest in (None, found.digest) else None


async def get_named(tx: Transaction, repository: Repository, digest: str | None, tag: str | None) -> Image:
    """Return the image of a digest, a tag, or both. Raises ImageNotFound."""
    if digest is None and tag is None:
        raise errors.InvalidParameter("Invalid request parameters: both tag and digest cannot be null")
    found = await find_named(tx, repository, digest, tag)
    if found is None:
        raise errors.ImageNotFound(digest, tag, repository.name, repository.account)
    return found


async def load_manifest(tx: Transaction, repository: Repository, digest: str) -> bytes:
    """Return the manifest of an image that is there, as it is stored."""
    return await tx.get(MANIFESTS.key(repository.id, digest)) or b""


async def walk(tx: Transaction, repository: Repository) -> AsyncIterator[Image]:
    """Yield all images of a repository."""
    space = get_space(repository)
    begin = space.begin
    while rows := await tx.range(begin, space.end, limit=_READ_ROWS):
        for _, raw in rows:
            yield decode(raw)
        begin = rows[-1][0] + b"\x00"


async def list_referrers(tx: Transaction, repository: Repository, subject: str) -> list[Image]:
    """Return the manifests that are about one."""
    return [found async for found in _follow(tx, repository, REFERRERS.sub(repository.id, subject))]


async def list_parents(tx: Transaction, repository: Repository, digest: str) -> list[str]:
    """Return the digests of the indexes that name an image."""
    space = PARENTS.sub(repository.id, digest)
    return [space.unpack(key)[0] for key, _ in await tx.range(space.begin, space.end, limit=_READ_ROWS)]


async def list_active_parents(tx: Transaction, repository: Repository, digest: str) -> list[str]:
    """Return the digests of the indexes that name an image and can be pulled."""
    parents = _follow(tx, repository, PARENTS.sub(repository.id, digest))
    return [parent.digest async for parent in parents if parent.status == ACTIVE]


async def _follow(tx: Transaction, repository: Repository, space: Subspace) -> AsyncIterator[Image]:
    begin = space.begin
    while rows := await tx.range(begin, space.end, limit=_READ_ROWS):
        for key, _ in rows:
            found = await find(tx, repository, space.unpack(key)[0])
            if found is not None:
                yield found
        begin = rows[-1][0] + b"\x00"


def save(tx: Transaction, repository: Repository, image: Image) -> None:
    """Write the record of an image."""
    tx.put(_IMAGES.key(repository.id, image.digest), _encode(image))


async def remove_tag(tx: Transaction, repository: Repository, image: Image, tag: str) -> Image:
    """Take a tag from an image."""
    tx.delete(TAGS.key(repository.id, tag))
    left = replace(image, tags=tuple(each for each in image.tags if each != tag))
    save(tx, repository, left)
    return left


async def remove(tx: Transaction, repository: Repository, image: Image, now: float) -> None:
    """Delete an image with its tags."""
    for tag in image.tags:
        tx.delete(TAGS.key(repository.id, tag))
    for child in image.children:
        tx.delete(PARENTS.key(repository.id, child, image.digest))
    if image.subject:
        tx.delete(REFERRERS.key(repository.id, image.subject, image.digest))
    tx.delete(MANIFESTS.key(repository.id, image.digest))
    tx.delete(_IMAGES.key(repository.id, image.digest))
    findings.remove(tx, repository.id, image.digest)
    for digest in image.layers:
        await layers.leave(tx, repository.id, digest, now)


def remove_all(tx: Transaction, repository: str) -> None:
    """Delete all images of a repository that is gone, but not its layers."""
    for space in _SPACES:
        rows = space.sub(repository)
        tx.delete_range(rows.begin, rows.end)
