"""Encryption by RSA: RSAES-OAEP, with no label."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from cloudlet.services.kms import errors
from cloudlet.services.kms.key_pairs import PrivateKey, load_public_key

_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "RSAES_OAEP_SHA_1": hashes.SHA1(),
    "RSAES_OAEP_SHA_256": hashes.SHA256(),
}


def make_oaep(algorithm: str) -> padding.OAEP:
    """Return the padding of an encryption algorithm."""
    digest = _HASHES[algorithm]
    return padding.OAEP(padding.MGF1(digest), digest, None)


def encrypt(public_key: bytes, spec: str, algorithm: str, plaintext: bytes) -> bytes:
    """Return a ciphertext. Raises ValidationException for more than fits into one."""
    key = load_public_key(public_key)
    limit = key.key_size // 8 - 2 * _HASHES[algorithm].digest_size - 2
    if len(plaintext) > limit:
        raise errors.ValidationError(
            f"Algorithm {algorithm} and key spec {spec} cannot encrypt data larger than {limit} bytes."
        )
    return bytes(key.encrypt(plaintext, make_oaep(algorithm)))


def decrypt(key: PrivateKey, algorithm: str, ciphertext: bytes) -> bytes:
    """Return the plaintext. Raises InvalidCiphertextException."""
    try:
        return bytes(key.decrypt(ciphertext, make_oaep(algorithm)))
    except ValueError:
        raise errors.InvalidCiphertext from None
