"""Import of key material, wrapped by a public key that goes with a token.

The token holds all that is needed to take the material in, encrypted by the cloud's vault: the private key, too.
Nothing is stored until then.
"""

from __future__ import annotations

from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding

from cloudlet.core import AwsError
from cloudlet.core.kernel.vault import UnreadableSecret, Vault
from cloudlet.services.kms import errors, key_pairs
from cloudlet.services.kms.key_spec import SPECS, get_spec
from cloudlet.services.kms.rsa_encryption import make_oaep

TOKEN_SECONDS: Final = 24 * 3600.0
_DIRECT: Final = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
_BY_AES: Final = {
    "RSA_AES_KEY_WRAP_SHA_1": "RSAES_OAEP_SHA_1",
    "RSA_AES_KEY_WRAP_SHA_256": "RSAES_OAEP_SHA_256",
}


class ImportToken(msgspec.Struct, frozen=True, array_like=True):
    """The contents of an import token. `expires` is in seconds since the epoch."""

    algorithm: str
    private_key: bytes
    expires: float


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(ImportToken).decode


def check_algorithm(spec: str, algorithm: str, wrapping_spec: str) -> None:
    """Raise UnsupportedOperationException for a way of wrapping that material of a key spec cannot take."""
    kind = get_spec(spec).kind
    if algorithm not in (*_DIRECT, *_BY_AES) or wrapping_spec not in SPECS:
        raise errors.UnsupportedOperation(f"The wrapping algorithm {algorithm} with {wrapping_spec} is not supported.")
    too_small = spec == "ECC_NIST_P521" and wrapping_spec == "RSA_2048"
    if algorithm in _DIRECT and (kind == "rsa" or too_small):
        raise errors.UnsupportedOperation(
            f"{algorithm} with {wrapping_spec} cannot wrap key material of key spec {spec}."
        )


def make_parameters(wrapping_spec: str) -> tuple[bytes, bytes]:
    """Return a new public key to wrap by, and its private key; both in DER."""
    private_key = key_pairs.generate_private_key(wrapping_spec)
    return key_pairs.to_public_der(private_key), key_pairs.to_der(private_key)


def seal_token(vault: Vault, arn: str, token: ImportToken) -> bytes:
    """Return a token as the caller gets it, for one key."""
    return vault.encrypt(_encode(token), _make_place(arn))


def open_token(vault: Vault, arn: str, sealed: bytes, now: float) -> ImportToken:
    """Return what a token holds. Raises InvalidImportTokenException and ExpiredImportTokenException."""
    try:
        token = _decode(vault.decrypt(sealed, _make_place(arn)))
    except (UnreadableSecret, msgspec.DecodeError):
        raise AwsError("InvalidImportTokenException", "The import token is invalid.") from None
    if token.expires <= now:
        raise AwsError("ExpiredImportTokenException", "The import token is expired.")
    return token


def _make_place(arn: str) -> str:
    return f"import token of {arn}"


def unwrap(token: ImportToken, wrapped: bytes) -> bytes:
    """Return key material. Raises InvalidCiphertextException."""
    key: rsa.RSAPrivateKey = key_pairs.load_private_key(token.private_key)
    try:
        if token.algorithm in _DIRECT:
            return key.decrypt(wrapped, make_oaep(token.algorithm))
        size = key.key_size // 8
        aes_key = key.decrypt(wrapped[:size], make_oaep(_BY_AES[token.algorithm]))
        return aes_key_unwrap_with_padding(aes_key, wrapped[size:])
    except (ValueError, InvalidUnwrap):
        raise errors.InvalidCiphertext from None


def derive_public_key(spec: str, material: bytes) -> bytes:
    """Return the public key of imported material. Raises IncorrectKeyMaterialException where it does not fit."""
    try:
        return key_pairs.derive_public_key(spec, material)
    except key_pairs.InvalidMaterial:
        raise IncorrectMaterial(f"The key material is not valid for key spec {spec}.") from None


class IncorrectMaterial(AwsError):
    """Imported material that is not what the key expects."""

    def __init__(self, message: str) -> None:
        super().__init__("IncorrectKeyMaterialException", message)
