"""The operations of Route 53, its jobs, and its name server."""

from __future__ import annotations

from cloudlet.core.background.jobs import run_leased_jobs
from cloudlet.core.kernel.block import Block
from cloudlet.services.route53 import (
    api_answers,
    api_cidr_collections,
    api_delegation_sets,
    api_dnssec,
    api_health_checks,
    api_limits,
    api_locations,
    api_query_logging,
    api_record_sets,
    api_tags,
    api_traffic_policies,
    api_traffic_policy_instances,
    api_vpcs,
    api_zones,
    checking,
    dnssec_keys,
    name_serving,
    network_serving,
    propagating,
    query_logging,
)
from cloudlet.services.route53.block import service

__all__ = [
    "api_answers",
    "api_cidr_collections",
    "api_delegation_sets",
    "api_dnssec",
    "api_health_checks",
    "api_limits",
    "api_locations",
    "api_query_logging",
    "api_record_sets",
    "api_tags",
    "api_traffic_policies",
    "api_traffic_policy_instances",
    "api_vpcs",
    "api_zones",
    "service",
]

service.listen(name_serving.serve_public)
service.job(network_serving.serve_networks)
service.job(propagating.propagate)
service.job(propagating.expire)
service.job(query_logging.send)


@service.job
async def check_and_renew(block: Block) -> None:
    """Do health checks, and renew signatures."""
    await run_leased_jobs(block, checking=checking.check, renewing=dnssec_keys.renew)
