"""Images of containers, pulled, and unpacked for all tasks that run them.

An image is one of this Cloudlet's ECR, got by its API; `oci:<name>[:<tag>]`, a layout below `images/` of the data
folder; or one of any other registry. It is unpacked once, with the owners that its containers' users are.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from weakref import WeakValueDictionary

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.aws import ecr_images
from cloudlet.core.kernel.system_clock import wall_time
from cloudlet.engines import images
from cloudlet.engines.containers import users
from cloudlet.engines.images import Config, ImageError, Platform
from cloudlet.engines.images.blob_store import BlobStore, give_once
from cloudlet.engines.images.manifests import read_document
from cloudlet.engines.images.registry_client import RegistryError
from cloudlet.services.ecs.running import registry_images, roles
from cloudlet.services.ecs.running.failures import PullFailure
from cloudlet.services.ecs.task_record import Task

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_LAYOUT: Final = re.compile(
    r"oci:(?P<name>[a-z0-9]+(?:(?:[._-]+|/)[a-z0-9]+)*)(?::(?P<tag>[\w][\w.-]{0,127})|@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)
_ARCHITECTURES: Final = {"X86_64": "amd64", "ARM64": "arm64"}
_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_RETRIED: Final = "pull image manifest has been retried 1 time(s):"
_LAYERS: Final = "layers"
_locks: Final[WeakValueDictionary[str, asyncio.Lock]] = WeakValueDictionary()
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Config).decode


class LocalImage(NamedTuple):
    """An image that is there."""

    digest: str
    """Of its manifest."""
    root: Path
    config: Config


def get_folder(block: Block) -> Path:
    """Return the folder of unpacked images. What was unpacked before the machine fell is not trusted."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return block.cloud.config.data / "unpacked" / "ecs" / boot


async def fetch(block: Block, task: Task, described: dict[str, Any]) -> LocalImage:
    """Return the image of a container, which is pulled where it is missing. Raises PullFailure."""
    name, uri = described["name"], described["image"]
    architecture = _ARCHITECTURES[task.architecture]
    if architecture != _MACHINES.get(os.uname().machine):
        raise PullFailure(name, f"image Manifest does not contain descriptor matching platform 'linux/{architecture}'"
                       " of this machine")  # fmt: skip
    platform = Platform("linux", architecture)
    try:
        if (layout := _LAYOUT.fullmatch(uri)) is not None:
            return await _use_layout(block, layout, platform)
        if (source := ecr_images.parse(uri)) is not None:
            calling = partial(roles.call, block, task, "ecr")
            return await _fetch(block, ecr_images.EcrImage(block, source, calling), platform)
        credentials = await registry_images.load_credentials(block, task, described)
        return await _fetch(block, registry_images.RegistryImage(block, uri, credentials), platform)
    except AwsError as error:
        raise PullFailure(name, f"{_RETRIED} failed to resolve ref {uri}: {error.code}: {error.message}") from None
    except (ImageError, RegistryError) as error:
        raise PullFailure(name, f"{_RETRIED} failed to resolve ref {uri}: {error}") from None


async def _use_layout(block: Block, layout: re.Match[str], platform: Platform) -> LocalImage:
    """Return the image of a layout. Raises ImageError."""
    folder = block.cloud.config.data / "images" / layout["name"]
    found = await asyncio.to_thread(
        images.resolve, folder, platform, tag=layout["tag"] or None, digest=layout["digest"] or None
    )
    return await _unpack_once(block, found.digest, lambda target: _unpack(folder, found, target))


async def _fetch(block: Block, source: registry_images.Source, platform: Platform) -> LocalImage:
    """Return an image from elsewhere. Raises AwsError, ImageError and RegistryError."""
    digest, manifest = await source.find(platform)
    known = await asyncio.to_thread(_find, block, digest)
    if known is not None:
        return known
    async with _get_lock(digest):
        known = await asyncio.to_thread(_find, block, digest)
        if known is not None:
            return known
        # One layout for all images: they share their layers.
        layout = get_folder(block) / _LAYERS
        store = BlobStore(layout / "blobs" / "sha256")
        try:
            await store.keep(digest, give_once(manifest))
            for blob in read_document(manifest).blobs:
                await store.keep(blob.digest, source.read_blob(blob), blob.size)
            found = await asyncio.to_thread(images.load, images.Folder(layout), digest, platform)
            return await asyncio.to_thread(_make, block, digest, lambda target: _unpack(layout, found, target))
        except ImageError:
            # What is damaged is fetched again.
            await asyncio.to_thread(store.remove, [digest, *(blob.digest for blob in read_document(manifest).blobs)])
            raise


async def _unpack_once(block: Block, digest: str, unpack: Callable[[Path], Config]) -> LocalImage:
    async with _get_lock(digest):
        known = await asyncio.to_thread(_find, block, digest)
        return await asyncio.to_thread(_make, block, digest, unpack) if known is None else known


def _get_lock(digest: str) -> asyncio.Lock:
    return _locks.setdefault(digest, asyncio.Lock())


def _unpack(layout: Path, found: images.Image, target: Path) -> Config:
    owners = users.to_machine if users.have_ranges() else None
    images.unpack(images.Folder(layout), found, target, owners=owners)
    return found.config


def _make(block: Block, digest: str, unpack: Callable[[Path], Config]) -> LocalImage:
    """Unpack an image. Its configuration is written last: the sign that all is there."""
    root, described = _find_files(block, digest)
    shutil.rmtree(root, ignore_errors=True)
    config = unpack(root)
    fresh = described.with_suffix(".fresh")
    fresh.write_bytes(_encode(config))
    fresh.rename(described)
    return LocalImage(digest, root, config)


def _find(block: Block, digest: str) -> LocalImage | None:
    root, described = _find_files(block, digest)
    try:
        config = _decode(described.read_bytes())
        # So that it is known when it was used last.
        os.utime(described)
    except FileNotFoundError:
        return None
    return LocalImage(digest, root, config)


def _find_files(block: Block, digest: str) -> tuple[Path, Path]:
    name = digest.rpartition(":")[2]
    folder = get_folder(block)
    return folder / name, folder / f"{name}.json"


async def find_config(block: Block, digest: str) -> Config | None:
    """Return how the programs of an image are run, None where it is not there."""
    found = await asyncio.to_thread(_find, block, digest) if digest else None
    return None if found is None else found.config


async def remove_unused(block: Block, used: set[str], kept_seconds: float) -> None:
    """Remove images that no task has used for so many seconds.

    What was unpacked before the machine was last started goes, too.
    """

    def remove() -> None:
        folder, now = get_folder(block), wall_time()
        for other in folder.parent.glob("*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        for described in folder.glob("*.json"):
            if f"sha256:{described.stem}" not in used and now - described.stat().st_mtime > kept_seconds:
                described.unlink(missing_ok=True)
                shutil.rmtree(described.with_suffix(""), ignore_errors=True)
        for blob in (folder / _LAYERS).glob("blobs/sha256/*"):
            if now - blob.stat().st_mtime > kept_seconds:
                blob.unlink(missing_ok=True)

    await asyncio.to_thread(remove)
