"""The table that a backup, or a table of an earlier time, is restored to: like its source but for what is overridden.

It has none of its source's tags, streams, time to live, policies and backups (API reference, RestoreTableFromBackup).
"""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import AwsError, Context, Params, Transaction
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.dynamodb import access
from cloudlet.services.dynamodb.errors import invalid_values
from cloudlet.services.dynamodb.tables import creating, directory, schema, table_keys, throughput, vector_schema
from cloudlet.services.dynamodb.tables.features import Features
from cloudlet.services.dynamodb.tables.sealing_record import Sealing
from cloudlet.services.dynamodb.tables.table import Table
from cloudlet.services.dynamodb.tables.table_record import (
    ACTIVE,
    CREATING,
    ON_DEMAND,
    IndexRecord,
    TableRecord,
    Throughput,
    VectorRecord,
)


async def create(
    ctx: Context, tx: Transaction, name: str, source: TableRecord, params: Params, summary: dict[str, Any]
) -> Table:
    """Create a table to restore `source` to, in the state CREATING, with its RestoreSummary. Raises AwsError."""
    directory.check_name(name, "targetTableName")
    for action in access.RESTORING_ACTIONS:
        access.authorize_missing(ctx, action, ctx.account, ctx.region, name)
    if await directory.find(ctx, tx, name) is not None:
        raise AwsError("TableAlreadyExistsException", f"Table already exists: {name}")
    await creating.check_room(ctx, tx)
    billing = params.get("BillingModeOverride") or source.billing
    indexes = [
        *_chosen(source, params, "LocalSecondaryIndexOverride", billing, is_global=False),
        *_chosen(source, params, "GlobalSecondaryIndexOverride", billing, is_global=True),
    ]
    vectors = _chosen_vectors(source, params)
    vector_schema.check(vectors, billing)
    keys = {source.hash, source.range, *schema.key_attributes(indexes, vectors)}
    now = ctx.now()
    record = msgspec.structs.replace(
        source,
        id=await directory.next_id(tx),
        account=ctx.account,
        region=ctx.region,
        name=name,
        uuid=uuid4(),
        created=now,
        status=CREATING,
        attributes=tuple(attribute for attribute in source.attributes if attribute[0] in keys),
        billing=billing,
        billing_changed=now if billing == ON_DEMAND else 0,
        throughput=_throughput(source, params, billing),
        indexes=tuple(indexes),
        vectors=tuple(vectors),
        deletion_protection=False,
        restored_from=summary,
        features=Features(),
        sealing=None,
    )
    return directory.add(tx, msgspec.structs.replace(record, sealing=_choose_key(ctx, source, record, params)))


def _choose_key(ctx: Context, source: TableRecord, record: TableRecord, params: Params) -> Sealing | None:
    """Return the encryption of a restored table: its source's, unless another is asked for."""
    asked = params.get("SSESpecificationOverride")
    if asked is None and source.sealing is not None and source.sealing.kms_key:
        asked = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": source.sealing.kms_key}
    return table_keys.choose(ctx, asked, record)


def _chosen(source: TableRecord, params: Params, member: str, billing: str, *, is_global: bool) -> list[IndexRecord]:
    """Return the indexes of the source that the restored table is to have; an override may leave some out."""
    existing = {index.name: index for index in source.indexes if index.is_global == is_global}
    wanted = params.get(member)
    if wanted is None:
        return [_restored(source, index, {}, billing) for index in existing.values()]
    chosen = []
    for override in wanted:
        index = existing.get(override["IndexName"])
        if index is None or _schema(override) != (index.hash, index.range) or not _same_projection(override, index):
            raise invalid_values(
                f"{member} must be a subset of the indexes of the source table: {override['IndexName']}"
            )
        if "WarmThroughput" in override:
            raise invalid_values(f"WarmThroughput is not supported in {member}: {index.name}")
        chosen.append(_restored(source, index, override, billing))
    return chosen


def _restored(source: TableRecord, index: IndexRecord, override: Params, billing: str) -> IndexRecord:
    """Return an index with the throughput that it is to have in the restored table."""
    members = ("ProvisionedThroughput", "OnDemandThroughput")
    asked: dict[str, Any] = {name: override[name] for name in members if name in override}
    units = throughput.unchanged(index.throughput)
    if index.is_global and (asked or billing != source.billing):
        units = throughput.asked(asked, billing, index.name)
    return msgspec.structs.replace(index, status=ACTIVE, throughput=units)


def _chosen_vectors(source: TableRecord, params: Params) -> list[VectorRecord]:
    """Return the vector indexes of the source that the restored table is to have."""
    member = "VectorIndexOverride"
    existing = {index.name: msgspec.structs.replace(index, status=ACTIVE) for index in source.vectors}
    wanted = params.get(member)
    if wanted is None:
        return list(existing.values())
    chosen = [vector_schema.vector_index(override, 0) for override in wanted]
    for index in chosen:
        known = existing.get(index.name)
        if known is None or msgspec.structs.replace(known, number=0) != index:
            raise invalid_values(f"{member} must be a subset of the indexes of the source table: {index.name}")
    return [existing[index.name] for index in chosen]


def _schema(index: Params) -> tuple[tuple[str, ...], tuple[str, ...]]:
    def of(kind: str) -> tuple[str, ...]:
        return tuple(element["AttributeName"] for element in index["KeySchema"] if element["KeyType"] == kind)

    return of("HASH"), of("RANGE")


def _same_projection(override: Params, index: IndexRecord) -> bool:
    projection = override["Projection"]
    included = set(projection.get("NonKeyAttributes") or ())
    return projection.get("ProjectionType", "ALL") == index.projection and included == set(index.included)


def _throughput(source: TableRecord, params: Params, billing: str) -> Throughput:
    """Return the throughput of the restored table: the source's, unless another one or billing mode is asked for."""
    overrides = {
        "ProvisionedThroughputOverride": "ProvisionedThroughput",
        "OnDemandThroughputOverride": "OnDemandThroughput",
    }
    asked = {name: params[member] for member, name in overrides.items() if params.get(member) is not None}
    if not asked and billing == source.billing:
        return throughput.unchanged(source.throughput)
    return throughput.asked(asked, billing)
