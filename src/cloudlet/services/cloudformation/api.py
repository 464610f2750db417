"""The operations of AWS CloudFormation, and its job."""

from __future__ import annotations

from cloudlet.services.cloudformation import (
    api_change_sets,
    api_exports,
    api_policies,
    api_resources,
    api_signals,
    api_stacks,
    api_templates,
)
from cloudlet.services.cloudformation.block import service
from cloudlet.services.cloudformation.notifying import NOTICES
from cloudlet.services.cloudformation.operations.running import STACKS

__all__ = [
    "api_change_sets",
    "api_exports",
    "api_policies",
    "api_resources",
    "api_signals",
    "api_stacks",
    "api_templates",
    "service",
]

service.job(STACKS.run)
service.job(NOTICES.run)
