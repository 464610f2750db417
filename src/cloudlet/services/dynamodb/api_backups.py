"""Operations on backups and point-in-time recovery."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import AwsError, Context, Params, Result, Service, Transaction
from cloudlet.services.dynamodb import access
from cloudlet.services.dynamodb.backup import backups, copies, journal, recovery, restoring, timeline
from cloudlet.services.dynamodb.backup.backups import Backup
from cloudlet.services.dynamodb.backup.copies import Copy
from cloudlet.services.dynamodb.backup.timeline import Version
from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.tables import describing, directory
from cloudlet.services.dynamodb.tables.features import Recovery
from cloudlet.services.dynamodb.tables.table import Table, table_arn
from cloudlet.services.dynamodb.tables.table_record import ACTIVE

_INDEX = ("IndexName", "KeySchema", "Projection")
_VECTOR_INDEX = ("IndexName", "VectorAttribute", "SearchSchema", "Projection", "Dimensions", "DistanceFunction")
"""What a backup tells of an index, and of a vector index."""
_LISTED = 100
_DAYS = 35


def declare(service: Service) -> None:
    """Add the operations, and the jobs that copy and trim, to the block's service."""
    for name, function in _OPERATIONS.items():
        service.operation(name)(function)
    service.job(copies.make)
    service.job(recovery.trim)


async def table_named(ctx: Context, tx: Transaction, name: str, action: str) -> Table:
    """Return a table by its name or ARN, as these operations say that there is none. Raises AwsError."""
    table = await directory.find(ctx, tx, name)
    if table is None:
        access.authorize_missing(ctx, action, *directory.address(ctx, name))
        raise AwsError("TableNotFoundException", f"Table not found: {name}")
    access.authorize(ctx, table, action)
    return table


def _check_active(table: Table) -> None:
    if table.record.status != ACTIVE:
        raise AwsError("TableInUseException", f"Table is not ACTIVE: {table.name}")


# -- backups


async def create_backup(ctx: Context, tx: Transaction, params: Params) -> Result:
    table = await table_named(ctx, tx, params["TableName"], "CreateBackup")
    _check_active(table)
    now = ctx.now()
    count, size = await tx.counter(table.item_count), await tx.counter(table.size_count)
    backup = await backups.create(tx, params["BackupName"], table.record, count, size, now)
    moment = await copies.hold(tx, table, now, now)
    await copies.start(tx, Copy(table.id, moment, backup.key, None, account=ctx.account))
    return {"BackupDetails": backups.details(backup)}


async def _backup(ctx: Context, tx: Transaction, arn: str) -> Backup:
    try:
        account, region, table, id = backups.parse_arn(arn)
    except ValueError:
        raise validation(f"Invalid Backup ARN: {arn}") from None
    found = None
    if (account, region) == (ctx.account, ctx.region):
        found = await backups.find(tx, account, region, table, id)
    if found is None:
        raise AwsError("BackupNotFoundException", f"Backup not found: {arn}")
    return found


async def describe_backup(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"BackupDescription": await _described(ctx, tx, await _backup(ctx, tx, params["BackupArn"]))}


async def delete_backup(ctx: Context, tx: Transaction, params: Params) -> Result:
    backup = await _backup(ctx, tx, params["BackupArn"])
    if backup.status == backups.CREATING or await copies.is_used(tx, backup.key):
        doing = "created" if backup.status == backups.CREATING else "restored"
        raise AwsError("BackupInUseException", f"Backup is being {doing}: {backup.arn}")
    backups.remove(tx, backup)
    return {"BackupDescription": await _described(ctx, tx, msgspec.structs.replace(backup, status=backups.DELETED))}


async def list_backups(ctx: Context, tx: Transaction, params: Params) -> Result:
    name = params.get("TableName")
    if name is not None:
        name = directory.name_of(ctx, name)
    limit = params.get("Limit") or _LISTED
    after = None
    if params.get("ExclusiveStartBackupArn"):
        try:
            after = backups.parse_arn(params["ExclusiveStartBackupArn"])[2:]
        except ValueError:
            raise validation("Invalid ExclusiveStartBackupArn") from None
    low, high = params.get("TimeRangeLowerBound") or 0, params.get("TimeRangeUpperBound")
    found: list[Backup] = []
    more = params.get("BackupType") in (None, "USER", "ALL")
    while more and len(found) <= limit:
        page = await backups.listed(tx, ctx.account, ctx.region, name, after, limit + 1)
        more = len(page) > limit
        found += [each for each in page if low <= each.created and (high is None or each.created < high)]
        if page:
            after = (page[-1].table.name, page[-1].id)
    result: dict[str, Any] = {"BackupSummaries": [backups.summary(each) for each in found[:limit]]}
    if len(found) > limit:
        result["LastEvaluatedBackupArn"] = found[limit - 1].arn
    return result


async def _described(ctx: Context, tx: Transaction, backup: Backup) -> dict[str, Any]:
    table = Table(backup.table)
    described = await describing.described(tx, table, ctx.now())
    record = backup.table
    source = {
        "TableName": record.name,
        "TableId": record.uuid,
        "TableArn": table_arn(record.account, record.region, record.name),
        "TableSizeBytes": backup.size,
        "ItemCount": backup.items,
        "TableCreationDateTime": record.created,
        "KeySchema": described["KeySchema"],
        "BillingMode": record.billing,
        "ProvisionedThroughput": {
            "ReadCapacityUnits": record.throughput.read,
            "WriteCapacityUnits": record.throughput.write,
        },
    }
    features: dict[str, Any] = {}
    for member, names in (
        ("LocalSecondaryIndexes", _INDEX),
        ("GlobalSecondaryIndexes", _INDEX),
        ("VectorIndexes", _VECTOR_INDEX),
    ):
        if described.get(member):
            features[member] = [{name: index.get(name) for name in names} for index in described[member]]
    if "SSEDescription" in described:
        features["SSEDescription"] = described["SSEDescription"]
    if table.features.streams:
        features["StreamDescription"] = described["StreamSpecification"]
    if table.features.ttl is not None:
        features["TimeToLiveDescription"] = {"TimeToLiveStatus": "ENABLED", "AttributeName": table.features.ttl}
    return {
        "BackupDetails": backups.details(backup),
        "SourceTableDetails": source,
        "SourceTableFeatureDetails": features,
    }


async def restore_table_from_backup(ctx: Context, tx: Transaction, params: Params) -> Result:
    backup = await _backup(ctx, tx, params["BackupArn"])
    if backup.status != backups.AVAILABLE:
        raise AwsError("BackupInUseException", f"Backup is being created: {backup.arn}")
    record = backup.table
    summary = {
        "SourceBackupArn": backup.arn,
        "SourceTableArn": table_arn(record.account, record.region, record.name),
        "RestoreDateTime": backup.created,
        "RestoreInProgress": True,
    }
    table = await restoring.create(ctx, tx, params["TargetTableName"], record, params, summary)
    await copies.start(tx, Copy(None, Version(0), backup.key, table.id, account=ctx.account))
    return {"TableDescription": await describing.described(tx, table, ctx.now())}


# -- point-in-time recovery


async def update_continuous_backups(ctx: Context, tx: Transaction, params: Params) -> Result:
    table = await table_named(ctx, tx, params["TableName"], "UpdateContinuousBackups")
    wanted = params["PointInTimeRecoverySpecification"]
    now = ctx.now()
    enabled, days = wanted["PointInTimeRecoveryEnabled"], wanted.get("RecoveryPeriodInDays")
    if not enabled and days is not None:
        raise validation("RecoveryPeriodInDays cannot be set when PointInTimeRecoveryEnabled is false")
    current = table.features.recovery
    if enabled and current is None:
        features = msgspec.structs.replace(table.features, recovery=Recovery(now, days or _DAYS))
        await timeline.begin_anew(tx, table, now)
    elif enabled and current is not None:
        features = msgspec.structs.replace(table.features, recovery=Recovery(current.since, days or current.days))
    else:
        features = msgspec.structs.replace(table.features, recovery=None)
    changed = directory.store(tx, msgspec.structs.replace(table.record, features=features))
    if not features.journals:
        journal.clear(tx, changed)
    recovery.note(tx, changed)
    return {"ContinuousBackupsDescription": await recovery.described(tx, changed, now)}


async def describe_continuous_backups(ctx: Context, tx: Transaction, params: Params) -> Result:
    table = await table_named(ctx, tx, params["TableName"], "DescribeContinuousBackups")
    return {"ContinuousBackupsDescription": await recovery.described(tx, table, ctx.now())}


async def restore_table_to_point_in_time(ctx: Context, tx: Transaction, params: Params) -> Result:
    name = params.get("SourceTableArn") or params.get("SourceTableName")
    if name is None:
        raise validation("Either SourceTableName or SourceTableArn must be provided")
    source = await table_named(ctx, tx, name, "RestoreTableToPointInTime")
    time, latest = params.get("RestoreDateTime"), params.get("UseLatestRestorableTime")
    if (time is None) == (not latest):
        raise validation("Exactly one of RestoreDateTime and UseLatestRestorableTime must be provided")
    now = ctx.now()
    time = now if time is None else time
    await recovery.check_time(tx, source, time, now, "InvalidRestoreTimeException")
    _check_active(source)
    summary = {"SourceTableArn": source.arn, "RestoreDateTime": time, "RestoreInProgress": True}
    target = await restoring.create(ctx, tx, params["TargetTableName"], source.record, params, summary)
    moment = await copies.hold(tx, source, time, now)
    await copies.start(tx, Copy(source.id, moment, None, target.id, account=ctx.account))
    return {"TableDescription": await describing.described(tx, target, ctx.now())}


_OPERATIONS = {
    "CreateBackup": create_backup,
    "DeleteBackup": delete_backup,
    "DescribeBackup": describe_backup,
    "DescribeContinuousBackups": describe_continuous_backups,
    "ListBackups": list_backups,
    "RestoreTableFromBackup": restore_table_from_backup,
    "RestoreTableToPointInTime": restore_table_to_point_in_time,
    "UpdateContinuousBackups": update_continuous_backups,
}
