"""The operations of Lambda, and its jobs."""

from __future__ import annotations

from cloudlet.services.lambda_ import (
    api_aliases,
    api_code_signing,
    api_concurrency,
    api_durable,
    api_event_invoke,
    api_functions,
    api_invoke,
    api_layers,
    api_mappings,
    api_permissions,
    api_runtime,
    api_tags,
    api_urls,
    api_versions,
)
from cloudlet.services.lambda_.block import service
from cloudlet.services.lambda_.code import claims
from cloudlet.services.lambda_.durable import ending
from cloudlet.services.lambda_.execution.log_stream import send_left
from cloudlet.services.lambda_.functions import deleting, grants, settling
from cloudlet.services.lambda_.polling import running

__all__ = [
    "api_aliases",
    "api_code_signing",
    "api_concurrency",
    "api_durable",
    "api_event_invoke",
    "api_functions",
    "api_invoke",
    "api_layers",
    "api_mappings",
    "api_permissions",
    "api_runtime",
    "api_tags",
    "api_urls",
    "api_versions",
    "service",
]

service.job(settling.run)
service.job(running.run)
service.job(deleting.run)
service.job(grants.retire)
service.job(claims.collect)
service.job(claims.sweep)
service.job(send_left)
service.job(ending.run)
