"""The operations on connections, of the API Gateway Management API. API reference, "PostToConnection"."""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.authorization.enforcement import check_resource
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.apigateway import domains, gateways
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.websocket import registry
from cloudlet.services.apigateway.websocket.client import LARGEST_MESSAGE, NORMAL, Client, Full
from cloudlet.services.apigateway.websocket.registry import REGISTRIES, Record

_ADDRESS = re.compile(
    r"(?:(?P<id>[a-z0-9]+)\.execute-api\.[^/]+|[^/]+/_aws/execute-api/(?P<named>[a-z0-9]+))(?:/(?P<stage>[^/]*))?"
)
_DOMAIN = re.compile(r"/_aws/execute-api/(?P<name>[a-z0-9-]+\.[a-z0-9.-]+)(?P<path>/.*)?")


class _Address(NamedTuple):
    """Whose connections a request is about."""

    api_id: str
    stage: str


async def _address(ctx: Context) -> _Address | None:
    """Return what the address of a request names, None where that is Cloudlet's own: it is about any connection."""
    parts = urlsplit(ctx.endpoint)
    host = parts.hostname or ""
    if named := _ADDRESS.fullmatch(f"{host}{parts.path}"):
        return _Address(named["id"] or named["named"], named["stage"] or "")
    by_path = _DOMAIN.fullmatch(parts.path)
    name, path = (host, parts.path) if by_path is None else (by_path["name"], by_path["path"])
    domain = await gateways.domain_of(ctx.block, name)
    if domain is None:
        return None if by_path is None else _Address("", "")
    mapped = domains.choose(domain[1], path or "/", domain[0])
    return _Address("", "") if mapped is None or mapped.path != "/" else _Address(mapped.api_id, mapped.stage)


def _gone() -> AwsError:
    return AwsError("GoneException", "")


def _forbidden() -> AwsError:
    return AwsError("ForbiddenException", "")


def _check(ctx: Context, asked: _Address | None, account: str, address: _Address) -> None:
    """Raise AwsError for a connection of another account, or of another stage than that which was asked."""
    if account != ctx.account:
        raise _forbidden()
    if asked not in (None, address):
        raise _gone()


def _own(ctx: Context, asked: _Address | None, id: str) -> Client | None:
    """Return a connection that this process has. Raises AwsError for one that is not the caller's, or has ended."""
    client = REGISTRIES.get(ctx.block).clients.get(id)
    if client is not None:
        session = client.session
        _check(ctx, asked, session.place.account, _Address(session.api_id, session.stage))
        if not client.is_open:
            raise _gone()
    return client


async def _elsewhere(ctx: Context, tx: Transaction, asked: _Address | None, id: str) -> Record:
    """Return what is known of a connection that another process has. Raises AwsError."""
    record = await registry.find(tx, id)
    if record is None or record.owner == REGISTRIES.get(ctx.block).owner:
        raise _gone()
    _check(ctx, asked, record.account, _Address(record.api_id, record.stage))
    return record


async def _authorize(ctx: Context, asked: _Address | None, verb: str, id: str) -> None:
    """Raise AwsError unless the caller may manage a connection.

    Developer guide, "Use IAM authorization": permissions for @connections are about a stage, a verb and an id.
    """
    if not ctx.strict:
        return
    about = asked or await _find_address(ctx, id) or _Address("*", "*")
    arn = f"arn:{partition_of(ctx.region)}:execute-api:{ctx.region}:{ctx.account}"
    resource = f"{arn}:{about.api_id or '*'}/{about.stage or '*'}/{verb}/@connections/{id}"
    check_resource(ctx, "apigatewaymanagementapi", "execute-api:ManageConnections", resource)


async def _find_address(ctx: Context, id: str) -> _Address | None:
    """Return the API and the stage of a connection, if it is there."""
    client = REGISTRIES.get(ctx.block).clients.get(id)
    if client is not None:
        return _Address(client.session.api_id, client.session.stage)
    record = await ctx.transact(lambda tx: registry.find(tx, id))
    return None if record is None else _Address(record.api_id, record.stage)


async def _errand(ctx: Context, asked: _Address | None, id: str, data: bytes | None) -> None:
    async def body(tx: Transaction) -> bool:
        return await registry.send_errand(tx, id, await _elsewhere(ctx, tx, asked, id), data)

    if not await ctx.transact(body):
        raise AwsError("LimitExceededException", "")


@service.direct("apigatewaymanagementapi:PostToConnection")
async def post_to_connection(ctx: Context, params: Params) -> Result:
    data, id = params["Data"], params["ConnectionId"]
    if len(data) > LARGEST_MESSAGE:
        raise AwsError("PayloadTooLargeException", "Message too long")
    asked = await _address(ctx)
    await _authorize(ctx, asked, "POST", id)
    client = _own(ctx, asked, id)
    if client is None:
        await _errand(ctx, asked, id, data)
        return {}
    try:
        await client.send(data)
    except Full:
        raise AwsError("LimitExceededException", "") from None
    except ConnectionError:
        raise _gone() from None
    return {}


@service.direct("apigatewaymanagementapi:DeleteConnection")
async def delete_connection(ctx: Context, params: Params) -> Result:
    asked, id = await _address(ctx), params["ConnectionId"]
    await _authorize(ctx, asked, "DELETE", id)
    client = _own(ctx, asked, id)
    if client is None:
        await _errand(ctx, asked, id, None)
    else:
        client.close(NORMAL)
    return {}


@service.direct("apigatewaymanagementapi:GetConnection")
async def get_connection(ctx: Context, params: Params) -> Result:
    asked, id = await _address(ctx), params["ConnectionId"]
    await _authorize(ctx, asked, "GET", id)
    client = _own(ctx, asked, id)
    if client is not None:
        session = client.session
        return _shown(session.connected, client.last_active, session.peer, session.user_agent)
    record = await ctx.transact(lambda tx: _elsewhere(ctx, tx, asked, id))
    return _shown(record.connected, record.connected, record.peer, record.user_agent)


def _shown(connected: float, active: float, peer: str, user_agent: str) -> dict[str, Any]:
    return {
        "ConnectedAt": connected,
        "LastActiveAt": active,
        "Identity": {"SourceIp": peer, "UserAgent": user_agent},
    }
