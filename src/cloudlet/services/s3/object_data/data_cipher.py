"""The cipher of objects under SSE-KMS and DSSE-KMS: AES-256-GCM in chunks of 64 KiB.

Each file, and each small object, has a key of its own, derived (HMAC-SHA256) from the object's data key and a random
name that is never used twice; its chunks are encrypted one by one, with their number as the nonce, and each is followed
by its tag. So a range is read by its chunks alone, and no changed byte is ever answered. Under DSSE-KMS all of that is
encrypted once more, by AES-256 in counter mode under a key of S3's own.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherContext

_CHUNK_BYTES: Final = 64 << 10
_TAG_BYTES: Final = 16
_STORED_BYTES: Final = _CHUNK_BYTES + _TAG_BYTES
_NONCE_BYTES: Final = 12
_BLOCK_BYTES: Final = 16


class DamagedData(Exception):
    """Stored bytes that are not those that were encrypted."""


class Cipher(Protocol):
    """Encrypts or decrypts bytes as they come."""

    def update(self, data: bytes, /) -> bytes:
        """Take bytes in; return what is ready."""

    def finalize(self) -> bytes:
        """Return the rest."""


class ObjectKey(Protocol):
    """A key under which objects are encrypted."""

    def encrypt(self, nonce: str) -> Cipher:
        """Return what encrypts bytes. No nonce is used for two different contents."""

    def decrypt(self, nonce: str, offset: int, size: int) -> Cipher:
        """Return what decrypts `size` bytes from `offset` on, of the stored range that has them."""

    def get_range(self, offset: int, size: int, total: int) -> tuple[int, int]:
        """Return where `size` bytes from `offset` on are stored.

        There are `total`. It is an offset and a number of bytes.
        """

    def tag(self, md5: bytes) -> str:
        """Return an entity tag for contents with this MD5.

        It tells those who have not the key nothing of them.
        """


def encrypt_whole(key: ObjectKey, nonce: str, data: bytes) -> bytes:
    """Return few bytes encrypted."""
    cipher = key.encrypt(nonce)
    return cipher.update(data) + cipher.finalize()


def decrypt_part(key: ObjectKey, nonce: str, stored: bytes, start: int, end: int, total: int) -> bytes:
    """Return bytes `start` to `end` of few that are stored encrypted; there are `total`. Raises DamagedData."""
    offset, size = key.get_range(start, end - start, total)
    cipher = key.decrypt(nonce, start, end - start)
    return cipher.update(stored[offset : offset + size]) + cipher.finalize()


def derive(key: bytes, nonce: str) -> bytes:
    """Return the key of what is encrypted under a key and a nonce."""
    return hmac.digest(key, b"object\0" + nonce.encode(), hashlib.sha256)


def make_tag(key: bytes, md5: bytes) -> str:
    """Return the entity tag of contents under a key."""
    return hmac.digest(key, b"tag\0" + md5, hashlib.sha256)[:16].hex()


def count(key: bytes, offset: int = 0) -> CipherContext:
    """Return AES in counter mode from an offset on."""
    # Imported late: it takes 7 MiB, which many can do without.
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    blocks, rest = divmod(offset, _BLOCK_BYTES)
    context = Cipher(algorithms.AES(key), modes.CTR(blocks.to_bytes(_BLOCK_BYTES, "big"))).encryptor()
    context.update(bytes(rest))
    return context


class DataKey:
    """A data key that KMS has made, and S3's own for a second layer."""

    def __init__(self, key: bytes, second: bytes = b"") -> None:
        """`second` is empty where there is one layer."""
        self._key = key
        self._second = second

    def encrypt(self, nonce: str) -> Cipher:
        chunks = _Encryption(derive(self._key, nonce))
        return _Layers(chunks, count(derive(self._second, nonce))) if self._second else chunks

    def decrypt(self, nonce: str, offset: int, size: int) -> Cipher:
        chunks = _Decryption(derive(self._key, nonce), offset, size)
        if not self._second:
            return chunks
        return _Layers(count(derive(self._second, nonce), chunks.number * _STORED_BYTES), chunks)

    def get_range(self, offset: int, size: int, total: int) -> tuple[int, int]:
        if not size:
            return 0, 0
        first, last = offset // _CHUNK_BYTES, (offset + size - 1) // _CHUNK_BYTES
        end = min((last + 1) * _CHUNK_BYTES, total) + (last + 1) * _TAG_BYTES
        return first * _STORED_BYTES, end - first * _STORED_BYTES

    def tag(self, md5: bytes) -> str:
        return make_tag(self._key, md5)


class _Layers:
    """Two ciphers, one behind the other."""

    def __init__(self, first: Cipher, second: Cipher) -> None:
        self._first = first
        self._second = second

    def update(self, data: bytes, /) -> bytes:
        return self._second.update(self._first.update(data))

    def finalize(self) -> bytes:
        return self._second.update(self._first.finalize()) + self._second.finalize()


class _Chunks:
    """Bytes that are cut into chunks, with their numbers."""

    def __init__(self, key: bytes, size: int, number: int) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self.aead = AESGCM(key)
        self.number = number
        self._size = size
        self._rest = bytearray()

    def cut(self, data: bytes) -> list[bytes]:
        """Return the chunks that are whole now."""
        self._rest += data
        end = len(self._rest) - len(self._rest) % self._size
        if not end:
            return []
        whole = bytes(self._rest[:end])
        del self._rest[:end]
        return [whole[at : at + self._size] for at in range(0, end, self._size)]

    def take_rest(self) -> list[bytes]:
        """Return the last chunk, if bytes are left for one."""
        rest = bytes(self._rest)
        self._rest.clear()
        return [rest] if rest else []

    def count(self) -> bytes:
        """Return the nonce of the next chunk."""
        nonce = self.number.to_bytes(_NONCE_BYTES, "big")
        self.number += 1
        return nonce


class _Encryption:
    def __init__(self, key: bytes) -> None:
        self._chunks = _Chunks(key, _CHUNK_BYTES, 0)

    def update(self, data: bytes, /) -> bytes:
        return self._encrypt(self._chunks.cut(data))

    def finalize(self) -> bytes:
        return self._encrypt(self._chunks.take_rest())

    def _encrypt(self, pieces: list[bytes]) -> bytes:
        chunks = self._chunks
        return b"".join([chunks.aead.encrypt(chunks.count(), piece, None) for piece in pieces])


class _Decryption:
    def __init__(self, key: bytes, offset: int, size: int) -> None:
        number, self._skipped = divmod(offset, _CHUNK_BYTES)
        self._chunks = _Chunks(key, _STORED_BYTES, number)
        self._left = size

    @property
    def number(self) -> int:
        """Of the next chunk."""
        return self._chunks.number

    def update(self, data: bytes, /) -> bytes:
        return self._decrypt(self._chunks.cut(data))

    def finalize(self) -> bytes:
        rest = self._decrypt(self._chunks.take_rest())
        if self._left:
            raise DamagedData("fewer bytes are stored than were encrypted")
        return rest

    def _decrypt(self, pieces: list[bytes]) -> bytes:
        from cryptography.exceptions import InvalidTag

        chunks = self._chunks
        try:
            plain = b"".join([chunks.aead.decrypt(chunks.count(), piece, None) for piece in pieces])
        except InvalidTag as error:
            raise DamagedData("stored bytes are not those that were encrypted") from error
        wanted = plain[self._skipped : self._skipped + self._left]
        if plain:
            self._skipped = 0
        self._left -= len(wanted)
        return wanted
