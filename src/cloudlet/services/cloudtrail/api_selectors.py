"""Operations on the event selectors of trails, and on Insights, which nothing has enabled."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.cloudtrail import selectors, trail
from cloudlet.services.cloudtrail.block import service
from cloudlet.services.cloudtrail.lake import stores


@service.operation("PutEventSelectors")
async def put_event_selectors(ctx: Context, tx: Transaction, params: Params) -> Result:
    basic, advanced = params.get("EventSelectors"), params.get("AdvancedEventSelectors")
    if (basic is None) == (advanced is None):
        raise AwsError(
            "InvalidEventSelectorsException", "Give either event selectors or advanced event selectors, and not both."
        )
    found = await trail.find(ctx, tx, params["TrailName"], at_home=True)
    changed = msgspec.structs.replace(
        found,
        basic=[] if basic is None else selectors.basic(basic),
        advanced=[] if advanced is None else selectors.of_trail(advanced),
    )
    trail.save(tx, changed)
    return _shown(changed)


@service.operation("GetEventSelectors")
async def get_event_selectors(ctx: Context, tx: Transaction, params: Params) -> Result:
    return _shown(await trail.find(ctx, tx, params["TrailName"]))


@service.operation("GetInsightSelectors")
async def get_insight_selectors(ctx: Context, tx: Transaction, params: Params) -> Result:
    name, store = params.get("TrailName"), params.get("EventDataStore")
    if name is not None and store is not None:
        raise AwsError("InvalidParameterCombinationException", "Give either TrailName or EventDataStore, and not both.")
    if store is not None:
        arn = (await stores.find_active(ctx, tx, store)).arn
    elif name is not None:
        arn = (await trail.find(ctx, tx, name)).arn
    else:
        raise stores.invalid("There must be a TrailName or an EventDataStore.")
    raise AwsError("InsightNotEnabledException", f"Insights is not enabled for {arn}.", status=400)


def _shown(found: trail.Trail) -> dict[str, Any]:
    if found.advanced:
        return {"TrailARN": found.arn, "AdvancedEventSelectors": found.advanced}
    return {"TrailARN": found.arn, "EventSelectors": found.basic or selectors.DEFAULT}
