"""The operations of Cloud Map, and its reconcilers."""

from __future__ import annotations

from cloudlet.services.servicediscovery import (
    api_discovery,
    api_instances,
    api_namespaces,
    api_operations,
    api_services,
    api_tags,
    reconciling,
    storing,
)
from cloudlet.services.servicediscovery.block import service

__all__ = [
    "api_discovery",
    "api_instances",
    "api_namespaces",
    "api_operations",
    "api_services",
    "api_tags",
    "service",
]

service.job(reconciling.NAMESPACE_RECONCILER.run)
service.job(reconciling.INSTANCE_RECONCILER.run)
service.job(reconciling.SERVICE_RECONCILER.run)
service.job(storing.expire)
