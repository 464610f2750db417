"""The operations of Parameter Store, gathered from the modules that have them."""

from __future__ import annotations

from cloudlet.services.ssm import (
    api_labels,
    api_lists,
    api_parameters,
    api_resource_policies,
    api_settings,
    api_tags,
    jobs,
)
from cloudlet.services.ssm.block import service

__all__ = [
    "api_labels",
    "api_lists",
    "api_parameters",
    "api_resource_policies",
    "api_settings",
    "api_tags",
    "jobs",
    "service",
]
