"""Putting events, and trying patterns on them."""

from __future__ import annotations

import msgspec

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.events import errors, pattern, putting
from cloudlet.services.events.block import service

_REQUIRED = ("id", "account", "source", "time", "region", "resources", "detail-type")


@service.operation("PutEvents")
async def put_events(ctx: Context, tx: Transaction, params: Params) -> Result:
    entries = params["Entries"]
    if params.get("EndpointId"):
        raise errors.not_built("global endpoints (EndpointId)")
    putting.check_size(entries)
    answers = [await putting.put(ctx, tx, entry) for entry in entries]
    return {"FailedEntryCount": sum("ErrorCode" in answer for answer in answers), "Entries": answers}


@service.operation("TestEventPattern")
async def test_event_pattern(ctx: Context, tx: Transaction, params: Params) -> Result:
    compiled = pattern.compile(params["EventPattern"])
    try:
        event = msgspec.json.decode(params["Event"])
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise errors.validation("Parameter Event is not valid.")
    for name in _REQUIRED:
        if name not in event:
            raise AwsError("ValidationException", f"Parameter Event is not valid. Reason: {name} is missing.")
    return {"Result": compiled.matches(event)}
