"""Signatures of messages, by which subscribers know that SNS has sent them.

Developer Guide, "Verifying the signatures of Amazon SNS messages". A block has one RSA key of 2,048 bits with a
certificate that it signs itself, made at first use and kept in its store. Everybody can read the certificate, where a
message's SigningCertURL says.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha1, sha256
from os import cpu_count
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from cloudlet.core import Transaction
from cloudlet.core.host.certificates import make_self_signed
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.store import pack
from cloudlet.store.recent import ABSENT, LruCache
from cloudlet.wire import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

FOLDER = "certificates"
OLD_PAGE = "SimpleNotificationService.pem"
"""Where messages of older Cloudlets say that the certificate is."""

_KEY = pack(("signing-key",))
_DAY_SECONDS = 86_400
_VALID_SECONDS = 3650 * _DAY_SECONDS
_KEPT = 1024
_NAME_DIGITS = 32
_TYPE = "application/x-pem-file"
_threads = ThreadPoolExecutor(max(2, cpu_count() or 0), thread_name_prefix="sns-signing")
"""RSA takes a quarter of a millisecond, without the interpreter's lock."""


class Signature(NamedTuple):
    """A signature as a message carries it."""

    version: str
    """ "1" is RSA with SHA-1, "2" RSA with SHA-256 (both PKCS #1 v1.5)."""
    text: str
    certificate_url: str


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    key: bytes
    """PKCS #8, DER."""
    certificate: bytes
    """PEM."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Stored).decode


async def sign(block: Block, texts: Iterable[bytes], version: str) -> list[Signature]:
    """Return the signatures of texts."""
    signer = await _signer(block)
    url = f"{block.cloud.config.endpoint}/_cloudlet/{block.service.name}/{FOLDER}/{signer.file_name}"
    return [Signature(version, made, url) for made in await signer.sign(texts, version)]


async def page(block: Block) -> tuple[str, bytes]:
    """Return the certificate, as a page to read."""
    return _TYPE, (await _signer(block)).certificate


async def file(block: Block, request: HttpRequest, name: str) -> HttpResponse:
    """Answer with the certificate, where it is asked for by its name."""
    signer = await _signer(block)
    if name != signer.file_name:
        return HttpResponse(404)
    return HttpResponse(200, [("content-type", _TYPE)], signer.certificate)


class _Signer:
    """The key of a block, ready to sign."""

    def __init__(self, key: RSAPrivateKey, certificate: bytes) -> None:
        self.certificate = certificate
        digest = sha256(certificate).hexdigest()[:_NAME_DIGITS]
        self.file_name = f"SimpleNotificationService-{digest}.pem"
        self._key = key
        self._made = LruCache(_KEPT)

    async def sign(self, texts: Iterable[bytes], version: str) -> list[str]:
        """Return the signatures of texts in Base64.

        What was signed lately is kept under its digest, which is all that is signed of it: a message has the same
        signature for all of its subscribers.
        """
        made = [self._signature(text, version) for text in texts]
        # Others may wait for the same signature: that one of them is cancelled must not cancel it.
        return [await asyncio.shield(each) for each in made]

    def _signature(self, text: bytes, version: str) -> asyncio.Future[str]:
        digest = (sha1(text, usedforsecurity=False) if version == "1" else sha256(text)).digest()
        known = self._made.get(digest)
        if known is not ABSENT:
            made: asyncio.Future[str] = known
            return made
        made = asyncio.get_running_loop().run_in_executor(_threads, self._sign, digest)
        self._made.add(digest, made)
        return made

    def _sign(self, digest: bytes) -> str:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

        algorithm = hashes.SHA1() if len(digest) == hashes.SHA1.digest_size else hashes.SHA256()
        return b64encode(self._key.sign(digest, PKCS1v15(), Prehashed(algorithm))).decode()


_SIGNERS: PerBlock[asyncio.Future[_Signer]] = PerBlock(lambda block: asyncio.ensure_future(_load(block)))


async def _signer(block: Block) -> _Signer:
    loading = _SIGNERS.get(block)
    if loading.done():
        if not loading.cancelled() and loading.exception() is None:
            return loading.result()
        loading = asyncio.ensure_future(_load(block))
        _SIGNERS.replace(block, loading)
    return await asyncio.shield(loading)


async def _load(block: Block) -> _Signer:
    """Return the block's key, which is made and kept where it has none."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    async def kept(tx: Transaction) -> bytes | None:
        return await tx.get(_KEY)

    raw = await block.store.transact(kept)
    if raw is None:
        made = _encode(await asyncio.to_thread(_make, block.clock.now()))

        async def keep(tx: Transaction) -> bytes:
            # Another process of this block may have been quicker.
            existing = await tx.get(_KEY)
            if existing is None:
                tx.put(_KEY, made)
            return existing or made

        raw = await block.store.transact(keep)
    stored = _decode(raw)
    key = load_der_private_key(stored.key, None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("the key in the store is no RSA key")
    return _Signer(key, stored.certificate)


def _make(now: float) -> _Stored:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    name = "Cloudlet Simple Notification Service"
    key, certificate = make_self_signed(name, now - _DAY_SECONDS, now + _VALID_SECONDS)
    return _Stored(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), certificate)
