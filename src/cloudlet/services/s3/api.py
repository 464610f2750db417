"""The operations of S3, gathered from the modules that have them."""

from __future__ import annotations

from cloudlet.services.s3 import (
    api_access,
    api_annotations,
    api_buckets,
    api_configurations,
    api_forms,
    api_listing,
    api_objects,
    api_select,
    api_settings,
    api_websites,
    jobs,
)
from cloudlet.services.s3.block import service
from cloudlet.services.s3.object_data import completed, garbage

service.job(garbage.GARBAGE.collect)
service.job(garbage.GARBAGE.sweep)
service.job(completed.forget)

__all__ = [
    "api_access",
    "api_annotations",
    "api_buckets",
    "api_configurations",
    "api_forms",
    "api_listing",
    "api_objects",
    "api_select",
    "api_settings",
    "api_websites",
    "jobs",
    "service",
]
