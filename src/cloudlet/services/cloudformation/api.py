"""The operations of AWS CloudFormation, and its job."""

from __future__ import annotations

from cloudlet.services.cloudformation import (
    api_change_sets,
    api_costs,
    api_drift,
    api_events,
    api_exports,
    api_generated_templates,
    api_limits,
    api_policies,
    api_refactors,
    api_resources,
    api_scans,
    api_signals,
    api_stack_instances,
    api_stack_set_drift,
    api_stack_set_operations,
    api_stack_sets,
    api_stacks,
    api_templates,
    api_types,
    jobs,
)
from cloudlet.services.cloudformation.block import service

__all__ = [
    "api_change_sets",
    "api_costs",
    "api_drift",
    "api_events",
    "api_exports",
    "api_generated_templates",
    "api_limits",
    "api_policies",
    "api_refactors",
    "api_resources",
    "api_scans",
    "api_signals",
    "api_stack_instances",
    "api_stack_set_drift",
    "api_stack_set_operations",
    "api_stack_sets",
    "api_stacks",
    "api_templates",
    "api_types",
    "service",
]

service.job(jobs.run)
