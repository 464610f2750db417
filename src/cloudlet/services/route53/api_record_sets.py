"""The operations on record sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.route53 import cidr_collections, limits, pages, record_sets, zones
from cloudlet.services.route53.block import REGION, service
from cloudlet.services.route53.changing import Change, apply_changes, list_names, parse_changes, to_domain
from cloudlet.services.route53.errors import InvalidChangeBatch, InvalidInput
from cloudlet.services.route53.health_checks import HEALTH_CHECKS
from cloudlet.services.route53.linked_services import check_manager
from cloudlet.services.route53.names import MalformedName, parse_name, to_sort_key
from cloudlet.services.route53.record_set_record import RecordSet
from cloudlet.services.route53.record_sets import Key, get_key
from cloudlet.services.route53.zone_record import Zone
from cloudlet.services.route53.zones import get_zone

_MAX_PAGE_ITEMS: Final = 300


@service.operation("ChangeResourceRecordSets")
async def change_resource_record_sets(ctx: Context, tx: Transaction, params: Params) -> Result:
    zone, batch = await get_zone(ctx, tx, params["HostedZoneId"]), params["ChangeBatch"]
    check_manager(ctx, zone)
    changes = parse_changes(zone, batch["Changes"])
    for action, found in changes:
        if action != "DELETE":
            await _check_references(ctx, tx, found)
    await change(tx, zone, changes)
    return {"ChangeInfo": zones.begin_change(ctx, tx, batch.get("Comment"))}


async def _check_references(ctx: Context, tx: Transaction, found: RecordSet) -> None:
    """Raise AwsError for a health check or a CIDR location that is not there."""
    if found.health_check:
        await HEALTH_CHECKS.get(tx, ctx.account, REGION, found.health_check)
    if found.cidr is not None:
        collection, location = found.cidr
        await cidr_collections.check_location(tx, ctx.account, collection, location)


async def change(tx: Transaction, zone: Zone, changes: Sequence[Change]) -> None:
    """Do all changes of a batch, or raise InvalidChangeBatch."""
    there: dict[Key, RecordSet] = {}
    for name in sorted(list_names(zone, changes)):
        there |= {get_key(found): found for found in await record_sets.list_at(tx, zone.name, name)}
    after = apply_changes(zone, there, changes)
    added = len(after) - len(there)
    if zone.records + added > limits.MAX_RECORDS:
        raise InvalidChangeBatch([f"Number of records limit of {limits.MAX_RECORDS} exceeded."])
    for key, found in there.items():
        if after.get(key) != found:
            record_sets.remove(tx, zone.name, found)
    for key, found in after.items():
        if there.get(key) != found:
            record_sets.save(tx, zone.name, found)
    if added:
        zones.count_records(tx, zone, added)


@service.operation("ListResourceRecordSets")
async def list_resource_record_sets(ctx: Context, tx: Transaction, params: Params) -> Result:
    zone, limit = await get_zone(ctx, tx, params["HostedZoneId"]), pages.read_limit(params, _MAX_PAGE_ITEMS)
    space = record_sets.RECORD_SETS.sub(zone.name)
    rows = await tx.range(_find_begin(params, space.begin, zone), space.end, limit=limit + 1)
    found = [record_sets.decode(raw) for _, raw in rows]
    shown: dict[str, Any] = {
        "ResourceRecordSets": [record_sets.to_api(each) for each in found[:limit]],
        "IsTruncated": len(found) > limit,
        "MaxItems": str(limit),
    }
    if len(found) > limit:
        following = found[limit]
        shown |= {"NextRecordName": following.name, "NextRecordType": following.type}
        if following.identifier:
            shown["NextRecordIdentifier"] = following.identifier
    return shown


def _find_begin(params: Params, first: bytes, zone: Zone) -> bytes:
    """Return the key at which a page begins. Raises InvalidInput."""
    name, kind = params.get("StartRecordName"), params.get("StartRecordType")
    identifier = params.get("StartRecordIdentifier")
    if kind is not None and name is None:
        raise InvalidInput("The input is not valid: StartRecordType requires StartRecordName.")
    if identifier is not None and kind is None:
        raise InvalidInput("The input is not valid: StartRecordIdentifier requires StartRecordType.")
    if name is None:
        return first
    try:
        key = to_sort_key(parse_name(to_domain(name)))
    except MalformedName as error:
        raise InvalidInput(f"FATAL problem: {error} encountered with '{name}'") from None
    return record_sets.RECORD_SETS.key(zone.name, *(part for part in (key, kind, identifier) if part is not None))
