"""Clusters as they are stored."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.services.ecs.arns import make_arn

Strategy = list[dict[str, Any]]
"""A capacity provider strategy: `capacityProvider`, `weight` and `base` of each."""


class Cluster(msgspec.Struct, frozen=True):
    """A cluster. Deleted ones stay for a while, INACTIVE."""

    account: str
    region: str
    name: str
    created: float
    status: str = "ACTIVE"
    settings: dict[str, str] = {}
    configuration: dict[str, Any] = {}
    capacity_providers: list[str] = []
    default_strategy: Strategy = []
    namespace: str = ""
    """The default namespace of Service Connect."""

    @property
    def arn(self) -> str:
        return make_arn(self.region, self.account, "cluster", self.name)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.account, self.region, self.name

    @property
    def is_active(self) -> bool:
        return self.status == "ACTIVE"

    @property
    def is_insights_on(self) -> bool:
        """Whether Container Insights measures its tasks."""
        return self.settings.get("containerInsights", "disabled") != "disabled"
