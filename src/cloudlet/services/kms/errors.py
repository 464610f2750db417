"""The errors of KMS in AWS's words."""

from __future__ import annotations

from cloudlet.core import AwsError, Context


class ValidationError(AwsError):
    """A request that makes no sense."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message, status=400)


class InvalidKeyId(AwsError):
    """A text that names no key."""

    def __init__(self, text: str) -> None:
        super().__init__("NotFoundException", f"Invalid keyId {text}")


class KeyNotFound(AwsError):
    """A key that does not exist."""

    def __init__(self, arn: str) -> None:
        super().__init__("NotFoundException", f"Key '{arn}' does not exist")


class AliasNotFound(AwsError):
    """An alias that does not exist."""

    def __init__(self, arn: str) -> None:
        super().__init__("NotFoundException", f"Alias {arn} is not found.")


class AccessDenial(AwsError):
    """A caller whom neither a policy nor a grant allows what he asks for."""

    def __init__(self, message: str) -> None:
        super().__init__("AccessDeniedException", message, status=400)


class OtherAccount(AccessDenial):
    """A key of another account, for an operation on the own account's keys alone."""

    def __init__(self, ctx: Context, operation: str, arn: str) -> None:
        super().__init__(
            f"User: {ctx.principal.arn} is not authorized to perform: kms:{operation} on resource: {arn} "
            f"because the resource belongs to a different AWS account"
        )


class ManagedKeyDenial(AccessDenial):
    """A change of an AWS managed key, whose policy allows none."""

    def __init__(self, ctx: Context, operation: str, arn: str) -> None:
        super().__init__(
            f"User: {ctx.principal.arn} is not authorized to perform: kms:{operation} on resource: {arn} "
            f"because no resource-based policy allows the kms:{operation} action"
        )


class UnknownCiphertextKey(AccessDenial):
    """A ciphertext whose key the caller does not get to see."""

    def __init__(self) -> None:
        super().__init__(
            "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you "
            "are not allowed to access."
        )


class KeyMaterialNotFound(AwsError):
    """A key material that a key does not have."""

    def __init__(self, arn: str, material_id: str) -> None:
        super().__init__("NotFoundException", f"Key material {material_id} is not associated with {arn}.")


class InvalidCiphertext(AwsError):
    """A ciphertext, or its encryption context, that is not what was encrypted."""

    def __init__(self) -> None:
        super().__init__("InvalidCiphertextException", "")


class IncorrectKey(AwsError):
    """Another key than the one that a ciphertext was made with."""

    def __init__(self) -> None:
        super().__init__(
            "IncorrectKeyException",
            "The key ID in the request does not identify a CMK that can perform this operation.",
        )


class InvalidKeyUsage(AwsError):
    """A key that is not for this use."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidKeyUsageException", message)


class InvalidState(AwsError):
    """A key whose state does not admit an operation."""

    def __init__(self, message: str) -> None:
        super().__init__("KMSInvalidStateException", message)


class UnsupportedOperation(AwsError):
    """A key or a parameter that an operation does not support."""

    def __init__(self, message: str) -> None:
        super().__init__("UnsupportedOperationException", message)


class ExceededLimit(AwsError):
    """A quota that is used up."""

    def __init__(self, message: str) -> None:
        super().__init__("LimitExceededException", message)


class InvalidArn(AwsError):
    """An ARN that is none, or not of what an operation takes."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidArnException", message)


class InvalidMarker(AwsError):
    """A marker that no page has returned."""

    def __init__(self) -> None:
        super().__init__("InvalidMarkerException", "Could not deserialize marker.")


class DryRun(AwsError):
    """The answer to a dry run of a request that would succeed."""

    def __init__(self) -> None:
        super().__init__("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
