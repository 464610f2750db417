"""The place of a scalable target: what tells it apart from all others."""

from __future__ import annotations

from typing import Any, NamedTuple

from cloudlet.core import Context, Params
from cloudlet.core.aws.arn import partition_of


class Place(NamedTuple):
    """An account, a region, and the three names that identify a scalable target there."""

    account: str
    region: str
    namespace: str
    resource: str
    dimension: str

    @classmethod
    def make(cls, ctx: Context, params: Params) -> Place:
        """Return the place that a request is about."""
        return cls(
            ctx.account, ctx.region, params["ServiceNamespace"], params["ResourceId"], params["ScalableDimension"]
        )

    def describe(self) -> str:
        """Return the words that errors have for it."""
        return (
            f"service namespace: {self.namespace}, resource ID: {self.resource}, scalable dimension: {self.dimension}"
        )

    def show(self) -> dict[str, Any]:
        """Return the members by which the API identifies a scalable target."""
        return {
            "ServiceNamespace": self.namespace,
            "ResourceId": self.resource,
            "ScalableDimension": self.dimension,
        }

    def make_arn(self, kind: str, id: str, named: str) -> str:
        """Return the ARN of a policy or a scheduled action."""
        return (
            f"arn:{partition_of(self.region)}:autoscaling:{self.region}:{self.account}:{kind}:{id}"
            f":resource/{self.namespace}/{self.resource}:{named}"
        )
