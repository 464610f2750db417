"""Requests in the store: they, the tokens of clients, and which resources are being changed."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.core.kernel.vault import Vault
from cloudlet.services.cloudcontrol import errors, states
from cloudlet.services.cloudcontrol.request_record import Request
from cloudlet.services.cloudcontrol.states import Status

_REQUESTS: Final = Subspace("request")
_TIMES: Final = Subspace("time")
_TOKENS: Final = Subspace("token")
_LOCKS: Final = Subspace("lock")
_LAST_MILLIS: Final = 1 << 48
CLIENT_TOKEN_SECONDS: Final = 36 * 3600.0
KEPT_SECONDS: Final = 7 * 86400.0
"""The time for which a request can be looked at."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Request).decode


def _get_order(request: Request) -> int:
    """Return what sorts the newest request first."""
    return _LAST_MILLIS - int(request.started * 1000)


def get_space(account: str, region: str) -> Subspace:
    """Return the subspace of an account's requests in a region, the newest first."""
    return _REQUESTS.sub(account, region)


def decode(vault: Vault, account: str, raw: bytes) -> Request:
    """Return a request by its row's value."""
    return _decode(vault.decrypt(raw, account))


def save(tx: Transaction, vault: Vault, request: Request) -> None:
    """Write a request, encrypted: properties may be secrets."""
    key = _REQUESTS.key(request.account, request.region, _get_order(request), request.token)
    tx.put(key, vault.encrypt(_encode(request), request.account))
    tx.put(_TOKENS.key(request.account, request.region, "request", request.token), key)


async def find(tx: Transaction, vault: Vault, account: str, region: str, token: str) -> Request | None:
    """Return a request by its token."""
    key = await tx.get(_TOKENS.key(account, region, "request", token))
    raw = None if key is None else await tx.get(key)
    return None if raw is None else decode(vault, account, raw)


async def find_repeated(tx: Transaction, vault: Vault, request: Request) -> Request | None:
    """Return the request that has a new one's client token. Raises ClientTokenConflictException for another one."""
    if not request.client_token:
        return None
    token = await tx.get(_TOKENS.key(request.account, request.region, "client", request.client_token))
    found = None if token is None else await find(tx, vault, request.account, request.region, token.decode())
    if found is None or found.started + CLIENT_TOKEN_SECONDS < request.started:
        return None
    if found.digest != request.digest:
        raise errors.make_token_conflict()
    return found


async def add(tx: Transaction, vault: Vault, request: Request) -> None:
    """Write a new request. Raises ConcurrentOperationException where its resource is being changed."""
    await lock(tx, request)
    save(tx, vault, request)
    tx.put(_TIMES.key(int(request.started), request.account, request.region, request.token), b"")
    if request.client_token:
        key = _TOKENS.key(request.account, request.region, "client", request.client_token)
        tx.put(key, request.token.encode())


async def lock(tx: Transaction, request: Request) -> None:
    """Have no other request change the resource of one."""
    if not request.identifier:
        return
    key = _LOCKS.key(request.account, request.region, request.type, request.identifier)
    holder = await tx.get(key)
    if holder is not None and holder.decode() != request.token:
        raise errors.make_concurrent_operation()
    tx.put(key, request.token.encode())


async def conclude(tx: Transaction, vault: Vault, request: Request, status: Status) -> None:
    """Bring a request to its last state, unless it was cancelled meanwhile."""
    now = await find(tx, vault, request.account, request.region, request.token)
    if now is None or states.is_final(now.status):
        return
    if not states.can_follow(now.status, status):
        status = "CANCEL_COMPLETE"
    # What was asked for is not needed any more.
    save(tx, vault, replace(request, status=status, properties={}, before={}, attributes={}, patch=""))
    await _unlock(tx, request)


async def _unlock(tx: Transaction, request: Request) -> None:
    if request.identifier:
        key = _LOCKS.key(request.account, request.region, request.type, request.identifier)
        if await tx.get(key) == request.token.encode():
            tx.delete(key)


def get_times() -> Subspace:
    """Return the subspace of requests by the time at which they came."""
    return _TIMES


async def delete_expired(tx: Transaction, vault: Vault, row: bytes) -> None:
    """Delete the request that a row of the times is of."""
    _, account, region, token = _TIMES.unpack(row)
    found = await find(tx, vault, account, region, token)
    tx.delete(_TOKENS.key(account, region, "request", token))
    if found is None:
        return
    tx.delete(_REQUESTS.key(account, region, _get_order(found), token))
    await _unlock(tx, found)
    if found.client_token:
        key = _TOKENS.key(account, region, "client", found.client_token)
        if await tx.get(key) == token.encode():
            tx.delete(key)


def to_api(request: Request) -> dict[str, Any]:
    """Return a request as a ProgressEvent."""
    shown: dict[str, Any] = {
        "TypeName": request.type,
        "RequestToken": request.token,
        "Operation": request.operation,
        "OperationStatus": request.status,
        "EventTime": request.started,
    }
    optional = {
        "Identifier": request.identifier,
        "StatusMessage": request.message,
        "ErrorCode": request.code,
        "ResourceModel": request.model,
    }
    return shown | {key: value for key, value in optional.items() if value}


def render_model(properties: dict[str, Any]) -> str:
    """Return properties as JSON."""
    return json.dumps(properties, separators=(",", ":"))
