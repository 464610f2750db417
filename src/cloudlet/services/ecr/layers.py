"""Layers: the blobs of repositories. Their bytes are kept once, however many repositories have them.

A repository with a KMS key has files of its own.

A repository keeps a layer for as long as one of its images has it, and for a day besides: whoever pushes an image
uploads its layers first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.garbage import GarbageCollector
from cloudlet.core.background.retention import delete_expired
from cloudlet.core.kernel.block import Block
from cloudlet.services.ecr.image_record import Content, Layer

_LAYERS: Final = Subspace("layer")
_CONTENTS: Final = Subspace("content")
_USES: Final = Subspace("use")
"""Digest, repository's id → nothing: a repository has the layer, in shared files."""
_FILES: Final = Subspace("file")
_IDLE: Final = Subspace("idle")
"""Since when, repository's id, digest → nothing: no image of the repository has the layer."""
_IDLE_SECONDS: Final = 24 * 3600.0
_GRACE_SECONDS: Final = 10.0
"""The time within which a file is opened by whoever has read of it."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Layer).decode
_decode_content = msgspec.msgpack.Decoder(Content).decode


async def _is_claimed(tx: Transaction, file: str) -> bool:
    return await tx.get(_FILES.key(file)) is not None


GARBAGE: Final = GarbageCollector(_is_claimed, _GRACE_SECONDS)


def claim_files(tx: Transaction, files: Iterable[str]) -> None:
    """Note that files are referred to."""
    for file in files:
        tx.put(_FILES.key(file), b"")


def release_files(tx: Transaction, files: Iterable[str], now: float) -> None:
    """Note that files are referred to no longer."""
    for file in files:
        tx.delete(_FILES.key(file))
        GARBAGE.add(tx, file, now)


async def find(tx: Transaction, repository: str, digest: str) -> Layer | None:
    """Return a layer of a repository, by the repository's id."""
    raw = await tx.get(_LAYERS.key(repository, digest))
    return None if raw is None else _decode(raw)


async def find_content(tx: Transaction, repository: str, digest: str) -> Content | None:
    """Return where the bytes of a layer of a repository are."""
    raw = await tx.get(_CONTENTS.key(digest, repository)) or await tx.get(_CONTENTS.key(digest))
    return None if raw is None else _decode_content(raw)


async def add(tx: Transaction, repository: str, digest: str, content: Content, now: float) -> None:
    """Add a layer to a repository that has it not.

    Its files are claimed; they are given up where another repository has its bytes.
    """
    place = _CONTENTS.key(digest, repository) if content.is_sealed else _CONTENTS.key(digest)
    if await tx.get(place) is None:
        tx.put(place, _encode(content))
    else:
        release_files(tx, (piece.file for piece in content.pieces), now)
    if not content.is_sealed:
        tx.put(_USES.key(digest, repository), b"")
    _add(tx, repository, digest, content.size, now)


async def mount(tx: Transaction, repository: str, digest: str, size: int, now: float) -> None:
    """Have a repository have a layer that another one has."""
    if await find(tx, repository, digest) is None:
        tx.put(_USES.key(digest, repository), b"")
        _add(tx, repository, digest, size, now)


def _add(tx: Transaction, repository: str, digest: str, size: int, now: float) -> None:
    idle_since = int(now)
    tx.put(_LAYERS.key(repository, digest), _encode(Layer(digest, size, idle_since=idle_since)))
    tx.put(_IDLE.key(idle_since, repository, digest), b"")


def use(tx: Transaction, repository: str, layer: Layer, media_type: str) -> None:
    """Note that one more image of a repository has a layer."""
    if not layer.users:
        tx.delete(_IDLE.key(layer.idle_since, repository, layer.digest))
    used = replace(layer, users=layer.users + 1, idle_since=0, media_type=media_type)
    tx.put(_LAYERS.key(repository, layer.digest), _encode(used))


async def leave(tx: Transaction, repository: str, digest: str, now: float) -> None:
    """Note that one image less of a repository has a layer."""
    layer = await find(tx, repository, digest)
    if layer is None:
        return
    users = layer.users - 1
    left = replace(layer, users=users, idle_since=0 if users else int(now))
    tx.put(_LAYERS.key(repository, digest), _encode(left))
    if not users:
        tx.put(_IDLE.key(left.idle_since, repository, digest), b"")


async def remove_some(tx: Transaction, repository: str, count: int, now: float) -> bool:
    """Remove some layers of a repository that is gone; return whether there were any."""
    space = _LAYERS.sub(repository)
    rows = await tx.range(space.begin, space.end, limit=count)
    for _, raw in rows:
        await _remove(tx, repository, _decode(raw), now)
    return bool(rows)


async def _remove(tx: Transaction, repository: str, layer: Layer, now: float) -> None:
    tx.delete(_LAYERS.key(repository, layer.digest))
    tx.delete(_IDLE.key(layer.idle_since, repository, layer.digest))
    own = _CONTENTS.key(layer.digest, repository)
    sealed = await tx.get(own)
    if sealed is not None:
        tx.delete(own)
        release_files(tx, (piece.file for piece in _decode_content(sealed).pieces), now)
        return
    tx.delete(_USES.key(layer.digest, repository))
    users = _USES.sub(layer.digest)
    if await tx.range(users.begin, users.end, limit=1):
        return
    content = await find_content(tx, repository, layer.digest)
    if content is not None:
        tx.delete(_CONTENTS.key(layer.digest))
        release_files(tx, (piece.file for piece in content.pieces), now)


async def remove_idle(block: Block) -> None:
    """Remove layers that no image has had for a day, until the block ends."""

    async def delete(tx: Transaction, key: bytes) -> None:
        since, repository, digest = _IDLE.unpack(key)
        layer = await find(tx, repository, digest)
        if layer is not None and not layer.users and layer.idle_since == since:
            await _remove(tx, repository, layer, block.clock.now())

    await delete_expired(block, _IDLE, _IDLE_SECONDS, delete)
