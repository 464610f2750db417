"""Invokes API destinations. User guide, "API destinations as targets"."""

from __future__ import annotations

import zlib

from cloudlet.core import Arn, AwsError, Transaction
from cloudlet.core.background.retrying import DeliveryError
from cloudlet.core.kernel.block import Block
from cloudlet.engines.http_client import HttpResponse
from cloudlet.services.events import authorizing, connection, destination, failure, http_request, http_sending
from cloudlet.services.events.connection import OAUTH, Connection, Secret
from cloudlet.services.events.destination import Destination
from cloudlet.services.events.http_request import Parameters

_UNAUTHORIZED = frozenset((401, 407))
_LARGEST_BYTES = 1 << 20
_WINDOW_BITS = 47
"""zlib's word for: gzip's or zlib's header, whichever is there."""


async def invoke(block: Block, arn: Arn, body: str, parameters: Parameters) -> HttpResponse:
    """Send a body to an API destination; return the response of one that accepted it. Raises Failed.

    A token that the endpoint refuses is replaced, once.
    """
    found, used, secret = await _look_up(block, arn)
    await http_sending.paced(block, found.arn, found.rate)
    if used.kind == OAUTH:
        secret = await authorizing.token(block, used, "")
    request = http_request.to_destination(found, used.kind, secret, body, parameters)
    response = await http_sending.send(block, found.account, request)
    if used.kind == OAUTH and response.status in _UNAUTHORIZED:
        secret = await authorizing.token(block, used, secret.token)
        request = http_request.to_destination(found, used.kind, secret, body, parameters)
        response = await http_sending.send(block, found.account, request)
    refused = http_sending.refused(block, response)
    if refused is not None:
        raise refused
    return response


async def _look_up(block: Block, arn: Arn) -> tuple[Destination, Connection, Secret]:
    """Return a destination, its connection, and what is secret of that. Raises Failed."""

    async def body(tx: Transaction) -> tuple[Destination, Connection, Secret | None]:
        found = await destination.with_arn(tx, arn)
        used = await connection.with_arn(tx, found.connection)
        return found, used, await connection.secret_of(tx, used)

    try:
        found, used, secret = await block.store.transact(body)
    except AwsError as error:
        raise failure.of(error) from error
    if secret is None or used.state == "DEAUTHORIZED":
        raise authorizing.not_authorized(used)
    return found, used, secret


def content(response: HttpResponse) -> bytes:
    """Return the body of a response, decompressed; no more than 1 MiB of it. Raises Failed."""
    if (response.header("content-encoding") or "identity").lower() not in ("gzip", "x-gzip", "deflate"):
        return response.body
    try:
        return zlib.decompressobj(_WINDOW_BITS).decompress(response.body, _LARGEST_BYTES)
    except zlib.error as error:
        raise DeliveryError(
            "ERROR_FROM_TARGET", f"The response cannot be decompressed: {error}", permanent=True
        ) from error
