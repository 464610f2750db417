"""Container images of functions: in Amazon ECR, or in layouts beside the data, found by their names, and unpacked.

Developer guide, "Create a Lambda function using a container image". An image in ECR is named by its URI. Another one is
named `oci:<name>[:<tag>]`, and is the layout of that name below `images/` of the data folder, as
`skopeo copy docker://… oci:…` makes it.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import NamedTuple

import msgspec

from cloudlet.core import AwsError, Context
from cloudlet.core.aws import ecr_images
from cloudlet.core.aws.ecr_images import Reference
from cloudlet.core.background.workers import run_in_worker
from cloudlet.core.kernel.block import Block
from cloudlet.engines import images, sandbox
from cloudlet.engines.images import ImageError, Platform
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.code import registry_images, unpacking
from cloudlet.services.lambda_.functions.function import Image, Package, Version

_NAMED = re.compile(
    r"oci:(?P<name>[a-z0-9]+(?:(?:[._-]+|/)[a-z0-9]+)*)(?::(?P<tag>[\w][\w.-]{0,127})|@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)
_LONGEST_NAME = 255
_ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}
_CODE = "image-"
_PUBLIC = "public.ecr.aws/"
_DENIED = "AccessDeniedException"
_SNAPSHOTS = "com.amazonaws.lambda.feature.snapstart"
"""The label of an image that may start from a snapshot though it does not speak of it with the Runtime API."""
_CONFIG_BYTES = 64 << 10
"""The largest configuration of an image, in bytes: it is kept with each version."""


class Unavailable(Exception):
    """An image cannot be unpacked; `code` says why as a function's state does."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class _Source(NamedTuple):
    """The image that a URI names."""

    name: str
    tag: str | None
    digest: str | None

    def layout(self, block: Block) -> Path:
        return block.cloud.config.data / "images" / self.name


def _source(uri: str) -> _Source:
    """Raises AwsError."""
    match = _NAMED.fullmatch(uri)
    if match is None or len(match["name"]) > _LONGEST_NAME:
        if uri.startswith(_PUBLIC):
            raise errors.not_built("images of Amazon ECR Public: push one to a repository of your own")
        raise errors.invalid(f"Source image {uri} is not valid. Provide a valid source image.")
    return _Source(match["name"], match["tag"], match["digest"])


async def find(ctx: Context, uri: str, architecture: str, function: str) -> tuple[Package, Image]:
    """Return what a function, named by its ARN, has of an image that is named. Raises AwsError."""
    platform = Platform("linux", _ARCHITECTURES[architecture])
    in_registry = ecr_images.parse(uri)
    if in_registry is not None:
        return await _find_in_registry(ctx, uri, in_registry, platform, function)
    source = _source(uri)
    layout = source.layout(ctx.block)
    try:
        found = await run_in_worker(ctx.account, images.resolve, layout, platform, tag=source.tag, digest=source.digest)
    except ImageError as error:
        if not await asyncio.to_thread(layout.is_dir):
            raise errors.invalid(f"Source image {uri} does not exist. Provide a valid source image.") from None
        raise errors.invalid(f"Source image {uri} is not valid. Provide a valid source image: {error}") from None
    return _describe(uri, f"oci:{source.name}@{found.digest}", found)


async def _find_in_registry(
    ctx: Context, uri: str, source: Reference, platform: Platform, function: str
) -> tuple[Package, Image]:
    if source.region != ctx.region:
        raise errors.invalid(f"Source image {uri} is not valid. Provide a valid source image: it is in another region.")
    try:
        try:
            found = await _load_from_registry(ctx, source, platform, function)
        except AwsError as error:
            if error.code != _DENIED or not await registry_images.grant_access(ctx, source):
                raise
            found = await _load_from_registry(ctx, source, platform, function)
    except AwsError as error:
        if error.code == _DENIED:
            message = "Lambda does not have permission to access the ECR image. Check the ECR permissions."
            raise AwsError(_DENIED, message, status=403) from error
        if error.code in registry_images.ABSENT:
            raise errors.invalid(f"Source image {uri} does not exist. Provide a valid source image.") from None
        raise
    except ImageError as error:
        raise errors.invalid(f"Source image {uri} is not valid. Provide a valid source image: {error}") from None
    return _describe(uri, source.resolve(found.digest), found)


async def _load_from_registry(ctx: Context, source: Reference, platform: Platform, function: str) -> images.Image:
    pulling = registry_images.pull(ctx.block, source, platform, function, with_layers=False)
    async with pulling as (layout, digest):
        return await run_in_worker(ctx.account, images.load, images.Folder(layout), digest, platform)


def _describe(uri: str, resolved: str, found: images.Image) -> tuple[Package, Image]:
    """Return what a function has of an image that was found. Raises AwsError."""
    config = found.config
    image = Image(
        uri=uri,
        resolved=resolved,
        entry_point=tuple(config.entrypoint or ()),
        command=tuple(config.cmd or ()),
        working_directory=config.working_dir or "",
        environment=config.environment,
        allows_snapshots=(config.labels or {}).get(_SNAPSHOTS) == "Allow",
    )
    if len(msgspec.json.encode(image)) > _CONFIG_BYTES:
        raise errors.invalid(f"The configuration of the source image {uri} is larger than {_CONFIG_BYTES} bytes.")
    digest = found.digest.rpartition(":")[2]
    return Package(f"{_CODE}{digest}", digest, 0, 0), image


async def unpacked(block: Block, version: Version, image: Image) -> Path:
    """Return the folder that has the files of a version's image. Raises Unavailable."""
    platform = Platform("linux", _ARCHITECTURES[version.architecture])
    in_registry = ecr_images.parse(image.resolved)
    if in_registry is not None:
        return await _unpack_from_registry(block, version, in_registry, platform)
    source = _source(image.resolved)
    layout = source.layout(block)

    def unpack(folder: Path) -> None:
        blobs = images.Folder(layout)
        found = images.load(blobs, source.digest or "", platform)
        images.unpack(blobs, found, folder, finish=sandbox.prepare)

    try:
        return await unpacking.made(block, version.place.account, version.package.code, unpack)
    except (ImageError, NotADirectoryError) as error:
        is_there = await asyncio.to_thread(layout.is_dir)
        raise Unavailable("InvalidImage" if is_there else "ImageDeleted", str(error)) from None


async def _unpack_from_registry(block: Block, version: Version, source: Reference, platform: Platform) -> Path:
    account, code = version.place.account, version.package.code
    made = unpacking.find(block, code)
    if made is not None:
        return made
    try:
        pulling = registry_images.pull(block, source, platform, version.place.arn, with_layers=True)
        async with pulling as (layout, digest):

            def unpack(folder: Path) -> None:
                blobs = images.Folder(layout)
                images.unpack(blobs, images.load(blobs, digest, platform), folder, finish=sandbox.prepare)

            return await unpacking.made(block, account, code, unpack)
    except ImageError as error:
        raise Unavailable("InvalidImage", str(error)) from None
    except AwsError as error:
        is_denied, is_absent = error.code == _DENIED, error.code in registry_images.ABSENT
        code = "ImageAccessDenied" if is_denied else "ImageDeleted" if is_absent else "InternalError"
        raise Unavailable(code, error.message) from None
