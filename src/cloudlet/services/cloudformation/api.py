"""The operations of AWS CloudFormation, and its job."""

from __future__ import annotations

from cloudlet.services.cloudformation import (
    api_change_sets,
    api_exports,
    api_limits,
    api_policies,
    api_resources,
    api_signals,
    api_stack_instances,
    api_stack_set_operations,
    api_stack_sets,
    api_stacks,
    api_templates,
    jobs,
)
from cloudlet.services.cloudformation.block import service

__all__ = [
    "api_change_sets",
    "api_exports",
    "api_limits",
    "api_policies",
    "api_resources",
    "api_signals",
    "api_stack_instances",
    "api_stack_set_operations",
    "api_stack_sets",
    "api_stacks",
    "api_templates",
    "service",
]

service.job(jobs.run)
