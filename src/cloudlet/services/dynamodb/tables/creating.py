"""CreateTable and DeleteTable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cloudlet.core import Context, Params, Transaction
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.dynamodb import access, errors
from cloudlet.services.dynamodb.streaming import streams
from cloudlet.services.dynamodb.tables import directory, schema, table_keys, tags, throughput, ttl, vector_schema
from cloudlet.services.dynamodb.tables.features import Features, Policy, Stream
from cloudlet.services.dynamodb.tables.table import Table, table_arn
from cloudlet.services.dynamodb.tables.table_record import ACTIVE, CREATING, ON_DEMAND, PROVISIONED, TableRecord

TABLES = 2_500
"""How many tables an account may have in a region (Developer Guide, "Service, account, and table quotas")."""

_NOT_BUILT = {
    "GlobalTableSourceArn": "global tables",
    "GlobalTableSettingsReplicationMode": "global tables",
}


async def check_room(ctx: Context, tx: Transaction) -> None:
    """Raise AwsError where an account may have no more tables."""
    if await directory.count(tx, ctx.account, ctx.region) >= TABLES:
        raise errors.limit_exceeded(
            f"Subscriber limit exceeded: There is a limit of {TABLES} tables per account and region."
        )


async def create(ctx: Context, tx: Transaction, params: Params, *, status: str = ACTIVE) -> Table:
    """Make the table that CreateTable's parameters describe. Raises AwsError.

    Who has yet to fill it gives it the status CREATING: then it cannot be worked with until another one is stored.
    """
    for name, what in _NOT_BUILT.items():
        if name in params:
            raise errors.not_built(what)
    name = _name(ctx, params["TableName"])
    now = ctx.now()
    record = _record(ctx, name, params, now, status)
    if await directory.find(ctx, tx, name) is not None:
        raise errors.in_use(f"Table already exists: {name}")
    await check_room(ctx, tx)
    record = msgspec.structs.replace(record, sealing=table_keys.choose(ctx, params.get("SSESpecification"), record))
    stream = await new_stream(tx, record, params.get("StreamSpecification"), now)
    labels = tags.checked({}, params["Tags"]) if params.get("Tags") else {}
    policies = {"": _policy(params["ResourcePolicy"], now)} if "ResourcePolicy" in params else {}
    record = msgspec.structs.replace(
        record, id=await directory.next_id(tx), features=Features(stream=stream, tags=labels, policies=policies)
    )
    return directory.add(tx, record)


def _policy(text: str, now: float) -> Policy:
    return access.revised(access.checked_policy(text), None, now)


def _name(ctx: Context, given: str) -> str:
    """Return the name of the table to make: given as such, or by the ARN that it is to have."""
    if not given.startswith("arn:"):
        directory.check_name(given)
        return given
    name = given.rpartition("/")[2]
    directory.check_name(name)
    if given != table_arn(ctx.account, ctx.region, name):
        raise errors.validation(f"Invalid table ARN: {given}")
    return name


def _record(ctx: Context, name: str, params: Params, now: float, status: str) -> TableRecord:
    attributes = schema.attribute_definitions(params)
    if "KeySchema" not in params:
        raise schema.missing("KeySchema")
    billing = params.get("BillingMode", PROVISIONED)
    speed = throughput.asked(params, billing)
    hash, range = schema.table_keys(params["KeySchema"])
    for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes", "VectorIndexes"):
        if params.get(member) == []:
            raise errors.invalid_values(f"List of {member} is empty")
    indexes = [schema.local_index(each, hash, range, 0) for each in params.get("LocalSecondaryIndexes") or ()]
    for each in params.get("GlobalSecondaryIndexes") or ():
        made = schema.global_index(each, 0)
        indexes.append(msgspec.structs.replace(made, throughput=throughput.asked(each, billing, made.name)))
    vectors = [vector_schema.vector_index(each, 0) for each in params.get("VectorIndexes") or ()]
    schema.check_indexes(indexes, vectors)
    vector_schema.check(vectors, billing)
    vector_schema.check_defined(vectors, [name for name, _ in attributes])
    schema.check_defined(hash, range, indexes, vectors, attributes)
    return TableRecord(
        id=0,
        account=ctx.account,
        region=ctx.region,
        name=name,
        uuid=uuid4(),
        created=now,
        status=status,
        attributes=attributes,
        hash=hash,
        range=range,
        billing=billing,
        billing_changed=now if billing == ON_DEMAND else 0,
        throughput=speed,
        indexes=tuple(msgspec.structs.replace(index, number=at) for at, index in enumerate(indexes)),
        indexes_made=len(indexes) + len(vectors),
        vectors=tuple(msgspec.structs.replace(index, number=len(indexes) + at) for at, index in enumerate(vectors)),
        table_class=params.get("TableClass"),
        deletion_protection=params.get("DeletionProtectionEnabled", False),
    )


async def new_stream(
    tx: Transaction, record: TableRecord, wanted: Mapping[str, Any] | None, now: float
) -> Stream | None:
    """Begin the stream that a StreamSpecification asks for. Raises AwsError."""
    if wanted is None:
        return None
    view = wanted.get("StreamViewType")
    if not wanted["StreamEnabled"]:
        if view is not None:
            raise errors.invalid_values("StreamViewType cannot be specified when StreamEnabled is set to false")
        return None
    if view is None:
        raise errors.invalid_values("StreamViewType must be specified when StreamEnabled is set to true")
    keys = [(record.hash, "HASH")] + ([] if record.range is None else [(record.range, "RANGE")])
    return await streams.enable(
        tx,
        account=record.account,
        region=record.region,
        table=record.name,
        keys=keys,
        view=view,
        now=now,
        lanes=streams.LANES if throughput.is_wide(record) else 1,
        sealing=record.sealing,
    )


async def delete(ctx: Context, tx: Transaction, table: Table) -> None:
    """Delete a table with all it holds; its stream can be read for a day. Raises AwsError."""
    record = table.record
    if record.deletion_protection:
        raise errors.validation(
            "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection "
            "first."
        )
    if record.status == CREATING:
        raise errors.in_use(f"Attempt to change a resource which is still in use: Table is being created: {table.name}")
    if record.features.copies:
        raise errors.in_use(
            f"Attempt to change a resource which is still in use: Table is being backed up or exported: {table.name}"
        )
    stream = record.features.stream
    if stream is not None and stream.enabled:
        await streams.disable(
            tx, stream, account=record.account, region=record.region, table=record.name, now=ctx.now()
        )
    ttl.forget(tx, record.id)
    directory.remove(tx, table)
