"""The values of SecureStrings, which KMS encrypts and decrypts for the caller.

KMS Developer Guide, "How AWS Systems Manager Parameter Store uses AWS KMS": standard parameters are encrypted by the
key itself, advanced ones by a data key of their own that is kept beside the value, encrypted.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any, Final

import msgspec

from cloudlet.core import AwsError, Context
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.ssm.parameter_record import ADVANCED, SECURE, Version

DEFAULT_KEY: Final = "alias/aws/ssm"
_NONCE_BYTES: Final = 12
_INVALID_KEY: Final = frozenset(
    (
        "DisabledException",
        "IncorrectKeyException",
        "InvalidArnException",
        "InvalidCiphertextException",
        "InvalidKeyUsageException",
        "KMSInvalidStateException",
        "KeyUnavailableException",
        "NotFoundException",
    )
)
"""Errors of KMS that Parameter Store shows as InvalidKeyId."""


class _Envelope(msgspec.Struct, frozen=True, array_like=True):
    """A value encrypted under a data key, which is encrypted itself."""

    data_key: bytes
    nonce: bytes
    ciphertext: bytes


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Envelope).decode


async def encrypt(ctx: Context, arn: str, version: Version) -> str:
    """Return the value of a version as it is stored, in base64. Raises AwsError."""
    key = {"KeyId": version.key_id, "EncryptionContext": {"PARAMETER_ARN": arn}}
    if version.tier != ADVANCED:
        made = await _call(ctx, "Encrypt", {**key, "Plaintext": version.value.encode()})
        return b64encode(made["CiphertextBlob"]).decode()
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    made = await _call(ctx, "GenerateDataKey", {**key, "KeySpec": "AES_256"})
    nonce = random_bytes(_NONCE_BYTES)
    ciphertext = AESGCM(made["Plaintext"]).encrypt(nonce, version.value.encode(), arn.encode())
    return b64encode(_encode(_Envelope(made["CiphertextBlob"], nonce, ciphertext))).decode()


async def read(ctx: Context, arn: str, version: Version, *, decrypts: bool) -> str:
    """Return the value of a version, that of a SecureString encrypted unless `decrypts`. Raises AwsError."""
    if version.type != SECURE or not decrypts:
        return version.value
    sealed = b64decode(version.value)
    if version.tier != ADVANCED:
        return (await _decrypt(ctx, arn, sealed)).decode()
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    envelope = _decode(sealed)
    data_key = await _decrypt(ctx, arn, envelope.data_key)
    return AESGCM(data_key).decrypt(envelope.nonce, envelope.ciphertext, arn.encode()).decode()


async def _decrypt(ctx: Context, arn: str, ciphertext: bytes) -> bytes:
    params = {"CiphertextBlob": ciphertext, "EncryptionContext": {"PARAMETER_ARN": arn}}
    plain: bytes = (await _call(ctx, "Decrypt", params))["Plaintext"]
    return plain


async def _call(ctx: Context, operation: str, params: dict[str, Any]) -> Any:
    try:
        return await ctx.call_as_caller("kms", operation, params)
    except AwsError as error:
        if error.code not in _INVALID_KEY:
            raise
        source = (
            f"(Service: AWSKMS; Status Code: {error.status or 400}; Error Code: {error.code}; "
            f"Request ID: {ctx.request_id}; Proxy: null)"
        )
        raise AwsError("InvalidKeyId", f"{error.message} {source}") from error
