"""The operations of API Gateway, its jobs, and the requests to APIs."""

from __future__ import annotations

from cloudlet.services.apigateway import (
    access_log,
    api_tags,
    api_v1_account,
    api_v1_apis,
    api_v1_certificates,
    api_v1_documentation,
    api_v1_domains,
    api_v1_keys,
    api_v1_links,
    api_v1_openapi,
    api_v1_parts,
    api_v1_resources,
    api_v1_stages,
    api_v1_testing,
    api_v2_apis,
    api_v2_domains,
    api_v2_links,
    api_v2_openapi,
    api_v2_parts,
    api_v2_stages,
    domain_certificates,
    links,
    traffic,
)
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.http import gateway as http_gateway
from cloudlet.services.apigateway.rest import gateway as rest_gateway
from cloudlet.services.apigateway.rest import link_states, plans
from cloudlet.services.apigateway.websocket import api_management, registry
from cloudlet.services.apigateway.websocket import gateway as websocket_gateway

__all__ = [
    "api_management",
    "api_tags",
    "api_v1_account",
    "api_v1_apis",
    "api_v1_certificates",
    "api_v1_documentation",
    "api_v1_domains",
    "api_v1_keys",
    "api_v1_links",
    "api_v1_openapi",
    "api_v1_parts",
    "api_v1_resources",
    "api_v1_stages",
    "api_v1_testing",
    "api_v2_apis",
    "api_v2_domains",
    "api_v2_links",
    "api_v2_openapi",
    "api_v2_parts",
    "api_v2_stages",
    "domain_certificates",
    "http_gateway",
    "rest_gateway",
    "service",
    "traffic",
    "websocket_gateway",
]

service.job(access_log.send)
service.job(plans.write_down)
service.job(registry.deliver_remote_commands)
service.job(registry.heartbeat)
service.job(links.RECONCILER.run)
service.job(link_states.RECONCILER.run)
