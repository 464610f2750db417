"""Calls of other blocks' APIs, as a session of the pipe's role."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Arn
from cloudlet.core.block import Block
from cloudlet.core.role_session import session_of
from cloudlet.services.pipes.pipe import Pipe


async def call(
    block: Block, pipe: Pipe, arn: Arn, operation: str, params: dict[str, Any], *, service: str = ""
) -> dict[str, Any]:
    """Call the API of the block that has the resource with an ARN. Raises AwsError."""
    result = await block.cloud.call(
        service or arn.service,
        operation,
        params,
        principal=session_of(pipe.role, pipe.name),
        account=pipe.account,
        region=arn.region,
    )
    return dict(result or {})


def url_of(block: Block, queue: Arn) -> str:
    """Return the URL of a queue."""
    return f"{block.cloud.config.endpoint}/{queue.account}/{queue.resource}"


async def invoke_destination(
    block: Block, pipe: Pipe, arn: Arn, text: str, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Have EventBridge invoke an API destination; it lets blocks do so, and nobody else. Raises AwsError."""
    params = {"ApiDestinationArn": str(arn), "Body": text, "HttpParameters": parameters}
    result = await block.call(
        "events", "InvokeApiDestination", params, account=arn.account, region=arn.region, source_arn=pipe.arn
    )
    return dict(result or {})
