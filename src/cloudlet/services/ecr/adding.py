"""Images that are added to repositories: by pushes, replication, pull-through caches and restores."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.services.ecr import digests, errors, images, layers, manifests, mutability, scanning, storage_class
from cloudlet.services.ecr.encryption import Sealer
from cloudlet.services.ecr.image_record import Image
from cloudlet.services.ecr.manifests import Manifest
from cloudlet.services.ecr.repository_record import Repository
from cloudlet.services.ecr.storage_class import ACTIVE

MAX_TAGS: Final = 1_000
"""User guide, "Amazon ECR service quotas": tags per image."""
_TAG: Final = re.compile(r"\w[\w.-]{0,127}", re.ASCII)


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
    found = await images.find(tx, repository, computed)
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
        tx.put(images.TAGS.key(repository.id, push.tag), computed.encode())
    if is_new:
        image = await scanning.begin_if_due(tx, repository, image, now)
    images.save(tx, repository, image)
    return image


async def activate(tx: Transaction, repository: Repository, image: Image, now: float) -> Image:
    """Let an image be pulled again whose restore has ended."""
    active = await scanning.begin_if_due(tx, repository, storage_class.activate(image, now), now)
    images.save(tx, repository, active)
    return active


async def _take_tag(tx: Transaction, repository: Repository, tag: str) -> None:
    """Take a tag from the image that has it. Raises ImageTagAlreadyExists."""
    holder = await images.find_tagged(tx, repository, tag)
    if holder is None:
        return
    if mutability.is_immutable(repository, tag):
        raise errors.ImageTagAlreadyExists(tag, repository.name)
    images.save(tx, repository, replace(holder, tags=tuple(each for each in holder.tags if each != tag)))


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
        child = await images.find(tx, repository, each)
        tx.put(images.PARENTS.key(repository.id, each, digest), b"")
        if child is None:
            absent.append(each)
        else:
            size = max(size, child.size)
    if absent and not is_partial:
        raise errors.ReferencedImagesNotFound(absent, repository.name, repository.account)
    if parsed.subject:
        tx.put(images.REFERRERS.key(repository.id, parsed.subject, digest), b"")
    tx.put(images.MANIFESTS.key(repository.id, digest), _seal(repository, push))
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
