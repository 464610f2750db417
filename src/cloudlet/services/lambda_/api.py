"""The operations of Lambda, and its jobs."""

from __future__ import annotations

from cloudlet.services.lambda_ import api_functions, api_versions, claims, settling
from cloudlet.services.lambda_.block import service

__all__ = ["api_functions", "api_versions", "service"]

service.job(settling.run)
service.job(claims.collect)
service.job(claims.sweep)
