"""What gateways answer by themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from cloudlet.services.apigateway.outward import HOP_BY_HOP
from cloudlet.wire import HttpResponse

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, section 5.1."""
_REMAPPED = HOP_BY_HOP | {"date"}


def remapped(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return headers that an API has worded, names in lower case, as a response may have them.

    What is the server's own to say, such as how long a body is, goes by another name (developer guide, "Important notes
    for REST APIs").
    """
    return [(f"x-amzn-remapped-{name}" if name in _REMAPPED else name, value) for name, value in headers]


def message(status: int, text: str, *headers: tuple[str, str]) -> HttpResponse:
    """Return an answer whose body is a message, as API Gateway's errors have it."""
    body = msgspec.json.encode({"message": text})
    return HttpResponse(status, [("content-type", "application/json"), *headers], body)


class Refused(Exception):
    """Ends a request with an answer of the gateway's own.

    `response_type` is the type of the answer in access logs; the reason is for the log.
    """

    def __init__(
        self,
        status: int,
        text: str,
        response_type: str = "",
        *,
        headers: tuple[tuple[str, str], ...] = (),
        reason: str = "",
    ) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.response_type = response_type
        self.headers = headers
        self.reason = reason

    @property
    def response(self) -> HttpResponse:
        return message(self.status, self.text, *self.headers)
