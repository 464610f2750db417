"""The errors of Amazon ECS in AWS's words."""

from __future__ import annotations

from cloudlet.core import AwsError
from cloudlet.wire import InvalidRequest


def reword(invalid: InvalidRequest) -> AwsError:
    """Return the error for a request that the model does not admit."""
    if not invalid.violations:
        return AwsError(invalid.code, invalid.message, status=invalid.status)
    return InvalidParameter(invalid.message)


class InvalidParameter(AwsError):
    """A parameter that makes no sense."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidParameterException", message)


class ClientError(AwsError):
    """A request that cannot be carried out as it is."""

    def __init__(self, message: str) -> None:
        super().__init__("ClientException", message)


class NotBuilt(ClientError):
    """A part of ECS that Cloudlet does not have."""

    def __init__(self, what: str) -> None:
        super().__init__(f"Cloudlet does not have {what}. See docs/services/ecs.md.")


class ClusterNotFound(AwsError):
    """A cluster that is not there."""

    def __init__(self) -> None:
        super().__init__("ClusterNotFoundException", "Cluster not found.")


class ServiceNotFound(AwsError):
    """A service that is not there."""

    def __init__(self) -> None:
        super().__init__("ServiceNotFoundException", "Service not found.")


class ServiceNotActive(AwsError):
    """A service that was deleted."""

    def __init__(self) -> None:
        super().__init__("ServiceNotActiveException", "Service was not ACTIVE.")


class TaskSetNotFound(AwsError):
    """A task set that is not there."""

    def __init__(self) -> None:
        super().__init__("TaskSetNotFoundException", "The specified task set does not exist.")


class GatewayNotFound(AwsError):
    """A gateway that is not there."""

    def __init__(self) -> None:
        super().__init__("GatewayNotFoundException", "The specified gateway wasn't found.")


class NamespaceNotFound(AwsError):
    """A namespace of AWS Cloud Map that is not there."""

    def __init__(self) -> None:
        super().__init__("NamespaceNotFoundException", "The specified namespace was not found.")


class ResourceNotFound(AwsError):
    """A resource of another kind that is not there."""

    def __init__(self, message: str) -> None:
        super().__init__("ResourceNotFoundException", message)


class ResourceInUse(AwsError):
    """A resource that others need."""

    def __init__(self, message: str) -> None:
        super().__init__("ResourceInUseException", message)


class QuotaError(AwsError):
    """A quota that is used up."""

    def __init__(self, message: str) -> None:
        super().__init__("LimitExceededException", message)


class ServiceDeploymentNotFound(AwsError):
    """A service deployment that is not there."""

    def __init__(self) -> None:
        super().__init__("ServiceDeploymentNotFoundException", "The specified service deployment was not found.")


class Conflict(AwsError):
    """A request that the state of a resource does not admit."""

    def __init__(self, message: str) -> None:
        super().__init__("ConflictException", message)
