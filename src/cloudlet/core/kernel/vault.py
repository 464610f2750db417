"""Encryption at rest of the secrets that blocks keep: private keys, key material, passwords.

Each secret is encrypted by AES-256-GCM under a key derived from the cloud's master key, and bound to its place: a
ciphertext that is moved to another record cannot be decrypted there.
"""

from __future__ import annotations

import os
from typing import Final

_NONCE_BYTES: Final = 12


class UnreadableSecret(ValueError):
    """A ciphertext that is damaged, or was made for another place or with another key."""


class Vault:
    """Encrypts and decrypts secrets under one key."""

    def __init__(self, key: bytes) -> None:
        """`key` has 32 bytes."""
        self._key = key

    def encrypt(self, secret: bytes, place: str) -> bytes:
        """Encrypt a secret that is kept at `place`: an ARN, or another lasting name."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        # Not from `ids`, whose stock of random bytes is for one thread: no two secrets may have one nonce.
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, secret, place.encode())

    def decrypt(self, ciphertext: bytes, place: str) -> bytes:
        """Return a secret that is kept at `place`. Raises UnreadableSecret."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce, encrypted = ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:]
        try:
            return AESGCM(self._key).decrypt(nonce, encrypted, place.encode())
        except (InvalidTag, ValueError) as error:
            raise UnreadableSecret(f"the secret kept at {place} cannot be decrypted") from error
