"""The errors of AWS Certificate Manager in AWS's words."""

from __future__ import annotations

from cloudlet.core import AwsError


class ValidationError(AwsError):
    """A request that makes no sense."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message)


class CertificateNotFound(AwsError):
    """A certificate that is not there."""

    def __init__(self, arn: str) -> None:
        super().__init__("ResourceNotFoundException", f"Could not find certificate {arn}.")


class InvalidArn(AwsError):
    """An ARN of something else."""

    def __init__(self, arn: str) -> None:
        super().__init__("InvalidArnException", f"Invalid ARN: {arn}")


class CertificateInUse(AwsError):
    """A certificate that something uses."""

    def __init__(self, arn: str, account: str) -> None:
        super().__init__("ResourceInUseException", f"Certificate {arn} in account {account} is in use.")


class RequestInProgress(AwsError):
    """A certificate that is not issued yet."""

    def __init__(self, arn: str) -> None:
        super().__init__("RequestInProgressException", f"Certificate request in progress for {arn}.")


class InvalidState(AwsError):
    """A certificate to which this cannot be done now."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidStateException", message)


class LimitExceededError(AwsError):
    """A quota is exceeded."""

    def __init__(self, message: str) -> None:
        super().__init__("LimitExceededException", message)


class InvalidDomainValidationOptions(AwsError):
    """Options for the validation of a domain that make no sense."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidDomainValidationOptionsException", message)


class InvalidTag(AwsError):
    """A tag that no resource can have."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidTagException", message)


class TooManyTags(AwsError):
    """More tags than a resource can have."""

    def __init__(self, message: str) -> None:
        super().__init__("TooManyTagsException", message)


class NotBuilt(AwsError):
    """A part of AWS that Cloudlet has not."""

    def __init__(self, what: str) -> None:
        super().__init__("NotImplemented", f"Cloudlet does not implement {what}. See docs/services/acm.md.", status=501)
