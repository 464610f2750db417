"""Sends requests to HTTP endpoints, no more of them at once and a second than they can take."""

from __future__ import annotations

import asyncio
import resource
from datetime import datetime
from email.utils import parsedate_to_datetime
from ssl import SSLContext, create_default_context

from cloudlet.core.background.fair_semaphore import FairSemaphore
from cloudlet.core.background.retrying import DeliveryError
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.engines.http_client import HttpClient, HttpError, HttpResponse
from cloudlet.services.events.http_request import Request

_TIMEOUT_SECONDS = 5.0
_LARGEST_BYTES = 1 << 20
_MOST_AT_ONCE = 1000
_SHARE_OF_FILES = 4
"""But no more connections than a quarter of the files that the process may open."""
_PACED = 10_000
"""Destinations of which it is known when they are next to be sent something; where there are more, those at rest are
forgotten."""
_SERVER_ERROR, _TOO_MANY = 500, 429


class _Way:
    """A block's way to HTTP endpoints."""

    def __init__(self, block: Block) -> None:
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = _MOST_AT_ONCE if files < 0 else min(_MOST_AT_ONCE, max(1, files // _SHARE_OF_FILES))
        self.places = FairSemaphore(most, max(1, most // 2))
        # As EventBridge's requests say, each has a connection of its own.
        self.client = HttpClient(connections=most, resting=0, ssl_context=_trusting(block))
        self.following: dict[str, float] = {}
        """When, by the loop's clock, each destination is next to be sent something."""


def _trusting(block: Block) -> SSLContext | None:
    """Return what verifies certificates: Cloudlet's own authority counts too, for APIs behind its front door."""
    authority = block.cloud.config.authority
    if authority is None:
        return None
    context = create_default_context()
    context.load_verify_locations(authority)
    return context


_WAY = PerBlock(_Way)


async def paced(block: Block, destination: str, rate: int) -> None:
    """Wait until a destination may be sent something, so that it gets no more than so much a second."""
    following, now = _WAY.get(block).following, asyncio.get_running_loop().time()
    if len(following) >= _PACED:
        for known in [known for known, time in following.items() if time <= now]:
            del following[known]
    at = max(now, following.get(destination, 0.0))
    following[destination] = at + 1 / rate
    if at > now:
        await asyncio.sleep(at - now)


async def send(block: Block, account: str, request: Request) -> HttpResponse:
    """Send a request for an account; return the response, whatever its status. Raises Failed where there is none.

    An account's endpoints that do not answer have half of the connections at most.
    """
    way = _WAY.get(block)
    try:
        async with way.places.hold(account):
            return await way.client.request(*request, timeout=_TIMEOUT_SECONDS, limit=_LARGEST_BYTES, repeatable=False)
    except HttpError as error:
        code = {"timeout": "TIMEOUT", "too-large": "ERROR_FROM_TARGET"}.get(error.kind, "CONNECTION_FAILURE")
        raise DeliveryError(code, str(error), permanent=error.kind == "too-large") from error
    except ValueError:
        # What is wrong may be secret, so that it is not shown.
        raise DeliveryError(
            "INVALID_PARAMETER", "The URL or a header has characters that HTTP has not.", permanent=True
        ) from None


def refused(block: Block, response: HttpResponse) -> DeliveryError | None:
    """Return what a response means that does not accept; None for one that does.

    User guide, "API destination error codes": 429 and 5xx are tried again, after what Retry-After says, nothing else.
    """
    status = response.status
    if 200 <= status < 300:
        return None
    passes = status == _TOO_MANY or status >= _SERVER_ERROR
    wait = _retry_after(response.header("retry-after"), block.clock.now()) if passes else 0.0
    code = "THROTTLING" if status == _TOO_MANY else "ERROR_FROM_TARGET"
    return DeliveryError(
        code, f"The endpoint answered with the status {status}.", permanent=not passes or wait < 0, wait=wait
    )


def _retry_after(text: str | None, now: float) -> float:
    """Return for how many seconds not to ask again; below zero: never. Anything odd says nothing."""
    if text is None:
        return 0.0
    try:
        return float(int(text))
    except (ValueError, OverflowError):
        pass
    try:
        moment: datetime = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    return max(0.0, moment.timestamp() - now)
