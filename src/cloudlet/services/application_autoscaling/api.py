"""The operations of Application Auto Scaling, and its jobs."""

from __future__ import annotations

from cloudlet.services.application_autoscaling import (
    activities,
    api_policies,
    api_scheduled_actions,
    api_targets,
    scaling,
    scheduling,
)
from cloudlet.services.application_autoscaling.block import service

__all__ = ["api_policies", "api_scheduled_actions", "api_targets", "service"]

service.job(scaling.SCALING.run)
service.job(scheduling.run)
service.job(activities.expire)
