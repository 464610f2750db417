"""Putting events, and trying patterns on them."""

from __future__ import annotations

from typing import Final

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.background.workers import LARGE
from cloudlet.services.events import direct, errors, pattern, putting
from cloudlet.services.events.block import service
from cloudlet.services.events.matching import Quick
from cloudlet.wire import json_text

_REQUIRED: Final = frozenset(("id", "account", "source", "time", "region", "detail-type"))


@service.direct("PutEvents")
async def put_events(ctx: Context, params: Params) -> Result:
    entries = params["Entries"]
    if params.get("EndpointId"):
        raise errors.not_built("global endpoints (EndpointId)")
    size = putting.checked_size(entries)
    prepared = [None] * len(entries) if size < LARGE else await putting.prepared(ctx, entries)
    way = direct.WAY.get(ctx.block)

    answers: list[dict[str, str]] = []

    async def body(tx: Transaction) -> tuple[list[dict[str, str]], Quick]:
        quick: Quick = {}
        put = putting.Putting(ctx, tx, quick if way.is_open else None)
        done = len(answers)
        return await put.put_some(entries[done:], prepared[done:]), quick

    while len(answers) < len(entries):
        try:
            more, quick = await ctx.transact(body)
        except putting.RequestDenial as denied:
            raise denied.error from None
        answers += more
        if quick:
            await way.deliver(quick)
    return {"FailedEntryCount": sum("ErrorCode" in answer for answer in answers), "Entries": answers}


@service.operation("TestEventPattern")
async def test_event_pattern(ctx: Context, tx: Transaction, params: Params) -> Result:
    compiled = pattern.compile(params["EventPattern"])
    try:
        event = json_text.decode(params["Event"])
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict) or not event.keys() >= _REQUIRED:
        raise errors.validation("Parameter Event is not valid.")
    return {"Result": compiled.matches(event)}
