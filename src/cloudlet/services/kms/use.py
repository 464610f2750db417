"""Checks that a key is for a use, and an algorithm one of its own."""

from __future__ import annotations

from cloudlet.services.kms import errors, key_spec
from cloudlet.services.kms.ciphertext import Context as EncryptionContext
from cloudlet.services.kms.key_record import Key


def check_usage(key: Key, usage: str, operation: str) -> None:
    """Raise InvalidKeyUsageException for a key of another usage."""
    if key.usage != usage:
        raise errors.InvalidKeyUsage(f"{key.arn} key usage is {key.usage} which is not valid for {operation}.")


def check_algorithm(key: Key, algorithm: str) -> None:
    """Raise InvalidKeyUsageException for an algorithm that is not one of a key's."""
    if algorithm not in key_spec.get_spec(key.spec).uses[key.usage]:
        raise errors.InvalidKeyUsage(f"Algorithm {algorithm} is incompatible with key spec {key.spec}.")


def check_symmetric(key: Key, operation: str) -> None:
    """Raise InvalidKeyUsageException for a key that encrypts no data keys."""
    check_usage(key, key_spec.ENCRYPT, operation)
    if key.spec != key_spec.SYMMETRIC:
        raise errors.InvalidKeyUsage(f"{key.arn} key spec is {key.spec} which is not valid for {operation}.")


def check_context(key: Key, context: EncryptionContext | None) -> None:
    """Raise ValidationException for an encryption context where the key takes none."""
    if context and key.spec != key_spec.SYMMETRIC:
        raise errors.ValidationError(f"EncryptionContext is not supported for keys of key spec {key.spec}.")
