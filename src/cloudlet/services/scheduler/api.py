"""The operations of EventBridge Scheduler, and its jobs."""

from __future__ import annotations

from cloudlet.services.scheduler import api_groups, api_schedules, api_tags, clearing, invoking, scheduling
from cloudlet.services.scheduler.block import service

__all__ = ["api_groups", "api_schedules", "api_tags", "service"]

service.job(scheduling.run)
service.job(invoking.invoke)
service.job(clearing.clear)
