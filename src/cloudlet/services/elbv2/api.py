"""The operations of Elastic Load Balancing, and its jobs."""

from __future__ import annotations

from cloudlet.core.background.jobs import run_leased_jobs
from cloudlet.core.kernel.block import Block
from cloudlet.services.elbv2 import (
    api_certificates,
    api_listeners,
    api_load_balancers,
    api_rules,
    api_tags,
    api_target_groups,
    api_targets,
    api_trust_stores,
    certificate_use,
    host_requests,
    interfaces,
    network_changes,
    targets,
    views,
)
from cloudlet.services.elbv2.block import service
from cloudlet.services.elbv2.proxy import serving

__all__ = [
    "api_certificates",
    "api_listeners",
    "api_load_balancers",
    "api_rules",
    "api_tags",
    "api_target_groups",
    "api_targets",
    "api_trust_stores",
    "host_requests",
    "service",
    "serving",
    "views",
]

service.job(interfaces.RECONCILER.run)
service.job(network_changes.RECONCILER.run)
service.job(certificate_use.RECONCILER.run)
service.job(targets.drain)


@service.job
async def refresh_certificates(block: Block) -> None:
    """Have renewed certificates served."""
    await run_leased_jobs(block, refresh=certificate_use.refresh)
