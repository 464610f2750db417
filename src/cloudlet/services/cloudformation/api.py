"""The operations of AWS CloudFormation, and its job."""

from __future__ import annotations

from cloudlet.services.cloudformation import (
    api_change_sets,
    api_drift,
    api_exports,
    api_generated_templates,
    api_policies,
    api_refactors,
    api_resources,
    api_scans,
    api_signals,
    api_stacks,
    api_templates,
    api_types,
    jobs,
)
from cloudlet.services.cloudformation.block import service

__all__ = [
    "api_change_sets",
    "api_drift",
    "api_exports",
    "api_generated_templates",
    "api_policies",
    "api_refactors",
    "api_resources",
    "api_scans",
    "api_signals",
    "api_stacks",
    "api_templates",
    "api_types",
    "service",
]

service.job(jobs.run)
