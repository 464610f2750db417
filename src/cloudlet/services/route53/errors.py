"""The errors of Route 53 in AWS's words."""

from __future__ import annotations

from collections.abc import Sequence

from cloudlet.core import AwsError


class InvalidInput(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("InvalidInput", message)


class InvalidChangeBatch(AwsError):
    """A batch of which nothing was done, with messages that say why."""

    def __init__(self, messages: Sequence[str]) -> None:
        super().__init__("InvalidChangeBatch", f"[{', '.join(messages)}]", messages=list(messages))


class NoSuchHostedZone(AwsError):
    def __init__(self, zone: str) -> None:
        super().__init__("NoSuchHostedZone", f"No hosted zone found with ID: {zone}")


class NoSuchHealthCheck(AwsError):
    def __init__(self, check: str) -> None:
        super().__init__("NoSuchHealthCheck", f"A health check with id {check} does not exist.")


class NoSuchDelegationSet(AwsError):
    def __init__(self, delegation_set: str) -> None:
        super().__init__("NoSuchDelegationSet", f"The specified delegation set {delegation_set} does not exist.")


class NoSuchCidrCollection(AwsError):
    def __init__(self, collection: str) -> None:
        super().__init__("NoSuchCidrCollectionException", f"A CIDR collection with id {collection} does not exist.")


class NoSuchTrafficPolicy(AwsError):
    def __init__(self, policy: str) -> None:
        super().__init__("NoSuchTrafficPolicy", f"No traffic policy exists with ID {policy}.")


class NoSuchTrafficPolicyInstance(AwsError):
    def __init__(self, instance: str) -> None:
        super().__init__("NoSuchTrafficPolicyInstance", f"No traffic policy instance exists with ID {instance}.")


class InvalidDomainName(AwsError):
    def __init__(self, name: str, why: str) -> None:
        super().__init__("InvalidDomainName", f"{name} is not a valid domain name: {why}")


class QuotaExcess(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("LimitsExceeded", message)
