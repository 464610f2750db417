"""Encryption at rest of the layers and manifests of repositories with a KMS key.

User guide, "Encryption at rest". ECR itself asks KMS for data keys, which are kept for five minutes: who pushes and
pulls needs no permission for the key. Each file has a key of its own, derived from a data key and a random name, and is
in AES-256's counter mode, so that ranges are read by themselves; that no byte was changed is shown by a layer's digest.
A manifest is encrypted as a file is, and stored with its seal.
With `KMS_DSSE` all of that is encrypted once more, under a second data key.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.services.ecr import errors, repository
from cloudlet.services.ecr.image_record import Content, Seal
from cloudlet.services.ecr.repository_record import Repository
from cloudlet.store.blobs import in_thread
from cloudlet.store.recent import ABSENT, LruCache

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherContext

_REUSE_SECONDS: Final = 300
_MAX_KEYS: Final = 4096
_NONCE_BYTES: Final = 16
_BLOCK_BYTES: Final = 16
_READ_BYTES: Final = 256 << 10
_SEALED: Final = b"\0"
"""The first byte of a manifest that is encrypted; others are JSON."""
_LAYERS: Final = {"KMS": 1, "KMS_DSSE": 2}
"""The layers of encryption, by its type."""


class _DataKeys:
    """The data keys that a block has in memory."""

    def __init__(self, _: Block) -> None:
        self.sealing = LruCache(_MAX_KEYS)
        """A repository's id → encrypted data keys, and when others are made."""
        self.opened = LruCache(_MAX_KEYS)
        """An encrypted data key → the key, and when it expires."""


_KEYS: Final = PerBlock(_DataKeys)


class Cipher:
    """Encrypts or decrypts the bytes of a file, from an offset on."""

    def __init__(self, keys: list[bytes], nonce: bytes, offset: int = 0) -> None:
        self._layers = [_count(hmac.digest(key, b"layer\0" + nonce, hashlib.sha256), offset) for key in keys]

    def update(self, data: bytes) -> bytes:
        """Take bytes in; return as many."""
        for layer in self._layers:
            data = layer.update(data)
        return data


def _count(key: bytes, offset: int) -> CipherContext:
    """Return AES in counter mode from an offset on."""
    # Imported late: it takes 7 MiB, which many can do without.
    from cryptography.hazmat.primitives.ciphers import Cipher as Aes
    from cryptography.hazmat.primitives.ciphers import algorithms, modes

    blocks, rest = divmod(offset, _BLOCK_BYTES)
    context = Aes(algorithms.AES(key), modes.CTR(blocks.to_bytes(_BLOCK_BYTES, "big"))).encryptor()
    context.update(bytes(rest))
    return context


class _SealedManifest(msgspec.Struct, frozen=True, array_like=True):
    seal: Seal
    text: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_SealedManifest).decode


class Sealer(NamedTuple):
    """Encrypts manifests for a repository."""

    repository: str
    """The repository's id."""
    keys: tuple[bytes, ...]
    """The data keys, encrypted by KMS."""
    plain: list[bytes]

    def encrypt(self, text: bytes) -> bytes:
        """Return a manifest as it is stored."""
        seal = Seal(self.keys, random_bytes(_NONCE_BYTES))
        return _SEALED + _encode(_SealedManifest(seal, Cipher(self.plain, seal.nonce).update(text)))


async def make_sealer(block: Block, about: Repository) -> Sealer | None:
    """Return what encrypts the manifests of a repository, if that has a KMS key. Raises KmsError."""
    seal = await make_seal(block, about)
    return None if seal is None else Sealer(about.id, seal.keys, await _open_keys(block, about, seal))


async def decrypt_manifest(block: Block, about: Repository, stored: bytes) -> bytes:
    """Return a manifest of a repository in the clear. Raises KmsError."""
    if not stored.startswith(_SEALED):
        return stored
    sealed = _decode(stored[len(_SEALED) :])
    return (await open_seal(block, about, sealed.seal)).update(sealed.text)


async def make_seal(block: Block, about: Repository) -> Seal | None:
    """Return the seal of a repository's new file, if that has a KMS key. Raises KmsError."""
    if not about.kms_key:
        return None
    keys, now = _KEYS.get(block), block.clock.now()
    kept = keys.sealing.get(about.id)
    if kept is ABSENT or kept[1] <= now:
        params = {"KeyId": about.kms_key, "KeySpec": "AES_256"}
        made = [
            (await _call(block, about, "GenerateDataKeyWithoutPlaintext", params))["CiphertextBlob"]
            for _ in range(_LAYERS[about.encryption])
        ]
        kept = tuple(made), now + _REUSE_SECONDS
        keys.sealing.add(about.id, kept)
    return Seal(kept[0], random_bytes(_NONCE_BYTES))


async def open_seal(block: Block, about: Repository, seal: Seal, offset: int = 0) -> Cipher:
    """Return the cipher of a file of a repository. Raises KmsError."""
    return Cipher(await _open_keys(block, about, seal), seal.nonce, offset)


async def _open_keys(block: Block, about: Repository, seal: Seal) -> list[bytes]:
    keys, now = _KEYS.get(block), block.clock.now()
    plain = []
    for encrypted in seal.keys:
        kept = keys.opened.get(encrypted)
        if kept is ABSENT or kept[1] <= now:
            params = {"KeyId": about.kms_key, "CiphertextBlob": encrypted}
            kept = (await _call(block, about, "Decrypt", params))["Plaintext"], now + _REUSE_SECONDS
            keys.opened.add(encrypted, kept)
        plain.append(kept[0])
    return plain


async def _call(block: Block, about: Repository, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    arn = repository.get_arn(about)
    asked = {**params, "EncryptionContext": {"aws:ecr:arn": arn}}
    try:
        answer = await block.call("kms", operation, asked, account=about.account, region=about.region, source_arn=arn)
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise
        raise errors.KmsError(error.message) from error
    return dict(answer or {})


async def open_content(block: Block, about: Repository, content: Content) -> None:
    """Have the data keys of a layer decrypted. Raises KmsError."""
    for piece in content.pieces:
        if piece.seal is not None:
            await open_seal(block, about, piece.seal)


async def read(
    block: Block, about: Repository, content: Content, begin: int = 0, end: int | None = None
) -> AsyncIterator[bytes]:
    """Yield a range of a layer in the clear. Raises KmsError."""
    release = block.blobs.read([piece.file for piece in content.pieces])
    at, limit = 0, content.size if end is None else end
    try:
        for piece in content.pieces:
            first, last = max(begin, at) - at, min(limit, at + piece.size) - at
            at += piece.size
            if first >= last:
                continue
            cipher = None if piece.seal is None else await open_seal(block, about, piece.seal, first)
            file = await in_thread(partial(_open_file, block.blobs.path(piece.file)))
            with file:
                file.seek(first)
                while first < last:
                    data = await in_thread(partial(file.read, min(_READ_BYTES, last - first)))
                    if not data:
                        break
                    first += len(data)
                    yield data if cipher is None else cipher.update(data)
    finally:
        release()


def _open_file(path: Path) -> BufferedReader:
    return path.open("rb")
