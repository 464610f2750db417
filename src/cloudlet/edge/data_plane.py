"""Requests to applications, answered by the blocks that stand in front of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from cloudlet.core.kernel.errors import AwsError
from cloudlet.core.kernel.identity import ANONYMOUS, Principal
from cloudlet.core.kernel.web import DataPlaneRequest, Upgrade
from cloudlet.edge import auth
from cloudlet.edge.back_pressure import discard
from cloudlet.edge.data_plane_routing import DataPlaneRoute, bare_host
from cloudlet.edge.exchange import Exchange
from cloudlet.store.eager import spawn
from cloudlet.wire import HttpRequest, HttpResponse, load, sigv2, sigv4

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudlet.edge.front import FrontDoor

log = logging.getLogger("cloudlet.edge")

_SIGNED_FOR = {"apigateway": "execute-api", "ecr": "ecr", "lambda": "lambda"}
"""The block that stands in front of an application → the service that requests to it are signed for."""


def answer(
    front: FrontDoor, found: DataPlaneRoute, request: HttpRequest, exchange: Exchange, otherwise: Callable[[], None]
) -> None:
    """Let the block that a request is for answer it; `otherwise` is called where it knows of no such host."""
    spawn(_answer(front, found, request, exchange, otherwise))


async def _answer(
    front: FrontDoor, found: DataPlaneRoute, request: HttpRequest, exchange: Exchange, otherwise: Callable[[], None]
) -> None:
    try:
        block = front.cloud.block(found.block)
        visit = DataPlaneRequest(
            request,
            bare_host(request.headers.get("host", "")),
            found.resource,
            found.path,
            found.prefix,
            exchange.peer,
            exchange.secure,
            exchange.upgradable,
            lambda: _identified(front, request, _SIGNED_FOR[found.block]),
            exchange.raw_headers,
        )
        await _look_up_key(front, request)
        answered = None if block.service.web is None else await block.service.web(block, visit)
    except AwsError as error:
        exchange.respond(message(error.status or 500, error.message))
    except ConnectionError:
        # The client has gone in the middle of its request.
        return
    except Exception:
        log.exception("%s %s of %s failed", request.method, request.path, found.resource or "a domain")
        exchange.respond(message(500, "Internal Server Error"))
    else:
        if answered is None and not found.resource:
            otherwise()
        elif answered is None:
            exchange.respond(message(404, "Not Found"))
        elif isinstance(answered, Upgrade):
            exchange.upgrade(answered.head, answered.protocol)
        else:
            await _respond(exchange, answered)


async def _respond(exchange: Exchange, answered: HttpResponse) -> None:
    """Send what an application answers, which may have in its head what cannot be sent."""
    try:
        exchange.respond(answered)
    except Exception:
        log.exception("the answer of an application cannot be sent")
        await discard(answered.body)
        exchange.respond(message(500, "Internal Server Error"))


async def _look_up_key(front: FrontDoor, request: HttpRequest) -> None:
    """Ask IAM for the key of a request, before its signature is verified. Raises AwsError."""
    try:
        claim = sigv2.claim(request) or sigv4.claim(request)
    except sigv4.Malformed:
        # Whoever wants a signature says so.
        return
    if claim is not None and front.authenticator.is_to_be_looked_up(claim):
        await front.cloud.permissions.load_key(claim.access_key)


def _identified(front: FrontDoor, request: HttpRequest, service: str) -> Principal:
    """Return who has signed a request for a service. Raises AwsError."""
    model = load("apigatewaymanagementapi")
    try:
        claim = sigv2.claim(request) or sigv4.claim(request)
    except sigv4.Malformed as error:
        raise auth.unreadable(model, error, request) from error
    if claim is None:
        return ANONYMOUS
    if claim.service != service:
        # What was signed for another service must not be of use here.
        reason = f"Credential should be scoped to correct service: '{service}'."
        raise AwsError("InvalidSignatureException", reason, status=403)
    return front.authenticator.authenticate(request, claim, model, request.path).principal


def message(status: int, text: str) -> HttpResponse:
    """Return a response that says something in JSON, as API Gateway's do."""
    return HttpResponse(status, [("content-type", "application/json")], msgspec.json.encode({"message": text}))
