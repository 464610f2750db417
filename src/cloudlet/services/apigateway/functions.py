"""Calls of Lambda functions, by their API."""

from __future__ import annotations

import asyncio
from typing import Any

from cloudlet.core import Arn, AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import Principal
from cloudlet.services.apigateway import role_calls

TOO_LARGE = 413
_TOO_MANY = 429
_STATUSES = {"RequestTooLargeException": TOO_LARGE, "RequestEntityTooLargeException": TOO_LARGE}


class Failed(Exception):
    """The function gave no answer. `status` is what the gateway answers then; the text is for the log."""

    def __init__(self, status: int, reason: str, *, error: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.error = error
        """What the function itself has raised, if that is why."""


async def invoke(
    block: Block,
    function: str,
    event: bytes,
    account: str,
    source_arn: str,
    seconds: float,
    trace: str | None = None,
    *,
    role: str = "",
    caller: Principal | None = None,
) -> bytes:
    """Call a function with an event, as an API (`source_arn`) of an account, and return its answer. Raises Failed.

    `trace` is a trace header that the function gets. With a role it is a session of that which calls, or the `caller`
    of the API.
    """
    try:
        region = Arn.parse(function).region
    except ValueError:
        raise Failed(500, f"Invalid function: {function}") from None
    params: dict[str, Any] = {"FunctionName": function, "Payload": event, "InvocationType": "RequestResponse"}
    try:
        async with asyncio.timeout(seconds):
            result = await role_calls.call(
                block,
                "lambda",
                "Invoke",
                params,
                role=role,
                caller=caller,
                account=account,
                region=region,
                source_arn=source_arn,
                trace=trace,
            )
    except TimeoutError:
        raise Failed(503, "Integration timed out") from None
    except AwsError as error:
        status = _STATUSES.get(error.code, 503 if error.status == _TOO_MANY else 500)
        raise Failed(status, f"{error.code}: {error.message}") from error
    payload: bytes = (result or {}).get("Payload") or b""
    if (result or {}).get("FunctionError"):
        raise Failed(500, "The function has failed", error=payload.decode(errors="replace"))
    return payload
