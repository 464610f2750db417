"""Event data stores: what is stored of them, and how they are found.

API reference, "CreateEventDataStore"; user guide, "Manage event data store lifecycles" and "Quotas in AWS CloudTrail".
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.core.aws.arn import Arn, partition_of
from cloudlet.services.cloudtrail import data_wanted, selectors
from cloudlet.services.cloudtrail.event import Event

Billing = Literal["EXTENDABLE_RETENTION_PRICING", "FIXED_RETENTION_PRICING"]
_MOST = 10
"""Of an account in a region, with those that are pending deletion."""
_LISTED = 1000
PENDING_SECONDS = 7 * 86_400
"""How long a deleted store can be restored."""
_LONGEST_DAYS = {"EXTENDABLE_RETENTION_PRICING": 3653, "FIXED_RETENTION_PRICING": 2557}
_DEFAULT_DAYS = {"EXTENDABLE_RETENTION_PRICING": 366, "FIXED_RETENTION_PRICING": 2557}
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DEFAULT_SELECTORS: list[dict[str, Any]] = [
    {
        "Name": "Default management events",
        "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}],
    }
]

_STORES = Subspace("eds")
"""Account, region, id → EventDataStore."""


class EventDataStore(msgspec.Struct, frozen=True):
    """What is stored of an event data store. Times are in seconds since the epoch."""

    account: str
    region: str
    id: str
    name: str
    created: float
    updated: float
    selectors: list[dict[str, Any]]
    """Advanced event selectors."""
    multi_region: bool
    days: int
    """For how many days an event is kept, from its own time on."""
    billing: Billing
    protected: bool
    ingesting: bool
    deleted: float | None = None
    tags: dict[str, str] = {}

    @property
    def arn(self) -> str:
        return arn_of(self.account, self.region, self.id)

    @property
    def status(self) -> str:
        if self.deleted is not None:
            return "PENDING_DELETION"
        return "ENABLED" if self.ingesting else "STOPPED_INGESTION"

    def is_gone(self, now: float) -> bool:
        """Whether it was deleted so long ago that it cannot be restored any more."""
        return self.deleted is not None and self.deleted <= now - PENDING_SECONDS

    def takes(self, event: Event) -> bool:
        """Whether an event of its account is kept in it."""
        if self.deleted is not None or not self.ingesting:
            return False
        is_here = self.multi_region or event.region == self.region
        return is_here and selectors.any_advanced(self.selectors, event)

    @property
    def wants_data(self) -> bool:
        """Whether it may take data events."""
        return self.deleted is None and self.ingesting and selectors.select_data([], self.selectors)

    def shown(self) -> dict[str, Any]:
        """Return it as GetEventDataStore shows it."""
        return {
            "EventDataStoreArn": self.arn,
            "Name": self.name,
            "Status": self.status,
            "AdvancedEventSelectors": self.selectors,
            "MultiRegionEnabled": self.multi_region,
            "OrganizationEnabled": False,
            "RetentionPeriod": self.days,
            "TerminationProtectionEnabled": self.protected,
            "CreatedTimestamp": self.created,
            "UpdatedTimestamp": self.updated,
            "BillingMode": self.billing,
        }


_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(EventDataStore).decode


def arn_of(account: str, region: str, identity: str) -> str:
    """Return the ARN of the store of an id."""
    return str(Arn(partition_of(region), "cloudtrail", region, account, f"eventdatastore/{identity}"))


def chosen_selectors(given: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """Return the advanced event selectors of a store, by default those of management events. Raises AwsError."""
    return _DEFAULT_SELECTORS if not given else selectors.advanced(given)


def chosen_days(days: int | None, billing: Billing) -> int:
    """Return for how many days events are kept. Raises AwsError where that is too long."""
    if days is None:
        return _DEFAULT_DAYS[billing]
    if days > _LONGEST_DAYS[billing]:
        raise invalid(f"The retention period of {billing} is {_LONGEST_DAYS[billing]} days at most.")
    return days


def invalid(message: str) -> AwsError:
    """The answer to a parameter that cannot be."""
    return AwsError("InvalidParameterException", message, status=400)


async def of_account(tx: Transaction, account: str) -> list[EventDataStore]:
    """Return the stores of an account, of all regions."""
    space = _STORES.sub(account)
    return [_decode(raw) for _, raw in await tx.range(space.begin, space.end, limit=_LISTED)]


async def listed(ctx: Context, tx: Transaction) -> list[EventDataStore]:
    """Return the stores of the caller's account in his region, by id."""
    space = _STORES.sub(ctx.account, ctx.region)
    found = [_decode(raw) for _, raw in await tx.range(space.begin, space.end, limit=_LISTED)]
    return [each for each in found if not each.is_gone(ctx.now())]


async def find(ctx: Context, tx: Transaction, name: str) -> EventDataStore:
    """Return the store of an ARN, or of the id that ends it. Raises AwsError."""
    raw = await tx.get(_STORES.key(ctx.account, ctx.region, _id_of(ctx, name)))
    found = None if raw is None else _decode(raw)
    if found is None or found.is_gone(ctx.now()):
        raise AwsError("EventDataStoreNotFoundException", f"The event data store was not found: {name}", status=400)
    return found


async def find_by_arn(tx: Transaction, arn: str) -> EventDataStore | None:
    """Return the store of an ARN as it is now, if it is still there."""
    parts = Arn.parse(arn)
    raw = await tx.get(_STORES.key(parts.account, parts.region, parts.resource.partition("/")[2]))
    return None if raw is None else _decode(raw)


async def find_active(ctx: Context, tx: Transaction, name: str) -> EventDataStore:
    """Return the store of an ARN, or of the id that ends it, unless it is deleted. Raises AwsError."""
    found = await find(ctx, tx, name)
    if found.deleted is not None:
        raise AwsError("InactiveEventDataStoreException", f"The event data store is pending deletion: {found.arn}")
    return found


def _id_of(ctx: Context, name: str) -> str:
    identity = name
    if name.startswith("arn:"):
        try:
            parts = Arn.parse(name)
        except ValueError:
            raise _bad_arn(name) from None
        kind, _, identity = parts.resource.partition("/")
        if (parts.service, kind) != ("cloudtrail", "eventdatastore"):
            raise _bad_arn(name)
        if (parts.account, parts.region) != (ctx.account, ctx.region):
            raise AwsError("EventDataStoreNotFoundException", f"The event data store was not found: {name}", status=400)
    if _ID.fullmatch(identity) is None:
        raise _bad_arn(name)
    return identity


def _bad_arn(arn: str) -> AwsError:
    return AwsError("EventDataStoreARNInvalidException", f"Invalid event data store ARN: {arn}", status=400)


async def add(ctx: Context, tx: Transaction, store: EventDataStore) -> None:
    """Keep a new store. Raises AwsError where there is one of its name, or too many."""
    await check_name(ctx, tx, store)
    await check_room(ctx, tx)
    save(tx, store)


async def check_name(ctx: Context, tx: Transaction, store: EventDataStore) -> None:
    """Raise AwsError where another store has the name of this one."""
    if any(each.name == store.name and each.id != store.id for each in await listed(ctx, tx)):
        raise AwsError(
            "EventDataStoreAlreadyExistsException", f"There is an event data store named {store.name}.", status=400
        )


async def check_room(ctx: Context, tx: Transaction) -> None:
    """Raise AwsError where the account has as many stores in the region as it may have."""
    if len(await listed(ctx, tx)) >= _MOST:
        raise AwsError(
            "EventDataStoreMaxLimitExceededException",
            f"Your account has {_MOST} event data stores in {ctx.region}.",
            status=400,
        )


def save(tx: Transaction, store: EventDataStore) -> None:
    """Keep a store as it is now."""
    key = _STORES.key(store.account, store.region, store.id)
    tx.put(key, _encode(store))
    data_wanted.note(tx, key, wants=store.wants_data)


def remove(tx: Transaction, store: EventDataStore) -> None:
    """Forget a store."""
    key = _STORES.key(store.account, store.region, store.id)
    tx.delete(key)
    data_wanted.note(tx, key, wants=False)


async def keys(tx: Transaction, after: bytes, limit: int) -> list[bytes]:
    """Return where some stores of all accounts are, after a place."""
    rows = await tx.range(after + b"\0" if after else _STORES.begin, _STORES.end, limit=limit)
    return [key for key, _ in rows]


async def at(tx: Transaction, key: bytes) -> EventDataStore | None:
    """Return the store at a place, if it is there."""
    raw = await tx.get(key)
    return None if raw is None else _decode(raw)
