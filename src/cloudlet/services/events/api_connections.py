"""The operations on connections."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.events import connection, destination, errors, paging
from cloudlet.services.events.block import service
from cloudlet.services.events.connection import API_KEY, OAUTH, PARAMETERS, Connection, Secret
from cloudlet.services.events.http_request import FIXED_HEADERS

_NEEDED = {
    "BasicAuthParameters": ("Username", "Password"),
    "ApiKeyAuthParameters": ("ApiKeyName", "ApiKeyValue"),
    "OAuthParameters": ("ClientParameters", "AuthorizationEndpoint", "HttpMethod"),
    "ClientParameters": ("ClientID", "ClientSecret"),
}
"""What of AuthParameters must be there."""


def _refuse_unbuilt(params: Params) -> None:
    for name in ("InvocationConnectivityParameters", "KmsKeyIdentifier"):
        if params.get(name):
            raise errors.not_built(f"the parameter {name} of connections")
    if (params.get("AuthParameters") or {}).get("ConnectivityParameters"):
        raise errors.not_built("the parameter ConnectivityParameters of connections")


def _check(kind: str, parameters: dict[str, Any]) -> None:
    """Raise AwsError unless AuthParameters are those of a type of authorization, and whole."""
    own = PARAMETERS[kind]
    for name in PARAMETERS.values():
        if (name in parameters) != (name == own):
            raise errors.validation(f"Parameter AuthParameters is not valid. Reason: {kind} takes {own}.")
    given = parameters[own]
    _check_whole(own, given)
    headers = _headers(parameters.get("InvocationHttpParameters"))
    if kind == API_KEY:
        headers.append(given["ApiKeyName"])
    if kind == OAUTH:
        _check_whole("ClientParameters", given["ClientParameters"])
        destination.check_endpoint("AuthorizationEndpoint", given["AuthorizationEndpoint"])
        headers += _headers(given.get("OAuthHttpParameters"))
    for name in headers:
        if name.lower() in FIXED_HEADERS:
            raise errors.validation(f"Parameter AuthParameters is not valid. Reason: {name} cannot be a header.")


def _check_whole(part: str, given: dict[str, Any]) -> None:
    for name in _NEEDED[part]:
        if not given.get(name):
            raise errors.validation(f"Parameter {part} is not valid. Reason: {name} is missing.")


def _headers(parameters: dict[str, Any] | None) -> list[str]:
    return [each["Key"] for each in (parameters or {}).get("HeaderParameters") or () if each.get("Key")]


def _given(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if value}


def _summary(found: Connection) -> dict[str, Any]:
    shown = {
        "ConnectionArn": found.arn,
        "Name": found.name,
        "ConnectionState": found.state,
        "StateReason": found.reason,
        "AuthorizationType": found.kind,
        "CreationTime": found.created,
        "LastModifiedTime": found.modified,
        "LastAuthorizedTime": found.authorized,
    }
    return _given(shown)


def _answer(found: Connection, *names: str) -> Result:
    times = {
        "CreationTime": found.created,
        "LastModifiedTime": found.modified,
        "LastAuthorizedTime": found.authorized or None,
    }
    return {"ConnectionArn": found.arn, "ConnectionState": found.state, **{name: times[name] for name in names}}


def _authorize(tx: Transaction, made: Connection, parameters: dict[str, Any], now: float) -> Connection:
    """Store a connection with what it is authorized by: OAuth has yet to give a token, all else holds at once."""
    waits = made.kind == OAUTH
    entered = replace(
        made,
        state="AUTHORIZING" if waits else "AUTHORIZED",
        reason="",
        authorized=made.authorized if waits else now,
        parameters=connection.public(parameters),
    )
    connection.save(tx, entered)
    connection.save_secret(tx, entered, Secret(parameters))
    return entered


@service.operation("CreateConnection")
async def create_connection(ctx: Context, tx: Transaction, params: Params) -> Result:
    _refuse_unbuilt(params)
    name, kind, parameters = params["Name"], params["AuthorizationType"], params["AuthParameters"]
    _check(kind, parameters)
    if await connection.find(tx, ctx.account, ctx.region, name) is not None:
        raise AwsError("ResourceAlreadyExistsException", f"Connection {name} already exists.")
    space = connection.of_account(ctx.account, ctx.region)
    if len(await tx.range(space.begin, space.end, limit=connection.CONNECTIONS)) == connection.CONNECTIONS:
        raise errors.limit_exceeded()
    now = ctx.now()
    made = Connection(ctx.account, ctx.region, name, uuid4(), kind, "", now, now, {}, params.get("Description") or "")
    return _answer(_authorize(tx, made, parameters, now), "CreationTime", "LastModifiedTime")


@service.operation("UpdateConnection")
async def update_connection(ctx: Context, tx: Transaction, params: Params) -> Result:
    _refuse_unbuilt(params)
    found = await connection.get(tx, ctx.account, ctx.region, params["Name"])
    now = ctx.now()
    kind = params.get("AuthorizationType") or found.kind
    changed = replace(
        found,
        kind=kind,
        modified=now,
        description=params.get("Description", found.description),
    )
    given = params.get("AuthParameters") or {}
    if given or kind != found.kind:
        secret = await connection.secret_of(tx, found)
        known = {} if secret is None else secret.parameters
        if kind != found.kind:
            known = {name: value for name, value in known.items() if name != PARAMETERS[found.kind]}
        parameters = connection.merged(known, given)
        _check(kind, parameters)
        changed = _authorize(tx, changed, parameters, now)
    else:
        connection.save(tx, changed)
    return _answer(changed, "CreationTime", "LastModifiedTime", "LastAuthorizedTime")


@service.operation("DeauthorizeConnection")
async def deauthorize_connection(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await connection.get(tx, ctx.account, ctx.region, params["Name"])
    changed = replace(found, state="DEAUTHORIZED", reason="", parameters={}, modified=ctx.now())
    connection.save(tx, changed)
    connection.remove_secret(tx, changed)
    return _answer(changed, "CreationTime", "LastModifiedTime", "LastAuthorizedTime")


@service.operation("DeleteConnection")
async def delete_connection(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await connection.get(tx, ctx.account, ctx.region, params["Name"])
    connection.remove(tx, found)
    gone = replace(found, state="DELETING")
    return _answer(gone, "CreationTime", "LastModifiedTime", "LastAuthorizedTime")


@service.operation("DescribeConnection")
async def describe_connection(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await connection.get(tx, ctx.account, ctx.region, params["Name"])
    return {**_summary(found), **_given({"Description": found.description, "AuthParameters": found.parameters})}


@service.operation("ListConnections")
async def list_connections(ctx: Context, tx: Transaction, params: Params) -> Result:
    prefix, state = params.get("NamePrefix") or "", params.get("ConnectionState")

    def select(raw: bytes) -> dict[str, Any] | None:
        found = connection.decode(raw)
        return _summary(found) if found.name.startswith(prefix) and state in (None, found.state) else None

    space = connection.of_account(ctx.account, ctx.region)
    found, token = await paging.page(tx, space, params.get("NextToken"), params.get("Limit"), select)
    return {"Connections": found, "NextToken": token}
