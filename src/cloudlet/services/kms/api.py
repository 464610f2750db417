"""The operations of KMS, and its jobs."""

from __future__ import annotations

from cloudlet.services.kms import (
    api_aliases,
    api_data_keys,
    api_encryption,
    api_grants,
    api_imports,
    api_keys,
    api_policies,
    api_replicas,
    api_rotation,
    api_signing,
    api_tags,
    lifecycle,
    measuring,
)
from cloudlet.services.kms.block import service

__all__ = [
    "api_aliases",
    "api_data_keys",
    "api_encryption",
    "api_grants",
    "api_imports",
    "api_keys",
    "api_policies",
    "api_replicas",
    "api_rotation",
    "api_signing",
    "api_tags",
    "service",
]

service.job(lifecycle.run)
service.job(lifecycle.clear)
service.job(lifecycle.tell)
service.gauge(measuring.measure)
