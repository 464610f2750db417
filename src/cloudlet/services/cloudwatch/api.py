"""The operations of CloudWatch, gathered from the modules that have them."""

from __future__ import annotations

from cloudlet.services.cloudwatch import (
    api_alarms,
    api_dashboards,
    api_metrics,
    api_mute_rules,
    api_tags,
    dashboard_pages,
    jobs,
)
from cloudlet.services.cloudwatch.block import service

__all__ = [
    "api_alarms",
    "api_dashboards",
    "api_metrics",
    "api_mute_rules",
    "api_tags",
    "dashboard_pages",
    "jobs",
    "service",
]
