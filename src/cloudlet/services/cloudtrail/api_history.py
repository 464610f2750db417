"""Operations on events: the one by which they come, and the history in which they are looked up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import page_tokens, service_events
from cloudlet.services.cloudtrail import data_wanted, event_bus, history, outbox, trail
from cloudlet.services.cloudtrail.block import service
from cloudlet.services.cloudtrail.event import Event
from cloudlet.services.cloudtrail.lake import events, stores
from cloudlet.services.cloudtrail.lake.stores import EventDataStore

_MOST_RESULTS = 50
_MOST_PAGES = 20
"""The pages that one answer reads at most: indexed events may be gone, or large."""
_MOST_LOOKED = 1000
"""So often a trail or an event data store looks at an event in one transaction, before others have their turn."""


@service.direct("RecordEvents")
async def record_events(ctx: Context, params: Params) -> Result:
    """Keep what a block has noted of its calls, and say whether anybody wants data events."""
    texts = params["Events"]
    while texts:
        kept = await ctx.transact(partial(_keep, ctx, texts))
        texts = texts[kept:]
    return {"WantsDataEvents": await ctx.transact(data_wanted.any_at_all)}


async def _keep(ctx: Context, texts: Sequence[str], tx: Transaction) -> int:
    """Keep the first of some events; return how many: an account may have many trails and stores that look at each."""
    has_buses = ctx.block.cloud.has("events")
    trails: dict[str, list[trail.Trail]] = {}
    lakes: dict[str, list[EventDataStore]] = {}
    looked = 0
    for count, text in enumerate(texts):
        if looked > _MOST_LOOKED:
            return count
        event = Event(text)
        if event.is_management and not await history.add(tx, event):
            # It came before; only the answer to that was lost.
            continue
        if event.account not in trails:
            trails[event.account] = await trail.of_account(tx, event.account)
            lakes[event.account] = await stores.of_account(tx, event.account)
        looked += len(trails[event.account]) + len(lakes[event.account])
        logging = [each for each in trails[event.account] if each.logs(event)]
        for each in logging:
            outbox.add(tx, "s3", each.arn, event)
            if each.log_group:
                outbox.add(tx, "logs", each.arn, event)
        if logging and has_buses and not event.record["readOnly"]:
            service_events.add(tx, event.account, event.region, event_bus.entry(event))
        for store in lakes[event.account]:
            if store.takes(event):
                events.add(tx, store, event)
    return len(texts)


@service.direct("LookupEvents")
async def lookup_events(ctx: Context, params: Params) -> Result:
    if params.get("EventCategory"):
        raise AwsError("InvalidEventCategoryException", "Cloudlet records no Insights events.", status=400)
    count = params.get("MaxResults", _MOST_RESULTS)
    if not 1 <= count <= _MOST_RESULTS:
        raise AwsError("InvalidMaxResultsException", "Max results must be between 1 and 50.", status=400)
    attributes = [(each["AttributeKey"], each["AttributeValue"]) for each in params.get("LookupAttributes") or []]
    if len(attributes) > 1:
        raise AwsError("InvalidLookupAttributesException", "You may not specify more than one attribute.", status=400)
    now = int(ctx.now())
    begin = int(params.get("StartTime", now - history.KEPT_SECONDS))
    end = int(params.get("EndTime", now))
    if begin > end:
        raise AwsError("InvalidTimeRangeException", "The start time must be before the end time.", status=400)
    wrong = AwsError("InvalidNextTokenException", "The next token is invalid.", status=400)
    before = page_tokens.parse_page_token(params.get("NextToken"), wrong)
    attribute = attributes[0] if attributes else None
    shown: list[Event] = []
    for _ in range(_MOST_PAGES):

        async def page(tx: Transaction, before: bytes = before, left: int = count - len(shown)) -> history.Page:
            return await history.newest(
                tx, ctx.account, ctx.region, begin, before, end, attribute=attribute, limit=left
            )

        found = await ctx.transact(page)
        shown += found.events
        if found.is_last:
            return {"Events": [each.shown() for each in shown]}
        before = found.last
        if len(shown) == count:
            break
        await asyncio.sleep(0)
    return {"Events": [each.shown() for each in shown], "NextToken": page_tokens.make_page_token(before)}
