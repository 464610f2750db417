"""Fetches tokens for connections that are authorized by OAuth. User guide, "OAuth authorization for connections"."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import msgspec
from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.background.lease import Lease
from cloudlet.core.background.retrying import DeliveryError
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import watching
from cloudlet.services.events import connection, http_request, http_sending
from cloudlet.services.events.connection import OAUTH, PARAMETERS, Connection, Secret

log = logging.getLogger("cloudlet.events")

_AT_ONCE = 50
_PAUSES_SECONDS = (1.0, 2.0, 0.0)
"""After each try to have the first token of a connection."""
_REFRESHED_SECONDS = 30.0
"""How long before its end a token is replaced."""
_REASON_CHARACTERS = 512
_fetching: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
"""One lock a connection: where its token has ended, all that wait for another one ask once."""


async def authorize(block: Block) -> None:
    """Authorize connections that are new or changed, until the block ends; one process at a time does."""
    async with (
        Lease(block, "authorization") as lease,
        watching(block, connection.TOPIC) as changed,
        asyncio.TaskGroup() as group,
    ):
        works = KeyedTasks(block, changed, _AT_ONCE)
        while True:
            changed.clear()
            for place in await block.store.transact(lambda tx: connection.authorizing(tx, _AT_ONCE + len(works))):
                works.start(group, place, f"authorization of {place}", partial(_authorize, block, lease, place))
            await changed.wait()


async def _authorize(block: Block, lease: Lease, place: connection.Place) -> None:
    async with lease.during():
        found = await block.store.transact(lambda tx: connection.find(tx, *place))
        # It may have been done, or the connection deleted, between being listed and being taken up here.
        reason = await _refusal(block, found) if found is not None and found.state == "AUTHORIZING" else ""
        if found is not None and reason:
            log.warning("%s could not be authorized: %s", found.arn, reason)
            await block.store.transact(lambda tx: _give_up(tx, found, reason))


async def _refusal(block: Block, found: Connection) -> str:
    """Try to have a token for a connection; return why there is none, or nothing."""
    for pause in _PAUSES_SECONDS:
        try:
            await token(block, found, "")
            return ""
        except DeliveryError as failed:
            reason = failed.message
            if failed.permanent:
                return reason
        await asyncio.sleep(pause)
    return reason


async def _give_up(tx: Transaction, found: Connection, reason: str) -> None:
    known = await _unchanged(tx, found)
    if known is not None:
        connection.save(tx, replace(known, state="DEAUTHORIZED", reason=reason[:_REASON_CHARACTERS]))


async def _unchanged(tx: Transaction, before: Connection) -> Connection | None:
    """Return a connection as it is now, unless it has been changed or deleted since."""
    known = await connection.find(tx, before.account, before.region, before.name)
    return known if known is not None and (known.id, known.modified) == (before.id, before.modified) else None


async def token(block: Block, found: Connection, refused: str) -> Secret:
    """Return what is secret of a connection, with a token that still holds; not the one that was `refused`.

    Raises Failed.
    """
    lock = _fetching.setdefault(found.arn, asyncio.Lock())
    async with lock:
        secret = await block.store.transact(lambda tx: connection.secret_of(tx, found))
        if secret is None:
            raise not_authorized(found)
        if PARAMETERS[OAUTH] not in secret.parameters:
            raise DeliveryError(
                "NO_PERMISSIONS", f"The connection {found.name} has just been changed.", permanent=False
            )
        ended = secret.expires is not None and secret.expires - _REFRESHED_SECONDS <= block.clock.now()
        if secret.token and secret.token != refused and not ended:
            return secret
        fetched = await _fetch(block, found.account, secret)

        async def keep(tx: Transaction) -> None:
            known = await _unchanged(tx, found)
            # A clock that stands does not tell two changes apart.
            if known is not None and await connection.secret_of(tx, known) == secret:
                connection.save(tx, replace(known, state="AUTHORIZED", reason="", authorized=block.clock.now()))
                connection.save_secret(tx, known, fetched)

        await block.store.transact(keep)
        return fetched


def not_authorized(found: Connection) -> DeliveryError:
    return DeliveryError("NO_PERMISSIONS", f"The connection {found.name} is not authorized.", permanent=True)


async def _fetch(block: Block, account: str, secret: Secret) -> Secret:
    """Ask for a token. Raises Failed."""
    request = http_request.for_token(secret.parameters[PARAMETERS[OAUTH]])
    response = await http_sending.send(block, account, request)
    refused = http_sending.refused(block, response)
    if refused is not None:
        message = f"The authorization endpoint answered with the status {response.status}."
        raise DeliveryError("NO_PERMISSIONS", message, permanent=refused.permanent, wait=refused.wait)
    try:
        given: Any = msgspec.json.decode(response.body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not isinstance(given.get("access_token"), str) or not given["access_token"]:
        raise DeliveryError("NO_PERMISSIONS", "The authorization endpoint gave no access token.", permanent=True)
    seconds = given.get("expires_in")
    ends = None
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0:
        ends = block.clock.now() + seconds
    return replace(secret, token=given["access_token"], expires=ends)
