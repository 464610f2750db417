"""Requests to HTTP endpoints, on behalf of APIs."""

from __future__ import annotations

from cloudlet.core.attached import Attached
from cloudlet.core.block import Block
from cloudlet.engines.http_client import HttpClient, HttpError, HttpResponse
from cloudlet.services.apigateway.functions import Failed

LARGEST_BYTES = 10 << 20
"""Of the body of an answer; also of a request's."""
_CONNECTIONS = 512
_CLIENTS: Attached[HttpClient] = Attached(lambda _: HttpClient(connections=_CONNECTIONS))
HOP_BY_HOP = frozenset(
    (
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
"""Headers that are about one connection only (RFC 9110, section 7.6.1)."""


async def send(
    block: Block, method: str, url: str, headers: list[tuple[str, str]], body: bytes, seconds: float
) -> HttpResponse:
    """Send a request and return the answer, whatever its status. Raises Failed where there is none."""
    try:
        return await _CLIENTS.of(block).request(method, url, headers, body, timeout=seconds, limit=LARGEST_BYTES)
    except HttpError as error:
        status = {"timeout": 504, "connect": 503, "tls": 503, "closed": 503}.get(error.kind, 500)
        raise Failed(status, str(error)) from error
    except ValueError as error:
        raise Failed(500, f"Invalid request to the endpoint: {error}") from error
