"""Operations on event data stores."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import page_tokens, tags
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.cloudtrail.block import service
from cloudlet.services.cloudtrail.lake import stores
from cloudlet.services.cloudtrail.lake.stores import Billing, EventDataStore
from cloudlet.services.cloudtrail.tagging import with_tags

_MOST_LISTED = 1000


@service.operation("CreateEventDataStore")
async def create_event_data_store(ctx: Context, tx: Transaction, params: Params) -> Result:
    _refuse_what_is_not_built(params)
    billing: Billing = params.get("BillingMode") or "EXTENDABLE_RETENTION_PRICING"
    store = EventDataStore(
        account=ctx.account,
        region=ctx.region,
        id=uuid4(),
        name=params["Name"],
        created=ctx.now(),
        updated=ctx.now(),
        selectors=stores.chosen_selectors(params.get("AdvancedEventSelectors")),
        multi_region=params.get("MultiRegionEnabled") is not False,
        days=stores.chosen_days(params.get("RetentionPeriod"), billing),
        billing=billing,
        protected=params.get("TerminationProtectionEnabled") is not False,
        ingesting=params.get("StartIngestion") is not False,
        tags=with_tags({}, params.get("TagsList") or []),
    )
    await stores.add(ctx, tx, store)
    return {**store.shown(), "TagsList": tags.to_list(store.tags)}


def _refuse_what_is_not_built(params: Params) -> None:
    if params.get("OrganizationEnabled"):
        raise AwsError("OrganizationsNotInUseException", "Your account is not a member of an organization.")
    if params.get("KmsKeyId"):
        raise AwsError("UnsupportedOperationException", "Cloudlet does not encrypt event data stores with KMS keys.")


@service.operation("GetEventDataStore")
async def get_event_data_store(ctx: Context, tx: Transaction, params: Params) -> Result:
    store = await stores.find(ctx, tx, params["EventDataStore"])
    return {**store.shown(), "FederationStatus": "DISABLED"}


@service.operation("ListEventDataStores")
async def list_event_data_stores(ctx: Context, tx: Transaction, params: Params) -> Result:
    count = params.get("MaxResults") or _MOST_LISTED
    wrong = AwsError("InvalidNextTokenException", "The next token is invalid.", status=400)
    after = page_tokens.parse_name_token(params.get("NextToken"), wrong)
    left = [each for each in await stores.listed(ctx, tx) if each.id > after]
    return {
        "EventDataStores": [{"EventDataStoreArn": each.arn, "Name": each.name} for each in left[:count]],
        "NextToken": page_tokens.make_page_token(left[count - 1].id.encode()) if len(left) > count else None,
    }


@service.operation("UpdateEventDataStore")
async def update_event_data_store(ctx: Context, tx: Transaction, params: Params) -> Result:
    _refuse_what_is_not_built(params)
    old = await stores.find_active(ctx, tx, params["EventDataStore"])
    billing: Billing = params.get("BillingMode") or old.billing
    if (old.billing, billing) == ("EXTENDABLE_RETENTION_PRICING", "FIXED_RETENTION_PRICING"):
        raise stores.invalid("The billing mode cannot be changed from EXTENDABLE_RETENTION_PRICING.")
    changes: dict[str, Any] = {
        "name": params.get("Name"),
        "multi_region": params.get("MultiRegionEnabled"),
        "protected": params.get("TerminationProtectionEnabled"),
        "days": stores.chosen_days(params.get("RetentionPeriod") or old.days, billing),
    }
    if params.get("AdvancedEventSelectors"):
        changes["selectors"] = stores.chosen_selectors(params["AdvancedEventSelectors"])
    given = {name: value for name, value in changes.items() if value is not None}
    changed = msgspec.structs.replace(old, billing=billing, updated=ctx.now(), **given)
    await stores.check_name(ctx, tx, changed)
    stores.save(tx, changed)
    return {**changed.shown(), "FederationStatus": "DISABLED"}


@service.operation("DeleteEventDataStore")
async def delete_event_data_store(ctx: Context, tx: Transaction, params: Params) -> Result:
    store = await stores.find_active(ctx, tx, params["EventDataStore"])
    if store.protected:
        raise AwsError(
            "EventDataStoreTerminationProtectedException",
            f"Termination protection is enabled for the event data store: {store.arn}",
            status=400,
        )
    stores.save(tx, msgspec.structs.replace(store, deleted=ctx.now(), updated=ctx.now()))
    return {}


@service.operation("RestoreEventDataStore")
async def restore_event_data_store(ctx: Context, tx: Transaction, params: Params) -> Result:
    store = await stores.find(ctx, tx, params["EventDataStore"])
    if store.deleted is None:
        raise _wrong_status(store)
    restored = msgspec.structs.replace(store, deleted=None, updated=ctx.now())
    stores.save(tx, restored)
    return restored.shown()


@service.operation("StartEventDataStoreIngestion")
async def start_event_data_store_ingestion(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _ingest(ctx, tx, params, wanted=True)
    return {}


@service.operation("StopEventDataStoreIngestion")
async def stop_event_data_store_ingestion(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _ingest(ctx, tx, params, wanted=False)
    return {}


async def _ingest(ctx: Context, tx: Transaction, params: Params, *, wanted: bool) -> None:
    store = await stores.find(ctx, tx, params["EventDataStore"])
    if store.deleted is not None or store.ingesting == wanted:
        raise _wrong_status(store)
    stores.save(tx, msgspec.structs.replace(store, ingesting=wanted, updated=ctx.now()))


def _wrong_status(store: EventDataStore) -> AwsError:
    return AwsError(
        "InvalidEventDataStoreStatusException",
        f"The event data store is in a status in which that cannot be done: {store.status}",
        status=400,
    )
