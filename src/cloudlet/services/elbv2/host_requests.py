"""Requests for load balancers that come to the front door, by their host.

They are for clients that cannot resolve a load balancer's name and do not know its address on this machine.
"""

from __future__ import annotations

import ssl
from typing import Final

from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.kernel.web import Answer, DataPlaneRequest
from cloudlet.engines.http_client import HttpClient, HttpError
from cloudlet.engines.keeper.client import KeeperError
from cloudlet.services.elbv2.block import service
from cloudlet.services.elbv2.proxy.proxies import PROXIES
from cloudlet.services.elbv2.proxy.view import Description, LoadBalancer
from cloudlet.wire import HttpResponse

_MAX_BODY_BYTES: Final = 64 << 20
_SECONDS: Final = 300.0
_OF_CONNECTION: Final = ("connection", "content-length", "keep-alive", "transfer-encoding", "upgrade")
_TOO_LARGE: Final = HttpResponse(413)
_DEFAULT_PORTS: Final = (80, 443)
_UNAVAILABLE: Final = HttpResponse(503)
_NOT_ANSWERED: Final = HttpResponse(504)


def _make_client(block: Block) -> HttpClient:
    # Its certificate is for other names, and it is on this machine.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return HttpClient(ssl_context=context)


_CLIENTS: Final = PerBlock(_make_client)


@service.data_plane
async def pass_on(block: Block, visit: DataPlaneRequest) -> Answer | None:
    """Pass a request on to the load balancer that its host names, if any."""
    balancer = _find(block, visit.resource)
    if balancer is None:
        return None
    host = visit.request.headers.get("host") or ""
    origin = await _find_origin(block, balancer, host.rpartition(":")[2], is_secure=visit.secure)
    if origin is None:
        return _UNAVAILABLE
    try:
        body = await visit.body(_MAX_BODY_BYTES)
    except ValueError:
        return _TOO_LARGE
    headers = [(name, value) for name, value in visit.request.headers.items() if name not in _OF_CONNECTION]
    query = f"?{visit.request.query}" if visit.request.query else ""
    try:
        answer = await _CLIENTS.get(block).request(
            visit.request.method,
            f"{origin}{visit.path}{query}",
            headers,
            body,
            timeout=_SECONDS,
            limit=_MAX_BODY_BYTES,
            repeatable=False,
        )
    except HttpError as error:
        return _NOT_ANSWERED if error.kind == "timeout" else _UNAVAILABLE
    kept = [(name, value) for name, value in answer.headers if name not in _OF_CONNECTION]
    return HttpResponse(answer.status, kept, answer.body)


def _find(block: Block, label: str) -> LoadBalancer | None:
    """Return the load balancer whose DNS name begins with a label.

    Those of Amazon ECS are named by the end of their name.
    """
    for served in PROXIES.get(block).served.values():
        for each in served.view.load_balancers:
            name = str(each.description["LoadBalancerName"])
            is_of_ecs = name.startswith("ecs-") and name.endswith(f"-{label}") and label.startswith("alb-")
            if is_of_ecs or str(each.description["DNSName"]).partition(".")[0].lower() == label:
                return each
    return None


async def _find_origin(block: Block, balancer: LoadBalancer, port_named: str, *, is_secure: bool) -> str | None:
    """Return where a listener is on this machine, preferably one like the client's."""
    listeners = [each.description for each in balancer.listeners if each.description["Protocol"] in ("HTTP", "HTTPS")]

    def rank(one: Description) -> tuple[bool, ...]:
        is_other = (one["Protocol"] == "HTTPS") != is_secure
        return str(one["Port"]) != port_named, is_other, one["Port"] not in _DEFAULT_PORTS

    for each in sorted(listeners, key=rank):
        try:
            port = await PROXIES.get(block).keeper.call(
                "find_endpoint_port", address=balancer.machine_address, port=each["Port"]
            )
        except KeeperError:
            return None
        if port is not None:
            return f"{str(each['Protocol']).lower()}://{balancer.machine_address}:{port}"
    return None
