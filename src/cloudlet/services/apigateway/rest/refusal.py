"""What ends a request to a REST API with a gateway response."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.services.apigateway.rest import gateway_responses


class Refusal(Exception):
    """Ends a request. `kind` is the type of the gateway response; the reason is for the log.

    `status` is what it has where the API does not say otherwise, `context` goes to `$context.error`.
    """

    def __init__(
        self,
        kind: str,
        text: str | None,
        reason: str = "",
        *,
        status: int | None = None,
        validation: str = "",
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.reason = reason or text or kind
        self.status = gateway_responses.usual_status(kind) if status is None else status
        self.validation = validation
        """What is wrong with a body, for `$context.error.validationErrorString`."""

    @property
    def context(self) -> dict[str, Any]:
        """What `$context.error` says."""
        shown = msgspec.json.encode(self.text).decode()
        return {
            "message": self.text or "",
            "messageString": shown,
            "responseType": self.kind,
            "validationErrorString": self.validation,
        }


def internal(reason: str, *, status: int = 500) -> Refusal:
    """Something in the API does not work."""
    return Refusal("API_CONFIGURATION_ERROR", "Internal server error", reason, status=status)
