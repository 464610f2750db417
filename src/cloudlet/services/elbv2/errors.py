"""The errors of Elastic Load Balancing."""

from __future__ import annotations

from cloudlet.core import AwsError


class ValidationError(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("ValidationError", message, status=400)


class InvalidConfiguration(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("InvalidConfigurationRequestException", message)


class UnsupportedFeature(InvalidConfiguration):
    """A feature that AWS has and Cloudlet has not."""

    def __init__(self, what: str) -> None:
        super().__init__(f"Cloudlet does not support {what}. See docs/services/elbv2.md.")


class LoadBalancerNotFound(AwsError):
    def __init__(self, arn: str) -> None:
        super().__init__("LoadBalancerNotFoundException", f"Load balancer '{arn}' not found")


class TargetGroupNotFound(AwsError):
    def __init__(self, arn: str) -> None:
        super().__init__("TargetGroupNotFoundException", f"Target groups '{arn}' not found")


class ListenerNotFound(AwsError):
    def __init__(self, arn: str) -> None:
        super().__init__("ListenerNotFoundException", f"Listener '{arn}' not found")


class RuleNotFound(AwsError):
    def __init__(self, arn: str) -> None:
        super().__init__("RuleNotFoundException", f"Rule '{arn}' not found")


class TrustStoreNotFound(AwsError):
    def __init__(self, arn: str) -> None:
        super().__init__("TrustStoreNotFoundException", f"Trust store '{arn}' not found")


class RevocationNotFound(AwsError):
    def __init__(self, revocation: int) -> None:
        super().__init__("RevocationIdNotFoundException", f"Revocation ID '{revocation}' not found")


class CertificateNotFound(AwsError):
    def __init__(self, arn: str) -> None:
        super().__init__("CertificateNotFoundException", f"Certificate '{arn}' not found")


class ForbiddenOperation(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("OperationNotPermittedException", message)


class ResourceInUse(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("ResourceInUseException", message)


class IncompatibleProtocols(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("IncompatibleProtocolsException", message)


class InvalidAction(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("InvalidLoadBalancerActionException", message)


class InvalidTarget(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("InvalidTargetException", message)


class TooManyTags(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("TooManyTagsException", message)


class QuotaExcess(AwsError):
    """More of something than a quota allows; `code` is a shape's name, such as TooManyRulesException."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
