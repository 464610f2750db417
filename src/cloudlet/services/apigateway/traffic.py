"""Requests to APIs, by their ids or by custom domain names."""

from __future__ import annotations

from cloudlet.core.block import Block
from cloudlet.core.web import Answer, Visit
from cloudlet.services.apigateway import domains, gateways
from cloudlet.services.apigateway.answers import message
from cloudlet.services.apigateway.block import service


@service.visits
async def visit(block: Block, visit: Visit) -> Answer | None:
    """Answer a request to an application."""
    if visit.resource:
        gateway = await gateways.find(block, visit.resource)
        return None if gateway is None else await gateway.answer(visit, None)
    for name in domains.candidates(visit.host):
        mapped = await gateways.mappings(block, name)
        if mapped is None:
            continue
        chosen = domains.choose(mapped, visit.path, name)
        gateway = None if chosen is None else await gateways.find(block, chosen.api_id)
        if gateway is None:
            return message(404, "Not Found")
        return await gateway.answer(visit, chosen)
    return None
