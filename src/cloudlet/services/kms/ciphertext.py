"""Ciphertexts of symmetric keys: AES-256-GCM, with the key's name before and the encryption context authenticated.

A ciphertext begins with two bytes that mark it, and with the length of its header in two more. The header names the
key and its material. Header and context are the additional authenticated data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.kms.errors import InvalidCiphertext

_MARK: Final = b"\x01\xcb"
_LENGTH_AT: Final = len(_MARK)
_HEADER_AT: Final = _LENGTH_AT + 2
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16

Context = Mapping[str, str]
"""An encryption context."""


class Header(msgspec.Struct, frozen=True, array_like=True):
    """The key that a ciphertext was made with, in the region where it was made."""

    account: str
    region: str
    key: str
    material: bytes

    @property
    def material_id(self) -> str:
        return self.material.hex()


_encode: Final = msgspec.msgpack.Encoder().encode
_decode_header: Final = msgspec.msgpack.Decoder(Header).decode


def encode_context(context: Context | None) -> bytes:
    """Return an encryption context in a form that no order of its pairs changes."""
    return _encode(sorted(context.items())) if context else b""


class Cipher:
    """Encrypts and decrypts with one material of a symmetric key."""

    __slots__ = ("_aead", "_prefix")

    def __init__(self, account: str, region: str, key: str, material_id: str, material: bytes) -> None:
        self._aead = AESGCM(material)
        header = _encode(Header(account, region, key, bytes.fromhex(material_id)))
        self._prefix = _MARK + len(header).to_bytes(2, "big") + header

    def encrypt(self, plaintext: bytes, context: Context | None) -> bytes:
        """Return a ciphertext, which decrypts with the same context only."""
        nonce = random_bytes(_NONCE_BYTES)
        return self._prefix + nonce + self._aead.encrypt(nonce, plaintext, self._prefix + encode_context(context))

    def decrypt(self, ciphertext: ParsedCiphertext, context: Context | None) -> bytes:
        """Return the plaintext. Raises InvalidCiphertextException."""
        try:
            return self._aead.decrypt(ciphertext.nonce, ciphertext.sealed, ciphertext.prefix + encode_context(context))
        except InvalidTag:
            raise InvalidCiphertext from None


class ParsedCiphertext:
    """The parts of a ciphertext, of which nothing is authenticated yet."""

    __slots__ = ("header", "nonce", "prefix", "sealed")

    def __init__(self, blob: bytes) -> None:
        """Raise InvalidCiphertextException for what no symmetric key has encrypted."""
        if not blob.startswith(_MARK):
            raise InvalidCiphertext
        end = _HEADER_AT + int.from_bytes(blob[_LENGTH_AT:_HEADER_AT], "big")
        try:
            self.header = _decode_header(blob[_HEADER_AT:end])
        except msgspec.DecodeError:
            raise InvalidCiphertext from None
        if len(blob) < end + _NONCE_BYTES + _TAG_BYTES:
            raise InvalidCiphertext
        self.prefix = blob[:end]
        self.nonce = blob[end : end + _NONCE_BYTES]
        self.sealed = blob[end + _NONCE_BYTES :]
