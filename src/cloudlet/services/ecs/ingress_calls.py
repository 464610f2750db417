"""Calls of other services by the infrastructure role of an account."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from cloudlet.core import AwsError
from cloudlet.core.authorization.role_session import make_session
from cloudlet.core.background.retrying import is_transient
from cloudlet.services.ecs.ingress_record import Balancer, Route

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

BY: Final = "ecs.amazonaws.com"
RETRY_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.5
_REPEATED_SECONDS: Final = 30.0
"""The pause after what has failed as before: somebody has to change something."""
_SESSION: Final = "ECSManagedIngress"
MANAGED: Final = {"AmazonECSManaged": "true"}
"""The tag of all that ECS makes; policies of infrastructure roles ask for it."""


def make_permission(port: int, source: dict[str, Any]) -> dict[str, Any]:
    """Return the rule of a security group that lets a source in at a port."""
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}


class Calling:
    """The infrastructure role of a balancer, a route or a service at work."""

    def __init__(self, block: Block, account: str, region: str, role: str, tags: dict[str, str] | None = None) -> None:
        self._block = block
        self._account = account
        self._region = region
        self._role = role
        self._tags = {**(tags or {}), **MANAGED}

    @classmethod
    def make(cls, block: Block, owner: Balancer | Route) -> Calling:
        """Return the role of a balancer or a route."""
        return cls(block, owner.account, owner.region, owner.role, owner.tags)

    async def call(self, model: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Call an operation. Raises AwsError."""
        session = make_session(self._role, _SESSION, by=BY)
        answer = await self._block.cloud.call(
            model, operation, params, account=self._account, region=self._region, principal=session
        )
        return dict(answer or {})

    async def remove(self, model: str, operation: str, params: dict[str, Any]) -> None:
        """Call an operation that removes something, which may have gone. Raises AwsError."""
        try:
            await self.call(model, operation, params)
        except AwsError as error:
            if "NotFound" not in error.code:
                raise

    @property
    def tags(self) -> list[dict[str, str]]:
        """The tags of what is made, as most services have them."""
        return [{"Key": key, "Value": value} for key, value in self._tags.items()]

    @property
    def tag_map(self) -> dict[str, str]:
        """The tags as CloudWatch Logs and Application Auto Scaling have them."""
        return dict(self._tags)

    def make_specifications(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the tags as Amazon EC2 has them."""
        return [{"ResourceType": kind, "Tags": self.tags} for kind in kinds]

    async def create_group(self, name: str, vpc: str, description: str) -> str:
        """Return the id of the security group with a name, old or new. Raises AwsError."""
        params = {
            "GroupName": name,
            "Description": description,
            "VpcId": vpc,
            "TagSpecifications": self.make_specifications("security-group"),
        }
        try:
            return str((await self.call("ec2", "CreateSecurityGroup", params))["GroupId"])
        except AwsError as error:
            if error.code != "InvalidGroup.Duplicate":
                raise
        filters = [{"Name": "group-name", "Values": [name]}, {"Name": "vpc-id", "Values": [vpc]}]
        found = await self.call("ec2", "DescribeSecurityGroups", {"Filters": filters})
        return str(found["SecurityGroups"][0]["GroupId"])

    async def let_in(self, group: str, port: int, source: dict[str, Any]) -> list[str]:
        """Let a source in to a security group; return the rules' ids. Raises AwsError."""
        params = {
            "GroupId": group,
            "IpPermissions": [make_permission(port, source)],
            "TagSpecifications": self.make_specifications("security-group-rule"),
        }
        try:
            answer = await self.call("ec2", "AuthorizeSecurityGroupIngress", params)
        except AwsError as error:
            if error.code != "InvalidPermission.Duplicate":
                raise
            return []
        return [each["SecurityGroupRuleId"] for each in answer.get("SecurityGroupRules") or ()]

    async def request_certificate(self, name: str, token: str) -> str:
        """Return the ARN of a certificate; one for each token. Raises AwsError."""
        params = {
            "DomainName": name,
            "ValidationMethod": "DNS",
            "KeyAlgorithm": "EC_prime256v1",
            "IdempotencyToken": token,
            "Tags": self.tags,
        }
        return str((await self.call("acm", "RequestCertificate", params))["CertificateArn"])

    async def is_issued(self, certificate: str) -> bool:
        """Whether a certificate is issued. Raises AwsError."""
        found = await self.call("acm", "DescribeCertificate", {"CertificateArn": certificate})
        return bool(found["Certificate"]["Status"] == "ISSUED")


_WAITS: Final = ("DependencyViolation", "ResourceInUse", "ResourceInUseException")
"""Errors for what others use yet, which are about to end."""


def is_waiting(error: AwsError) -> bool:
    """Whether a call will succeed once something else is done."""
    return error.code in _WAITS


def find_pause(log: logging.Logger, what: str, error: AwsError, known: str) -> float:
    """Return after how many seconds to try again; what failed before is not logged again."""
    if is_waiting(error):
        return POLL_SECONDS
    if known and known == describe_failure(error):
        return _REPEATED_SECONDS
    log.warning("%s cannot be set up: %s", what, error)
    return RETRY_SECONDS


def describe_failure(error: AwsError) -> str:
    """Return why a call did not succeed, or nothing where it will by itself."""
    return "" if is_waiting(error) or is_transient(error.code, error.status) else f"{error.message} ({error.code})"
