"""The operations of AWS Cloud Control API, and its jobs."""

from __future__ import annotations

from cloudlet.services.cloudcontrol import api_requests, api_resources, jobs
from cloudlet.services.cloudcontrol.block import service

__all__ = ["api_requests", "api_resources", "service"]

service.job(jobs.run)
