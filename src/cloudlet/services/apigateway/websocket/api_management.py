"""The operations on connections, of the API Gateway Management API. API reference, "PostToConnection"."""

from __future__ import annotations

from typing import Any

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.websocket import registry
from cloudlet.services.apigateway.websocket.client import LARGEST_MESSAGE, NORMAL, Client, Full
from cloudlet.services.apigateway.websocket.registry import REGISTRIES, Record


def _gone() -> AwsError:
    return AwsError("GoneException", "")


def _forbidden() -> AwsError:
    return AwsError("ForbiddenException", "")


def _own(ctx: Context, id: str) -> Client | None:
    """Return a connection that this process has. Raises AwsError for another account's, and for one that has ended."""
    client = REGISTRIES.of(ctx.block).clients.get(id)
    if client is not None and client.session.place.account != ctx.account:
        raise _forbidden()
    if client is not None and not client.is_open:
        raise _gone()
    return client


async def _elsewhere(ctx: Context, tx: Transaction, id: str) -> Record:
    """Return what is known of a connection that another process has. Raises AwsError."""
    record = await registry.find(tx, id)
    if record is None or record.owner == REGISTRIES.of(ctx.block).owner:
        raise _gone()
    if record.account != ctx.account:
        raise _forbidden()
    return record


async def _errand(ctx: Context, id: str, data: bytes | None) -> None:
    async def body(tx: Transaction) -> bool:
        return await registry.send_errand(tx, id, await _elsewhere(ctx, tx, id), data)

    if not await ctx.transact(body):
        raise AwsError("LimitExceededException", "")


@service.direct("apigatewaymanagementapi:PostToConnection")
async def post_to_connection(ctx: Context, params: Params) -> Result:
    data, id = params["Data"], params["ConnectionId"]
    if len(data) > LARGEST_MESSAGE:
        raise AwsError("PayloadTooLargeException", "Message too long")
    client = _own(ctx, id)
    if client is None:
        await _errand(ctx, id, data)
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
    client = _own(ctx, params["ConnectionId"])
    if client is None:
        await _errand(ctx, params["ConnectionId"], None)
    else:
        client.close(NORMAL)
    return {}


@service.direct("apigatewaymanagementapi:GetConnection")
async def get_connection(ctx: Context, params: Params) -> Result:
    client = _own(ctx, params["ConnectionId"])
    if client is not None:
        session = client.session
        return _shown(session.connected, client.last_active, session.peer, session.user_agent)
    record = await ctx.transact(lambda tx: _elsewhere(ctx, tx, params["ConnectionId"]))
    return _shown(record.connected, record.connected, record.peer, record.user_agent)


def _shown(connected: float, active: float, peer: str, user_agent: str) -> dict[str, Any]:
    return {
        "ConnectedAt": connected,
        "LastActiveAt": active,
        "Identity": {"SourceIp": peer, "UserAgent": user_agent},
    }
