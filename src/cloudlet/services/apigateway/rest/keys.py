"""What API keys and usage plans may be, and where they are kept. API reference, "ApiKey" and "UsagePlan"."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

from cloudlet.core import Context, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.kernel import ids
from cloudlet.services.apigateway import documents, errors, tagging
from cloudlet.services.apigateway.documents import Document
from cloudlet.services.apigateway.rest import patches, plans, store
from cloudlet.services.apigateway.rest.patches import Path

_VALUE_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_SHORTEST_VALUE, _LONGEST_VALUE = 20, 128
_PERIODS = ("DAY", "WEEK", "MONTH")
_MOST_IMPORTED = 1000
KEY_PATHS = (
    patches.value("/name"),
    patches.value("/description"),
    patches.value("/enabled", patches.boolean),
    patches.value("/customerId"),
    Path("/stages", ("add", "remove"), lambda key, path, operation, given: _stage_key(key, operation, given)),
)


def _stage_key(key: Document, operation: str, given: str | None) -> None:
    known = [each for each in key.get("stageKeys") or [] if each != given]
    key["stageKeys"] = [*known, given] if operation == "add" else known


def key_path(id: str) -> str:
    return f"apikeys/{id}"


def plan_path(id: str) -> str:
    return f"usageplans/{id}"


def changed(ctx: Context, tx: Transaction) -> None:
    """Tell all who know keys and plans of the account that they have changed."""
    tx.notify(plans.topic(ctx.account, ctx.region))


# -- keys


async def create_key(ctx: Context, tx: Transaction, given: Document, own_tags: dict[str, str] | None) -> Document:
    """Add an API key. Raises AwsError."""
    await store.check_quota(tx, store.owned(ctx, "ApiKey"), plans.MOST_KEYS, "API keys")
    value = given.get("value") or ids.token(40, _VALUE_CHARACTERS)
    if not _SHORTEST_VALUE <= len(value) <= _LONGEST_VALUE:
        raise errors.bad_request("API Key value should be at least 20 characters and at most 128 characters")
    index = plans.VALUES.key(ctx.account, ctx.region, value)
    if await tx.get(index) is not None:
        raise errors.conflict("API Key already exists")
    now = float(int(ctx.now()))
    key = {"enabled": False, "stageKeys": [], **given}
    key |= {"id": documents.fresh_id(10), "value": value, "createdDate": now, "lastUpdatedDate": now}
    for stage in key["stageKeys"]:
        api_id, _, name = stage.partition("/")
        await store.get_api(ctx, tx, api_id)
        await store.get_part(tx, api_id, "Stage", name)
    store.save_owned(ctx, tx, "ApiKey", key["id"], key)
    tx.put(index, key["id"].encode())
    tags.save(tx, tagging.key(ctx, key_path(key["id"])), tagging.checked(own_tags))
    changed(ctx, tx)
    return key


async def shown_key(ctx: Context, tx: Transaction, key: Document, *, with_value: bool) -> dict[str, Any]:
    """Return an API key as answers have it."""
    result = {**key, **await tagging.shown(tx, tagging.key(ctx, key_path(key["id"])))}
    if not with_value:
        del result["value"]
    return result


async def delete_key(ctx: Context, tx: Transaction, key: Document) -> None:
    """Delete an API key, and take it out of all plans."""
    space = plans.KEY_PLANS.sub(ctx.account, ctx.region, key["id"])
    for row, _ in await tx.range(space.begin, space.end, limit=plans.MOST_PLANS):
        tx.delete(plans.PLAN_KEYS.key(ctx.account, ctx.region, space.unpack(row)[0], key["id"]))
    tx.delete_range(space.begin, space.end)
    tx.delete(plans.VALUES.key(ctx.account, ctx.region, key["value"]))
    store.remove_owned(ctx, tx, "ApiKey", key["id"])
    tags.save(tx, tagging.key(ctx, key_path(key["id"])), {})
    changed(ctx, tx)


def imported(content: bytes) -> list[dict[str, Any]]:
    """Return what a file of API keys says: dictionaries with name, value, … and the ids of plans.

    Developer guide, "API Gateway API key file format". Raises BadRequestException.
    """
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig")), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise errors.bad_request(f"Failed to parse the file of API keys: {error}") from error
    names = [name.strip().lower() for name in rows[0]] if rows else []
    if "key" not in names:
        raise errors.bad_request("The file of API keys must have a header with the column key")
    if len(rows) > _MOST_IMPORTED:
        raise errors.bad_request(f"A file of API keys may have at most {_MOST_IMPORTED} keys")
    result = []
    for row in rows[1:]:
        if not any(row):
            continue
        fields = dict(zip(names, (each.strip() for each in row), strict=False))
        result.append(
            {
                "name": fields.get("name", ""),
                "value": fields["key"],
                "description": fields.get("description", ""),
                "enabled": fields.get("enabled", "false").lower() == "true",
                "plans": [each for each in fields.get("usageplanids", "").split(",") if each],
            }
        )
    return result


# -- plans


def _api_stage(plan: Document, path: list[str], operation: str, given: str | None) -> None:
    api_id, _, stage = (given or "").partition(":")
    if not api_id or not stage:
        raise errors.bad_request("Invalid API stage specified: it is of the form {API id}:{stage}")
    kept = [each for each in plan.get("apiStages") or [] if (each["apiId"], each["stage"]) != (api_id, stage)]
    if operation == "remove" and len(kept) == len(plan.get("apiStages") or []):
        raise errors.not_found("Usage plan does not have this API stage")
    if operation == "add" and len(kept) < len(plan.get("apiStages") or []):
        # It is there already, with its methods' limits.
        return
    plan["apiStages"] = [*kept, {"apiId": api_id, "stage": stage}] if operation == "add" else kept


def _stage_throttle(plan: Document, path: list[str], operation: str, given: str | None) -> None:
    """Change the limits of one method of a stage: /apiStages/{api}:{stage}/throttle/{path}/{method}[/rateLimit]."""
    stage = next((each for each in plan.get("apiStages") or [] if f"{each['apiId']}:{each['stage']}" == path[1]), None)
    if stage is None:
        raise errors.not_found("Usage plan does not have this API stage")
    limits = stage.setdefault("throttle", {})
    is_limit = path[-1] in ("rateLimit", "burstLimit")
    name = "/".join(path[3:-1] if is_limit else path[3:])
    name = name if name.startswith("/") else f"/{name}"
    if operation != "remove" and is_limit:
        read: patches.Read = patches.number if path[-1] == "rateLimit" else patches.integer
        limits.setdefault(name, {})[path[-1]] = patches.read_value(read, path, given)
    elif operation != "remove":
        raise errors.bad_request("Invalid patch path: it ends with /rateLimit or /burstLimit")
    elif len(path) == 3:
        limits.clear()
    else:
        limits.pop(name, None)


PLAN_PATHS = (
    patches.value("/name"),
    patches.value("/description"),
    patches.value("/productCode", operations=patches.ANY),
    patches.value("/throttle/rateLimit", patches.number, patches.ANY),
    patches.value("/throttle/burstLimit", patches.integer, patches.ANY),
    patches.whole("/throttle"),
    patches.value("/quota/limit", patches.integer, patches.ANY),
    patches.value("/quota/offset", patches.integer, patches.ANY),
    patches.value("/quota/period", patches.one_of(*_PERIODS), patches.ANY),
    patches.whole("/quota"),
    Path("/apiStages", ("add", "remove"), _api_stage),
    Path("/apiStages/*/throttle/**", patches.ANY, _stage_throttle),
    Path("/apiStages/*/throttle", ("remove",), _stage_throttle),
)


async def checked_plan(ctx: Context, tx: Transaction, plan: Document) -> Document:
    """Return a usage plan as it is kept. Raises AwsError."""
    if not plan.get("name"):
        raise errors.bad_request("Usage plan name is required")
    quota = plan.get("quota")
    if quota:
        if quota.get("limit") is None or quota.get("period") not in _PERIODS:
            raise errors.bad_request("A quota needs a limit and a period: DAY, WEEK or MONTH")
        if quota["limit"] < 0 or not 0 <= quota.setdefault("offset", 0) <= quota["limit"]:
            raise errors.bad_request("Usage plan quota limit and offset must not be negative, nor offset above limit")
    limits = [plan.get("throttle") or {}]
    seen = set()
    for stage in plan.setdefault("apiStages", []):
        place = (stage.get("apiId") or "", stage.get("stage") or "")
        if place in seen:
            raise errors.conflict("Usage plan already has this API stage")
        seen.add(place)
        await store.get_api(ctx, tx, place[0])
        if await documents.find_part(tx, place[0], "Stage", place[1]) is None:
            raise errors.not_found("API Stage not found: " + ":".join(place))
        limits += (stage.get("throttle") or {}).values()
    for limit in limits:
        if (limit.get("rateLimit") or 0) < 0 or (limit.get("burstLimit") or 0) < 0:
            raise errors.bad_request("Throttling limits must not be negative")
    return plan


async def create_plan(ctx: Context, tx: Transaction, given: Document, own_tags: dict[str, str] | None) -> Document:
    """Add a usage plan. Raises AwsError."""
    await store.check_quota(tx, store.owned(ctx, "UsagePlan"), plans.MOST_PLANS, "usage plans")
    plan = await checked_plan(ctx, tx, given)
    plan["id"] = documents.fresh_id(6)
    plan["since"] = datetime.fromtimestamp(ctx.now(), UTC).date().isoformat()
    store.save_owned(ctx, tx, "UsagePlan", plan["id"], plan)
    tags.save(tx, tagging.key(ctx, plan_path(plan["id"])), tagging.checked(own_tags))
    changed(ctx, tx)
    return plan


async def shown_plan(ctx: Context, tx: Transaction, plan: Document) -> dict[str, Any]:
    """Return a usage plan as answers have it."""
    shown = {key: value for key, value in plan.items() if key != "since"}
    return {**shown, **await tagging.shown(tx, tagging.key(ctx, plan_path(plan["id"])))}


async def delete_plan(ctx: Context, tx: Transaction, plan: Document) -> None:
    """Delete a usage plan. Raises BadRequestException for one that has stages."""
    if plan.get("apiStages"):
        first = plan["apiStages"][0]
        raise errors.bad_request(
            f"Cannot delete Usage Plan {plan['id']} because there are API Stages associated with it, including "
            f"{first['apiId']}:{first['stage']}"
        )
    space = plans.PLAN_KEYS.sub(ctx.account, ctx.region, plan["id"])
    for row, _ in await tx.range(space.begin, space.end, limit=plans.MOST_KEYS):
        tx.delete(plans.KEY_PLANS.key(ctx.account, ctx.region, space.unpack(row)[0], plan["id"]))
    tx.delete_range(space.begin, space.end)
    store.remove_owned(ctx, tx, "UsagePlan", plan["id"])
    tags.save(tx, tagging.key(ctx, plan_path(plan["id"])), {})
    changed(ctx, tx)


# -- the keys of a plan


async def is_in(ctx: Context, tx: Transaction, plan_id: str, key_id: str) -> bool:
    """Whether a key is in a plan."""
    return await tx.get(plans.PLAN_KEYS.key(ctx.account, ctx.region, plan_id, key_id)) is not None


async def add_to_plan(ctx: Context, tx: Transaction, plan: Document, key: Document) -> None:
    """Put a key into a plan. Raises ConflictException where it has one for the same stage already."""
    if await is_in(ctx, tx, plan["id"], key["id"]):
        raise errors.conflict(f"Usage plan {plan['id']} already has the key {key['id']}")
    stages = {(each["apiId"], each["stage"]) for each in plan["apiStages"]}
    space = plans.KEY_PLANS.sub(ctx.account, ctx.region, key["id"])
    for row, _ in await tx.range(space.begin, space.end, limit=plans.MOST_PLANS):
        other = await store.get_owned(ctx, tx, "UsagePlan", space.unpack(row)[0])
        for each in other["apiStages"]:
            if (each["apiId"], each["stage"]) in stages:
                raise errors.conflict(
                    "Cannot subscribe to plan because the API key is already associated with another plan of the "
                    f"stage {each['apiId']}:{each['stage']}"
                )
    tx.put(plans.PLAN_KEYS.key(ctx.account, ctx.region, plan["id"], key["id"]), b"")
    tx.put(plans.KEY_PLANS.key(ctx.account, ctx.region, key["id"], plan["id"]), b"")
    changed(ctx, tx)


def remove_from_plan(ctx: Context, tx: Transaction, plan_id: str, key_id: str) -> None:
    tx.delete(plans.PLAN_KEYS.key(ctx.account, ctx.region, plan_id, key_id))
    tx.delete(plans.KEY_PLANS.key(ctx.account, ctx.region, key_id, plan_id))
    changed(ctx, tx)
