"""The operations on API destinations."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import Arn, AwsError, Context, Params, Result, Transaction
from cloudlet.core.authorization.role_session import make_session
from cloudlet.core.background.retrying import DeliveryError
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.events import access, connection, destination, errors, gateway, invoking, paging
from cloudlet.services.events.block import service
from cloudlet.services.events.destination import Destination

_SESSION: Final = "EventBridge"


async def _check_connection(ctx: Context, tx: Transaction, text: str) -> None:
    """Raise AwsError unless a connection is there, in the account and the region."""
    arn = Arn.parse(text)
    if (arn.account, arn.region) != (ctx.account, ctx.region):
        raise errors.validation("Parameter ConnectionArn is not valid. Reason: it is of another account or region.")
    await connection.with_arn(tx, text)


async def _state(tx: Transaction, found: Destination) -> str:
    """Return whether a destination can be invoked: its connection is authorized."""
    try:
        used = await connection.with_arn(tx, found.connection)
    except AwsError:
        return "INACTIVE"
    return "ACTIVE" if used.state == "AUTHORIZED" else "INACTIVE"


async def _answer(tx: Transaction, found: Destination) -> Result:
    return {
        "ApiDestinationArn": found.arn,
        "ApiDestinationState": await _state(tx, found),
        "CreationTime": found.created,
        "LastModifiedTime": found.modified,
    }


async def _summary(tx: Transaction, found: Destination) -> dict[str, Any]:
    return {
        "ApiDestinationArn": found.arn,
        "Name": found.name,
        "ApiDestinationState": await _state(tx, found),
        "ConnectionArn": found.connection,
        "InvocationEndpoint": found.endpoint,
        "HttpMethod": found.method,
        "InvocationRateLimitPerSecond": found.rate,
        "CreationTime": found.created,
        "LastModifiedTime": found.modified,
    }


@service.operation("CreateApiDestination")
async def create_api_destination(ctx: Context, tx: Transaction, params: Params) -> Result:
    name, endpoint = params["Name"], params["InvocationEndpoint"]
    destination.check_endpoint("InvocationEndpoint", endpoint)
    if await destination.find(tx, ctx.account, ctx.region, name) is not None:
        raise AwsError("ResourceAlreadyExistsException", f"An api-destination '{name}' already exists.")
    await _check_connection(ctx, tx, params["ConnectionArn"])
    space = destination.of_account(ctx.account, ctx.region)
    if len(await tx.range(space.begin, space.end, limit=destination.DESTINATIONS)) == destination.DESTINATIONS:
        raise errors.limit_exceeded()
    made = Destination(
        ctx.account,
        ctx.region,
        name,
        uuid4(),
        params["ConnectionArn"],
        endpoint,
        params["HttpMethod"],
        ctx.now(),
        ctx.now(),
        params.get("InvocationRateLimitPerSecond") or destination.RATE,
        params.get("Description") or "",
    )
    destination.save(tx, made)
    return await _answer(tx, made)


@service.operation("UpdateApiDestination")
async def update_api_destination(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await destination.get(tx, ctx.account, ctx.region, params["Name"])
    if params.get("InvocationEndpoint"):
        destination.check_endpoint("InvocationEndpoint", params["InvocationEndpoint"])
    if params.get("ConnectionArn"):
        await _check_connection(ctx, tx, params["ConnectionArn"])
    changed = replace(
        found,
        connection=params.get("ConnectionArn") or found.connection,
        endpoint=params.get("InvocationEndpoint") or found.endpoint,
        method=params.get("HttpMethod") or found.method,
        rate=params.get("InvocationRateLimitPerSecond") or found.rate,
        description=params.get("Description", found.description),
        modified=ctx.now(),
    )
    destination.save(tx, changed)
    return await _answer(tx, changed)


@service.direct("InvokeApiDestination")
async def invoke_api_destination(ctx: Context, params: Params) -> Result:
    """Invoke a destination, or a method of a REST API, for another block, which gets the answer.

    The block calls in the account on whose behalf it does: no other one's connections are used, and no other one's
    roles. What may pass is answered with the status 503.
    """
    arn = Arn.parse(params["ApiDestinationArn"])
    body, parameters = params["Body"], params.get("HttpParameters") or {}
    try:
        role = params.get("RoleArn") or ""
        access.check_role(ctx, role)
        session = make_session(role, _SESSION, ctx.principal.arn, ctx.source_arn) if role else None
        if arn.service == gateway.SERVICE:
            response = await gateway.invoke(ctx.block, ctx.account, arn, session, body, parameters)
        elif (arn.account, arn.region) != (ctx.account, ctx.region):
            raise AwsError("AccessDeniedException", f"{arn} is of another account or region.", status=403)
        else:
            if session is not None:
                await access.authorize_destination(ctx.block, str(arn), ctx.account, session)
            response = await invoking.invoke(ctx.block, arn, body, parameters)
        return {"StatusCode": response.status, "Body": invoking.content(response)}
    except DeliveryError as failed:
        raise AwsError(failed.code, failed.message, status=400 if failed.permanent else 503) from failed


@service.operation("DeleteApiDestination")
async def delete_api_destination(ctx: Context, tx: Transaction, params: Params) -> Result:
    destination.remove(tx, await destination.get(tx, ctx.account, ctx.region, params["Name"]))
    return {}


@service.operation("DescribeApiDestination")
async def describe_api_destination(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await destination.get(tx, ctx.account, ctx.region, params["Name"])
    return {**await _summary(tx, found), "Description": found.description or None}


@service.operation("ListApiDestinations")
async def list_api_destinations(ctx: Context, tx: Transaction, params: Params) -> Result:
    prefix, wanted = params.get("NamePrefix") or "", params.get("ConnectionArn")

    def select(raw: bytes) -> Destination | None:
        found = destination.decode(raw)
        return found if found.name.startswith(prefix) and wanted in (None, found.connection) else None

    space = destination.of_account(ctx.account, ctx.region)
    found, token = await paging.page(tx, space, params.get("NextToken"), params.get("Limit"), select)
    return {"ApiDestinations": [await _summary(tx, each) for each in found], "NextToken": token}
