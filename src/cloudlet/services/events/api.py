"""The operations of EventBridge, and its jobs."""

from __future__ import annotations

from cloudlet.services.events import (
    api_archives,
    api_buses,
    api_connections,
    api_destinations,
    api_events,
    api_rules,
    api_tags,
    api_targets,
    archive,
    authorizing,
    delivering,
    replay,
    scheduling,
)
from cloudlet.services.events.block import service

__all__ = [
    "api_archives",
    "api_buses",
    "api_connections",
    "api_destinations",
    "api_events",
    "api_rules",
    "api_tags",
    "api_targets",
    "service",
]

service.job(delivering.deliver)
service.job(authorizing.authorize)
service.job(scheduling.run)
service.job(archive.expire)
service.job(replay.run)
