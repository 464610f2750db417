"""The operations of X-Ray, gathered from the modules that have them."""

from __future__ import annotations

from cloudlet.services.xray import (
    api_graphs,
    api_groups,
    api_otlp,
    api_retrieval,
    api_sampling,
    api_settings,
    api_traces,
    daemon,
    retrievals,
    storage,
)
from cloudlet.services.xray.block import service

__all__ = [
    "api_graphs",
    "api_groups",
    "api_otlp",
    "api_retrieval",
    "api_sampling",
    "api_settings",
    "api_traces",
    "service",
]

service.job(storage.forget)
service.job(retrievals.forget)
service.listen(daemon.listen)
