"""The operations of CloudWatch Logs, gathered from the modules that have them."""

from __future__ import annotations

from cloudlet.services.logs import (
    api_events,
    api_exports,
    api_filters,
    api_groups,
    api_insights,
    api_lookup_tables,
    api_policies,
    api_protection,
    api_streams,
    api_subscriptions,
    api_tags,
    jobs,
    measuring,
)
from cloudlet.services.logs.block import service

__all__ = [
    "api_events",
    "api_exports",
    "api_filters",
    "api_groups",
    "api_insights",
    "api_lookup_tables",
    "api_policies",
    "api_protection",
    "api_streams",
    "api_subscriptions",
    "api_tags",
    "jobs",
    "service",
]

service.observe(measuring.note)
service.gauge(measuring.measure)
