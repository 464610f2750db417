"""Images in the store: manifests, their tags, and what refers to what."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.services.ecr import digests, errors, image_events, layers, manifests, mutability, scanning, storage_class
from cloudlet.services.ecr.encryption import Sealer
from cloudlet.services.ecr.image_record import Image
from cloudlet.services.ecr.manifests import Manifest
from cloudlet.services.ecr.repository_record import Repository
from cloudlet.services.ecr.storage_class import ACTIVE

MAX_TAGS: Final = 1_000
"""User guide, "Amazon ECR service quotas": tags per image."""
_IMAGES: Final = Subspace("image")
_MANIFESTS: Final = Subspace("manifest")
_TAGS: Final = Subspace("tag")
_PARENTS: Final = Subspace("parent")
"""Repository's id, digest, digest of an index that names it → nothing."""
_REFERRERS: Final = Subspace("referrer")
"""Repository's id, digest of the subject, digest of what is about it → nothing."""
_SPACES: Final = (_IMAGES, _MANIFESTS, _TAGS, _PARENTS, _REFERRERS)
_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Image).decode
_READ_ROWS: Final = 200
_TAG: Final = re.compile(r"\w[\w.-]{0,127}", re.ASCII)


def get_space(repository: Repository) -> Subspace:
    """Return the subspace of a repository's images, by digest."""
    return _IMAGES.sub(repository.id)


def get_tag_space(repository: Repository) -> Subspace:
    """Return the subspace of a repository's tags, each with the digest of its image."""
    return _TAGS.sub(repository.id)


async def find(tx: Transaction, repository: Repository, digest: str) -> Image | None:
    """Return an image by its digest."""
    raw = await tx.get(_IMAGES.key(repository.id, digest))
    return None if raw is None else decode(raw)


async def find_tagged(tx: Transaction, repository: Repository, tag: str) -> Image | None:
    """Return the image that has a tag."""
    raw = await tx.get(_TAGS.key(repository.id, tag))
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
    return await tx.get(_MANIFESTS.key(repository.id, digest)) or b""


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
    return [found async for found in _follow(tx, repository, _REFERRERS.sub(repository.id, subject))]


async def list_parents(tx: Transaction, repository: Repository, digest: str) -> list[str]:
    """Return the digests of the indexes that name an image."""
    space = _PARENTS.sub(repository.id, digest)
    return [space.unpack(key)[0] for key, _ in await tx.range(space.begin, space.end, limit=_READ_ROWS)]


async def list_active_parents(tx: Transaction, repository: Repository, digest: str) -> list[str]:
    """Return the digests of the indexes that name an image and can be pulled."""
    parents = _follow(tx, repository, _PARENTS.sub(repository.id, digest))
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


class Push(NamedTuple):
    """A manifest that is pushed, with its names."""

    text: bytes
    media_type: str = ""
    tag: str | None = None
    digest: str | None = None
    sealer: Sealer | None = None
    """The means to encrypt it, for a repository with a KMS key."""


async def put(tx: Transaction, repository: Repository, push: Push, now: float, *, is_partial: bool = False) -> Image:
    """Add an image to a repository, or a tag to one that it has. Raises AwsError.

    `is_partial`: an index may come before its images.
    """
    computed = digests.compute(push.text, digests.get_algorithm(push.digest) if push.digest else "sha256")
    if push.digest is not None and computed != push.digest:
        raise errors.ImageDigestDoesNotMatch(push.digest, computed)
    if push.tag is not None and _TAG.fullmatch(push.tag) is None:
        raise errors.InvalidParameter(
            "Invalid parameter at 'imageTag' failed to satisfy constraint: 'must satisfy regular expression "
            "'[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}''"
        )
    parsed = manifests.parse(push.text, push.media_type)
    found = await find(tx, repository, computed)
    if found is not None and found.status == ACTIVE and (push.tag is None or push.tag in found.tags):
        raise errors.ImageAlreadyExists(computed, push.tag, repository.name, repository.account)
    image = found or await _add(tx, repository, push, computed, parsed, now, is_partial)
    is_new = found is None or found.status != ACTIVE
    if image.status != ACTIVE:
        image = storage_class.activate(image, now)
    if push.tag is not None and push.tag not in image.tags:
        if len(image.tags) >= MAX_TAGS:
            raise errors.LimitExceededError(f"An image can have {MAX_TAGS} tags at most")
        await _take_tag(tx, repository, push.tag)
        image = replace(image, tags=(*image.tags, push.tag))
        if repository.is_public:
            image = replace(image, tagged={**image.tagged, push.tag: now})
        tx.put(_TAGS.key(repository.id, push.tag), computed.encode())
    if is_new:
        image = await _scan(tx, repository, image, now)
    save(tx, repository, image)
    return image


async def activate(tx: Transaction, repository: Repository, image: Image, now: float) -> Image:
    """Let an image be pulled again whose restore has ended."""
    active = await _scan(tx, repository, storage_class.activate(image, now), now)
    save(tx, repository, active)
    return active


async def _scan(tx: Transaction, repository: Repository, image: Image, now: float) -> Image:
    """Note that an image that is due to be scanned was not."""
    if not image.layers or not await scanning.is_due(tx, repository):
        return image
    image_events.add_failed_scan(tx, repository, image.digest, image.tags, now)
    return replace(image, is_scan_failed=True)


async def _take_tag(tx: Transaction, repository: Repository, tag: str) -> None:
    """Take a tag from the image that has it. Raises ImageTagAlreadyExists."""
    holder = await find_tagged(tx, repository, tag)
    if holder is None:
        return
    if mutability.is_immutable(repository, tag):
        raise errors.ImageTagAlreadyExists(tag, repository.name)
    save(tx, repository, replace(holder, tags=tuple(each for each in holder.tags if each != tag)))


async def _add(
    tx: Transaction,
    repository: Repository,
    push: Push,
    digest: str,
    parsed: Manifest,
    now: float,
    is_partial: bool,
) -> Image:
    """Write a new image, but for its record. Raises AwsError where a layer or an image is missing that it names."""
    blobs = {each.digest: each for each in parsed.blobs}
    known = {each: await layers.find(tx, repository.id, each) for each in blobs}
    if missing := [each for each, layer in known.items() if layer is None]:
        raise errors.LayersNotFound(missing, repository.name, repository.account)
    for layer in known.values():
        if layer is not None:
            layers.use(tx, repository.id, layer, blobs[layer.digest].media_type)
    size = sum(layer.size for layer in known.values() if layer is not None)
    children = tuple(dict.fromkeys(each.digest for each in parsed.children))
    absent = []
    for each in children:
        child = await find(tx, repository, each)
        tx.put(_PARENTS.key(repository.id, each, digest), b"")
        if child is None:
            absent.append(each)
        else:
            size = max(size, child.size)
    if absent and not is_partial:
        raise errors.ReferencedImagesNotFound(absent, repository.name, repository.account)
    if parsed.subject:
        tx.put(_REFERRERS.key(repository.id, parsed.subject, digest), b"")
    tx.put(_MANIFESTS.key(repository.id, digest), _seal(repository, push))
    return Image(
        digest,
        parsed.media_type,
        parsed.artifact_type,
        size,
        now,
        len(push.text),
        layers=tuple(known),
        children=children,
        subject=parsed.subject,
        annotations=parsed.annotations if parsed.subject else {},
    )


def _seal(repository: Repository, push: Push) -> bytes:
    """Return a manifest as it is stored."""
    sealer = push.sealer
    if not repository.kms_key:
        return push.text
    if sealer is None or sealer.repository != repository.id:
        raise errors.KmsError(f"The repository with name '{repository.name}' has changed meanwhile")
    return sealer.encrypt(push.text)


async def remove_tag(tx: Transaction, repository: Repository, image: Image, tag: str) -> Image:
    """Take a tag from an image."""
    tx.delete(_TAGS.key(repository.id, tag))
    left = replace(image, tags=tuple(each for each in image.tags if each != tag))
    save(tx, repository, left)
    return left


async def remove(tx: Transaction, repository: Repository, image: Image, now: float) -> None:
    """Delete an image with its tags."""
    for tag in image.tags:
        tx.delete(_TAGS.key(repository.id, tag))
    for child in image.children:
        tx.delete(_PARENTS.key(repository.id, child, image.digest))
    if image.subject:
        tx.delete(_REFERRERS.key(repository.id, image.subject, image.digest))
    tx.delete(_MANIFESTS.key(repository.id, image.digest))
    tx.delete(_IMAGES.key(repository.id, image.digest))
    for digest in image.layers:
        await layers.leave(tx, repository.id, digest, now)


def remove_all(tx: Transaction, repository: str) -> None:
    """Delete all images of a repository that is gone, but not its layers."""
    for space in _SPACES:
        rows = space.sub(repository)
        tx.delete_range(rows.begin, rows.end)
