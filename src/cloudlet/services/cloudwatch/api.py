"""The operations of CloudWatch, gathered from the modules that have them."""

from __future__ import annotations

from cloudlet.services.cloudwatch import api_metrics, jobs
from cloudlet.services.cloudwatch.block import service

__all__ = ["api_metrics", "jobs", "service"]
