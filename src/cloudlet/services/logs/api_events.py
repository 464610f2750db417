"""The operations on log events."""

from __future__ import annotations

from typing import Final

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.logs import (
    account_policy,
    arrivals,
    embedded_metrics,
    encryption,
    errors,
    events,
    filtering,
    outbox,
    pending,
    putting,
    resource_policy,
    scanning,
    tailing,
)
from cloudlet.services.logs import group as groups
from cloudlet.services.logs import stream as streams
from cloudlet.services.logs.block import service
from cloudlet.services.logs.events import Position
from cloudlet.services.logs.group_record import Group
from cloudlet.services.logs.measuring import Incoming
from cloudlet.services.logs.protection import Mask
from cloudlet.services.logs.row_record import OVERHEAD
from cloudlet.services.logs.scanning import FOREVER, Found, Search
from cloudlet.services.logs.stream_record import Stream

_START: Final = Position(0, 0, 0, 0)


@service.operation("PutLogEvents")
async def put_log_events(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("entity") is not None:
        raise errors.not_built("entities of log events (entity)")
    now = ctx.now()
    await resource_policy.authorize(ctx, tx, params["logGroupName"], "PutLogEvents", params["logStreamName"])
    group = await groups.named(ctx, tx, params["logGroupName"])
    stream = await streams.named(tx, group, params["logStreamName"])
    kept, size, rejected = putting.accepted(group, params["logEvents"], now)
    if kept.messages:
        ctx.measured = Incoming(len(kept.messages), size - OVERHEAD * len(kept.messages))
        millis = int(now * 1000)
        subscriptions = await account_policy.subscriptions(tx, group)
        has_metrics = group.filters > 0 or embedded_metrics.is_there(kept.messages)
        key = encryption.get_key(ctx.block, group)
        for place in events.put(tx, group, stream, kept, millis, key):
            arrivals.note(tx, group, place, millis)
            if has_metrics:
                pending.add(tx, group, place)
            for subscription in subscriptions:
                outbox.add(tx, subscription, group, place, millis)
        streams.note(tx, group, stream, kept.timestamps[0], kept.timestamps[-1], millis)
        groups.add_bytes(tx, group.id, size)
    return {"nextSequenceToken": f"{stream.batches:056d}", "rejectedLogEventsInfo": rejected}


@service.direct("GetLogEvents")
async def get_log_events(ctx: Context, params: Params) -> Result:
    async def look(tx: Transaction) -> tuple[Group, Stream, Mask | None]:
        group = await groups.identified(ctx, tx, params)
        stream = await streams.named(tx, group, params["logStreamName"])
        return group, stream, await filtering.masking(tx, group, params)

    group, stream, mask = await ctx.transact(look)
    forward, position = _token(params.get("nextToken"), params.get("startFromHead", False))
    search = Search(
        group.id,
        stream.id,
        first=max(params.get("startTime", 0), group.horizon(ctx.now())),
        last=params.get("endTime", FOREVER + 1) - 1,
        after=position if forward else None,
        before=None if forward else position,
        reverse=not forward,
        mask=mask,
    )
    found, _ = await scanning.page(ctx.block, search, params.get("limit", scanning.MOST_EVENTS))
    if not forward:
        found.reverse()
    forward_token, backward_token = _tokens(found, forward, position)
    return {
        "events": [
            {"timestamp": event.position.timestamp, "message": event.message, "ingestionTime": event.ingested}
            for event in found
        ],
        "nextForwardToken": forward_token,
        "nextBackwardToken": backward_token,
    }


def _tokens(found: list[Found], forward: bool, position: Position | None) -> tuple[str, str]:
    """Return the tokens that lead on, and back, from events that were found behind a position, or before it."""
    if found:
        last, first = found[-1].position.id, found[0].position.id
    else:
        # The token that has led nowhere stays; the other one turns back, to the event at which the page before ended.
        at = position or _START
        turned = f"{max(int(at.id) + (1 if forward else -1), 0):0{len(at.id)}d}"
        last, first = (at.id, turned) if forward else (turned, at.id)
    return f"f/{last}/s", f"b/{first}/s"


def _token(token: str | None, from_head: bool) -> tuple[bool, Position | None]:
    """Return whether a token of GetLogEvents goes forward, and from where. Raises AwsError."""
    if token is None:
        return from_head, None
    direction, _, rest = token.partition("/")
    event_id, _, end = rest.partition("/")
    try:
        position = events.position_of(event_id)
    except ValueError:
        raise errors.invalid_token() from None
    if direction not in ("f", "b") or end != "s":
        raise errors.invalid_token()
    return direction == "f", position


service.direct("FilterLogEvents")(filtering.filter_log_events)
service.direct("TestMetricFilter")(filtering.test_metric_filter)
service.direct("StartLiveTail")(tailing.start_live_tail)
