"""Signatures: made and verified, of messages or of their digests."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from cloudlet.services.kms import ed25519ph, errors
from cloudlet.services.kms.key_pairs import PrivateKey, PublicKey

RAW: Final = "RAW"
DIGEST: Final = "DIGEST"
EXTERNAL_MU: Final = "EXTERNAL_MU"

_MU_BYTES: Final = 64
_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_ML_DSA: Final = "ML_DSA_SHAKE_256"
_ED25519: Final = "ED25519_SHA_512"
_ED25519_PH: Final = "ED25519_PH_SHA_512"
_MESSAGE_TYPES: Final = {_ML_DSA: (RAW, EXTERNAL_MU), _ED25519: (RAW,), _ED25519_PH: (DIGEST,)}
_LENGTHS: Final = {DIGEST: "Digest", EXTERNAL_MU: "External mu"}


def check_message(algorithm: str, message_type: str, message: bytes) -> None:
    """Raise ValidationException for a message that an algorithm does not take."""
    if message_type not in _MESSAGE_TYPES.get(algorithm, (RAW, DIGEST)):
        raise errors.ValidationError(f"MessageType {message_type} is not supported for algorithm {algorithm}.")
    if message_type == RAW:
        return
    length = _MU_BYTES if message_type == EXTERNAL_MU else _get_hash(algorithm).digest_size
    if len(message) != length:
        raise errors.ValidationError(f"{_LENGTHS[message_type]} is invalid length for algorithm {algorithm}.")


def _get_hash(algorithm: str) -> hashes.HashAlgorithm:
    return _HASHES[algorithm.rpartition("_")[2]]


def sign(key: PrivateKey, algorithm: str, message_type: str, message: bytes) -> bytes:
    """Return the signature of a message that was checked."""
    if algorithm == _ML_DSA:
        return bytes(key.sign_mu(message) if message_type == EXTERNAL_MU else key.sign(message))
    if algorithm == _ED25519:
        return bytes(key.sign(message))
    if algorithm == _ED25519_PH:
        return ed25519ph.sign(key.private_bytes_raw(), message)
    return bytes(key.sign(message, *_get_parameters(algorithm, message_type)))


def is_valid(key: PublicKey, algorithm: str, message_type: str, message: bytes, signature: bytes) -> bool:
    """Whether a signature is one of a message that was checked."""
    if algorithm == _ED25519_PH:
        return ed25519ph.is_valid(key.public_bytes_raw(), message, signature)
    try:
        if algorithm == _ML_DSA and message_type == EXTERNAL_MU:
            key.verify_mu(signature, message)
        elif algorithm in (_ML_DSA, _ED25519):
            key.verify(signature, message)
        else:
            key.verify(signature, message, *_get_parameters(algorithm, message_type))
    except InvalidSignature:
        return False
    return True


def _get_parameters(
    algorithm: str, message_type: str
) -> tuple[ec.ECDSA] | tuple[padding.AsymmetricPadding, hashes.HashAlgorithm | Prehashed]:
    """Return what RSA and ECDSA keys take to sign and to verify."""
    digest = _get_hash(algorithm)
    hashing = Prehashed(digest) if message_type == DIGEST else digest
    if algorithm.startswith("ECDSA"):
        return (ec.ECDSA(hashing),)
    if algorithm.startswith("RSASSA_PSS"):
        return padding.PSS(padding.MGF1(digest), digest.digest_size), hashing
    return padding.PKCS1v15(), hashing
