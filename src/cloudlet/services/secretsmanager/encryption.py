"""Encryption of values: each under its own data key, encrypted by a KMS key.

User guide, "Secret encryption and decryption in AWS Secrets Manager". KMS is called with the caller's own permissions.
"""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import AwsError, Context
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.secretsmanager import errors
from cloudlet.services.secretsmanager.secret_record import Secret
from cloudlet.services.secretsmanager.version_record import Ciphertext, DataKey, Version

MANAGED_KEY: Final = "alias/aws/secretsmanager"
_NONCE_BYTES: Final = 12
_DENIED: Final = ("AccessDenied", "AccessDeniedException")


def clean_key(given: str | None) -> str:
    """Return a KmsKeyId as it is kept: empty for the key that AWS manages."""
    return "" if given in (None, MANAGED_KEY) else str(given)


async def encrypt(ctx: Context, secret: Secret, version: str, value: bytes) -> Ciphertext:
    """Return a value encrypted for a version of a secret. Raises AwsError."""
    params = {"KeyId": _resolve_key(ctx, secret, secret.kms_key), "KeySpec": "AES_256"}
    made = await _call(ctx, secret, version, "GenerateDataKey", params, errors.EncryptionFailure)
    nonce = random_bytes(_NONCE_BYTES)
    ciphertext = nonce + _make_cipher(made["Plaintext"]).encrypt(nonce, value, _bind(secret, version))
    return Ciphertext(DataKey(secret.kms_key, bytes(made["CiphertextBlob"])), ciphertext)


async def decrypt(ctx: Context, secret: Secret, version: Version, ciphertext: bytes) -> bytes:
    """Return the value of a version, by any of the keys that decrypt it. Raises AwsError."""
    failed: AwsError | None = None
    for key in reversed(version.keys):
        try:
            plain = await _decrypt_key(ctx, secret, version.id, key)
        except AwsError as error:
            failed = failed or error
            continue
        nonce, encrypted = ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:]
        value: bytes = _make_cipher(plain).decrypt(nonce, encrypted, _bind(secret, version.id))
        return value
    raise failed or errors.DecryptionFailure("There is no key.")


async def add_key(ctx: Context, secret: Secret, version: Version) -> DataKey | None:
    """Return a version's data key under the KMS key that the secret has now.

    None where the caller may not use the keys: the version keeps those that it has. Raises AwsError.
    """
    try:
        plain = await _decrypt_key(ctx, secret, version.id, version.keys[-1])
        params = {"KeyId": _resolve_key(ctx, secret, secret.kms_key), "Plaintext": plain}
        made = await _call(ctx, secret, version.id, "Encrypt", params, errors.EncryptionFailure)
    except errors.AccessDeniedError:
        return None
    return DataKey(secret.kms_key, bytes(made["CiphertextBlob"]))


async def _decrypt_key(ctx: Context, secret: Secret, version: str, key: DataKey) -> bytes:
    # The blob names its key; an alias may be another one's by now.
    params = {"CiphertextBlob": key.blob}
    made = await _call(ctx, secret, version, "Decrypt", params, errors.DecryptionFailure)
    return bytes(made["Plaintext"])


async def _call(
    ctx: Context,
    secret: Secret,
    version: str,
    operation: str,
    params: dict[str, Any],
    failure: type[errors.EncryptionFailure] | type[errors.DecryptionFailure],
) -> dict[str, Any]:
    """Call KMS in the secret's region as the caller. Raises AwsError in the words of Secrets Manager."""
    context = {"SecretARN": secret.arn, "SecretVersionId": version}
    try:
        result = await ctx.block.cloud.call(
            "kms",
            operation,
            {**params, "EncryptionContext": context},
            principal=ctx.principal.called_by("secretsmanager.amazonaws.com"),
            account=ctx.account,
            region=secret.region,
            source_arn=secret.arn,
        )
    except AwsError as error:
        if error.code in _DENIED:
            raise errors.AccessDeniedError("Access to KMS is not allowed") from error
        if is_transient(error.code, error.status):
            raise errors.InternalServiceError(f"KMS is not available now: {error.message}") from error
        raise failure(error.message) from error
    return dict(result or {})


def _resolve_key(ctx: Context, secret: Secret, kms_key: str) -> str:
    """Return a key of the secret's account by a name that the caller's account understands."""
    key = kms_key or MANAGED_KEY
    if ctx.account == secret.account or key.startswith("arn:"):
        return key
    resource = key if key.startswith("alias/") else f"key/{key}"
    return f"arn:{partition_of(secret.region)}:kms:{secret.region}:{secret.account}:{resource}"


def _bind(secret: Secret, version: str) -> bytes:
    """Return what a ciphertext is bound to: it cannot be decrypted elsewhere."""
    return f"{secret.arn}|{version}".encode()


def _make_cipher(key: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(bytes(key))
