"""The errors of Cloud Map."""

from __future__ import annotations

from cloudlet.core import AwsError


class InvalidInput(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("InvalidInput", message)


class NamespaceNotFound(AwsError):
    def __init__(self, namespace: str) -> None:
        super().__init__("NamespaceNotFound", f"No namespace exists with id {namespace}.")


class ServiceNotFound(AwsError):
    def __init__(self, service: str) -> None:
        super().__init__("ServiceNotFound", f"No service exists with id {service}.")


class InstanceNotFound(AwsError):
    def __init__(self, instance: str) -> None:
        super().__init__("InstanceNotFound", f"No instance exists with id {instance}.")


class OperationNotFound(AwsError):
    def __init__(self, operation: str) -> None:
        super().__init__("OperationNotFound", f"No operation exists with id {operation}.")


class ResourceInUse(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("ResourceInUse", message)


class QuotaExcess(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("ResourceLimitExceeded", message)


class TooManyTags(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("TooManyTagsException", message)


class DuplicateRequest(AwsError):
    def __init__(self, operation: str) -> None:
        super().__init__(
            "DuplicateRequest", f"The operation {operation} is already in progress.", DuplicateOperationId=operation
        )
