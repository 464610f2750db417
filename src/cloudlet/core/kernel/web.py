"""What users of an application ask of it, where a block stands in front of it: API Gateway, function URLs.

Unlike a call of AWS's API it is any HTTP, is signed or not, and says by its host, or by its path for clients that
cannot resolve names, what it is for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from cloudlet.core.kernel.identity import Principal
from cloudlet.wire import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

DOMAINS = "domains"
"""The folder of a block, at /_cloudlet/<service>/, that says of a host whether it is a domain of one of its
applications: 200, else 404. The front door asks there where the block runs in a process of its own."""
RawHeaders = Sequence[tuple[bytes, bytes]]
"""Headers as a client wrote them."""


@dataclass(slots=True)
class DataPlaneRequest:
    """One request to an application."""

    request: HttpRequest
    """As it came: with its own path, and a body that may still be arriving."""
    host: str
    """The name by which it was asked for, in lower case and without a port."""
    resource: str
    """The id of what it is for (an API, a function's URL); empty where only the host says it."""
    path: str
    """The path below the resource, still percent-encoded; it begins with a slash."""
    prefix: str
    """What was before it, where the resource was named by the path: links are to begin with it."""
    peer: str
    """The client's address."""
    secure: bool
    upgradable: bool
    """Whether the client asks to leave HTTP: it may be answered with an `Upgrade`."""
    identify: Callable[[], Principal]
    """Returns who has signed it (an anonymous principal where nobody has). Raises AwsError for a wrong signature."""
    raw_headers: RawHeaders = ()
    """Its headers as the client wrote them; empty where that is not known any more."""

    def names(self) -> dict[str, str]:
        """Return the names of its headers as the client wrote them, by those in lower case."""
        written = [name.decode("latin-1") for name, _ in self.raw_headers]
        return {name.lower(): name for name in written}

    @property
    def is_signed(self) -> bool:
        """Whether it says that it is signed, in its headers or its URL."""
        return "authorization" in self.request.headers or "X-Amz-Signature=" in self.request.query

    async def body(self, limit: int) -> bytes:
        """Return its whole body. Raises ValueError for one of more than `limit` bytes."""
        body = self.request.body
        if not isinstance(body, bytes):
            return await body.read(limit)
        if len(body) > limit:
            raise ValueError(f"the body exceeds {limit} bytes")
        return body


class Upgrade(NamedTuple):
    """The answer to a visit that leaves HTTP (RFC 9110, section 7.8)."""

    head: bytes
    """The whole response's head, with its empty line."""
    protocol: asyncio.Protocol
    """Has the connection from then on, what has arrived of it included."""


Answer = HttpResponse | Upgrade
Web = Callable[["Block", DataPlaneRequest], Awaitable[Answer | None]]
"""Answers a visit; None where nothing here has the host that it names."""
