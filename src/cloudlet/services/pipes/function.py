"""Lambda functions as enrichments and targets: they get all events of a batch as a JSON array, also where it is one."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Arn
from cloudlet.core.kernel.block import Block
from cloudlet.services.pipes.calling import call
from cloudlet.services.pipes.pipe import Pipe
from cloudlet.services.pipes.stage import StageFailed


async def invoke(block: Block, pipe: Pipe, arn: Arn, texts: list[str], kind: str = "RequestResponse") -> Any:
    """Invoke a function and return what its answer says as JSON, None for nothing. Raises AwsError or StageFailed."""
    payload = b"[" + b",".join(_as_json(text) for text in texts) + b"]"
    params = {"FunctionName": str(arn), "InvocationType": kind, "Payload": payload}
    answer = await call(block, pipe, arn, "Invoke", params)
    raw = await _whole(answer.get("Payload"))
    if answer.get("FunctionError"):
        raise StageFailed(answer["FunctionError"], raw.decode(errors="replace")[:1024])
    if kind == "Event" or not raw.strip():
        return None
    try:
        return msgspec.json.decode(raw)
    except (ValueError, RecursionError) as error:
        raise StageFailed("InvalidResponse", f"{arn} answered no JSON: {error}") from None


def _as_json(text: str) -> bytes:
    """Return a text as it stands in JSON: as it is where it is some, else as a string."""
    raw = text.encode()
    try:
        msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return msgspec.json.encode(text)
    return raw


async def _whole(body: Any) -> bytes:
    """Return a payload that came whole or in parts."""
    if body is None:
        return b""
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    if isinstance(body, str):
        return body.encode()
    if hasattr(body, "__aiter__"):
        return b"".join([bytes(part) async for part in body])
    return b"".join(bytes(part) for part in body)
