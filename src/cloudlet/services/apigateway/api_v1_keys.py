"""The operations on API keys, usage plans, and what was used of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.apigateway import errors
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.documents import Document
from cloudlet.services.apigateway.rest import keys, listing, patches, plans, store

_KEY = ("name", "description", "enabled", "value", "customerId")
_PLAN = ("name", "description", "apiStages", "throttle", "quota")
_LONGEST_DAYS = 90
_USAGE_PATHS = (patches.value("/remaining", patches.integer),)


# -- keys


@service.operation("CreateApiKey")
async def create_api_key(ctx: Context, tx: Transaction, params: Params) -> Result:
    given = {member: params[member] for member in _KEY if params.get(member) is not None}
    if params.get("generateDistinctId") is False and "value" in params:
        raise errors.not_built("API keys whose ids are their values")
    given["stageKeys"] = [
        f"{each.get('restApiId') or ''}/{each.get('stageName') or ''}" for each in params.get("stageKeys") or ()
    ]
    key = await keys.create_key(ctx, tx, given, params.get("tags"))
    return await keys.shown_key(ctx, tx, key, with_value=True)


@service.operation("GetApiKey")
async def get_api_key(ctx: Context, tx: Transaction, params: Params) -> Result:
    key = await store.get_owned(ctx, tx, "ApiKey", params["apiKey"])
    return await keys.shown_key(ctx, tx, key, with_value=bool(params.get("includeValue")))


@service.operation("GetApiKeys")
async def get_api_keys(ctx: Context, tx: Transaction, params: Params) -> Result:
    begin, customer = params.get("nameQuery") or "", params.get("customerId")

    def wanted(key: Document) -> bool:
        return key.get("name", "").startswith(begin) and customer in (None, key.get("customerId"))

    page = await listing.page(tx, store.owned(ctx, "ApiKey"), params, wanted=wanted)
    shown = [await keys.shown_key(ctx, tx, key, with_value=bool(params.get("includeValues"))) for key in page["items"]]
    return {**page, "items": shown}


@service.operation("UpdateApiKey")
async def update_api_key(ctx: Context, tx: Transaction, params: Params) -> Result:
    known = await store.get_owned(ctx, tx, "ApiKey", params["apiKey"])
    key = patches.patched(known, params.get("patchOperations"), keys.KEY_PATHS)
    key["lastUpdatedDate"] = float(int(ctx.now()))
    store.save_owned(ctx, tx, "ApiKey", key["id"], key)
    keys.changed(ctx, tx)
    return await keys.shown_key(ctx, tx, key, with_value=False)


@service.operation("DeleteApiKey")
async def delete_api_key(ctx: Context, tx: Transaction, params: Params) -> Result:
    await keys.delete_key(ctx, tx, await store.get_owned(ctx, tx, "ApiKey", params["apiKey"]))
    return {}


@service.operation("ImportApiKeys")
async def import_api_keys(ctx: Context, tx: Transaction, params: Params) -> Result:
    made, warnings = [], []
    for given in keys.imported(params["body"]):
        wanted = given.pop("plans")
        try:
            found = [await store.get_owned(ctx, tx, "UsagePlan", plan) for plan in wanted]
            key = await keys.create_key(ctx, tx, given, None)
            for plan in found:
                await keys.add_to_plan(ctx, tx, plan, key)
        except AwsError as error:
            if params.get("failOnWarnings"):
                raise
            warnings.append(f"API Key with name '{given['name']}' was not imported: {error.message}")
        else:
            made.append(key["id"])
    return {"ids": made, "warnings": warnings}


# -- plans


@service.operation("CreateUsagePlan")
async def create_usage_plan(ctx: Context, tx: Transaction, params: Params) -> Result:
    given = {member: params[member] for member in _PLAN if params.get(member) is not None}
    return await keys.shown_plan(ctx, tx, await keys.create_plan(ctx, tx, given, params.get("tags")))


@service.operation("GetUsagePlan")
async def get_usage_plan(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await keys.shown_plan(ctx, tx, await store.get_owned(ctx, tx, "UsagePlan", params["usagePlanId"]))


@service.operation("GetUsagePlans")
async def get_usage_plans(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await store.all_owned(ctx, tx, "UsagePlan", plans.MOST_PLANS)
    if params.get("keyId"):
        found = [plan for plan in found if await keys.is_in(ctx, tx, plan["id"], params["keyId"])]
    page = listing.part_of(found, params)
    return {**page, "items": [await keys.shown_plan(ctx, tx, plan) for plan in page["items"]]}


@service.operation("UpdateUsagePlan")
async def update_usage_plan(ctx: Context, tx: Transaction, params: Params) -> Result:
    known = await store.get_owned(ctx, tx, "UsagePlan", params["usagePlanId"])
    patched = patches.patched(known, params.get("patchOperations"), keys.PLAN_PATHS)
    plan = await keys.checked_plan(ctx, tx, patched)
    store.save_owned(ctx, tx, "UsagePlan", plan["id"], plan)
    keys.changed(ctx, tx)
    return await keys.shown_plan(ctx, tx, plan)


@service.operation("DeleteUsagePlan")
async def delete_usage_plan(ctx: Context, tx: Transaction, params: Params) -> Result:
    await keys.delete_plan(ctx, tx, await store.get_owned(ctx, tx, "UsagePlan", params["usagePlanId"]))
    return {}


# -- the keys of a plan


def _shown_plan_key(key: Document) -> dict[str, Any]:
    shown = {"id": key["id"], "type": "API_KEY", "value": key["value"]}
    return {**shown, "name": key["name"]} if "name" in key else shown


async def _plan_key(ctx: Context, tx: Transaction, params: Params) -> tuple[Document, Document]:
    """Return a plan and a key that is in it. Raises NotFoundException."""
    plan = await store.get_owned(ctx, tx, "UsagePlan", params["usagePlanId"])
    if not await keys.is_in(ctx, tx, plan["id"], params["keyId"]):
        raise errors.not_found(f"Invalid API Key identifier specified for the usage plan {plan['id']}")
    return plan, await store.get_owned(ctx, tx, "ApiKey", params["keyId"])


@service.operation("CreateUsagePlanKey")
async def create_usage_plan_key(ctx: Context, tx: Transaction, params: Params) -> Result:
    plan = await store.get_owned(ctx, tx, "UsagePlan", params["usagePlanId"])
    key = await store.get_owned(ctx, tx, "ApiKey", params["keyId"])
    if params["keyType"] != "API_KEY":
        raise errors.bad_request("Invalid key type specified: it is API_KEY")
    await keys.add_to_plan(ctx, tx, plan, key)
    return _shown_plan_key(key)


@service.operation("GetUsagePlanKey")
async def get_usage_plan_key(ctx: Context, tx: Transaction, params: Params) -> Result:
    return _shown_plan_key((await _plan_key(ctx, tx, params))[1])


@service.operation("GetUsagePlanKeys")
async def get_usage_plan_keys(ctx: Context, tx: Transaction, params: Params) -> Result:
    plan = await store.get_owned(ctx, tx, "UsagePlan", params["usagePlanId"])
    space = plans.PLAN_KEYS.sub(ctx.account, ctx.region, plan["id"])
    rows = await tx.range(space.begin, space.end, limit=plans.MOST_KEYS)
    found = [await store.get_owned(ctx, tx, "ApiKey", space.unpack(row)[0]) for row, _ in rows]
    begin = params.get("nameQuery") or ""
    page = listing.part_of([key for key in found if key.get("name", "").startswith(begin)], params)
    return {**page, "items": [_shown_plan_key(key) for key in page["items"]]}


@service.operation("DeleteUsagePlanKey")
async def delete_usage_plan_key(ctx: Context, tx: Transaction, params: Params) -> Result:
    plan, key = await _plan_key(ctx, tx, params)
    keys.remove_from_plan(ctx, tx, plan["id"], key["id"])
    return {}


# -- usage


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise errors.bad_request("Dates are of the form YYYY-MM-DD") from None


async def _usage(
    ctx: Context, tx: Transaction, plan: Document, key_id: str, first: date, last: date
) -> list[list[int]]:
    """Return what was used, and what is left then, for each of some days."""
    result = []
    quota = plan.get("quota")
    day = first
    while day <= last:
        used = await plans.used(tx, ctx.account, ctx.region, plan["id"], key_id, day)
        result.append([used, -1 if not quota else await _left(ctx, tx, plan, key_id, day)])
        day += timedelta(days=1)
    return result


async def _left(ctx: Context, tx: Transaction, plan: Document, key_id: str, day: date) -> int:
    """Return what is left of a quota at the end of a day."""
    first, after = plans.period_of(day, plan["quota"]["period"])
    left: int = plan["quota"]["limit"]
    if first <= date.fromisoformat(plan["since"]) < after:
        left -= plan["quota"].get("offset", 0)
    left += await plans.extended(tx, ctx.account, ctx.region, plan["id"], key_id, first)
    while first <= day:
        left -= await plans.used(tx, ctx.account, ctx.region, plan["id"], key_id, first)
        first += timedelta(days=1)
    return max(left, 0)


@service.direct("GetUsage")
async def get_usage(ctx: Context, params: Params) -> Result:
    first, last = _day(params["startDate"]), _day(params["endDate"])
    if not timedelta() <= last - first < timedelta(days=_LONGEST_DAYS):
        raise errors.bad_request(f"The end date must not be before the start date, nor {_LONGEST_DAYS} days after it")
    await plans.flush(ctx.block)

    async def body(tx: Transaction) -> dict[str, Any]:
        plan = await store.get_owned(ctx, tx, "UsagePlan", params["usagePlanId"])
        space = plans.PLAN_KEYS.sub(ctx.account, ctx.region, plan["id"])
        found = [space.unpack(row)[0] for row, _ in await tx.range(space.begin, space.end, limit=plans.MOST_KEYS)]
        if params.get("keyId"):
            found = [key for key in found if key == params["keyId"]]
        page = listing.part_of([{"id": key} for key in found], params)
        items = {each["id"]: await _usage(ctx, tx, plan, each["id"], first, last) for each in page["items"]}
        days = {"startDate": first.isoformat(), "endDate": last.isoformat()}
        return {**page, "usagePlanId": plan["id"], **days, "items": items}

    return await ctx.transact(body)


@service.direct("UpdateUsage")
async def update_usage(ctx: Context, params: Params) -> Result:
    await plans.flush(ctx.block)

    async def body(tx: Transaction) -> dict[str, Any]:
        plan, key = await _plan_key(ctx, tx, params)
        if not plan.get("quota"):
            raise errors.bad_request("Usage plan has no quota")
        today = datetime.fromtimestamp(ctx.now(), UTC).date()
        left = await _left(ctx, tx, plan, key["id"], today)
        patched = patches.patched({"remaining": left}, params.get("patchOperations"), _USAGE_PATHS)
        first, _ = plans.period_of(today, plan["quota"]["period"])
        plans.extend(tx, ctx.account, ctx.region, plan["id"], key["id"], first, patched["remaining"] - left)
        day = today.isoformat()
        items = {key["id"]: await _usage(ctx, tx, plan, key["id"], today, today)}
        return {"usagePlanId": plan["id"], "startDate": day, "endDate": day, "items": items}

    answer = await ctx.transact(body)
    # What was known of the quota before does not hold any more.
    await plans.flush(ctx.block)
    return answer
