"""Requests to HTTP endpoints, on behalf of APIs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import quote

from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.engines.http_client import HttpClient, HttpError, HttpResponse
from cloudlet.services.apigateway.functions import Failed

LARGEST_BYTES = 10 << 20
"""Of the body of an answer; also of a request's."""
_CONNECTIONS = 512
_CLIENTS: PerBlock[HttpClient] = PerBlock(lambda _: HttpClient(connections=_CONNECTIONS))
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
OF_THE_WAY = ("host", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto")
"""Headers that say by what way a request has come to the gateway."""
_VARIABLE = re.compile(r"\{([A-Za-z0-9._:-]+)\+?\}")
_AUTHORITY = re.compile(r"[a-z]+://[^/?#]*")
PATH_CHARACTERS = "/!$&'()*+,;=:@~"
"""Those that stand for themselves in a path."""


def end_to_end(headers: Mapping[str, str], *others: str) -> dict[str, str]:
    """Return the headers of a request that are for its endpoint too; `others` are left out besides."""
    named = {name.strip().lower() for name in headers.get("connection", "").split(",")}
    return {
        name: value
        for name, value in headers.items()
        if name not in HOP_BY_HOP and name not in others and name not in named
    }


def filled(url: str, value: Callable[[str], str | None]) -> str:
    """Return a URL, or a path, with the values of the variables in braces; those without a value stay.

    What a client says may be several segments of a path, but no part of a host begins or ends in it: it would be the
    client who says where the request goes.
    """
    authority = _AUTHORITY.match(url)
    head = "" if authority is None else authority[0]

    def replaced(text: str, safe: str) -> str:
        if "{" not in text:
            return text
        return _VARIABLE.sub(lambda match: match[0] if (known := value(match[1])) is None else quote(known, safe), text)

    return replaced(head, "") + replaced(url[len(head) :], PATH_CHARACTERS)


def _written(value: str) -> str:
    """Return a header's value as the client sends it: what Latin-1 has not, in UTF-8."""
    if not value.isascii():
        try:
            value.encode("latin-1")
        except UnicodeEncodeError:
            return value.encode("utf-8", "replace").decode("latin-1")
    return value


async def send(
    block: Block,
    method: str,
    url: str,
    headers: list[tuple[str, str]],
    body: bytes,
    seconds: float,
    client: HttpClient | None = None,
) -> HttpResponse:
    """Send a request and return the answer, whatever its status. Raises Failed where there is none."""
    headers = [(name, _written(value)) for name, value in headers]
    client = client or _CLIENTS.get(block)
    try:
        return await client.request(method, url, headers, body, timeout=seconds, limit=LARGEST_BYTES)
    except HttpError as error:
        status = {"timeout": 504, "connect": 503, "tls": 503, "closed": 503}.get(error.kind, 500)
        raise Failed(status, str(error)) from error
    except ValueError as error:
        raise Failed(500, f"Invalid request to the endpoint: {error}") from error
