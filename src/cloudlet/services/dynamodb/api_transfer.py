"""Operations that move tables to and from S3."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Arn, AwsError, Context, Params, Result, Service, Transaction
from cloudlet.services.dynamodb import api_backups
from cloudlet.services.dynamodb.backup import backups, copies, recovery, timeline
from cloudlet.services.dynamodb.errors import invalid_values, not_built, validation
from cloudlet.services.dynamodb.tables import creating, directory
from cloudlet.services.dynamodb.tables.table import Table
from cloudlet.services.dynamodb.tables.table_record import CREATING
from cloudlet.services.dynamodb.transfer import exports, imports, transfers
from cloudlet.services.dynamodb.transfer.export_filter import ExportFilter
from cloudlet.services.dynamodb.transfer.exports import Export
from cloudlet.services.dynamodb.transfer.imports import Import
from cloudlet.services.dynamodb.transfer.transfer_records import Caller, T, TransferRecords

_LISTED = 25
_TOKEN_SECONDS = 8 * 3600
_SHORTEST_SECONDS, _LONGEST_SECONDS = 15 * 60, 24 * 3600
_MICROSECOND = 0.000_001
"""The least difference between times of writes."""
_TOKEN_DIGITS = 112
_TOKEN_GROUP = 16


def declare(service: Service) -> None:
    """Add the operations, and the job that exports and imports, to the block's service."""
    service.operation("ExportTableToPointInTime")(export_table_to_point_in_time)
    service.operation("DescribeExport")(describe_export)
    service.operation("ListExports")(list_exports)
    service.operation("ImportTable")(import_table)
    service.operation("DescribeImport")(describe_import)
    service.operation("ListImports")(list_imports)
    service.job(transfers.make)


def _parts(text: str, kind: str) -> tuple[str, str, str, str] | None:
    """Return account, region, table and id of the ARN of an export or import, or None for anything else."""
    try:
        arn = Arn.parse(text)
    except ValueError:
        return None
    parts = arn.resource.split("/")
    if arn.service != "dynamodb" or len(parts) != 4 or (parts[0], parts[2]) != ("table", kind):
        return None
    return arn.account, arn.region, parts[1], parts[3]


async def _get_transfer(ctx: Context, tx: Transaction, records: TransferRecords[T], arn: str) -> T:
    """Return an export or import of the caller's. Raises AwsError."""
    parts = _parts(arn, records.kind)
    found = None
    if parts is not None and parts[:2] == (ctx.account, ctx.region):
        found = await records.get(tx, records.key(*parts))
    if found is None:
        kind = records.kind.capitalize()
        raise AwsError(f"{kind}NotFoundException", f"{kind} not found: {arn}")
    return found


def _table_name(arn: str | None) -> str | None:
    if arn is None:
        return None
    name = arn.rpartition(":")[2].removeprefix("table/")
    directory.check_name(name)
    return name


# -- exports


async def export_table_to_point_in_time(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("FilterSpecification") and params.get("ExportType") == "INCREMENTAL_EXPORT":
        raise not_built("incremental exports with a FilterSpecification")
    table = await api_backups.table_named(ctx, tx, params["TableArn"], "ExportTableToPointInTime")
    ExportFilter.of(table, params.get("FilterSpecification"))
    now = ctx.now()
    token = params.get("ClientToken")
    if token is not None:
        earlier, same = await exports.records.of_token(tx, ctx.account, ctx.region, token, params, now - _TOKEN_SECONDS)
        if not same:
            raise AwsError("ExportConflictException", "The client token was used with other parameters before.")
        if earlier is not None:
            return {"ExportDescription": exports.described(earlier)}
    begin, end = await _period(tx, table, params, now)
    export = Export(
        account=table.record.account,
        region=table.record.region,
        table=table.name,
        table_id=table.id,
        table_uuid=table.record.uuid,
        id=backups.new_id(now),
        started=now,
        moment=await copies.hold(tx, table, end - _MICROSECOND if _excludes_end(params) else end, now),
        since=None if begin is None else await timeline.moment(tx, table, begin - _MICROSECOND, now),
        request=params,
        time=end,
        caller=Caller.from_principal(ctx.principal),
    )
    await exports.records.start(tx, export)
    if token is not None:
        exports.records.note_token(tx, export, token, params)
    tx.notify(transfers.TOPIC)
    return {"ExportDescription": exports.described(export)}


def _excludes_end(params: Params) -> bool:
    """Whether what was written at the very end of the period is not exported; what was at its beginning always is."""
    return "ExportToTime" in (params.get("IncrementalExportSpecification") or {})


async def _period(tx: Transaction, table: Table, params: Params, now: float) -> tuple[float | None, float]:
    """Return the times from which on and up to which is exported; None for all that there is."""
    code = "InvalidExportTimeException"
    wanted = params.get("IncrementalExportSpecification")
    if (params.get("ExportType") == "INCREMENTAL_EXPORT") != (wanted is not None):
        raise validation(
            "IncrementalExportSpecification must be provided for ExportType INCREMENTAL_EXPORT, and only then"
        )
    if wanted is None:
        time = params.get("ExportTime", now)
        await recovery.check_time(tx, table, time, now, code)
        return None, time
    if "ExportTime" in params:
        raise validation("ExportTime cannot be provided for ExportType INCREMENTAL_EXPORT")
    if "ExportFromTime" not in wanted:
        raise validation("ExportFromTime must be provided for ExportType INCREMENTAL_EXPORT")
    begin, end = wanted["ExportFromTime"], wanted.get("ExportToTime", now)
    await recovery.check_time(tx, table, begin, now, code)
    await recovery.check_time(tx, table, end, now, code)
    if not _SHORTEST_SECONDS <= end - begin <= _LONGEST_SECONDS:
        raise validation("The export period must be between 15 minutes and 24 hours long")
    return begin, end


async def describe_export(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get_transfer(ctx, tx, exports.records, params["ExportArn"])
    return {"ExportDescription": exports.described(found)}


async def list_exports(ctx: Context, tx: Transaction, params: Params) -> Result:
    """List exports by table and time; a token is the ARN of the last one that was listed."""
    limit = params.get("MaxResults") or _LISTED
    after = None
    if params.get("NextToken"):
        parts = _parts(params["NextToken"], "export")
        if parts is None:
            raise validation("Invalid NextToken")
        after = exports.records.key(ctx.account, ctx.region, *parts[2:])
    table = _table_name(params.get("TableArn"))
    found = await exports.records.listed(tx, ctx.account, ctx.region, table, after, limit + 1)
    shown = []
    for each in found[:limit]:
        described = exports.described(each)
        shown.append({name: described[name] for name in ("ExportArn", "ExportStatus", "ExportType")})
    return {"ExportSummaries": shown, "NextToken": found[limit - 1].arn if len(found) > limit else None}


# -- imports


async def import_table(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("InputCompressionType") == "ZSTD":
        raise not_built("imports with the compression ZSTD")
    if params.get("InputFormatOptions") and params["InputFormat"] != "CSV":
        raise invalid_values("InputFormatOptions can be provided for InputFormat CSV only")
    now = ctx.now()
    token = params.get("ClientToken")
    if token is not None:
        earlier, same = await imports.records.of_token(tx, ctx.account, ctx.region, token, params, now - _TOKEN_SECONDS)
        if not same:
            raise AwsError("ImportConflictException", "The client token was used with other parameters before.")
        if earlier is not None:
            return {"ImportTableDescription": imports.described(earlier)}
    table = await creating.create(ctx, tx, params["TableCreationParameters"], status=CREATING)
    made = Import(
        ctx.account,
        ctx.region,
        table.name,
        table.id,
        table.record.uuid,
        backups.new_id(now),
        now,
        request=params,
        caller=Caller.from_principal(ctx.principal),
    )
    await imports.records.start(tx, made)
    if token is not None:
        imports.records.note_token(tx, made, token, params)
    tx.notify(transfers.TOPIC)
    return {"ImportTableDescription": imports.described(made)}


async def describe_import(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get_transfer(ctx, tx, imports.records, params["ImportArn"])
    return {"ImportTableDescription": imports.described(found)}


async def list_imports(ctx: Context, tx: Transaction, params: Params) -> Result:
    limit = params.get("PageSize") or _LISTED
    table = _table_name(params.get("TableArn"))
    after = _read_token(params["NextToken"]) if params.get("NextToken") else None
    found = await imports.records.listed(tx, ctx.account, ctx.region, table, after, limit + 1)
    result: dict[str, Any] = {"ImportSummaryList": [imports.summary(each) for each in found[:limit]]}
    if len(found) > limit:
        result["NextToken"] = _token(imports.records.key_of(found[limit - 1]))
    return result


def _token(key: bytes) -> str:
    """Return a token for a key, in the form that the model prescribes: groups of 16 hexadecimal digits, 7 or more."""
    digits = key.hex() + "80"
    size = max(_TOKEN_DIGITS, -(-len(digits) // _TOKEN_GROUP) * _TOKEN_GROUP)
    return digits.ljust(size, "0")


def _read_token(token: str) -> bytes:
    digits = bytes.fromhex(token).rstrip(b"\x00")
    if not digits.endswith(b"\x80"):
        raise validation("Invalid NextToken")
    return digits[:-1]
