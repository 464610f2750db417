"""The operations of EventBridge Pipes, and its job."""

from __future__ import annotations

from cloudlet.services.pipes import api_pipes, api_tags, running
from cloudlet.services.pipes.block import service

__all__ = ["api_pipes", "api_tags", "service"]

service.job(running.run)
