"""The operations on resource scans."""

from __future__ import annotations

import json
from typing import Any, Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import listing
from cloudlet.core.aws.page_tokens import make_page_token, parse_name_token
from cloudlet.core.aws.resources.caller import Caller
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.cloudformation import errors
from cloudlet.services.cloudformation.block import service
from cloudlet.services.cloudformation.scanning import scan_record
from cloudlet.services.cloudformation.scanning.owned import OwnedKeys, list_owned
from cloudlet.services.cloudformation.scanning.running_scans import MAX_SCANNED_RESOURCES, SCANS, list_types
from cloudlet.services.cloudformation.scanning.scan_record import Scan, ScannedResource, make_key

_PAGE: Final = 100
_SCAN_PAGE: Final = 10
_ID_BYTES: Final = 10


def _make_in_progress(what: str) -> AwsError:
    return AwsError("ResourceScanInProgressException", what)


@service.operation("StartResourceScan")
async def start_resource_scan(ctx: Context, tx: Transaction, params: Params) -> Result:
    scans = await scan_record.list_scans(tx, ctx.account, ctx.region)
    token = params.get("ClientRequestToken") or ""
    repeated = next((scan for scan in scans if token and scan.token == token), None)
    if repeated is not None:
        return {"ResourceScanId": repeated.arn}
    if any(scan.status == "IN_PROGRESS" for scan in scans):
        raise _make_in_progress("A resource scan is already in progress.")
    wanted = [kind for one in params.get("ScanFilters") or () for kind in one.get("Types") or ()]
    if wanted and not list_types(wanted):
        raise errors.make_validation_error(f"None of the resource types [{', '.join(wanted)}] can be scanned.")
    for old in scans[scan_record.MAX_SCANS - 1 :]:
        scan_record.remove(tx, old)
    scan_id = scan_record.make_id(ctx.now(), random_bytes(_ID_BYTES).hex())
    scan = Scan(ctx.account, ctx.region, scan_id, ctx.now(), Caller.from_principal(ctx.principal), wanted, token)
    scan_record.save(tx, scan)
    SCANS.request(tx, ctx.account, ctx.region, scan.id)
    return {"ResourceScanId": scan.arn}


def _summarize(scan: Scan) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "ResourceScanId": scan.arn,
        "Status": scan.status,
        "StartTime": scan.started,
        "PercentageCompleted": 0.0 if scan.status == "IN_PROGRESS" else 100.0,
    }
    if scan.reason:
        shown["StatusReason"] = scan.reason
    if scan.ended:
        shown["EndTime"] = scan.ended
    return shown


@service.operation("DescribeResourceScan")
async def describe_resource_scan(ctx: Context, tx: Transaction, params: Params) -> Result:
    scan = await scan_record.get(tx, ctx.account, ctx.region, params["ResourceScanId"])
    shown = _summarize(scan)
    if scan.status != "IN_PROGRESS":
        shown |= {"ResourceTypes": scan.scanned_types, "ResourcesScanned": scan.count, "ResourcesRead": scan.read}
    if scan.types:
        shown["ScanFilters"] = [{"Types": scan.types}]
    return shown


@service.operation("ListResourceScans")
async def list_resource_scans(ctx: Context, tx: Transaction, params: Params) -> Result:
    wanted = params.get("ScanTypeFilter") or "FULL"

    def select(raw: bytes) -> dict[str, Any] | None:
        scan = scan_record.decode(raw)
        kind = "PARTIAL" if scan.types else "FULL"
        return {**_summarize(scan), "ScanType": kind} if kind == wanted else None

    space, token = scan_record.get_space(ctx.account, ctx.region), params.get("NextToken")
    limit = params.get("MaxResults") or _SCAN_PAGE
    shown, following = await listing.list_page(tx, space, token, limit, select, errors.make_wrong_token())
    return {"ResourceScanSummaries": shown, "NextToken": following}


async def _get_ended(ctx: Context, tx: Transaction, params: Params) -> Scan:
    scan = await scan_record.get(tx, ctx.account, ctx.region, params["ResourceScanId"])
    if scan.status == "IN_PROGRESS":
        raise _make_in_progress(f"Resource scan {scan.arn} is in progress.")
    return scan


def _describe(found: ScannedResource, owned: OwnedKeys) -> dict[str, Any]:
    return {
        "ResourceType": found.type,
        "ResourceIdentifier": found.identifier,
        "ManagedByStack": found.key in owned,
    }


@service.operation("ListResourceScanResources")
async def list_resource_scan_resources(ctx: Context, tx: Transaction, params: Params) -> Result:
    scan = await _get_ended(ctx, tx, params)
    owned = await list_owned(ctx, tx)
    identifier, prefix = params.get("ResourceIdentifier"), params.get("ResourceTypePrefix") or ""
    key, value = params.get("TagKey"), params.get("TagValue")

    def select(raw: bytes) -> dict[str, Any] | None:
        found = scan_record.decode_resource(ctx.block.cloud.vault, scan, raw)
        if not found.type.startswith(prefix) or (identifier and identifier not in found.identifier.values()):
            return None
        if (key and key not in found.tags) or (value and value not in found.tags.values()):
            return None
        if key and value and found.tags[key] != value:
            return None
        return _describe(found, owned)

    space, token = scan_record.get_resource_space(scan), params.get("NextToken")
    limit = params.get("MaxResults") or _PAGE
    shown, following = await listing.list_page(tx, space, token, limit, select, errors.make_wrong_token())
    return {"Resources": shown, "NextToken": following}


@service.operation("ListResourceScanRelatedResources")
async def list_resource_scan_related_resources(ctx: Context, tx: Transaction, params: Params) -> Result:
    scan = await _get_ended(ctx, tx, params)
    space = scan_record.get_resource_space(scan)
    rows = await tx.range(space.begin, space.end, limit=MAX_SCANNED_RESOURCES)
    found = [scan_record.decode_resource(ctx.block.cloud.vault, scan, raw) for _, raw in rows]
    asked = {make_key(one["ResourceType"], dict(one["ResourceIdentifier"])) for one in params["Resources"]}
    given = [one for one in found if one.key in asked]
    owned = await list_owned(ctx, tx)
    related = [
        _describe(one, owned)
        for one in found
        if one.key not in asked and any(_is_named(one, other) or _is_named(other, one) for other in given)
    ]
    place = parse_name_token(params.get("NextToken"), errors.make_wrong_token()) or "0"
    if not place.isdigit():
        raise errors.make_wrong_token()
    first, limit = int(place), params.get("MaxResults") or _PAGE
    following = make_page_token(str(first + limit).encode()) if len(related) > first + limit else None
    return {"RelatedResources": related[first : first + limit], "NextToken": following}


def _is_named(one: ScannedResource, other: ScannedResource) -> bool:
    """Whether the properties of one resource name another one."""
    text = json.dumps(one.model)
    names = {other.reference, other.arn, *other.identifier.values()} - {""}
    return any(json.dumps(name) in text for name in names)
