"""Container images of functions: layouts in a folder beside the data, found by their names, and unpacked.

Developer guide, "Create a Lambda function using a container image". An image is named `oci:<name>[:<tag>]`, and is the
layout of that name below `images/` of the data folder, as `skopeo copy docker://… oci:…` makes it.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import NamedTuple

import msgspec

from cloudlet.core import Context
from cloudlet.core.background.workers import run_in_worker
from cloudlet.core.kernel.block import Block
from cloudlet.engines import images, sandbox
from cloudlet.engines.images import ImageError, Platform
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.code import unpacking
from cloudlet.services.lambda_.functions.function import Image, Package, Version

_NAMED = re.compile(
    r"oci:(?P<name>[a-z0-9]+(?:(?:[._-]+|/)[a-z0-9]+)*)(?::(?P<tag>[\w][\w.-]{0,127})|@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)
_LONGEST_NAME = 255
_IN_ECR = re.compile(r"(?:\d{12}\.dkr\.ecr[.-]|public\.ecr\.aws/)", re.ASCII)
_ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}
_CODE = "image-"
_SNAPSHOTS = "com.amazonaws.lambda.feature.snapstart"
"""The label of an image that may start from a snapshot though it does not speak of it with the Runtime API."""
_CONFIG_BYTES = 64 << 10
"""So large may be what an image says of how it is run: it is kept with each version."""


class Unavailable(Exception):
    """An image cannot be unpacked; `code` says why as a function's state does."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class _Source(NamedTuple):
    """What a URI names."""

    name: str
    tag: str | None
    digest: str | None

    def layout(self, block: Block) -> Path:
        return block.cloud.config.data / "images" / self.name


def _source(uri: str) -> _Source:
    """Raises AwsError."""
    match = _NAMED.fullmatch(uri)
    if match is None or len(match["name"]) > _LONGEST_NAME:
        if _IN_ECR.match(uri):
            raise errors.not_built("images in a registry: name one in a layout, oci:<name>[:<tag>]")
        raise errors.invalid(f"Source image {uri} is not valid. Provide a valid source image.")
    return _Source(match["name"], match["tag"], match["digest"])


async def find(ctx: Context, uri: str, architecture: str) -> tuple[Package, Image]:
    """Return what a function has of an image that is named. Raises AwsError."""
    source = _source(uri)
    layout = source.layout(ctx.block)
    platform = Platform("linux", _ARCHITECTURES[architecture])
    try:
        found = await run_in_worker(ctx.account, images.resolve, layout, platform, tag=source.tag, digest=source.digest)
    except ImageError as error:
        if not await asyncio.to_thread(layout.is_dir):
            raise errors.invalid(f"Source image {uri} does not exist. Provide a valid source image.") from None
        raise errors.invalid(f"Source image {uri} is not valid. Provide a valid source image: {error}") from None
    config = found.config
    image = Image(
        uri=uri,
        resolved=f"oci:{source.name}@{found.digest}",
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
    source = _source(image.resolved)
    layout = source.layout(block)
    platform = Platform("linux", _ARCHITECTURES[version.architecture])

    def unpack(folder: Path) -> None:
        blobs = images.Folder(layout)
        found = images.load(blobs, source.digest or "", platform)
        images.unpack(blobs, found, folder, finish=sandbox.prepare)

    try:
        return await unpacking.made(block, version.place.account, version.package.code, unpack)
    except (ImageError, NotADirectoryError) as error:
        is_there = await asyncio.to_thread(layout.is_dir)
        raise Unavailable("InvalidImage" if is_there else "ImageDeleted", str(error)) from None
