"""The errors of Secrets Manager in AWS's words."""

from __future__ import annotations

from cloudlet.core import AwsError


class ResourceNotFound(AwsError):
    """A secret, a version or a policy that is not there."""

    def __init__(self, message: str = "Secrets Manager can't find the specified secret.") -> None:
        super().__init__("ResourceNotFoundException", message)


class ResourceExists(AwsError):
    """A name or a version id that is in use."""

    def __init__(self, message: str) -> None:
        super().__init__("ResourceExistsException", message)


class InvalidRequest(AwsError):
    """A request that the state of the secret does not allow."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidRequestException", message)


class MarkedForDeletion(InvalidRequest):
    """A request about a secret that is scheduled for deletion."""

    def __init__(self) -> None:
        super().__init__("You can't perform this operation on the secret because it was marked for deletion.")


class ReplicaIsReadOnly(InvalidRequest):
    """A change to a replica."""

    def __init__(self) -> None:
        super().__init__("Operation not permitted on a replica secret. Call must be made in primary secret's region.")


class InvalidParameter(AwsError):
    """A parameter that makes no sense."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidParameterException", message)


class InvalidName(AwsError):
    """A name with other characters than names have."""

    def __init__(self) -> None:
        super().__init__(
            "ValidationException",
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
        )


class InvalidNextToken(AwsError):
    """A NextToken that no list has returned."""

    def __init__(self) -> None:
        super().__init__("InvalidNextTokenException", "Invalid NextToken.")


class LimitExceededError(AwsError):
    """A quota that would be exceeded."""

    def __init__(self, message: str) -> None:
        super().__init__("LimitExceededException", message)


class MalformedPolicy(AwsError):
    """A text that is no policy of a secret."""

    def __init__(self, message: str) -> None:
        super().__init__("MalformedPolicyDocumentException", message)


class PublicPolicy(AwsError):
    """A policy that lets in everybody, where such policies are blocked."""

    def __init__(self) -> None:
        super().__init__("PublicPolicyException", "The resource policy did not prevent broad access to the secret.")


class AccessDeniedError(AwsError):
    """A caller without permission."""

    def __init__(self, message: str) -> None:
        super().__init__("AccessDeniedException", message, status=400)


class EncryptionFailure(AwsError):
    """A value that KMS does not encrypt."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "EncryptionFailure",
            f"Secrets Manager can't encrypt the protected secret text using the provided KMS key. {reason}",
        )


class DecryptionFailure(AwsError):
    """A value that KMS does not decrypt."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "DecryptionFailure",
            f"Secrets Manager can't decrypt the protected secret text using the provided KMS key. {reason}",
        )


class InternalServiceError(AwsError):
    """A fault that may pass: the call can be made again."""

    def __init__(self, message: str) -> None:
        super().__init__("InternalServiceError", message)


class NotBuilt(AwsError):
    """A part of AWS's service that Cloudlet does not have."""

    def __init__(self, what: str) -> None:
        super().__init__(
            "NotImplemented", f"Cloudlet does not implement {what}. See docs/services/secretsmanager.md.", status=501
        )
