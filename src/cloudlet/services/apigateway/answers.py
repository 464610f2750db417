"""What gateways answer by themselves."""

from __future__ import annotations

import msgspec

from cloudlet.wire import HttpResponse


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
