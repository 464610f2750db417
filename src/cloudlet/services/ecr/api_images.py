"""The operations on images."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import listing, page_tokens
from cloudlet.services.ecr import (
    deleting,
    digests,
    encryption,
    errors,
    images,
    pull_through,
    pushing,
    registry,
    scanning,
    storage_class,
)
from cloudlet.services.ecr.access import open_repository
from cloudlet.services.ecr.adding import Push
from cloudlet.services.ecr.api_repositories import show_name
from cloudlet.services.ecr.block import service
from cloudlet.services.ecr.image_record import Image
from cloudlet.services.ecr.repository_record import Repository
from cloudlet.services.ecr.storage_class import ACTIVE

_PULL_SECONDS: Final = 3600.0
"""Exactness of the time of the last pull; AWS promises a day."""
_MAX_LISTED_IMAGES: Final = 100
_READ_ROWS: Final = 200
KMS_ERROR: Final = "KmsError"
"""The failure of a pull whose KMS key cannot be used."""
_INACCESSIBLE: Final = "ImageInaccessible"
"""The failure of a pull of an archived image."""
Failure = dict[str, Any]


@service.direct("PutImage")
async def put_image(ctx: Context, params: Params) -> Result:
    about = await ctx.transact(lambda tx: open_repository(ctx, tx, params, "PutImage"))
    tag = params.get("imageTag")
    wanted = Push(
        params["imageManifest"].encode(),
        params.get("imageManifestMediaType") or "",
        tag,
        params.get("imageDigest"),
        await encryption.make_sealer(ctx.block, about),
    )
    if wanted.digest is not None and not digests.is_digest(wanted.digest):
        raise errors.InvalidParameter(f"Invalid image digest: {wanted.digest}")

    async def body(tx: Transaction) -> Result:
        found = await open_repository(ctx, tx, params, "PutImage")
        image = await pushing.push(tx, found, wanted, ctx.now())
        return {"image": {**_show(found, image, tag), "imageManifest": params["imageManifest"]}}

    return await ctx.transact(body)


def _show(found: Repository, image: Image, tag: str | None) -> dict[str, Any]:
    """Return an image without its manifest as pulls and pushes show it."""
    return {
        **show_name(found),
        "imageId": {"imageDigest": image.digest, "imageTag": tag},
        "imageManifestMediaType": image.media_type,
    }


class _Pull(NamedTuple):
    """The images that a pull finds, and why others are not among them."""

    repository: Repository
    found: list[tuple[dict[str, Any], bytes]]
    """Images as they are shown, and their manifests as they are stored."""
    failures: list[Failure]
    is_stale: bool = False
    """Whether a tag may have moved in the upstream registry since it was asked."""


@service.direct("BatchGetImage")
async def batch_get_image(ctx: Context, params: Params) -> Result:
    async def body(tx: Transaction) -> _Pull:
        return await _find_images(ctx, tx, params)

    try:
        pull = await ctx.transact(body)
    except errors.RepositoryNotFound:
        if not await pull_through.fetch(ctx, params):
            raise
        pull = await ctx.transact(body)
    else:
        archived = [each["imageId"] for each in pull.failures if each["failureCode"] == _INACCESSIBLE]
        wanted = {**params, "imageIds": [id for id in params["imageIds"] if id not in archived]}
        if len(pull.failures) > len(archived) and await pull_through.fetch(ctx, wanted):
            pull = await ctx.transact(body)
        elif pull.is_stale:
            # What is here is good enough where the upstream registry does not answer.
            with suppress(AwsError):
                await pull_through.fetch(ctx, wanted)
            pull = await ctx.transact(body)
    shown = []
    for image, stored in pull.found:
        try:
            text = await encryption.decrypt_manifest(ctx.block, pull.repository, stored)
            shown.append({**image, "imageManifest": text.decode()})
        except errors.KmsError as error:
            pull.failures.append(_fail(image["imageId"], KMS_ERROR, error.message))
    return {"images": shown, "failures": pull.failures}


async def _find_images(ctx: Context, tx: Transaction, params: Params) -> _Pull:
    repository = await open_repository(ctx, tx, params, "BatchGetImage")
    accepted = params.get("acceptedMediaTypes")
    found, failures = [], []
    for id in params["imageIds"]:
        image = await _find(tx, repository, id)
        if isinstance(image, dict):
            failures.append(image)
        elif image.status != ACTIVE:
            failures.append(_fail(id, _INACCESSIBLE, "Requested image is archived"))
        elif accepted and image.media_type not in accepted:
            reason = f"Requested image has the media type {image.media_type}, which is not accepted"
            failures.append(_fail(id, "ImageNotFound", reason))
        else:
            stored = await images.load_manifest(tx, repository, image.digest)
            found.append((_show(repository, image, id.get("imageTag")), stored))
            await _record_pull(ctx, tx, repository, image)
    tags = [id["imageTag"] for id in params["imageIds"] if id.get("imageTag") and not id.get("imageDigest")]
    return _Pull(repository, found, failures, await pull_through.is_stale(ctx, tx, repository, tags))


async def _record_pull(ctx: Context, tx: Transaction, repository: Repository, image: Image) -> None:
    """Note when an image was pulled, unless its principal's pulls are not to count."""
    now = ctx.now()
    if ctx.method == "HEAD" or now - image.pulled < _PULL_SECONDS:
        return
    known = await registry.load(tx, repository.account, repository.region)
    if not registry.is_excluded(known, ctx.principal):
        images.save(tx, repository, replace(image, pulled=now))


async def _find(tx: Transaction, repository: Repository, id: dict[str, str]) -> Image | Failure:
    """Return the image that a batch names, or why there is none."""
    digest, tag = id.get("imageDigest"), id.get("imageTag")
    if digest is None and tag is None:
        reason = "Invalid request parameters: both tag and digest cannot be null"
        return _fail(id, "MissingDigestAndTag", reason)
    if digest is not None and not digests.is_digest(digest):
        reason = "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
        return _fail(id, "InvalidImageDigest", reason)
    found = await images.find_named(tx, repository, digest, tag)
    if found is not None:
        return found
    if digest is not None and tag is not None and await images.find_tagged(tx, repository, tag) is not None:
        return _fail(id, "ImageTagDoesNotMatchDigest", "Requested image tag does not match the digest")
    return _fail(id, "ImageNotFound", "Requested image not found")


def _fail(id: dict[str, str], code: str, reason: str) -> Failure:
    return {"imageId": id, "failureCode": code, "failureReason": reason}


@service.operation("BatchDeleteImage")
async def batch_delete_image(ctx: Context, tx: Transaction, params: Params) -> Result:
    repository = await open_repository(ctx, tx, params, "BatchDeleteImage")
    deleted: list[dict[str, str]] = []
    failures: list[Failure] = []
    named = []
    for id in params["imageIds"]:
        image = await _find(tx, repository, id)
        if isinstance(image, dict):
            failures.append(image)
        else:
            named.append((id, image))
    # Indexes first, the outer ones before all: what they name can be deleted after them.
    inner = {child for _, image in named for child in image.children}
    for id, image in sorted(named, key=lambda each: (each[1].digest in inner, not each[1].children)):
        digest = image.digest
        left = await images.find(tx, repository, digest)
        if left is None:
            # By another one of its names.
            continue
        tag = id.get("imageTag")
        ends = tag is None or left.tags == (tag,)
        if ends and (parents := await images.list_parents(tx, repository, digest)):
            reason = f"Requested image referenced by manifest list: [{', '.join(parents)}]"
            failures.append(_fail(id, "ImageReferencedByManifestList", reason))
        elif tag is None:
            deleted += [{"imageDigest": digest, "imageTag": each} for each in left.tags] or [{"imageDigest": digest}]
            await deleting.remove(tx, repository, left, ctx.now())
        elif tag in left.tags:
            deleted.append({"imageDigest": digest, "imageTag": tag})
            await deleting.remove_tag(tx, repository, left, tag, ctx.now())
    return {"imageIds": deleted, "failures": failures}


@service.operation("ListImages")
async def list_images(ctx: Context, tx: Transaction, params: Params) -> Result:
    """List an image once for each of its tags. A token has a digest, and how many of its tags were listed."""
    repository = await open_repository(ctx, tx, params, "ListImages")
    filter = params.get("filter") or {}
    limit = params.get("maxResults") or _MAX_LISTED_IMAGES
    token = page_tokens.parse_name_token(params.get("nextToken"), errors.InvalidNextToken())
    digest, _, count = token.partition(" ")
    if token and not (digests.is_digest(digest) and count.isascii() and count.isdecimal() and len(count) < 6):
        raise errors.InvalidNextToken
    skipped = int(count or 0)
    space = images.get_space(repository)
    begin = space.key(digest) if digest else space.begin
    ids: list[dict[str, str]] = []
    while rows := await tx.range(begin, space.end, limit=_READ_ROWS):
        for _, raw in rows:
            image = images.decode(raw)
            if not _is_wanted(image, filter):
                continue
            named = [{"imageDigest": image.digest, "imageTag": tag} for tag in image.tags]
            named = named or [{"imageDigest": image.digest}]
            begun = skipped if image.digest == digest else 0
            room = limit - len(ids)
            ids += named[begun : begun + room]
            if len(named) - begun > room:
                place = f"{image.digest} {begun + room}".encode()
                return {"imageIds": ids, "nextToken": page_tokens.make_page_token(place)}
        begin = rows[-1][0] + b"\x00"
    return {"imageIds": ids}


def _is_wanted(image: Image, filter: dict[str, str]) -> bool:
    """Whether the filter of a list selects an image."""
    tags = filter.get("tagStatus", "ANY")
    has_tag_status = tags == "ANY" or (tags == "TAGGED") == bool(image.tags)
    return has_tag_status and storage_class.is_selected(image, filter.get("imageStatus"))


@service.operation("DescribeImages")
async def describe_images(ctx: Context, tx: Transaction, params: Params) -> Result:
    repository = await open_repository(ctx, tx, params, "DescribeImages")
    filter = params.get("filter") or {}
    if asked := params.get("imageIds"):
        named = [await images.get_named(tx, repository, id.get("imageDigest"), id.get("imageTag")) for id in asked]
        # An archived image is described where it is asked for by name.
        filter = {"imageStatus": "ANY", **filter}
        unique = {image.digest: image for image in named if _is_wanted(image, filter)}
        return {"imageDetails": [_describe(repository, image) for image in unique.values()]}

    def select(raw: bytes) -> Image | None:
        image = images.decode(raw)
        return image if _is_wanted(image, filter) else None

    found, token = await listing.list_page(
        tx,
        images.get_space(repository),
        params.get("nextToken"),
        params.get("maxResults") or _MAX_LISTED_IMAGES,
        select,
        errors.InvalidNextToken(),
    )
    return {"imageDetails": [_describe(repository, image) for image in found], "nextToken": token}


def _describe(repository: Repository, image: Image) -> dict[str, Any]:
    described = {**show_name(repository), **describe_manifest(image), "imageTags": list(image.tags) or None}
    if repository.is_public:
        return described
    scan = scanning.get(image)
    return {
        **described,
        "lastRecordedPullTime": image.pulled or None,
        "subjectManifestDigest": image.subject or None,
        "imageScanStatus": None if scan is None else scanning.show_status(scan),
        "imageScanFindingsSummary": None if scan is None else scanning.show_summary(scan),
        "imageStatus": image.status,
        "lastArchivedAt": image.archived or None,
        "lastActivatedAt": image.activated or None,
    }


def describe_manifest(image: Image) -> dict[str, Any]:
    """Return what the API shows of an image in both kinds of registries."""
    return {
        "imageDigest": image.digest,
        "imageSizeInBytes": image.size,
        "imagePushedAt": image.pushed,
        "imageManifestMediaType": image.media_type,
        "artifactMediaType": image.artifact_type or None,
    }


@service.operation("ListImageReferrers")
async def list_image_referrers(ctx: Context, tx: Transaction, params: Params) -> Result:
    repository = await open_repository(ctx, tx, params, "BatchGetImage")
    asked = params.get("filter") or {}
    types = asked.get("artifactTypes")
    status = asked.get("artifactStatus")
    found = await images.list_referrers(tx, repository, params["subjectId"]["imageDigest"])
    wanted = [
        each for each in found if storage_class.is_selected(each, status) and (not types or each.artifact_type in types)
    ]
    place = page_tokens.parse_name_token(params.get("nextToken"), errors.InvalidNextToken())
    later = [each for each in wanted if each.digest > place]
    limit = params.get("maxResults") or _MAX_LISTED_IMAGES
    token = page_tokens.make_page_token(later[limit - 1].digest.encode()) if len(later) > limit else None
    return {"referrers": [_show_referrer(each) for each in later[:limit]], "nextToken": token}


def _show_referrer(image: Image) -> dict[str, Any]:
    return {
        "digest": image.digest,
        "mediaType": image.media_type,
        "artifactType": image.artifact_type or None,
        "size": image.manifest_size,
        "annotations": image.annotations or None,
        "artifactStatus": image.status,
    }


@service.operation("DescribeImageReplicationStatus")
async def describe_image_replication_status(ctx: Context, tx: Transaction, params: Params) -> Result:
    repository = await open_repository(ctx, tx, params, "DescribeImageReplicationStatus")
    id = params["imageId"]
    image = await images.get_named(tx, repository, id.get("imageDigest"), id.get("imageTag"))
    statuses = []
    for name, status in image.replications.items():
        region, _, account = name.partition("/")
        kind, _, code = status.partition(":")
        statuses.append({"region": region, "registryId": account, "status": kind, "failureCode": code or None})
    return {"repositoryName": repository.name, "imageId": id, "replicationStatuses": statuses}
