"""The operations of CloudTrail, gathered from the modules that have them."""

from __future__ import annotations

from cloudlet.services.cloudtrail import (
    api_history,
    api_queries,
    api_selectors,
    api_stores,
    api_tags,
    api_trails,
    delivering,
    history,
)
from cloudlet.services.cloudtrail.block import service
from cloudlet.services.cloudtrail.lake import events, queries

__all__ = ["api_history", "api_queries", "api_selectors", "api_stores", "api_tags", "api_trails", "service"]

service.job(history.forget)
service.job(history.index)
service.job(history.trim)
service.job(delivering.deliver)
service.job(events.forget)
service.job(queries.forget)
