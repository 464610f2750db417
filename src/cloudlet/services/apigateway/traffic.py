"""Requests to APIs, by their ids or by custom domain names."""

from __future__ import annotations

from urllib.parse import unquote

from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.web import DOMAINS, Answer, DataPlaneRequest
from cloudlet.services.apigateway import domains, gateways
from cloudlet.services.apigateway.answers import message
from cloudlet.services.apigateway.block import service
from cloudlet.wire import HttpRequest, HttpResponse


@service.data_plane
async def visit(block: Block, visit: DataPlaneRequest) -> Answer | None:
    """Answer a request to an application."""
    if visit.resource and not domains.is_name(visit.resource):
        gateway = await gateways.find(block, visit.resource)
        return None if gateway is None else await gateway.answer(visit, None)
    found = await gateways.domain_of(block, visit.resource or visit.host)
    if found is None:
        return None
    name, mapped = found
    chosen = domains.choose(mapped, visit.path, name)
    gateway = None if chosen is None else await gateways.find(block, chosen.api_id)
    if gateway is None:
        return message(404, "Not Found")
    return await gateway.answer(visit, chosen)


@service.folder(DOMAINS)
async def has_domain(block: Block, request: HttpRequest, host: str) -> HttpResponse:
    """Say whether a host is a custom domain name."""
    return HttpResponse(404 if await gateways.domain_of(block, unquote(host)) is None else 200)
