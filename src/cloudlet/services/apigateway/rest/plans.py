"""API keys and usage plans as requests meet them: whose a key is, what it may call, and how often.

Developer guide, "Usage plans and API keys for REST APIs in API Gateway". Quotas are counted in memory and written down
every second; as on AWS they are kept to as well as that goes. Days, weeks (from Monday) and months are those of UTC by
the cloud's clock.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from cloudlet.core import Subspace, Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.services.apigateway.documents import Document, Place, decode
from cloudlet.services.apigateway.gateways import Cache
from cloudlet.services.apigateway.rest.refusal import Refusal
from cloudlet.services.apigateway.throttle import UNLIMITED, Bucket
from cloudlet.store import StoreError, pack
from cloudlet.store.recent import ABSENT, LruCache

log = logging.getLogger("cloudlet.apigateway")

MOST_KEYS = 10_000
MOST_PLANS = 300
_PLANS_OF_KEY = 10
VALUES = Subspace("restkeyvalue")
"""The ids of API keys by account, region and value."""
PLAN_KEYS = Subspace("restplankey")
"""The types of a plan's keys, by account, region, plan and key."""
KEY_PLANS = Subspace("restkeyplan")
"""The plans of a key, by account, region, key and plan."""
_OWNED = Subspace("restowned")
_USED = Subspace("restused")
"""How often a key was used, by account, region, plan, key and day; counters."""
_EXTENDED = Subspace("restextended")
"""What was added to the quota of a key for a period, by account, region, plan, key and its first day; counters."""
_FLUSH_SECONDS = 1.0
_BUCKETS = 20_000


class Known(NamedTuple):
    """An API key, and the plans that it is in."""

    id: str
    value: str
    plans: tuple[Document, ...]


def topic(account: str, region: str) -> bytes:
    """What is notified when keys or plans of an account change."""
    return pack(("plans-changed", account, region))


def _topic_of(name: str) -> bytes:
    account, region, _ = name.split("/", 2)
    return topic(account, region)


def period_of(day: date, period: str) -> tuple[date, date]:
    """Return the first day of the period that a day is in, and of the next one."""
    if period == "DAY":
        return day, day + timedelta(days=1)
    if period == "WEEK":
        first = day - timedelta(days=day.weekday())
        return first, first + timedelta(days=7)
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


class _Use(NamedTuple):
    """Whose use is counted."""

    account: str
    region: str
    plan: str
    key: str


class _Registry:
    """What one block knows of keys, and has counted."""

    def __init__(self) -> None:
        self.keys: Cache[Known] = Cache(_topic_of, keeps_absent=True)
        self.buckets = LruCache(_BUCKETS)
        self.before: dict[tuple[_Use, date], int] = {}
        """What had been used, of the period that begins with a day, when it was last looked up."""
        self.new: defaultdict[tuple[_Use, date], int] = defaultdict(int)
        """What was used since, by day."""
        self.there = asyncio.Event()


_REGISTRIES: PerBlock[_Registry] = PerBlock(lambda _: _Registry())


async def find(block: Block, place: Place, value: str) -> Known | None:
    """Return the API key of a value; None where there is none that is enabled."""

    async def read(tx: Transaction) -> Known | None:
        raw = await tx.get(VALUES.key(place.account, place.region, value))
        if raw is None:
            return None
        id = raw.decode()
        found = await tx.get(_OWNED.key(place.account, place.region, "ApiKey", id))
        if found is None or not decode(found).get("enabled"):
            return None
        space = KEY_PLANS.sub(place.account, place.region, id)
        plans = []
        for key, _ in await tx.range(space.begin, space.end, limit=_PLANS_OF_KEY):
            plan = await tx.get(_OWNED.key(place.account, place.region, "UsagePlan", space.unpack(key)[0]))
            if plan is not None:
                plans.append(decode(plan))
        return Known(id, value, tuple(plans))

    return await _REGISTRIES.get(block).keys.get(block, f"{place.account}/{place.region}/{value}", read)


def plan_for(known: Known, api_id: str, stage: str) -> tuple[Document, Document] | None:
    """Return the plan by which a key may call a stage, and what that says of the stage."""
    for plan in known.plans:
        for each in plan.get("apiStages") or ():
            if each["apiId"] == api_id and each.get("stage") == stage:
                return plan, each
    return None


def throttle(block: Block, known: Known, plan: Document, stage: Document, path: str, verb: str) -> None:
    """Raise Refusal where a key calls too often."""
    limits: list[tuple[str, Document]] = []
    if plan.get("throttle"):
        limits.append(("", plan["throttle"]))
    by_method = stage.get("throttle") or {}
    for name in (f"{path}/{verb}" if path != "/" else f"//{verb}", "/*/*"):
        if name in by_method:
            limits.append((f"{stage['apiId']}/{stage['stage']}{name}", by_method[name]))
            break
    for name, limit in limits:
        if not _bucket(block, (plan["id"], known.id, name), limit).admits():
            raise Refusal("THROTTLED", "Too Many Requests", f"the usage plan {plan['id']} limits the key {known.id}")


def _bucket(block: Block, name: tuple[str, str, str], limit: Document) -> Bucket:
    rate, burst = limit.get("rateLimit"), limit.get("burstLimit")
    key = (*name, rate, burst)
    buckets = _REGISTRIES.get(block).buckets
    found = buckets.get(key)
    if found is ABSENT:
        found = Bucket(UNLIMITED if rate is None else rate, UNLIMITED if burst is None else burst)
        buckets.add(key, found)
    bucket: Bucket = found
    return bucket


async def count(block: Block, place: Place, known: Known, plan: Document) -> None:
    """Count one use of a key. Raises Refusal where that is one too many."""
    registry = _REGISTRIES.get(block)
    day = datetime.fromtimestamp(block.clock.now(), UTC).date()
    use = _Use(place.account, place.region, plan["id"], known.id)
    quota = plan.get("quota")
    if quota:
        first, after = period_of(day, quota["period"])
        before = registry.before.get((use, first))
        if before is None:
            before = await _look_up(block, use, first, after)
            registry.before[use, first] = before
        new = sum(registry.new.get((use, first + timedelta(days=at)), 0) for at in range((after - first).days))
        # The offset is taken off the first period of a plan only.
        offset = quota.get("offset", 0) if first <= date.fromisoformat(plan["since"]) < after else 0
        if before + new >= quota["limit"] - offset:
            # It may have been extended elsewhere, which is looked up soon.
            registry.there.set()
            raise Refusal("QUOTA_EXCEEDED", "Limit Exceeded", f"the quota of the key {known.id} is used up")
    registry.new[use, day] += 1
    registry.there.set()


async def _look_up(block: Block, use: _Use, first: date, after: date) -> int:
    """Return what was used of a period, less what was added to it."""

    async def body(tx: Transaction) -> int:
        used = 0
        day = first
        while day < after:
            used += await tx.counter(_USED.key(*use, day.isoformat()))
            day += timedelta(days=1)
        return used - await tx.counter(_EXTENDED.key(*use, first.isoformat()))

    return await block.store.transact(body)


async def flush(block: Block) -> None:
    """Write down what was counted."""
    registry = _REGISTRIES.get(block)
    new, registry.new = registry.new, defaultdict(int)
    # The next request looks up what others have counted meanwhile.
    registry.before.clear()
    if not new:
        return

    async def body(tx: Transaction) -> None:
        for (use, day), uses in new.items():
            tx.add(_USED.key(*use, day.isoformat()), uses)

    try:
        await block.store.transact(body)
    except StoreError:
        for entry, uses in new.items():
            registry.new[entry] += uses
        raise


async def write_down(block: Block) -> None:
    """Write down what is counted, until the block ends."""
    registry = _REGISTRIES.get(block)
    while True:
        await registry.there.wait()
        await asyncio.sleep(_FLUSH_SECONDS)
        registry.there.clear()
        try:
            await flush(block)
        except StoreError as error:
            log.warning("what keys were used cannot be written down now: %s", error)
            registry.there.set()


async def used(tx: Transaction, account: str, region: str, plan: str, key: str, day: date) -> int:
    """Return how often a key was used on a day."""
    return await tx.counter(_USED.key(account, region, plan, key, day.isoformat()))


async def extended(tx: Transaction, account: str, region: str, plan: str, key: str, first: date) -> int:
    """Return what was added to the quota of a key for a period."""
    return await tx.counter(_EXTENDED.key(account, region, plan, key, first.isoformat()))


def extend(tx: Transaction, account: str, region: str, plan: str, key: str, first: date, by: int) -> None:
    """Add to the quota of a key for a period."""
    tx.add(_EXTENDED.key(account, region, plan, key, first.isoformat()), by)
    tx.notify(topic(account, region))
